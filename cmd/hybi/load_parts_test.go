package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
	"github.com/hybi-go/hybi/reactor"
)

func TestSizeRange(t *testing.T) {
	for text, want := range map[string]sizeRange{
		"64": {64, 64}, "64KiB": {64 << 10, 64 << 10}, "16-4KiB": {16, 4 << 10}, "1KiB-1KiB": {1 << 10, 1 << 10}, "0": {}, "0-1GiB": {0, 1 << 30},
	} {
		var r, again sizeRange
		if err := r.Set(text); err != nil || r != want {
			t.Errorf("%s: %v, %v", text, r, err)
		}
		if err := again.Set(r.String()); err != nil || again != r {
			t.Errorf("%s prints as %s", text, &r)
		}
	}
	for text, says := range map[string]string{
		"": "not a size", "-": "not a size", "1-": "not a size", "-1": "at least 0", "-1-5": "not a size", "6-5": "smaller", "1-2-3": "not a size", "a-b": "not a size", "1 - 2": "not a size",
		"1-2GiB": "more than 1GiB", "1073741825": "more than 1GiB",
	} {
		r := sizeRange{7, 8}
		if err := r.Set(text); err == nil || r != (sizeRange{7, 8}) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, %v; want %q", text, r, err, says)
		}
	}
}

func TestTarget(t *testing.T) {
	for text, want := range map[string]target{
		"ws://127.0.0.1:9001":        {"", "tcp", "127.0.0.1:9001", "127.0.0.1:9001", "/"},
		"WS://a.example/chat?x=1%20": {"", "tcp", "a.example:80", "a.example", "/chat?x=1%20"},
		"ws://a.example:80/%2f":      {"", "tcp", "a.example:80", "a.example", "/%2f"},
		"ws://[::1]:9001/":           {"", "tcp", "[::1]:9001", "[::1]:9001", "/"},
		"ws://[::1]":                 {"", "tcp", "[::1]:80", "[::1]", "/"},
		"unix:/tmp/s":                {"", "unix", "/tmp/s", "localhost", "/"},
		"ws+unix:/tmp/s":             {"", "unix", "/tmp/s", "localhost", "/"},
		"ws+unix:///tmp/s:/chat?a":   {"", "unix", "/tmp/s", "localhost", "/chat?a"},
		"unix:@abstract":             {"", "unix", "@abstract", "localhost", "/"},
	} {
		want.url = text
		if got, err := parseTarget(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", text, got, err, want)
		}
	}
	for text, says := range map[string]string{
		"wss://a.example": "TLS", "https://a.example": "TLS", "http://a.example": "ws://", "127.0.0.1:9001": "ws://", "": "ws://",
		"ws://": "host", "ws:a": "host", "ws://:80": "host", "ws://a/#b": "fragment", "ws://a/#": "fragment", "ws://u:p@a/": "-header",
		"unix:": "path", "ws://a:b/": "port", "ws://a:99999/": "port 99999: it must be from 1 to 65535", "ws://a:0": "port 0: it", "ws://a:99999999999999999999": "65535", "ws://a/%zz": "",
	} {
		if got, err := parseTarget(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %+v, %v; want %q in it", text, got, err, says)
		}
	}
}

// The port that a URL leaves out is named where the target is.
func TestTargetString(t *testing.T) {
	for text, want := range map[string]string{
		"ws://127.0.0.1": "ws://127.0.0.1 (port 80)", "ws://a/80": "ws://a/80 (port 80)", "ws://[::1]/": "ws://[::1]/ (port 80)", "ws://[::80]": "ws://[::80] (port 80)",
		"ws://a:80/": "ws://a:80/", "ws://a:9001": "ws://a:9001", "unix:/tmp/s": "unix:/tmp/s",
	} {
		if to, err := parseTarget(text); err != nil || to.String() != want {
			t.Errorf("%s: %s, %v; want %s", text, &to, err, want)
		}
	}
}

