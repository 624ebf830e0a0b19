/* From the residual to the gap: the identity on the grid and by paths, the Lipschitz constants, the bound. */
#include "analysis/compare_certificate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/compare_impl.h"
#include "analysis/grid_laws.h"
#include "analysis/grid_width.h"
#include "base/clock.h"
#include "model/model.h"

/* Points of each flow where the Jacobian is looked at, nodes per axis of the box, cells of the log-mass, points of
 * its importance sampling. */
enum {
  FG_LIPSCHITZ_POINTS = 1024,
  FG_BOX_LINE = 1024,
  FG_BOX_PLANE = 64,
  FG_MASS_CUBE = 96,
  FG_MASS_POINTS = 2048
};

const char *const fg_lipschitz_names[FG_LIPSCHITZ_KINDS] = {"paths", "box", "global"};

/* Its arrays. */
static void fg_certificate_clear(fg_gap_certificate *g)
{
  for (int k = 0; k < FG_LIPSCHITZ_KINDS; k++) {
    free(g->lipschitz[k].l);
    g->lipschitz[k].l = NULL;
  }
  free(g->t);
  free(g->grid_point);
  free(g->path_point);
  g->t = NULL;
  g->grid_point = g->path_point = NULL;
}

void fg_gap_certificate_destroy(fg_gap_certificate **certificate)
{
  if (*certificate) fg_certificate_clear(*certificate);
  free(*certificate);
  *certificate = NULL;
}

/* An error of D that is as good as none, for models without a gap. */
#define FG_FACTOR_SMALL 1e-6

static fg_code fg_room(size_t count, double **out, fg_status *st)
{
  *out = calloc(count ? count : 1, sizeof **out);
  if (*out) return FG_OK;
  return FG_FAIL(st, FG_MEMORY,
                 "no memory for %zu numbers of the certificate: lower compare.certificate_cells", count);
}

/* ---- settings ---------------------------------------------------------------------------------- */

static fg_code fg_certificate_possible(const fg_comparison *c, fg_status *st)
{
  const char *prior;
  FG_TRY(fg_settings_text(c->settings, "prior.kind", &prior, st));
  if ((fg_model_quantities(c->model) & FG_IDENTITY_QUANTITIES) != FG_IDENTITY_QUANTITIES)
    return FG_FAIL(st, FG_USAGE,
                   "compare.certificate needs a log-density, which the model %s does not give: %s",
                   fg_model_name(c->model), fg_model_potential_hint(c->model));
  if (c->sde.lambda != 1)
    return FG_FAIL(st, FG_USAGE, "compare.certificate is about the reverse SDE: flow.sde.lambda is %g, not 1",
                   c->sde.lambda);
  if (strcmp(prior, "point") == 0)
    return FG_FAIL(st, FG_USAGE, "compare.certificate needs a prior with a density: prior.kind is point");
  if (!(c->t_end < c->t_start))
    return FG_FAIL(st, FG_USAGE, "compare.certificate needs flow.ode.t_end below the horizon");
  return FG_OK;
}

fg_code fg_compare_certificate_settings(fg_comparison *c, fg_status *st)
{
  bool wanted;
  int64_t cells, times, paths;
  FG_TRY(fg_settings_flag(c->settings, "compare.certificate", &wanted, st));
  if (!wanted) return FG_OK;
  FG_TRY(fg_certificate_possible(c, st));
  FG_TRY(fg_settings_integer(c->settings, "compare.certificate_cells", &cells, st));
  FG_TRY(fg_settings_integer(c->settings, "compare.certificate_times", &times, st));
  FG_TRY(fg_settings_integer(c->settings, "compare.certificate_paths", &paths, st));
  c->certificate = calloc(1, sizeof *c->certificate);
  if (!c->certificate) return FG_FAIL(st, FG_MEMORY, "no memory for the certificate");
  fg_gap_certificate *g = c->certificate;
  fg_identity_defaults(c->d, &g->settings);
  if (cells) g->settings.grid.cells = (size_t)cells;
  g->settings.intervals = ((size_t)times + 3) / 4 * 4;
  g->settings.paths = (size_t)paths;
  g->settings.t0 = c->t_end;
  g->settings.seed = c->seed;
  g->settings.precision = c->sde.precision;
  g->count = g->settings.intervals + 1;
  g->on_grid = c->d <= 2;
  g->laws_w2 = g->laws_kl = g->laws_mass = NAN;
  return FG_OK;
}

