// Command echo is a WebSocket echo server by another library, as bench's BenchmarkEcho
// measures them beside hybi:
//
//	echo -server gws|nbio|gnet|gobwas|coder|gorilla|fasthttp [-addr HOST:PORT] [-loops N]
//
// It echoes text and binary messages, answers ping and close, and compresses nothing.
// One line on standard output says where it listens; SIGTERM ends it with status 0.
//
// Each is written the fastest way that the library's own documentation offers:
//
//	gws        Server, ReadLoop, WriteMessage of the pooled message; not ParallelEnabled, which costs a goroutine a message
//	nbio       nbhttp, IOModNonBlocking, OnMessagePtr; ServerExecutor runs the handler on the poller, not in the task pool
//	gnet       OnTraffic with the framing of gobwas in place, and one Write for all that a read brought
//	gobwas     Upgrade, ReadHeaderBuffer through a bufio.Reader, Cipher, and one Write a message
//	coder      Conn.Reader into a buffer that is kept, Conn.Write
//	gorilla    Conn.NextReader into a buffer that is kept, Conn.WriteMessage
//	fasthttp   the same, on fasthttp's server
//
// Loops is the number of pollers of gnet and nbio; for the others, which have a
// goroutine for each connection, it is GOMAXPROCS. Gws and nbio check that text is
// UTF-8, the others leave that to the caller, and here it is left undone. Nbio loses
// empty messages.
package main

import (
	"flag"
	"fmt"
	"maps"
	"net"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// A serveFunc serves on addr until the process ends, and says to ready where that is.
type serveFunc func(addr string, loops int, ready func(net.Addr)) error

var servers = map[string]serveFunc{
	"gws":      goroutines(serveGws),
	"nbio":     serveNbio,
	"gnet":     serveGnet,
	"gobwas":   goroutines(serveGobwas),
	"coder":    goroutines(serveCoder),
	"gorilla":  goroutines(serveGorilla),
	"fasthttp": goroutines(serveFasthttp),
}

func main() {
	names := strings.Join(slices.Sorted(maps.Keys(servers)), ", ")
	name := flag.String("server", "", "the library, `NAME`: "+names)
	addr := flag.String("addr", "127.0.0.1:9003", "listen on `HOST:PORT`")
	loops := flag.Int("loops", runtime.NumCPU(), "pollers, or GOMAXPROCS where there are none")
	flag.Parse()
	serve := servers[*name]
	if flag.NArg() > 0 || *loops < 1 || serve == nil {
		fmt.Fprintln(os.Stderr, "echo: takes flags only, -loops from 1, and -server, one of", names)
		os.Exit(2)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		os.Exit(0)
	}()
	err := serve(*addr, *loops, func(at net.Addr) { fmt.Printf("listening on ws://%s\n", at) })
	fmt.Fprintf(os.Stderr, "echo: %s: %v\n", *name, err)
	os.Exit(1)
}

// goroutines makes a serveFunc of a server that accepts from a listener.
func goroutines(serve func(net.Listener) error) serveFunc {
	return func(addr string, loops int, ready func(net.Addr)) error {
		runtime.GOMAXPROCS(loops)
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			return err
		}
		ready(ln.Addr())
		return serve(ln)
	}
}
