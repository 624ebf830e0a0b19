/* results.json and densities.h5 of `flowgap density`; docs/run-directory.md describes every member. */
#include "analysis/density_impl.h"

#include <math.h>
#include <stdlib.h>

#include "analysis/results.h"
#include "base/hdf5.h"
#include "base/run_directory.h"

/* ---- densities.h5 ------------------------------------------------------------------------------- */

fg_code fg_density_save(const fg_density *y, const char *run_directory, fg_status *st)
{
  const fg_law_grid *grid = &y->full.grid, axis = {1, grid->cells, grid->half_width};
  const size_t shape[2] = {grid->cells, grid->cells};
  char *path = fg_path_join(run_directory, "densities.h5");
  double *x = malloc(grid->cells * sizeof *x);
  fg_h5 *file = NULL;
  fg_code rc = path && x ? FG_OK : FG_FAIL(st, FG_MEMORY, "no memory for densities.h5");
  if (rc != FG_OK) goto done;
  fg_law_centres(&axis, x);
  FG_GO(fg_h5_create(path, &file, st), done);
  FG_GO(fg_h5_write_real(file, "x", 1, shape, x, st), done);
  FG_GO(fg_h5_write_real(file, "sde", (int)y->d, shape, y->full.sde, st), done);
  FG_GO(fg_h5_write_real(file, "ode", (int)y->d, shape, y->full.ode, st), done);
  rc = fg_h5_commit(&file, st);
done:
  fg_h5_close(&file);
  free(x);
  free(path);
  return rc;
}

/* Share of the mass in the outermost 1/32 of the box along any axis: what presses on its sides, which let nothing out. */
static double fg_edge_share(const fg_law_grid *grid, const double *p)
{
  size_t n = grid->cells, m = n / 64 > 0 ? n / 64 : 1;
  double edge = 0, all = 0;
  for (size_t c = 0; c < fg_law_size(grid); c++) {
    size_t i = c % n, j = grid->d == 2 ? c / n : n / 2;
    all += fmax(p[c], 0);
    if (i < m || i >= n - m || j < m || j >= n - m) edge += fmax(p[c], 0);
  }
  return edge / all;
}

/* ---- results.json ------------------------------------------------------------------------------- */

static void fg_put_laws(fg_tree to, const fg_density_laws *l)
{
  fg_put_count(to, "cells", l->grid.cells);
  fg_put_real(to, "mass_sde", l->sde_report.mass);
  fg_put_real(to, "mass_ode", l->ode_mass);
  fg_put_real(to, "edge_sde", fg_edge_share(&l->grid, l->sde));
  fg_put_real(to, "edge_ode", fg_edge_share(&l->grid, l->ode));
  fg_put_real(to, "kl", l->distance.kl);
  fg_put_real(to, "kl_reverse", l->distance.kl_reverse);
  fg_put_real(to, "total_variation", l->distance.total_variation);
  fg_put_real(to, "fisher", l->distance.fisher);
  fg_put_real(to, "alone_sde", l->distance.alone_p);
  fg_put_real(to, "alone_ode", l->distance.alone_q);
  fg_tree w2 = fg_put_object(to, "w2");
  fg_put_real(w2, "value", l->w2_value);
  fg_put_real(w2, "low", l->w2_low);
  fg_put_real(w2, "high", l->w2_high);
  if (!l->w2_cells) {
    fg_put(w2, "blocks", json_null());
    return;
  }
  fg_tree blocks = fg_put_object(w2, "blocks");
  fg_put_count(blocks, "cells", l->w2_cells);
  fg_put_real(blocks, "value", l->w2.value);
  fg_put_real(blocks, "squared", l->w2.squared);
  fg_put_real(blocks, "primal", l->w2.primal);
  fg_put_real(blocks, "dual", l->w2.dual);
  fg_put_real(blocks, "seconds", l->w2.seconds);
}

static void fg_put_density(fg_tree root, const fg_density *y)
{
  fg_tree density = fg_put_object(root, "density");
  fg_put_real(density, "half_width", y->full.grid.half_width);
  fg_put_real(density, "paths_outside", y->width_missed);
  fg_put_real(density, "t_end", y->t_end);
  fg_put_real(density, "lambda", y->lambda);
  fg_put_laws(density, &y->full);
  if (y->check)
    fg_put_laws(fg_put_object(density, "half"), &y->half);
  else
    fg_put(density, "half", json_null());
}