/* A box for both laws and the prior; densities at its sides are about 1e-8 of the largest for Gaussian tails. */
static fg_code fg_certificate_box(fg_comparison *c, fg_status *st)
{
  double *width = &c->certificate->settings.grid.half_width;
  const double *const laws[] = {c->start, c->law[FG_LAW_ODE], c->law[FG_LAW_SDE]};
  const size_t rows[] = {c->n, c->n, c->n};
  FG_TRY(fg_settings_real(c->settings, "compare.certificate_half_width", width, st));
  if (!isnan(*width)) return FG_OK;
  FG_TRY(fg_grid_width(0.999, 3, laws, rows, c->d, width, st));
  *width *= 1.5;
  return FG_OK;
}

/* ---- the Lipschitz constants ------------------------------------------------------------------- */

/* States of the ODE at the times of the quadrature, [count, n, d]. */
static fg_code fg_certificate_ode(fg_comparison *c, size_t n, double *x, fg_status *st)
{
  const fg_gap_certificate *g = c->certificate;
  fg_ode_settings ode = c->ode;
  fg_flow_report report;
  double *end = NULL;
  if (c->ode_on_grid) fg_ode_defaults(&ode);
  const fg_snapshots keep = {g->count, g->t, x, NULL};
  FG_TRY(fg_room(n * c->d, &end, st));
  fg_code rc = fg_flow_ode(c->model, &ode, n, c->start, c->t_start, g->settings.t0, end, NULL, &keep,
                           c->progress, &report, st);
  free(end);
  return rc;
}

/* Nodes [cells^d, d] of the smallest box around the points of both flows; it is convex, so it holds the lines between
 * them, along which the velocity's derivative decides whether they part. */
static void fg_box_nodes(size_t d, size_t cells, size_t n, const double *a, size_t m, const double *b,
                         double *x)
{
  double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
  size_t total = d == 1 ? cells : cells * cells;
  for (size_t i = 0; i < n * d; i++)
    low[i % d] = fmin(low[i % d], a[i]), high[i % d] = fmax(high[i % d], a[i]);
  for (size_t i = 0; i < m * d; i++)
    low[i % d] = fmin(low[i % d], b[i]), high[i % d] = fmax(high[i % d], b[i]);
  for (size_t i = 0; i < total; i++)
    for (size_t j = 0; j < d; j++) {
      size_t place = j == 0 && d == 2 ? i / cells : i % cells;
      x[i * d + j] = low[j] + (high[j] - low[j]) * (double)place / (double)(cells - 1);
    }
}

/* Over the states of both flows, and (d <= 2) over the box around them. */
static fg_code fg_certificate_at_states(fg_comparison *c, const double *states, fg_status *st)
{
  fg_gap_certificate *g = c->certificate;
  size_t d = c->d, m = g->settings.paths, n = c->n < FG_LIPSCHITZ_POINTS ? c->n : FG_LIPSCHITZ_POINTS;
  size_t some = m < FG_LIPSCHITZ_POINTS ? m : FG_LIPSCHITZ_POINTS;
  size_t cells = d == 1 ? FG_BOX_LINE : FG_BOX_PLANE, total = d == 1 ? cells : cells * cells;
  double *ode = NULL, *x = NULL, a, b;
  fg_gap_lipschitz *paths = &g->lipschitz[FG_LIPSCHITZ_PATHS], *box = &g->lipschitz[FG_LIPSCHITZ_BOX];
  fg_code rc;
  FG_GO(fg_room(g->count, &paths->l, st), done);
  FG_GO(fg_room(g->count * n * d, &ode, st), done);
  if (g->on_grid) FG_GO(fg_room(g->count, &box->l, st), done);
  if (g->on_grid) FG_GO(fg_room(total * d, &x, st), done);
  FG_GO(fg_certificate_ode(c, n, ode, st), done);
  for (size_t k = 0; k < g->count; k++) {
    const double *of_ode = ode + k * n * d, *of_sde = states + k * m * d;
    FG_GO(fg_lipschitz_sampled(c->model, g->t[k], n, of_ode, &a, st), done);
    FG_GO(fg_lipschitz_sampled(c->model, g->t[k], some, of_sde, &b, st), done);
    paths->l[k] = fmax(a, b);
    if (!g->on_grid) continue;
    fg_box_nodes(d, cells, n, of_ode, m, of_sde, x);
    FG_GO(fg_lipschitz_sampled(c->model, g->t[k], total, x, &a, st), done);
    box->l[k] = fmax(a, paths->l[k]);
  }
done:
  free(ode);
  free(x);
  return rc;
}

