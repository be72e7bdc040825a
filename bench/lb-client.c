/* A client of a UDP echo service that never waits: each datagram is a flow of its own, so that a router and a Service choose anew.
 * client ADDRESS PORT EVERY_US FOR_MS
 * prints a line for each datagram, in the order in which they were sent: SENT_US ANSWERED_US     (since the epoch; 0: never)
 * FOR_MS 0: until standard input ends. An answer later than a second is none. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef long long us_t;
enum { FLOWS = 2048 };
static const us_t patience = 1000000;
static struct { int fd; us_t sent, answered; } flows[FLOWS];
static unsigned head, tail;
static struct pollfd ears[FLOWS + 1];
static int which[FLOWS];

static void die(const char *what) {
  fprintf(stderr, "client: %s: %s\n", what, strerror(errno));
  exit(1);
}

static us_t now(void) {
  struct timespec t;
  if (clock_gettime(CLOCK_REALTIME, &t) < 0) die("clock");
  return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

/* Prints what is decided, from the oldest on. */
static void settle(us_t at) {
  int printed = 0;
  while (tail != head) {
    int i = tail % FLOWS;
    if (flows[i].answered == 0 && at - flows[i].sent < patience) break;
    printf("%lld %lld\n", flows[i].sent, flows[i].answered);
    if (flows[i].fd >= 0) close(flows[i].fd);
    tail++;
    printed = 1;
  }
  if (printed) fflush(stdout);
}

int main(int argc, char **argv) {
  if (argc < 5) return fprintf(stderr, "client ADDRESS PORT EVERY_US FOR_MS\n"), 2;
  struct sockaddr_storage to = {0};
  struct sockaddr_in *four = (void *)&to;
  struct sockaddr_in6 *six = (void *)&to;
  socklen_t size;
  if (inet_pton(AF_INET, argv[1], &four->sin_addr) == 1) four->sin_family = AF_INET, size = sizeof *four;
  else if (inet_pton(AF_INET6, argv[1], &six->sin6_addr) == 1) six->sin6_family = AF_INET6, size = sizeof *six;
  else return fprintf(stderr, "client: no address: %s\n", argv[1]), 2;
  four->sin_port = htons(atoi(argv[2]));
  us_t every = atoll(argv[3]), start = now(), next = start, until = atoll(argv[4]) * 1000;
  int ended = 0;
  for (;;) {
    us_t at = now();
    if (until > 0 && at >= start + until) ended = 1;
    if (!ended && at >= next && head - tail < FLOWS) {
      int i = head++ % FLOWS, fd = socket(to.ss_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
      if (fd < 0) die("socket");
      flows[i].fd = fd, flows[i].sent = at, flows[i].answered = 0;
      /* Without a route it is lost, as for anybody. */
      if (connect(fd, (void *)&to, size) == 0) send(fd, &at, sizeof at, 0);
      next += every;
      if (next < at) next = at + every;
    }
    settle(at);
    if (ended && tail == head) return 0;
    /* poll and no epoll: tcc takes struct epoll_event for larger than it is. */
    int count = 0;
    for (unsigned each = tail; each != head; each++) {
      int i = each % FLOWS;
      if (flows[i].answered != 0) continue;
      which[count] = i;
      ears[count].fd = flows[i].fd;
      ears[count++].events = POLLIN;
    }
    ears[count].fd = until == 0 && !ended ? 0 : -1;
    ears[count].events = POLLIN;
    us_t left = ended ? 10000 : next - now();
    struct timespec wait = {0, (left > 0 ? left : 0) * 1000};
    if (ppoll(ears, count + 1, &wait, NULL) <= 0) continue;
    char data[64];
    for (int n = 0; n < count; n++) {
      /* An ICMP error is taken off the socket, and no answer. */
      if (ears[n].revents != 0 && recv(ears[n].fd, data, sizeof data, 0) > 0) flows[which[n]].answered = now();
    }
    if (ears[count].revents != 0 && read(0, data, sizeof data) <= 0) ended = 1;
  }
}
