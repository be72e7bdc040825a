/* Load between two network namespaces with client and server on one CPU: says how much work was done in how much CPU time.
 * load SERVER_NETNS CLIENT_NETNS ADDRESS PORT bulk|crr|rr MILLISECONDS CPU
 * prints: WORK CPU_NANOSECONDS WALL_NANOSECONDS     (work: bytes, connections, round trips) */
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
enum { CHUNK = 64 * 1024, WINDOW = 128 * 1024 };
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
    int listener = tcp_socket();
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = to.sin_port};
    if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 512) < 0) die("listen");
    if (write(ready[1], "", 1) != 1) die("pipe");
    serve(listener, bulk);
  }
  close(ready[1]);
  if (read(ready[0], buffer, 1) != 1) return 1; /* the server has said why */
  enter(argv[2]);
  clockid_t server_clock;
  if (clock_getcpuclockid(server, &server_clock) != 0) die("server's clock");

  struct linger reset = {1, 0};
  long long work = 0;
  int fd = crr ? -1 : connected(&to);
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
