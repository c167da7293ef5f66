//go:build !purego

package codec

// shortFrames fills spans with the run of short frames at in[n:], and returns
// their number and where they end. It leaves text that is not ASCII alone.
func shortFrames(in []byte, n int, spans []Span, limit int) (k, at int) {
	if !useAVX2 || len(in)-n < shortHead {
		return 0, n
	}
	k, at = shortFramesAVX2(&in[0], len(in), n, &spans[0], len(spans), limit)
	tellRaceWrite(in[n:at])
	tellRaceSpans(spans[:k])
	return k, at
}

//go:noescape
func shortFramesAVX2(in *byte, end, at int, spans *Span, room, limit int) (k, next int)
