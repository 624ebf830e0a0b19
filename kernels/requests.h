/* What the engines ask of requests before they begin, and of those of training what they make of the answers. */
#ifndef FG_REQUESTS_H
#define FG_REQUESTS_H

#include <float.h>
#include <math.h>

#include "engine.h"
#include "formula/objective.h"

static inline fg_code fg_softmin_check(const fg_softmin_request *r, fg_status *st)
{
  if (r->n < 1 || r->m < 1 || r->d < 1)
    return FG_FAIL(st, FG_USAGE,
                   "sums over pairs of %zu and %zu rows of dimension %zu: give at least one of each", r->n,
                   r->m, r->d);
  if (!(r->epsilon > 0 && r->epsilon <= DBL_MAX))
    return FG_FAIL(st, FG_USAGE, "sums over pairs with epsilon %g: it must be positive and finite",
                   r->epsilon);
  return FG_OK;
}

static inline fg_code fg_price_check(const fg_price_request *r, fg_status *st)
{
  if (r->n < 1 || r->m < 1 || r->m > UINT32_MAX - FG_PRICE_BLOCK || r->d < 1 || r->d > 65536 || r->k < 1 ||
      r->k > FG_PRICE_MOST)
    return FG_FAIL(
        st, FG_USAGE,
        "%zu pairs of each of %zu rows among %zu columns of dimension %zu: give 1 to %d of them, at "
        "least one of the others",
        r->k, r->n, r->m, r->d, FG_PRICE_MOST);
  if (!(r->cap > 0) || !(r->scale > 0 && r->scale <= DBL_MAX))
    return FG_FAIL(st, FG_USAGE, "costs cut at %g and multiplied by %g: give positive numbers", r->cap,
                   r->scale);
  return FG_OK;
}

static inline fg_code fg_ensemble_check(const fg_ensemble_request *r, fg_status *st)
{
  if (!(r->rtol >= 0 && r->atol > 0 && r->rtol < 1 && r->atol <= DBL_MAX))
    return FG_FAIL(st, FG_USAGE, "an ODE with rtol %g and atol %g: give rtol from 0 to 1 and a positive atol",
                   r->rtol, r->atol);
  if (!(r->t0 >= 0 && r->t1 >= 0 && r->t0 != r->t1 && r->t0 <= DBL_MAX && r->t1 <= DBL_MAX))
    return FG_FAIL(st, FG_USAGE, "an ODE from t = %g to %g: give two times of at least 0", r->t0, r->t1);
  if (r->max_steps < 1 || r->bins < 0 || r->bins > FG_ENSEMBLE_BINS_MOST || !(r->least_step >= 0))
    return FG_FAIL(st, FG_USAGE, "an ODE of %d steps, none below %g, counted in %d bins", r->max_steps,
                   r->least_step, r->bins);
  return FG_OK;
}

static inline fg_code fg_slices_check(size_t n, size_t m, size_t d, size_t directions, fg_status *st)
{
  if (n < 1 || m < 1 || d < 1 || n > INT32_MAX || m > INT32_MAX || directions > UINT32_MAX)
    return FG_FAIL(st, FG_USAGE,
                   "%zu and %zu rows of dimension %zu along %zu directions: give 1 to 2^31 - 1 rows", n, m, d,
                   directions);
  return FG_OK;
}

static inline fg_code fg_slice_ways_check(const fg_slice_ways_request *r, fg_status *st)
{
  FG_TRY(fg_slices_check(r->n, 1, r->d, r->directions, st));
  if (r->n < 2 || r->ways > FG_SLICE_WAYS)
    return FG_FAIL(st, FG_USAGE, "%zu ways to deal %zu rows: give at most %d, and two rows", r->ways, r->n,
                   FG_SLICE_WAYS);
  return FG_OK;
}

static inline fg_code fg_simulate_check(const fg_simulate_request *r, fg_status *st)
{
  if (r->tile < 1 || r->tile > 65536)
    return FG_FAIL(st, FG_USAGE, "tile is %zu particles: give 1 to 65536", r->tile);
  if (r->refine < 0 || r->refine > 15)
    return FG_FAIL(st, FG_USAGE, "refine is %d: give 0 to 15 halvings", r->refine);
  if (r->log_p.device && r->lambda != 0)
    return FG_FAIL(st, FG_USAGE, "the log-density is carried along the ODE only: lambda is %g, not 0",
                   r->lambda);
  if (r->steps > INT32_MAX) return FG_FAIL(st, FG_USAGE, "%zu steps: at most %d", r->steps, INT32_MAX);
  return FG_OK;
}

static inline fg_code fg_pair_sums_check(const fg_pair_sums_request *r, fg_status *st)
{
  if (r->d < 1 || r->d > 65536 || r->columns < 1 || r->columns > 4096)
    return FG_FAIL(st, FG_USAGE,
                   "sums over pairs of dimension %zu with %zu columns: give 1 to 65536 and 1 to 4096", r->d,
                   r->columns);
  if (r->kernel == FG_PAIR_GAUSSIANS && !(r->bandwidth > 0 && r->bandwidth < HUGE_VAL))
    return FG_FAIL(st, FG_USAGE, "the bandwidth is %g: give a positive length", r->bandwidth);
  return FG_OK;
}

