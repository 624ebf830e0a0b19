/* The rows `process.*` of the settings. */
#include <string.h>

#include "flowgap/sde.h"

/* A key that was not given keeps the default of the kind. */
static fg_code take(const fg_settings *settings, const char *key, double *value, fg_status *st)
{
  return fg_settings_given(settings, key) ? fg_settings_real(settings, key, value, st) : FG_OK;
}

fg_code fg_process_from_settings(const fg_settings *settings, fg_process **process, fg_status *st)
{
  static const struct {
    const char *name;
    fg_process_kind kind;
  } kinds[] = {{"ou", FG_PROCESS_OU},
               {"vp", FG_PROCESS_VP},
               {"ve", FG_PROCESS_VE},
               {"bm", FG_PROCESS_BM},
               {"pinned", FG_PROCESS_PINNED}};
  const char *name;
  fg_process_settings s;
  size_t k = 0, count = sizeof kinds / sizeof *kinds;
  *process = NULL;
  FG_TRY(fg_settings_check(settings, "process", st));
  FG_TRY(fg_settings_text(settings, "process.kind", &name, st));
  while (k < count && strcmp(kinds[k].name, name) != 0) k++;
  if (k == count) return FG_FAIL(st, FG_USAGE, "process.kind is %s: use ou, vp, ve, bm or pinned", name);
  fg_process_defaults(kinds[k].kind, &s);
  FG_TRY(take(settings, "process.horizon", &s.horizon, st));
  FG_TRY(take(settings, "process.rate", &s.rate, st));
  FG_TRY(take(settings, "process.diff", &s.diff, st));
  FG_TRY(take(settings, "process.beta_min", &s.beta_min, st));
  FG_TRY(take(settings, "process.beta_max", &s.beta_max, st));
  FG_TRY(take(settings, "process.scale", &s.scale, st));
  FG_TRY(take(settings, "process.sigma_min", &s.sigma_min, st));
  FG_TRY(take(settings, "process.sigma_max", &s.sigma_max, st));
  FG_TRY(take(settings, "process.pin", &s.pin, st));
  return fg_process_create(&s, process, st);
}
