/* One call of the slot `ensemble` along an Ornstein-Uhlenbeck process, its buffers between guards. */
#ifndef FG_TESTS_ENSEMBLE_RUN_H
#define FG_TESTS_ENSEMBLE_RUN_H

#include "support/shim_cases.h"

/* As coeff_at. */
static inline fg_noising ou(void)
{
  fg_noising p;
  memset(&p, 0, sizeof p);
  p.kind = FG_NOISING_OU;
  p.horizon = 2;
  p.rate = 1;
  p.diff = sqrt(2);
  return p;
}

enum { SNAPSHOTS = 4, BINS = 6 };

/* Steps of a particle at most; tolerance in double precision. */
static int flight_steps = 1000;
static double flight_rtol = 1e-6;

/* Request, its buffers, and what came back. */
typedef struct flight {
  fg_ensemble_request request;
  guarded x, log_p, t, end, counts, bin, kept, kept_log_p;
  double snapshot_t[SNAPSHOTS];
} flight;

/* Starts x [n, d], or NULL: drawn. */
static inline void flight_open(fg_engine *e, const field_case *c, fg_precision precision, size_t n,
                               const double *x, int with_log_p, int forward, flight *f)
{
  const size_t d = (size_t)c->d, tiles = (n + FG_ENSEMBLE_TILE - 1) / FG_ENSEMBLE_TILE;
  memset(f, 0, sizeof *f);
  case_state = 21;
  f->x = x ? guarded_open(e, n * d * 8, x) : guarded_draws(e, n * d, 2);
  f->log_p = guarded_draws(e, n, 1);
  f->t = guarded_open(e, n * 8, NULL);
  f->end = guarded_open(e, n * sizeof(int32_t), NULL);
  f->counts = guarded_open(e, n * FG_ENSEMBLE_COUNTS * sizeof(uint32_t), NULL);
  f->bin = guarded_open(e, tiles * 2 * BINS * sizeof(uint32_t), NULL);
  f->kept = guarded_open(e, SNAPSHOTS * n * d * 8, NULL);
  f->kept_log_p = guarded_open(e, SNAPSHOTS * n * 8, NULL);
  fg_ensemble_request *r = &f->request;
  r->precision = precision;
  r->n = n;
  r->process = ou();
  r->t0 = forward ? 0.1 : 1.7;
  r->t1 = forward ? 1.7 : 0.1;
  r->rtol = precision == FG_SINGLE ? 1e-4 : flight_rtol;
  r->atol = 1e-2 * r->rtol;
  r->least_step = 1e-14;
  r->max_steps = flight_steps;
  r->x = f->x.inner;
  if (with_log_p) r->log_p = f->log_p.inner;
  r->t = f->t.inner;
  r->end = f->end.inner;
  r->counts = f->counts.inner;
  r->bins = BINS;
  r->bin_low = log(0.1);
  r->bins_per_log = BINS / log(17);
  r->bin = f->bin.inner;
  const double share[SNAPSHOTS] = {0, 0.3, 0.7, 1};
  for (int k = 0; k < SNAPSHOTS; k++)
    f->snapshot_t[k] = k == SNAPSHOTS - 1 ? r->t1 : r->t0 + share[k] * (r->t1 - r->t0);
  r->snapshots = SNAPSHOTS;
  r->snapshot_t = f->snapshot_t;
  r->snapshot_x = f->kept.inner;
  if (with_log_p) r->snapshot_log_p = f->kept_log_p.inner;
}

/* Integers as doubles into a piece. */
static inline void take_integers(record *out, const char *name, fg_engine *e, guarded *g)
{
  const size_t count = g->inner.bytes / sizeof(int32_t);
  int32_t *numbers = malloc(g->inner.bytes + 1);
  assert_non_null(numbers);
  guarded_close(e, g, numbers);
  double *value = record_room(out, name, count);
  for (size_t i = 0; i < count; i++) value[i] = numbers[i];
  free(numbers);
}

enum { X, TIME, KEPT, LOG_P, KEPT_LOG_P, FLOATS, END = FLOATS, COUNTS, BIN, RECORDED };

static inline void flight_close(fg_engine *e, flight *f, record *out)
{
  out->pieces = 0;
  record_take(out, "x", e, &f->x);
  record_take(out, "t", e, &f->t);
  record_take(out, "snapshots", e, &f->kept);
  if (!f->request.log_p.device) { /* what was not asked for was not touched */
    const double none = 0;
    guarded_close(e, &f->log_p, NULL);
    guarded_close(e, &f->kept_log_p, NULL);
    record_room(out, "log_p", 0)[0] = none;
    record_room(out, "snapshots of log_p", 0)[0] = none;
  } else {
    record_take(out, "log_p", e, &f->log_p);
    record_take(out, "snapshots of log_p", e, &f->kept_log_p);
  }
  take_integers(out, "end", e, &f->end);
  take_integers(out, "counts", e, &f->counts);
  take_integers(out, "bin", e, &f->bin);
  assert_int_equal(out->pieces, RECORDED);
}

/* (Where a particle is after two steps depends on their lengths, which roundings of a small estimate of the error change.)
 * Steps and ends are the same integers in double where the field is smooth. In float, and where clips make kinks, a step
 * may pass here and fail there: then two runs within a tolerance of 1e-4 or flight_rtol, magnified by the flow; kinked is
 * what they differ by then in double. */
static inline void flight_compare(record *a, record *b, fg_precision precision, const field_case *c,
                                  double kinked)
{
  if (precision == FG_SINGLE || c->guide) a->pieces = b->pieces = FLOATS;
  record_compare(a, b,
                 precision == FG_SINGLE ? c->guide ? 0.1 : 5e-3
                 : c->guide             ? kinked
                 : SLOW                 ? 1e-4
                                        : 1e-10);
  a->pieces = b->pieces = RECORDED;
}

static inline void fly(fg_engine *e, const field_case *c, fg_precision precision, size_t n, const double *x,
                       int with_log_p, int forward, record *out)
{
  held_field h = field_open(e, c);
  flight f;
  flight_open(e, c, precision, n, x, with_log_p, forward, &f);
  MUST(e->ops->ensemble(e, e->threads, &h.field, &f.request, ST));
  out->of = c->name;
  flight_close(e, &f, out);
  field_close(e, &h);
}

#endif
