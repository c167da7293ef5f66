package handshake

import "testing"

// The head as it comes from each client, in one piece: parse, check the origin, choose the subprotocol, answer.
func BenchmarkRequest(b *testing.B) {
	for _, name := range []string{"chromium", "firefox", "python-websockets", "node-ws", "minimal"} {
		head := realHeads[name]
		if name == "minimal" {
			head = []byte(minimal)
		}
		b.Run("head="+name, func(b *testing.B) { benchmarkHead(b, head, len(head)) })
		b.Run("head="+name+"/step=64", func(b *testing.B) { benchmarkHead(b, head, 64) })
	}
}

func benchmarkHead(b *testing.B, head []byte, step int) {
	var r Reader
	var policy Origins
	accept := &Accept{}
	supported := []string{"superchat", "chat"}
	buf := make([]byte, 0, 512)
	b.SetBytes(int64(len(head)))
	b.ReportAllocs()
	for b.Loop() {
		r.Reset(Limits{})
		for at := min(step, len(head)); ; at = min(at+step, len(head)) {
			req, n, err := r.Next(head[:at])
			if err != nil {
				b.Fatal(err)
			}
			if n == 0 {
				continue
			}
			if err := policy.Check(&req); err != nil {
				b.Fatal(err)
			}
			accept.Subprotocol = req.SelectSubprotocol(supported)
			if _, err := AppendAccept(buf, &req, accept); err != nil {
				b.Fatal(err)
			}
			break
		}
	}
}

// A head of 7 KiB, octet by octet: what the slowest client costs.
func BenchmarkSlowHead(b *testing.B) {
	for _, step := range []struct {
		name   string
		octets int
	}{{"step=1", 1}, {"step=whole", len(slow)}} {
		b.Run(step.name, func(b *testing.B) { benchmarkHead(b, []byte(slow), step.octets) })
	}
}

func BenchmarkRefusal(b *testing.B) {
	head := []byte(get + host + "Connection: keep-alive\r\n" + end)
	buf := make([]byte, 0, 512)
	var r Reader
	b.SetBytes(int64(len(head)))
	b.ReportAllocs()
	for b.Loop() {
		r.Reset(Limits{})
		_, _, err := r.Next(head)
		AppendRefusal(buf, err.(*Refusal))
	}
}

// The client's side: write the request; read the answer, in one piece and in several.
func BenchmarkAppendRequest(b *testing.B) {
	minimal := &ClientRequest{Host: "server.example.com"}
	full := &ClientRequest{Host: "server.example.com:8080", Target: "/chat?room=1", Origin: "https://app.example", Subprotocols: []string{"chat", "superchat"},
		Header: []Field{{"Authorization", "Bearer 0123456789abcdef0123456789abcdef"}, {"User-Agent", "client/1.0"}}}
	buf := make([]byte, 0, 1024)
	for _, c := range []struct {
		name string
		req  *ClientRequest
	}{{"req=minimal", minimal}, {"req=full", full}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := AppendRequest(buf, c.req, nonce); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkResponse(b *testing.B) {
	for _, c := range []struct {
		name, head string
		step       int
	}{
		{"head=minimal", opened, len(opened)},
		{"head=minimal/step=64", opened, 64},
		{"head=slow/step=1", slowAnswer, 1},
		{"head=slow/step=whole", slowAnswer, len(slowAnswer)},
	} {
		b.Run(c.name, func(b *testing.B) {
			var r ResponseReader
			head := []byte(c.head)
			b.SetBytes(int64(len(head)))
			b.ReportAllocs()
			for b.Loop() {
				r.Reset(asked, nonce, Limits{})
				for at := min(c.step, len(head)); ; at = min(at+c.step, len(head)) {
					_, n, err := r.Next(head[:at])
					if err != nil {
						b.Fatal(err)
					}
					if n > 0 {
						break
					}
				}
			}
		})
	}
}
