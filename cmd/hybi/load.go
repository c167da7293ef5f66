package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
	"github.com/hybi-go/hybi/reactor"
)

var loadCommand = command{
	name:     "load",
	summary:  "drive an echo server, and measure it",
	operands: "URL",
	about: `Connects to a server that echoes, sends messages, checks each echo, and reports
throughput and latency. URL is ws://HOST:PORT/PATH, or unix:PATH for a Unix socket.

    hybi load ws://127.0.0.1:9001
    hybi load -conns 1000 -outstanding 16 -size 16-4KiB -type text ws://127.0.0.1:9001/echo
    hybi load -rate 50000 -duration 1m -json ws://127.0.0.1:9001

Without -rate each connection sends as soon as fewer than -outstanding of its messages
are without an echo, and latency is counted from then: a server that stalls is sent
less. With -rate messages are due by a clock, each connection's evenly spread, whatever
the server does, and latency is counted from when a message was due, so that a
stall shows in all that were due meanwhile. Those wait in a backlog of 64 for each
connection, or 4 million in all, if that is more; what finds it full is counted and not
sent. The clock is looked at each 0.1 ms: so late a message may be sent.

An echo must have the length and the type of its message, come in its turn, and be the
same in each octet (with -verify=false: in the first 12, which say whose it is). What
is wrong is counted by kind: altered, of_other_length, of_other_type, doubled,
out_of_order, lost, of_other_connection, unasked. Messages under 12 octets have less
to be told by.

Connections that cannot be opened or end are counted by cause and not opened
again: unknown_host, refused, no_such_socket, timed_out, status_503,
closed_in_handshake, handshake_invalid, reset, protocol_error, ended_without_close,
close_1001, no_descriptors, no_local_port ...

The measured time, -duration, begins when all connections have been opened or have
failed, or had -timeout for it, and -warmup and -ramp are over. Throughput is of the
echoes that came in it; latency is of the messages that were due in it, also if their
echoes came later. A wrong echo counts in neither. Sending starts when all connections
are open; with -ramp or -rate, on each as it opens. After the measured time the last
echoes and then the closing handshakes (1000) are waited for, each for -timeout at most.
SIGINT and SIGTERM end the measured time early; a second one ends the program at once,
with status 1.

The summary is written on standard output, as text or with -json, whose names are
stable and say the unit, also when nothing could be connected; a line each second on
standard error, if that is a terminal. If the generator itself may have been too slow,
the summary says so.

Status 0 means that nothing was wrong, though connections may have failed and messages
been left without an echo; 1 that nothing could be connected, nothing was echoed in the
measured time or an echo was wrong; 2 that the command line is wrong.
` + loadFields,
	flags: func(fs *flag.FlagSet) func() error {
		o := loadFlags(fs)
		return func() error {
			err := o.run(fs)
			if err != nil {
				err = fmt.Errorf("load: %w", err)
			}
			return err
		}
	},
}

// loadFlags defines the flags.
func loadFlags(fs *flag.FlagSet) *loadOptions {
	o := &loadOptions{sizes: sizeRange{64, 64}, backlog: mostBacklog}
	fs.IntVar(&o.conns, "conns", 100, "connections")
	fs.Var(&o.sizes, "size", "octets of a message, a `SIZE` from 0 to 1GiB, or a range such as 16-4KiB, evenly spread")
	fs.IntVar(&o.outstanding, "outstanding", 0, "messages of a connection that may be without an echo, up to 65536; 0 is 1, and 64 with -rate")
	fs.Float64Var(&o.rate, "rate", 0, "`N` messages a second, of all connections together; 0 is as fast as echoes come")
	timeVar(fs, &o.duration, "duration", 10*time.Second, "the measured `TIME`, such as 10s or 2m")
	timeVar(fs, &o.ramp, "ramp", 0, "the `TIME` over which connections are opened, 128 at a time at most")
	timeVar(fs, &o.warmup, "warmup", time.Second, "the `TIME` to send for before anything is measured")
	timeVar(fs, &o.timeout, "timeout", 5*time.Second, "the `TIME` that an opening handshake, all of them beyond -ramp, the last echoes and the closing handshakes may take")
	fs.StringVar(&o.kind, "type", "binary", "`TYPE` of the messages: text or binary")
	fs.BoolVar(&o.verify, "verify", true, "compare all octets of an echo")
	fs.IntVar(&o.loops, "loops", 0, "event loops, each on a thread of its own, up to 1024; 0 is one for each processor, -conns at most")
	fs.BoolVar(&o.json, "json", false, "write the summary as JSON")
	fs.BoolVar(&o.progress, "progress", isTerminal(os.Stderr), "write a line each second on standard error; by default if that is a terminal")
	fs.Func("header", "a further `LINE` of the request, such as 'Authorization: Bearer ...'; may be repeated", o.addHeader)
	fs.Func("subprotocol", "`NAME` of a subprotocol to offer; may be repeated", func(name string) error {
		o.request.Subprotocols = append(o.request.Subprotocols, name)
		return nil
	})
	fs.StringVar(&o.request.Origin, "origin", "", "the `ORIGIN` that the request names, such as https://a.example")
	return o
}

