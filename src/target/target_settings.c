/* The rows `target.*` of the settings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target/target_impl.h"

static fg_code find_kind(const fg_settings *settings, fg_target_kind *kind, bool *none, fg_status *st)
{
  const char *name;
  FG_TRY(fg_settings_text(settings, "target.kind", &name, st));
  *none = strcmp(name, "none") == 0;
  for (int k = 0; k < FG_TARGET_KINDS; k++)
    if (strcmp(fg_target_kind_name((fg_target_kind)k), name) == 0) {
      *kind = (fg_target_kind)k;
      return FG_OK;
    }
  return *none ? FG_OK : FG_FAIL(st, FG_USAGE, "target.kind is %s, which is unknown", name);
}

static fg_code take(const fg_settings *settings, const char *key, double *value, fg_status *st)
{
  return fg_settings_given(settings, key) ? fg_settings_real(settings, key, value, st) : FG_OK;
}

static fg_code take_count(const fg_settings *settings, const char *key, size_t *value, fg_status *st)
{
  int64_t number;
  if (!fg_settings_given(settings, key)) return FG_OK;
  FG_TRY(fg_settings_integer(settings, key, &number, st));
  if (number < 1) return FG_FAIL(st, FG_USAGE, "%s is %lld: give at least 1", key, (long long)number);
  *value = (size_t)number;
  return FG_OK;
}

static fg_code take_numbers(const fg_settings *settings, fg_target_settings *s, fg_status *st)
{
  FG_TRY(take(settings, "target.mean", &s->mean, st));
  FG_TRY(take(settings, "target.variance", &s->variance, st));
  FG_TRY(take(settings, "target.nu", &s->nu, st));
  FG_TRY(take(settings, "target.separation", &s->separation, st));
  FG_TRY(take(settings, "target.shift", &s->shift, st));
  FG_TRY(take(settings, "target.ring_sd", &s->ring_sd, st));
  FG_TRY(take_count(settings, "target.dimension", &s->dimension, st));
  if (s->kind == FG_TARGET_MANY_WELL && s->wells > s->dimension) s->wells = s->dimension; /* the default */
  return take_count(settings, "target.wells", &s->wells, st);
}

/* A list of `count` numbers under `key`, or NULL when it is empty. */
static fg_code take_list(const fg_settings *settings, const char *key, size_t count, const char *what,
                         const double **values, fg_status *st)
{
  size_t shape[3];
  FG_TRY(fg_settings_array(settings, key, values, shape, st));
  if (!*values || (shape[0] == count && shape[1] == 1 && shape[2] == 1)) return FG_OK;
  return FG_FAIL(st, FG_USAGE, "%s holds %zu numbers: give a list, one number for each of the %zu %s", key,
                 shape[0] * shape[1] * shape[2], count, what);
}

static fg_code take_rings(const fg_settings *settings, fg_target_settings *s, fg_status *st)
{
  const double *radii;
  size_t shape[3];
  FG_TRY(fg_settings_array(settings, "target.radii", &radii, shape, st));
  if (radii) {
    s->radii = radii;
    s->rings = shape[0];
    FG_TRY(take_list(settings, "target.radii", s->rings, "rings", &s->radii, st));
  }
  return take_list(settings, "target.ring_weights", s->rings, "rings", &s->ring_weights, st);
}

/* covariances as [k, d, d]: full ones are borrowed; diagonals [k, d] and variances [k] are spread
 * out into *owned. */
static fg_code take_covariances(const fg_settings *settings, fg_target_settings *s, double **owned,
                                fg_status *st)
{
  const double *c;
  size_t shape[3], k = s->components, d = s->dimension;
  FG_TRY(fg_settings_array(settings, "target.covariances", &c, shape, st));
  if (!c) return FG_OK;
  bool full = shape[0] == k && shape[1] == d && shape[2] == d;
  bool diagonal = shape[0] == k && shape[1] == d && shape[2] == 1;
  bool isotropic = shape[0] == k && shape[1] == 1 && shape[2] == 1;
  if (full) {
    s->covariances = c;
    return FG_OK;
  }
  if (!diagonal && !isotropic)
    return FG_FAIL(
        st, FG_USAGE,
        "target.covariances has the shape [%zu, %zu, %zu]: with %zu components in %zu dimensions give "
        "[%zu, %zu, %zu] matrices, [%zu, %zu] diagonals or [%zu] variances",
        shape[0], shape[1], shape[2], k, d, k, d, d, k, d, k);
  *owned = calloc(k * d, d * sizeof **owned);
  if (!*owned) return FG_FAIL(st, FG_MEMORY, "no memory for %zu covariances in %zu dimensions", k, d);
  for (size_t n = 0; n < k; n++)
    for (size_t i = 0; i < d; i++) (*owned)[(n * d + i) * d + i] = diagonal ? c[n * d + i] : c[n];
  s->covariances = *owned;
  return FG_OK;
}

