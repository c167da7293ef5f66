//go:build !race

package mask

import "unsafe"

func tellRace(dst, src unsafe.Pointer, n int) {}
