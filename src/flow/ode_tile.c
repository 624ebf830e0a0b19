/* The tile's tolerance is met by each particle: CVODE's norm is the largest over particles of the
 * particle's own weighted RMS norm (fg_norm), at least as strict as a solver of its own for each.
 * With the mean over the tile, as SUNDIALS has it, one hard particle among 64 may miss the tolerance
 * by a factor of 8.
 * Still the step size is the tile's: results depend on the tile (by less than the tolerance), so its
 * size is a recorded setting. They do not depend on which worker carries it: CVodeReInit leaves
 * nothing of the run before. */
#include "flow/ode_tile.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sde/coeff.h"

/* Dimension of the Krylov space. The Jacobian of a tile is block diagonal, one block per particle,
 * so GMRES meets a cloud of eigenvalues. */
enum { FG_KRYLOV = 10 };

struct fg_ode_solver {
  size_t n;
  fg_vector_space space;
  SUNContext context;
  void *cvode;
  SUNNonlinearSolver fixed_point;
  SUNLinearSolver krylov;
  N_Vector y[2]; /* the last good state and the one that CVODE writes, in turn */
  fg_cvode_words words;
  const fg_ode_problem *problem;
  uint64_t rhs, jvp;
  fg_code failed; /* of the engine, in a callback */
  fg_status status;
};

/* ---- what CVODE calls ---------------------------------------------------------------------- */

static fg_ode_request fg_ode_ask(const fg_ode_solver *s, double t, N_Vector y)
{
  const fg_ode_problem *p = s->problem;
  fg_ode_request request;
  memset(&request, 0, sizeof request);
  request.precision = p->settings->precision;
  request.n = s->n;
  request.coeff = fg_process_coeff(p->process, t);
  request.with_log_p = s->space.tail;
  request.y = fg_vector_buf(y);
  return request;
}

/* 0, 1 (recoverable: CVODE shortens the step) or -1. A sum of squares is finite if and only if all
 * its terms are, up to values near 1e154, which are as good as lost. */
static int fg_ode_verdict(fg_ode_solver *s, fg_code rc, fg_buf out)
{
  fg_engine *e = s->space.engine;
  if (rc == FG_NUMERICS) return 1;
  if (rc == FG_OK && s->space.failed != FG_OK) { /* sync knows what vector operations cannot say */
    rc =
        FG_FAIL(&s->status, s->space.failed, "vectors of the ODE solver failed: try a smaller flow.ode.tile");
    if (e->ops->sync) (void)e->ops->sync(e, &s->status);
  }
  s->failed = rc;
  if (rc != FG_OK) return -1;
  return isfinite(e->ops->vec_reduce(e, FG_VEC_DOT, fg_vector_length(&s->space), out, out)) ? 0 : 1;
}

static int fg_ode_rhs(sunrealtype t, N_Vector y, N_Vector dy, void *data)
{
  fg_ode_solver *s = data;
  fg_ode_request request = fg_ode_ask(s, t, y);
  request.dy = fg_vector_buf(dy);
  if (s->failed != FG_OK) return -1; /* the fixed-point solver tries again whatever it is told */
  s->rhs++;
  fg_code rc = s->space.engine->ops->ode_rhs(s->space.engine, s->problem->field, &request, &s->status);
  return fg_ode_verdict(s, rc, request.dy);
}

static int fg_ode_jvp(N_Vector v, N_Vector jv, sunrealtype t, N_Vector y, N_Vector fy, void *data,
                      N_Vector tmp)
{
  fg_ode_solver *s = data;
  fg_ode_request request = fg_ode_ask(s, t, y);
  (void)fy, (void)tmp;
  request.v = fg_vector_buf(v);
  request.jv = fg_vector_buf(jv);
  if (s->failed != FG_OK) return -1;
  s->jvp++;
  fg_code rc = s->space.engine->ops->ode_jvp(s->space.engine, s->problem->field, &request, &s->status);
  return fg_ode_verdict(s, rc, request.jv);
}

/* ---- one solver ------------------------------------------------------------------------------ */

static void fg_ode_solver_destroy(fg_ode_solver **out)
{
  fg_ode_solver *s = *out;
  if (!s) return;
  if (s->cvode) CVodeFree(&s->cvode);
  if (s->fixed_point) SUNNonlinSolFree(s->fixed_point);
  if (s->krylov) SUNLinSolFree(s->krylov);
  for (int i = 0; i < 2; i++)
    if (s->y[i]) N_VDestroy(s->y[i]);
  if (s->context) SUNContext_Free(&s->context);
  free(s);
  *out = NULL;
}

/* The iteration need not be more exact than the step: with its tolerance at the error test's (CVODE's
 * own choice is a tenth) most steps take one evaluation and not two. Mixtures under ou and vp at rtol
 * 1e-6 and 1e-8: 32 to 45 % fewer evaluations, global error within 15 % either way. */
