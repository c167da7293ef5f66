package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
)

const (
	blockBegin = "<!-- bench -->\n"
	blockEnd   = "<!-- /bench -->\n"

	serverBegin = "<!-- server -->\n"
	serverEnd   = "<!-- /server -->\n"
)

// rewriteReadme puts what run.sh has measured between the file's markers.
func rewriteReadme(rs *results, commit, name string) error {
	return rewriteBlock(name, blockBegin, blockEnd, block(rs, commit))
}

// rewriteServerReadme puts what server.sh has measured between markers of its own.
func rewriteServerReadme(rs *results, commit, name string) error {
	return rewriteBlock(name, serverBegin, serverEnd, serverBlock(rs, commit))
}

// rewriteBlock puts text between two lines of the file.
func rewriteBlock(name, begin, end, block string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		return fmt.Errorf("%s has no lines %q and %q", name, strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return os.WriteFile(name, []byte(before+begin+block+end+after), 0o666)
}

// block has the charts and a table of the codec.
func block(rs *results, commit string) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "One run at %s on an %s. What is called in each library, and what it checks, is in\n"+
		"[`bench/peers`](bench/peers/doc.go). In the table medians in ns; masking by gobwas at the phase that suits it better, parsing with\n"+
		"the copy that refills the buffer.\n", commit, rs.cpu)
	for _, c := range charts {
		fmt.Fprintf(&b, "\n![%s](docs/charts/%s.svg)\n", c.title, c.file)
	}
	libs := []string{"hybi", "gobwas", "gorilla", "coder", "gws", "nbio", "fasthttp", "xnet"}
	if rs.one("peers.Parse", "impl=hybi-batch") != nil {
		libs = slices.Insert(libs, 1, "hybi-batch")
	}
	fmt.Fprintf(&b, "\n| | %s |\n|---|%s\n", strings.Join(libs, " | "), strings.Repeat("---:|", len(libs)))
	for _, part := range []struct {
		title, name, unit string
		keys              []string
	}{
		{"mask", "peers.Mask", seconds, nil},
		{"parse and unmask a binary frame", "peers.Parse", frame, []string{"type=binary"}},
	} {
		for _, size := range []string{"16", "125", "1024", "65536"} {
			fmt.Fprintf(&b, "| %s, %s octets |", part.title, size)
			for _, lib := range libs {
				cell := "–"
				if best := rs.best(part.name, append([]string{"impl=" + lib, "size=" + size}, part.keys...)...); len(best) > 0 {
					cell = ns(median(best[0].values[part.unit]))
				}
				fmt.Fprintf(&b, " %s |", cell)
			}
			fmt.Fprintln(&b)
		}
	}
	return b.String()
}

// serverBlock has the chart and a table of the servers.
func serverBlock(rs *results, commit string) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "One run at %s on an %s, over loopback: processor time of the server's process, in µs per echoed message. `raw` and `rawc`\n"+
		"are epoll loops in Go and in C that send octets back and know no WebSocket; how the libraries are called is in\n"+
		"[`bench/peers/echo`](bench/peers/echo/main.go). The last line is growth of resident memory in octets per idle connection.\n", commit, rs.cpu)
	for _, c := range serverCharts {
		fmt.Fprintf(&b, "\n![%s](docs/charts/%s.svg)\n", c.title, c.file)
	}
	fmt.Fprintf(&b, "\n| | %s |\n|---|%s\n", strings.Join(serverKinds, " | "), strings.Repeat("---:|", len(serverKinds)))
	line := func(title, format, name, unit string, scale float64, keys ...string) {
		fmt.Fprintf(&b, "| %s |", title)
		for _, kind := range serverKinds {
			cell := "–"
			if w := rs.one(name, append([]string{"server=" + kind}, keys...)...); w != nil && len(w.values[unit]) > 0 {
				cell = fmt.Sprintf(format, median(w.values[unit])*scale)
			}
			fmt.Fprintf(&b, " %s |", cell)
		}
		fmt.Fprintln(&b)
	}
	for _, c := range []struct{ conns, outstanding, size string }{
		{"50", "1", "64"}, {"50", "16", "64"}, {"50", "1", "1024"}, {"50", "1", "65536"}, {"1000", "1", "64"}, {"10000", "1", "64"},
	} {
		line(fmt.Sprintf("%s connections, %s outstanding, %s octets", c.conns, c.outstanding, c.size), "%.2f", "bench.Echo", cpuTime, 1e6,
			"conns="+c.conns, "outstanding="+c.outstanding, "size="+c.size)
	}
	line("octets per idle connection", "%.0f", "bench.Idle", "rss-B/conn", 1)
	return b.String()
}
