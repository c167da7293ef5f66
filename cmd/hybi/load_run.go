package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/hybi-go/hybi/handshake"
	"github.com/hybi-go/hybi/reactor"
)

// A loadRun is one run of the generator:
//
//	dial ─► warm-up ─► measured time ─► wait for the last echoes ─► closing handshakes
//
// Each stage is bounded in time, and a signal skips to the last two.
type loadRun struct {
	*loadOptions
	plan     loadPlan
	reactor  *reactor.Reactor
	loops    []*loadLoop
	spare    []*tally
	total    *tally
	second   *tally // the last one
	seconds  *time.Ticker
	progress io.Writer

	underWay chan struct{} // a token for each dial that is under way
	dialed   atomic.Int64  // dials begun
	dialing  chan struct{} // closed when no more are to come
	quit     chan struct{} // closed when no more are to be begun
	instant  map[string]uint64

	began, from, until int64 // when messages began, and the measured time
	lineAt             int64 // when the last line was written
	used, waited       time.Duration
	interrupted        bool
}

const (
	mostUnderWay = 128                    // dials
	notice       = 20 * time.Millisecond  // that loops get of the measured time
	pollTime     = 5 * time.Millisecond   // of what ends a stage
	tickTime     = 100 * time.Microsecond // between two looks at the schedule, at least
	mostTimes    = 1 << 30                // kept for all connections, of 8 octets
	mostBacklog  = 4 << 20                // messages, of all connections
)

func newLoadRun(o *loadOptions, progress io.Writer) (*loadRun, error) {
	most := int64(o.sizes.most)
	r := &loadRun{
		loadOptions: o, progress: progress, total: newTally(), second: newTally(),
		underWay: make(chan struct{}, mostUnderWay), dialing: make(chan struct{}), quit: make(chan struct{}),
		instant: map[string]uint64{},
	}
	r.plan = loadPlan{
		base: time.Now(), outstanding: o.outstanding, window: windowOf(o.outstanding),
		backlog: max(minWindow, o.backlog/o.conns), settled: func() { <-r.underWay },
	}
	var err error
	r.reactor, err = reactor.New(reactor.Config{
		Loops:            o.loops,
		MaxMessage:       max(most, reactor.DefaultMaxMessage), // longer echoes than were sent are to be told as such
		MaxMemory:        max(reactor.DefaultMaxMemory, int64(o.conns)*4*most),
		Policy:           reactor.Refuse, // one that stops reading while it cannot send could wait for ever
		HandshakeTimeout: o.timeout,
		CloseTimeout:     o.timeout,
		MaxConns:         o.most,
		Logger:           slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	places := (o.conns + o.loops - 1) / o.loops
	for i := range o.loops {
		l := newLoadLoop(&r.plan, i, places, newMessages(o.op, o.sizes, o.verify))
		pump := l.pump
		l.repost = func() {
			if r.reactor.Post(i, pump) != nil {
				l.posted.Store(false) // to be tried again
			}
		}
		l.held = o.hold()
		if o.rate > 0 {
			period := float64(o.conns) / o.rate * 1e9
			l.schedule(int64(period/float64(places)*float64(i)/float64(o.loops)), period)
		}
		r.loops = append(r.loops, l)
		r.spare = append(r.spare, newTally())
	}
	return r, nil
}

// runLoad runs until the end, or until stop is closed, and reports.
func runLoad(o *loadOptions, stop <-chan struct{}, progress io.Writer) (*loadReport, error) {
	r, err := newLoadRun(o, progress)
	if err != nil {
		return nil, err
	}
	// One processor more than loops, see the package comment of reactor, and one for
	// the schedule.
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), o.loops+2))
	ended := make(chan error, 1)
	go func() { ended <- r.reactor.Run(func(i int) reactor.Handler { return r.loops[i] }) }()
	go r.dial()
	over := make(chan struct{})
	if o.rate > 0 {
		go r.tick(over)
	}
	r.stages(stop)
	close(over)
	now, cancel := context.WithCancel(context.Background())
	cancel()
	r.reactor.Shutdown(now)
	if err := <-ended; err != nil {
		return nil, err
	}
	<-r.dialing
	for _, l := range r.loops {
		r.total.add(l.tally)
	}
	for cause, n := range r.instant {
		r.total.failed[cause] += n
	}
	return r.report(), nil
}

