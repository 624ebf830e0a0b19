/* What `flowgap distance` prints, and its JSON (docs/distance-command.md). */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/distance.h"

/* ---- warnings ------------------------------------------------------------------------------ */

void fg_distance_warn(fg_distance *d, const char *format, ...)
{
  va_list arguments;
  if (d->warnings == sizeof d->warning / sizeof *d->warning) return;
  va_start(arguments, format);
  vsnprintf(d->warning[d->warnings++], sizeof *d->warning, format, arguments);
  va_end(arguments);
}

static void judge_rows(fg_distance *d, int k)
{
  const fg_side *side = &d->side[k];
  const char *name = k ? "B" : "A";
  if (side->samples.n < 200)
    fg_distance_warn(d, "%s has only %zu rows: floors are high and intervals wide below a few hundred", name,
                     side->samples.n);
  else if (side->effective < 0.1 * (double)side->samples.n)
    fg_distance_warn(d, "the weights of %s are so unequal that its %zu rows count like %.0f", name,
                     side->samples.n, side->effective);
}

/* Standard deviation of a column, without weights: a matter of scale alone. */
static double spread(const fg_samples *s, size_t column)
{
  double mean = 0, sum = 0;
  for (size_t i = 0; i < s->n; i++) mean += s->x[i * s->d + column] / (double)s->n;
  for (size_t i = 0; i < s->n; i++) {
    double away = s->x[i * s->d + column] - mean;
    sum += away * away / (double)s->n;
  }
  return sqrt(sum);
}

/* Where one column is a thousand times wider than another, the distance is about it alone. */
static void judge_scales(fg_distance *d)
{
  const fg_samples *s = &d->side[0].samples;
  size_t wide = 0, narrow = 0;
  double most = 0, least = INFINITY;
  for (size_t j = 0; j < s->d; j++) {
    double width = spread(s, j);
    if (width > most) {
      most = width;
      wide = j;
    }
    if (width > 0 && width < least) {
      least = width;
      narrow = j;
    }
  }
  if (most > 1000 * least)
    fg_distance_warn(
        d,
        "coordinate %zu of A spreads %.2g times as far as coordinate %zu and decides all distances: "
        "bring columns to comparable units first",
        wide + 1, most / least, narrow + 1);
}

static void judge_estimate(fg_distance *d, int e)
{
  const fg_estimate *one = &d->estimate[e];
  const char *name = fg_estimator_name((fg_estimator)e);
  size_t n = d->side[0].samples.n, m = d->side[1].samples.n, columns = d->side[0].samples.d;
  if (one->outside_x || one->outside_y)
    fg_distance_warn(
        d,
        "%s: %zu of %zu rows of A and %zu of %zu of B lie beyond its half width %.4g and are left "
        "out: see compare.grid.half_width",
        name, one->outside_x, n, one->outside_y, m, d->settings[e].grid.half_width);
  if (columns >= 5 && (e == FG_W2_EXACT || e == FG_W2_SINKHORN) && one->value <= 1.2 * one->floor)
    fg_distance_warn(
        d,
        "%s: in %zu dimensions its floor falls only like n^(-1/%zu) and hides smaller differences; "
        "gaussian, sliced, mmd and energy see further",
        name, columns, columns);
}

void fg_distance_judge(fg_distance *d)
{
  for (int k = 0; k < 2; k++) judge_rows(d, k);
  judge_scales(d);
  for (int e = 0; e < FG_ESTIMATORS; e++)
    if (d->wanted[e] && !d->missing[e][0]) judge_estimate(d, e);
}

/* ---- text ---------------------------------------------------------------------------------- */

static void put_side(const fg_side *side, const char *name)
{
  printf("%s: %s, %zu rows, %zu coordinate%s", name, side->word, side->samples.n, side->samples.d,
         side->samples.d == 1 ? "" : "s");
  if (side->samples.weights) printf(", weighted (like %.0f equal rows)", side->effective);
  putchar('\n');
}

static const char *number(double value, const char *format, char text[32])
{
  snprintf(text, 32, isfinite(value) ? format : "-", value);
  return text;
}

static void put_line(const fg_distance *d, int e)
{
  const fg_estimate *one = &d->estimate[e];
  char interval[80] = "-", value[32], least[32], unbiased[32], p[32];
  if (d->missing[e][0]) {
    printf("%-10s not had: %s\n", fg_estimator_name((fg_estimator)e), d->missing[e]);
    return;
  }
  if (isfinite(one->ci_low)) snprintf(interval, sizeof interval, "%.4g to %.4g", one->ci_low, one->ci_high);
  double far = isfinite(one->extrapolated) ? sqrt(fmax(0, one->extrapolated)) : NAN;
  printf("%-10s %-12s %-10s %-10s %-22s %-7s %zu, %zu\n", fg_estimator_name((fg_estimator)e),
         number(one->value, "%.6g", value), number(one->floor, "%.4g", least), number(far, "%.4g", unbiased),
         interval, number(one->p_value, "%.3g", p), one->used_x, one->used_y);
  if (e == FG_W2_SLICED && isfinite(one->detail[1]))
    printf("%-10s %-12.6g along the best of its directions, a lower bound of W2\n", "", one->detail[1]);
}

