/* Rows of a file as a target: each once in an order keyed by the seed, then again; by weight, with replacement, when
 * they have weights. */
#include <math.h>
#include <stdlib.h>

#include "target/target_impl.h"

static const fg_target_ops samples_ops;

typedef struct rows {
  fg_samples samples;
  double total;       /* of the weights */
  double *cumulative; /* [n] */
} rows;

/* A permutation of 0 .. n-1 without a table: a four-round Feistel network on the next power of four, walked until it
 * lands below n (Luby and Rackoff 1988; Black and Rogaway 2002). At most four steps are expected. */
static uint64_t permuted(uint64_t seed, uint64_t n, uint64_t at)
{
  unsigned half = 1;
  while (half < 32 && (UINT64_C(1) << (2 * half)) < n) half++;
  const uint64_t mask = (UINT64_C(1) << half) - 1;
  do {
    uint64_t left = at >> half, right = at & mask;
    for (uint32_t round = 0; round < 4; round++) {
      uint64_t next = left ^ (fg_philox(seed, FG_STREAM_TARGET, right, round, 1).w[0] & mask);
      left = right;
      right = next;
    }
    at = (left << half) | right;
  } while (at >= n);
  return at;
}

size_t fg_target_rows(const fg_target *t)
{
  if (t->ops != &samples_ops) return 0;
  const rows *r = t->data;
  return r->samples.weights ? 0 : r->samples.n;
}

static void sample(const fg_target *t, uint64_t seed, uint64_t row, double *x)
{
  const rows *r = t->data;
  if (!r->samples.weights) {
    size_t drawn = (size_t)permuted(seed, r->samples.n, row % r->samples.n);
    for (size_t i = 0; i < t->d; i++) x[i] = r->samples.x[drawn * t->d + i];
    return;
  }
  fg_words words = fg_philox(seed, FG_STREAM_TARGET, row, 0, 0);
  size_t at = fg_target_pick(r->samples.n, r->cumulative, fg_uniform52(words.w[0], words.w[1]));
  for (size_t i = 0; i < t->d; i++) x[i] = r->samples.x[at * t->d + i];
}

static double weight(const rows *r, size_t i)
{
  return r->samples.weights ? r->samples.weights[i] : 1.0;
}

static double mean_of(const fg_target *t, size_t i)
{
  const rows *r = t->data;
  double sum = 0.0;
  for (size_t n = 0; n < r->samples.n; n++) sum += weight(r, n) * r->samples.x[n * t->d + i];
  return sum / r->total;
}

/* Of the law that is drawn from: weights that sum to 1, no n - 1. */
static void moments(const fg_target *t, double *mean, double *covariance)
{
  const rows *r = t->data;
  size_t d = t->d;
  fg_target_zero_moments(d, mean, covariance);
  for (size_t i = 0; i < d; i++) {
    double mi = mean_of(t, i);
    if (mean) mean[i] = mi;
    for (size_t j = 0; covariance && j <= i; j++) {
      double mj = mean_of(t, j), sum = 0.0;
      for (size_t n = 0; n < r->samples.n; n++)
        sum += weight(r, n) * (r->samples.x[n * d + i] - mi) * (r->samples.x[n * d + j] - mj);
      covariance[i * d + j] = covariance[j * d + i] = sum / r->total;
    }
  }
}

static void destroy(void *data)
{
  rows *r = data;
  if (!r) return;
  fg_samples_clear(&r->samples);
  free(r->cumulative);
  free(r);
}

static const fg_target_ops samples_ops = {NULL, sample, NULL, moments, destroy, NULL};

static fg_code fill(const fg_target_settings *s, rows *r, fg_status *st)
{
  FG_TRY(fg_samples_read(s->file, s->dataset && *s->dataset ? s->dataset : NULL, &r->samples, st));
  size_t n = r->samples.n;
  if (n == 0 || r->samples.d == 0)
    return FG_FAIL(st, FG_IO, "%s holds no points: a target needs at least one", s->file);
  if (s->dimension && s->dimension != r->samples.d)
    return FG_FAIL(st, FG_USAGE,
                   "target.dimension is %zu but the points of %s have %zu: leave it out, or mend the file",
                   s->dimension, s->file, r->samples.d);
  r->cumulative = malloc(n * sizeof *r->cumulative);
  if (!r->cumulative) return FG_FAIL(st, FG_MEMORY, "no memory for the weights of %zu points", n);
  for (size_t i = 0; i < n; i++) {
    double w = weight(r, i);
    if (!(w >= 0.0) || !isfinite(w))
      return FG_FAIL(st, FG_IO, "%s: the weight of point %zu is %g: weights must be finite and >= 0", s->file,
                     i, w);
    r->cumulative[i] = w;
    r->total += w;
  }
  if (!(r->total > 0.0) || !isfinite(r->total))
    return FG_FAIL(st, FG_IO, "%s: the weights sum to %g: they must have a finite sum > 0", s->file,
                   r->total);
  fg_target_cumulate(n, r->cumulative, r->cumulative);
  return FG_OK;
}

fg_code fg_target_make_samples(const fg_target_settings *s, fg_target *target, fg_status *st)
{
  if (!s->file || !*s->file)
    return FG_FAIL(st, FG_USAGE, "target.file is empty: name an HDF5, NPY or CSV file of points");
  rows *r = calloc(1, sizeof *r);
  if (!r) return FG_FAIL(st, FG_MEMORY, "no memory for a target");
  fg_code rc = fill(s, r, st);
  if (rc != FG_OK) {
    destroy(r);
    return rc;
  }
  target->d = r->samples.d;
  target->abilities = FG_TARGET_SAMPLE | FG_TARGET_MOMENTS;
  target->ops = &samples_ops;
  target->data = r;
  return FG_OK;
}
