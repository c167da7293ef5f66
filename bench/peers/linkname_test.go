package peers

import (
	_ "unsafe" // for go:linkname

	_ "github.com/coder/websocket"
	_ "github.com/fasthttp/websocket"
	_ "github.com/gorilla/websocket"
	_ "github.com/lesismal/nbio/nbhttp/websocket"
	_ "github.com/lxzan/gws"
)

// The libraries' own masking functions, none of them exported. They are called as
// the libraries call them: none is small enough to be inlined there. TestMask
// would not link if a version did not have one.

//go:noescape
//go:linkname gorillaMask github.com/gorilla/websocket.maskBytes
func gorillaMask(key [4]byte, pos int, b []byte) int

//go:noescape
//go:linkname fasthttpMask github.com/fasthttp/websocket.maskBytes
func fasthttpMask(key [4]byte, pos int, b []byte) int

//go:noescape
//go:linkname coderMask github.com/coder/websocket.maskGo
func coderMask(b []byte, key uint32) uint32

//go:noescape
//go:linkname gwsMask github.com/lxzan/gws/internal.MaskXOR
func gwsMask(b, key []byte)

//go:noescape
//go:linkname nbioMask github.com/lesismal/nbio/nbhttp/websocket.maskXOR
func nbioMask(b, key []byte)