type loadOptions struct {
	to             target
	conns          int
	sizes          sizeRange
	outstanding    int
	rate           float64
	duration, ramp time.Duration
	warmup         time.Duration
	timeout        time.Duration
	kind           string
	op             codec.Opcode
	verify         bool
	loops          int
	json, progress bool
	request        handshake.ClientRequest
	most           int // connections at once; 0: what the reactor finds
	backlog        int // messages of all connections that were due and could not be sent
}

func (o *loadOptions) addHeader(line string) error {
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		return errors.New("write NAME: VALUE")
	}
	o.request.Header = append(o.request.Header, handshake.Field{Name: name, Value: strings.Trim(value, " \t")})
	return nil
}

func (o *loadOptions) run(fs *flag.FlagSet) error {
	switch err := o.complete(fs); {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return usageError{err}
	}
	descriptors, err := reactor.RaiseDescriptorLimit()
	if err != nil && !errors.Is(err, syscall.EPERM) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	if o.most = connsWith(descriptors); o.most > 0 && o.conns > o.most {
		fmt.Fprintf(os.Stderr, "hybi: load: -conns %d: the limit of %d descriptors (RLIMIT_NOFILE, `ulimit -Hn`) allows %d connections: the others will fail as no_descriptors\n", o.conns, descriptors, o.most)
	}
	if err := o.to.resolve(); err != nil {
		report := o.report()
		report.ConnectionsDialed, report.ConnectionsFailed["unknown_host"] = int64(o.conns), uint64(o.conns)
		return errors.Join(report.write(fs.Output(), o.json), err)
	}
	var progress io.Writer
	if o.progress {
		progress = os.Stderr
	}
	report, err := runLoad(o, interrupts(), progress)
	if err != nil {
		return err
	}
	if err := report.write(fs.Output(), o.json); err != nil {
		return err
	}
	return report.verdict()
}

// complete reads what is behind the flags, sets the defaults that depend on others, and
// judges.
func (o *loadOptions) complete(fs *flag.FlagSet) error {
	url := fs.Arg(0)
	if url == "" {
		return errors.New("takes the URL of a server, such as ws://127.0.0.1:9001: see `hybi help load`")
	}
	stdout := fs.Output()
	fs.SetOutput(io.Discard)
	err := fs.Parse(fs.Args()[1:]) // flags may stand behind the URL as well
	fs.SetOutput(stdout)
	if err != nil {
		return fmt.Errorf("%w: see `hybi help load`", err)
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("takes one URL, not also %q", fs.Arg(0))
	}
	if o.to, err = parseTarget(url); err != nil {
		return err
	}
	o.request.Host, o.request.Target = o.to.host, o.to.path
	if o.op = opcodes[o.kind]; !o.op.IsData() {
		return fmt.Errorf("-type %q: it must be text or binary", o.kind)
	}
	if err := o.check(); err != nil {
		return err
	}
	if o.outstanding == 0 {
		o.outstanding = 1
		if o.rate > 0 {
			o.outstanding = 64
		}
	}
	if o.loops == 0 {
		o.loops = max(1, min(runtime.GOMAXPROCS(0), o.conns))
	}
	return o.checkMemory()
}

// connsWith returns how many connections so many descriptors allow: some are for loops,
// files and what the runtime needs. 0 descriptors are an unknown number, and 0 connections
// leave it to the reactor.
func connsWith(descriptors int) int {
	if descriptors == 0 {
		return 0
	}
	return min(max(1, descriptors-min(max(descriptors/16, 16), 512)), maxClients)
}

// interrupts returns a channel that is closed at the first signal that says to end; the
// second one ends the program.
func interrupts() <-chan struct{} {
	stop := make(chan struct{})
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		close(stop)
		<-signals
		os.Exit(1)
	}()
	return stop
}
