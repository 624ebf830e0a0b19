/* needs: analysis */
/* Estimates: values against the plain distances, floors against fresh samples, bookkeeping, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <cmocka.h>

#include "flowgap/analysis.h"
#include "formula/random.h"

enum { N = 1200 };

/* Means over many rounds run nothing that one round does not. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define STATISTICS() skip()
#else
#define STATISTICS() ((void)0)
#endif

typedef struct pair {
  double x[2 * N], y[2 * N], wx[N], wy[N];
} pair;

static void cloud(uint64_t seed, size_t n, size_t d, double shift, double sd, double *x)
{
  for (size_t i = 0; i < n; i++)
    for (size_t k = 0; k < d; k++)
      x[i * d + k] = sd * fg_normal(seed, 1, i, 0, (uint32_t)k) + (k == 0 ? shift : 0);
}

static pair *make_pair(double shift)
{
  pair *p = malloc(sizeof *p);
  assert_non_null(p);
  cloud(1, N, 2, 0, 0.7, p->x);
  cloud(2, N, 2, shift, 0.7, p->y);
  for (size_t i = 0; i < N; i++) {
    p->wx[i] = 0.5 + fg_uniform(fg_philox(1, 2, i, 0, 0).w[0]);
    p->wy[i] = 0.5 + fg_uniform(fg_philox(2, 2, i, 0, 0).w[0]);
  }
  return p;
}

static fg_estimate_settings settings_for(fg_estimator estimator)
{
  fg_estimate_settings s;
  fg_estimate_defaults(estimator, &s);
  s.exact_points = 300;
  s.pair_points = 200;
  s.epsilon = 0.3;
  s.bandwidth = 1.5;
  s.grid.bins = 24;
  s.grid.half_width = 3.5;
  s.directions = 20;
  s.permutations = 39;
  s.seed = 5;
  return s;
}

static fg_engine *shared;

static int start(void **unused)
{
  (void)unused;
  return fg_engine_open("cpu", 0, &shared, NULL) != FG_OK;
}

static int stop(void **unused)
{
  (void)unused;
  fg_engine_close(&shared);
  return 0;
}

/* What stands for a shift by 1 of the plane, 0.7 wide: |shift|, in slices the root of half its square. */
static double whole(fg_estimator estimator)
{
  return estimator == FG_W2_SLICED ? sqrt(2) : 1;
}

/* Estimators that this build has. */
static bool there(int k)
{
  static int known[FG_ESTIMATORS];
  static const double x[8] = {0, 0, 1, 0, 0, 1, 1, 1}, y[8] = {2, 0, 3, 0, 2, 1, 3, 1};
  fg_estimate_settings s = settings_for((fg_estimator)k);
  fg_estimate e;
  s.replicates = 2;
  s.permutations = 0;
  if (!known[k])
    known[k] =
        fg_estimate_w2(shared, &s, 4, 4, 2, x, NULL, y, NULL, NULL, &e, NULL) == FG_UNSUPPORTED ? 1 : 2;
  return known[k] == 2;
}

static bool unbiased(fg_estimator estimator)
{
  return estimator == FG_MMD || estimator == FG_ENERGY;
}

static fg_estimate run(fg_engine *engine, const fg_estimate_settings *s, size_t n, size_t m, const double *x,
                       const double *wx, const double *y, const double *wy)
{
  fg_estimate e;
  fg_status st;
  if (fg_estimate_w2(engine ? engine : shared, s, n, m, 2, x, wx, y, wy, NULL, &e, &st) != FG_OK)
    fail_msg("%s", st.message);
  return e;
}

static void defaults_and_names(void **unused)
{
  (void)unused;
  fg_estimate_settings s;
  fg_estimate_defaults(FG_W2_GRID, &s);
  assert_int_equal(s.estimator, FG_W2_GRID);
  assert_int_equal(s.exact_points, 10000);
  assert_int_equal(s.directions, 100);
  assert_int_equal(s.replicates, 40);
  assert_int_equal(s.permutations, 99);
  assert_true(s.confidence == 0.9);
  assert_string_equal(fg_estimator_name(FG_W2_EXACT), "exact");
  assert_string_equal(fg_estimator_name(FG_W2_GRID), "grid");
  assert_string_equal(fg_estimator_name(FG_W2_GAUSSIAN), "gaussian");
  assert_string_equal(fg_estimator_name(FG_W2_SLICED), "sliced");
}