func TestSpread(t *testing.T) {
	for _, x := range []uint64{0, 1, 63, 64, 1<<24 - 1, 1 << 24, 0x123456789ABC, maxNumber} {
		s := spread(x)
		for i := range 8 {
			if want := '0' + byte(x>>(6*i)&63); byte(s>>(8*i)) != want {
				t.Errorf("%#x: symbol %d is %q, want %q", x, i, byte(s>>(8*i)), want)
			}
		}
		if back, ok := gather(s); back != x || !ok {
			t.Errorf("%#x comes back as %#x, %v", x, back, ok)
		}
	}
	for i := range 8 {
		for _, c := range []uint64{0x2F, 0x70, 0xFF, 0} {
			if _, ok := gather(spread(0)&^(0xFF<<(8*i)) | c<<(8*i)); ok {
				t.Errorf("octet %#x at %d is taken", c, i)
			}
		}
	}
}

// Every size, both types: a message is what it should be, known as itself, and as no
// other; one wrong octet anywhere is told.
func TestMessages(t *testing.T) {
	for _, op := range []codec.Opcode{codec.OpText, codec.OpBinary} {
		ascii, total := 0, 0
		for n := 1; n <= 90; n++ {
			m := newMessages(op, sizeRange{size(n), size(n)}, true)
			block := bytes.Clone(m.block)
			for number := range uint64(40) {
				const client = 77
				payload := bytes.Clone(m.lend(client, number))
				m.giveBack()
				if !bytes.Equal(block, m.block) {
					t.Fatalf("%v of %d: the block is not what it was", op, n)
				}
				if len(payload) != n || op == codec.OpText && !utf8.Valid(payload) || m.judge(client, number, op, payload) != faultNone {
					t.Fatalf("%v of %d, number %d: %q: %d", op, n, number, payload, m.judge(client, number, op, payload))
				}
				if id, got, ok := parseStamp(payload); ok != (n >= stampSize) || ok && (id != client || got != number) {
					t.Errorf("%v of %d, number %d: stamp %d, %d, %v", op, n, number, id, got, ok)
				}
				if n >= stampSize && m.judge(client+1, number, op, payload) == faultNone || m.judge(client, number+1, op, payload) == faultNone {
					t.Errorf("%v of %d, number %d: taken for another", op, n, number)
				}
				for _, b := range payload {
					total++
					if b < 0x80 {
						ascii++
					}
				}
				at := int(number) % n
				payload[at] ^= 1
				if m.judge(client, number, op, payload) != faultOctets {
					t.Errorf("%v of %d, number %d: wrong octet %d not told", op, n, number, at)
				}
				if m.verify = false; n > stampSize && (m.judge(client, number, op, payload) == faultNone) != (at >= stampSize) {
					t.Errorf("%v of %d, number %d: octet %d, not to be verified", op, n, number, at)
				}
				m.verify = true
				payload[at] ^= 1
				if m.judge(client, number, op^3, payload) != faultType || m.judge(client, number, op, payload[1:]) != faultLength {
					t.Errorf("%v of %d, number %d: type or length not told", op, n, number)
				}
			}
		}
		if op == codec.OpText && (ascii == total || ascii < total/2) {
			t.Errorf("of %d octets of text %d are ASCII", total, ascii)
		}
	}
}

// Sizes of a range are spread evenly over it, and the same each time they are asked for.
func TestMessageSizes(t *testing.T) {
	m := newMessages(codec.OpBinary, sizeRange{10, 19}, true)
	var count [20]int
	for number := range uint64(10000) {
		n := len(m.lend(3, number))
		m.giveBack()
		count[n]++
	}
	for n, k := range count {
		if n < 10 && k > 0 || n >= 10 && (k < 900 || k > 1100) {
			t.Errorf("%d messages of %d octets", k, n)
		}
	}
}

// `hybi echo` closes at a text "bye": no message is one.
func TestNoFarewell(t *testing.T) {
	m := newMessages(codec.OpText, sizeRange{3, 3}, true)
	for number := range uint64(1 << 18) {
		if p := m.lend(0, number); bytes.EqualFold(p, []byte("bye")) {
			t.Fatalf("number %d is %q", number, p)
		}
		m.giveBack()
	}
}

