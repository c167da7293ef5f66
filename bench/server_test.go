//go:build linux

package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A server is one of the programs, as a process with one event loop.
type server struct {
	kind   string // a key of programs
	addr   netip.AddrPort
	cmd    *exec.Cmd
	stderr bytes.Buffer
	ended  chan struct{}
}

const (
	startTime = 10 * time.Second
	endTime   = 10 * time.Second // hybi itself gives connections 5 s
)

// A program is what a kind of server is run by.
type program struct {
	file  string   // in the directory of programs
	dir   string   // where it is built, seen from the repository
	build []string // the command that puts it there; DIR stands for the directory
	args  []string
}

var (
	rawGo = program{"rawecho", ".", []string{"go", "build", "-o", "DIR/", "./bench/rawecho"}, nil}
	rawC  = program{"rawecho-c", ".", []string{"cc", "-O2", "-o", "DIR/rawecho-c", "bench/rawecho-c/rawecho.c"}, nil}
	hybi  = program{"hybi", ".", []string{"go", "build", "-o", "DIR/", "./cmd/hybi"}, []string{"echo"}}
)

// peer is a server by another library.
func peer(name string) program {
	return program{"echo", "bench/peers", []string{"go", "build", "-o", "DIR/", "./echo"}, []string{"-server", name}}
}

// programs are the kinds of server. The kinds that begin with raw know no WebSocket.
var programs = map[string]program{
	"raw": rawGo, "rawc": rawC, "hybi": hybi,
	"gnet": peer("gnet"), "nbio": peer("nbio"), "gobwas": peer("gobwas"), "gws": peer("gws"),
	"gorilla": peer("gorilla"), "fasthttp": peer("fasthttp"), "coder": peer("coder"),
}