/* Where all rows are used the value is the plain distance, weights and outside rows included. */
static void value_is_the_distance(void **unused)
{
  (void)unused;
  pair *p = make_pair(0.4);
  fg_status st;
  fg_w2 w2;
  for (int weighted = 0; weighted < 2; weighted++) {
    double *wx = weighted ? p->wx : NULL, *wy = weighted ? p->wy : NULL;
    fg_estimate_settings s = settings_for(FG_W2_EXACT);
    size_t n = 250, m = 200;
    fg_estimate e = run(NULL, &s, n, m, p->x, wx, p->y, wy);
    assert_int_equal(fg_w2_exact(NULL, NULL, n, m, 2, p->x, wx, p->y, wy, NULL, &w2, &st), FG_OK);
    assert_true(fabs(e.squared - w2.squared) <= 1e-9 * w2.squared);
    assert_true(e.primal - e.dual <= 1e-9 * e.primal);
    assert_int_equal(e.used_x, n);
    assert_int_equal(e.used_y, m);
    assert_int_equal(e.tested_x, s.permutations > 0 ? n : 0);
    assert_int_equal(e.tested_y, s.permutations > 0 ? m : 0);

    s = settings_for(FG_W2_GAUSSIAN);
    e = run(NULL, &s, N, N, p->x, wx, p->y, wy);
    assert_int_equal(fg_w2_gaussian(N, N, 2, p->x, wx, p->y, wy, &w2, &st), FG_OK);
    assert_true(fabs(e.squared - w2.squared) <= 1e-12);
    assert_true(isnan(e.detail[1]) && isnan(e.detail[0]));

    fg_w2_sliced_settings slicing = {20, 5, NULL};
    fg_w2_slices slices;
    s = settings_for(FG_W2_SLICED);
    e = run(NULL, &s, N, N, p->x, wx, p->y, wy);
    assert_int_equal(
        fg_w2_sliced(NULL, NULL, &slicing, N, N, 2, p->x, wx, p->y, wy, NULL, NULL, &slices, &st), FG_OK);
    assert_true(fabs(e.squared - slices.squared) <= 1e-12 && fabs(e.detail[1] - slices.max_value) <= 1e-12);
    assert_true(fabs(e.detail[0] - slices.standard_error) <= 1e-12);
    assert_int_equal(e.used_x, N);

    s = settings_for(FG_W2_GRID);
    s.grid.half_width = 1.5;
    double a[24 * 24], b[24 * 24];
    size_t out_x, out_y;
    e = run(NULL, &s, N, N, p->x, wx, p->y, wy);
    assert_int_equal(fg_histogram2(&s.grid, N, p->x, wx, a, &out_x, &st), FG_OK);
    assert_int_equal(fg_histogram2(&s.grid, N, p->y, wy, b, &out_y, &st), FG_OK);
    assert_int_equal(fg_w2_grid(NULL, NULL, &s.grid, a, b, NULL, &w2, &st), FG_OK);
    assert_true(fabs(e.squared - w2.squared) <= 1e-10);
    assert_true(out_x > 10 && e.outside_x == out_x && e.outside_y == out_y);
    assert_int_equal(e.used_x, N - out_x);
  }
  free(p);
}

/* The floor against what it stands for: the estimator between fresh samples of one law at the same size. The floor of
 * the unbiased ones is the size of a square whose mean is 0. */
