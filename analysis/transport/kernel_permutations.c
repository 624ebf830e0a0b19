/* Kernel statistics of many ways to deal the same rows to two samples. With a the weights of the rows in the first sample,
 * b those in the second and w = a + b, the statistic
 *     s = alpha a'K a + beta b'K b - 2 gamma a'K b   (K without its diagonal)
 * is u'K u + (beta - q^2) w'K w, where u = p a - q w, p^2 = alpha + beta + 2 gamma and p q = beta + gamma: one column
 * for each way, and one for w. */
#include <math.h>
#include <stdlib.h>

#include "analysis/statistics.h"
#include "analysis/transport/kernel_distance.h"
#include "analysis/transport/transport.h"
#include "engine.h"

enum { FG_GROUP = 256 }; /* columns of one pass */
#define FG_TIE 1e-12     /* of the mean kernel: rounding of a statistic stays far below */

typedef struct fg_dealing {
  fg_engine *engine;
  fg_threads *threads;
  fg_pair_sums_request request;
  size_t rows;
  const double *weight;
  fg_deal *deal;
  void *user;
  unsigned char *label;  /* [rows] */
  double *column;        /* [rows, columns] */
  double rest[FG_GROUP]; /* beta - q^2 */
  double sums[FG_GROUP];
} fg_dealing;

static double fg_dealt_weight(const fg_dealing *s, size_t i)
{
  return s->weight ? s->weight[i] : 1;
}

/* Column `at` of `columns`: u of way k. */
static fg_code fg_deal_column(fg_dealing *s, size_t k, size_t at, size_t columns, fg_status *st)
{
  fg_sum total[2] = {{0, 0}, {0, 0}}, square[2] = {{0, 0}, {0, 0}};
  size_t count[2] = {0, 0};
  s->deal(s->user, k, s->label);
  for (size_t i = 0; i < s->rows; i++) {
    const int side = s->label[i] == 'b';
    const double w = fg_dealt_weight(s, i);
    fg_sum_add(&total[side], w);
    fg_sum_add(&square[side], w * w);
    count[side]++;
  }
  if (count[0] < 2 || count[1] < 2)
    return FG_FAIL(st, FG_USAGE,
                   "a statistic of pairs between %zu and %zu rows: it needs at least two of each", count[0],
                   count[1]);
  const double a = fg_sum_value(&total[0]), b = fg_sum_value(&total[1]);
  const double alpha = 1 / (a * a - fg_sum_value(&square[0])), beta = 1 / (b * b - fg_sum_value(&square[1]));
  const double gamma = 1 / (a * b), p = sqrt(alpha + beta + 2 * gamma), q = (beta + gamma) / p;
  for (size_t i = 0; i < s->rows; i++)
    s->column[i * columns + at] = fg_dealt_weight(s, i) * (s->label[i] == 'b' ? -q : p - q);
  s->rest[at] = beta - q * q;
  return FG_OK;
}

/* Ways first .. first + count - 1. */
static fg_code fg_deal_group(fg_dealing *s, size_t first, size_t count, double *squared, fg_status *st)
{
  fg_engine *e = s->engine;
  const size_t columns = count + 1;
  const double sign = s->request.kernel == FG_PAIR_DISTANCE ? -1 : 1;
  fg_sum total = {0, 0};
  for (size_t i = 0; i < s->rows; i++) {
    s->column[i * columns] = fg_dealt_weight(s, i);
    fg_sum_add(&total, fg_dealt_weight(s, i));
  }
  for (size_t k = 0; k < count; k++) FG_TRY(fg_deal_column(s, first + k, k + 1, columns, st));
  FG_TRY(e->ops->upload(e, s->request.a, 0, s->column, s->rows * columns * sizeof *s->column, st));
  s->request.columns = columns;
  FG_TRY(e->ops->pair_sums(e, s->threads, &s->request, st));
  const double mean = s->sums[0] / (fg_sum_value(&total) * fg_sum_value(&total));
  for (size_t k = 0; k < count; k++) {
    double *to = &squared[first + k];
    *to = sign * (s->sums[k + 1] + s->rest[k + 1] * s->sums[0]);
    if (fabs(*to - squared[0]) <= FG_TIE * mean) *to = squared[0];
  }
  return FG_OK;
}

static fg_code fg_deal_buffers(fg_dealing *s, const fg_pair *pair, size_t columns, fg_status *st)
{
  fg_engine *e = s->engine;
  const size_t d = pair->d, size = s->rows * d * sizeof(double);
  s->label = malloc(s->rows);
  s->column = malloc(s->rows * columns * sizeof *s->column);
  if (!s->label || !s->column)
    return FG_FAIL(st, FG_MEMORY, "no memory for %zu ways to deal %zu rows", columns, s->rows);
  FG_TRY(e->ops->alloc(e, size, &s->request.x, st));
  FG_TRY(e->ops->alloc(e, s->rows * columns * sizeof *s->column, &s->request.a, st));
  FG_TRY(e->ops->upload(e, s->request.x, 0, pair->x, d * sizeof(double), st));
  return e->ops->upload(e, s->request.x, d * sizeof(double), pair->y, size - d * sizeof(double), st);
}

fg_code fg_kernel_permutations(fg_engine *engine, fg_threads *threads, double bandwidth, size_t rows,
                               size_t d, const double *z, const double *weight, size_t count, fg_deal *deal,
                               void *user, const fg_progress *progress, double *squared, fg_status *st)
{
  fg_pair pair; /* the first row and the others: scaled and moved as a distance has them */
  const bool energy = isnan(bandwidth);
  fg_code rc = FG_OK;
  if (!engine->ops->pair_sums) return fg_engine_lacks(engine, "sum over pairs", st);
  if (rows < 4) return FG_FAIL(st, FG_USAGE, "%zu rows to deal to two samples: give at least 4", rows);
  FG_TRY(fg_pair_create(1, rows - 1, d, z, NULL, z + d, NULL, &pair, st));
  fg_pair_move(&pair);
  fg_dealing s = {.engine = engine,
                  .threads = threads,
                  .rows = rows,
                  .weight = weight,
                  .deal = deal,
                  .user = user,
                  .request = {.precision = FG_DOUBLE,
                              .kernel = energy ? FG_PAIR_DISTANCE : FG_PAIR_GAUSSIANS,
                              .bandwidth = fmin(fmax(ldexp(bandwidth, -pair.exponent), 1e-300), 1e300),
                              .within = 1,
                              .n = rows,
                              .d = d,
                              .progress = progress}};
  s.request.sums = s.sums;
  FG_GO(fg_deal_buffers(&s, &pair, count + 1 < FG_GROUP ? count + 1 : FG_GROUP, st), done);
  for (size_t at = 0; at < count; at += FG_GROUP - 1)
    FG_GO(fg_deal_group(&s, at, count - at < FG_GROUP - 1 ? count - at : FG_GROUP - 1, squared, st), done);
  for (size_t k = 0; energy && k < count; k++) squared[k] = ldexp(squared[k], pair.exponent);
done:
  engine->ops->free(engine, &s.request.x);
  engine->ops->free(engine, &s.request.a);
  free(s.label);
  free(s.column);
  fg_pair_clear(&pair);
  return rc;
}