func (r *loadRun) stages(stop <-chan struct{}) {
	r.lineAt, r.seconds = r.plan.now(), time.NewTicker(time.Second)
	defer r.seconds.Stop()
	r.interrupted = r.stage(stop, r.connected)
	if r.hold() && !r.interrupted {
		r.each((*loadLoop).release)
		r.began = r.plan.now()
	}
	r.interrupted = r.interrupted || r.stage(stop, r.warm)
	if !r.interrupted && !r.allGone() {
		r.measure(stop)
	}
	now := r.plan.now()
	r.each(func(l *loadLoop) { l.stop(now) })
	close(r.quit)
	r.within(r.timeout, func() bool { return r.outlook() == 0 })
	r.each((*loadLoop).finish)
	r.within(r.timeout, func() bool { return r.plan.open.Load() == 0 && len(r.underWay) == 0 })
}

// stage waits until done, and writes a line each second. It reports whether it was
// stopped.
func (r *loadRun) stage(stop <-chan struct{}, done func() bool) bool {
	poll := time.NewTicker(pollTime)
	defer poll.Stop()
	for !done() {
		select {
		case <-stop:
			return true
		case <-r.seconds.C:
			r.line()
		case <-poll.C:
		}
	}
	return false
}

// within waits until done, for d at most.
func (r *loadRun) within(d time.Duration, done func() bool) {
	for end := time.Now().Add(d); !done() && time.Now().Before(end); {
		time.Sleep(pollTime)
	}
}

// allDialed reports whether every dial has come to its end.
func (r *loadRun) allDialed() bool {
	select {
	case <-r.dialing:
		return len(r.underWay) == 0
	default:
		return false
	}
}

func (r *loadRun) allGone() bool { return r.allDialed() && r.plan.open.Load() == 0 }

// hold reports whether messages wait until all connections are there: they would slow
// down the dials that are left, and there is no ramp over which the load is to grow.
func (o *loadOptions) hold() bool { return o.rate == 0 && o.ramp == 0 }

// connected reports whether all have come that are to come, or had the time to.
func (r *loadRun) connected() bool {
	return r.allDialed() || time.Duration(r.plan.now()) >= r.ramp+r.timeout
}

// warm reports whether the measured time may begin.
func (r *loadRun) warm() bool {
	return r.allGone() || r.plan.now() >= max(r.began+int64(r.warmup), int64(r.ramp))
}

// measure lets the measured time pass.
func (r *loadRun) measure(stop <-chan struct{}) {
	r.from = r.plan.now() + int64(notice)
	r.until = r.from + int64(r.duration)
	from, until := r.from, r.until
	used, waited := processorTime(), r.waitedSoFar()
	r.each(func(l *loadLoop) { l.begin, l.end = from, min(l.end, until) })
	r.interrupted = r.stage(stop, func() bool { return r.plan.now() >= until || r.allGone() })
	r.used, r.waited = processorTime()-used, r.waitedSoFar()-waited
	r.until = max(r.from, min(until, r.plan.now()))
	if r.until-r.lineAt > int64(time.Second/2) {
		r.line()
	}
}

// dial opens the connections: spread over the ramp, and a bounded number at a time.
func (r *loadRun) dial() {
	defer close(r.dialing)
	for i := range r.conns {
		wait := time.Until(r.plan.base.Add(r.ramp / time.Duration(r.conns) * time.Duration(i)))
		if wait > 0 {
			select {
			case <-time.After(wait):
			case <-r.quit:
				return
			}
		}
		select {
		case r.underWay <- struct{}{}:
		case <-r.quit:
			return
		}
		r.dialed.Add(1)
		if err := r.reactor.Dial(r.to.network, r.to.addr, r.request, &loadClient{id: uint32(i)}); err != nil {
			r.instant[dialCause(err)]++
			<-r.underWay
		}
	}
}

