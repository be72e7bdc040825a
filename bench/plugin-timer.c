/* Runs CNI plugins as a container runtime does and says how long each took from its exec to its exit.
 * Reads lines "COMMAND CONTAINER NETNS EXECUTABLE CONFIG_FILE POD_NAMESPACE", answers each by "NANOSECONDS STATUS OUTPUT" (output: one line). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(void) {
  char line[1024], command[16], container[128], netns[256], executable[256], config[256], space[128];
  char env[5][512], output[4096];
  char result[] = "/tmp/plugin-timer-XXXXXX";
  int out = mkostemp(result, O_CLOEXEC);
  unlink(result);
  while (fgets(line, sizeof line, stdin)) {
    if (sscanf(line, "%15s %127s %255s %255s %255s %127s", command, container, netns, executable, config, space) != 6) return 2;
    sprintf(env[0], "CNI_COMMAND=%s", command);
    sprintf(env[1], "CNI_CONTAINERID=%s", container);
    sprintf(env[2], "CNI_NETNS=%s", netns);
    sprintf(env[3], "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=%s;K8S_POD_NAME=%s;K8S_POD_UID=%s", space, container, container);
    sprintf(env[4], "PATH=/usr/sbin:/usr/bin:/sbin:/bin");
    char *environment[] = {env[0], env[1], env[2], env[3], env[4], "CNI_IFNAME=eth0", "CNI_PATH=/usr/lib/cni", NULL};
    char *arguments[] = {executable, NULL};
    if (ftruncate(out, 0) < 0) return 2;
    lseek(out, 0, SEEK_SET);
    int in = open(config, O_RDONLY | O_CLOEXEC), status = 0;
    long long start = now();
    pid_t pid = vfork();
    if (pid == 0) {
      dup2(in, 0);
      dup2(out, 1);
      execve(executable, arguments, environment);
      _exit(127);
    }
    waitpid(pid, &status, 0);
    long long took = now() - start;
    close(in);
    ssize_t n = pread(out, output, sizeof output - 1, 0);
    output[n < 0 ? 0 : n] = 0;
    for (char *c = output; *c; c++)
      if (*c == '\n' || *c == '\t') *c = ' ';
    printf("%lld %d %s\n", took, WIFEXITED(status) ? WEXITSTATUS(status) : 128, output);
    fflush(stdout);
  }
  return 0;
}