static fg_code fg_certificate_everywhere(fg_comparison *c, fg_status *st)
{
  fg_gap_certificate *g = c->certificate;
  double *l = NULL;
  bool known;
  FG_TRY(fg_room(g->count, &l, st));
  fg_code rc = fg_lipschitz_global(c->model, g->count, g->t, l, &known, st);
  if (rc == FG_OK && known)
    g->lipschitz[FG_LIPSCHITZ_GLOBAL].l = l;
  else
    free(l);
  return rc;
}

/* ---- the bound ---------------------------------------------------------------------------------- */

/* D: on the grid the side that is known better, with its errors in time and space and by how much the sides differ. Where
 * that is more than the side itself, the cells are too wide: then as in more dimensions, by paths, the sum and the
 * log-mass, with two standard errors and the changes under refinement. */
static void fg_certificate_factor(fg_gap_certificate *g)
{
  const fg_identity_grid *grid = &g->grid;
  const fg_identity_paths *paths = &g->paths;
  double left = grid->left_time + grid->left_space, right = grid->right_time + grid->right_space;
  g->d_left = left <= right;
  g->d = g->d_left ? grid->left : grid->right;
  g->d_error = fmin(left, right) + fabs(grid->left - grid->right);
  g->d_by_grid = g->on_grid && (g->d_error <= g->d || g->d_error < FG_FACTOR_SMALL);
  if (g->d_by_grid) return;
  double noise = hypot(paths->sum_se, g->mass_by_box ? 0 : g->mass.error);
  g->d = paths->sum + g->mass.value;
  g->d_error = 2 * noise + paths->sum_time + fabs(paths->sum_step) + (g->mass_by_box ? g->mass.error : 0);
}

/* How far log A is from that of every other time: the rule is of order 2, so its error is about a third of that. */
static fg_code fg_certificate_halved(const fg_comparison *c, fg_gap_lipschitz *one, fg_status *st)
{
  const fg_gap_certificate *g = c->certificate;
  size_t half = g->settings.intervals / 2 + 1;
  double *t = NULL, log_a = NAN;
  FG_TRY(fg_room(2 * half, &t, st));
  for (size_t k = 0; k < half; k++) {
    t[k] = g->t[2 * k];
    t[half + k] = one->l[2 * k];
  }
  fg_code rc = fg_certificate_log_a(c->process, half, t, t + half, &log_a, NULL, st);
  one->log_a_time = fabs(log_a - one->log_a);
  free(t);
  return rc;
}

/* D is no less than 0, whatever an estimate of it says. */
static fg_code fg_certificate_bounds(fg_comparison *c, fg_status *st)
{
  fg_gap_certificate *g = c->certificate;
  g->shown = g->lipschitz[FG_LIPSCHITZ_BOX].l ? FG_LIPSCHITZ_BOX : FG_LIPSCHITZ_PATHS;
  for (int k = 0; k < FG_LIPSCHITZ_KINDS; k++) {
    fg_gap_lipschitz *one = &g->lipschitz[k];
    if (!one->l) continue;
    FG_TRY(fg_certificate_log_a(c->process, g->count, g->t, one->l, &one->log_a, &one->integral, st));
    FG_TRY(fg_certificate_halved(c, one, st));
    one->log_bound = 0.5 * (one->log_a + one->log_a_time + log(fmax(0, g->d) + g->d_error));
    one->bound = exp(one->log_bound);
    fg_compare_log(c, "certificate: L %s, int L = %.4g, log A = %.4g, bound %.4g", fg_lipschitz_names[k],
                   one->integral, one->log_a, one->bound);
  }
  return FG_OK;
}

