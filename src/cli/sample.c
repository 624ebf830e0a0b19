/* flowgap sample MODEL --out FILE */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/session.h"

/* The stream of random numbers that `compare` gives to its SDE: the same particles come out. */
enum { NOISE_STREAM = 1 };

typedef struct job {
  fg_session *session;
  bool ode, log_density;
  double stop; /* noising time, NaN: where the flow ends */
  uint64_t seed;
  fg_samples samples;
  fg_flow_report report;
} job;

/* Before the work and not after it. */
static fg_code check_ending(const job *j, const char *path, fg_status *st)
{
  const char *dot = strrchr(path, '.');
  if (!dot || strchr(dot, '/')) dot = "";
  bool npy = strcmp(dot, ".npy") == 0;
  if (npy && j->log_density)
    return FG_FAIL(st, FG_USAGE, "%s: a .npy file has no place for log-densities: write .h5 or .csv", path);
  if (npy || strcmp(dot, ".csv") == 0 || strcmp(dot, ".h5") == 0 || strcmp(dot, ".hdf5") == 0) return FG_OK;
  return FG_FAIL(st, FG_USAGE, "%s: samples are written as .h5, .npy or .csv: give the file such an ending",
                 path);
}

static fg_code read_job(job *j, fg_status *st)
{
  const fg_args *args = j->session->args;
  const char *flow = args->value[FG_OPTION_FLOW], *stop = args->value[FG_OPTION_NOISE_TIME];
  int64_t particles, seed;
  long long count;
  j->ode = !flow || strcmp(flow, "ode") == 0;
  if (!j->ode && strcmp(flow, "sde") != 0)
    return FG_FAIL(st, FG_USAGE, "--flow is \"%.40s\": give ode or sde", flow);
  j->log_density = args->value[FG_OPTION_LOG_DENSITY] != NULL;
  if (j->log_density && !j->ode)
    return FG_FAIL(st, FG_USAGE, "--log-density: only the ODE carries a log-density; use --flow ode");
  if (!args->value[FG_OPTION_OUT])
    return FG_FAIL(st, FG_USAGE, "sample needs --out FILE, ending in .h5, .npy or .csv");
  FG_TRY(check_ending(j, args->value[FG_OPTION_OUT], st));
  FG_TRY(fg_settings_integer(j->session->settings, "compare.particles", &particles, st));
  FG_TRY(fg_settings_integer(j->session->settings, "seed", &seed, st));
  FG_TRY(fg_args_integer(args, FG_OPTION_COUNT, 1, 1000000000, particles, &count, st));
  j->seed = (uint64_t)seed;
  j->samples.n = (size_t)count;
  j->stop = (double)NAN;
  if (!stop) return FG_OK;
  char *end;
  j->stop = strtod(stop, &end);
  if (end == stop || *end || !(j->stop >= 0) || !isfinite(j->stop))
    return FG_FAIL(st, FG_USAGE, "--noise-time is \"%.40s\": give a time from 0 to process.horizon", stop);
  return FG_OK;
}

static fg_code make_room(job *j, size_t d, fg_status *st)
{
  fg_samples *s = &j->samples;
  s->d = d;
  if (s->n < SIZE_MAX / sizeof(double) / d) s->x = malloc(s->n * d * sizeof *s->x);
  if (j->log_density) s->log_density = malloc(s->n * sizeof *s->log_density);
  if (s->x && (s->log_density || !j->log_density)) return FG_OK;
  return FG_FAIL(st, FG_MEMORY, "no memory for %zu particles in %zu dimensions: lower --count", s->n, d);
}

/* A fixed grid; stopping early means to keep the states of one of its times and carry on. */
static fg_code draw_on_grid(job *j, const char *group, fg_status *st)
{
  fg_session *session = j->session;
  fg_samples *s = &j->samples;
  fg_grid *grid = NULL;
  fg_fixed_settings fixed;
  fg_snapshots keep = {1, &j->stop, s->x, s->log_density};
  bool early = !isnan(j->stop);
  double *x = s->x, *log_p = s->log_density;
  fg_code rc;
  if (early) {
    x = malloc(s->n * s->d * sizeof *x);
    log_p = s->log_density ? malloc(s->n * sizeof *log_p) : NULL;
    if (!x || (s->log_density && !log_p)) {
      rc = FG_FAIL(st, FG_MEMORY, "no memory for %zu particles: lower --count", s->n);
      goto done;
    }
    memcpy(x, s->x, s->n * s->d * sizeof *x);
    if (log_p) memcpy(log_p, s->log_density, s->n * sizeof *log_p);
  }
  FG_GO(fg_grid_from_settings(session->settings, group, session->process, &grid, st), done);
  FG_GO(fg_fixed_from_settings(session->settings, group, grid, &fixed, st), done);
  rc = fg_flow_fixed(session->model, &fixed, j->seed, NOISE_STREAM, 0, s->n, x, x, log_p,
                     early ? &keep : NULL, &session->progress, &j->report, st);
done:
  if (early) {
    free(x);
    free(log_p);
  }
  fg_grid_destroy(&grid);
  return rc;
}

