//go:build linux

package main

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hybi-go/hybi/codec"
)

// Each server says where it listens, echoes what it gets with its opcode, answers ping
// and close, and ends on SIGTERM with status 0.
func TestEcho(t *testing.T) {
	program := filepath.Join(t.TempDir(), "echo")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name := range servers {
		t.Run("server="+name, func(t *testing.T) {
			conn, r := connect(t, start(t, program, name))
			for _, c := range []struct {
				what       string
				send, want []byte
			}{
				{"text", masked(codec.OpText, "héllo"), reply(codec.OpText, "héllo")},
				{"binary", masked(codec.OpBinary, "\x00\xff\x80"), reply(codec.OpBinary, "\x00\xff\x80")},
				{"empty", masked(codec.OpText, ""), reply(codec.OpText, "")},
				{"126", masked(codec.OpBinary, strings.Repeat("x", 126)), reply(codec.OpBinary, strings.Repeat("x", 126))},
				{"64 KiB", masked(codec.OpBinary, strings.Repeat("abc", 65536/3)+"d"), reply(codec.OpBinary, strings.Repeat("abc", 65536/3)+"d")},
				{"fragments", bytes.Join([][]byte{
					fragment(codec.OpText, false, "one "), fragment(codec.OpContinuation, false, ""),
					fragment(codec.OpContinuation, false, "two "), fragment(codec.OpContinuation, true, "three"),
				}, nil), reply(codec.OpText, "one two three")},
				{"several", bytes.Repeat(masked(codec.OpBinary, "16 at once"), 16), bytes.Repeat(reply(codec.OpBinary, "16 at once"), 16)},
				{"ping", masked(codec.OpPing, "p"), reply(codec.OpPong, "p")},
				{"close", masked(codec.OpClose, "\x03\xe8"), reply(codec.OpClose, "\x03\xe8")},
			} {
				if c.what == "empty" && name == "nbio" {
					c.want = nil // v1.6.8 loses an empty message: its Conn.Parse takes it for none
				}
				half := len(c.send) / 2 // in two segments, so that a frame may come cut
				conn.Write(c.send[:half])
				time.Sleep(10 * time.Millisecond)
				conn.Write(c.send[half:])
				got := make([]byte, len(c.want))
				if n, err := io.ReadFull(r, got); err != nil {
					t.Fatalf("%s: %v after %d octets, %.40x", c.what, err, n, got[:n])
				}
				if !bytes.Equal(got, c.want) {
					t.Fatalf("%s: got %.40x, not %.40x", c.what, got, c.want)
				}
			}
			if n, err := r.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("behind the close frame %d octets, %v: not the end", n, err)
			}
		})
	}
}

func fragment(op codec.Opcode, fin bool, payload string) []byte {
	h := codec.Header{FIN: fin, Opcode: op, Masked: true, MaskingKey: [4]byte{1, 2, 3, 4}}
	return codec.AppendFrame(nil, h, []byte(payload))
}

func masked(op codec.Opcode, payload string) []byte { return fragment(op, true, payload) }

func reply(op codec.Opcode, payload string) []byte {
	return codec.AppendServerFrame(nil, op, []byte(payload))
}

// start starts the program and returns where it listens. At the end of the test it
// ends it by SIGTERM.
func start(t *testing.T, program, name string) (addr string) {
	t.Helper()
	cmd := exec.Command(program, "-server", name, "-addr", "127.0.0.1:0", "-loops", "1")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	t.Cleanup(func() {
		patience := time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() })
		defer patience.Stop()
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("on SIGTERM: %v", err)
		}
	})
	addr, found := strings.CutPrefix(strings.TrimSpace(line), "listening on ws://")
	if !found {
		t.Fatalf("said %q instead of where it listens", line)
	}
	return addr
}

// connect does the opening handshake of RFC 6455 section 1.3.
func connect(t *testing.T, addr string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if accept := resp.Header.Get("Sec-WebSocket-Accept"); resp.StatusCode != 101 || accept != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("status %d, accept %q", resp.StatusCode, accept)
	}
	return conn, r
}
