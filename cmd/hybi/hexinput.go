package main

import (
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"
)

// hexSeparators may stand between groups of digits, as many as one likes.
const hexSeparators = " \t\r\n,;:-{}[]"

const hexDigits = "0123456789abcdefABCDEF"

// parseHex reads octets as people and programs write them: 818c, 81 8C, 81:8c,
// 81-8c, 0x81,0x8c, \x81\x8c, { 0x81, 0x8c }. Each group is an even number of
// digits and lies in one argument. The error names the place of what is not hex.
func parseHex(args []string) (octets []byte, err error) {
	for i, arg := range args {
		if octets, err = appendHex(octets, arg); err != nil {
			return nil, fmt.Errorf("argument %d, %w", i+1, err)
		}
	}
	return octets, nil
}

// appendHex appends the octets that s spells to dst.
func appendHex(dst []byte, s string) ([]byte, error) {
	for i := 0; i < len(s); {
		if strings.IndexByte(hexSeparators, s[i]) >= 0 {
			i++
			continue
		}
		if len(s)-i >= 2 && (s[i] == '0' || s[i] == '\\') && s[i+1]|0x20 == 'x' {
			i += 2
		}
		group := s[i:]
		group = group[:len(group)-len(strings.TrimLeft(group, hexDigits))]
		place := i + 1 // all before it is ASCII
		switch {
		case len(group)%2 != 0:
			return nil, fmt.Errorf("character %d: an odd number of hex digits (%d): two make an octet", place, len(group))
		case len(group) == 0 && i == len(s):
			return nil, fmt.Errorf("character %d: hex digits are missing at the end", place)
		case len(group) == 0:
			_, size := utf8.DecodeRuneInString(s[i:])
			return nil, fmt.Errorf("character %d: %q is not a hex digit", place, s[i:i+size])
		}
		var err error
		if dst, err = hex.AppendDecode(dst, []byte(group)); err != nil {
			return nil, err
		}
		i += len(group)
	}
	return dst, nil
}
