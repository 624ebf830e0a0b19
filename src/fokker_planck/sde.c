/* The law of the generative SDE: CVODE BDF on the finite volumes, in noising time t from T down, dp/dt = -A(t) p. The
 * equation is linear: the Jacobian times v is -A(t) v with the faces that the right-hand side has made for that time,
 * and Newton's matrix is I - gamma J = I - |gamma| A, since steps and so gamma are negative. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "fokker_planck/law_impl.h"

enum { FG_LAW_STEPS_MOST = 200000 };

typedef struct fg_law_solver {
  fg_law_operator op;
  fg_law_lines lines;
  SUNContext context;
  void *cvode;
  SUNLinearSolver krylov;
  N_Vector now, kept;
  fg_cvode_words words;
  uint64_t rhs, jvp, setups;
  fg_code failed; /* in a callback */
  fg_status status;
} fg_law_solver;

/* ---- what CVODE calls ---------------------------------------------------------------------------- */

/* 0, 1 (recoverable: a score is not finite, CVODE shortens the step) or -1. */
static int fg_law_faces_for(fg_law_solver *s, double t, const fg_law_faces **faces)
{
  fg_code rc = fg_law_faces_at(&s->op, t, faces, &s->status);
  if (rc == FG_OK) return 0;
  s->failed = rc;
  return rc == FG_NUMERICS ? 1 : -1;
}

static int fg_law_rhs(sunrealtype t, N_Vector p, N_Vector dp, void *data)
{
  fg_law_solver *s = data;
  const fg_law_faces *faces;
  int bad = fg_law_faces_for(s, t, &faces);
  if (bad) return bad;
  s->rhs++;
  fg_law_apply(&s->op, faces, -1, fg_law_vector_data(p), fg_law_vector_data(dp));
  return 0;
}

static int fg_law_jvp(N_Vector v, N_Vector jv, sunrealtype t, N_Vector p, N_Vector fp, void *data,
                      N_Vector tmp)
{
  fg_law_solver *s = data;
  const fg_law_faces *faces;
  (void)p, (void)fp, (void)tmp;
  int bad = fg_law_faces_for(s, t, &faces);
  if (bad) return bad;
  s->jvp++;
  fg_law_apply(&s->op, faces, -1, fg_law_vector_data(v), fg_law_vector_data(jv));
  return 0;
}

static int fg_law_factor(sunrealtype t, N_Vector p, N_Vector fp, sunbooleantype keep, sunbooleantype *made,
                         sunrealtype gamma, void *data)
{
  fg_law_solver *s = data;
  const fg_law_faces *faces;
  (void)p, (void)fp, (void)keep;
  int bad = fg_law_faces_for(s, t, &faces);
  if (bad) return bad;
  s->setups++;
  fg_law_lines_factor(&s->lines, &s->op, faces, -gamma);
  *made = 1;
  return 0;
}

static int fg_law_precondition(sunrealtype t, N_Vector p, N_Vector fp, N_Vector r, N_Vector z,
                               sunrealtype gamma, sunrealtype delta, int side, void *data)
{
  fg_law_solver *s = data;
  (void)t, (void)p, (void)fp, (void)gamma, (void)delta, (void)side;
  fg_law_lines_solve(&s->lines, &s->op, fg_law_vector_data(r), fg_law_vector_data(z));
  return 0;
}

/* ---- the solver --------------------------------------------------------------------------------- */

static void fg_law_solver_clear(fg_law_solver *s)
{
  if (s->cvode) CVodeFree(&s->cvode);
  if (s->krylov) SUNLinSolFree(s->krylov);
  if (s->now) N_VDestroy(s->now);
  if (s->kept) N_VDestroy(s->kept);
  if (s->context) SUNContext_Free(&s->context);
  fg_law_lines_clear(&s->lines);
  fg_law_operator_clear(&s->op);
}

/* The preconditioner is made anew for every step: that costs less than one iteration. On the right it keeps the sum
 * over the cells, as A does, so that corrections have none and mass is kept whatever the iteration leaves. */
