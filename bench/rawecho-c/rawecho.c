/*
 * rawecho, the loop of bench/rawecho in C: it sends back the octets it gets, over
 * epoll and nothing else. It is the limit of this interface to the kernel, without
 * Go's runtime; bench's BenchmarkEcho measures it as server=rawc.
 *
 *     cc -O2 -o rawecho-c bench/rawecho-c/rawecho.c
 *
 * The same calls as rawecho and the reactor make: level-triggered epoll, 256 events a
 * turn, accept4, recvfrom of 64 KiB, sendto without SIGPIPE, TCP_NODELAY. One thread,
 * so -loops takes 1 only. Only while its socket refuses octets does a connection hold
 * memory, what one read brought at most, because it is not read meanwhile.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	READ_SIZE = 64 << 10, /* as the reactor's */
	EVENTS_PER_TURN = 256,
	ACCEPTS_PER_TURN = 64,
	BACKOFF_MS = 100, /* of a listener, after a failed accept */
};

/* rest is what a connection's socket refused, by descriptor. */
struct rest {
	char *octets; /* NULL: nothing waits */
	size_t n;
};

static struct rest *rests;
static size_t limit; /* of descriptors, and of rests */
static int kernel;
static char buf[READ_SIZE];
static volatile sig_atomic_t stop;

static void fail(const char *what)
{
	fprintf(stderr, "rawecho-c: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static int control(int op, int fd, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.fd = fd};
	return epoll_ctl(kernel, op, fd, &ev);
}

static void drop(int fd)
{
	free(rests[fd].octets);
	rests[fd].octets = NULL;
	close(fd);
}

/* send_some sends in one call. It returns how many octets were taken, or -1 once it
 * has closed a socket that takes nothing more. */
static ssize_t send_some(int fd, const char *b, size_t n)
{
	ssize_t sent = send(fd, b, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent >= 0)
		return sent;
	switch (errno) {
	case EAGAIN:
	case EINTR:
	case ENOBUFS:
	case ENOMEM:
		return 0;
	}
	drop(fd);
	return -1;
}

/* drain sends what waits, and reads again once all of it is gone. */
static void drain(int fd)
{
	struct rest *r = &rests[fd];
	ssize_t sent = send_some(fd, r->octets, r->n);
	if (sent < 0)
		return;
	r->n -= sent;
	if (r->n > 0) {
		memmove(r->octets, r->octets + sent, r->n);
		return;
	}
	free(r->octets);
	r->octets = NULL;
	control(EPOLL_CTL_MOD, fd, EPOLLIN);
}

/* echo sends back what one read brings. What the socket refuses waits. */
static void echo(int fd)
{
	ssize_t n, sent;
	if (rests[fd].octets != NULL) {
		drain(fd); /* a hang-up with octets to send: sending tells */
		return;
	}
	n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(fd);
		return;
	}
	sent = send_some(fd, buf, n);
	if (sent < 0 || sent == n)
		return;
	rests[fd].n = n - sent;
	rests[fd].octets = malloc(n - sent);
	if (rests[fd].octets == NULL)
		fail("malloc");
	memcpy(rests[fd].octets, buf + sent, n - sent);
	control(EPOLL_CTL_MOD, fd, EPOLLOUT);
}

/* accept_some takes a bounded number of connections. It returns 0 if there are no
 * descriptors left: the listener is to be left alone for a while. */
static int accept_some(int listener)
{
	int i, fd;
	for (i = 0; i < ACCEPTS_PER_TURN; i++) {
		fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			switch (errno) {
			case EAGAIN:
				return 1;
			case EINTR:
			case ECONNABORTED:
			case EPROTO:
			case EPERM:
				continue;
			}
			control(EPOLL_CTL_MOD, listener, 0);
			return 0;
		}
		if ((size_t)fd >= limit || control(EPOLL_CTL_ADD, fd, EPOLLIN) != 0)
			close(fd);
	}
	return 1;
}

/* listen_on returns a listener on addr, "HOST:PORT" with an IPv4 address, and prints
 * where it is. */
static int listen_on(const char *addr)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof at;
	char host[64], *colon;
	int fd, on = 1;

	if (strlen(addr) >= sizeof host || strchr(addr, ':') == NULL) {
		fprintf(stderr, "rawecho-c: -addr %s: not HOST:PORT\n", addr);
		exit(2);
	}
	strcpy(host, addr);
	colon = strchr(host, ':');
	*colon = 0;
	at.sin_port = htons(atoi(colon + 1));
	if (inet_pton(AF_INET, host, &at.sin_addr) != 1) {
		fprintf(stderr, "rawecho-c: -addr %s: not an IPv4 address\n", addr);
		exit(2);
	}
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fail("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* accepted sockets inherit it */
	if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 65535) != 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) != 0)
		fail(addr);
	inet_ntop(AF_INET, &at.sin_addr, host, sizeof host);
	printf("listening on tcp://%s:%d\n", host, ntohs(at.sin_port));
	fflush(stdout);
	return fd;
}

/* serve echoes until a signal ends it. The sockets end with the process. */
static void serve(int listener)
{
	static struct epoll_event events[EVENTS_PER_TURN];
	int i, n, patience = -1;
	while (!stop) {
		n = epoll_wait(kernel, events, EVENTS_PER_TURN, patience);
		if (n < 0 && errno != EINTR)
			fail("epoll_wait");
		if (patience > 0) {
			patience = -1; /* early, if there is traffic: then it fails again */
			control(EPOLL_CTL_MOD, listener, EPOLLIN);
		}
		for (i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			if (fd == listener) {
				if (!accept_some(listener))
					patience = BACKOFF_MS;
			} else if (events[i].events & EPOLLOUT) {
				drain(fd);
			} else { /* readable, or at its end, which reading tells */
				echo(fd);
			}
		}
	}
}

int main(int argc, char **argv)
{
	const char *addr = "127.0.0.1:9002";
	struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: epoll_wait returns */
	struct rlimit files;
	int i, listener;

	for (i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "-addr") == 0)
			addr = argv[i + 1];
		else if (strcmp(argv[i], "-loops") != 0 || strcmp(argv[i + 1], "1") != 0)
			break;
	}
	if (i < argc) {
		fprintf(stderr, "usage: rawecho-c [-addr HOST:PORT] [-loops 1]\n");
		return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		fail("getrlimit");
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files); /* the soft limit serves too */
	getrlimit(RLIMIT_NOFILE, &files);
	limit = files.rlim_cur < 1 << 20 ? files.rlim_cur : 1 << 20;
	rests = calloc(limit, sizeof *rests);
	kernel = epoll_create1(EPOLL_CLOEXEC);
	if (rests == NULL || kernel < 0)
		fail("start");
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	listener = listen_on(addr);
	if (control(EPOLL_CTL_ADD, listener, EPOLLIN) != 0)
		fail("epoll_ctl");
	serve(listener);
	return 0;
}