static void put_notes(const fg_distance *d)
{
  bool divergences = false;
  for (int e = 0; e < FG_ESTIMATORS; e++)
    divergences = divergences || (d->wanted[e] && !fg_estimator_is_w2((fg_estimator)e));
  printf("\nvalue     in the units of the columns%s\n",
         divergences ? "; entropic is a W1, mmd has no unit, energy is the root of a length" : "");
  printf(
      "floor     what the same estimator gives between two samples of one law; a value near it says nothing\n"
      "less bias the value without the estimated bias of a finite sample, which makes it too large; the "
      "interval is about this\n"
      "interval  where the distance of the two laws lies; from 0 when none is needed to explain the value\n"
      "p         how often relabelling the rows at random gives as much; small: the laws differ\n");
}

void fg_distance_table(const fg_distance *d)
{
  bool quiet = d->session->args->value[FG_OPTION_QUIET] != NULL;
  double level = NAN;
  char interval[40];
  for (int e = 0; e < FG_ESTIMATORS; e++)
    if (d->wanted[e]) level = d->settings[e].confidence;
  snprintf(interval, sizeof interval, "%.4g %% interval", 100 * level);
  if (!quiet) {
    put_side(&d->side[0], "A");
    put_side(&d->side[1], "B");
    putchar('\n');
  }
  printf("%-10s %-12s %-10s %-10s %-22s %-7s %s\n", "estimator", "value", "floor", "less bias", interval, "p",
         "rows used");
  for (int e = 0; e < FG_ESTIMATORS; e++)
    if (d->wanted[e]) put_line(d, e);
  if (!quiet) put_notes(d);
  for (size_t k = 0; k < d->warnings; k++) printf("%swarning: %s\n", k ? "" : "\n", d->warning[k]);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

/* JSON is UTF-8 and a path need not be: then its bytes beyond ASCII become question marks. */
static json_t *text_of(const char *word)
{
  json_t *value = json_string(word);
  char *copy = value ? NULL : strdup(word);
  for (char *at = copy; at && *at; at++)
    if ((unsigned char)*at >= 0x80) *at = '?';
  if (copy) value = json_string(copy);
  free(copy);
  return value;
}

static bool put(json_t *to, const char *key, json_t *value)
{
  return json_object_set_new(to, key, value) == 0;
}

static bool put_sides(json_t *root, const fg_distance *d)
{
  bool good = true;
  for (int k = 0; good && k < 2; k++) {
    const fg_side *side = &d->side[k];
    json_t *one = json_object();
    good = put(root, k ? "b" : "a", one) && put(one, "file", text_of(side->word)) &&
           put(one, "rows", json_integer((json_int_t)side->samples.n)) &&
           put(one, "weighted", json_boolean(side->samples.weights != NULL)) &&
           put(one, "effective_rows", json_real(side->effective));
  }
  return good;
}

static json_t *estimate_of(const fg_distance *d, int e)
{
  char *text = NULL;
  if (d->missing[e][0]) return json_pack("{s:n, s:o}", "value", "missing", text_of(d->missing[e]));
  json_t *one = fg_estimate_json((fg_estimator)e, &d->estimate[e], &text, NULL) == FG_OK
                    ? json_loads(text, 0, NULL)
                    : NULL;
  free(text);
  return one;
}

static bool put_estimates(json_t *root, const fg_distance *d)
{
  json_t *w2 = json_object(), *divergences = json_object();
  bool good = put(root, "w2", w2) && put(root, "divergences", divergences);
  for (int e = 0; good && e < FG_ESTIMATORS; e++) {
    if (!d->wanted[e]) continue;
    good = put(fg_estimator_is_w2((fg_estimator)e) ? w2 : divergences, fg_estimator_name((fg_estimator)e),
               estimate_of(d, e));
  }
  return good;
}

static bool put_origin(json_t *root, const fg_distance *d)
{
  const fg_engine *engine = d->session->engine;
  char created[32] = "";
  int64_t seed = 0;
  double level = 0;
  time_t now = time(NULL);
  struct tm utc;
  if (gmtime_r(&now, &utc)) strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return fg_settings_integer(d->session->settings, "seed", &seed, NULL) == FG_OK &&
         fg_settings_real(d->session->settings, "compare.confidence", &level, NULL) == FG_OK &&
         put(root, "schema", json_integer(1)) && put(root, "program", json_string("flowgap")) &&
         put(root, "version", json_string(fg_version())) && put(root, "verb", json_string("distance")) &&
         put(root, "created", json_string(created)) &&
         put(root, "engine", json_string(fg_engine_name(engine))) &&
         put(root, "isa", json_string(fg_engine_isa(engine))) &&
         put(root, "tf32", json_boolean(fg_engine_tf32(engine))) &&
         put(root, "threads", json_integer(fg_threads_count(fg_engine_threads(d->session->engine)))) &&
         put(root, "seed", json_integer(seed)) && put(root, "confidence", json_real(level)) &&
         put(root, "wall_seconds", json_real(d->seconds));
}

json_t *fg_distance_json(const fg_distance *d)
{
  json_t *root = json_object(), *warnings = json_array();
  bool good = put_origin(root, d) && put_sides(root, d) &&
              put(root, "dimension", json_integer((json_int_t)d->side[0].samples.d)) &&
              put_estimates(root, d);
  if (!good) json_decref(warnings);
  good = good && put(root, "warnings", warnings);
  for (size_t k = 0; good && k < d->warnings; k++)
    good = json_array_append_new(warnings, json_string(d->warning[k])) == 0;
  if (!good) json_decref(root);
  return good ? root : NULL;
}
