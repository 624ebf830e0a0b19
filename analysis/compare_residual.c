/* The Fokker-Planck residual of the model where it matters: on the model's own SDE paths. */
#include "compare_impl.h"

#include <math.h>
#include <stdlib.h>

#include "analysis/statistics.h"

typedef struct fg_residual_work {
  double *x, *phi_t, *score, *divergence, *residual;
  double *path; /* [m] of a path: sum over times of R^2 and the time's weight */
} fg_residual_work;

static void fg_residual_work_free(fg_residual_work *w)
{
  free(w->x);
  free(w->phi_t);
  free(w->score);
  free(w->divergence);
  free(w->residual);
  free(w->path);
}

/* Mean of R^2 at one time, whose weight is h, and R relative to the size of its own terms: the absolute residual is
 * dominated by points far from the mass, the relative one is not. */
static fg_code fg_residual_at(const fg_comparison *c, fg_residual_work *w, const double *x, size_t m,
                              double h, fg_residual_point *out, fg_status *st)
{
  fg_evaluation want = {NULL, w->phi_t, w->score, w->divergence, w->residual, NULL, NULL};
  FG_TRY(fg_model_evaluate(c->model, FG_DOUBLE, m, &out->t, 1, x, &want, st));
  double a = fg_process_a(c->process, out->t), g2 = fg_process_g2(c->process, out->t);
  double sum = 0, squares = 0, scale = 0;
  for (size_t i = 0; i < m; i++) {
    double r2 = w->residual[i] * w->residual[i], x_s = 0, s_s = 0;
    for (size_t j = 0; j < c->d; j++) {
      double s = w->score[i * c->d + j];
      x_s += x[i * c->d + j] * s;
      s_s += s * s;
    }
    double terms =
        fabs(w->phi_t[i]) + a * (double)c->d + fabs(a * x_s) + 0.5 * g2 * (fabs(w->divergence[i]) + s_s);
    w->path[i] += h * r2;
    sum += r2;
    squares += r2 * r2;
    scale += terms * terms;
  }
  double n = (double)m;
  out->mean_square = sum / n;
  out->se = m > 1 ? sqrt(fmax(0, squares / n - out->mean_square * out->mean_square) / (n - 1)) : 0;
  out->relative = scale > 0 ? sqrt(sum / scale) : 0;
  return FG_OK;
}

/* Times equal in log on the SDE grid; the end t = 0 is left out when log-densities are singular there. */
size_t fg_profile_times(const fg_comparison *c, double *t)
{
  const double *node = fg_grid_times(c->sde_grid);
  size_t steps = fg_grid_steps(c->sde_grid), used = 0;
  double last = node[steps] > 0 ? node[steps] : node[steps - 1];
  size_t k = 0;
  for (size_t i = 0; i < FG_PROFILE_TIMES; i++) {
    double goal = node[0] * pow(last / node[0], (double)i / (FG_PROFILE_TIMES - 1));
    while (k < steps && node[k + 1] > 0 && fabs(node[k + 1] - goal) <= fabs(node[k] - goal)) k++;
    if (used == 0 || node[k] < t[used - 1]) t[used++] = node[k];
  }
  return used;
}

fg_code fg_compare_residual(fg_comparison *c, fg_status *st)
{
  const unsigned need = FG_PHI_T | FG_SCORE | FG_DIVERGENCE | FG_RESIDUAL;
  if ((fg_model_quantities(c->model) & need) != need || c->residual_points == 0) return FG_OK;
  size_t m = c->residual_points, d = c->d;
  double t[FG_PROFILE_TIMES];
  c->profile_times = fg_profile_times(c, t);
  fg_residual_work w = {malloc((c->profile_times + 2) * m * d * sizeof(double)),
                        malloc(m * sizeof(double)),
                        malloc(m * d * sizeof(double)),
                        malloc(m * sizeof(double)),
                        malloc(m * sizeof(double)),
                        calloc(m, sizeof(double))};
  fg_code rc = FG_OK;
  if (!w.x || !w.phi_t || !w.score || !w.divergence || !w.residual || !w.path) {
    rc = FG_FAIL(st, FG_MEMORY, "no memory for %zu residual points: lower compare.residual_points", m);
    goto done;
  }
  double *path = w.x, *start = path + c->profile_times * m * d, *end = start + m * d;
  fg_snapshots keep = {c->profile_times, t, path, NULL};
  fg_flow_report report = {0};
  FG_GO(fg_prior_sample(c->prior, c->seed, 0, m, start, st), done);
  FG_GO(fg_flow_fixed(c->model, &c->sde, c->seed, 1, 0, m, start, end, NULL, &keep, c->progress, &report, st),
        done);
  c->residual_lost = report.lost;
  double weight = 0;
  for (size_t k = 0; k < c->profile_times; k++) {
    /* trapezoid in t between neighbouring profile times: the time average of E R^2 */
    double left = k > 0 ? t[k - 1] - t[k] : 0, right = k + 1 < c->profile_times ? t[k] - t[k + 1] : 0;
    double h = 0.5 * (left + right);
    c->profile[k].t = t[k];
    FG_GO(fg_residual_at(c, &w, path + k * m * d, m, h, &c->profile[k], st), done);
    weight += h;
  }
  /* a path's times are dependent, paths are not: so the error is that of a mean over paths */
  c->residual_mean_square = weight > 0 ? fg_mean(m, w.path) / weight : c->profile[0].mean_square;
  c->residual_se = weight > 0 ? sqrt(fg_variance(m, w.path) / (double)m) / weight : c->profile[0].se;
  c->has_residual = true;
  fg_compare_log(c, "residual: mean square %.6g", c->residual_mean_square);
done:
  fg_residual_work_free(&w);
  return rc;
}