static inline fg_code fg_paths_check(const fg_field *field, const fg_paths_request *r, fg_status *st)
{
  const fg_field *v = r->noising;
  if (field->guided && (field->kind != FG_FIELD_NETWORK || field->as.network.layers < 2))
    return FG_FAIL(st, FG_UNSUPPORTED, "the control of a sampler is a network with a hidden layer");
  if (v && (v->kind != FG_FIELD_NETWORK || !v->guided || v->as.network.layers < 2 || v->d != field->d ||
            v->as.network.form == FG_POTENTIAL || v->guide.density.kind != FG_DENSITY_NONE))
    return FG_FAIL(st, FG_UNSUPPORTED,
                   "the control of a noising process is a network of the vector form with a hidden layer, "
                   "without score information");
  if (r->tile < 1 || r->tile > 65536)
    return FG_FAIL(st, FG_USAGE, "tile is %zu paths: give 1 to 65536", r->tile);
  if (r->n < 1 || r->steps < 1 || r->steps > INT32_MAX)
    return FG_FAIL(st, FG_USAGE, "%zu paths of %zu steps: give at least one of each", r->n, r->steps);
  return FG_OK;
}

static inline int fg_objective_by_mean(const fg_objective_request *r)
{
  return r->objective == FG_OBJECTIVE_KL || r->objective == FG_OBJECTIVE_KL_ITO;
}

static inline fg_code fg_objective_check(const fg_field *field, const fg_objective_request *r, fg_status *st)
{
  FG_TRY(fg_paths_check(field, &r->paths, st));
  if (!field->guided)
    return FG_FAIL(st, FG_UNSUPPORTED, "only the control of a sampler can be trained: this model has none");
  if (r->objective == FG_OBJECTIVE_LOG_VARIANCE_TRAJECTORY && (r->group < 2 || r->paths.n % r->group))
    return FG_FAIL(st, FG_USAGE, "%zu paths in groups of %zu: give groups of at least 2 that divide them",
                   r->paths.n, r->group);
  return FG_OK;
}

/* Losses in the order of the points; the standard error from the means of the groups. */
static inline void fg_points_mean(const double *loss, fg_points_request *out)
{
  const fg_points_request *r = out;
  double sum = 0, kept = 0, groups = 0, mean = 0, squares = 0;
  out->lost = 0;
  out->lost_first = r->n;
  for (size_t at = 0; at < r->n; at += r->group) {
    double part = 0, in = 0;
    for (size_t i = at; i < at + r->group; i++) {
      if (isfinite(loss[i])) {
        part += loss[i];
        in++;
      } else if (out->lost++ == 0) {
        out->lost_first = i;
      }
    }
    sum += part;
    kept += in;
    if (in == 0) continue;
    groups++;
    const double off = part / in - mean;
    mean += off / groups;
    squares += off * (part / in - mean);
  }
  out->loss = kept > 0 ? sum / kept : NAN;
  out->loss_se = groups > 1 ? sqrt(squares / (groups - 1) / groups) : NAN;
}

static inline fg_code fg_points_check(const fg_field *f, const fg_points_request *r, fg_status *st)
{
  const bool potential = f->kind == FG_FIELD_NETWORK && f->as.network.form == FG_POTENTIAL;
  if (f->kind != FG_FIELD_NETWORK || f->as.network.layers < 2)
    return FG_FAIL(st, FG_UNSUPPORTED, "losses at points are those of a network with a hidden layer");
  if (r->n < 1 || r->group < 1 || r->group > FG_GROUP_MAX || r->n % r->group)
    return FG_FAIL(st, FG_USAGE, "%zu points in groups of %zu: give groups of 1 to %d that divide the points",
                   r->n, r->group, FG_GROUP_MAX);
  if (r->probes < 0 || r->probes > 4096)
    return FG_FAIL(st, FG_USAGE, "%d probes: give 0 (exact) to 4096", r->probes);
  if (r->kind == FG_LOSS_CENTRED && r->group < 2)
    return FG_FAIL(st, FG_USAGE, "the centred residual needs groups of at least 2 points at one time");
  if ((r->kind == FG_LOSS_RESIDUAL || r->kind == FG_LOSS_CENTRED) && !potential)
    return FG_FAIL(st, FG_UNSUPPORTED,
                   "the log residual is that of a potential: this network gives a vector "
                   "(its residual is the score form)");
  if (r->kind == FG_LOSS_SCORE_RESIDUAL &&
      (potential || f->guided || f->as.network.output == FG_OUTPUT_CONTROL))
    return FG_FAIL(st, FG_UNSUPPORTED,
                   "the score residual is offered for vector networks that give the score or the noise");
  if (r->kind == FG_LOSS_DENOISING &&
      (f->guided || (!potential && f->as.network.output == FG_OUTPUT_CONTROL)))
    return FG_FAIL(st, FG_UNSUPPORTED,
                   "denoising is offered for networks that give the score, the noise or a potential");
  return FG_OK;
}

#endif
