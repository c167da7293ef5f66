// Package bench measures whole paths: an echo over real sockets, by the program
// hybi and by rawecho, an epoll loop on the same internal/poll that knows nothing
// of WebSocket. The module in peers does the work of the library packages with other
// libraries. The script run.sh takes samples of these and of the library packages'
// own benchmarks, and writes ../benchstat.txt, the charts in ../docs/charts, and the
// README's block of both; the raw samples are in results/. Nothing of it is typed by
// hand.
//
//	bench/run.sh                # 15 samples of everything, some twenty minutes
//	PACKAGES="mask codec peers" bench/run.sh      # without the handshake and the sockets
//	PACKAGES="codec" BENCHTIME=10ms bench/run.sh 6    # benchstat.txt of one package
//	BENCHTIME=5ms ECHOTIME=50ms bench/run.sh 2    # does it run at all?
//	go test ./bench -bench . -benchtime 1x        # a smoke run, echoes checked
//	(cd bench/peers && go test ./...)             # do the peers' rows do the work?
//
// # The table of budgets
//
// Each budget is a ratio of two rows of one run. The script runs everything once in
// each pass, and peers/report divides the samples of the same pass, so that a
// machine that is slow for a while is slow in both; the table has the median of
// these ratios, and the least and the most. Where the buffer is refilled by a copy,
// the copy is subtracted from both sides, and the ratio without that stands below.
//
// # BenchmarkEcho
//
// The server is a process of its own with one event loop, the load generator is
// the benchmark's. With two processors or more the server has the last one and
// the generator the first, each alone. Every connection of conns has outstanding
// messages of size octets of payload under way: it sends them in one system call,
// waits until all have come back, and sends again. Each octet that comes back is
// compared.
//
// HYBI_BENCH_SERVERS names the servers: raw, rawc (the same loop in C), hybi, and those of
// peers/echo; HYBI_BENCH_GRID=whole asks for more connections and sizes. server.sh sets
// both. BenchmarkCalls counts system calls per message by strace, if HYBI_BENCH_CALLS is set,
// and never beside what is timed.
//
// All servers get the same octets: masked binary frames. Rawecho sends them
// back as they are; hybi's answer lacks the masking-key, so it sends 4 octets less per
// message.
//
//	cpu-ns/msg     processor time of the server's process per message, by the kernel's
//	               clock of that process: exact, all threads, system calls included.
//	               The ratio hybi to raw is the price of WebSocket and of the reactor.
//	user-ns/msg    of it, in user space; and in the kernel. The kernel tells the two apart by
//	sys-ns/msg     sampling at its ticks: coarse, left out below 50 ticks.
//	sleeps/msg     how often the server had nothing to do and slept, per message
//	               (voluntary context switches)
//	msgs/s         echoes per second of wall time: the slower of server and generator
//	ns/op          wall time per message
//
// # BenchmarkIdle
//
// How much the resident memory of a fresh server grows by per connection, once
// all of conns, 10,000, have echoed one message and are silent: rss-B/conn. The sockets
// themselves are the kernel's memory and not in it.
//
// # What the figures cannot tell
//
// Loopback has no network card, no loss and no distance, and the kernel does a
// receiver's work at the sender's expense. On a shared or virtual machine
// neighbours come and go; the samples are interleaved so that they hurt all alike,
// and only ratios within one run travel. A server that is a little slower sleeps
// less and finds more events in each epoll_wait, which makes it look better: read
// cpu-ns/msg beside sleeps/msg. Rawecho is a limit for this interface to the
// kernel in Go, not for the machine.
//
// # Comparing two commits
//
// Build each commit's servers, let one generator measure both in turns, and read
// cpu-ns/msg. Run it for long enough that a neighbour's load is in both:
//
//	old=$(mktemp -d) new=$(mktemp -d)
//	git worktree add "$old/tree" COMMIT
//	(cd "$old/tree" && go build -o "$old/" ./cmd/hybi ./bench/rawecho)
//	go build -o "$new/" ./cmd/hybi ./bench/rawecho
//	for i in $(seq 20); do
//		HYBI_BENCH_BIN=$old go test ./bench -run '^$' -bench Echo -benchtime 300ms >>old.txt
//		HYBI_BENCH_BIN=$new go test ./bench -run '^$' -bench Echo -benchtime 300ms >>new.txt
//	done
//	go run golang.org/x/perf/cmd/benchstat@latest old.txt new.txt
//
// The rows of /server:raw must show no difference: if they do, the machine was not
// quiet enough to tell. For the packages that know no socket, run.sh in two work
// trees in turns, with COUNT 1, and benchstat over the raw files, do the same.
package bench