static int fg_ode_use_adams(fg_ode_solver *s)
{
  s->fixed_point = SUNNonlinSol_FixedPoint(s->y[0], 0, s->context);
  return s->fixed_point && !CVodeSetNonlinearSolver(s->cvode, s->fixed_point) &&
         !CVodeSetNonlinConvCoef(s->cvode, 1.0);
}

/* Newton is CVODE's default for BDF. The norm factor turns the tolerance of the nonlinear solver
 * into one for GMRES, whose norm is the plain 2-norm of the weighted vector: with sqrt(d + tail) no
 * particle's own RMS norm can be above it. */
static int fg_ode_use_bdf(fg_ode_solver *s)
{
  double components = (double)(s->space.d + (size_t)s->space.tail);
  if (s->space.norm == FG_NORM_MEAN) components *= (double)s->n;
  s->krylov = SUNLinSol_SPGMR(s->y[0], SUN_PREC_NONE, FG_KRYLOV, s->context);
  return s->krylov && !CVodeSetLinearSolver(s->cvode, s->krylov, NULL) &&
         !CVodeSetJacTimes(s->cvode, NULL, fg_ode_jvp) && !CVodeSetLSNormFactor(s->cvode, sqrt(components));
}

static fg_code fg_ode_solver_create(const fg_ode_problem *p, size_t n, fg_ode_solver **out, fg_status *st)
{
  const fg_ode_settings *set = p->settings;
  fg_ode_solver *s = calloc(1, sizeof *s);
  *out = NULL;
  if (!s) return FG_FAIL(st, FG_MEMORY, "no memory for an ODE solver");
  s->n = n;
  s->problem = p;
  s->space = (fg_vector_space){
      .engine = p->engine, .n = n, .d = p->d, .tail = p->log_p != NULL, .norm = p->norm, .failed = FG_OK};
  bool adams = set->method == FG_ODE_ADAMS;
  bool ok = !SUNContext_Create(SUN_COMM_NULL, &s->context);
  for (int i = 0; ok && i < 2; i++) ok = (s->y[i] = fg_vector_create(&s->space, s->context)) != NULL;
  ok = ok && (s->cvode = CVodeCreate(adams ? CV_ADAMS : CV_BDF, s->context)) != NULL;
  ok = ok && !fg_cvode_quiet(s->cvode, s->context, &s->words);
  ok = ok && !CVodeInit(s->cvode, fg_ode_rhs, p->t0, s->y[0]);
  ok = ok && !CVodeSStolerances(s->cvode, set->rtol, set->atol) && !CVodeSetUserData(s->cvode, s);
  ok = ok && (adams ? fg_ode_use_adams(s) : fg_ode_use_bdf(s));
  if (!ok || s->space.failed != FG_OK) {
    const fg_code lacking = s->space.failed != FG_OK ? s->space.failed : FG_MEMORY;
    const char *why = s->space.why.message[0] ? s->space.why.message : s->words.text;
    fg_code rc =
        FG_FAIL(st, lacking, "cannot set up CVODE for %zu particles in %zu dimensions: %s%s", n, p->d,
                why[0] ? why : "no memory", lacking == FG_MEMORY ? "; a smaller flow.ode.tile may help" : "");
    fg_ode_solver_destroy(&s);
    return rc;
  }
  *out = s;
  return FG_OK;
}

/* At the edge of a region without finite right-hand sides CVODE
 * would otherwise crawl on below the spacing of numbers near t, up to max_steps (seen: 10^5 steps). */
double fg_ode_least_step(const fg_ode_problem *problem)
{
  return 8 * DBL_EPSILON * fmax(problem->t0, problem->t1);
}

/* A solver for n particles, kept from an earlier tile of the problem if there was one of that size. */
static fg_code fg_ode_solver_get(fg_ode_worker *w, const fg_ode_problem *p, size_t n, fg_ode_solver **out,
                                 fg_status *st)
{
  for (size_t i = 0; i < FG_ODE_KEPT; i++)
    if (w->kept[i] && w->kept[i]->n == n && w->kept[i]->problem == p) {
      *out = w->kept[i];
      return FG_OK;
    }
  fg_ode_solver **slot = &w->kept[w->oldest];
  fg_ode_solver_destroy(slot);
  FG_TRY(fg_ode_solver_create(p, n, slot, st));
  w->oldest = (w->oldest + 1) % FG_ODE_KEPT;
  *out = *slot;
  return FG_OK;
}

void fg_ode_worker_clear(fg_ode_worker *worker)
{
  for (size_t i = 0; i < FG_ODE_KEPT; i++) fg_ode_solver_destroy(&worker->kept[i]);
}

/* ---- one run of one solver ------------------------------------------------------------------ */

