package peers

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The package comment names the versions that are measured.
func TestVersions(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	must(t, err)
	doc, err := os.ReadFile("doc.go")
	must(t, err)
	direct, _, _ := strings.Cut(string(mod), ")")
	n := 0
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) (v\S+)$`).FindAllStringSubmatch(direct, -1) {
		switch m[1] {
		case "github.com/hybi-go/hybi", "golang.org/x/perf", "golang.org/x/sys", "gonum.org/v1/plot":
			continue
		}
		n++
		if !strings.Contains(string(doc), m[1]+" "+m[2]) {
			t.Errorf("doc.go does not name %s %s", m[1], m[2])
		}
	}
	if n != 9 {
		t.Errorf("%d libraries in go.mod, not 9", n)
	}
}
