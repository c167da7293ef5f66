//go:build linux && !race

package poll

import "testing"

// Nothing on the hot path is boxed.
func TestNoAllocation(t *testing.T) {
	k := newKernel(t)
	a, b := pair(t)
	l := listen(t, "tcp", "127.0.0.1:0", 1, false)
	events, buf := make([]Event, 4), make([]byte, 100)
	k.Watch(b, 1, Readable)
	if n := testing.AllocsPerRun(100, func() {
		k.Send(a, buf)
		k.Wait(events, -1)
		k.Recv(b, buf)
		k.Recv(b, buf)
		k.Accept(l.FDs[0])
		k.Rewatch(b, 1, Readable)
		k.Wake()
		k.Wait(events, 0)
		k.Now()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