static void floor_is_that_of_fresh_samples(void **unused)
{
  (void)unused;
  STATISTICS();
  enum { ROUNDS = 30, ROWS = 600 };
  static double x[2 * ROWS], y[2 * ROWS];
  for (int k = 0; k < FG_ESTIMATORS; k++) {
    if (!there(k)) continue;
    if (k == FG_W2_MAX_SLICED || k == FG_ENTROPIC)
      continue; /* the first is slow; the floor of the other is no bias */
    fg_estimate_settings s = settings_for((fg_estimator)k);
    s.exact_points = 200; /* ROWS rows: disjoint pairs of 200 exist; grid and gaussian go by halves */
    s.permutations = 0;
    s.replicates = 40;
    double fresh = 0, floor = 0;
    for (uint64_t r = 0; r < ROUNDS; r++) {
      cloud(100 + 2 * r, ROWS, 2, 0, 0.7, x);
      cloud(101 + 2 * r, ROWS, 2, 0, 0.7, y);
      s.seed = r;
      fg_estimate e = run(NULL, &s, ROWS, ROWS, x, NULL, y, NULL);
      assert_true(isnan(e.p_value));
      fresh += (unbiased((fg_estimator)k) ? e.squared * e.squared : e.squared) / ROUNDS;
      floor += (unbiased((fg_estimator)k) ? pow(e.floor, 4) : e.floor * e.floor) / ROUNDS;
    }
    /* Squares spread by about a quarter each (the kernels' by all of it), so means of 30 by 5 % (20 %); the rate of
     * fall is measured, not exact. */
    double ratio = floor / fresh, most = unbiased((fg_estimator)k) ? 2 : 1.33;
    if (!(ratio > 1 / most && ratio < most))
      fail_msg("%s: floor %g of %g", fg_estimator_name((fg_estimator)k), floor, fresh);
  }
}

/* The bias curve falls with the rows, its extrapolation lies nearer the distance of the laws than the value does, and
 * in high dimension far nearer. Means over rounds, so that the draw does not decide. */
static void extrapolation_beats_the_value(void **unused)
{
  (void)unused;
  enum { ROUNDS = 5, ROWS = 300, MOST = 10 };
  static double x[MOST * ROWS], y[MOST * ROWS];
  const size_t dimensions[] = {5, 10};
  for (int k = 0; k < 2; k++) {
    size_t d = dimensions[k];
    fg_estimate_settings s = settings_for(FG_W2_EXACT);
    double raw = 0, corrected = 0;
    s.permutations = 0;
    s.replicates = 20;
    for (uint64_t r = 0; r < ROUNDS; r++) {
      fg_estimate e;
      s.seed = r;
      cloud(300 + 2 * r, ROWS, d, 0, 1, x);
      cloud(301 + 2 * r, ROWS, d, 1, 1, y);
      assert_int_equal(fg_estimate_w2(shared, &s, ROWS, ROWS, d, x, NULL, y, NULL, NULL, &e, NULL), FG_OK);
      raw += fabs(e.squared - 1) / ROUNDS;
      corrected += fabs(e.extrapolated - 1) / ROUNDS;
      assert_true(e.bias_points == 4 && e.bias_rows[0] == ROWS && e.bias_rows[3] == ROWS / 8.0);
      assert_true(e.bias_squared[0] == e.squared && e.bias_se[0] > 0);
      for (size_t j = 1; j < e.bias_points; j++) assert_true(e.bias_squared[j] > e.bias_squared[j - 1]);
      /* 2 / d in the limit of many rows, somewhat more before */
      assert_true(e.extrapolation_rate >= 2 / (double)d && e.extrapolation_rate < 2 / (double)d + 0.15);
      assert_true(e.ci_high < e.value); /* the value is no estimate of the distance of the laws here */
    }
    if (!(corrected < 0.3 * raw)) fail_msg("d = %zu: off by %g, raw %g", d, corrected, raw);
  }
}

/* Where there is no bias nothing is taken off; where it is small the extrapolation stays within its error. */
static void flat_curves_stay(void **unused)
{
  (void)unused;
  pair *p = make_pair(1);
  for (int k = 0; k < FG_ESTIMATORS; k++) {
    if (!there(k)) continue;
    fg_estimate_settings s = settings_for((fg_estimator)k);
    s.permutations = 0;
    if (k == FG_W2_MAX_SLICED) continue;
    fg_estimate e = run(NULL, &s, N, N, p->x, NULL, p->y, NULL);
    if (unbiased((fg_estimator)k))
      assert_true(e.extrapolated == e.squared && isnan(e.extrapolation_rate));
    else
      assert_true(fabs(e.extrapolated - e.squared) < e.extrapolated_se && e.extrapolated != e.squared);
    assert_true(e.bias_points >= 3 && e.bias_points <= FG_BIAS_POINTS);
  }
  free(p);
}