// tick has the loops look at their schedules when something is due.
func (r *loadRun) tick(over <-chan struct{}) {
	runtime.LockOSThread() // and never unlock: the thread is not for others any more
	exactSleep()
	for {
		select {
		case <-over:
			return
		default:
		}
		now := r.plan.now()
		next := now + int64(pollTime)
		for _, l := range r.loops {
			at := l.upcoming.Load()
			if at <= now {
				l.postPump() // which says what is next, in a while
			}
			next = min(next, at)
		}
		sleep(max(time.Duration(next-now), tickTime))
	}
}

// each has f called for each loop, on its goroutine, and waits for that.
func (r *loadRun) each(f func(*loadLoop)) {
	done := make(chan struct{}, len(r.loops))
	posted := 0 // to loops that have not ended: what they accept happens
	for i, l := range r.loops {
		err := reactor.ErrInboxFull
		for err == reactor.ErrInboxFull {
			if err = r.reactor.Post(i, func() { f(l); done <- struct{}{} }); err == reactor.ErrInboxFull {
				time.Sleep(pollTime)
			}
		}
		if err == nil {
			posted++
		}
	}
	for range posted {
		<-done
	}
}

func (r *loadRun) outlook() int {
	var n atomic.Int64
	r.each(func(l *loadLoop) { n.Add(int64(l.outlook())) })
	return int(n.Load())
}

// waitedSoFar returns how long the loops have waited for a processor.
func (r *loadRun) waitedSoFar() time.Duration {
	var sum atomic.Int64
	r.each(func(*loadLoop) { sum.Add(int64(threadWait())) })
	return time.Duration(sum.Load())
}

// collect takes over what the loops have counted.
func (r *loadRun) collect() {
	full := make([]*tally, len(r.loops))
	r.each(func(l *loadLoop) {
		full[l.number] = l.tally
		l.tally = r.spare[l.number]
	})
	for i, t := range full {
		if t == nil {
			continue // the loop has ended
		}
		r.second.add(t)
		r.spare[i] = t
	}
}

// check tells what a request of these options lacks.
func (o *loadOptions) check() error {
	request := o.request
	request.Host = o.to.host
	_, err := handshake.AppendRequest(nil, &request, [16]byte{})
	switch {
	case err != nil:
		return err
	case o.conns < 1 || o.conns > maxClients:
		return fmt.Errorf("-conns %d: it must be from 1 to %d", o.conns, maxClients)
	case o.loops < 0 || o.loops > 1024:
		return fmt.Errorf("-loops %d: it must be from 0, for one on each processor, to 1024", o.loops)
	case o.outstanding < 0 || o.outstanding > 1<<16:
		return fmt.Errorf("-outstanding %d: it must be from 0 to 65536", o.outstanding)
	case !(o.rate >= 0 && o.rate <= 1e9):
		return fmt.Errorf("-rate %v: it must be from 0, for none, to 1e9", o.rate)
	case o.duration <= 0:
		return fmt.Errorf("-duration %v: it must be more than 0", o.duration)
	case o.timeout <= 0:
		return fmt.Errorf("-timeout %v: it must be more than 0", o.timeout)
	case o.ramp < 0:
		return fmt.Errorf("-ramp %v: it must be 0 or more", o.ramp)
	case o.warmup < 0:
		return fmt.Errorf("-warmup %v: it must be 0 or more", o.warmup)
	}
	return nil
}

// checkMemory tells whether what is kept of messages under way is too much.
func (o *loadOptions) checkMemory() error {
	if int64(o.conns)*int64(windowOf(o.outstanding)) > mostTimes {
		return fmt.Errorf("-conns %d and -outstanding %d: their product takes too much memory", o.conns, o.outstanding)
	}
	return nil
}
