//go:build !purego

package codec

func init() {
	use := func(avx2, vbmi bool) func() func() {
		return func() (restore func()) {
			wasAVX2, wasVBMI := useAVX2, useVBMI
			useAVX2, useVBMI = avx2, vbmi
			return func() { useAVX2, useVBMI = wasAVX2, wasVBMI }
		}
	}
	utf8Levels = []utf8Level{
		{"go", true, 0, use(false, false)},
		{"avx2", useAVX2, 35, use(true, false)},
		{"vbmi", useVBMI, 1, use(true, true)},
	}
}
