package peers

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"

	coder "github.com/coder/websocket"
	fasthttp "github.com/fasthttp/websocket"
	"github.com/gobwas/ws"
	gorilla "github.com/gorilla/websocket"
	"github.com/hybi-go/hybi/codec"
	nbio "github.com/lesismal/nbio/nbhttp/websocket"
	"github.com/lxzan/gws"
	xnet "golang.org/x/net/websocket"
)

var encodeSizes = []int{16, 125, 1024, 4096}

// An encodeImpl writes binary messages of one frame to a connection.
type encodeImpl struct {
	name string

	// start makes ready, outside of what is measured, to write payload again and again
	// to a connection that throws away what it gets, or gives it to kept if that is not
	// nil. A client's frames are masked with a new key each, from where the library
	// takes it.
	start func(tb testing.TB, role codec.Role, payload []byte, kept io.Writer) (write func() error)
}

var encodeImpls = []encodeImpl{
	{"hybi", encodeHybi},
	{"gobwas", encodeGobwas},
	{"gorilla", encodeGorilla},
	{"fasthttp", encodeFasthttp},
	{"gws", encodeGws},
	{"nbio", encodeNbio},
	{"coder", encodeCoder},
	{"xnet", encodeXnet},
}

func encodeHybi(tb testing.TB, role codec.Role, payload []byte, kept io.Writer) func() error {
	conn := io.Writer(&pipe{kept: kept})
	var out []byte
	if role == codec.Server {
		return func() error {
			out = codec.AppendServerFrame(out[:0], codec.OpBinary, payload)
			_, err := conn.Write(out)
			return err
		}
	}
	keys := codec.NewKeys(rand.Reader)
	return func() error {
		key, err := keys.Next()
		if err != nil {
			return err
		}
		h := codec.Header{FIN: true, Opcode: codec.OpBinary, Masked: true, MaskingKey: key}
		out = codec.AppendFrame(out[:0], h, payload)
		_, err = conn.Write(out)
		return err
	}
}

func encodeGobwas(tb testing.TB, role codec.Role, payload []byte, kept io.Writer) func() error {
	conn := io.Writer(&pipe{kept: kept})
	var out bytes.Buffer
	scratch := make([]byte, ws.MaxHeaderSize)
	h := ws.Header{Fin: true, OpCode: ws.OpBinary, Length: int64(len(payload)), Masked: role == codec.Client}
	return func() error {
		out.Reset()
		if role == codec.Client {
			h.Mask = ws.NewMask()
		}
		if err := ws.WriteHeaderBuffer(&out, h, scratch); err != nil {
			return err
		}
		head := out.Len()
		out.Write(payload)
		if role == codec.Client {
			ws.Cipher(out.Bytes()[head:], h.Mask, 0)
		}
		_, err := conn.Write(out.Bytes())
		return err
	}
}

// dialed returns the connection that a client is given for its opening handshake.
func dialed() (*clientPipe, *url.URL) {
	return &clientPipe{}, &url.URL{Scheme: "ws", Host: "localhost", Path: "/"}
}

func encodeGorilla(tb testing.TB, role codec.Role, payload []byte, kept io.Writer) func() error {
	p, u := dialed()
	var c *gorilla.Conn
	var err error
	if role == codec.Server {
		rw, r := upgradeRequest(&p.pipe)
		c, err = (&gorilla.Upgrader{WriteBufferSize: writeBufferSize}).Upgrade(rw, r, nil)
	} else {
		d := gorilla.Dialer{NetDial: p.dial, WriteBufferSize: writeBufferSize}
		c, _, err = d.Dial(u.String(), nil)
	}
	must(tb, err)
	p.kept = kept
	return func() error { return c.WriteMessage(gorilla.BinaryMessage, payload) }
}

func encodeFasthttp(tb testing.TB, role codec.Role, payload []byte, kept io.Writer) func() error {
	p, u := dialed()
	var c *fasthttp.Conn
	var err error
	if role == codec.Server {
		rw, r := upgradeRequest(&p.pipe)
		c, err = (&fasthttp.Upgrader{WriteBufferSize: writeBufferSize}).Upgrade(rw, r, nil)
	} else {
		d := fasthttp.Dialer{NetDial: p.dial, WriteBufferSize: writeBufferSize}
		c, _, err = d.Dial(u.String(), nil)
	}
	must(tb, err)
	p.kept = kept
	return func() error { return c.WriteMessage(fasthttp.BinaryMessage, payload) }
}

