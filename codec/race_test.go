//go:build race

package codec_test

// closeEscapes: in these builds alone, slices given to mask escape, and with
// them the array on the stack in which a close frame is judged or built.
const closeEscapes = 1
