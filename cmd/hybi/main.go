// Command hybi is a WebSocket echo server made of hybi's packages, drives and
// measures such servers, and explains and writes frames.
//
//	hybi echo      serve, and answer each message with itself
//	hybi load      drive an echo server, and measure it
//	hybi decode    explain the frames of a stream, and judge them
//	hybi encode    write a message as frames
//	hybi help      say more
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// A command is a subcommand. Its run returns when it is done; a usageError makes
// the exit status 2, any other error 1. Operands is what may follow the flags, for
// the help; empty, nothing may. Run finds them in fs.Args, and standard output
// in fs.Output.
type command struct {
	name, summary, about string
	operands             string
	flags                func(fs *flag.FlagSet) (run func() error)
}

// commands in the order of the help.
var commands = []command{echoCommand, loadCommand, decodeCommand, encodeCommand}

// A usageError is a mistake on the command line.
type usageError struct{ error }

func main() { os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr)) }

// execute runs the command line args and returns the exit status.
func execute(args []string, stdout, stderr io.Writer) int {
	err := dispatch(args, stdout)
	if err == nil {
		return 0
	}
	// One line, which names the program once.
	text := strings.ReplaceAll(strings.ReplaceAll(err.Error(), "\n", "; "), "hybi: ", "")
	fmt.Fprintf(stderr, "hybi: %s\n", text)
	if errors.As(err, new(usageError)) {
		return 2
	}
	return 1
}

func dispatch(args []string, stdout io.Writer) error {
	if len(args) == 0 {
		return usageError{errors.New("no command: try `hybi echo`, or `hybi help`")}
	}
	name, rest := args[0], args[1:]
	if name == "help" || name == "-h" || name == "-help" || name == "--help" {
		return help(rest, stdout)
	}
	c, err := find(name)
	if err != nil {
		return err
	}
	fs := flag.NewFlagSet(c.name, flag.ContinueOnError)
	fs.SetOutput(io.Discard) // one clear line instead of all flags
	run := c.flags(fs)
	if err := fs.Parse(rest); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return help([]string{c.name}, stdout)
		}
		return usageError{fmt.Errorf("%s: %w: see `hybi help %s`", c.name, err, c.name)}
	}
	if c.operands == "" && fs.NArg() > 0 {
		return usageError{fmt.Errorf("%s: takes flags only, not %q: see `hybi help %s`", c.name, fs.Arg(0), c.name)}
	}
	fs.SetOutput(stdout)
	err = run()
	if errors.Is(err, flag.ErrHelp) { // behind an operand
		return help([]string{c.name}, stdout)
	}
	return err
}

func find(name string) (command, error) {
	i := slices.IndexFunc(commands, func(c command) bool { return c.name == name })
	if i < 0 {
		return command{}, usageError{fmt.Errorf("no command %q: see `hybi help`", name)}
	}
	return commands[i], nil
}

// help prints what hybi can do, or what one of its commands can.
func help(args []string, w io.Writer) error {
	if len(args) == 0 {
		fmt.Fprint(w, "hybi serves WebSocket connections (RFC 6455), strictly, measures servers, and explains frames.\n\nUsage:\n\n")
		for _, c := range commands {
			fmt.Fprintf(w, "  hybi %-12s %s\n", c.name, c.summary)
		}
		fmt.Fprintf(w, "  hybi %-12s %s\n", "help COMMAND", "say more of a command")
		return nil
	}
	c, err := find(args[0])
	if err != nil {
		return err
	}
	usage := strings.TrimSpace(c.name + " [flags] " + c.operands)
	fmt.Fprintf(w, "Usage: hybi %s\n\n%s\nFlags:\n\n", usage, c.about)
	fs := flag.NewFlagSet(c.name, flag.ContinueOnError)
	fs.SetOutput(w)
	c.flags(fs)
	fs.PrintDefaults()
	return nil
}
