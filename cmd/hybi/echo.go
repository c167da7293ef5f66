package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
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

// drainTime is how long connections have for their closing handshakes once the
// program is told to end.
const drainTime = 5 * time.Second

var echoCommand = command{
	name:    "echo",
	summary: "serve, and answer each message with itself",
	about: `Serves WebSocket connections and echoes every text and binary message with
its opcode. A text message that says "bye", in any case, is answered with
the closing handshake (1000) instead, unless -bye=false.

Prints one line on standard output once it accepts connections:

    listening on ws://127.0.0.1:9001

SIGINT and SIGTERM say 1001 to all connections, wait five seconds at most, and
end the program with status 0; a second one ends it at once. At the end, and on
SIGUSR1, the counters are printed on standard error. Status 1 means that it could
not serve, 2 that the command line is wrong.

From a browser's console:

    ws = new WebSocket("ws://127.0.0.1:9001")
    ws.onmessage = m => console.log(m.data)
    ws.onopen = () => ws.send("hello")
`,
	flags: func(fs *flag.FlagSet) func() error {
		o := echoOptions{maxMessage: sizeFlag{32 << 20, 1, largestSize}}
		fs.StringVar(&o.addr, "addr", "127.0.0.1:9001", "listen on `HOST:PORT`; no HOST is every address, PORT 0 any free port;\nunix:PATH is a Unix socket")
		fs.IntVar(&o.loops, "loops", 0, "event loops, each on a thread of its own, up to 1024; 0 is one for each processor")
		fs.Var(&o.maxMessage, "max-message", "the largest message, a `SIZE` in octets, KiB, MiB or GiB, from 1 to 1GiB")
		timeVar(fs, &o.idle, "idle-timeout", 2*time.Minute, "close a connection that is silent for a `TIME` such as 90s or 2m, a ping sent at half of it;\n0 is never")
		fs.StringVar(&o.origins, "origin", "", "origins that may connect, a `LIST` such as https://a.example,http://b.example:8080;\nempty is any, \"same\" only pages of the host itself")
		fs.BoolVar(&o.share, "reuseport", false, "share the TCP port with other processes that do so too; the kernel deals the\nconnections out among them")
		fs.BoolVar(&o.bye, "bye", true, "answer a text message \"bye\" by closing")
		return o.run
	},
}

type echoOptions struct {
	addr       string
	loops      int
	maxMessage sizeFlag
	idle       time.Duration
	origins    string
	share      bool
	bye        bool
}

// config turns the flags into a reactor's configuration.
func (o *echoOptions) config() (cfg reactor.Config, err error) {
	switch {
	case o.loops < 0 || o.loops > 1024:
		return cfg, fmt.Errorf("-loops %d: it must be from 0, for one on each processor, to 1024", o.loops)
	case o.idle < 0:
		return cfg, fmt.Errorf("-idle-timeout %v: it must be 0, for never, or more", o.idle)
	case o.loops == 0:
		o.loops = min(runtime.GOMAXPROCS(0), 1024)
	}
	cfg = reactor.Config{Loops: o.loops, MaxMessage: int64(o.maxMessage.size), IdleTimeout: o.idle, SharePort: o.share}
	if o.idle == 0 {
		cfg.IdleTimeout = -1
	}
	switch o.origins {
	case "":
		cfg.Origins = handshake.AnyOrigin()
	case "same":
	default:
		if cfg.Origins, err = handshake.AllowOrigins(strings.Split(o.origins, ",")...); err != nil {
			return cfg, fmt.Errorf("-origin: %w", err)
		}
	}
	return cfg, nil
}