static fg_code draw(job *j, fg_status *st)
{
  fg_session *session = j->session;
  fg_samples *s = &j->samples;
  fg_ode_settings ode;
  double t_end, horizon = fg_process_horizon(session->process);
  bool on_grid;
  if (j->stop > horizon)
    return FG_FAIL(st, FG_USAGE, "--noise-time is %g: process.horizon is %g", j->stop, horizon);
  FG_TRY(fg_prior_sample(session->prior, j->seed, 0, s->n, s->x, st));
  if (j->log_density) FG_TRY(fg_prior_log_density(session->prior, s->n, s->x, s->log_density, st));
  if (j->stop == horizon) return FG_OK;
  if (!j->ode) return draw_on_grid(j, "flow.sde", st);
  FG_TRY(fg_ode_from_settings(session->settings, &ode, &t_end, &on_grid, st));
  if (on_grid) return draw_on_grid(j, "flow.ode", st);
  if (!isnan(j->stop)) t_end = j->stop;
  return fg_flow_ode(session->model, &ode, s->n, s->x, horizon, t_end, s->x, s->log_density, NULL,
                     &session->progress, &j->report, st);
}

static fg_code summary(const job *j, fg_status *st)
{
  const fg_args *args = j->session->args;
  const fg_samples *s = &j->samples;
  const char *path = args->value[FG_OPTION_OUT], *law = j->ode ? "ode" : "sde";
  if (j->report.lost > 0)
    fprintf(stderr,
            "flowgap: warning: %llu of %zu particles could not be carried to the end; particle %llu stays at "
            "t = %g\n",
            (unsigned long long)j->report.lost, s->n, (unsigned long long)j->report.named[0].particle,
            j->report.named[0].t);
  if (args->value[FG_OPTION_JSON]) {
    json_t *root = json_pack("{s:s, s:I, s:I, s:I, s:s, s:I, s:I, s:f}", "flow", law, "particles",
                             (json_int_t)s->n, "dimension", (json_int_t)s->d, "seed", (json_int_t)j->seed,
                             "file", path, "lost", (json_int_t)j->report.lost, "steps",
                             (json_int_t)j->report.steps, "seconds", j->report.seconds);
    if (!root) return FG_FAIL(st, FG_USAGE, "%s is not UTF-8, so JSON cannot name it", path);
    json_dumpf(root, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(root);
  } else if (!args->value[FG_OPTION_QUIET]) {
    printf("%s: %zu particles of the %s in %zu dimensions, %.3g s\n", path, s->n, law, s->d,
           j->report.seconds);
  }
  return FG_OK;
}

fg_code fg_run_sample(const fg_args *args, fg_status *st)
{
  fg_session session;
  job j = {.session = &session};
  fg_code rc;
  FG_GO(fg_session_open(&session, args, args->argument[0], st), done);
  FG_GO(fg_session_leave_pin(&session, st), done);
  FG_GO(read_job(&j, st), done);
  FG_GO(fg_session_engine(&session, st), done);
  FG_GO(fg_session_model(&session, st), done);
  FG_GO(fg_session_prior(&session, st), done);
  FG_GO(make_room(&j, session.d, st), done);
  FG_GO(draw(&j, st), done);
  if (j.report.lost == j.samples.n) {
    rc = FG_FAIL(st, FG_SOLVER, "none of the %zu particles could be carried; particle 0 stopped at t = %g",
                 j.samples.n, j.report.named[0].t);
    goto done;
  }
  FG_GO(fg_samples_write(args->value[FG_OPTION_OUT], &j.samples, st), done);
  fg_terminal_close(&session.terminal);
  rc = summary(&j, st);
done:
  fg_samples_clear(&j.samples);
  fg_session_close(&session);
  return rc;
}
