/* Asks on a segment who has addresses, by ARP (RFC 826) and NDP (RFC 4861), again and again.
 * neighbors DEVICE EVERY_MS FOR_MS ADDRESS...
 * prints a line for each answer: ADDRESS MAC MICROSECONDS     (since the epoch)
 * FOR_MS 0: until it is killed. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef long long us_t;
enum { MOST = 4096 };
static int device, arp = -1, ndp = -1, wanted4, wanted6;
static unsigned char mac[6];
static struct in_addr own, asked4[MOST];
static struct in6_addr asked6[MOST];

static void die(const char *what) {
  fprintf(stderr, "neighbors: %s: %s\n", what, strerror(errno));
  exit(1);
}

static us_t now(clockid_t clock) {
  struct timespec t;
  if (clock_gettime(clock, &t) < 0) die("clock");
  return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static void said(int family, const void *address, const unsigned char *by) {
  char text[INET6_ADDRSTRLEN];
  inet_ntop(family, address, text, sizeof text);
  printf("%s %02x:%02x:%02x:%02x:%02x:%02x %lld\n", text, by[0], by[1], by[2], by[3], by[4], by[5], now(CLOCK_REALTIME));
  fflush(stdout);
}

static void open_arp(const char *name) {
  struct ifreq request;
  struct sockaddr_ll here = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ARP), .sll_ifindex = device};
  int any = socket(AF_INET, SOCK_DGRAM, 0);
  memset(&request, 0, sizeof request);
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (ioctl(any, SIOCGIFADDR, &request) == 0) own = ((struct sockaddr_in *)&request.ifr_addr)->sin_addr;
  if (ioctl(any, SIOCGIFHWADDR, &request) < 0) die("MAC");
  memcpy(mac, request.ifr_hwaddr.sa_data, 6);
  close(any);
  arp = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, htons(ETH_P_ARP));
  if (arp < 0 || bind(arp, (struct sockaddr *)&here, sizeof here) < 0) die("packet socket");
}

static void open_ndp(void) {
  struct icmp6_filter filter;
  int hops = 255;
  ndp = socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMPV6);
  if (ndp < 0) die("ICMPv6 socket");
  ICMP6_FILTER_SETBLOCKALL(&filter);
  ICMP6_FILTER_SETPASS(ND_NEIGHBOR_ADVERT, &filter);
  if (setsockopt(ndp, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter) < 0) die("filter");
  if (setsockopt(ndp, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops) < 0) die("hops");
  if (setsockopt(ndp, IPPROTO_IPV6, IPV6_MULTICAST_IF, &device, sizeof device) < 0) die("device");
}

static void ask4(struct in_addr address) {
  struct {
    struct arphdr head;
    unsigned char from[6], from_ip[4], to[6], to_ip[4];
  } __attribute__((packed)) frame;
  struct sockaddr_ll all = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ARP), .sll_ifindex = device, .sll_halen = 6};
  memset(all.sll_addr, 0xff, 6);
  memset(&frame, 0, sizeof frame);
  frame.head.ar_hrd = htons(ARPHRD_ETHER);
  frame.head.ar_pro = htons(ETH_P_IP);
  frame.head.ar_hln = 6;
  frame.head.ar_pln = 4;
  frame.head.ar_op = htons(ARPOP_REQUEST);
  memcpy(frame.from, mac, 6);
  memcpy(frame.from_ip, &own, 4);
  memcpy(frame.to_ip, &address, 4);
  sendto(arp, &frame, sizeof frame, 0, (struct sockaddr *)&all, sizeof all);
}

static void ask6(const struct in6_addr *address) {
  struct {
    struct nd_neighbor_solicit head;
    unsigned char type, length, mac[6];
  } __attribute__((packed)) packet;
  struct sockaddr_in6 group = {.sin6_family = AF_INET6, .sin6_scope_id = device};
  memset(&packet, 0, sizeof packet);
  packet.head.nd_ns_type = ND_NEIGHBOR_SOLICIT;
  packet.head.nd_ns_target = *address;
  packet.type = 1;
  packet.length = 1;
  memcpy(packet.mac, mac, 6);
  inet_pton(AF_INET6, "ff02::1:ff00:0", &group.sin6_addr);
  memcpy(group.sin6_addr.s6_addr + 13, address->s6_addr + 13, 3);
  sendto(ndp, &packet, sizeof packet, 0, (struct sockaddr *)&group, sizeof group);
}

static void hear4(void) {
  unsigned char frame[128];
  ssize_t length;
  while ((length = recv(arp, frame, sizeof frame, 0)) >= 28) {
    if (frame[7] != ARPOP_REPLY || memcmp(frame + 24, &own, 4) != 0) continue;
    for (int i = 0; i < wanted4; i++)
      if (memcmp(frame + 14, &asked4[i], 4) == 0) said(AF_INET, frame + 14, frame + 8);
  }
}

static void hear6(void) {
  unsigned char packet[256];
  ssize_t length;
  while ((length = recv(ndp, packet, sizeof packet, 0)) >= 32) {
    struct nd_neighbor_advert *advert = (void *)packet;
    if (!(advert->nd_na_flags_reserved & ND_NA_FLAG_SOLICITED) || packet[24] != 2) continue;
    for (int i = 0; i < wanted6; i++)
      if (memcmp(&advert->nd_na_target, &asked6[i], 16) == 0) said(AF_INET6, &advert->nd_na_target, packet + 26);
  }
}

int main(int argc, char **argv) {
  if (argc < 5) return fprintf(stderr, "neighbors DEVICE EVERY_MS FOR_MS ADDRESS...\n"), 2;
  us_t every = atoll(argv[2]) * 1000, until = atoll(argv[3]) * 1000, start = now(CLOCK_MONOTONIC), next = start;
  device = if_nametoindex(argv[1]);
  if (device == 0) die(argv[1]);
  for (int i = 4; i < argc && i < MOST; i++) {
    if (inet_pton(AF_INET, argv[i], &asked4[wanted4]) == 1) wanted4++;
    else if (inet_pton(AF_INET6, argv[i], &asked6[wanted6]) == 1) wanted6++;
    else return fprintf(stderr, "neighbors: no address: %s\n", argv[i]), 2;
  }
  open_arp(argv[1]);
  if (wanted6 > 0) open_ndp();
  for (;;) {
    us_t at = now(CLOCK_MONOTONIC);
    if (until > 0 && at >= start + until) return 0;
    if (at >= next) {
      for (int i = 0; i < wanted4; i++) ask4(asked4[i]);
      for (int i = 0; i < wanted6; i++) ask6(&asked6[i]);
      next += every;
      if (next < at) next = at + every;
    }
    struct pollfd ears[2] = {{.fd = arp, .events = POLLIN}, {.fd = ndp, .events = POLLIN}};
    struct timespec left = {0, (next > at ? next - at : 1) % 1000000 * 1000};
    if (ppoll(ears, 2, &left, NULL) < 0 && errno != EINTR) die("poll");
    hear4();
    if (ndp >= 0) hear6();
  }
}