static void gap_and_no_gap(void **unused)
{
  (void)unused;
  pair *none = make_pair(0), *wide = make_pair(1);
  for (int k = 0; k < FG_ESTIMATORS; k++) {
    if (!there(k)) continue;
    fg_estimate_settings s = settings_for((fg_estimator)k);
    size_t rows = k == FG_W2_MAX_SLICED ? 200 : N; /* which is slow */
    fg_estimate e = run(NULL, &s, rows, rows, wide->x, NULL, wide->y, NULL);
    double full = whole((fg_estimator)k), low = full * e.ci_low, high = full * e.ci_high;
    assert_true(e.p_value == 1.0 / 40); /* the smallest that 39 permutations can give */
    assert_true(!fg_estimator_is_w2((fg_estimator)k) || (low < 1 && 1 < high && low > 0.65 && high < 1.35));
    assert_true(e.ci_low < e.value && e.value < e.ci_high && e.ci_low > 0);
    if (k == FG_ENTROPIC) continue; /* not 0 between equal laws */
    assert_true(e.value > 2 * e.floor);
    e = run(NULL, &s, rows, rows, none->x, NULL, none->y, NULL);
    assert_true(e.p_value > 1.0 / 40);
    assert_true(e.ci_low == 0 && e.ci_high > 0);
    assert_true(e.value < 2 * e.floor);
  }
  free(none);
  free(wide);
}

/* A translation by c: the square's standard deviation is 2 |c| sd sqrt(2 / n) to leading order. */
static void interval_has_the_right_width(void **unused)
{
  (void)unused;
  STATISTICS();
  pair *p = make_pair(3);
  for (int k = 0; k < FG_ESTIMATORS; k++) {
    if (!there(k)) continue;
    fg_estimate_settings s = settings_for((fg_estimator)k);
    s.grid.half_width = 6;
    s.replicates = 400;
    s.permutations = 0;
    if (k == FG_W2_MAX_SLICED || k == FG_W2_SINKHORN || !fg_estimator_is_w2((fg_estimator)k))
      continue; /* slow */
    fg_estimate e = run(NULL, &s, N, N, p->x, NULL, p->y, NULL);
    double used = (double)e.used_x, half = 0.5 * (e.ci_high * e.ci_high - e.ci_low * e.ci_low);
    double expected = 1.653 * 2 * 3 * 0.7 * sqrt(2 / used); /* Student's t for 200 */
    if (k == FG_W2_SLICED) {
      /* (direction . 3)^2: variance 9^2 / 8 over the circle, of which 20 give the error to a fifth and more */
      assert_true(fabs(e.detail[0] / (9 / sqrt(8 * 20)) - 1) < 0.4);
      half = sqrt(half * half - 1.653 * 1.653 * e.detail[0] * e.detail[0]);
      expected *= e.squared / 9; /* the mean of direction direction' instead of I, along the shift */
    }
    /* 200 pairs tell a standard deviation to 5 %; one sample's own variance adds as much. */
    if (!(fabs(half / expected - 1) < 0.2))
      fail_msg("%s: %g, expected %g", fg_estimator_name((fg_estimator)k), half, expected);
  }
  free(p);
}

