package handshake_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/hybi-go/hybi/handshake"
)

// A server takes the head in two pieces, checks the origin, chooses a subprotocol, sets a cookie and switches protocols.
func Example() {
	origins, err := handshake.AllowOrigins("https://app.example")
	if err != nil {
		fmt.Println(err)
		return
	}
	pieces := []string{"GET /chat HTTP/1.1\r\nHost: ws.example\r\nUpg", "rade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nOrigin: https://app.example\r\n" +
		"Sec-WebSocket-Protocol: chat.v2, chat.v1\r\n\r\n\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"}

	var r handshake.Reader // with the default limits
	var in, out []byte
	for _, piece := range pieces {
		in = append(in, piece...)
		req, n, err := r.Next(in)
		if err == nil && n > 0 {
			err = origins.Check(&req)
		}
		var refusal *handshake.Refusal
		switch {
		case errors.As(err, &refusal):
			out = handshake.AppendRefusal(out, refusal) // send it, then close
		case n > 0:
			out, err = handshake.AppendAccept(out, &req, &handshake.Accept{
				Subprotocol: req.SelectSubprotocol([]string{"chat.v1", "chat.v2"}),
				Header:      []handshake.Field{{Name: "Set-Cookie", Value: "seen=1"}},
			})
			fmt.Println(err, "and", len(in)-n, "octets of frames")
		}
	}
	os.Stdout.WriteString(strings.ReplaceAll(string(out), "\r\n", "\n"))
	// Output:
	// <nil> and 11 octets of frames
	// HTTP/1.1 101 Switching Protocols
	// Upgrade: websocket
	// Connection: Upgrade
	// Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
	// Sec-WebSocket-Protocol: chat.v2
	// Set-Cookie: seen=1
}

// A load balancer asks for /health without an upgrade: the refusal's kind tells, and the request is there to look at.
func ExampleReader_Next_plainRequest() {
	var r handshake.Reader
	req, n, err := r.Next([]byte("GET /health HTTP/1.1\r\nHost: ws.example\r\n\r\n"))
	var refusal *handshake.Refusal
	if errors.As(err, &refusal) && refusal.Kind == handshake.KindPlainRequest {
		fmt.Printf("plain %s %s, %d octets; without an answer of its own it gets %d\n", req.Method(), req.Path(), n, refusal.Status)
	}
	// Output: plain GET /health, 42 octets; without an answer of its own it gets 426
}

// An embedder sends clients of the old path elsewhere. The location may come from the client: a line break in it would
// turn the answer into ErrInternal, and reach nobody.
func ExampleRefuse() {
	elsewhere := handshake.Refuse(308, "The service has moved.", handshake.Field{Name: "Location", Value: "https://ws.example/v2"})
	os.Stdout.WriteString(strings.ReplaceAll(string(handshake.AppendRefusal(nil, elsewhere)), "\r\n", "\n"))
	// Output:
	// HTTP/1.1 308 Permanent Redirect
	// Connection: close
	// Content-Type: text/plain; charset=utf-8
	// Location: https://ws.example/v2
	// Content-Length: 23
	//
	// The service has moved.
}

// Only the pages of two sites may connect; programs, which send no Origin, pass.
func ExampleAllowOrigins() {
	origins, err := handshake.AllowOrigins("https://app.example", "http://localhost:3000")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, line := range []string{"", "Origin: https://app.example\r\n", "Origin: https://app.example.evil\r\n", "Origin: null\r\n"} {
		var r handshake.Reader
		req, _, _ := r.Next([]byte("GET / HTTP/1.1\r\nHost: ws.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" + line + "\r\n"))
		fmt.Printf("%q %v\n", req.Origin(), origins.Check(&req) == nil)
	}
	_, err = handshake.AllowOrigins("https://*.example")
	fmt.Println(err)
	// Output:
	// "" true
	// "https://app.example" true
	// "https://app.example.evil" false
	// "null" false
	// handshake: origin "https://*.example": there are no wildcards; list each origin, or use AnyOrigin
}

// A client writes its request with a fresh key, takes the head of the answer in two pieces, and goes on with the frames
// behind it. The server here is one of this package's own.
func ExampleResponseReader() {
	var key [16]byte
	rand.Read(key[:]) // never fails
	ask := &handshake.ClientRequest{Host: "ws.example", Target: "/chat", Subprotocols: []string{"chat.v2", "chat.v1"}}
	out, err := handshake.AppendRequest(nil, ask, key)
	if err != nil {
		fmt.Println(err) // a mistake of our own
		return
	}
	answer := serve(out)

	var r handshake.ResponseReader
	r.Reset(ask, key, handshake.Limits{})
	for _, in := range [][]byte{answer[:50], answer} { // all received so far, each time
		res, n, err := r.Next(in)
		switch {
		case err != nil:
			fmt.Println(err) // close the connection
		case n == 0:
			fmt.Println("more")
		default:
			fmt.Printf("open with %s, %d octets of frames\n", res.Subprotocol(), len(in)-n)
		}
	}
	// Output:
	// more
	// open with chat.v1, 7 octets of frames
}

func serve(request []byte) []byte {
	var r handshake.Reader
	req, _, err := r.Next(request)
	if err != nil {
		return nil
	}
	answer, _ := handshake.AppendAccept(nil, &req, &handshake.Accept{Subprotocol: req.SelectSubprotocol([]string{"chat.v1"})})
	return append(answer, "\x81\x05Hello"...)
}

// A server that has moved: the error has the status, the view the new place.
func ExampleResponseReader_Next_redirect() {
	var r handshake.ResponseReader
	r.Reset(&handshake.ClientRequest{Host: "ws.example"}, [16]byte{}, handshake.Limits{})
	res, _, err := r.Next([]byte("HTTP/1.1 308 Permanent Redirect\r\nLocation: https://ws.example/v2\r\nContent-Length: 0\r\n\r\n"))
	var fault *handshake.ResponseError
	if errors.As(err, &fault) && fault.Kind == handshake.ResponseStatus && fault.Status/100 == 3 {
		fmt.Printf("%d: ask %s\n", fault.Status, res.Header("Location"))
	}
	// Output: 308: ask https://ws.example/v2
}
