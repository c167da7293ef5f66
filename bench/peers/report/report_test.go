package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A raw file of three passes. The machine is half as fast in the second, which the
// pairing must not see.
func rawFile(t *testing.T, lines ...string) string {
	t.Helper()
	var b bytes.Buffer
	for _, slow := range []float64{1, 2, 1} {
		pkg := ""
		for _, l := range lines {
			var name, unit string
			var value float64
			if _, err := fmt.Sscan(l, &name, &value, &unit); err != nil {
				t.Fatal(err)
			}
			dir, name, _ := strings.Cut(name, ".")
			if dir != pkg {
				pkg = dir
				fmt.Fprintf(&b, "pkg: github.com/hybi-go/hybi/%s\ncpu: Some CPU\n", dir)
			}
			fmt.Fprintf(&b, "Benchmark%s 100 %g %s\n", name, value*slow, unit)
		}
	}
	file := filepath.Join(t.TempDir(), "raw.txt")
	if err := os.WriteFile(file, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	return file
}

func read(t *testing.T, lines ...string) *results {
	t.Helper()
	rs, err := readResults(rawFile(t, lines...))
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

// oneLine returns the line of text that has all the words.
func oneLine(t *testing.T, text string, words ...string) string {
	t.Helper()
lines:
	for l := range strings.Lines(text) {
		for _, w := range words {
			if !strings.Contains(l, w) {
				continue lines
			}
		}
		return l
	}
	t.Fatalf("no line with %q in\n%s", words, text)
	return ""
}

var sample = []string{
	"bench/peers.Mask/impl=hybi/size=16/phase=1 3 ns/op",
	"bench/peers.Mask/impl=copy/size=16/phase=1 2.5 ns/op",
	"bench/peers.Mask/impl=gobwas/size=16/phase=1 20 ns/op",
	"bench/peers.Mask/impl=gobwas/size=16/phase=0 2 ns/op",
	"bench/peers.Mask/impl=coder/size=16/phase=1 6 ns/op",
	"bench/peers.Mask/impl=hybi/size=64/phase=1 8 ns/op",
	"bench/peers.Mask/impl=copy/size=64/phase=1 4 ns/op",
	"bench/peers.Parse/impl=refill/type=binary/size=16 1 ns/frame",
	"bench/peers.Parse/impl=hybi/type=binary/size=16 7 ns/frame",
	"bench/peers.Parse/impl=gobwas/type=binary/size=16 25 ns/frame",
	"codec.UTF8/impl=shift/text=cjk/size=1024 100 ns/op",
	"codec.UTF8/impl=std/text=cjk/size=1024 790 ns/op",
	"bench.Echo/server=raw/conns=50/outstanding=1/size=64-2 100 cpu-ns/msg",
	"bench.Echo/server=hybi/conns=50/outstanding=1/size=64-2 104 cpu-ns/msg",
	"handshake.Request/head=a 0 allocs/op",
	"handshake.Request/head=b 1 allocs/op",
}

func TestBudgets(t *testing.T) {
	var out bytes.Buffer
	if err := writeBudgets(&out, read(t, sample...)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ words []string }{
		{[]string{"mask.XOR (peers)", "16", "≤ 1.30 ×", "1.20 (1.20-1.20)", "met"}},
		{[]string{"64", "copy", "≤ 1.60 ×", "2.00 (2.00-2.00)", "MISSED"}},
		{[]string{"worst: 16 at phase 0", "gobwas", "1.50 (1.50-1.50)", "MISSED"}},
		{[]string{"worst: 16", "coder", "0.50 (0.50-0.50)", "met"}},
		{[]string{"gws", "not measured in this run"}},
		{[]string{"gobwas, net of refill", "≥ 4.00 ×", "4.00 (4.00-4.00)", "met"}},
		{[]string{"gobwas, refill included", "3.57"}},
		{[]string{"batch form", "not measured in this run"}},
		{[]string{"cjk, 1024", "≥ 8.00 ×", "7.90", "MISSED"}},
		{[]string{"1 outstanding", "≤ 1.05 ×", "1.04 (1.04-1.04)", "met"}},
		{[]string{"16 outstanding", "≤ 1.15 ×", "not measured in this run"}},
		{[]string{"allocations of an opening handshake", "≤ 0", "1.00 (1.00-2.00)", "MISSED"}},
		{[]string{"4 lines MISSED"}},
	} {
		oneLine(t, out.String(), c.words...)
	}
}

func TestServer(t *testing.T) {
	const at1, at16 = "/conns=50/outstanding=1/size=64-2 ", "/conns=50/outstanding=16/size=64-2 "
	var out bytes.Buffer
	if err := writeServer(&out, read(t,
		"bench.Echo/server=raw"+at1+"5000 cpu-ns/msg",
		"bench.Echo/server=rawc"+at1+"4000 cpu-ns/msg",
		"bench.Echo/server=hybi"+at1+"5200 cpu-ns/msg",
		"bench.Echo/server=gws"+at1+"7500 cpu-ns/msg",
		"bench.Echo/server=raw"+at16+"300 cpu-ns/msg",
		"bench.Echo/server=hybi"+at16+"330 cpu-ns/msg",
		"bench.Idle/server=hybi/conns=10000/size=64-2 150 rss-B/conn",
		"bench.Idle/server=gws/conns=10000/size=64-2 9000 rss-B/conn",
		"bench.Calls/server=raw/conns=100/outstanding=1/size=64-2 0.01 wait/msg",
		"bench.Calls/server=hybi/conns=100/outstanding=1/size=64-2 0.012 wait/msg",
		"bench.Calls/server=hybi/conns=100/outstanding=16/size=64-2 0.08 recv/msg",
	)); err != nil {
		t.Fatal(err)
	}
	for _, words := range [][]string{
		{"CPU", "1 outstanding", "in Go", "≤ 1.05 ×", "1.04 (1.04-1.04)", "met"},
		{"1 outstanding", "in C", "≤ 1.15 ×", "1.30 (1.30-1.30)", "MISSED"},
		{"16 outstanding", "in Go", "≤ 1.15 ×", "1.10 (1.10-1.10)", "met"},
		{"16 outstanding", "in C", "≤ 1.25 ×", "not measured in this run"},
		{"octets resident", "≤ 200", "150.00 (150.00-300.00)", "met"},
		{"recv, 16 outstanding", "≤ 0.07", "0.08", "MISSED"},
		{"send, 16 outstanding", "not measured in this run"},
		{"epoll_wait, 1 outstanding", "≤ 1.10 ×", "1.20 (1.20-1.20)", "MISSED"},
		{"3 lines MISSED"},
		{"connections", "outstanding", "size", "raw", "rawc", "hybi", "gws"},
		{"50", "1", "64", "5.00  1.00×", "4.00  0.80×", "5.20  1.04×", "7.50  1.50×"},
		{"50", "16", "64", "0.30  1.00×", "–", "0.33  1.10×", "–"},
		{"10000", "1", "64", "150", "9000"},
	} {
		oneLine(t, out.String(), words...)
	}
}

func TestLibraries(t *testing.T) {
	var out bytes.Buffer
	if err := writeLibraries(&out, read(t, sample...)); err != nil {
		t.Fatal(err)
	}
	oneLine(t, out.String(), "size", "hybi", "copy", "gobwas", "gobwas, phase 0", "coder")
	oneLine(t, out.String(), "16", "3.00", "2.50  0.83×", "20.0  6.67×", "2.00  0.67×", "6.00  2.00×")
	_, losses, _ := strings.Cut(out.String(), "Where a library is faster")
	oneLine(t, losses, "16 at phase 0: 1.50 (1.50-1.50)")
	if n := strings.Count(losses, "("); n != 1 {
		t.Errorf("%d losses, not 1:\n%s", n, losses)
	}

	out.Reset()
	if err := writeLibraries(&out, read(t, sample[0], sample[2])); err != nil {
		t.Fatal(err)
	}
	oneLine(t, out.String(), "  nowhere")
}

// Samples that cannot be of the same passes are no ratio.
func TestUnpaired(t *testing.T) {
	if r, err := paired([]float64{1, 2}, []float64{1}); err == nil {
		t.Errorf("a ratio of two samples and one: %v", r)
	}
}

func TestReadme(t *testing.T) {
	rs := read(t, sample...)
	file := filepath.Join(t.TempDir(), "README.md")
	const before, after = "# Title\n\n" + blockBegin, blockEnd + "\nmore\n"
	if err := os.WriteFile(file, []byte(before+"old\n"+after), 0o666); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it finds what it wrote
		if err := rewriteReadme(rs, "abc123", file); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(text); !strings.HasPrefix(s, before) || !strings.HasSuffix(s, after) || strings.Contains(s, "old") {
		t.Errorf("not what was around the block:\n%s", s)
	}
	oneLine(t, string(text), "abc123", "Some CPU")
	oneLine(t, string(text), "| mask, 16 octets | 3.00 | 2.00 | – | 6.00 |")

	if err := os.WriteFile(file, []byte("no markers\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if rewriteReadme(rs, "abc123", file) == nil {
		t.Error("a file without markers was rewritten")
	}
}

func TestCharts(t *testing.T) {
	lines := []string{}
	for size := 1; size <= 65536; size *= 4 {
		for _, impl := range []string{"hybi", "copy", "coder"} {
			lines = append(lines, fmt.Sprintf("bench/peers.Mask/impl=%s/size=%d/phase=1 %d MB/s", impl, size, 100+size))
		}
		lines = append(lines, fmt.Sprintf("bench/peers.Parse/impl=hybi/type=binary/size=%d %d ns/frame", size, 5+size))
		lines = append(lines, fmt.Sprintf("codec.UTF8/impl=std/text=cjk/size=%d %d MB/s", size, 5+size))
		lines = append(lines, fmt.Sprintf("codec.UTF8/impl=hybi/text=cjk/size=%d %d MB/s", size, 5+size))
	}
	for _, l := range lines { // what is charted in ns too
		if strings.Contains(l, "Mask") {
			lines = append(lines, strings.Replace(l, "MB/s", "ns/op", 1))
		}
	}
	dir := t.TempDir()
	if err := drawCharts(read(t, lines...), charts, "abc123", dir); err != nil {
		t.Fatal(err)
	}
	for file, words := range map[string][]string{
		"mask-gbps": {"hybi", "copy", "coder", "64 Ki", "size, octets", "GB/s"},
		"mask-ns":   {"hybi", "copy", "coder", "64 Ki", "size, octets", "ns for each payload"},
		"parse":     {"hybi", "ns for each frame"},
		"utf8":      {"hybi, cjk", "std, cjk"},
	} {
		svg, err := os.ReadFile(filepath.Join(dir, file+".svg"))
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range append(words, "abc123", "Some CPU") {
			if !bytes.Contains(svg, []byte(w)) {
				t.Errorf("%s.svg lacks %q", file, w)
			}
		}
	}
	if drawCharts(read(t, sample[0]), charts, "abc123", dir) == nil {
		t.Error("charts of nothing were drawn")
	}
}

func TestServerChartAndReadme(t *testing.T) {
	lines := []string{"bench.Idle/server=hybi/conns=10000/size=64-2 150 rss-B/conn"}
	for i, kind := range serverKinds {
		for size := 16; size <= 65536; size *= 16 {
			lines = append(lines, fmt.Sprintf("bench.Echo/server=%s/conns=50/outstanding=1/size=%d-2 %d cpu-ns/msg", kind, size, 5000+1000*i))
		}
		lines = append(lines, fmt.Sprintf("bench.Echo/server=%s/conns=50/outstanding=1/size=64-2 %d cpu-ns/msg", kind, 5000+1000*i))
	}
	dir := t.TempDir()
	rs := read(t, lines...)
	if err := drawCharts(rs, serverCharts, "abc123", dir); err != nil {
		t.Fatal(err)
	}
	svg, err := os.ReadFile(filepath.Join(dir, "echo.svg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range append([]string{"abc123", "Some CPU", "64 Ki"}, serverKinds...) {
		if !bytes.Contains(svg, []byte(w)) {
			t.Errorf("echo.svg lacks %q", w)
		}
	}
	if drawCharts(read(t, sample[0]), serverCharts, "abc123", dir) == nil {
		t.Error("a chart of nothing was drawn")
	}

	file := filepath.Join(dir, "README.md")
	around := blockBegin + "codec\n" + blockEnd + serverBegin + "%s" + serverEnd + "more\n"
	if err := os.WriteFile(file, fmt.Appendf(nil, around, "old\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := rewriteServerReadme(rs, "abc123", file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf(around, serverBlock(rs, "abc123")); string(text) != want {
		t.Errorf("the file is\n%s", text)
	}
	oneLine(t, string(text), "| 50 connections, 1 outstanding, 64 octets | 5.00 | 6.00 | 7.00 |")
	oneLine(t, string(text), "| 50 connections, 16 outstanding, 64 octets | – | – | – |")
	oneLine(t, string(text), "| octets per idle connection | – | – | 150 | – |")
}
