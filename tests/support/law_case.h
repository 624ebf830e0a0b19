/* A model with a prior, and its laws on a grid, for tests of fokker_planck. */
#ifndef FG_TESTS_LAW_CASE_H
#define FG_TESTS_LAW_CASE_H

#include "support/model_case.h"

typedef struct law_case {
  model_case m;
  fg_prior *prior;
  fg_law_grid grid;
  fg_law_settings set;
} law_case;

/* Two Gaussians apart by less than the box, d = 1 or 2; in the plane they are tilted. */
static inline void law_target(size_t d, fg_target **target)
{
  static const double weights[] = {0.4, 0.6}, means[] = {-1, 0.8}, means2[] = {-1, 0.3, 0.8, -0.5};
  static const double covariances[] = {0.3, 0.2},
                      covariances2[] = {0.4, 0.1, 0.1, 0.25, 0.25, -0.08, -0.08, 0.3};
  fg_target_settings s;
  fg_target_defaults(FG_TARGET_MIXTURE, &s);
  s.dimension = d;
  s.components = 2;
  s.weights = weights;
  s.means = d == 1 ? means : means2;
  s.covariances = d == 1 ? covariances : covariances2;
  CASE_OK(fg_target_create(&s, target, &case_status));
}

/* perturbation NULL: exact. The prior is the law at T. */
static inline void law_open(law_case *c, size_t d, const char *engine, int threads, fg_process_kind process,
                            const fg_perturbation *perturbation, size_t cells, double half_width)
{
  fg_target *target;
  fg_prior_settings prior = {FG_PRIOR_EXACT, 0, 0};
  law_target(d, &target);
  case_open(&c->m, engine, threads, process, target, perturbation);
  CASE_OK(fg_prior_create(&prior, d, c->m.process, target, &c->prior, &case_status));
  c->grid.d = d;
  c->grid.cells = cells;
  c->grid.half_width = half_width;
  fg_law_defaults(&c->set);
}

static inline void law_close(law_case *c)
{
  fg_prior_destroy(&c->prior);
  case_close(&c->m);
}

static inline double *law_room(const law_case *c, size_t times)
{
  double *p = malloc(times * fg_law_size(&c->grid) * sizeof *p);
  assert_non_null(p);
  return p;
}

static inline void law_sde(law_case *c, double lambda, double t, double *p, fg_law_report *report)
{
  CASE_OK(fg_law_sde(c->m.model, c->prior, &c->grid, &c->set, lambda, 1, &t, p, NULL, report, &case_status));
}

static inline void law_ode(law_case *c, double t, double *log_p, fg_law_report *report)
{
  CASE_OK(fg_law_ode(c->m.model, c->prior, &c->grid, &c->set, t, log_p, NULL, report, &case_status));
}

/* log p_t of the exact model at the centres. */
static inline void law_truth(const law_case *c, double t, double *log_p)
{
  size_t n = fg_law_size(&c->grid);
  double *x = malloc(n * c->grid.d * sizeof *x);
  fg_evaluation out;
  memset(&out, 0, sizeof out);
  out.phi = log_p;
  assert_non_null(x);
  fg_law_centres(&c->grid, x);
  CASE_OK(fg_model_evaluate(c->m.model, FG_DOUBLE, n, &t, 1, x, &out, &case_status));
  free(x);
}

/* Integral of |p - exp(log_q)|. */
static inline double law_error(const law_case *c, const double *p, const double *log_q)
{
  double sum = 0;
  for (size_t i = 0; i < fg_law_size(&c->grid); i++) sum += fabs(p[i] - exp(log_q[i]));
  return sum * fg_law_volume(&c->grid);
}

#endif
