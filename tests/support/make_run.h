/* Run directories made of closed forms, for tests of what reads them. Needs jansson and base/hdf5.h. */
#ifndef FG_TEST_MAKE_RUN_H
#define FG_TEST_MAKE_RUN_H

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hdf5.h"
#include "flowgap/status.h"

typedef struct make_run {
  size_t d, n;
  bool target, snapshots, trajectories, residual, box, warnings;
  double shift;     /* of the SDE's law against the ODE's, first coordinate */
  const char *name; /* of the model */
} make_run;

/* SplitMix64 and Box-Muller: any stream will do here. */
static inline double make_uniform(unsigned long long *state)
{
  unsigned long long z = (*state += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return ((double)((z ^ (z >> 31)) >> 11) + 0.5) / 9007199254740992.0;
}

static inline double make_normal(unsigned long long *state)
{
  double u = make_uniform(state), v = make_uniform(state);
  return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

/* n points of nine modes at {-5, 0, 5}^2 scaled by m, with variance v; further coordinates N(0, v). */
static inline void make_points(size_t n, size_t d, double m, double v, double shift, unsigned long long seed,
                               double *x)
{
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < d; j++) {
      double mode = j < 2 ? 5 * (floor(3 * make_uniform(&seed)) - 1) : 0;
      x[i * d + j] = m * mode + sqrt(v) * make_normal(&seed) + (j == 0 ? shift : 0);
    }
}

static inline void make_write(fg_h5 *file, const char *name, int rank, size_t a, size_t b, size_t c,
                              const double *x)
{
  size_t shape[3] = {a, b, c};
  fg_status st = {0};
  if (fg_h5_write_real(file, name, rank, shape, x, &st) != FG_OK) {
    fprintf(stderr, "%s\n", st.message);
    exit(2);
  }
}

/* ou with rate 1, diff 1: m = exp(-t), v = (1 - m^2) / 2 */
static inline void make_law(size_t n, size_t d, double t, double shift, unsigned long long seed, double *x)
{
  double m = exp(-t);
  make_points(n, d, m, 0.3 * m * m + 0.5 * (1 - m * m), shift * m, seed, x);
}

static inline void make_snapshots(const make_run *run, fg_h5 *file, json_t *list)
{
  enum { TIMES = 9 };
  size_t kept = run->n < 5000 ? run->n : 5000, block = kept * run->d;
  double t[TIMES], *ode = malloc(TIMES * block * sizeof *ode), *sde = malloc(TIMES * block * sizeof *sde);
  for (int k = 0; k < TIMES; k++) {
    t[k] = 8 * pow(0.4, k);
    make_law(kept, run->d, t[k], 0, 100 + (unsigned)k, ode + (size_t)k * block);
    make_law(kept, run->d, t[k], run->shift, 200 + (unsigned)k, sde + (size_t)k * block);
    double gap = 0.02 + run->shift * exp(-t[k]);
    json_array_append_new(list, json_pack("{s:f, s:{s:f, s:f, s:f, s:f}}", "t", t[k], "w2_ode_sde", "value",
                                          gap, "floor", 0.03, "ci_low", gap * 0.9, "ci_high", gap * 1.1));
  }
  make_write(file, "snapshot_t", 1, TIMES, 1, 1, t);
  make_write(file, "snapshot_ode", 3, TIMES, kept, run->d, ode);
  make_write(file, "snapshot_sde", 3, TIMES, kept, run->d, sde);
  free(ode);
  free(sde);
}

static inline void make_trajectories(const make_run *run, fg_h5 *file)
{
  enum { TIMES = 160, PATHS = 5 };
  size_t d = run->d, block = PATHS * d;
  double t[TIMES], *ode = calloc(TIMES * block, sizeof *ode), *sde = calloc(TIMES * block, sizeof *sde);
  unsigned long long seed = 5;
  for (size_t i = 0; i < block; i++) {
    double end = 5 * (floor(3 * make_uniform(&seed)) - 1), start = 0.7 * make_normal(&seed), noise = 0;
    for (int k = 0; k < TIMES; k++) {
      t[k] = 10 * pow(1e-4, k / (TIMES - 1.0));
      double m = exp(-t[k]), bridge = sqrt(fmax(0, m * (1 - m)));
      noise = 0.93 * noise + 0.37 * make_normal(&seed);
      ode[(size_t)k * block + i] = (1 - m) * start + m * end;
      sde[(size_t)k * block + i] = k ? (1 - m) * start + m * end + 1.3 * bridge * noise : start;
    }
  }
  make_write(file, "trajectory_t", 1, TIMES, 1, 1, t);
  make_write(file, "trajectories_ode", 3, TIMES, PATHS, d, ode);
  make_write(file, "trajectories_sde", 3, TIMES, PATHS, d, sde);
  free(ode);
  free(sde);
}

static inline json_t *make_estimate(double value, double floor_value, double p, int used, bool boxed)
{
  json_t *one =
      json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:i, s:i, s:i, s:i, s:f, s:f, s:f}", "value", value,
                "squared", value * value, "floor", floor_value, "ci_low", 0.93 * value, "ci_high",
                1.08 * value, "p_value", p, "used_x", used, "used_y", used, "outside_x", 0, "outside_y", 0,
                "primal", value * value, "dual", value * value * (1 - 3e-15), "seconds", 0.0123);
  if (boxed) json_object_set_new(one, "boxed", make_estimate(0.8 * value, floor_value, p, used - 3, false));
  return one;
}

