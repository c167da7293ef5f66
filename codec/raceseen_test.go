//go:build race

package codec

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/hybi-go/hybi/mask"
)

const raceEnabled = true

// TestUTF8RaceIsSeen runs itself in a second process, where assembly unmasks what
// another goroutine scans in assembly, and wants the detector's report.
func TestUTF8RaceIsSeen(t *testing.T) {
	const child = "CODEC_TEST_RACE"
	if os.Getenv(child) != "" {
		b := make([]byte, 500)
		done := make(chan bool)
		go func() { utf8Accept.scan(b); done <- true }()
		go func() { unmaskText(b, mask.Key{}); done <- true }()
		<-done
		<-done
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestUTF8RaceIsSeen$")
	cmd.Env = append(os.Environ(), child+"=1")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "DATA RACE") {
		t.Errorf("one goroutine unmasked what another scanned unseen: %v\n%s", err, out)
	}
}
