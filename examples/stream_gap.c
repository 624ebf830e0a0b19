/* Any number of particles in constant memory: both laws of a model go block by block into histograms on the
 * grid of compare.grid, and W2 between them is printed as they fill. Interrupt it whenever it is good enough.
 *
 *   cc stream_gap.c $(pkg-config --cflags --libs flowgap) -lm
 *   ./a.out PARTICLES published-circles.yaml model.file=circles2_w0.0.safetensors ... */
#include <flowgap/flowgap.h>

#include <stdio.h>
#include <stdlib.h>

enum { BLOCK = 51200 }; /* a multiple of every tile, so that blocks change nothing */

typedef struct setup {
  fg_settings *settings;
  fg_engine *engine;
  fg_process *process;
  fg_target *target;
  fg_model *model;
  fg_prior *prior;
  fg_grid *sde_grid, *ode_grid;
  fg_fixed_settings sde, ode_fixed;
  fg_ode_settings ode;
  double t_end;
  bool ode_on_grid;
  fg_w2_grid_settings bins;
} setup;

static fg_code open_setup(setup *s, int count, char **text, fg_status *st)
{
  int64_t bins;
  FG_TRY(fg_settings_create(&s->settings, st));
  FG_TRY(fg_settings_read(s->settings, text[0], st));
  for (int i = 1; i < count; i++) FG_TRY(fg_settings_assign(s->settings, text[i], st));
  FG_TRY(fg_engine_open("cpu", 0, &s->engine, st));
  FG_TRY(fg_process_from_settings(s->settings, &s->process, st));
  FG_TRY(fg_target_from_settings(s->settings, &s->target, st));
  FG_TRY(fg_model_from_settings(s->engine, s->settings, s->target, s->process, &s->model, st));
  FG_TRY(fg_prior_from_settings(s->settings, 2, s->process, s->target, &s->prior, st));
  FG_TRY(fg_grid_from_settings(s->settings, "flow.sde", s->process, &s->sde_grid, st));
  FG_TRY(fg_fixed_from_settings(s->settings, "flow.sde", s->sde_grid, &s->sde, st));
  FG_TRY(fg_ode_from_settings(s->settings, &s->ode, &s->t_end, &s->ode_on_grid, st));
  if (s->ode_on_grid) {
    FG_TRY(fg_grid_from_settings(s->settings, "flow.ode", s->process, &s->ode_grid, st));
    FG_TRY(fg_fixed_from_settings(s->settings, "flow.ode", s->ode_grid, &s->ode_fixed, st));
  }
  FG_TRY(fg_settings_integer(s->settings, "compare.grid.bins", &bins, st));
  s->bins.bins = (size_t)bins;
  return fg_settings_real(s->settings, "compare.grid.half_width", &s->bins.half_width, st);
}

static void close_setup(setup *s)
{
  fg_grid_destroy(&s->sde_grid);
  fg_grid_destroy(&s->ode_grid);
  fg_prior_destroy(&s->prior);
  fg_model_destroy(&s->model);
  fg_target_destroy(&s->target);
  fg_process_destroy(&s->process);
  fg_engine_close(&s->engine);
  fg_settings_destroy(&s->settings);
}

/* Particles first .. first + n - 1 of all three laws, added to their histograms [ODE, SDE, target]. */
static fg_code add_block(const setup *s, uint64_t first, size_t n, double *mass[3], size_t outside[3],
                         uint64_t lost[2], fg_status *st)
{
  static double start[BLOCK * 2], end[BLOCK * 2], block[1024 * 1024];
  fg_flow_report report;
  FG_TRY(fg_prior_sample(s->prior, 1, first, n, start, st));
  for (int law = 0; law < 3; law++) {
    size_t out;
    if (law == 2)
      FG_TRY(fg_target_sample(s->target, 1, first, n, end, st));
    else if (law == 1 || s->ode_on_grid)
      FG_TRY(fg_flow_fixed(s->model, law == 1 ? &s->sde : &s->ode_fixed, 1, 1, first, n, start, end, NULL,
                           NULL, NULL, &report, st));
    else
      FG_TRY(fg_flow_ode(s->model, &s->ode, n, start, fg_process_horizon(s->process), s->t_end, end, NULL,
                         NULL, NULL, &report, st));
    if (law < 2) lost[law] += report.lost;
    FG_TRY(fg_histogram2(&s->bins, n, end, NULL, block, &out, st));
    for (size_t i = 0; i < s->bins.bins * s->bins.bins; i++) mass[law][i] += block[i];
    outside[law] += out;
  }
  return FG_OK;
}

static fg_code stream(const setup *s, uint64_t particles, double *mass[3], fg_status *st)
{
  size_t outside[3] = {0, 0, 0};
  uint64_t lost[2] = {0, 0};
  printf("particles  W2^2 ode_sde  ode_target  sde_target  outside ode sde target  lost ode sde\n");
  for (uint64_t done = 0; done < particles;) {
    size_t n = particles - done < BLOCK ? (size_t)(particles - done) : BLOCK;
    fg_w2 a, b, c;
    FG_TRY(add_block(s, done, n, mass, outside, lost, st));
    done += n;
    FG_TRY(fg_w2_grid(NULL, NULL, &s->bins, mass[0], mass[1], NULL, &a, st));
    FG_TRY(fg_w2_grid(NULL, NULL, &s->bins, mass[0], mass[2], NULL, &b, st));
    FG_TRY(fg_w2_grid(NULL, NULL, &s->bins, mass[1], mass[2], NULL, &c, st));
    printf("%9llu  %.7f  %.7f  %.7f  %zu %zu %zu  %llu %llu\n", (unsigned long long)done, a.squared,
           b.squared, c.squared, outside[0], outside[1], outside[2], (unsigned long long)lost[0],
           (unsigned long long)lost[1]);
    fflush(stdout);
  }
  return FG_OK;
}

int main(int argc, char **argv)
{
  setup s = {0};
  fg_status st = {0};
  double *mass[3] = {NULL, NULL, NULL};
  if (argc < 3) {
    fprintf(stderr, "usage: %s PARTICLES SETTINGS.yaml [KEY=VALUE...]\n", argv[0]);
    return 2;
  }
  fg_code rc = open_setup(&s, argc - 2, argv + 2, &st);
  for (int law = 0; law < 3 && rc == FG_OK; law++) {
    mass[law] = calloc(s.bins.bins * s.bins.bins, sizeof(double));
    if (!mass[law]) rc = FG_FAIL(&st, FG_MEMORY, "no memory for histograms");
  }
  if (rc == FG_OK) rc = stream(&s, strtoull(argv[1], NULL, 10), mass, &st);
  if (rc != FG_OK) fprintf(stderr, "%s: %s\n", fg_code_name(rc), st.message);
  for (int law = 0; law < 3; law++) free(mass[law]);
  close_setup(&s);
  return rc == FG_OK ? 0 : 1;
}
