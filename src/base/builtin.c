/* Models that need no file, and what a user may name as MODEL. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/settings_impl.h"

typedef struct preset {
  const char *name, *yaml;
} preset;

/* Ornstein-Uhlenbeck over T = 10, where m(T)^2 = 2e-9, so the prior N(0, v(T)) is exact to rounding for
 * all purposes. Covariances are positive, so the exact score is smooth down to t = 0 and both flows end
 * there. Heun and these steps keep the SDE's own error below the sampling noise of 10^5 particles. */
#define COMMON                                                                                               \
  "process: {kind: ou, horizon: 10}\n"                                                                       \
  "prior: {kind: gaussian}\n"

static const preset presets[] = {
    {"gaussian", COMMON "target: {kind: gaussian, dimension: 2}\n"
                        "flow: {sde: {method: heun, grid: [[10, 2, 64], [2, 0, 100]]}}\n"
                        "compare: {grid: {half_width: 5}}\n"},
    {"gmm9", COMMON "target: {kind: gmm9}\n"
                    "flow: {sde: {method: heun, grid: [[10, 2, 64], [2, 0, 200]]}}\n"
                    "compare: {grid: {half_width: 8}}\n"},
    {"blobs", COMMON "target: {kind: blobs}\n"
                     "flow: {sde: {method: heun, grid: [[10, 2, 64], [2, 0.2, 100], [0.2, 0, 160]]}}\n"
                     "compare: {grid: {half_width: 4.5}}\n"},
};

enum { PRESETS = sizeof presets / sizeof *presets };

static fg_code load_builtin(fg_settings *settings, const char *model, const char *colon, fg_status *st)
{
  size_t length = (size_t)(colon - model);
  bool known = (length == 5 && strncmp(model, "exact", length) == 0) ||
               (length == 9 && strncmp(model, "perturbed", length) == 0);
  const preset *found = NULL;
  for (size_t i = 0; i < PRESETS; i++)
    if (strcmp(presets[i].name, colon + 1) == 0) found = &presets[i];
  if (!known || !found)
    return FG_FAIL(
        st, FG_USAGE,
        "there is no built-in model %s: write exact: or perturbed: and then gaussian, gmm9 or blobs, or "
        "give a YAML file",
        model);
  char kind[64];
  snprintf(kind, sizeof kind, "model.kind=%.*s", (int)length, model);
  FG_TRY(fg_settings_parse(settings, found->yaml, model, st));
  return fg_settings_assign(settings, kind, st);
}

/* A training run keeps its network beside config.yaml, which does not name it. */
static fg_code add_checkpoint(fg_settings *settings, const char *run, fg_status *st)
{
  struct stat about;
  const char *kind;
  char assignment[4096];
  static const char key[] = "model.file=";
  FG_TRY(fg_settings_text(settings, "model.kind", &kind, st));
  if (strcmp(kind, "network") != 0 || fg_settings_given(settings, "model.file")) return FG_OK;
  int used = snprintf(assignment, sizeof assignment, "%s%s/checkpoint.h5", key, run);
  if (used < 0 || (size_t)used >= sizeof assignment || stat(assignment + strlen(key), &about) != 0)
    return FG_OK;
  return fg_settings_assign(settings, assignment, st);
}

fg_code fg_settings_load(fg_settings *settings, const char *model, fg_status *st)
{
  struct stat about;
  bool exists = stat(model, &about) == 0;
  const char *colon = strchr(model, ':');
  if (!exists && colon && !strchr(model, '/')) return load_builtin(settings, model, colon, st);
  for (size_t i = 0; !exists && i < PRESETS; i++)
    if (strcmp(presets[i].name, model) == 0)
      return FG_FAIL(st, FG_USAGE, "there is no file %s: the built-in models are exact:%s and perturbed:%s",
                     model, model, model);
  if (!exists || !S_ISDIR(about.st_mode)) return fg_settings_read(settings, model, st);
  char path[4096];
  int used = snprintf(path, sizeof path, "%s/config.yaml", model);
  if (used < 0 || (size_t)used >= sizeof path)
    return FG_FAIL(st, FG_IO, "the path %.60s... is too long", model);
  if (stat(path, &about) != 0)
    return FG_FAIL(st, FG_IO, "%s is a directory without config.yaml: give a run directory or a YAML file",
                   model);
  FG_TRY(fg_settings_read(settings, path, st));
  return add_checkpoint(settings, model, st);
}

static fg_code assign_real(fg_settings *settings, const char *key, double value, fg_status *st)
{
  char text[FG_REAL_TEXT], assignment[FG_REAL_TEXT + 64];
  fg_format_real(value, text);
  snprintf(assignment, sizeof assignment, "%s=%s", key, text);
  return fg_settings_assign(settings, assignment, st);
}

fg_code fg_settings_leave_pin(fg_settings *settings, bool *moved, fg_status *st)
{
  const char *process, *model, *prior;
  double pin, horizon;
  *moved = false;
  FG_TRY(fg_settings_text(settings, "process.kind", &process, st));
  FG_TRY(fg_settings_text(settings, "model.kind", &model, st));
  FG_TRY(fg_settings_text(settings, "prior.kind", &prior, st));
  FG_TRY(fg_settings_real(settings, "process.horizon", &horizon, st));
  FG_TRY(fg_settings_real(settings, "process.pin", &pin, st));
  if (isnan(horizon)) horizon = 1; /* its default */
  if (isnan(pin)) pin = horizon;
  if (strcmp(process, "pinned") != 0 || strcmp(model, "network") != 0 || pin != horizon) return FG_OK;
  if (strcmp(prior, "point") == 0) FG_TRY(fg_settings_assign(settings, "prior.kind=gaussian", st));
  FG_TRY(assign_real(settings, "process.pin", pin, st));
  FG_TRY(assign_real(settings, "process.horizon", FG_PIN_PART * horizon, st));
  *moved = true;
  return FG_OK;
}
