//go:build race

package mask

import (
	"runtime"
	"unsafe"
)

// tellRace tells the race detector, which does not look into assembly, what is
// about to be read and written. In these builds alone, slices escape here.
func tellRace(dst, src unsafe.Pointer, n int) {
	runtime.RaceReadRange(src, n)
	runtime.RaceWriteRange(dst, n)
}