func TestTally(t *testing.T) {
	a, b := newTally(), newTally()
	for i := range int64(100) {
		record(b.measured, (i+1)*1000)
		record(a.measured, 1000)
	}
	record(b.measured, -5)    // a clock's whim
	record(b.warm, 2*longest) // more than fits
	record(b.late, int64(time.Second))
	b.sent, b.echoes, b.good, b.goodOctets, b.wrong[faultTwice], b.unsent, b.subprotocol = 3, 4, 7, 8, 5, 6, "chat"
	b.failed["refused"], b.lost["reset"] = 1, 2
	a.failed["refused"] = 10
	a.add(b)
	if a.measured.TotalCount() != 201 || a.measured.ValueAtQuantile(50) > 1000 || a.measured.Max() < 100_000 || a.measured.Min() != 0 ||
		a.warm.Max() < longest || a.late.TotalCount() != 1 {
		t.Errorf("%d latencies, %d to %d", a.measured.TotalCount(), a.measured.Min(), a.measured.Max())
	}
	if a.sent != 3 || a.echoes != 4 || a.good != 7 || a.goodOctets != 8 || a.unsent != 6 || a.failed["refused"] != 11 || a.subprotocol != "chat" || a.errors() != 5+11+2 {
		t.Errorf("%+v", a)
	}
	if b.measured.TotalCount() != 0 || b.warm.TotalCount() != 0 || b.late.TotalCount() != 0 || b.errors() != 0 || b.sent != 0 {
		t.Errorf("what was added is left: %+v", b)
	}
}

// loopAt returns a loop without a reactor, whose clock shows at least now. Connections
// take nothing, and so have backlogs.
func loopAt(now time.Duration, clients, backlog int) *loadLoop {
	plan := &loadPlan{base: time.Now().Add(-now), outstanding: 1, window: windowOf(1), backlog: backlog}
	l := newLoadLoop(plan, 0, clients, newMessages(codec.OpBinary, sizeRange{16, 16}, true))
	l.repost = func() {}
	for i := range l.clients {
		l.clients[i] = &loadClient{id: uint32(i), times: make([]int64, plan.window)}
	}
	return l
}

// Messages are due in turn, evenly, whatever the connections do; none is skipped, and what
// finds the backlog full is counted.
func TestSchedule(t *testing.T) {
	const backlog = 200
	l := loopAt(time.Minute, 3, backlog)
	const from, period = int64(5 * time.Second), float64(30 * time.Millisecond)
	l.schedule(from, period)
	l.end = from + int64(12*time.Second) // 400 of each
	for range 1000 {
		l.pump()
	}
	if l.next != never || l.upcoming.Load() < never-1024 {
		t.Errorf("after the end the next is due at %v", l.next)
	}
	for place, cl := range l.clients {
		if cl.due-cl.sent != backlog || cl.sent != 0 || len(cl.times) != 256 {
			t.Fatalf("connection %d: %d due, a ring of %d", place, cl.due, len(cl.times))
		}
		for n := range cl.due {
			want := from + int64(10*time.Millisecond)*int64(3*int(n)+place)
			if d := *cl.time(n) - want; d < -1 || d > 1 {
				t.Fatalf("connection %d: message %d due at %d, want %d", place, n, *cl.time(n), want)
			}
		}
	}
	if l.tally.overflow != 3*(400-backlog) {
		t.Errorf("%d over the backlog", l.tally.overflow)
	}
	if l.outlook() != 3*backlog {
		t.Errorf("outlook on %d", l.outlook())
	}
}