/* Where a block of particles is: rows begin .. begin + count - 1 of x1 and log_p hold its state. */
typedef struct fg_ode_place {
  size_t begin, count;
  double t;
  size_t next; /* snapshot not yet taken */
} fg_ode_place;

static fg_code fg_ode_load(const fg_ode_problem *p, const fg_ode_place *at, fg_buf y, fg_status *st)
{
  const fg_engine_ops *ops = p->engine->ops;
  size_t bytes = at->count * p->d * sizeof(double);
  FG_TRY(ops->upload(p->engine, y, 0, p->x1 + at->begin * p->d, bytes, st));
  if (!p->log_p) return FG_OK;
  return ops->upload(p->engine, y, bytes, p->log_p + at->begin, at->count * sizeof(double), st);
}

static fg_code fg_ode_store(const fg_ode_problem *p, fg_buf y, size_t count, double *x, double *log_p,
                            fg_status *st)
{
  const fg_engine_ops *ops = p->engine->ops;
  size_t bytes = count * p->d * sizeof(double);
  FG_TRY(ops->download(p->engine, x, y, 0, bytes, st));
  if (!log_p) return FG_OK;
  return ops->download(p->engine, log_p, y, bytes, count * sizeof(double), st);
}

/* Keep the state `y` as snapshot number k of the block. */
static fg_code fg_ode_keep(const fg_ode_problem *p, const fg_ode_place *at, size_t k, fg_buf y, fg_status *st)
{
  const fg_snapshots *kept = p->snapshots;
  double *log_p = p->log_p && kept->log_p ? kept->log_p + k * p->n + at->begin : NULL;
  return fg_ode_store(p, y, at->count, kept->x + (k * p->n + at->begin) * p->d, log_p, st);
}

/* Snapshots up to time at->t, from CVODE's interpolant over the step that ended there. */
static fg_code fg_ode_snapshots(fg_ode_solver *s, fg_ode_place *at, N_Vector now, N_Vector spare,
                                fg_status *st)
{
  const fg_ode_problem *p = s->problem;
  double forward = p->t1 > p->t0 ? 1 : -1;
  while (p->snapshots && at->next < p->snapshots->count) {
    double t = p->snapshots->t[at->next];
    if ((t - at->t) * forward > 0) break;
    N_Vector y = now;
    if (t != at->t) {
      if (CVodeGetDky(s->cvode, t, 0, spare))
        return FG_FAIL(st, FG_SOLVER, "CVODE cannot interpolate at t = %.17g: %s", t, s->words.text);
      y = spare;
    }
    FG_TRY(fg_ode_keep(p, at, at->next, fg_vector_buf(y), st));
    at->next++;
  }
  return FG_OK;
}

static void fg_ode_count_step(fg_ode_tally *tally, const fg_ode_problem *p, double t, uint64_t rhs,
                              void *cvode)
{
  int order = 0;
  CVodeGetLastOrder(cvode, &order);
  tally->steps++;
  double bin = t > 0 ? (log(t) - p->bin_low) * p->bins_per_log : 0;
  size_t b = bin > 0 ? (size_t)bin : 0;
  if (b >= FG_ODE_BINS) b = FG_ODE_BINS - 1;
  tally->bin_steps[b]++;
  tally->bin_rhs[b] += rhs;
  tally->bin_order[b] += (uint64_t)order;
}

static void fg_ode_count_run(fg_ode_tally *tally, fg_ode_solver *s)
{
  long failures = 0, nonlinear = 0;
  CVodeGetNumErrTestFails(s->cvode, &failures);
  CVodeGetNumStepSolveFails(s->cvode, &nonlinear);
  tally->rhs += s->rhs;
  tally->jvp += s->jvp;
  tally->error_test_failures += (uint64_t)failures;
  tally->convergence_failures += (uint64_t)nonlinear;
}

/* Failures that come from the particles, so that a part of the tile may do without them. */
static bool fg_ode_gave_up(int flag)
{
  switch (flag) {
  case CV_TOO_MUCH_ACC:
  case CV_ERR_FAILURE:
  case CV_CONV_FAILURE:
  case CV_LSOLVE_FAIL:
  case CV_NLS_FAIL:
  case CV_FIRST_RHSFUNC_ERR:
  case CV_REPTD_RHSFUNC_ERR:
  case CV_UNREC_RHSFUNC_ERR: /* no recovery possible, says CVODE, from a recoverable one */
  case CV_TOO_CLOSE:
    return true;
  default:
    return false;
  }
}

/* Step from at->t to t1 or until the solver gives up (*done false); at->t and the rows of x1 and
 * log_p are then those of the last accepted step. */