var (
	shared  = map[string]*server{} // servers that benchmarks use in turn
	starter = make(chan func())    // what has to run on the thread that starts servers
	tempDir string
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run leaves no process and no file behind. The thread that starts servers lives
// as long as this process, so that they, which the kernel kills when it ends,
// outlive no panic and no timeout either; and it has the processor that they
// inherit.
func run(m *testing.M) int {
	generator, servers := processors()
	pinAll(generator)
	go func() {
		runtime.LockOSThread()
		unix.SchedSetaffinity(0, &servers)
		for f := range starter {
			f()
		}
	}()
	var err error
	if tempDir, err = os.MkdirTemp("", "hybi-bench-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(tempDir)
	code := m.Run()
	for _, s := range shared {
		if err := s.end(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	return code
}

// processors returns the first and the last of those this process may use, which
// are the same if there is but one.
func processors() (first, last unix.CPUSet) {
	var all unix.CPUSet
	if unix.SchedGetaffinity(0, &all) != nil || all.Count() < 2 {
		return all, all
	}
	for i, seen := 0, 0; seen < all.Count(); i++ {
		if !all.IsSet(i) {
			continue
		}
		if seen++; seen == 1 {
			first.Set(i)
		}
		last.Zero()
		last.Set(i)
	}
	return first, last
}

// pinAll pins all threads of this process; those to come inherit it. That is for
// steadier figures only, so that a failure is of no consequence.
func pinAll(set unix.CPUSet) {
	tasks, _ := os.ReadDir("/proc/self/task")
	for _, t := range tasks {
		if tid, err := strconv.Atoi(t.Name()); err == nil && set.Count() > 0 {
			unix.SchedSetaffinity(tid, &set)
		}
	}
}

// built are the programs that have been built in this run, with what came of it.
var built = map[string]error{}

// path returns where the program is. It is built, once, unless HYBI_BENCH_BIN names a
// directory that has it: the one for a second commit, or for samples to come.
func (p program) path() (string, error) {
	if dir := os.Getenv("HYBI_BENCH_BIN"); dir != "" {
		return filepath.Join(dir, p.file), nil
	}
	err, done := built[p.file]
	if !done {
		args := strings.Split(strings.ReplaceAll(strings.Join(p.build, "\n"), "DIR", tempDir), "\n")
		build := exec.Command(args[0], args[1:]...)
		build.Dir = filepath.Join("..", p.dir)
		if out, failed := build.CombinedOutput(); failed != nil {
			err = fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), failed, out)
		}
		built[p.file] = err
	}
	return filepath.Join(tempDir, p.file), err
}

// start starts a server and waits until it listens.
func start(kind string) (*server, error) {
	p, known := programs[kind]
	if !known {
		return nil, fmt.Errorf("there is no server %q", kind)
	}
	path, err := p.path()
	if err != nil {
		return nil, err
	}
	s := &server{kind: kind, ended: make(chan struct{})}
	args := append(p.args[:len(p.args):len(p.args)], "-addr", "127.0.0.1:0", "-loops", "1")
	s.cmd = exec.Command(path, args...)
	s.cmd.Stderr = &s.stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	done := make(chan error)
	starter <- func() { done <- s.cmd.Start() }
	if err := <-done; err != nil {
		return nil, err
	}
	line := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(stdout).ReadString('\n')
		line <- text
		s.cmd.Wait()
		close(s.ended)
	}()
	select {
	case text := <-line:
		_, at, _ := strings.Cut(strings.TrimSpace(text), "://")
		if s.addr, err = netip.ParseAddrPort(at); err == nil {
			return s, nil
		}
		err = fmt.Errorf("server %s: said %q instead of where it listens", kind, text)
	case <-time.After(startTime):
		err = fmt.Errorf("server %s: does not listen after %v", kind, startTime)
	}
	s.cmd.Process.Kill()
	<-s.ended
	return nil, fmt.Errorf("%w\n%s", err, &s.stderr)
}

// use returns the server that benchmarks share.
func use(tb testing.TB, kind string) *server {
	s := shared[kind]
	if s == nil {
		var err error
		if s, err = start(kind); err != nil {
			tb.Fatal(err)
		}
		shared[kind] = s
	}
	return s
}

// end ends the server as an operator would, or by force if that does not do.
func (s *server) end() error {
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
		if state := s.cmd.ProcessState; !state.Success() {
			return fmt.Errorf("server %s: %v\n%s", s.kind, state, &s.stderr)
		}
		return nil
	case <-time.After(endTime):
		s.cmd.Process.Kill()
		<-s.ended
		return fmt.Errorf("server %s: had to be killed %v after SIGTERM", s.kind, endTime)
	}
}

// A usage is what a server has used so far.
type usage struct {
	cpu       time.Duration // exact
	user, sys int64         // the kernel's ticks
	sleeps    int64
}

func (u usage) since(v usage) usage {
	return usage{u.cpu - v.cpu, u.user - v.user, u.sys - v.sys, u.sleeps - v.sleeps}
}

// usage asks the kernel.
func (s *server) usage() (u usage, err error) {
	pid := s.cmd.Process.Pid
	// The clock of another process: include/linux/posix-timers.h, CPUCLOCK_SCHED.
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|2, &t); err != nil {
		return u, os.NewSyscallError("clock_gettime", err)
	}
	u.cpu = time.Duration(t.Nano())
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	// Behind the name, which may hold anything, utime and stime are fields 12 and
	// 13 (proc_pid_stat(5): 14 and 15 of all).
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return u, fmt.Errorf("/proc/PID/stat has %d fields", len(fields))
	}
	u.user, _ = strconv.ParseInt(fields[11], 10, 64)
	u.sys, _ = strconv.ParseInt(fields[12], 10, 64)
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, task := range tasks {
		n, _ := s.status("task/"+task.Name()+"/status", "voluntary_ctxt_switches")
		u.sleeps += n
	}
	return u, err
}

// resident returns the server's resident memory in octets.
func (s *server) resident() (int64, error) {
	kib, err := s.status("status", "VmRSS")
	return kib << 10, err
}

// status returns a number from one of the kernel's tables of the process.
func (s *server) status(file, name string) (int64, error) {
	table, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", s.cmd.Process.Pid, file))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(table)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			return strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		}
	}
	return 0, fmt.Errorf("%s: no %s", file, name)
}