/* ---- the laws on the grid ----------------------------------------------------------------------- */

/* W2 between both laws without sampling noise; the ODE's by carrying the cells' centres. */
static fg_code fg_certificate_laws(fg_comparison *c, double *p, fg_status *st)
{
  fg_gap_certificate *g = c->certificate;
  const fg_law_grid *grid = &g->settings.grid;
  size_t n = fg_law_size(grid);
  double *q = NULL;
  fg_law_report report;
  fg_law_distance distance;
  fg_code rc;
  FG_GO(fg_room(n, &q, st), done);
  FG_GO(fg_law_ode(c->model, c->prior, grid, &g->settings.law, g->settings.t0, q, c->progress, &report, st),
        done);
  for (size_t i = 0; i < n; i++) {
    q[i] = exp(q[i]);
    p[i] = fmax(0, p[i]);
  }
  FG_GO(fg_law_compare(grid, p, q, &distance, st), done);
  FG_GO(fg_grid_laws_w2(grid, p, q, &g->laws_w2, st), done);
  g->laws_kl = distance.kl;
  g->laws_mass = report.mass;
  g->laws_failed = report.lost;
  fg_compare_log(c, "certificate: W2 of the laws on the grid %.6g", g->laws_w2);
done:
  free(q);
  return rc;
}

/* ---- all of it ---------------------------------------------------------------------------------- */

static fg_code fg_certificate_identity(fg_comparison *c, double *psi, double *p, double *states,
                                       fg_status *st)
{
  fg_gap_certificate *g = c->certificate;
  if (g->on_grid) {
    FG_TRY(fg_identity_on_grid(c->model, c->prior, &g->settings, c->progress, g->grid_point, psi, p, &g->grid,
                               st));
    fg_compare_log(c, "certificate: on the grid, left %.6g, right %.6g", g->grid.left, g->grid.right);
  }
  FG_TRY(fg_identity_by_paths(c->model, c->prior, &g->settings, g->on_grid ? psi : NULL, c->progress,
                              g->path_point, states, &g->paths, st));
  fg_compare_log(c, "certificate: by paths, KL at T and residual %.6g +- %.2g", g->paths.sum,
                 g->paths.sum_se);
  return FG_OK;
}

static fg_code fg_certificate_mass(fg_comparison *c, const double *states, fg_status *st)
{
  fg_gap_certificate *g = c->certificate;
  const fg_identity_settings *s = &g->settings;
  size_t n = s->paths < FG_MASS_POINTS ? s->paths : FG_MASS_POINTS;
  g->mass_by_box = c->d <= 3;
  if (g->mass_by_box)
    return fg_log_mass_box(c->model, s->t0, c->d <= 2 ? s->grid.cells : FG_MASS_CUBE, s->grid.half_width,
                           &g->mass, st);
  return fg_log_mass_sampled(c->model, s->t0, n, states + (g->count - 1) * s->paths * c->d, c->seed, &g->mass,
                             st);
}

static fg_code fg_certificate_points(fg_gap_certificate *g, fg_status *st)
{
  g->grid_point = calloc(g->count, sizeof *g->grid_point);
  g->path_point = calloc(g->count, sizeof *g->path_point);
  if (!g->grid_point || !g->path_point) return FG_FAIL(st, FG_MEMORY, "no memory for %zu times", g->count);
  return fg_room(g->count, &g->t, st);
}

static fg_code fg_certificate_allocate(fg_comparison *c, double **psi, double **p, double **states,
                                       fg_status *st)
{
  fg_gap_certificate *g = c->certificate;
  size_t cells = g->on_grid ? fg_law_size(&g->settings.grid) : 0;
  FG_TRY(fg_certificate_points(g, st));
  FG_TRY(fg_room(g->count * cells, psi, st));
  FG_TRY(fg_room(cells, p, st));
  FG_TRY(fg_room(g->count * g->settings.paths * c->d, states, st));
  return fg_identity_times(&g->settings, c->process, g->t, *states, NULL, st); /* room for the weights */
}

