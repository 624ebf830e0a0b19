/* needs: analysis */
/* The budget's arithmetic: extrapolation of steps, the sum of the parts, the sentence, forecasts of the error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/budget_parts.h"
#include "analysis/budget_search.h"

enum { B = FG_BUDGET_BLOCKS };

/* Changes of a h^p + b h^(2p) by two halvings, h = 1. */
static void changes(double a, double b, double rho, double noise, double change1[B], double change2[B])
{
  for (int k = 0; k < B; k++) {
    double e = noise * (k % 2 ? 1 : -1);
    change1[k] = a * (1 - rho) + b * (1 - rho * rho) + e;
    change2[k] = a * (rho - rho * rho) + b * (rho * rho - pow(rho, 4)) - 0.5 * e;
  }
}

/* Exact for both terms, to rounding; `left` is how far the first term alone is off, (E1 - E2) / 3 for p = 1. */
static void test_extrapolate(void **state)
{
  (void)state;
  double change1[B], change2[B], effect, se, left;
  const double cases[][3] = {{1, 0, 0.5}, {1, 0.4, 0.5}, {-2, 0.7, 0.5}, {0, 1, 0.5}, {1, 0.5, 0.25}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    double a = cases[i][0], b = cases[i][1], rho = cases[i][2];
    changes(a, b, rho, 0, change1, change2);
    fg_budget_extrapolate(B, change1, change2, rho, &effect, &se, &left);
    assert_true(fabs(effect - (a + b)) < 1e-14 * 4);
    assert_true(se < 1e-14);
    double once = change1[0] + change2[0] / (1 - rho); /* what a h^p alone would give */
    assert_true(left >= fabs(a + b - once) - 1e-14);
  }
  /* noise that both changes share: what is said of it is that of the combination, not of each */
  changes(1, 0, 0.5, 0.1, change1, change2);
  fg_budget_extrapolate(B, change1, change2, 0.5, &effect, &se, &left);
  assert_true(fabs(effect - 1) < 1e-14 * 4);
  double one = 0.1 * fabs(2.0 / 3 - 0.5 * 8.0 / 3);
  assert_true(fabs(se - one * sqrt(1.0 / (B - 1))) < 1e-14);
}

/* An effect that falls like h^(1/2) though the order should be 1: what is left open covers the truth. */
static void test_slow(void **state)
{
  (void)state;
  double change1[B], change2[B], effect, se, left, root = sqrt(0.5);
  for (int k = 0; k < B; k++) {
    change1[k] = 1 - root;
    change2[k] = root - 0.5;
  }
  fg_budget_extrapolate(B, change1, change2, 0.5, &effect, &se, &left);
  assert_true(fabs(effect - 1) <= left + 1e-14);
  assert_true(fabs(effect - 1) > 0.2); /* the extrapolation alone is off */
}

static void fill(fg_budget *b, double naive, const double squared[FG_BUDGET_PARTS], double reach)
{
  memset(b, 0, sizeof *b);
  b->by = FG_W2_EXACT;
  b->confidence = 0.9;
  b->naive = naive;
  b->naive_squared = naive * naive;
  for (int k = 0; k < FG_BUDGET_PARTS; k++) {
    b->part[k].known = isfinite(squared[k]);
    b->part[k].squared = squared[k];
    b->part[k].reach = reach;
  }
}

static void test_sum(void **state)
{
  (void)state;
  fg_budget b;
  fill(&b, 0.5, (const double[]){0.05, -0.01, 0.02, 0.03}, 0.004);
  fg_budget_sum(&b, 0);
  double left = b.naive;
  for (int k = 0; k < FG_BUDGET_PARTS; k++) {
    assert_true(b.part[k].low < b.part[k].value && b.part[k].value < b.part[k].high);
    left -= b.part[k].value;
  }
  assert_true(b.part[FG_BUDGET_TOLERANCE].value < 0);
  assert_true(fabs(left - b.gap) < 1e-15 && fabs(b.gap - 0.4) < 1e-15);
  /* reaches of independent parts: 0.004 sqrt 4 about 0.16, by equal arms of the root: 0.008 / (2 0.4) */
  assert_true(fabs(b.gap_low - 0.39) < 1e-15 && fabs(b.gap_high - 0.41) < 1e-15);
  assert_true(b.seen);
  /* nothing left, and less than nothing */
  fill(&b, 0.5, (const double[]){0.2, 0, 0, 0.1}, 0.01);
  fg_budget_sum(&b, 0);
  assert_true(b.gap == 0 && b.gap_low == 0 && !b.seen);
  /* 0.25 - 0.3 + 0.02 < 0: still not "below 0"; the square is at most the reach and a quarter of it */
  assert_true(fabs(b.gap_high - sqrt(0.025)) < 1e-15);
  /* what is not known is not taken off */
  fill(&b, 0.5, (const double[]){0.05, 0, NAN, 0.04}, 0.004);
  fg_budget_sum(&b, 0);
  assert_true(fabs(b.gap - 0.4) < 1e-15 && isnan(b.part[FG_BUDGET_PRIOR].value));
}