static inline json_t *make_moments(const make_run *run, const double *x)
{
  json_t *mean = json_array(), *covariance = json_array();
  double mu[8] = {0};
  for (size_t i = 0; i < run->n; i++)
    for (size_t j = 0; j < run->d && j < 8; j++) mu[j] += x[i * run->d + j] / (double)run->n;
  for (size_t j = 0; j < run->d && j < 8; j++) {
    json_t *row = json_array();
    for (size_t l = 0; l < run->d && l < 8; l++) {
      double sum = 0;
      for (size_t i = 0; i < run->n; i++) sum += (x[i * run->d + j] - mu[j]) * (x[i * run->d + l] - mu[l]);
      json_array_append_new(row, json_real(sum / (double)(run->n - 1)));
    }
    json_array_append_new(mean, json_real(mu[j]));
    json_array_append_new(covariance, row);
  }
  return json_pack("{s:o, s:o}", "mean", mean, "covariance", covariance);
}

static inline json_t *make_ode(const make_run *run)
{
  json_t *profile = json_array(), *named = json_array();
  for (int k = 0; k < 24; k++) {
    double t = 1e-3 * pow(1e4, (k + 0.5) / 24), steps = 2 + 5 * exp(-pow(log(t / 0.3) / 2, 2));
    json_array_append_new(profile, json_pack("{s:f, s:f, s:f, s:f}", "t", t, "steps", steps, "rhs",
                                             1.4 * steps + 0.5, "order", 2 + 6 / (1 + exp(-log(t / 0.05)))));
  }
  if (run->warnings) {
    json_array_append_new(named, json_pack("{s:i, s:f}", "particle", 17, "t", 0.0031));
    json_array_append_new(named, json_pack("{s:i, s:f}", "particle", 4711, "t", 0.0029));
  }
  return json_pack("{s:s, s:f, s:f, s:f, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:o, s:f, s:o}", "method",
                   "adams", "rtol", 1e-6, "atol", 1e-8, "t_end", 1e-3, "steps", 34512, "rhs_evaluations",
                   51234, "jvp_evaluations", 0, "error_test_failures", 812, "convergence_failures", 0,
                   "tiles", 313, "tiles_split", run->warnings ? 2 : 0, "failed", run->warnings ? 2 : 0,
                   "failed_named", named, "seconds", 1.234, "profile", profile);
}

static inline json_t *make_w2(const make_run *run)
{
  json_t *w2 = json_object();
  const char *names[] = {"exact", "grid", "gaussian"};
  double p = run->shift > 0.05 ? 0.01 : 0.42, scale[] = {1, 0.97, 0.6};
  for (int e = 0; e < 3; e++) {
    if (e == 1 && run->d != 2) continue;
    double gap = scale[e] * hypot(run->shift, run->shift > 0.05 ? 0.03 : 0.025), below = 0.03 * scale[e];
    json_t *pairs =
        json_pack("{s:o}", "ode_sde", make_estimate(gap, below, p, e ? (int)run->n : 2000, run->box));
    if (run->target) {
      json_object_set_new(pairs, "ode_target",
                          make_estimate(0.8 * below, below, 0.6, e ? (int)run->n : 2000, run->box));
      json_object_set_new(pairs, "sde_target",
                          make_estimate(1.1 * gap, below, p, e ? (int)run->n : 2000, run->box));
    }
    json_object_set_new(w2, names[e], pairs);
  }
  return w2;
}

static inline json_t *make_residual(void)
{
  json_t *profile = json_array();
  for (int k = 0; k < 24; k++) {
    double t = 10 * pow(1e-4, k / 23.0), value = 0.02 * exp(-t) / (1 + 100 * t * t) + 1e-6;
    json_array_append_new(profile, json_pack("{s:f, s:f, s:f, s:f}", "t", t, "mean_square", value, "se",
                                             0.07 * value, "relative", 0.1 * sqrt(value)));
  }
  return json_pack("{s:f, s:f, s:i, s:o}", "mean_square", 0.00312, "mean_square_se", 0.00011, "points",
                   240000, "profile", profile);
}

