/* needs: flow */
/* Particles (10,000) along the ODE by CVODE Adams in tiles of 64 and by dopri5, whose particles have steps of their own:
 * the exact nine modes, and a potential network 3-80-80-80-1 with random weights. Processor seconds, work, errors of the
 * ends against dopri5 at rtol 1e-10, and the ratio of the costs at the error of dopri5.
 *
 *   bench_ensemble [THREADS [PARTICLES]] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "flowgap/flowgap.h"

enum { MOST = 1000000, LAYERS = 4, RUNS = 4 };
static const size_t widths[LAYERS + 1] = {3, 80, 80, 80, 1};
static const double t_end = 1e-3;

static fg_status st;
static size_t n = 10000;
static double x0[2 * MOST], x1[2 * MOST], want[2 * MOST];

static void need(fg_code rc)
{
  if (rc == FG_OK) return;
  fprintf(stderr, "bench_ensemble: %s\n", st.message);
  exit(1);
}

static double uniform(void)
{
  static uint64_t state = 1;
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (double)(state >> 11) * 0x1p-53;
}

static void random_network(fg_engine *engine, const fg_process *process, fg_model **model)
{
  static double weight[LAYERS][80 * 80], bias[LAYERS][80];
  const double *weights[LAYERS], *biases[LAYERS];
  for (size_t l = 0; l < LAYERS; l++) {
    const double bound = 1 / sqrt((double)widths[l]);
    for (size_t k = 0; k < widths[l] * widths[l + 1]; k++) weight[l][k] = bound * (2 * uniform() - 1);
    for (size_t k = 0; k < widths[l + 1]; k++) bias[l][k] = bound * (2 * uniform() - 1);
    weights[l] = weight[l];
    biases[l] = bias[l];
  }
  const fg_network_settings net = {.form = FG_POTENTIAL,
                                   .activation = FG_SOFTPLUS,
                                   .beta = 100,
                                   .time = FG_TIME_FIRST,
                                   .dimension = 2,
                                   .layers = LAYERS,
                                   .widths = widths,
                                   .weights = weights,
                                   .biases = biases};
  need(fg_model_network(engine, &net, process, model, &st));
}

/* Processor seconds, right-hand sides a particle, geometric mean and largest of the particles' errors. */
typedef struct measured {
  double seconds, work, typical, most;
} measured;

static measured run(const fg_model *model, fg_ode_method method, double rtol)
{
  fg_ode_settings set;
  fg_flow_report report;
  measured m = {0, 0, 0, 0};
  fg_ode_defaults(&set);
  set.method = method;
  set.rtol = rtol;
  set.atol = 1e-2 * rtol;
  const clock_t start = clock();
  need(fg_flow_ode(model, &set, n, x0, fg_process_horizon(fg_model_process(model)), t_end, x1, NULL, NULL,
                   NULL, &report, &st));
  m.seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
  m.work = (double)report.rhs_evaluations / (double)report.tiles;
  double sum = 0;
  for (size_t i = 0; i < n; i++) {
    const double e = hypot(x1[2 * i] - want[2 * i], x1[2 * i + 1] - want[2 * i + 1]);
    sum += log(e + 1e-16);
    m.most = fmax(m.most, e);
  }
  m.typical = exp(sum / (double)n);
  return m;
}

/* Seconds of Adams at this error, between its runs in the logarithms. */
static double seconds_at(const measured *runs, double error)
{
  size_t k = 0;
  while (k + 2 < RUNS && runs[k + 1].typical > error) k++;
  const double share = log(error / runs[k].typical) / log(runs[k + 1].typical / runs[k].typical);
  return exp(log(runs[k].seconds) + share * log(runs[k + 1].seconds / runs[k].seconds));
}

static void measure(const char *name, const fg_model *model, const fg_prior *prior)
{
  measured adams[RUNS], dopri5[RUNS];
  need(fg_prior_sample(prior, 3, 0, n, x0, &st));
  run(model, FG_ODE_DOPRI5, 1e-10);
  memcpy(want, x1, 2 * n * sizeof *want);
  for (int k = 0; k < RUNS; k++) {
    const double rtol = pow(10, -5 - k);
    adams[k] = run(model, FG_ODE_ADAMS, rtol);
    dopri5[k] = run(model, FG_ODE_DOPRI5, rtol);
    const measured *both[] = {&adams[k], &dopri5[k]};
    for (int i = 0; i < 2; i++)
      printf("%s, %-6s rtol %.0e: %.2f s cpu, %.0f right-hand sides, error %.1e, largest %.1e\n", name,
             i ? "dopri5" : "adams", rtol, both[i]->seconds, both[i]->work, both[i]->typical, both[i]->most);
  }
  for (int k = 0; k < RUNS - 1; k++)
    printf("%s: at the error %.1e dopri5 takes %.2f times the processor time of adams\n", name,
           dopri5[k].typical, dopri5[k].seconds / seconds_at(adams, dopri5[k].typical));
}

int main(int argc, char **argv)
{
  fg_engine *engine;
  fg_process *process, *shorter;
  fg_target *target;
  fg_model *exact, *network;
  fg_prior *start;
  fg_process_settings noise;
  fg_target_settings modes;
  const fg_prior_settings prior = {FG_PRIOR_GAUSSIAN, 0.5, 0};
  if (argc > 2) n = strtoul(argv[2], NULL, 10);
  if (n < 1 || n > MOST) {
    fprintf(stderr, "bench_ensemble: 1 to %d particles\n", MOST);
    return 2;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  fg_process_defaults(FG_PROCESS_OU, &noise);
  fg_target_defaults(FG_TARGET_GMM9, &modes);
  need(fg_engine_open("cpu", argc > 1 ? atoi(argv[1]) : 1, &engine, &st));
  need(fg_target_create(&modes, &target, &st));
  need(fg_process_create(&noise, &process, &st));
  need(fg_prior_create(&prior, 2, process, NULL, &start, &st));
  need(fg_model_exact(engine, target, process, &exact, &st));
  measure("nine modes", exact, start);
  noise.horizon = 1;
  need(fg_process_create(&noise, &shorter, &st));
  random_network(engine, shorter, &network);
  measure("network", network, start);
  fg_model_destroy(&network);
  fg_model_destroy(&exact);
  fg_prior_destroy(&start);
  fg_process_destroy(&shorter);
  fg_process_destroy(&process);
  fg_target_destroy(&target);
  fg_engine_close(&engine);
  return 0;
}