// Throughput is of what comes in the measured time, whenever due; latency of what is due
// in it, whenever it comes. What comes behind its turn counts in neither.
func TestCount(t *testing.T) {
	l := loopAt(time.Hour, 1, 10)
	l.begin, l.end = 1000, 2000
	for _, x := range []struct {
		due, now           int64
		measured, warm     int64
		timely, sinceStart uint64
	}{
		{999, 999, 0, 1, 0, 1}, {999, 1000, 0, 2, 1, 2}, {1000, 1000, 1, 2, 2, 3}, {1999, 1999, 2, 2, 3, 4}, {1999, 2000, 3, 2, 3, 5},
	} {
		if l.count(x.due, 7, x.now); l.tally.measured.TotalCount() != x.measured || l.tally.warm.TotalCount() != x.warm ||
			l.tally.timely != x.timely || l.tally.timelyOctets != 7*x.timely || l.tally.good != x.sinceStart || l.tally.goodOctets != 7*x.sinceStart {
			t.Errorf("due at %d, there at %d: %d measured, %d before; %+v", x.due, x.now, l.tally.measured.TotalCount(), l.tally.warm.TotalCount(), l.tally)
		}
	}
	cl := l.clients[0]
	cl.due, cl.sent, cl.awaited = 2, 2, 2
	*cl.time(0), *cl.time(1) = 1000, 1000
	l.answer(cl, 1, 7, 1500)
	l.answer(cl, 0, 7, 1500)
	if l.tally.good != 6 || l.tally.wrong[faultOrder] != 1 || cl.awaited != 0 || cl.head != 2 {
		t.Errorf("out of order: %d good, %v wrong; %+v", l.tally.good, l.tally.wrong, cl)
	}
}

// A schedule that has fallen behind is made up for in bounded steps.
func TestPumpIsBounded(t *testing.T) {
	l := loopAt(time.Hour, 1, 1<<30)
	posted := 0
	l.repost = func() { posted++ }
	l.schedule(0, 1000)
	l.pump()
	if cl := l.clients[0]; cl.due != pumpSends || posted != 1 || !l.posted.Load() {
		t.Errorf("%d due in one go, posted %d times", cl.due, posted)
	}
	l.clients[0] = nil
	before := l.next
	l.pump()
	if got := (l.next - before) / l.step; got != pumpTurns {
		t.Errorf("%v places passed in one go", got)
	}
	l.next = float64(time.Minute * 61)
	l.pump()
	if posted != 2 {
		t.Errorf("posted %d times: with nothing due once too often", posted)
	}
}

func TestBars(t *testing.T) {
	tl := newTally()
	for _, ns := range []int64{30_000, 40_000, 60_000, 1_500_000} {
		record(tl.measured, ns)
	}
	want := []bar{{50_000, 2}, {100_000, 1}, {200_000, 0}, {500_000, 0}, {1_000_000, 0}, {2_000_000, 1}}
	if got := barsOf(tl.measured); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if got := barsOf(newTally().measured); got == nil || len(got) > 0 { // null would be no array
		t.Errorf("of nothing: %#v", got)
	}
}

func TestShow(t *testing.T) {
	for ns, want := range map[int64]string{0: "0 ns", 999: "999 ns", 1000: "1.00 µs", 12_345: "12.3 µs", 123_456: "123 µs", 1_234_567: "1.23 ms", 61e9: "61.0 s", 3600e9: "3600 s"} {
		if got := show(ns); got != want {
			t.Errorf("%d: %s, want %s", ns, got, want)
		}
	}
}

