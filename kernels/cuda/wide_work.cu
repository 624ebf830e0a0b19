/* Wide networks: evaluate, the ODE's right-hand side, simulate. */
#include <string.h>

#include "cuda/wide.cuh"

static const fg_wide_table *fg_wide_table_of(fg_precision precision)
{
  return precision == FG_SINGLE ? &fg_wide_single : &fg_wide_double;
}

/* ---- bodies without steps ---------------------------------------------------------------------------------- */

typedef struct fg_wide_points { /* evaluate, or ode */
  const fg_wide_table *table;
  const fg_field *field;
  const fg_evaluate_request *evaluate;
  const fg_ode_request *ode;
  int jvp;
  const char *name;
  fg_wide_run run;
  fg_wide_plan plan;
} fg_wide_points;

/* Not waited for. */
static fg_code fg_wide_points_wave(void *what, size_t first, size_t count, fg_status *st)
{
  fg_wide_points *w = (fg_wide_points *)what;
  (void)count;
  FG_TRY(fg_wide_set(&w->run, first, 0, 0, st));
  FG_TRY(fg_wide_issue(&w->run, &w->plan, st));
  return fg_cuda_left(w->name, (size_t)w->run.job.tiles, w->run.n, st);
}

static size_t fg_wide_evaluate_scratch(void *what, int p)
{
  const fg_wide_points *w = (const fg_wide_points *)what;
  return w->table->evaluate_scratch(w->field, w->evaluate, p);
}

static void fg_wide_evaluate_launch(void *what, const fg_wide_job *job, unsigned blocks)
{
  const fg_wide_points *w = (const fg_wide_points *)what;
  w->table->evaluate(w->field, w->evaluate, job, blocks);
}

static void fg_wide_evaluate_open(fg_wide_points *w, const fg_field *field, const fg_evaluate_request *r)
{
  memset(w, 0, sizeof *w);
  w->table = fg_wide_table_of(r->precision);
  w->field = field;
  w->evaluate = r;
  w->name = "evaluate";
}

size_t fg_wide_evaluate_cut(const fg_cuda_device *on, const fg_field *field, const fg_evaluate_request *r,
                            int *p)
{
  fg_wide_points w;
  fg_wide_evaluate_open(&w, field, r);
  return fg_wide_cut(on, r->precision, r->n, fg_wide_evaluate_scratch, &w, p);
}

fg_code fg_wide_evaluate(fg_cuda_part *part, const fg_field *field, const fg_evaluate_request *request,
                         fg_status *st)
{
  fg_wide_points w;
  fg_wide_evaluate_open(&w, field, request);
  FG_TRY(fg_wide_begin(&w.run, part->on, w.name, request->precision, field, NULL, request->n,
                       fg_wide_evaluate_scratch, &w, st));
  fg_wide_add(&w.run, &w.plan, fg_wide_evaluate_launch, &w, 0);
  fg_code rc = fg_wide_units(&w.run, part, w.run.at_once, fg_wide_points_wave, &w, st);
  if (rc == FG_OK) rc = fg_wide_wait(&w.run, w.name, st);
  fg_wide_end(&w.run);
  return rc;
}

static size_t fg_wide_ode_scratch(void *what, int p)
{
  const fg_wide_points *w = (const fg_wide_points *)what;
  return w->table->ode_scratch(w->field, w->ode, w->jvp, p);
}

static void fg_wide_ode_launch(void *what, const fg_wide_job *job, unsigned blocks)
{
  const fg_wide_points *w = (const fg_wide_points *)what;
  w->table->ode(w->field, w->ode, w->jvp, job, blocks);
}

fg_code fg_wide_ode(fg_cuda_device *on, const fg_field *field, const fg_ode_request *request, int jvp,
                    fg_status *st)
{
  fg_wide_points w;
  fg_wide_key key;
  memset(&w, 0, sizeof w);
  memset(&key, 0, sizeof key);
  memcpy(&key.field, field, sizeof key.field);
  key.what = (request->precision == FG_SINGLE) * 4 + (request->with_log_p != 0) * 2 + jvp;
  key.n = request->n;
  w.table = fg_wide_table_of(request->precision);
  w.field = field;
  w.ode = request;
  w.jvp = jvp;
  w.name = jvp ? "ode_jvp" : "ode_rhs";
  FG_TRY(fg_wide_begin(&w.run, on, w.name, request->precision, field, NULL, request->n, fg_wide_ode_scratch,
                       &w, st));
  fg_wide_add(&w.run, &w.plan, fg_wide_ode_launch, &w, 0);
  w.plan.key = &key;
  const fg_code rc = fg_wide_waves(&w.run, 0, w.run.tiles, fg_wide_points_wave, &w, st);
  fg_wide_end(&w.run);
  return rc;
}

