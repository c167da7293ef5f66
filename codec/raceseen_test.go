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

// What the assembly of NextRun writes is told to the detector: see TestUTF8RaceIsSeen.
func TestRunRaceIsSeen(t *testing.T) {
	const child = "CODEC_TEST_RACE"
	var wire []byte
	for range 3 {
		wire = AppendFrame(wire, Header{FIN: true, Opcode: OpBinary, Masked: true}, make([]byte, 40))
	}
	spans := make([]Span, 4)
	reads := map[string]func(){
		"payload": func() { _ = string(wire[6:40]) },
		"spans":   func() { _ = spans[1].End },
	}
	if read := reads[os.Getenv(child)]; read != nil {
		done := make(chan bool)
		go func() { new(Parser).NextRun(wire, spans); done <- true }()
		go func() { read(); done <- true }()
		<-done
		<-done
		return
	}
	for name := range reads {
		cmd := exec.Command(os.Args[0], "-test.run=^TestRunRaceIsSeen$")
		cmd.Env = append(os.Environ(), child+"="+name)
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "DATA RACE") {
			t.Errorf("%s: read while a run is parsed, unseen: %v\n%s", name, err, out)
		}
	}
}

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
