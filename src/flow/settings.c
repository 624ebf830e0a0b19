/* Grids and integrators from the rows flow.sde.* and flow.ode.*. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "flowgap/flow.h"

enum { KEY_ROOM = 64 };

static const char *key_of(char key[KEY_ROOM], const char *group, const char *name)
{
  snprintf(key, KEY_ROOM, "%s.%s", group, name);
  return key;
}

static fg_code check_group(const char *group, fg_status *st)
{
  if (strcmp(group, "flow.sde") == 0 || strcmp(group, "flow.ode") == 0) return FG_OK;
  return FG_FAIL(st, FG_USAGE, "there are no flow settings called %s: give flow.sde or flow.ode", group);
}

/* Segments [count, 3]; count 0 when the grid is given by spacing and steps. */
static fg_code segments_of(const fg_settings *settings, const char *group, const double **segments,
                           size_t *count, fg_status *st)
{
  char key[KEY_ROOM];
  size_t shape[3];
  FG_TRY(fg_settings_array(settings, key_of(key, group, "grid"), segments, shape, st));
  *count = *segments ? shape[0] : 0;
  if (*segments && (shape[1] != 3 || shape[2] != 1))
    return FG_FAIL(st, FG_USAGE, "%s must be a list of segments [from, to, steps]", key);
  return FG_OK;
}

/* Where the flow of `group` stops. */
static fg_code end_time(const fg_settings *settings, const char *group, double *t_end, fg_status *st)
{
  char key[KEY_ROOM];
  const double *segments;
  size_t count;
  FG_TRY(segments_of(settings, group, &segments, &count, st));
  FG_TRY(fg_settings_real(settings, key_of(key, group, "t_end"), t_end, st));
  if (count > 0) *t_end = segments[3 * count - 2];
  return FG_OK;
}

static bool is_on_grid(const char *method)
{
  return strcmp(method, "euler") == 0 || strcmp(method, "heun") == 0;
}

/* A grid of segments, or one taken from the SDE, says itself where the ODE stops. */
static fg_code ode_end(const fg_settings *settings, double *t_end, fg_status *st)
{
  const double *segments;
  const char *method;
  size_t count;
  int64_t steps;
  double natural;
  FG_TRY(fg_settings_real(settings, "flow.ode.t_end", t_end, st));
  FG_TRY(fg_settings_text(settings, "flow.ode.method", &method, st));
  FG_TRY(fg_settings_integer(settings, "flow.ode.steps", &steps, st));
  FG_TRY(segments_of(settings, "flow.ode", &segments, &count, st));
  bool own = is_on_grid(method) && count > 0, taken = is_on_grid(method) && count == 0 && steps == 0;
  FG_TRY(end_time(settings, own ? "flow.ode" : "flow.sde", &natural, st));
  if ((own || taken) && !isnan(*t_end) && *t_end != natural)
    return FG_FAIL(st, FG_USAGE, "flow.ode.t_end is %g, but the grid of flow.%s ends at %g: %s", *t_end,
                   own ? "ode" : "sde", natural,
                   own ? "leave flow.ode.t_end out" : "give flow.ode.steps as well");
  if (isnan(*t_end)) *t_end = natural;
  return FG_OK;
}

static fg_code check_segments(const char *group, const double *segments, size_t count, double horizon,
                              fg_status *st)
{
  if (fabs(segments[0] - horizon) > 1e-12 * horizon)
    return FG_FAIL(st, FG_USAGE, "%s.grid starts at %.17g, but process.horizon is %.17g: they must agree",
                   group, segments[0], horizon);
  for (size_t i = 0; i < count; i++) {
    double steps = segments[3 * i + 2];
    if (steps < 1 || steps > 1e8 || steps != floor(steps))
      return FG_FAIL(st, FG_USAGE, "%s.grid, segment %zu: %g steps: give an integer from 1 to 1e8", group,
                     i + 1, steps);
  }
  return FG_OK;
}