static void fg_put_solvers(fg_tree root, const fg_density *y)
{
  const fg_law_report *s = &y->full.sde_report, *o = &y->full.ode_report;
  fg_tree sde = fg_put_object(root, "sde");
  fg_put_real(sde, "rtol", y->law.rtol);
  fg_put_real(sde, "atol", y->law.atol);
  fg_put_count(sde, "steps", s->steps);
  fg_put_count(sde, "rhs_evaluations", s->rhs_evaluations);
  fg_put_count(sde, "score_evaluations", s->score_evaluations);
  fg_put_count(sde, "jvp_evaluations", s->jvp_evaluations);
  fg_put_count(sde, "linear_iterations", s->linear_iterations);
  fg_put_count(sde, "preconditioner_setups", s->preconditioner_setups);
  fg_put_real(sde, "outside_prior", s->mass_outside);
  fg_put_real(sde, "least", s->least);
  fg_put_real(sde, "seconds", s->seconds);
  fg_tree ode = fg_put_object(root, "ode");
  fg_put_real(ode, "rtol", y->law.ode_rtol);
  fg_put_real(ode, "atol", y->law.ode_atol);
  fg_put_count(ode, "nodes", y->ode_nodes);
  fg_put_count(ode, "tile", y->law.tile);
  fg_put_count(ode, "steps", o->steps);
  fg_put_count(ode, "rhs_evaluations", o->rhs_evaluations);
  fg_put_count(ode, "failed", o->lost);
  fg_put_real(ode, "seconds", o->seconds);
}

static void fg_put_warnings(fg_tree root, const fg_density *y)
{
  const fg_density_laws *l = &y->full;
  json_t *list = fg_put_list(root, "warnings");
  if (y->width_asked > 0)
    fg_warn(root, list,
            "The SDE throws paths far from prior and target: %.3g %% of 4000 end outside the box, which "
            "would have "
            "to reach to %g to hold 99.9 %% of them and stops at %g. Set density.half_width to choose it.",
            100 * y->width_missed, y->width_asked, l->grid.half_width);
  if (l->sde_report.mass_outside > 1e-4)
    fg_warn(root, list, "The box leaves out %.2g of the prior's mass: a wider density.half_width holds more.",
            l->sde_report.mass_outside);
  double edge = fg_edge_share(&l->grid, l->sde);
  if (edge > 1e-4)
    fg_warn(root, list,
            "%.2g of the SDE's mass lies at the sides of the box, which let nothing out: a wider "
            "density.half_width "
            "shows where it would go.",
            edge);
  if (fabs(l->ode_mass - 1) > 1e-3)
    fg_warn(root, list,
            "The ODE's density sums to %.5g over the box, not 1: it leaves the box, or is rough on the scale "
            "of the "
            "cells; more cells, a wider box or density.ode_nodes mend it. The distances normalise it.",
            l->ode_mass);
  if (l->ode_report.lost)
    fg_warn(root, list,
            "%llu of %zu nodes of the ODE could not be carried to t = T: their density counts as 0.",
            (unsigned long long)l->ode_report.lost,
            fg_law_size(&l->grid) * (y->d == 1 ? y->ode_nodes : y->ode_nodes * y->ode_nodes));
  if (l->sde_report.least < -1e-6)
    fg_warn(root, list,
            "The SDE's density falls to %.2g of its largest value: try a smaller density.rtol and atol.",
            l->sde_report.least);
  if (isinf(l->distance.kl))
    fg_warn(root, list, "KL(SDE|ODE) is infinite: %.2g of the SDE's mass lies where the ODE has none.",
            l->distance.alone_p);
  if (isinf(l->distance.kl_reverse))
    fg_warn(root, list, "KL(ODE|SDE) is infinite: %.2g of the ODE's mass lies where the SDE has none.",
            l->distance.alone_q);
}

fg_code fg_density_results(const fg_density *y, const char *run_directory, fg_status *st)
{
  bool bad = false;
  fg_tree root = {json_object(), &bad};
  fg_put_origin(root, "density", run_directory);
  fg_put_engine(root, y->engine);
  fg_put_count(root, "seed", y->seed);
  fg_put_real(root, "wall_seconds", y->seconds);
  fg_put_model(root, y->settings, y->model, y->target);
  fg_put_density(root, y);
  fg_put_solvers(root, y);
  fg_put_warnings(root, y);
  return fg_results_save(root, run_directory, st);
}