static void same_on_any_threads(void **unused)
{
  (void)unused;
  pair *p = make_pair(0.2);
  const int counts[] = {1, 2, 5};
  for (int k = 0; k < FG_ESTIMATORS; k++) {
    if (!there(k)) continue;
    fg_estimate_settings s = settings_for((fg_estimator)k);
    size_t rows = k == FG_W2_MAX_SLICED ? 150 : N; /* which is slow */
    s.replicates = 10;
    s.permutations = 9;
    fg_estimate first = run(NULL, &s, rows, rows - 100, p->x, NULL, p->y, p->wy);
    for (int c = 0; c < 3; c++) {
      fg_engine *engine;
      assert_int_equal(fg_engine_open("cpu", counts[c], &engine, NULL), FG_OK);
      fg_estimate e = run(engine, &s, rows, rows - 100, p->x, NULL, p->y, p->wy);
      e.seconds = first.seconds;
      assert_true(e.squared == first.squared && e.value == first.value && e.floor == first.floor &&
                  e.ci_low == first.ci_low && e.ci_high == first.ci_high && e.p_value == first.p_value &&
                  e.extrapolated == first.extrapolated && e.extrapolated_se == first.extrapolated_se);
      assert_true(e.dual == first.dual || (isnan(e.dual) && isnan(first.dual)));
      assert_memory_equal(e.bias_squared, first.bias_squared, sizeof e.bias_squared);
      fg_engine_close(&engine);
    }
    s.seed++;
    fg_estimate other = run(NULL, &s, rows, rows - 100, p->x, NULL, p->y, p->wy);
    assert_true(other.floor != first.floor);
  }
  free(p);
}

typedef struct watch {
  volatile sig_atomic_t cancel;
  double last, total;
  int calls, stop_after;
} watch;

static void note(void *user, const char *stage, double done, double total)
{
  watch *w = user;
  assert_string_equal(stage, "gaussian");
  assert_true(done == w->last + 1);
  w->last = done;
  w->total = total;
  if (++w->calls == w->stop_after) w->cancel = 1;
}

static void progress_and_cancel(void **unused)
{
  (void)unused;
  pair *p = make_pair(0.2);
  fg_estimate_settings s = settings_for(FG_W2_GAUSSIAN);
  watch w = {0, 0, 0, 0, 0};
  fg_progress progress = {note, &w, &w.cancel};
  fg_estimate e;
  fg_status st;
  assert_int_equal(fg_estimate_w2(NULL, &s, N, N, 2, p->x, NULL, p->y, NULL, &progress, &e, &st), FG_OK);
  assert_true(w.last == w.total && w.total > 39);
  w = (watch){0, 0, 0, 0, 7};
  assert_int_equal(fg_estimate_w2(NULL, &s, N, N, 2, p->x, NULL, p->y, NULL, &progress, &e, &st),
                   FG_INTERRUPTED);
  assert_int_equal(w.calls, 7);
  free(p);
}

typedef struct stages {
  volatile sig_atomic_t cancel;
  const char *awaited;
  int seen;
  bool stop;
} stages;

static void follow(void *user, const char *stage, double done, double total)
{
  stages *s = user;
  assert_true(done >= 0 && done <= total);
  if (strcmp(stage, s->awaited) != 0) return;
  s->seen++;
  if (s->stop) __atomic_store_n(&s->cancel, 1, __ATOMIC_RELAXED); /* other threads look */
}

/* The value and the one pass of permutations may be long: they tell of themselves and end when asked. */
static void long_stages_report_and_stop(void **unused)
{
  (void)unused;
  static const struct {
    fg_estimator estimator;
    const char *stage;
  } cases[] = {{FG_W2_EXACT, "exact, value"},          {FG_W2_GRID, "grid, value"},
               {FG_W2_SLICED, "sliced, value"},        {FG_W2_SINKHORN, "sinkhorn, value"},
               {FG_MMD, "mmd, permutations"},          {FG_ENERGY, "energy, value"},
               {FG_W2_MAX_SLICED, "max_sliced, value"}};
  pair *p = make_pair(0.2);
  fg_estimate e;
  fg_status st;
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    if (!there(cases[k].estimator)) continue;
    fg_estimate_settings s = settings_for(cases[k].estimator);
    for (int stop = 0; stop < 2; stop++) {
      stages w = {0, cases[k].stage, 0, stop};
      fg_progress progress = {follow, &w, &w.cancel};
      assert_int_equal(fg_estimate_w2(shared, &s, 150, 150, 2, p->x, NULL, p->y, NULL, &progress, &e, &st),
                       stop ? FG_INTERRUPTED : FG_OK);
      if (w.seen == 0) fail_msg("%s: not reported", cases[k].stage);
    }
  }
  free(p);
}

