#include "analysis/report/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"

extern char **environ;

static int start(const char *const *words, const char *log, pid_t *child)
{
  posix_spawn_file_actions_t actions;
  int error = posix_spawn_file_actions_init(&actions);
  if (error) return error;
  error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  if (!error) error = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  if (!error) error = posix_spawn_file_actions_addopen(&actions, 2, log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (!error) error = posix_spawnp(child, words[0], &actions, NULL, (char *const *)words, environ);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

/* What the program said, on one line. */
static void read_complaint(const char *log, char text[FG_COMPLAINT])
{
  size_t size = 0;
  FILE *stream = fopen(log, "rb");
  if (stream) {
    size = fread(text, 1, FG_COMPLAINT - 1, stream);
    fclose(stream);
  }
  text[size] = 0;
  for (size_t i = 0; i < size; i++)
    if ((unsigned char)text[i] < 0x20) text[i] = ' ';
}

/* -1 with errno when the child is lost. */
static int wait_for(pid_t child, double limit, int *state, bool *late)
{
  const struct timespec nap = {0, 20000000};
  double end = fg_seconds() + limit;
  *late = false;
  for (;;) {
    pid_t done = waitpid(child, state, limit > 0 && !*late ? WNOHANG : 0);
    if (done == child) return 0;
    if (done < 0 && errno != EINTR) return -1;
    if (done != 0) continue;
    if (fg_seconds() > end) {
      *late = true;
      kill(child, SIGKILL);
    } else {
      nanosleep(&nap, NULL);
    }
  }
}

fg_code fg_program_run(const char *const *words, const char *log, double limit, int *status,
                       char complaint[FG_COMPLAINT], fg_status *st)
{
  char why[128];
  pid_t child;
  bool late;
  int state = 0, error = start(words, log, &child);
  complaint[0] = 0;
  *status = FG_PROGRAM_MISSING;
  if (error == ENOENT) return FG_OK;
  if (error) return FG_FAIL(st, FG_FAILED, "%s could not be started: %s", words[0], fg_file_why(error, why));
  if (wait_for(child, limit, &state, &late) < 0)
    return FG_FAIL(st, FG_FAILED, "%s was lost: %s", words[0], fg_file_why(errno, why));
  read_complaint(log, complaint);
  *status = WIFEXITED(state) ? WEXITSTATUS(state) : FG_PROGRAM_KILLED;
  if (late) *status = FG_PROGRAM_LATE;
  return FG_OK;
}
