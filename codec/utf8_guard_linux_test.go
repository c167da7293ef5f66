package codec

import (
	"bytes"
	"testing"
	"unicode/utf8"

	"github.com/hybi-go/hybi/mask"
	"golang.org/x/sys/unix"
)

// TestUTF8GuardPages puts texts flush against pages that fault: nothing may so much
// as read past either end. Hazard 9.
func TestUTF8GuardPages(t *testing.T) {
	page := unix.Getpagesize()
	all, err := unix.Mmap(-1, 0, 3*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatalf("mmap: %v", err)
	}
	defer unix.Munmap(all)
	for _, guard := range [][]byte{all[:page], all[2*page:]} {
		if err := unix.Mprotect(guard, unix.PROT_NONE); err != nil {
			t.Fatalf("mprotect: %v", err)
		}
	}
	field := all[page : 2*page]
	atEachLevel(t, func(t *testing.T) {
		for _, tc := range utf8Texts {
			whole := bytes.Repeat([]byte(tc.text), page/len(tc.text)+1)
			for n := range 600 {
				// Valid, but perhaps cut by the end; with a fault in front; with one behind.
				for fault := range 3 {
					text := bytes.Clone(whole[:n])
					if fault > 0 && n > 0 {
						text[(fault-1)*(n-1)] = 0xFF
					}
					want := firstHopeless(text)
					for _, b := range [][]byte{field[:n:n], field[page-n:]} {
						copy(b, text)
						if got, _ := utf8Accept.scan(b); got != want {
							t.Fatalf("scan: hopeless at %d, want %d: % x", got, want, text)
						}
						key := mask.Key{1, 2, 4, 8}
						mask.XOR(b, key)
						if valid := unmaskText(b, key); valid != utf8.Valid(text) || !bytes.Equal(b, text) {
							t.Fatalf("unmaskText: %v of % x", valid, text)
						}
						mask.XOR(b, key)
						if got, _, _ := utf8Accept.unmaskScan(b, key); got != want || !bytes.Equal(b, text) {
							t.Fatalf("unmaskScan: hopeless at %d, want %d: % x", got, want, text)
						}
					}
				}
			}
		}
	})
}