fg_code fg_grid_from_settings(const fg_settings *settings, const char *group, const fg_process *process,
                              fg_grid **grid, fg_status *st)
{
  char key[KEY_ROOM];
  const double *segments;
  const char *spacing;
  size_t count;
  int64_t steps;
  double t_end, horizon = fg_process_horizon(process);
  *grid = NULL;
  FG_TRY(check_group(group, st));
  bool ode = strcmp(group, "flow.ode") == 0;
  FG_TRY(segments_of(settings, group, &segments, &count, st));
  FG_TRY(fg_settings_integer(settings, key_of(key, group, "steps"), &steps, st));
  FG_TRY(ode ? ode_end(settings, &t_end, st) : end_time(settings, group, &t_end, st));
  if (count == 0 && steps == 0) return fg_grid_from_settings(settings, "flow.sde", process, grid, st);
  if (count > 0) {
    FG_TRY(check_segments(group, segments, count, horizon, st));
    return fg_grid_piecewise(segments, count, grid, st);
  }
  FG_TRY(fg_settings_text(settings, key_of(key, group, "spacing"), &spacing, st));
  if (t_end >= horizon)
    return FG_FAIL(st, FG_USAGE, "%s.t_end is %g: it must be below process.horizon, %g", group, t_end,
                   horizon);
  fg_grid_kind kind = strcmp(spacing, "quadratic") == 0 ? FG_GRID_QUADRATIC
                      : strcmp(spacing, "cosine") == 0  ? FG_GRID_COSINE
                                                        : FG_GRID_UNIFORM;
  return fg_grid_create(kind, horizon, t_end, (size_t)steps, grid, st);
}

static fg_code precision_and_tile(const fg_settings *settings, const char *group, fg_precision *precision,
                                  size_t *tile, fg_status *st)
{
  char key[KEY_ROOM];
  const char *word;
  int64_t number;
  FG_TRY(fg_settings_text(settings, key_of(key, group, "precision"), &word, st));
  FG_TRY(fg_settings_integer(settings, key_of(key, group, "tile"), &number, st));
  *precision = strcmp(word, "single") == 0 ? FG_SINGLE : FG_DOUBLE;
  *tile = (size_t)number; /* auto: 0 */
  return FG_OK;
}

fg_code fg_fixed_from_settings(const fg_settings *settings, const char *group, const fg_grid *grid,
                               fg_fixed_settings *fixed, fg_status *st)
{
  char key[KEY_ROOM];
  const char *method;
  FG_TRY(check_group(group, st));
  FG_TRY(fg_settings_text(settings, key_of(key, group, "method"), &method, st));
  if (!is_on_grid(method))
    return FG_FAIL(st, FG_USAGE, "%s is %s, which chooses its own steps: a grid is for euler and heun", key,
                   method);
  fg_fixed_defaults(fixed);
  fixed->scheme = strcmp(method, "heun") == 0 ? FG_HEUN : FG_EULER;
  fixed->grid = grid;
  size_t usual = fixed->tile;
  FG_TRY(precision_and_tile(settings, group, &fixed->precision, &fixed->tile, st));
  if (fixed->tile == 0) fixed->tile = usual;
  if (strcmp(group, "flow.ode") == 0) {
    fixed->lambda = 0;
    fixed->last_step_noise = false;
    fixed->refine = 0;
    return FG_OK;
  }
  int64_t refine;
  FG_TRY(fg_settings_real(settings, "flow.sde.lambda", &fixed->lambda, st));
  FG_TRY(fg_settings_flag(settings, "flow.sde.last_step_noise", &fixed->last_step_noise, st));
  FG_TRY(fg_settings_integer(settings, "flow.sde.refine", &refine, st));
  fixed->refine = (int)refine;
  return FG_OK;
}

fg_code fg_ode_from_settings(const fg_settings *settings, fg_ode_settings *ode, double *t_end, bool *on_grid,
                             fg_status *st)
{
  const char *method;
  int64_t max_steps;
  fg_ode_defaults(ode);
  FG_TRY(fg_settings_check(settings, "flow.ode", st));
  FG_TRY(fg_settings_text(settings, "flow.ode.method", &method, st));
  FG_TRY(fg_settings_real(settings, "flow.ode.rtol", &ode->rtol, st));
  FG_TRY(fg_settings_real(settings, "flow.ode.atol", &ode->atol, st));
  FG_TRY(fg_settings_integer(settings, "flow.ode.max_steps", &max_steps, st));
  FG_TRY(precision_and_tile(settings, "flow.ode", &ode->precision, &ode->tile, st));
  FG_TRY(ode_end(settings, t_end, st));
  ode->max_steps = (int)max_steps;
  ode->method = strcmp(method, "bdf") == 0      ? FG_ODE_BDF
                : strcmp(method, "dopri5") == 0 ? FG_ODE_DOPRI5
                                                : FG_ODE_ADAMS;
  *on_grid = is_on_grid(method);
  return FG_OK;
}
