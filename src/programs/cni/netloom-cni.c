/* The CNI executable: hands its environment and input to the datapath's socket and prints the answer. It decides nothing. */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/run/netloom/cni.sock"
#define DEADLINE_MS 30000 /* the datapath gives up an ADD long before; runtimes wait minutes */
#define MAX_CONFIG (1 << 20)
#define MAX_REPLY (4 << 20)

enum { NO_VALUE = 0, BAD_ENVIRONMENT = 4, IO_FAILURE = 5, BAD_CONFIG = 7, TRY_AGAIN = 11, NOT_AVAILABLE = 50 };

static const char *passed[] = {"CNI_COMMAND", "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS", "CNI_PATH"};
static char version[16] = "1.1.0"; /* of what we print: the configuration's, once it was read */

/* Prints a CNI error and ends. `message` holds no character that JSON would escape, except in %s, which is cleaned here. */
static void fail(int code, const char *message, const char *detail) {
  char clean[512];
  size_t n = 0;
  for (; *detail && n < sizeof clean - 1; detail++) clean[n++] = (*detail == '"' || *detail == '\\' || !isprint((unsigned char)*detail)) ? '?' : *detail;
  clean[n] = 0;
  printf("{\"cniVersion\":\"%s\",\"code\":%d,\"msg\":\"", version, code);
  printf(message, clean);
  printf("\"}\n");
  fflush(stdout);
  _exit(1);
}

static long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000L + t.tv_nsec / 1000000;
}

/* Copies the string value of a top-level key; returns 0 when there is none, -1 when it can't be copied as it is. */
static int top_level_string(const char *json, const char *key, char *out, size_t size) {
  int depth = 0, is_value = 0, wanted = 0;
  for (; *json; json++) {
    if (*json == '{' || *json == '[') depth++, is_value = 0;
    else if (*json == '}' || *json == ']') depth--;
    else if (*json == ':') is_value = 1;
    else if (*json == ',') is_value = wanted = 0;
    else if (*json == '"') {
      const char *start = ++json;
      int escaped = 0;
      for (; *json && *json != '"'; json++)
        if (*json == '\\' && json[1]) escaped = 1, json++;
      if (!*json) return NO_VALUE;
      size_t length = json - start;
      if (depth == 1 && is_value && wanted) {
        if (escaped || length >= size) return -1;
        memcpy(out, start, length);
        out[length] = 0;
        return 1;
      }
      if (!is_value) wanted = depth == 1 && length == strlen(key) && !memcmp(start, key, length);
    }
  }
  return NO_VALUE;
}

static size_t read_config(char *config) {
  size_t length = 0;
  ssize_t n;
  while ((n = read(0, config + length, MAX_CONFIG - length)) != 0) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(IO_FAILURE, "cannot read the network configuration: %s", strerror(errno));
    if ((length += n) == MAX_CONFIG) fail(BAD_CONFIG, "the network configuration is larger than 1 MiB%s", "");
  }
  config[length] = 0;
  if (memchr(config, 0, length)) fail(6, "the network configuration holds a NUL byte%s", "");
  return length;
}

static void send_all(int fd, const char *data, size_t length, int unavailable) {
  while (length > 0) {
    ssize_t n = send(fd, data, length, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(unavailable, "the Netloom datapath closed the connection (%s); try again", strerror(errno));
    data += n, length -= n;
  }
}

int main(void) {
  static char config[MAX_CONFIG + 1], head[128], environment[65536], reply[MAX_REPLY + 1];
  const char *command = getenv("CNI_COMMAND");
  if (!command || !*command) fail(BAD_ENVIRONMENT, "CNI_COMMAND is not set: this is a CNI plugin, run by a container runtime%s", "");
  size_t config_length = read_config(config);

  char asked[16] = "";
  if (top_level_string(config, "cniVersion", asked, sizeof asked) == 1 && asked[0] && strspn(asked, "0123456789.") == strlen(asked)) strcpy(version, asked);
  if (!strcmp(command, "VERSION")) {
    printf("{\"cniVersion\":\"%s\",\"supportedVersions\":[\"0.4.0\",\"1.0.0\",\"1.1.0\"]}\n", version);
    return 0;
  }

  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = DEFAULT_SOCKET};
  if (top_level_string(config, "socket", address.sun_path, sizeof address.sun_path) < 0) fail(BAD_CONFIG, "socket: not a plain path of at most 107 bytes%s", "");

  size_t used = 0;
  for (size_t i = 0; i < sizeof passed / sizeof *passed; i++) {
    const char *value = getenv(passed[i]);
    if (!value) continue;
    size_t length = strlen(passed[i]) + 1 + strlen(value) + 1;
    if (used + length > sizeof environment) fail(BAD_ENVIRONMENT, "%s is too long", passed[i]);
    used += sprintf(environment + used, "%s=%s", passed[i], value) + 1;
  }

  int unavailable = !strcmp(command, "STATUS") ? NOT_AVAILABLE : TRY_AGAIN;
  long deadline = now_ms() + DEADLINE_MS;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct timeval patience = {DEADLINE_MS / 1000, 0};
  if (fd < 0) fail(IO_FAILURE, "socket: %s", strerror(errno));
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
    char why[256];
    snprintf(why, sizeof why, "%s (%s)", address.sun_path, strerror(errno));
    fail(unavailable, "the Netloom datapath of this node is not running or not ready yet: cannot connect to %s; try again", why);
  }
  sprintf(head, "netloom-cni 1 %zu %zu\n", used, config_length);
  send_all(fd, head, strlen(head), unavailable);
  send_all(fd, environment, used, unavailable);
  send_all(fd, config, config_length, unavailable);

  size_t length = 0, body = 0, header = 0;
  int code = 1;
  while (!header || length < header + body) {
    struct pollfd wait = {fd, POLLIN, 0};
    long left = deadline - now_ms();
    if (left <= 0 || poll(&wait, 1, (int)left) == 0) fail(unavailable, "the Netloom datapath did not answer within 30 s; try again%s", "");
    ssize_t n = read(fd, reply + length, MAX_REPLY - length);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0) fail(unavailable, "the Netloom datapath went away before it answered; try again%s", "");
    reply[length += n] = 0;
    char *end = header ? NULL : strchr(reply, '\n');
    if (end) {
      if (sscanf(reply, "%d %zu", &code, &body) != 2 || body > MAX_REPLY - 128) fail(IO_FAILURE, "the socket is not the Netloom datapath's%s", "");
      header = end - reply + 1;
    }
  }
  fwrite(reply + header, 1, body, stdout);
  return fflush(stdout) == 0 ? code : 1;
}
