#include "flowgap/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

fg_code fg_status_fail(fg_status *st, fg_code code, const char *file, int line, const char *function,
                       const char *format, ...)
{
  if (!st) return code;
  st->code = code;
  st->file = file;
  st->line = line;
  st->function = function;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(st->message, sizeof st->message, format, arguments);
  va_end(arguments);
  return code;
}

fg_code fg_status_prefix(fg_status *st, const char *format, ...)
{
  if (!st) return FG_FAILED;
  char message[sizeof st->message];
  memcpy(message, st->message, sizeof message);
  va_list arguments;
  va_start(arguments, format);
  int used = vsnprintf(st->message, sizeof st->message, format, arguments);
  va_end(arguments);
  if (used >= 0 && (size_t)used < sizeof st->message)
    snprintf(st->message + used, sizeof st->message - (size_t)used, "%s", message);
  return st->code;
}

void fg_status_clear(fg_status *st)
{
  if (st) memset(st, 0, sizeof *st);
}

const char *fg_code_name(fg_code code)
{
  switch (code) {
  case FG_OK:
    return "done";
  case FG_FAILED:
    return "failed";
  case FG_USAGE:
    return "usage";
  case FG_NUMERICS:
    return "numerical failure";
  case FG_IO:
    return "input or output";
  case FG_MEMORY:
    return "out of memory";
  case FG_SOLVER:
    return "solver";
  case FG_UNSUPPORTED:
    return "not supported";
  case FG_INTERRUPTED:
    return "interrupted";
  }
  return "unknown";
}
