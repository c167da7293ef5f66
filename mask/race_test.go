//go:build race

package mask

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

const raceEnabled = true

// TestRaceIsSeen runs itself in a second process, where two goroutines mask the
// same octets in assembly, and wants the detector's report.
func TestRaceIsSeen(t *testing.T) {
	const child = "MASK_TEST_RACE"
	if os.Getenv(child) != "" {
		b := make([]byte, 500)
		done := make(chan Key)
		for range 2 {
			go func() { done <- XOR(b, testKey) }()
		}
		<-done
		<-done
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestRaceIsSeen$")
	cmd.Env = append(os.Environ(), child+"=1")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "DATA RACE") {
		t.Errorf("two goroutines masked the same octets unseen: %v\n%s", err, out)
	}
}