/* ---- simulate ------------------------------------------------------------------------------------------------ */

typedef struct fg_wide_walk {
  const fg_wide_table *table;
  const fg_field *field;
  const fg_simulate_request *request; /* as kernels see it */
  const fg_simulate_request *asked;
  const void *rows;
  const fg_cuda_part *part;
  fg_wide_run run;
  fg_wide_plan step;
} fg_wide_walk;

static size_t fg_wide_simulate_scratch(void *what, int p)
{
  const fg_wide_walk *w = (const fg_wide_walk *)what;
  return w->table->simulate_scratch(w->field, w->request, p);
}

static void fg_wide_simulate_launch(void *what, const fg_wide_job *job, unsigned blocks)
{
  const fg_wide_walk *w = (const fg_wide_walk *)what;
  w->table->simulate(w->field, w->request, w->rows, FG_WIDE_STEP, job, blocks);
}

/* A part without products. */
static void fg_wide_simulate_part(const fg_wide_walk *w, fg_wide_part part)
{
  w->table->simulate(w->field, w->request, w->rows, part, &w->run.job, (unsigned)w->run.job.tiles);
}

/* Tiles that are there together, from particle `first` on, along all steps. */
static fg_code fg_wide_simulate_wave(void *what, size_t first, size_t count, fg_status *st)
{
  fg_wide_walk *w = (fg_wide_walk *)what;
  const fg_simulate_request *r = w->asked;
  size_t taken = 0;
  (void)count;
  FG_TRY(fg_wide_set(&w->run, first, 0, 0, st));
  fg_wide_simulate_part(w, FG_WIDE_BEGIN);
  for (size_t k = 0; k <= r->steps; k++) {
    for (; taken < r->snapshots && r->snapshot_step[taken] == k; taken++) {
      FG_TRY(fg_wide_set(&w->run, first, k, taken, st));
      fg_wide_simulate_part(w, FG_WIDE_SNAPSHOT);
    }
    if (k == r->steps) break;
    if (k % FG_WIDE_CANCEL_EVERY == 0) {
      FG_TRY(fg_wide_wait(&w->run, "simulate", st));
      if (fg_cuda_crew_stopped(w->part)) return FG_FAIL(st, FG_INTERRUPTED, "the simulation was stopped");
    }
    FG_TRY(fg_wide_step(&w->step, st));
  }
  fg_wide_simulate_part(w, FG_WIDE_END);
  return fg_wide_wait(&w->run, "simulate", st);
}

static void fg_wide_simulate_open(fg_wide_walk *w, const fg_field *field, const fg_simulate_request *r)
{
  memset(w, 0, sizeof *w);
  w->table = fg_wide_table_of(r->precision);
  w->field = field;
  w->request = r;
}

size_t fg_wide_simulate_cut(const fg_cuda_device *on, const fg_field *field, const fg_simulate_request *r,
                            int *p)
{
  fg_wide_walk w;
  fg_wide_simulate_open(&w, field, r);
  return fg_wide_cut(on, r->precision, r->n, fg_wide_simulate_scratch, &w, p);
}

fg_code fg_wide_simulate(fg_cuda_part *part, const fg_field *field, const fg_simulate_request *request,
                         const fg_simulate_request *asked, const void *rows, fg_status *st)
{
  fg_wide_walk w;
  fg_wide_simulate_open(&w, field, request);
  w.asked = asked;
  w.rows = rows;
  w.part = part;
  FG_TRY(fg_wide_begin(&w.run, part->on, "simulate", request->precision, field, NULL, request->n,
                       fg_wide_simulate_scratch, &w, st));
  fg_wide_add(&w.run, &w.step, fg_wide_simulate_launch, &w, 1);
  const fg_code rc = fg_wide_units(&w.run, part, w.run.at_once, fg_wide_simulate_wave, &w, st);
  fg_wide_end(&w.run);
  return rc;
}