static void names_from_settings(void **unused)
{
  (void)unused;
  fg_settings *s;
  fg_status st;
  bool wanted[FG_ESTIMATORS], all;
  assert_int_equal(fg_settings_create(&s, &st), FG_OK);
  assert_int_equal(fg_estimators_from_settings(s, wanted, &all, &st), FG_OK);
  assert_true(!all && wanted[FG_W2_EXACT] && wanted[FG_W2_SINKHORN] && !wanted[FG_MMD]);
  assert_int_equal(fg_settings_assign(s, "compare.estimators=mmd,grid", &st), FG_OK);
  assert_int_equal(fg_estimators_from_settings(s, wanted, &all, &st), FG_OK);
  assert_true(!all && wanted[FG_MMD] && wanted[FG_W2_GRID] && !wanted[FG_W2_EXACT]);
  assert_int_equal(fg_settings_assign(s, "compare.estimators=all", &st), FG_OK);
  assert_int_equal(fg_estimators_from_settings(s, wanted, &all, &st), FG_OK);
  for (int e = 0; e < FG_ESTIMATORS; e++) assert_true(wanted[e]);
  assert_true(all);
  fg_settings_destroy(&s);
}

static void refused(void **unused)
{
  (void)unused;
  pair *p = make_pair(0.2);
  fg_estimate e;
  fg_status st;
  fg_estimate_settings s = settings_for(FG_W2_EXACT);
#define CALL(n, m, d, x, wx) fg_estimate_w2(shared, &s, n, m, d, x, wx, p->y, NULL, NULL, &e, &st)
  assert_int_equal(CALL(3, N, 2, p->x, NULL), FG_USAGE);
  assert_int_equal(CALL(N, 0, 2, p->x, NULL), FG_USAGE);
  s.replicates = 1;
  assert_int_equal(CALL(N, N, 2, p->x, NULL), FG_USAGE);
  s = settings_for(FG_W2_EXACT);
  s.confidence = 1;
  assert_int_equal(CALL(N, N, 2, p->x, NULL), FG_USAGE);
  s = settings_for(FG_W2_EXACT);
  s.exact_points = 1;
  assert_int_equal(CALL(N, N, 2, p->x, NULL), FG_USAGE);
  s = settings_for(FG_W2_SLICED);
  s.directions = 1;
  assert_int_equal(CALL(N, N, 2, p->x, NULL), FG_USAGE);
  assert_non_null(strstr(st.message, "directions is 1"));
  s = settings_for(FG_W2_GRID);
  assert_int_equal(CALL(N, N / 2, 4, p->x, NULL), FG_USAGE); /* not in the plane (never read) */
  s.grid.half_width = 1e-9;
  assert_int_equal(CALL(N, N, 2, p->x, NULL), FG_USAGE);
  assert_non_null(strstr(st.message, "inside the grid"));
  for (int k = 0; k < FG_ESTIMATORS; k++) {
    if (!there(k)) continue;
    s = settings_for((fg_estimator)k);
    p->wx[11] = -1;
    assert_int_equal(CALL(N, N, 2, p->x, p->wx), FG_USAGE);
    assert_non_null(strstr(st.message, "row 11"));
    p->x[41] = NAN;
    assert_int_equal(CALL(N, N, 2, p->x, NULL), FG_NUMERICS);
    assert_non_null(strstr(st.message, "row 20 of x"));
    p->x[41] = 0;
    memset(p->wx, 0, sizeof p->wx);
    assert_int_equal(CALL(N, N, 2, p->x, p->wx), FG_USAGE);
    p->wx[11] = 1;
    assert_int_equal(CALL(N, N, 2, p->x, p->wx), FG_USAGE); /* one row is left */
  }
#undef CALL
  free(p);
}

/* Degenerate samples: figures stay figures. */
/* The width chosen for a grid holds 99.9 % of both samples and is no wider than it needs: points run evenly up to 40 in
 * size, and one in 2000 runs away to 1e6. */
