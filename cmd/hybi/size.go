package main

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// A size is a number of octets as a flag: "4096", "64KiB", "32MiB", "1GiB".
type size int64

// largestSize is that of a message, to be sent or accepted: what is held of all
// connections is no more, by default.
const largestSize size = 1 << 30

var sizeUnits = []struct {
	suffix string
	shift  int
}{{"KiB", 10}, {"MiB", 20}, {"GiB", 30}}

func (s size) String() string {
	for i := len(sizeUnits) - 1; i >= 0; i-- {
		if u := sizeUnits[i]; s != 0 && s%(1<<u.shift) == 0 {
			return strconv.FormatInt(int64(s)>>u.shift, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// parseSize reads a size from least to most.
func parseSize(text string, least, most size) (size, error) {
	number, shift := text, 0
	for _, u := range sizeUnits {
		if n, ok := strings.CutSuffix(text, u.suffix); ok {
			number, shift = n, u.shift
		}
	}
	n, err := strconv.ParseInt(number, 10, 64) // beyond 64 bits, n is the nearest
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("%q is not a size: write octets, or KiB, MiB, GiB, such as 32MiB", text)
	case n < 0 || n == 0 && least > 0:
		return 0, fmt.Errorf("it must be at least %v", least)
	case bits.Len64(uint64(n))+shift > 63 || size(n<<shift) > most:
		return 0, fmt.Errorf("more than %v", most)
	case size(n<<shift) < least:
		return 0, fmt.Errorf("it must be at least %v", least)
	}
	return size(n << shift), nil
}

// A sizeFlag is a size within limits as a flag.
type sizeFlag struct {
	size
	least, most size
}

// Set reads a size.
func (f *sizeFlag) Set(text string) (err error) {
	s, err := parseSize(text, f.least, f.most)
	if err == nil {
		f.size = s
	}
	return err
}

// A sizeRange is a size of messages, or two with a hyphen between them, as a flag.
type sizeRange struct{ least, most size }

func (r *sizeRange) String() string {
	if r.least == r.most {
		return r.least.String()
	}
	return r.least.String() + "-" + r.most.String()
}

// Set reads "64", "64KiB" or "16-4KiB".
func (r *sizeRange) Set(text string) (err error) {
	low, high, both := strings.Cut(text, "-")
	if !both || low == "" { // a negative number is for parseSize to refuse
		low, high = text, text
	}
	var in sizeRange
	if in.least, err = parseSize(low, 0, largestSize); err != nil {
		return err
	}
	if in.most, err = parseSize(high, 0, largestSize); err != nil {
		return err
	}
	if in.least > in.most {
		return fmt.Errorf("%q: the smaller size comes first", text)
	}
	*r = in
	return nil
}
