package main

import (
	"errors"
	"fmt"
	"net"
	neturl "net/url"
	"strconv"
	"strings"
)

// A target is where connections go.
type target struct {
	url           string // as given
	network, addr string // for Reactor.Dial
	host, path    string // for the request
}

const tlsRemedy = "hybi has no TLS: give the ws: URL of the server behind its TLS terminator, or of a local tunnel that adds TLS, such as `socat TCP-LISTEN:9001,fork,reuseaddr OPENSSL:HOST:443`"

// parseTarget reads a ws URI (RFC 6455 §3), or unix:PATH as `hybi echo` has it: also as
// ws+unix:PATH, and with :/TARGET behind it.
func parseTarget(text string) (target, error) {
	scheme, rest, _ := strings.Cut(text, ":")
	switch scheme = strings.ToLower(scheme); scheme {
	case "ws":
		return parseWS(text)
	case "unix", "ws+unix":
		return parseUnix(text, strings.TrimPrefix(rest, "//"))
	case "wss", "https", "wss+unix":
		return target{}, fmt.Errorf("%s: %s", text, tlsRemedy)
	}
	return target{}, fmt.Errorf("%q is not a URL of a WebSocket: write ws://HOST:PORT/PATH or unix:PATH", text)
}

func parseWS(text string) (target, error) {
	u, err := neturl.Parse(text)
	switch {
	case err != nil:
		return target{}, err
	case u.Opaque != "" || u.Hostname() == "":
		return target{}, fmt.Errorf("%q has no host: write ws://HOST:PORT/PATH", text)
	case u.User != nil:
		return target{}, errors.New("a user in the URL: send it with -header 'Authorization: Basic ...'")
	case u.Fragment != "" || strings.HasSuffix(text, "#"):
		return target{}, fmt.Errorf("%q has a fragment, which a ws URI has not (RFC 6455 §3): write # as %%23", text)
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	if n, err := strconv.ParseUint(port, 10, 64); err != nil || n < 1 || n > 65535 {
		return target{}, fmt.Errorf("%s: port %s: it must be from 1 to 65535", text, port)
	}
	host := strings.TrimSuffix(u.Host, ":")
	if port == "80" {
		host = strings.TrimSuffix(host, ":80")
	}
	return target{url: text, network: "tcp", addr: net.JoinHostPort(u.Hostname(), port), host: host, path: u.RequestURI()}, nil
}

func parseUnix(text, path string) (target, error) {
	path, behind, _ := strings.Cut(path, ":/")
	if path == "" {
		return target{}, fmt.Errorf("%q has no path: write unix:PATH", text)
	}
	return target{url: text, network: "unix", addr: path, host: "localhost", path: "/" + behind}, nil
}

// String is the URL, and the port if that is not in it.
func (t *target) String() string {
	if u, err := neturl.Parse(t.url); err == nil && t.network == "tcp" && u.Port() == "" {
		return t.url + " (port 80)"
	}
	return t.url
}

// resolve looks up the host, once for all connections.
func (t *target) resolve() error {
	if t.network != "tcp" {
		return nil
	}
	at, err := net.ResolveTCPAddr(t.network, t.addr)
	if err == nil {
		t.addr = at.String()
	}
	return err
}