func encodeGws(tb testing.TB, role codec.Role, payload []byte, kept io.Writer) func() error {
	p, u := dialed()
	var c *gws.Conn
	var err error
	if role == codec.Server {
		rw, r := upgradeRequest(&p.pipe)
		c, err = gws.NewUpgrader(&gws.BuiltinEventHandler{}, nil).Upgrade(rw, r)
	} else {
		c, _, err = gws.NewClientFromConn(&gws.BuiltinEventHandler{}, &gws.ClientOption{Addr: u.String()}, p)
	}
	must(tb, err)
	p.kept = kept
	return func() error { return c.WriteMessage(gws.OpcodeBinary, payload) }
}

func encodeNbio(tb testing.TB, role codec.Role, payload []byte, kept io.Writer) func() error {
	p := &pipe{kept: kept}
	c := nbio.NewServerConn(nbio.NewUpgrader(), p, "", false, false)
	if role == codec.Client {
		c = nbio.NewClientConn(nbio.NewOptions(), p, "", false, false)
	}
	return func() error { return c.WriteMessage(nbio.BinaryMessage, payload) }
}

// A roundTripper answers coder's opening handshake; the body is the connection.
type roundTripper struct{ body io.ReadCloser }

func (t roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusSwitchingProtocols,
		Header: http.Header{
			"Upgrade":              {"websocket"},
			"Connection":           {"Upgrade"},
			"Sec-Websocket-Accept": {accept(r.Header.Get("Sec-WebSocket-Key"))},
		},
		Body: t.body,
	}, nil
}

func encodeCoder(tb testing.TB, role codec.Role, payload []byte, kept io.Writer) func() error {
	p, u := dialed()
	var c *coder.Conn
	var err error
	ctx := context.Background()
	if role == codec.Server {
		rw, r := upgradeRequest(&p.pipe)
		c, err = coder.Accept(rw, r, &coder.AcceptOptions{CompressionMode: coder.CompressionDisabled})
	} else {
		c, _, err = coder.Dial(ctx, u.String(), &coder.DialOptions{
			HTTPClient:      &http.Client{Transport: roundTripper{&p.pipe}},
			CompressionMode: coder.CompressionDisabled,
		})
	}
	must(tb, err)
	p.kept = kept
	return func() error { return c.Write(ctx, coder.MessageBinary, payload) }
}

func encodeXnet(tb testing.TB, role codec.Role, payload []byte, kept io.Writer) func() error {
	p, u := dialed()
	var c *xnet.Conn
	if role == codec.Server {
		c = xnetConn(&p.pipe)
	} else {
		config, err := xnet.NewConfig(u.String(), "http://localhost/")
		must(tb, err)
		c, err = xnet.NewClient(config, p)
		must(tb, err)
	}
	c.PayloadType = xnet.BinaryFrame
	p.kept = kept
	return func() error {
		_, err := c.Write(payload)
		return err
	}
}

// BenchmarkEncode writes one message to a connection that throws it away. Compare
// with benchstat -col /impl.
func BenchmarkEncode(b *testing.B) {
	for _, role := range []codec.Role{codec.Server, codec.Client} {
		for _, size := range encodeSizes {
			payload := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
			for _, impl := range encodeImpls {
				b.Run(fmt.Sprintf("impl=%s/role=%v/size=%d", impl.name, role, size), func(b *testing.B) {
					write := impl.start(b, role, payload, nil)
					b.SetBytes(int64(size))
					b.ReportAllocs()
					b.ResetTimer()
					for range b.N {
						if err := write(); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}

// What is measured writes frames: hybi's parser, which coder's and gorilla's are
// held against in TestParse, reads the payload from each of them.
func TestEncode(t *testing.T) {
	const n = 3
	for _, role := range []codec.Role{codec.Server, codec.Client} {
		for _, size := range encodeSizes {
			payload := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
			for _, impl := range encodeImpls {
				t.Run(fmt.Sprintf("impl=%s/role=%v/size=%d", impl.name, role, size), func(t *testing.T) {
					var kept bytes.Buffer
					write := impl.start(t, role, payload, &kept)
					for range n {
						must(t, write())
					}
					messages := decode(t, role, kept.Bytes())
					if len(messages) != n {
						t.Fatalf("%d messages, not %d", len(messages), n)
					}
					for _, m := range messages {
						if !bytes.Equal(m, payload) {
							t.Fatalf("a message is %.40q, not %.40q", m, payload)
						}
					}
				})
			}
		}
	}
}

// decode returns the binary messages in what role wrote.
func decode(t *testing.T, role codec.Role, in []byte) (messages [][]byte) {
	t.Helper()
	var p codec.Parser
	if role == codec.Server {
		p.Reset(codec.Config{Role: codec.Client})
	}
	for len(in) > 0 {
		ev, n, err := p.Next(in)
		must(t, err)
		if ev.Opcode != codec.OpBinary || !ev.First || !ev.Last {
			t.Fatalf("not a whole binary message of one frame: %+v", ev)
		}
		messages = append(messages, ev.Payload)
		in = in[n:]
	}
	return messages
}
