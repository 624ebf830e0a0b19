/* How every function of flowgap reports failure.
 *
 * A function that can fail returns an fg_code and takes an fg_status as its last
 * argument. On failure the status says what happened with the values, where in the
 * user's input, and how to mend it; `file`, `line` and `function` name the source.
 * The status may be NULL when the caller wants the code alone. */
#ifndef FLOWGAP_STATUS_H
#define FLOWGAP_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define FG_API __attribute__((visibility("default")))
#define FG_CHECKED __attribute__((warn_unused_result))
#define FG_PRINTF(format_at, first_at) __attribute__((format(printf, format_at, first_at)))
#else
#define FG_API
#define FG_CHECKED
#define FG_PRINTF(format_at, first_at)
#endif

typedef enum fg_code {
  FG_OK = 0,
  FG_FAILED,      /* anything without a better name */
  FG_USAGE,       /* a setting, flag or argument that cannot be used */
  FG_NUMERICS,    /* a value that is not finite, a certificate that does not close */
  FG_IO,          /* a file that cannot be read, written or understood */
  FG_MEMORY,      /* an allocation that failed */
  FG_SOLVER,      /* an integrator or optimiser that gave up */
  FG_UNSUPPORTED, /* an engine or model that cannot do what was asked */
  FG_INTERRUPTED  /* the caller asked to stop */
} fg_code;

typedef struct fg_status {
  fg_code code;
  int line;
  const char *file;
  const char *function;
  char message[1024];
} fg_status;

/* Record a failure and return `code`. Use through FG_FAIL. */
FG_API fg_code fg_status_fail(fg_status *st, fg_code code, const char *file, int line, const char *function,
                              const char *format, ...) FG_PRINTF(6, 7);

/* Put text before the message of a failed status ("circles.yaml, line 3: ..."); returns st->code. */
FG_API fg_code fg_status_prefix(fg_status *st, const char *format, ...) FG_PRINTF(2, 3);

/* Back to FG_OK with an empty message. */
FG_API void fg_status_clear(fg_status *st);

/* A short name: "usage", "input or output", ... */
FG_API const char *fg_code_name(fg_code code);

/* return FG_FAIL(st, FG_USAGE, "batch is %d: give at least 1", batch); */
#define FG_FAIL(st, code, ...) fg_status_fail((st), (code), __FILE__, __LINE__, __func__, __VA_ARGS__)

/* Leave the function with the code of a call that failed. */
#define FG_TRY(call)                                                                                         \
  do {                                                                                                       \
    fg_code fg_try_code = (call);                                                                            \
    if (fg_try_code != FG_OK) return fg_try_code;                                                            \
  } while (0)

/* Same, but go to a label that cleans up; the function keeps an `fg_code rc`. */
#define FG_GO(call, label)                                                                                   \
  do {                                                                                                       \
    rc = (call);                                                                                             \
    if (rc != FG_OK) goto label;                                                                             \
  } while (0)

#ifdef __cplusplus
}
#endif
#endif