static inline json_t *make_results(const make_run *run)
{
  json_t *root = json_pack(
      "{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:f, s:f, s:{s:s, s:s, s:i}, s:{s:s, s:f, s:f, s:f}, "
      "s:{s:s}, "
      "s:{s:s, s:f}, s:i, s:{s:i, s:f}}",
      "schema", 1, "program", "flowgap", "version", "0.1.0", "command",
      "flowgap compare perturbed:gmm9 --set compare.particles=20000 --out 'runs/<first> & \"best\"'",
      "created", "2026-11-22T09:36:00Z", "engine", "cpu", "isa", "avx512", "threads", 2, "seed", 1,
      "wall_seconds", 12.3, "confidence", 0.9, "model", "name", run->name, "kind", "perturbed", "dimension",
      (int)run->d, "process", "kind", "ou", "rate", 1.0, "diff", 1.0, "horizon", 10.0, "target", "kind",
      "gmm9", "prior", "kind", "gaussian", "variance", 0.5, "particles", (int)run->n, "grid", "bins", 64,
      "half_width", 8.0);
  json_object_set_new(root, "w2", make_w2(run));
  json_object_set_new(root, "box", run->box ? json_real(6.0) : json_null());
  json_object_set_new(root, "outside_box",
                      json_pack("{s:i, s:i, s:i}", "ode", run->box ? 412 : 0, "sde", run->box ? 398 : 0,
                                "target", run->box ? 401 : 0));
  json_object_set_new(root, "residual", run->residual ? make_residual() : json_null());
  json_object_set_new(root, "ode", make_ode(run));
  json_object_set_new(root, "sde",
                      json_pack("{s:s, s:f, s:i, s:i, s:[], s:f, s:b, s:i, s:s}", "method", "euler", "lambda",
                                1.0, "steps", 1000, "nonfinite", 0, "nonfinite_named", "seconds", 3.21,
                                "last_step_noise", 1, "refine", 0, "precision", "double"));
  json_object_set_new(root, "log_density", json_null());
  json_object_set_new(root, "warnings", json_array());
  if (run->warnings)
    json_array_append_new(json_object_get(root, "warnings"),
                          json_string("the prior <gaussian> differs from p_T & its mean by 0.1"));
  return root;
}

/* Writes results.json, samples.h5 and config.yaml into an existing or new folder. */
static inline void make_run_directory(const char *folder, const make_run *run)
{
  char path[512];
  fg_status st = {0};
  fg_h5 *file = NULL;
  size_t count = run->n * run->d;
  double *x[3];
  static const char *const names[3] = {"ode", "sde", "target"};
  mkdir(folder, 0777);
  snprintf(path, sizeof path, "%s/samples.h5", folder);
  if (fg_h5_create(path, &file, &st) != FG_OK) {
    fprintf(stderr, "%s\n", st.message);
    exit(2);
  }
  json_t *root = make_results(run), *moments = json_object(), *list = json_array();
  for (int k = 0; k < 3; k++) {
    x[k] = malloc(count * sizeof(double));
    make_law(run->n, run->d, 1e-3, k == 1 ? run->shift : 0, (unsigned)k + 1, x[k]);
    if (k == 2 && !run->target) continue;
    make_write(file, names[k], 2, run->n, run->d, 1, x[k]);
    json_object_set_new(moments, names[k], make_moments(run, x[k]));
  }
  if (run->snapshots) make_snapshots(run, file, list);
  if (run->trajectories) make_trajectories(run, file);
  json_object_set_new(root, "moments", moments);
  json_object_set_new(root, "snapshots", list);
  if (fg_h5_commit(&file, &st) != FG_OK) exit(2);
  snprintf(path, sizeof path, "%s/results.json", folder);
  if (json_dump_file(root, path, JSON_INDENT(1)) != 0) exit(2);
  json_decref(root);
  snprintf(path, sizeof path, "%s/config.yaml", folder);
  FILE *config = fopen(path, "w");
  if (!config ||
      fprintf(config, "seed: 1\nprocess: {kind: ou, rate: 1, diff: 1, horizon: 10}\ntarget: {kind: gmm9}\n"
                      "model: {kind: perturbed, epsilon: 0.3}  # a < b & c\n") < 0 ||
      fclose(config))
    exit(2);
  for (int k = 0; k < 3; k++) free(x[k]);
}

#endif
