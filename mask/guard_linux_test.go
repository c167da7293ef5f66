package mask

import (
	"bytes"
	"testing"

	"golang.org/x/sys/unix"
)

// guarded returns memory with a page that faults on either side.
func guarded(t *testing.T, pages int) []byte {
	t.Helper()
	page := unix.Getpagesize()
	all, err := unix.Mmap(-1, 0, (pages+2)*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatalf("mmap: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Munmap(all); err != nil {
			t.Errorf("munmap: %v", err)
		}
	})
	for _, guard := range [][]byte{all[:page], all[len(all)-page:]} {
		if err := unix.Mprotect(guard, unix.PROT_NONE); err != nil {
			t.Fatalf("mprotect: %v", err)
		}
	}
	return all[page : len(all)-page]
}

// TestGuardPages puts payloads flush against pages that fault: no kernel may so
// much as read past either end. Hazard 9.
func TestGuardPages(t *testing.T) {
	const maxLen = 1100
	f, g := guarded(t, 1), guarded(t, 1)
	data := noise(len(f))
	lengths := []int{len(f) - 1, len(f)}
	for n := range maxLen {
		lengths = append(lengths, n)
	}
	for _, im := range impls() {
		for _, n := range lengths {
			want, _ := reference(data[:n], testKey)
			for _, b := range [][]byte{f[:n:n], f[len(f)-n:]} {
				copy(b, data)
				im.fn(b, b, testKey)
				if !bytes.Equal(b, want) {
					t.Fatalf("%s: n=%d: wrong in place", im.name, n)
				}
				for _, src := range [][]byte{g[:n:n], g[len(g)-n:]} {
					copy(src, data)
					clear(b)
					im.fn(b, src, testKey)
					if !bytes.Equal(b, want) {
						t.Fatalf("%s: n=%d: wrong from src to dst", im.name, n)
					}
				}
			}
		}
	}
}