func (o *echoOptions) run() error {
	descriptors, err := reactor.RaiseDescriptorLimit()
	if err != nil && !errors.Is(err, syscall.EPERM) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	cfg, err := o.config()
	if err != nil {
		return usageError{fmt.Errorf("echo: %w", err)}
	}
	network, addr := "tcp", o.addr
	if path, ok := strings.CutPrefix(o.addr, "unix:"); ok {
		network, addr = "unix", path
		if path == "" {
			return usageError{errors.New("echo: -addr unix: needs a path behind the colon")}
		}
	} else if err := checkAddr(addr); err != nil {
		return usageError{fmt.Errorf("echo: -addr %s: %w", addr, err)}
	}
	r, err := reactor.New(cfg)
	switch {
	case errors.As(err, new(*os.SyscallError)): // no descriptors, say
		return fmt.Errorf("echo: %w", err)
	case err != nil:
		return usageError{fmt.Errorf("echo: %w", err)}
	}
	if err := r.Listen(network, addr); err != nil {
		r.Shutdown(context.Background())
		return listenError(err, o.addr)
	}
	// One processor more than loops: see the package comment of reactor.
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), o.loops+1))

	signals := make(chan os.Signal, 4)
	signal.Notify(signals, append(moreSignals(), os.Interrupt, syscall.SIGTERM)...)
	defer signal.Stop(signals)
	go watch(r, signals, network, addr)

	fmt.Fprintf(os.Stderr, "hybi: %d event loops, %d descriptors, messages up to %v\n", o.loops, descriptors, o.maxMessage.size)
	fmt.Printf("listening on %s\n", url(r.Addrs()[0]))
	err = r.Run(func(int) reactor.Handler { return &echo{bye: o.bye} })
	writeStats(os.Stderr, r.Stats())
	return err
}

// checkAddr tells whether addr has a port, by number or by a name that the system knows.
// Whether the host is there is for Listen to find.
func checkAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		var op *net.AddrError
		if errors.As(err, &op) {
			return errors.New(op.Err + ": write HOST:PORT or :PORT")
		}
		return err
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return fmt.Errorf("port %s: it must be from 0, for any free one, to 65535", port)
	}
	return nil
}

// listenError says in one line why the address cannot be had.
func listenError(err error, addr string) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("echo: address %s is in use: end the program that has it, or choose another with -addr, or share it with -reuseport in both; if it is a Unix socket that no program has, remove the file", addr)
	}
	var op *net.AddrError
	if errors.As(err, &op) {
		return usageError{fmt.Errorf("echo: -addr: %w", op)}
	}
	return fmt.Errorf("echo: %w", err)
}

// url returns what a client connects to.
func url(a net.Addr) string {
	if a.Network() == "unix" {
		return "ws+unix:" + a.String()
	}
	if tcp, ok := a.(*net.TCPAddr); ok && tcp.IP == nil { // every address: this is one
		return fmt.Sprintf("ws://127.0.0.1:%d", tcp.Port)
	}
	return "ws://" + a.String()
}

// watch ends r at the first signal that says so, and the program at the second.
func watch(r *reactor.Reactor, signals <-chan os.Signal, network, addr string) {
	draining := false
	for s := range signals {
		switch {
		case s != os.Interrupt && s != syscall.SIGTERM:
			writeStats(os.Stderr, r.Stats())
		case draining:
			if network == "unix" {
				os.Remove(addr) // or the next start would find it in use
			}
			os.Exit(1)
		default:
			draining = true
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), drainTime)
				defer cancel()
				r.Shutdown(ctx)
			}()
		}
	}
}

// echo is the handler. It has no state, so all loops could share one.
type echo struct{ bye bool }

func (e *echo) Opened(reactor.Conn) {}

func (e *echo) Message(c reactor.Conn, op codec.Opcode, payload []byte) {
	if e.bye && op == codec.OpText && len(payload) == 3 && bytes.EqualFold(payload, []byte("bye")) {
		c.Close(codec.CloseNormal, "")
		return
	}
	// Under the Pause policy an echo always finds room; what else can fail
	// is a connection that has ended, and that is for Closed to tell.
	c.Send(op, payload)
}

func (e *echo) Closed(reactor.Conn, reactor.CloseInfo) {}
