//go:build !amd64 || purego

package codec

// Without assembly nothing is known beforehand: the automaton does all.

func scanVector(b []byte) (good int) { return 0 }

func unmaskVector(b []byte, k, next uint32) (good, done int) { return 0, 0 }

func unmaskShortVector(b []byte, k uint32) (good int) { return 0 }
