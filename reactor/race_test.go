//go:build race

package reactor

// Under the race detector sync.Pool drops what it is given at random.
const raceAllocations = 100
