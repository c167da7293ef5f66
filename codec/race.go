//go:build race

package codec

import (
	"runtime"
	"unsafe"
)

// tellRaceRead and tellRaceWrite tell the race detector, which does not look into
// assembly, what is about to be read, or read and written. In these builds
// alone, slices escape here.

func tellRaceRead(b []byte) {
	runtime.RaceReadRange(unsafe.Pointer(unsafe.SliceData(b)), len(b))
}

func tellRaceWrite(b []byte) {
	runtime.RaceWriteRange(unsafe.Pointer(unsafe.SliceData(b)), len(b))
}

func tellRaceSpans(s []Span) {
	runtime.RaceWriteRange(unsafe.Pointer(unsafe.SliceData(s)), len(s)*int(unsafe.Sizeof(Span{})))
}
