//go:build !race

package reactor

const raceAllocations = 0
