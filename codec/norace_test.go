//go:build !race

package codec_test

const closeEscapes = 0