static fg_code fg_law_solver_start(fg_law_solver *s, const fg_law_settings *set, double t, double end,
                                   double atol, fg_status *st)
{
  bool ok = (s->cvode = CVodeCreate(CV_BDF, s->context)) != NULL;
  ok = ok && !fg_cvode_quiet(s->cvode, s->context, &s->words);
  ok = ok && !CVodeInit(s->cvode, fg_law_rhs, t, s->now) && !CVodeSetUserData(s->cvode, s);
  ok = ok && !CVodeSStolerances(s->cvode, set->rtol, atol) && !CVodeSetStopTime(s->cvode, end);
  ok = ok && (s->krylov = SUNLinSol_SPGMR(s->now, SUN_PREC_RIGHT, set->krylov, s->context)) != NULL;
  ok =
      ok && !CVodeSetLinearSolver(s->cvode, s->krylov, NULL) && !CVodeSetJacTimes(s->cvode, NULL, fg_law_jvp);
  ok = ok && !CVodeSetPreconditioner(s->cvode, fg_law_factor, fg_law_precondition);
  ok = ok && !CVodeSetLSetupFrequency(s->cvode, 1) && !CVodeSetMinStep(s->cvode, 8 * DBL_EPSILON * t);
  if (ok) return FG_OK;
  return FG_FAIL(st, FG_MEMORY, "cannot set up CVODE for %zu cells: %s", s->op.size,
                 s->words.text[0] ? s->words.text : "no memory");
}

static fg_code fg_law_step(fg_law_solver *s, double end, sunrealtype *t, fg_status *st)
{
  sunrealtype before = *t;
  s->failed = FG_OK;
  int flag = CVode(s->cvode, end, s->now, t, CV_ONE_STEP);
  if (flag >= 0) return FG_OK;
  if (s->failed != FG_OK) {
    if (st) *st = s->status;
    return fg_status_prefix(st, "density of the SDE at t = %g: ", (double)before), s->failed;
  }
  return FG_FAIL(
      st, FG_SOLVER,
      "CVODE gave up on the density of the SDE at t = %g: %s; try a larger density.rtol, or a larger t_end",
      (double)before, s->words.text);
}

/* Steps from t to the last of the times; densities at them on the way. */
static fg_code fg_law_carry(fg_law_solver *s, double t, size_t count, const double *times, double *p,
                            const fg_progress *progress, fg_status *st)
{
  size_t next = 0, bytes = s->op.size * sizeof *p;
  sunrealtype reached = t;
  double end = times[count - 1];
  for (; next < count && times[next] >= t; next++)
    memcpy(p + next * s->op.size, fg_law_vector_data(s->now), bytes);
  for (int steps = 0; next < count; steps++) {
    if (steps == FG_LAW_STEPS_MOST)
      return FG_FAIL(st, FG_SOLVER,
                     "the density of the SDE took %d steps down to t = %g only: try a larger rtol", steps,
                     (double)reached);
    if (fg_progress_cancelled(progress))
      return FG_FAIL(st, FG_INTERRUPTED, "stopped on request at t = %g of the SDE's density",
                     (double)reached);
    FG_TRY(fg_law_step(s, end, &reached, st));
    fg_progress_report(progress, "density of the SDE", t - reached, t - end);
    for (; next < count && times[next] >= reached; next++) {
      N_Vector at = times[next] == reached ? s->now : s->kept;
      if (at == s->kept && CVodeGetDky(s->cvode, times[next], 0, s->kept))
        return FG_FAIL(st, FG_SOLVER, "CVODE cannot interpolate at t = %.17g: %s", times[next],
                       s->words.text);
      memcpy(p + next * s->op.size, fg_law_vector_data(at), bytes);
    }
  }
  return FG_OK;
}

/* ---- the call ---------------------------------------------------------------------------------- */

static double fg_law_sum(const double *p, size_t n, double *least, double *most)
{
  double sum = 0;
  *least = HUGE_VAL, *most = -HUGE_VAL;
  for (size_t i = 0; i < n; i++) {
    sum += p[i];
    *least = fmin(*least, p[i]);
    *most = fmax(*most, p[i]);
  }
  return sum;
}

/* The prior on the grid, with mass 1. */
static fg_code fg_law_first(const fg_prior *prior, const fg_process *process, const fg_law_grid *grid,
                            double *p, double *outside, double *most, fg_status *st)
{
  size_t n = fg_law_size(grid);
  double least;
  FG_TRY(fg_law_start(prior, process, grid, p, st));
  double mass = fg_law_sum(p, n, &least, most) * fg_law_volume(grid);
  if (!(mass > 0.5))
    return FG_FAIL(st, FG_USAGE, "the box of half width %g holds %g of the prior's mass: give a wider one",
                   grid->half_width, mass);
  for (size_t i = 0; i < n; i++) p[i] /= mass;
  *most /= mass;
  *outside = fmax(1 - mass, 0);
  return FG_OK;
}

