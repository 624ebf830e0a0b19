/* The rows `prior.*` of the settings. */
#include <string.h>

#include "flowgap/target.h"

fg_code fg_prior_from_settings(const fg_settings *settings, size_t dimension, const fg_process *process,
                               const fg_target *target, fg_prior **prior, fg_status *st)
{
  static const char *const names[] = {"gaussian", "truncated", "point", "exact"};
  fg_prior_settings s = {FG_PRIOR_GAUSSIAN, 0.0, 0.9999};
  const char *name;
  int kind = 0, count = (int)(sizeof names / sizeof *names);
  *prior = NULL;
  FG_TRY(fg_settings_check(settings, "prior", st));
  FG_TRY(fg_settings_text(settings, "prior.kind", &name, st));
  while (kind < count && strcmp(names[kind], name) != 0) kind++;
  if (kind == count)
    return FG_FAIL(st, FG_USAGE, "prior.kind is %s: use gaussian, truncated, point or exact", name);
  s.kind = (fg_prior_kind)kind;
  if (fg_settings_given(settings, "prior.variance"))
    FG_TRY(fg_settings_real(settings, "prior.variance", &s.variance, st));
  if (fg_settings_given(settings, "prior.mass"))
    FG_TRY(fg_settings_real(settings, "prior.mass", &s.mass, st));
  return fg_prior_create(&s, dimension, process, target, prior, st);
}
