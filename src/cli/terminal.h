/* What the user sees while a job runs, and how a job is stopped. */
#ifndef FG_CLI_TERMINAL_H
#define FG_CLI_TERMINAL_H

#include <signal.h>
#include <stdbool.h>

#include "flowgap/base.h"

typedef struct fg_terminal {
  bool shown;  /* a bar is on the screen */
  bool silent; /* --quiet, or standard error is no terminal */
  int width;
  double started, drawn; /* seconds: of the stage, of the last picture */
  double done;           /* what the last report said */
  char stage[64];
  char note[64];  /* shown behind the time that is left; set by the verb */
  char label[96]; /* behind that */
} fg_terminal;

/* SIGINT and SIGTERM ask the job to stop; a second one ends the program at once. */
void fg_terminal_open(fg_terminal *terminal, bool quiet);
/* Takes the bar away. */
void fg_terminal_close(fg_terminal *terminal);
fg_progress fg_terminal_progress(fg_terminal *terminal);
/* The signal that asked to stop, 0 if none. */
int fg_terminal_signal(void);
/* Since some moment that stays the same while the program runs. */
double fg_terminal_seconds(void);

#endif
