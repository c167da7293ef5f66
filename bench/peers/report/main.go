// Report makes of a raw file of samples what bench/run.sh and bench/server.sh write
// beside the tables of benchstat:
//
//	report RAW budgets              the budgets, and whether they are met
//	report RAW libraries            hybi against each library, and where one is faster
//	report RAW server               the budgets of sockets, and what each server costs
//	report RAW charts DIR           charts as SVG
//	report RAW readme FILE          the README's block between its markers
//	report RAW server-charts DIR    the chart of the servers
//	report RAW server-readme FILE   the README's block of the servers
//
// Ratios are of samples paired pass by pass: the median, and in parentheses the least
// and the most.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	commit := flag.String("commit", "unknown", "the commit that was measured, for captions")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: report [-commit C] RAW budgets|libraries|server|charts DIR|readme FILE|server-charts DIR|server-readme FILE")
		os.Exit(2)
	}
	flag.Parse()
	if flag.NArg() < 2 {
		flag.Usage()
	}
	rs, err := readResults(flag.Arg(0))
	if err == nil {
		err = run(rs, *commit, flag.Args()[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func run(rs *results, commit string, args []string) error {
	switch {
	case args[0] == "budgets" && len(args) == 1:
		return writeBudgets(os.Stdout, rs)
	case args[0] == "libraries" && len(args) == 1:
		return writeLibraries(os.Stdout, rs)
	case args[0] == "server" && len(args) == 1:
		return writeServer(os.Stdout, rs)
	case args[0] == "charts" && len(args) == 2:
		return drawCharts(rs, charts, commit, args[1])
	case args[0] == "readme" && len(args) == 2:
		return rewriteReadme(rs, commit, args[1])
	case args[0] == "server-charts" && len(args) == 2:
		return drawCharts(rs, serverCharts, commit, args[1])
	case args[0] == "server-readme" && len(args) == 2:
		return rewriteServerReadme(rs, commit, args[1])
	}
	return fmt.Errorf("what is %q? See go doc", args)
}