static fg_code take_mixture(const fg_settings *settings, fg_target_settings *s, double **owned, fg_status *st)
{
  size_t shape[3];
  FG_TRY(fg_settings_array(settings, "target.means", &s->means, shape, st));
  if (!s->means)
    return FG_FAIL(st, FG_USAGE, "target.means is empty: a mixture needs the mean of each component, [k, d]");
  if (shape[2] != 1)
    return FG_FAIL(st, FG_USAGE,
                   "target.means has the shape [%zu, %zu, %zu]: give one row for each component", shape[0],
                   shape[1], shape[2]);
  if (fg_settings_given(settings, "target.dimension") && s->dimension != shape[1])
    return FG_FAIL(st, FG_USAGE, "target.dimension is %zu but each of target.means has %zu numbers",
                   s->dimension, shape[1]);
  s->components = shape[0];
  s->dimension = shape[1];
  FG_TRY(take_list(settings, "target.weights", s->components, "components", &s->weights, st));
  return take_covariances(settings, s, owned, st);
}

/* The path as seen from here: relative ones start in the folder of the settings file. */
static fg_code take_file(const fg_settings *settings, fg_target_settings *s, char **owned, fg_status *st)
{
  const char *file, *folder = fg_settings_folder(settings, "target.file");
  FG_TRY(fg_settings_text(settings, "target.file", &file, st));
  FG_TRY(fg_settings_text(settings, "target.dataset", &s->dataset, st));
  s->file = file;
  if (!*file || *file == '/' || !*folder) return FG_OK;
  size_t size = strlen(folder) + strlen(file) + 2;
  *owned = malloc(size);
  if (!*owned) return FG_FAIL(st, FG_MEMORY, "no memory for a path");
  snprintf(*owned, size, "%s/%s", folder, file);
  s->file = *owned;
  return FG_OK;
}

static fg_code take_logistic(const fg_settings *settings, fg_target_settings *s, fg_status *st)
{
  FG_TRY(fg_settings_real(settings, "target.prior_sd", &s->prior_sd, st));
  FG_TRY(fg_settings_flag(settings, "target.intercept", &s->intercept, st));
  return fg_settings_flag(settings, "target.standardise", &s->standardise, st);
}

fg_code fg_target_from_settings(const fg_settings *settings, fg_target **target, fg_status *st)
{
  fg_target_kind kind = FG_TARGET_GAUSSIAN;
  fg_target_settings s;
  bool none;
  double *covariances = NULL;
  char *path = NULL;
  fg_code rc;
  *target = NULL;
  FG_TRY(fg_settings_check(settings, "target", st));
  FG_TRY(find_kind(settings, &kind, &none, st));
  if (none) return FG_OK;
  fg_target_defaults(kind, &s);
  FG_TRY(take_numbers(settings, &s, st));
  if (kind == FG_TARGET_RINGS) FG_TRY(take_rings(settings, &s, st));
  if (kind == FG_TARGET_MIXTURE) FG_GO(take_mixture(settings, &s, &covariances, st), done);
  if (kind == FG_TARGET_SAMPLES || kind == FG_TARGET_LOGISTIC || kind == FG_TARGET_PLUGIN)
    FG_GO(take_file(settings, &s, &path, st), done);
  if (kind == FG_TARGET_LOGISTIC) FG_GO(take_logistic(settings, &s, st), done);
  rc = fg_target_create(&s, target, st);
done:
  free(covariances);
  free(path);
  return rc;
}