static void says(const fg_budget *b, const char *text)
{
  if (!strstr(b->sentence, text)) fail_msg("\"%s\" lacks \"%s\"", b->sentence, text);
}

static void test_sentence(void **state)
{
  (void)state;
  fg_budget b;
  fg_comparison c = {.sde = {.scheme = FG_EULER}};
  fill(&b, 0.131, (const double[]){0.003, 0, 0, 0.0003}, 0.0005);
  fg_budget_sum(&b, 0);
  fg_budget_sentence(&c, &b);
  says(&b, "the model's own gap is 0.118 +- 0.004 (90 %, exact); 9 % of the 0.131 that a naive comparison "
           "shows is "
           "Euler error, 1 % finite sample (perhaps 0)");
  fill(&b, 0.131, (const double[]){0.016, 0, NAN, 0.001}, 0.0005);
  fg_budget_sum(&b, 0);
  fg_budget_sentence(&c, &b);
  says(&b, "no gap of the model's own is seen: it is below 0.035 (90 %, exact)");
  says(&b, "; mismatch of the prior is not known and still in it");
  fill(&b, 0, (const double[]){-0.001, 0, 0, 0}, 0.0001); /* equal clouds: no share of nothing */
  fg_budget_sum(&b, 0);
  fg_budget_sentence(&c, &b);
  assert_null(strstr(b.sentence, "inf"));
  fill(&b, 0.2, (const double[]){-0.01, 0, 0, 0}, 0.0001);
  fg_budget_sum(&b, 0);
  fg_budget_sentence(&c, &b);
  says(&b, "a naive comparison shows 0.2; part of the gap is hidden by Euler error (12 %)");
  c.sde.scheme = FG_HEUN;
  c.ode_on_grid = true;
  fill(&b, 2e6, (const double[]){NAN, NAN, 0, 1e12}, 1e10);
  fg_budget_sum(&b, 0);
  fg_budget_sentence(&c, &b);
  says(&b, "1732000 +- 4000");
  says(&b, "time steps of the SDE (Heun) and time steps of the ODE are not known");
}

static fg_forecast forecast(void)
{
  fg_forecast f = {.at = {4096, 4096, 4096, 0, 0, 0}, .gap_squared = 0.01};
  f.sample_noise = 0.002;
  f.step = 0.004;
  f.step_noise = 0.001;
  f.step_order = f.strong_order = 1;
  f.tolerance = 1e-6;
  f.sde_seconds = f.ode_seconds = f.pair_seconds = f.budget_seconds = 0.1;
  f.sde_work = 100;
  f.ode_work = 80;
  return f;
}

/* The error falls in every direction, by the orders: the step's part of W2 by about 2 for each halving. */
static void test_forecast(void **state)
{
  (void)state;
  fg_forecast f = forecast();
  double numerical, least;
  double now = fg_forecast_error(&f, &f.at, &numerical);
  fg_choice to = f.at;
  to.halvings = 5;
  (void)fg_forecast_error(&f, &to, &least);
  double ratio = numerical / least;
  assert_true(ratio > 25 && ratio < 32); /* 2^5, less what the square root bends */
  to.rows = to.particles = 4096 * 16;
  double more = fg_forecast_error(&f, &to, &least);
  assert_true(more < now / 4);
  assert_true(fg_forecast_seconds(&f, &to) > 16 * fg_forecast_seconds(&f, &f.at));
  assert_true(fabs(fg_forecast_seconds(&f, &f.at) - 0.4) < 1e-15);
}

static void test_choose(void **state)
{
  (void)state;
  const fg_choice_limits most = {1 << 24, 0, 10, 0, 6};
  fg_forecast f = forecast();
  double predicted, numerical, last = INFINITY, targets[] = {0.01, 0.005, 0.001};
  for (int i = 0; i < 3; i++) {
    fg_choice c = fg_forecast_choose(&f, &most, targets[i], INFINITY, &predicted);
    assert_true(predicted <= targets[i]);
    assert_true(fabs(predicted - fg_forecast_error(&f, &c, &numerical)) < 1e-15);
    assert_true(predicted > 0.2 * targets[i]); /* no more than needed */
    assert_true(c.particles >= 4096 && c.budget_particles <= c.particles);
    assert_true(predicted < last);
    last = predicted;
  }
  /* a short time: the best that it allows */
  fg_choice c = fg_forecast_choose(&f, &most, 1e-5, 3, &predicted);
  assert_true(predicted > 1e-5 && fg_forecast_seconds(&f, &c) <= 3);
  assert_true(predicted < fg_forecast_error(&f, &f.at, &numerical));
  /* none: stays where it is */
  c = fg_forecast_choose(&f, &most, 1e-5, 0, &predicted);
  assert_true(c.particles == 4096 && c.rows == 4096 && c.halvings == 0 && c.tenths == 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_extrapolate), cmocka_unit_test(test_slow),
                                     cmocka_unit_test(test_sum),         cmocka_unit_test(test_sentence),
                                     cmocka_unit_test(test_forecast),    cmocka_unit_test(test_choose)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