func TestCauses(t *testing.T) {
	for want, err := range map[string]error{
		"refused": fmt.Errorf("x: %w", syscall.ECONNREFUSED), "no_such_socket": syscall.ENOENT, "no_permission": syscall.EACCES, "reset": syscall.ECONNRESET, "timed_out": reactor.ErrDialSlow, "closed_in_handshake": reactor.ErrDialLost,
		"no_descriptors": syscall.EMFILE, "no_memory": reactor.ErrMemory, "no_local_port": syscall.EADDRNOTAVAIL, "unreachable": syscall.EHOSTUNREACH,
		"status_503": &handshake.ResponseError{Kind: handshake.ResponseStatus, Status: 503}, "handshake_invalid": &handshake.ResponseError{Kind: handshake.ResponseAccept, Status: 101},
		"other": errors.New("x"), "not_awaited": reactor.ErrShutdown,
	} {
		if got := dialCause(err); got != want {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
	}
	for want, info := range map[string]reactor.CloseInfo{
		"close_1001": {Code: 1001, Clean: true}, "close_1005": {Code: codec.CloseNoStatus}, "ended_without_close": {Code: codec.CloseAbnormal},
		"protocol_error": {Code: 1002, Err: &codec.ProtocolError{}}, "timed_out": {Code: 1008, Err: reactor.ErrIdle}, "reset": {Code: 1006, Err: syscall.ECONNRESET},
	} {
		if got := endCause(info); got != want {
			t.Errorf("%+v: %s, want %s", info, got, want)
		}
	}
}

// sample is a report with something of everything.
func sample() *loadReport {
	return &loadReport{
		URL: "ws://a.example/", Subprotocol: "chat", Type: "text", SizeMinOctets: 16, SizeMaxOctets: 4096, Outstanding: 64, RateWanted: 1000, Loops: 2, TimeoutSeconds: 2.5,
		WarmUpSeconds: 1, MeasuredSeconds: 2, EchoesMeasured: 1990, EchoesPerSecond: 995, OctetsPerSecond: 2_000_000, MessagesSent: 3000, EchoesReceived: 2990,
		BacklogOverflow: 1, Unsent: 2, Unanswered: 3, Abandoned: 4, ConnectionsWanted: 10, ConnectionsDialed: 9, ConnectionsOpened: 7, ConnectionsClean: 5, ConnectionsUnclean: 1,
		ConnectionsFailed: map[string]uint64{"status_503": 1, "refused": 2}, ConnectionsLost: map[string]uint64{"reset": 1}, WrongEchoes: map[string]uint64{"doubled": 5},
		Latency:   latencies{4, 30_000, 400_000, 50_000, 1_500_000, 1_500_000, 1_500_000, 1_500_000, 1_500_000},
		Histogram: []bar{{50_000, 3}, {100_000, 0}, {2_000_000, 1}}, ProcessorSeconds: 1.9, ProcessorShare: 0.95,
		Bottleneck: "reasons",
	}
}

func TestReportText(t *testing.T) {
	const want = `hybi load ws://a.example/: text, size 16-4KiB, outstanding 64, loops 2
  connections            7 of 10
  not tried in time      1: -timeout 2.5s ended it; raise -timeout or use -ramp
  subprotocol            chat
  not opened             refused 2, status_503 1
  lost                   reset 1
  close not answered     1
  measured               2.00 s, 1.00 s after the start
  echoes                 1990, 995 msg/s, 2.00 MB/s
  rate wanted            1000 msg/s
  WRONG ECHOES           doubled 5
  without an echo        3
  lost with connections  4
  due but never sent     2
  due, backlog full      1
  processor time         1.90 s, 95 % of what the loops can use; waited for it 0 %
  sent late by           p50 0 ns, p99 0 ns, max 0 ns
  warning                the generator may have been the bottleneck: reasons

latency of 4 messages
  min       30.0 µs
  mean       400 µs
  p50       50.0 µs
  p90       1.50 ms
  p99       1.50 ms
  p99.9     1.50 ms
  p99.99    1.50 ms
  max       1.50 ms

  latency          messages cumulative
  up to 50.0 µs           3    75.00 %  ########################################
  up to  100 µs           0    75.00 %  
  up to 2.00 ms           1   100.00 %  ##############
`
	var b bytes.Buffer
	r := sample()
	if err := r.write(&b, false); err != nil || b.String() != want {
		t.Errorf("%v:\n%s", err, b.String())
	}
	r.Interrupted = true
	if s := r.text(); !strings.Contains(s, "  interrupted            the summary so far\n") || !strings.Contains(s, "  not tried in time      1\n") {
		t.Errorf("interrupted:\n%s", s)
	}
}

// The names of -json are a promise: none goes away.
func TestReportJSON(t *testing.T) {
	var b bytes.Buffer
	if err := sample().write(&b, true); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(`connections_close_unanswered connections_closed_cleanly connections_dialed connections_failed connections_lost
		connections_opened connections_wanted duration_wanted_seconds echoes_measured echoes_per_second echoes_received generator_bottleneck
		generator_processor_seconds generator_processor_share generator_waited_share interrupted latency latency_histogram loops
		measured_seconds messages_lost_with_connection messages_never_sent messages_over_backlog messages_sent messages_without_echo
		octets_per_second outstanding_per_connection ramp_seconds rate_wanted_per_second send_delay size_max_octets size_min_octets subprotocol timeout_seconds type url
		verify warmup_seconds warmup_wanted_seconds wrong_echoes`)
	if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, want) {
		t.Errorf("%q", names)
	}
	var told []string
	for _, line := range regexp.MustCompile(`(?m)^    (\w+)  +\S`).FindAllStringSubmatch(loadCommand.about, -1) {
		told = append(told, line[1])
	}
	if slices.Sort(told); !slices.Equal(told, want) {
		t.Errorf("the help tells of %q", told)
	}
	for name := range got["latency"].(map[string]any) {
		if !strings.Contains(loadCommand.about, name) {
			t.Errorf("the help does not tell of %s", name)
		}
	}
	latency, _ := json.Marshal(got["latency"])
	if string(latency) != `{"count":4,"max_ns":1500000,"mean_ns":400000,"min_ns":30000,"p50_ns":50000,"p90_ns":1500000,"p99_99_ns":1500000,"p99_9_ns":1500000,"p99_ns":1500000}` {
		t.Errorf("latency: %s", latency)
	}
	rest, _ := json.Marshal([]any{got["latency_histogram"], got["connections_failed"], got["wrong_echoes"]})
	if string(rest) != `[[{"count":3,"up_to_ns":50000},{"count":0,"up_to_ns":100000},{"count":1,"up_to_ns":2000000}],{"refused":2,"status_503":1},{"doubled":5}]` {
		t.Errorf("%s", rest)
	}
}

