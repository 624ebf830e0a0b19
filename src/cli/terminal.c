#include "cli/terminal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* The only state that outlives a call: a signal handler has no other way to speak. */
static volatile sig_atomic_t fg_stop;
static volatile sig_atomic_t fg_stop_signal;

static void on_signal(int number)
{
  fg_stop = 1;
  fg_stop_signal = number;
}

int fg_terminal_signal(void)
{
  return fg_stop_signal;
}

double fg_terminal_seconds(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void fg_terminal_open(fg_terminal *terminal, bool quiet)
{
  struct winsize size;
  memset(terminal, 0, sizeof *terminal);
  terminal->silent = quiet || !isatty(STDERR_FILENO);
  terminal->width = 80;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20) terminal->width = size.ws_col;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  action.sa_flags = (int)SA_RESETHAND; /* the second signal kills */
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
}

void fg_terminal_close(fg_terminal *terminal)
{
  if (terminal->shown) fputs("\r\033[K", stderr);
  terminal->shown = false;
}

/* "0:07", "12:40", "3:05:00" */
static const char *clock_text(double seconds, char text[32])
{
  long s = seconds < 3.6e6 ? lround(seconds) : 3600000;
  if (s < 3600)
    snprintf(text, 32, "%ld:%02ld", s / 60, s % 60);
  else
    snprintf(text, 32, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
  return text;
}

static void draw(fg_terminal *terminal, double done, double total, double elapsed)
{
  char bar[41], left[32], line[256];
  double share = total > 0 ? fmin(fmax(done / total, 0), 1) : 0, rate = elapsed > 0 ? done / elapsed : 0;
  int filled = (int)(share * 20);
  memset(bar, '-', 20);
  memset(bar, '#', (size_t)filled);
  bar[20] = '\0';
  const char *unit = rate >= 1e6 ? "M" : rate >= 1e3 ? "k" : "";
  double shown_rate = rate >= 1e6 ? rate / 1e6 : rate >= 1e3 ? rate / 1e3 : rate;
  int used =
      snprintf(line, sizeof line, "%-22.22s [%s] %3.0f %%  %.3g%s/s  %s left%s%s", terminal->stage, bar,
               100 * share, shown_rate, unit, rate > 0 ? clock_text((total - done) / rate, left) : "?",
               terminal->note, terminal->label);
  if (used >= terminal->width && terminal->width < (int)sizeof line) line[terminal->width - 1] = '\0';
  fprintf(stderr, "\r\033[K%s", line);
  fflush(stderr);
  terminal->shown = true;
}

static void on_report(void *user, const char *stage, double done, double total)
{
  fg_terminal *terminal = user;
  double time = fg_terminal_seconds();
  if (strcmp(terminal->stage, stage) != 0 || done < terminal->done) { /* a new stage, or the same anew */
    snprintf(terminal->stage, sizeof terminal->stage, "%s", stage);
    terminal->started = time;
    terminal->drawn = 0;
  }
  terminal->done = done;
  if (time - terminal->drawn < 0.1 && done < total) return;
  terminal->drawn = time;
  draw(terminal, done, total, time - terminal->started);
}

fg_progress fg_terminal_progress(fg_terminal *terminal)
{
  fg_progress progress = {terminal->silent ? NULL : on_report, terminal, &fg_stop};
  return progress;
}
