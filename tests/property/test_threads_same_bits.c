/* needs: flow */
/* Results depend on seed, stream and particle number alone: not on threads, tile size, chunks, or how a run is
 * split; and a refined Brownian path passes through the coarse one. */
#include "support/model_case.h"

enum { N = 997, D = 2, STEPS = 30 };

typedef struct plan {
  int threads;
  size_t tile, split; /* split: particles of the first of two calls; 0 for one call */
} plan;

static void run(const plan *how, fg_precision precision, double lambda, fg_scheme scheme, int refine,
                double *x, double *log_p, double *evaluated)
{
  model_case c;
  fg_target *target;
  fg_grid *grid;
  fg_perturbation h;
  fg_fixed_settings f;
  double x0[N * D], t = 0.3;
  fg_perturbation_defaults(&h);
  case_mixture m;
  case_mixture_fill(&m, D, 0);
  case_target_mixture(&m, &target);
  case_open(&c, "cpu", how->threads, FG_PROCESS_VP, target, &h);
  CASE_OK(fg_grid_create(FG_GRID_COSINE, 1, 0, STEPS, &grid, &case_status));
  for (size_t i = 0; i < N * D; i++) x0[i] = case_number(i, 1);
  for (size_t i = 0; i < N; i++) log_p[i] = 0;
  fg_fixed_defaults(&f);
  f.grid = grid;
  f.precision = precision;
  f.lambda = lambda;
  f.scheme = scheme;
  f.refine = refine;
  f.tile = how->tile;
  for (size_t at = 0; at < N;) {
    size_t n = how->split && at == 0 ? how->split : N - at;
    CASE_OK(fg_flow_fixed(c.model, &f, 2, 1, 50 + at, n, x0 + at * D, x + at * D,
                          lambda == 0 ? log_p + at : NULL, NULL, NULL, NULL, &case_status));
    fg_evaluation out = {.residual = evaluated + at};
    CASE_OK(fg_model_evaluate(c.model, precision, n, &t, 1, x + at * D, &out, &case_status));
    at += n;
  }
  fg_grid_destroy(&grid);
  case_close(&c);
}

static void same_bits(void **state)
{
  (void)state;
  static const plan plans[] = {{1, 64, 0}, {2, 64, 0},   {5, 64, 0},   {2, 1, 0},
                               {2, 17, 0}, {1, 1000, 0}, {2, 64, 333}, {5, 48, 1}};
  static double x[N * D], l[N], r[N], y[N * D], k[N], s[N];
  for (int precision = 0; precision < 2; precision++)
    for (int scheme = 0; scheme < 2; scheme++)
      for (int lambda = 0; lambda < 2; lambda++)
        for (size_t which = 0; which < sizeof plans / sizeof plans[0]; which++) {
          bool first = which == 0;
          run(&plans[which], (fg_precision)precision, lambda, (fg_scheme)scheme, lambda ? 2 : 0,
              first ? x : y, first ? l : k, first ? r : s);
          if (first) continue;
          assert_memory_equal(x, y, sizeof x);
          assert_memory_equal(l, k, sizeof l);
          assert_memory_equal(r, s, sizeof r);
        }
}

/* More particles than a chunk holds: the second chunk continues the numbering. */
static void chunks_do_not_show(void **state)
{
  (void)state;
  enum { MANY = 600000, TAIL = 1000 };
  model_case c;
  fg_target *target;
  fg_grid *grid;
  fg_fixed_settings f;
  double *x = calloc(MANY * D, sizeof *x), tail[TAIL * D];
  assert_non_null(x);
  case_target(FG_TARGET_GAUSSIAN, &target);
  case_open(&c, "cpu", 0, FG_PROCESS_OU, target, NULL);
  CASE_OK(fg_grid_create(FG_GRID_UNIFORM, 1, 0, 2, &grid, &case_status));
  fg_fixed_defaults(&f);
  f.grid = grid;
  f.precision = FG_SINGLE;
  for (size_t i = 0; i < MANY * D; i++) x[i] = case_number(i, 3);
  memcpy(tail, x + (MANY - TAIL) * D, sizeof tail);
  CASE_OK(fg_flow_fixed(c.model, &f, 2, 1, 0, MANY, x, x, NULL, NULL, NULL, NULL, &case_status));
  CASE_OK(
      fg_flow_fixed(c.model, &f, 2, 1, MANY - TAIL, TAIL, tail, tail, NULL, NULL, NULL, NULL, &case_status));
  assert_memory_equal(tail, x + (MANY - TAIL) * D, sizeof tail);
  free(x);
  fg_grid_destroy(&grid);
  case_close(&c);
}

/* With a target so wide that the score vanishes and a process without drift, X is the Brownian path itself: the
 * refined runs, kept at the coarse nodes, reproduce the coarse run. */
static void refined_paths_pass_through_the_coarse_nodes(void **state)
{
  (void)state;
  model_case c;
  fg_target_settings ts;
  fg_target *target;
  fg_grid *grid;
  fg_fixed_settings f;
  static double x0[N * D], x1[N * D], coarse[STEPS * N * D], fine[STEPS * N * D];
  double t[STEPS];
  fg_target_defaults(FG_TARGET_GAUSSIAN, &ts);
  ts.variance = 1e30;
  CASE_OK(fg_target_create(&ts, &target, &case_status));
  case_open(&c, "cpu", 2, FG_PROCESS_BM, target, NULL);
  CASE_OK(fg_grid_create(FG_GRID_UNIFORM, 1, 0, STEPS, &grid, &case_status));
  for (int k = 0; k < STEPS; k++) t[k] = fg_grid_times(grid)[k + 1];
  fg_fixed_defaults(&f);
  f.grid = grid;
  for (int refine = 0; refine < 8; refine += refine < 4 ? 1 : 3) {
    fg_snapshots s = {STEPS, t, refine == 0 ? coarse : fine, NULL};
    f.refine = refine;
    f.scheme = refine % 2 ? FG_HEUN : FG_EULER;
    CASE_OK(fg_flow_fixed(c.model, &f, 9, 1, 3, N, x0, x1, NULL, &s, NULL, NULL, &case_status));
    double spread = 0;
    for (size_t i = 0; i < STEPS * N * D && refine > 0; i++) {
      /* a step of 1/3840 between times near 1 is known to 1e-16 * 3840 of itself */
      if (!(fabs(fine[i] - coarse[i]) < 1e-12))
        fail_msg("refine %d: %g differs from %g by %g", refine, fine[i], coarse[i], fine[i] - coarse[i]);
      spread += coarse[i] * coarse[i];
    }
    /* a Brownian path: mean square at time r is r; 1994 numbers at each of 30 correlated times */
    if (refine > 0) assert_true(fabs(spread / (N * D) / STEPS - 0.5 * (1 + 1.0 / STEPS)) < 0.1);
  }
  fg_grid_destroy(&grid);
  case_close(&c);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(same_bits),
      cmocka_unit_test(chunks_do_not_show),
      cmocka_unit_test(refined_paths_pass_through_the_coarse_nodes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