static fg_code fg_law_sde_check(const fg_model *model, const fg_law_grid *grid, const fg_law_settings *set,
                                double lambda, size_t count, const double *t, fg_status *st)
{
  double horizon = fg_process_horizon(fg_model_process(model));
  FG_TRY(fg_law_check(grid, model, st));
  if (!(lambda > 0 && lambda <= 1e3))
    return FG_FAIL(st, FG_USAGE, "lambda is %g: the density of an SDE needs more than 0 and at most 1000",
                   lambda);
  if (!(set->rtol >= 1e-12 && set->rtol < 1 && set->atol > 0 && set->atol < 1))
    return FG_FAIL(st, FG_USAGE, "rtol is %g and atol %g: give rtol from 1e-12 and atol > 0, both below 1",
                   set->rtol, set->atol);
  if (set->krylov < 1 || set->krylov > 1000)
    return FG_FAIL(st, FG_USAGE, "krylov is %d: give 1 to 1000", set->krylov);
  if (count < 1) return FG_FAIL(st, FG_USAGE, "the density of the SDE is asked for at no time");
  for (size_t k = 0; k < count; k++)
    if (!(t[k] >= 0 && t[k] <= (k ? t[k - 1] : horizon * (1 + 1e-12))))
      return FG_FAIL(st, FG_USAGE, "time %zu is %g: give decreasing times from %g to 0", k + 1, t[k],
                     horizon);
  double a = fg_process_a(fg_model_process(model), horizon);
  if (!isfinite(a) || a < 0)
    return FG_FAIL(
        st, FG_USAGE,
        "the process is pinned to a point at t = %g, where a(t) is infinite: set process.horizon below "
        "process.pin",
        horizon);
  return FG_OK;
}

static void fg_law_count(fg_law_solver *s, fg_law_report *report)
{
  long steps = 0, iterations = 0;
  CVodeGetNumSteps(s->cvode, &steps);
  CVodeGetNumLinIters(s->cvode, &iterations);
  report->steps = (uint64_t)steps;
  report->rhs_evaluations = s->rhs;
  report->score_evaluations = s->op.evaluations;
  report->jvp_evaluations = s->jvp;
  report->linear_iterations = (uint64_t)iterations;
  report->preconditioner_setups = s->setups;
}

fg_code fg_law_sde(const fg_model *model, const fg_prior *prior, const fg_law_grid *grid,
                   const fg_law_settings *settings, double lambda, size_t count, const double *t, double *p,
                   const fg_progress *progress, fg_law_report *report, fg_status *st)
{
  double start = fg_seconds(), most, least;
  fg_law_report mine;
  fg_code rc;
  memset(&mine, 0, sizeof mine);
  FG_TRY(fg_law_sde_check(model, grid, settings, lambda, count, t, st));
  const fg_process *process = fg_model_process(model);
  fg_law_solver *s = calloc(1, sizeof *s);
  if (!s) return FG_FAIL(st, FG_MEMORY, "no memory for a solver");
  FG_GO(fg_law_operator_open(&s->op, model, grid, lambda, settings->precision, st), done);
  FG_GO(fg_law_lines_open(&s->lines, &s->op, st), done);
  if (SUNContext_Create(SUN_COMM_NULL, &s->context) || !(s->now = fg_law_vector(s->op.size, s->context)) ||
      !(s->kept = fg_law_vector(s->op.size, s->context))) {
    rc = FG_FAIL(st, FG_MEMORY, "no memory for densities on %zu cells", s->op.size);
    goto done;
  }
  double *first = fg_law_vector_data(s->now), horizon = fg_process_horizon(process);
  FG_GO(fg_law_first(prior, process, grid, first, &mine.mass_outside, &most, st), done);
  mine.mass_start = fg_law_sum(first, s->op.size, &least, &most) * fg_law_volume(grid);
  if (t[count - 1] < horizon)
    FG_GO(fg_law_solver_start(s, settings, horizon, t[count - 1], settings->atol * most, st), done);
  FG_GO(fg_law_carry(s, horizon, count, t, p, progress, st), done);
  mine.mass = fg_law_sum(p + (count - 1) * s->op.size, s->op.size, &least, &most) * fg_law_volume(grid);
  mine.least = least / most;
  if (s->cvode) fg_law_count(s, &mine);
  mine.seconds = fg_seconds() - start;
  if (report) *report = mine;
done:
  fg_law_solver_clear(s);
  free(s);
  return rc;
}
