/* What differs between SUNDIALS 6.x and 7.x, in one place. */
#ifndef FG_SOLVER_SUNDIALS_COMPAT_H
#define FG_SOLVER_SUNDIALS_COMPAT_H

#include <cvode/cvode.h>
#include <stdio.h>
#include <sundials/sundials_config.h>
#include <sundials/sundials_nvector.h>
#include <sunlinsol/sunlinsol_spgmr.h>
#include <sunnonlinsol/sunnonlinsol_fixedpoint.h>
#include <sunnonlinsol/sunnonlinsol_newton.h>

#ifndef SUN_COMM_NULL /* 6.x takes a pointer to a communicator */
#define SUN_COMM_NULL NULL
#endif

/* Where CVODE's last words go: the library never prints. */
typedef struct fg_cvode_words {
  char text[256];
} fg_cvode_words;

#if SUNDIALS_VERSION_MAJOR >= 7
static inline void fg_cvode_hear(int line, const char *function, const char *file, const char *message,
                                 SUNErrCode code, void *words, SUNContext context)
{
  (void)line, (void)file, (void)code, (void)context;
  snprintf(((fg_cvode_words *)words)->text, sizeof((fg_cvode_words *)words)->text, "%s: %s", function,
           message);
}

static inline int fg_cvode_quiet(void *cvode, SUNContext context, fg_cvode_words *words)
{
  /* "t + h = t" is a warning, which 7.x writes to its logger and not to the handler */
  if (SUNContext_ClearErrHandlers(context) || SUNContext_PushErrHandler(context, fg_cvode_hear, words))
    return -1;
  return CVodeSetMaxHnilWarns(cvode, -1);
}
#else
static inline void fg_cvode_hear(int code, const char *module, const char *function, char *message,
                                 void *words)
{
  (void)code, (void)module;
  snprintf(((fg_cvode_words *)words)->text, sizeof((fg_cvode_words *)words)->text, "%s: %s", function,
           message);
}

static inline int fg_cvode_quiet(void *cvode, SUNContext context, fg_cvode_words *words)
{
  (void)context;
  if (CVodeSetErrHandlerFn(cvode, fg_cvode_hear, words)) return -1;
  return CVodeSetMaxHnilWarns(cvode, -1);
}
#endif

#endif