static void chosen_width(void **unused)
{
  (void)unused;
  enum { MANY = 20000 };
  double *x = malloc(2 * MANY * sizeof *x), *y = malloc(2 * MANY * sizeof *y);
  assert_true(x && y);
  for (size_t i = 0; i < MANY; i++) {
    x[2 * i] = i % 2000 ? 40.0 * (double)i / MANY : 1e6;
    x[2 * i + 1] = -x[2 * i] / 2;
    y[2 * i] = y[2 * i + 1] = 10.0 * (double)i / MANY;
  }
  fg_estimate_settings s = settings_for(FG_W2_GRID);
  s.grid.bins = 64;
  s.grid.half_width = NAN;
  s.replicates = 10;
  s.permutations = 0;
  fg_estimate e = run(NULL, &s, MANY, MANY, x, NULL, y, NULL);
  assert_int_equal(e.outside_x, MANY / 2000);
  assert_int_equal(e.outside_y, 0);
  /* mean square of the two coordinates' monotone moves, (30 u)^2 + (30 u)^2 at the best sign; bins are 1.4 wide */
  assert_true(e.value > 10 && e.value < 30);
  free(x);
  free(y);
}

static void degenerate(void **unused)
{
  (void)unused;
  static double x[2 * 50], y[2 * 50];
  for (int k = 0; k < FG_ESTIMATORS; k++) {
    if (!there(k)) continue;
    fg_estimate_settings s = settings_for((fg_estimator)k);
    for (size_t i = 0; i < 50; i++) {
      x[2 * i] = y[2 * i] = 1;
      x[2 * i + 1] = 2;
      y[2 * i + 1] = k == FG_W2_GRID ? 2 + 2 * 3.5 / 23 * 3 : 3;
    }
    fg_estimate e = run(NULL, &s, 50, 50, x, NULL, y, NULL);
    if (!fg_estimator_is_w2((fg_estimator)k)) { /* kernels and entropies of points: no error, no floor */
      assert_true(e.squared > 0 && fabs(e.ci_high - e.value) < 1e-6 && fabs(e.ci_low - e.value) < 1e-6);
      assert_true(e.floor < 1e-6 && e.p_value == 1.0 / 40);
      continue;
    }
    double gap = y[1] - x[1];
    if (k == FG_W2_SLICED) { /* only directions are uncertain */
      assert_true(e.detail[1] <= gap && e.detail[1] > 0.9 * gap && e.value < gap);
      double reach = 1.725 * e.detail[0], skew = reach * reach / (4 * e.squared); /* Student's t for 20 */
      assert_true(fabs(e.ci_high * e.ci_high - e.squared - reach - skew) < 1e-3 * reach);
      assert_true(fabs(e.squared - e.ci_low * e.ci_low - reach + skew) < 1e-3 * reach);
      gap = e.value;
    } else {
      assert_true(fabs(e.ci_low - gap) < 1e-7 && fabs(e.ci_high - gap) < 1e-7);
    }
    assert_true(fabs(e.value - gap) < 1e-12 && e.floor < 1e-12);
    assert_true(e.p_value == 1.0 / 40);
    e = run(NULL, &s, 50, 50, x, NULL, x, NULL);
    assert_true(e.value == 0 && e.floor == 0 && e.ci_low == 0 && e.ci_high == 0 && e.p_value == 1);
    e = run(NULL, &s, 4, 4, x, NULL, y, NULL);
    assert_true(fabs(e.value - gap) < 1e-12);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(defaults_and_names),
      cmocka_unit_test(value_is_the_distance),
      cmocka_unit_test(floor_is_that_of_fresh_samples),
      cmocka_unit_test(extrapolation_beats_the_value),
      cmocka_unit_test(flat_curves_stay),
      cmocka_unit_test(gap_and_no_gap),
      cmocka_unit_test(interval_has_the_right_width),
      cmocka_unit_test(same_on_any_threads),
      cmocka_unit_test(progress_and_cancel),
      cmocka_unit_test(long_stages_report_and_stop),
      cmocka_unit_test(names_from_settings),
      cmocka_unit_test(refused),
      cmocka_unit_test(chosen_width),
      cmocka_unit_test(degenerate),
  };
  return cmocka_run_group_tests(tests, start, stop);
}
