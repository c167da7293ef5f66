package hybi

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/hybi-go/hybi"

// What each package of the library may import of this module: one way only.
// Other packages, such as cmd/hybi, may import all of it but the oracle.
var ours = map[string][]string{
	"mask":            {},
	"codec":           {"mask"},
	"handshake":       {},
	"internal/poll":   {},
	"internal/oracle": {"codec"},
	"reactor":         {"mask", "codec", "handshake", "internal/poll"},
}

// What the sans-IO packages must do without.
var world = []string{"net", "net/http", "os", "fmt", "syscall", "golang.org/x/sys/unix"}

// What embedders download with the library: these modules and nothing else.
var thirdParty = []string{"github.com/valyala/bytebufferpool", "golang.org/x/sys"}

// What the program has beyond these. No package of the library comes to it.
var programs = []string{"github.com/HdrHistogram/hdrhistogram-go"}

// forbidden says why a file of the module must not import a path, or "".
func forbidden(file, imported string) string {
	dir, test := path.Dir(file), strings.HasSuffix(file, "_test.go")
	allowed, library := ours[dir]
	rest, isOurs := strings.CutPrefix(imported, module+"/")
	first, _, _ := strings.Cut(imported, "/")
	switch {
	case !test && slices.Contains([]string{"mask", "codec", "handshake"}, dir) && slices.Contains(world, imported):
		return "the package knows no socket, no file and no clock"
	case isOurs && rest == "internal/oracle" && !test:
		return "the oracle is for tests"
	case isOurs && library && !test && rest != dir && !slices.Contains(allowed, rest):
		return "imports run one way"
	case isOurs || imported == module || !strings.Contains(first, "."):
		return ""
	}
	modules := thirdParty
	if dir == "cmd/hybi" {
		modules = slices.Concat(thirdParty, programs)
	}
	for _, m := range modules {
		if imported == m || strings.HasPrefix(imported, m+"/") {
			return ""
		}
	}
	return "the library's only dependencies are bytebufferpool and x/sys, and the program's those and " + strings.Join(programs, ", ")
}

// TestImports reads the imports of every file, whatever its build tags.
func TestImports(t *testing.T) {
	seen := map[string]int{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			_, err := os.Stat(filepath.Join(name, "go.mod"))
			if name != "." && (err == nil || d.Name()[0] == '.' || d.Name() == "testdata") {
				return filepath.SkipDir // another module, or no code
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		file := filepath.ToSlash(name)
		seen[path.Dir(file)]++
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if why := forbidden(file, imported); why != "" {
				t.Errorf("%s imports %s: %s", file, imported, why)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"mask", "codec", "internal/oracle", "fuzz"} {
		if seen[dir] == 0 {
			t.Errorf("no file seen in %s: is this the module's root?", dir)
		}
	}
}

// The rule itself: what it must refuse and what it must let pass.
func TestForbidden(t *testing.T) {
	for _, c := range []struct {
		file, imported string
		refused        bool
	}{
		{"codec/parser.go", module + "/mask", false},
		{"codec/parser.go", "io", false},
		{"codec/parser.go", "fmt", true},
		{"codec/parser_test.go", "fmt", false},
		{"codec/parser.go", module + "/reactor", true},
		{"codec/parser.go", module + "/internal/oracle", true},
		{"codec/parser_test.go", module + "/internal/oracle", false},
		{"mask/mask.go", module + "/codec", true},
		{"mask/mask_amd64.go", "golang.org/x/sys/cpu", false},
		{"mask/mask_linux.go", "golang.org/x/sys/unix", true},
		{"handshake/request.go", "net", true},
		{"handshake/request.go", module + "/reactor", true},
		{"handshake/request_test.go", "github.com/gorilla/websocket", true},
		{"internal/poll/epoll.go", "golang.org/x/sys/unix", false},
		{"internal/poll/epoll.go", module + "/codec", true},
		{"reactor/loop.go", "github.com/valyala/bytebufferpool", false},
		{"reactor/loop.go", "github.com/valyala/bytebufferpoolish", true},
		{"reactor/loop.go", module + "/internal/poll", false},
		{"reactor/loop.go", module + "/internal/oracle", true},
		{"cmd/hybi/main.go", module + "/reactor", false},
		{"cmd/hybi/load.go", "github.com/HdrHistogram/hdrhistogram-go", false},
		{"cmd/hybi/load.go", "example.com/histogram", true},
		{"reactor/stats.go", "github.com/HdrHistogram/hdrhistogram-go", true},
		{"reactor/stats_test.go", "github.com/HdrHistogram/hdrhistogram-go", true},
		{"bench/load_test.go", "github.com/HdrHistogram/hdrhistogram-go", true},
		{"cmd/hybi/main.go", module + "/internal/oracle", true},
	} {
		if why := forbidden(c.file, c.imported); (why != "") != c.refused {
			t.Errorf("%s, %s: %q", c.file, c.imported, why)
		}
	}
}