static fg_code fg_certificate_compute(fg_comparison *c, fg_status *st)
{
  fg_gap_certificate *g = c->certificate;
  double *psi = NULL, *p = NULL, *states = NULL, start = fg_seconds();
  fg_code rc;
  FG_GO(fg_certificate_box(c, st), done);
  FG_GO(fg_certificate_allocate(c, &psi, &p, &states, st), done);
  FG_GO(fg_certificate_identity(c, psi, p, states, st), done);
  FG_GO(fg_certificate_mass(c, states, st), done);
  FG_GO(fg_certificate_at_states(c, states, st), done);
  FG_GO(fg_certificate_everywhere(c, st), done);
  fg_certificate_factor(g);
  FG_GO(fg_certificate_bounds(c, st), done);
  if (g->on_grid) FG_GO(fg_certificate_laws(c, p, st), done);
  g->seconds = fg_seconds() - start;
done:
  free(psi);
  free(p);
  free(states);
  return rc;
}

/* ---- kept for a run that goes on ----------------------------------------------------------------- */

enum { FG_CERTIFICATE_PIECES = 4 + FG_LIPSCHITZ_KINDS };

/* The figures, at `figures`, and the arrays of g. */
static void fg_certificate_pieces(const fg_gap_certificate *g, fg_gap_certificate *figures,
                                  fg_piece piece[FG_CERTIFICATE_PIECES])
{
  piece[0] = (fg_piece){figures, sizeof *figures};
  piece[1] = (fg_piece){g->t, g->count * sizeof *g->t};
  piece[2] = (fg_piece){g->grid_point, g->count * sizeof *g->grid_point};
  piece[3] = (fg_piece){g->path_point, g->count * sizeof *g->path_point};
  for (int k = 0; k < FG_LIPSCHITZ_KINDS; k++)
    piece[4 + k] = (fg_piece){g->lipschitz[k].l, g->lipschitz[k].l ? g->count * sizeof(double) : 0};
}

/* Which constants are known is kept last: where it is, all is. */
static void fg_certificate_keep(fg_comparison *c)
{
  fg_gap_certificate *g = c->certificate;
  bool known[FG_LIPSCHITZ_KINDS];
  fg_piece piece[FG_CERTIFICATE_PIECES];
  for (int k = 0; k < FG_LIPSCHITZ_KINDS; k++) known[k] = g->lipschitz[k].l != NULL;
  fg_certificate_pieces(g, g, piece);
  fg_compare_keep(c, "certificate", FG_CERTIFICATE_PIECES, piece);
  fg_compare_keep(c, "certificate, constants", 1, &(fg_piece){known, sizeof known});
}

static fg_code fg_certificate_take(fg_comparison *c, bool *taken, fg_status *st)
{
  fg_gap_certificate *g = c->certificate, was;
  bool known[FG_LIPSCHITZ_KINDS];
  fg_piece piece[FG_CERTIFICATE_PIECES];
  *taken = fg_compare_take(c, "certificate, constants", 1, &(fg_piece){known, sizeof known});
  if (!*taken) return FG_OK;
  FG_TRY(fg_certificate_points(g, st));
  for (int k = 0; k < FG_LIPSCHITZ_KINDS; k++)
    if (known[k]) FG_TRY(fg_room(g->count, &g->lipschitz[k].l, st));
  fg_certificate_pieces(g, &was, piece);
  *taken = fg_compare_take(c, "certificate", FG_CERTIFICATE_PIECES, piece);
  if (!*taken) { /* there was no memory to keep it */
    fg_certificate_clear(g);
    return FG_OK;
  }
  was.t = g->t;
  was.grid_point = g->grid_point;
  was.path_point = g->path_point;
  for (int k = 0; k < FG_LIPSCHITZ_KINDS; k++) was.lipschitz[k].l = g->lipschitz[k].l;
  *g = was;
  return FG_OK;
}

fg_code fg_compare_certificate(fg_comparison *c, fg_status *st)
{
  bool taken;
  if (!c->certificate) return FG_OK;
  fg_code rc = fg_certificate_take(c, &taken, st);
  if (rc == FG_OK && !taken) {
    rc = fg_certificate_compute(c, st);
    if (rc == FG_OK) fg_certificate_keep(c);
  }
  if (rc != FG_OK) (void)fg_status_prefix(st, "certificate: ");
  return rc;
}
