/* Load between two network namespaces with client and server on one CPU: says how much work was done in how much CPU time.
 * load SERVER_NETNS CLIENT_NETNS ADDRESS PORT bulk|crr|rr|datagrams|answered MILLISECONDS CPU
 * prints: WORK CPU_NANOSECONDS WALL_NANOSECONDS     (work: bytes, connections, round trips, packets)
 * datagrams: one way only, so that connection tracking takes each for the first of its flow; answered: the first one was. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef long long ns_t;
enum { CHUNK = 64 * 1024, WINDOW = 128 * 1024, DATAGRAM = 32, BATCH = 16 };
static char buffer[CHUNK];

static void die(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(1);
}

static ns_t clock_ns(clockid_t clock) {
  struct timespec t;
  if (clock_gettime(clock, &t) < 0) die("clock");
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void enter(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || setns(fd, CLONE_NEWNET) < 0) die(path);
  close(fd);
}

/* bbr, the default here, would pace without a fq qdisc and measure its timers. */
static int tcp_socket(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1, window = WINDOW;
  if (fd < 0) die("socket");
  if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) < 0) die("cubic");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &window, sizeof window);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof window);
  return fd;
}

static void serve(int listener, int bulk) {
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) continue;
    if (bulk)
      while (read(fd, buffer, CHUNK) > 0) {}
    else
      while (read(fd, buffer, 1) == 1)
        if (write(fd, buffer, 1) != 1) break;
    close(fd);
  }
}

/* The server's queue is full after a few and stays so: each packet goes the whole way and is dropped at its socket. */
static int udp_socket(void) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0), least = 1;
  if (fd < 0) die("socket");
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof least);
  return fd;
}

static void serve_datagrams(int fd, int answer) {
  struct sockaddr_in from;
  socklen_t length = sizeof from;
  if (answer) {
    if (recvfrom(fd, buffer, DATAGRAM, 0, (struct sockaddr *)&from, &length) < 0) die("receive");
    if (sendto(fd, buffer, DATAGRAM, 0, (struct sockaddr *)&from, length) < 0) die("answer");
  }
  for (;;) pause();
}

static int flow(struct sockaddr_in *to, int answer) {
  int fd = udp_socket();
  struct timeval patience = {2, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (connect(fd, (struct sockaddr *)to, sizeof *to) < 0) die("connect");
  if (send(fd, buffer, DATAGRAM, 0) < 0) die("send");
  if (answer && recv(fd, buffer, DATAGRAM, 0) < 0) die("answer");
  return fd;
}

static int connected(struct sockaddr_in *to) {
  int fd = tcp_socket();
  if (connect(fd, (struct sockaddr *)to, sizeof *to) < 0) die("connect");
  return fd;
}

static void round_trip(int fd) {
  if (write(fd, buffer, 1) != 1 || read(fd, buffer, 1) != 1) die("round trip");
}

int main(int argc, char **argv) {
  if (argc != 8) return 2;
  const char *kind = argv[5];
  int bulk = !strcmp(kind, "bulk"), crr = !strcmp(kind, "crr");
  int answer = !strcmp(kind, "answered"), datagrams = answer || !strcmp(kind, "datagrams");
  ns_t duration = atoll(argv[6]) * 1000000LL;
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(atoi(argv[7]), &cpus);
  if (sched_setaffinity(0, sizeof cpus, &cpus) < 0) die("affinity");

  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[4]))};
  if (inet_pton(AF_INET, argv[3], &to.sin_addr) != 1) die(argv[3]);
  int ready[2];
  if (pipe(ready) < 0) die("pipe");
  pid_t server = fork();
  if (server == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    enter(argv[1]);
    int listener = datagrams ? udp_socket() : tcp_socket();
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = to.sin_port};
    if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0) die("bind");
    if (!datagrams && listen(listener, 512) < 0) die("listen");
    if (write(ready[1], "", 1) != 1) die("pipe");
    if (datagrams) serve_datagrams(listener, answer);
    serve(listener, bulk);
  }
  close(ready[1]);
  if (read(ready[0], buffer, 1) != 1) return 1; /* the server has said why */
  enter(argv[2]);
  clockid_t server_clock;
  if (clock_getcpuclockid(server, &server_clock) != 0) die("server's clock");

  struct linger reset = {1, 0};
  long long work = 0;
  int fd = crr ? -1 : datagrams ? flow(&to, answer) : connected(&to);
  ns_t cpu = 0, wall = 0, warm = clock_ns(CLOCK_MONOTONIC) + duration / 8, end = 0;
  for (;;) {
    if (crr) {
      fd = connected(&to);
      round_trip(fd);
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
      close(fd);
      work++;
    } else if (bulk) {
      ssize_t n = write(fd, buffer, CHUNK);
      if (n <= 0) die("write");
      work += n;
    } else if (datagrams) {
      for (int i = 0; i < BATCH; i++)
        if (send(fd, buffer, DATAGRAM, 0) < 0) die("send");
      work += BATCH;
    } else {
      round_trip(fd);
      work++;
    }
    ns_t now = clock_ns(CLOCK_MONOTONIC);
    if (end == 0 && now >= warm) {
      work = 0, wall = now, end = now + duration;
      cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) + clock_ns(server_clock);
    } else if (end != 0 && now >= end) {
      cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) + clock_ns(server_clock) - cpu;
      printf("%lld %lld %lld\n", work, cpu, now - wall);
      break;
    }
  }
  kill(server, SIGKILL);
  waitpid(server, NULL, 0);
  return 0;
}
