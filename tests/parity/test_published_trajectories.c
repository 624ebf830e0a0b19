/* needs: flow */
/* Trajectories of a published potential network (arXiv 2311.15996) that SciPy's DOP853 computed at
 * rtol 1e-12. The files carry no licence and are not part of flowgap: without them it is skipped. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/csv.h"
#include "flowgap/flowgap.h"

#define FOLDER FG_SOURCE_DIR "/../shared/reference"
enum { PARTICLES = 50 };
static const double t_start = 10, t_end = 1e-4;

typedef struct published {
  fg_csv table;
  fg_settings *settings;
  fg_engine *engine;
  fg_process *process;
  fg_model *model;
  double x0[2 * PARTICLES], x1[2 * PARTICLES], log_p[PARTICLES];
} published;

static void published_ok(fg_code rc, const fg_status *st)
{
  if (rc != FG_OK) fail_msg("%s", st->message);
}

static int setup(void **state)
{
  static published p;
  const char *yaml = "process: {kind: ou, rate: 1, diff: 1, horizon: 10}\n"
                     "model: {kind: network, form: potential, file: " FOLDER "/circles2_w0.0.safetensors,\n"
                     "  layers: [input, hidden1, hidden2, output], inputs: [t, x],\n"
                     "  activation: softplus, beta: 100, threshold: 0}\n";
  fg_status st = {0};
  *state = NULL;
  if (access(FOLDER "/ode_traj_circles2_w0.0.csv", R_OK)) return 0;
  published_ok(fg_csv_read(FOLDER "/ode_traj_circles2_w0.0.csv", &p.table, &st), &st);
  published_ok(fg_settings_create(&p.settings, &st), &st);
  published_ok(fg_settings_parse(p.settings, yaml, "published", &st), &st);
  published_ok(fg_engine_open("cpu", 2, &p.engine, &st), &st);
  published_ok(fg_process_from_settings(p.settings, &p.process, &st), &st);
  published_ok(fg_model_from_settings(p.engine, p.settings, NULL, p.process, &p.model, &st), &st);
  assert_int_equal(p.table.rows, PARTICLES);
  for (size_t i = 0; i < PARTICLES; i++)
    for (size_t j = 0; j < 2; j++) p.x0[2 * i + j] = p.table.values[i * p.table.columns + j];
  *state = &p;
  return 0;
}

static int teardown(void **state)
{
  published *p = *state;
  if (!p) return 0;
  fg_csv_clear(&p->table);
  fg_model_destroy(&p->model);
  fg_process_destroy(&p->process);
  fg_engine_close(&p->engine);
  fg_settings_destroy(&p->settings);
  return 0;
}

/* Largest error of the ends and of the change of log-density. */
static void run(published *p, fg_ode_method method, double rtol, double *x_error, double *log_error)
{
  fg_status st;
  fg_ode_settings set;
  fg_flow_report report;
  fg_ode_defaults(&set);
  set.method = method;
  set.rtol = rtol;
  set.atol = rtol;
  set.tile = 10;
  for (size_t i = 0; i < PARTICLES; i++) p->log_p[i] = 0;
  published_ok(fg_flow_ode(p->model, &set, PARTICLES, p->x0, t_start, t_end, p->x1, p->log_p, NULL, NULL,
                           &report, &st),
               &st);
  assert_int_equal(report.lost, 0);
  *x_error = *log_error = 0;
  for (size_t i = 0; i < PARTICLES; i++) {
    const double *row = p->table.values + i * p->table.columns;
    *x_error = fmax(*x_error, fmax(fabs(p->x1[2 * i] - row[2]), fabs(p->x1[2 * i + 1] - row[3])));
    *log_error = fmax(*log_error, fabs(p->log_p[i] - row[4]));
  }
  print_message("%s %.0e: error %.2g, log-density %.2g, %.0f evaluations a tile\n", method ? "bdf" : "adams",
                rtol, *x_error, *log_error, (double)report.rhs_evaluations / (double)report.tiles);
}

/* The ends are trusted to 1e-9, and a tolerance of 1e-12 makes the solver's own error smaller than
 * that; at 1e-6 the log-density is the harder part, the network's Laplacian being nearly a set of
 * spikes (softplus with beta 100). */
static void test_adams(void **state)
{
  double x, l;
  if (!*state) skip();
  run(*state, FG_ODE_ADAMS, 1e-6, &x, &l);
  assert_true(x < 1e-3 && l < 1e-2);
  run(*state, FG_ODE_ADAMS, 1e-12, &x, &l);
  assert_true(x < 1e-9 && l < 1e-8);
}

static void test_bdf(void **state)
{
  double x, l;
  if (!*state) skip();
  run(*state, FG_ODE_BDF, 1e-6, &x, &l);
  assert_true(x < 1e-3 && l < 1e-2);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_adams), cmocka_unit_test(test_bdf)};
  return cmocka_run_group_tests(tests, setup, teardown);
}
