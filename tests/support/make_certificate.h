/* A certificate and a curve over lambda of made-up figures, for tests of the page. */
#ifndef FG_TEST_MAKE_CERTIFICATE_H
#define FG_TEST_MAKE_CERTIFICATE_H

#include <jansson.h>
#include <math.h>

typedef struct make_certificate_settings {
  int d;
  bool global;      /* a closed form for L, marked as a theorem */
  double log_bound; /* of the box, or (d > 2) of the paths */
} make_certificate_settings;

static inline json_t *make_certificate_bound(const char *lipschitz, const char *kind, double log_bound)
{
  return json_pack("{s:f, s:s, s:f, s:f, s:o, s:s}", "lipschitz_integral", 0.8, "lipschitz_kind", lipschitz,
                   "log_a", 2 * log_bound + 5.4, "log_bound", log_bound, "bound",
                   log_bound < 700 ? json_real(exp(log_bound)) : json_null(), "kind", kind);
}

static inline json_t *make_certificate_curve(const make_certificate_settings *s)
{
  json_t *curve = json_array();
  for (int k = 0; k <= 32; k++) {
    double t = 4 * pow(0.012, k / 32.0), fisher = 0.01 * exp(-t);
    json_t *l = json_pack("{s:f}", "paths", 3 * exp(-t) - 0.2);
    if (s->d <= 2) json_object_set_new(l, "box", json_real(3.2 * exp(-t) - 0.1));
    if (s->global) json_object_set_new(l, "global", json_real(4 * exp(-t)));
    json_t *at = json_pack("{s:f, s:f, s:f, s:o}", "t", t, "residual_paths", 0.1 * exp(-t),
                           "residual_paths_se", 0.004, "lipschitz", l);
    json_object_set_new(at, "fisher", s->d <= 2 ? json_real(fisher) : json_null());
    json_object_set_new(at, "residual", s->d <= 2 ? json_real(0.1 * exp(-t)) : json_null());
    json_object_set_new(at, "fisher_paths", s->d <= 2 ? json_real(1.01 * fisher) : json_null());
    json_object_set_new(at, "fisher_paths_se", s->d <= 2 ? json_real(0.0002) : json_null());
    json_array_append_new(curve, at);
  }
  return curve;
}

static inline json_t *make_certificate(const make_certificate_settings *s)
{
  bool grid = s->d <= 2;
  json_t *paths =
      json_pack("{s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:i, s:i, s:i}", "paths", 4096, "kl_start",
                0.0027, "kl_start_se", 4e-5, "residual", -0.0134, "residual_se", 0.002, "sum", -0.0107,
                "sum_step", 8e-6, "sum_step_se", 2e-5, "off", 3, "visits", 266240, "lost", 0);
  static const char *const known[] = {"left",       "left_se",       "right",  "right_se",
                                      "difference", "difference_se", "kl_end", "kl_end_se"};
  const double values[] = {0.00442, 6e-5, 0.00417, 0.0014, -0.00025, 0.0015, -0.0148, 0.0014};
  for (int i = 0; i < 8; i++) json_object_set_new(paths, known[i], grid ? json_real(values[i]) : json_null());
  json_t *on_grid =
      json_pack("{s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "cells", 1024, "left", 0.00446,
                "right", 0.00447, "kl_start", 0.0027, "kl_end", -0.0161, "residual", -0.0143, "left_time",
                5e-7, "right_time", 1e-6, "left_space", 4e-7, "right_space", 3e-7, "left_out", 4e-12);
  json_t *bounds = json_pack("{s:o}", "paths", make_certificate_bound("estimate", "estimate", s->log_bound));
  if (grid) json_object_set_new(bounds, "box", make_certificate_bound("estimate", "estimate", s->log_bound));
  if (s->global)
    json_object_set_new(bounds, "global",
                        make_certificate_bound("theorem", grid ? "theorem" : "estimate", s->log_bound + 0.3));
  json_t *all = json_pack("{s:f, s:o, s:s, s:o}", "t0", 0.05, "bounds", bounds, "shown",
                          grid ? "box" : "paths", "curve", make_certificate_curve(s));
  if (!grid) json_decref(on_grid);
  json_object_set_new(all, "identity",
                      json_pack("{s:o, s:o}", "grid", grid ? on_grid : json_null(), "paths", paths));
  json_object_set_new(all, "log_mass",
                      json_pack("{s:f, s:f, s:f, s:s}", "value", 0.0203, "error", 0.001, "edge", 2e-8,
                                "method", grid ? "box" : "importance"));
  json_object_set_new(
      all, "d",
      json_pack("{s:f, s:f, s:s}", "value", 0.00447, "error", 2e-6, "method", grid ? "grid" : "paths"));
  json_object_set_new(all, "laws", json_pack("{s:o}", "w2_least", grid ? json_real(0.0593) : json_null()));
  return all;
}

static inline json_t *make_lambda_curve(const char *estimator)
{
  json_t *list = json_array();
  for (int i = 0; i < 5; i++) {
    double value = 0.07 * i;
    json_array_append_new(list,
                          json_pack("{s:f, s:{s:{s:f, s:f, s:f, s:f}}, s:f, s:f, s:i}", "lambda", 0.5 * i,
                                    "w2", estimator, "value", value, "floor", 0.03, "ci_low",
                                    fmax(0, value - 0.04), "ci_high", value + 0.03, "residual_mean_square",
                                    0.007, "residual_mean_square_se", 1e-4, "lost", i == 4 ? 2 : 0));
  }
  return list;
}

#endif