static fg_code fg_ode_steps(fg_ode_worker *w, fg_ode_solver *s, fg_ode_place *at, bool *done, int *now,
                            fg_status *st)
{
  const fg_ode_problem *p = s->problem;
  uint64_t counted = 0;
  *done = false;
  FG_TRY(fg_ode_snapshots(s, at, s->y[0], s->y[1], st));
  for (int steps = 0; steps < p->settings->max_steps; steps++) {
    sunrealtype t = at->t;
    N_Vector next = s->y[1 - *now];
    int flag = CVode(s->cvode, p->t1, next, &t, CV_ONE_STEP);
    if (s->failed != FG_OK) {
      if (st) *st = s->status;
      return s->failed;
    }
    if (flag < 0 && fg_ode_gave_up(flag)) return FG_OK;
    if (flag < 0)
      return FG_FAIL(st, FG_SOLVER, "CVODE failed at t = %g on particles %zu to %zu: %s", at->t, at->begin,
                     at->begin + at->count - 1, s->words.text);
    *now = 1 - *now;
    at->t = t;
    fg_ode_count_step(&w->tally, p, t, s->rhs - counted, s->cvode);
    counted = s->rhs;
    FG_TRY(fg_ode_snapshots(s, at, next, s->y[1 - *now], st));
    if (flag == CV_TSTOP_RETURN) {
      *done = true;
      return FG_OK;
    }
    if (fg_progress_cancelled(p->progress))
      return FG_FAIL(st, FG_INTERRUPTED, "stopped on request at t = %g of the ODE", t);
  }
  return FG_OK;
}

static fg_code fg_ode_solve(fg_ode_worker *w, fg_ode_solver *s, fg_ode_place *at, bool *done, fg_status *st)
{
  const fg_ode_problem *p = s->problem;
  int now = 0;
  s->rhs = s->jvp = 0;
  s->failed = FG_OK;
  s->words.text[0] = '\0';
  FG_TRY(fg_ode_load(p, at, fg_vector_buf(s->y[0]), st));
  if (CVodeReInit(s->cvode, at->t, s->y[0]) || CVodeSetStopTime(s->cvode, p->t1) ||
      CVodeSetMinStep(s->cvode, fg_ode_least_step(p)))
    return FG_FAIL(st, FG_SOLVER, "CVODE cannot start at t = %g: %s", at->t, s->words.text);
  fg_code rc = fg_ode_steps(w, s, at, done, &now, st);
  fg_ode_count_run(&w->tally, s);
  FG_TRY(rc);
  return fg_ode_store(p, fg_vector_buf(s->y[now]), at->count, p->x1 + at->begin * p->d,
                      p->log_p ? p->log_p + at->begin : NULL, st);
}

/* ---- tiles that fail ------------------------------------------------------------------------ */

/* The particle stays where it is; so do its snapshots from here on. */
static void fg_ode_lose(fg_ode_worker *w, const fg_ode_problem *p, const fg_ode_place *at)
{
  fg_ode_tally *tally = &w->tally;
  tally->lost++;
  if (tally->named < FG_LOST_NAMED) tally->first[tally->named++] = (fg_lost){at->begin, at->t};
  for (size_t k = at->next; p->snapshots && k < p->snapshots->count; k++) {
    memcpy(p->snapshots->x + (k * p->n + at->begin) * p->d, p->x1 + at->begin * p->d, p->d * sizeof(double));
    if (p->log_p && p->snapshots->log_p) p->snapshots->log_p[k * p->n + at->begin] = p->log_p[at->begin];
  }
}

/* A block that gives up is cut in halves, which go on from its last accepted step with solvers (and
 * max_steps) of their own, the lower half first. */
static fg_code fg_ode_carry(fg_ode_worker *w, const fg_ode_problem *p, fg_ode_place at, fg_status *st)
{
  fg_ode_solver *s;
  bool done = false;
  FG_TRY(fg_ode_solver_get(w, p, at.count, &s, st));
  FG_TRY(fg_ode_solve(w, s, &at, &done, st));
  if (done) return FG_OK;
  if (at.count == 1) {
    fg_ode_lose(w, p, &at);
    return FG_OK;
  }
  w->halved++;
  fg_ode_place lower = at, upper = at;
  lower.count = at.count / 2;
  upper.begin += lower.count;
  upper.count -= lower.count;
  FG_TRY(fg_ode_carry(w, p, lower, st));
  return fg_ode_carry(w, p, upper, st);
}

fg_code fg_ode_tile(fg_ode_worker *worker, const fg_ode_problem *problem, size_t begin, size_t count,
                    fg_status *st)
{
  const fg_ode_problem *p = problem;
  fg_ode_place at = {begin, count, p->t0, 0};
  if (p->x1 != p->x0) memcpy(p->x1 + begin * p->d, p->x0 + begin * p->d, count * p->d * sizeof(double));
  uint64_t halved = worker->halved;
  FG_TRY(fg_ode_carry(worker, p, at, st));
  worker->tally.tiles++;
  worker->tally.split += worker->halved > halved;
  return FG_OK;
}