func TestVerdict(t *testing.T) {
	for _, x := range []struct {
		r    loadReport
		says string
	}{
		{loadReport{ConnectionsOpened: 2, EchoesReceived: 5, EchoesMeasured: 1, MessagesSent: 9, ConnectionsLost: map[string]uint64{"reset": 1}}, ""},
		{loadReport{ConnectionsOpened: 1, EchoesReceived: 5, EchoesMeasured: 1, ConnectionsLost: map[string]uint64{"reset": 1}}, ""},
		{loadReport{ConnectionsOpened: 2, EchoesReceived: 5, MessagesSent: 9, ConnectionsLost: map[string]uint64{"reset": 1}}, "nothing was echoed in the measured time: raise -duration"},
		{loadReport{ConnectionsOpened: 1, EchoesReceived: 5, MessagesSent: 9, ConnectionsLost: map[string]uint64{"reset": 1}}, "lost: reset 1"},
		{loadReport{ConnectionsOpened: 1, EchoesReceived: 5, MessagesSent: 5, Interrupted: true}, ""},
		{loadReport{ConnectionsOpened: 1, Interrupted: true}, ""},
		{loadReport{target: "ws://a (port 80)", ConnectionsFailed: map[string]uint64{"refused": 7}}, "connected to ws://a (port 80): refused 7"},
		{loadReport{Interrupted: true}, "interrupted"},
		{loadReport{ConnectionsOpened: 1, MessagesSent: 9}, "nothing was echoed"},
		{loadReport{ConnectionsOpened: 1, EchoesReceived: 5, WrongEchoes: map[string]uint64{"lost": 2, "doubled": 3}}, "doubled 3, lost 2"},
	} {
		err := x.r.verdict()
		if (err != nil) != (x.says != "") || err != nil && !strings.Contains(err.Error(), x.says) {
			t.Errorf("%+v: %v", x.r, err)
		}
	}
}

func TestBottleneck(t *testing.T) {
	for _, x := range []struct {
		r    loadReport
		says string
	}{
		{loadReport{ProcessorShare: 0.89, WaitShare: 0.19, SendDelay: latencies{P99: int64(lateSend) - 1}}, ""},
		{loadReport{ProcessorShare: 0.97, Loops: 2}, "97 %"},
		{loadReport{WaitShare: 0.25}, "25 % of the time: give it a free processor for each loop"},
		{loadReport{SendDelay: latencies{P99: int64(lateSend)}}, "5.00 ms late"},
	} {
		if got := x.r.bottleneck(); (got != "") != (x.says != "") || !strings.Contains(got, x.says) {
			t.Errorf("%+v: %q", x.r, got)
		}
	}
}
