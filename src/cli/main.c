/* flowgap: the command. Prints messages, picks the exit status; everything else is in the library. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/help.h"
#include "cli/terminal.h"

/* 0 done, 1 failed, 2 usage or settings, 3 numerical failure, 4 input or output, 128 + signal. */
static int exit_status(fg_code code)
{
  switch (code) {
  case FG_OK:
    return 0;
  case FG_USAGE:
  case FG_UNSUPPORTED:
    return 2;
  case FG_NUMERICS:
  case FG_SOLVER:
    return 3;
  case FG_IO:
    return 4;
  case FG_INTERRUPTED:
    return 128 + (fg_terminal_signal() ? fg_terminal_signal() : SIGINT);
  case FG_FAILED:
  case FG_MEMORY:
    break;
  }
  return 1;
}

static void explain(const fg_args *args, fg_code code, const fg_status *st)
{
  if (code == FG_INTERRUPTED && !st->message[0]) {
    fprintf(stderr, "flowgap: stopped\n");
    return;
  }
  fprintf(stderr, "flowgap: %s\n", st->message[0] ? st->message : fg_code_name(code));
  if (args->value[FG_OPTION_VERBOSE] && st->file)
    fprintf(stderr, "  at %s:%d, %s (%s)\n", st->file, st->line, st->function, fg_code_name(code));
  if (code == FG_USAGE && args->verb)
    fprintf(stderr, "`flowgap %s --help` shows how it is used, `flowgap help settings` the settings.\n",
            args->verb->name);
  else if (code == FG_USAGE)
    fprintf(stderr, "`flowgap help` shows how it is used.\n");
}

static fg_code run(int argc, char **argv, fg_args *args, fg_status *st)
{
  FG_TRY(fg_args_parse(argc, argv, args, st));
  if (args->value[FG_OPTION_VERSION]) {
    printf("flowgap %s\n", fg_version());
    return FG_OK;
  }
  if (args->value[FG_OPTION_HELP]) {
    fg_help_verb(stdout, args->verb);
    return FG_OK;
  }
  if (!args->verb) {
    fg_help_verb(stderr, NULL);
    return FG_FAIL(st, FG_USAGE, "no verb was given");
  }
  return args->verb->run(args, st);
}

int main(int argc, char **argv)
{
  fg_args args;
  fg_status st = {0};
  fg_code code = run(argc, argv, &args, &st);
  if (code == FG_OK && (fflush(stdout) != 0 || ferror(stdout)))
    code = FG_FAIL(&st, FG_IO, "cannot write to standard output: %s", strerror(errno));
  if (code != FG_OK) explain(&args, code, &st);
  return exit_status(code);
}
