/* The CPU engine: resolves addresses, cuts work into tiles, and hands these to the threads. */
#include <stdlib.h>

#include "cpu/cpu_impl.h"
#include "engine_open.h"
#include "requests.h"

enum { FG_EVALUATE_TILE = 64 };
static const size_t fg_rows_most = (size_t)256 << 20; /* a larger table of rows is computed tile by tile */

/* Bits that no mapped address has: the top byte of a canonical address is all 0 (or 1). */
#define FG_HIDDEN ((uintptr_t)0x5a << (8 * (sizeof(uintptr_t) - 1)))

fg_field fg_cpu_field(const fg_cpu *cpu, const fg_field *field)
{
  fg_field f = *field;
  if (f.kind == FG_FIELD_MIXTURE) {
    fg_cpu_resolve(cpu, &f.as.mixture.log_weight);
    fg_cpu_resolve(cpu, &f.as.mixture.mean);
    fg_cpu_resolve(cpu, &f.as.mixture.spectrum);
    fg_cpu_resolve(cpu, &f.as.mixture.basis);
  } else {
    fg_cpu_resolve(cpu, &f.as.network.packed_single);
    fg_cpu_resolve(cpu, &f.as.network.packed_double);
    if (f.guided) fg_cpu_resolve_density(cpu, &f.guide.density);
    if (f.paired) fg_cpu_resolve(cpu, &f.noising.packed_single);
    if (f.paired) fg_cpu_resolve(cpu, &f.noising.packed_double);
  }
  return f;
}

/* Scratch for all workers in one block; *each is the share of one. */
static fg_code fg_cpu_scratch(fg_cpu *cpu, fg_threads *threads, size_t bytes, size_t *each,
                              fg_scratch *scratch, fg_status *st)
{
  *each = (bytes + 63) / 64 * 64;
  return fg_scratch_take(cpu, *each * (size_t)fg_threads_count(threads), scratch, st);
}

/* ---- evaluate ---------------------------------------------------------------------------- */

typedef struct fg_evaluate_job {
  const fg_cpu_table *table;
  fg_field field;
  fg_evaluate_request request;
  char *scratch;
  size_t each;
} fg_evaluate_job;

static void fg_evaluate_task(void *argument, size_t task, int worker)
{
  fg_evaluate_job *job = argument;
  size_t first = task * FG_EVALUATE_TILE, left = job->request.n - first;
  int count = (int)(left < FG_EVALUATE_TILE ? left : FG_EVALUATE_TILE);
  job->table->evaluate(&job->field, &job->request, first, count, job->table->tile_size((size_t)count),
                       job->scratch + (size_t)worker * job->each);
}

static fg_code fg_cpu_evaluate(fg_engine *e, fg_threads *threads, const fg_field *field,
                               const fg_evaluate_request *request, fg_status *st)
{
  fg_cpu *cpu = e->state;
  fg_evaluate_job job = {cpu->table[request->precision], fg_cpu_field(cpu, field), *request, NULL, 0};
  fg_scratch scratch;
  fg_evaluate_request *r = &job.request;
  fg_buf *bufs[] = {&r->x,          &r->direction, &r->phi,   &r->phi_t,
                    &r->divergence, &r->residual,  &r->score, &r->jvp};
  for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) fg_cpu_resolve(cpu, bufs[i]);
  if (r->n == 0) return FG_OK;
  size_t most = r->n < FG_EVALUATE_TILE ? r->n : FG_EVALUATE_TILE;
  size_t bytes = job.table->evaluate_scratch(&job.field, r, job.table->tile_size(most));
  FG_TRY(fg_cpu_scratch(cpu, threads, bytes, &job.each, &scratch, st));
  job.scratch = scratch.memory;
  fg_threads_run(threads, (r->n + FG_EVALUATE_TILE - 1) / FG_EVALUATE_TILE, fg_evaluate_task, &job);
  fg_scratch_give(cpu, &scratch);
  return FG_OK;
}

/* ---- simulate ---------------------------------------------------------------------------- */

typedef struct fg_simulate_job {
  const fg_cpu_table *table;
  fg_field field;
  fg_simulate_request request;
  void *rows;
  char *scratch;
  size_t each;
  pthread_mutex_t lock; /* guards what follows, and the caller's report */
  size_t done;
  bool stopped;
} fg_simulate_job;

static void fg_simulate_task(void *argument, size_t task, int worker)
{
  fg_simulate_job *job = argument;
  const fg_simulate_request *r = &job->request;
  size_t first = task * r->tile, left = r->n - first;
  int count = (int)(left < r->tile ? left : r->tile);
  int stopped =
      fg_progress_cancelled(r->progress) ||
      job->table->simulate(&job->field, r, job->rows, first, count, job->table->tile_size((size_t)count),
                           job->scratch + (size_t)worker * job->each);
  pthread_mutex_lock(&job->lock);
  job->done += (size_t)count;
  job->stopped = job->stopped || stopped;
  if (!job->stopped) fg_progress_report(r->progress, "simulate", (double)job->done, (double)r->n);
  pthread_mutex_unlock(&job->lock);
}

static fg_code fg_cpu_simulate(fg_engine *e, fg_threads *threads, const fg_field *field,
                               const fg_simulate_request *request, fg_status *st)
{
  fg_cpu *cpu = e->state;
  fg_simulate_job job = {cpu->table[request->precision],
                         fg_cpu_field(cpu, field),
                         *request,
                         NULL,
                         NULL,
                         0,
                         PTHREAD_MUTEX_INITIALIZER,
                         0,
                         false};
  fg_simulate_request *r = &job.request;
  fg_scratch scratch, table = {NULL, 0};
  FG_TRY(fg_simulate_check(r, st));
  fg_buf *bufs[] = {&r->x, &r->log_p, &r->lost_step, &r->snapshot_x, &r->snapshot_log_p};
  for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) fg_cpu_resolve(cpu, bufs[i]);
  if (r->n == 0) return FG_OK;
  size_t most = r->n < r->tile ? r->n : r->tile, rows = job.table->rows_bytes(&job.field, r->steps + 1);
  size_t bytes = job.table->simulate_scratch(&job.field, r, job.table->tile_size(most));
  FG_TRY(fg_cpu_scratch(cpu, threads, bytes, &job.each, &scratch, st));
  job.scratch = scratch.memory;
  fg_code rc = FG_OK;
  if (rows <= fg_rows_most) {
    FG_GO(fg_scratch_take(cpu, rows, &table, st), done);
    job.table->rows(&job.field, job.table->simulate_want(r), r->steps + 1, r->coeff, table.memory);
    job.rows = table.memory;
  }
  fg_threads_run(threads, (r->n + r->tile - 1) / r->tile, fg_simulate_task, &job);
  if (job.stopped) rc = FG_FAIL(st, FG_INTERRUPTED, "the simulation was stopped");
done:
  fg_scratch_give(cpu, &scratch);
  fg_scratch_give(cpu, &table);
  pthread_mutex_destroy(&job.lock);
  return rc;
}

/* ---- the ODE solver's operations ------------------------------------------------------------ */

static fg_code fg_cpu_ode(fg_engine *e, const fg_field *field, const fg_ode_request *request, int jvp,
                          fg_status *st)
{
  fg_cpu *cpu = e->state;
  const fg_cpu_table *table = cpu->table[request->precision];
  fg_field f = fg_cpu_field(cpu, field);
  fg_ode_request r = *request;
  fg_scratch scratch;
  fg_cpu_resolve(cpu, &r.y);
  fg_cpu_resolve(cpu, &r.dy);
  fg_cpu_resolve(cpu, &r.v);
  fg_cpu_resolve(cpu, &r.jv);
  if (r.n == 0) return FG_OK;
  FG_TRY(fg_scratch_take(cpu, table->ode_scratch(&f, &r, jvp), &scratch, st));
  table->ode(&f, &r, jvp, scratch.memory);
  fg_scratch_give(cpu, &scratch);
  return FG_OK;
}

static fg_code fg_cpu_ode_rhs(fg_engine *e, const fg_field *field, const fg_ode_request *request,
                              fg_status *st)
{
  return fg_cpu_ode(e, field, request, 0, st);
}

static fg_code fg_cpu_ode_jvp(fg_engine *e, const fg_field *field, const fg_ode_request *request,
                              fg_status *st)
{
  return fg_cpu_ode(e, field, request, 1, st);
}

static fg_code fg_cpu_vec_map(fg_engine *e, fg_vec_map op, size_t n, double a, fg_buf x, double b, fg_buf y,
                              fg_buf z)
{
  const fg_cpu *cpu = e->state;
  cpu->table[FG_DOUBLE]->vec_map(op, n, a, fg_cpu_address(cpu, x), b, fg_cpu_address(cpu, y),
                                 fg_cpu_address(cpu, z));
  return FG_OK;
}

static double fg_cpu_vec_reduce(fg_engine *e, fg_vec_reduce op, size_t n, fg_buf x, fg_buf y)
{
  const fg_cpu *cpu = e->state;
  return cpu->table[FG_DOUBLE]->vec_reduce(op, n, fg_cpu_address(cpu, x), fg_cpu_address(cpu, y));
}

static double fg_cpu_vec_particle_norm(fg_engine *e, size_t n, size_t d, int tail, fg_buf x, fg_buf w)
{
  const fg_cpu *cpu = e->state;
  return cpu->table[FG_DOUBLE]->vec_particle_norm(n, d, tail, fg_cpu_address(cpu, x), fg_cpu_address(cpu, w));
}

/* ---- opening ----------------------------------------------------------------------------------- */

static const fg_engine_ops fg_cpu_ops = {
    .alloc = fg_cpu_alloc,
    .free = fg_cpu_free,
    .upload = fg_cpu_upload,
    .download = fg_cpu_download,
    .zero = fg_cpu_zero,
    .sync = fg_cpu_sync,
    .evaluate = fg_cpu_evaluate,
    .simulate = fg_cpu_simulate,
    .ode_rhs = fg_cpu_ode_rhs,
    .ode_jvp = fg_cpu_ode_jvp,
    .vec_map = fg_cpu_vec_map,
    .vec_reduce = fg_cpu_vec_reduce,
    .vec_particle_norm = fg_cpu_vec_particle_norm,
    .optimise = fg_cpu_optimise,
    .paths = fg_cpu_paths,
    .objective = fg_cpu_objective,
    .points = fg_cpu_points,
    .pair_sums = fg_cpu_pair_sums,
    .softmin = fg_cpu_softmin,
    .ensemble = fg_cpu_ensemble,
    .price = fg_cpu_price,
    .slices = fg_cpu_slices,
    .slice_ways = fg_cpu_slice_ways,
};

static void fg_cpu_close(fg_engine *e)
{
  fg_cpu *cpu = e->state;
  fg_threads_destroy(&e->threads);
  if (cpu) {
    fg_scratch_free_all(cpu);
    pthread_mutex_destroy(&cpu->lock);
  }
  free(cpu);
  free(e);
}

fg_code fg_cpu_engine_open(bool check, int threads, fg_engine **engine, fg_status *st)
{
  fg_engine *e = calloc(1, sizeof *e);
  fg_cpu *cpu = calloc(1, sizeof *cpu);
  fg_code rc = FG_OK;
  if (!e || !cpu) {
    free(e);
    free(cpu);
    return FG_FAIL(st, FG_MEMORY, "no memory for an engine");
  }
  pthread_mutex_init(&cpu->lock, NULL);
  e->state = cpu;
  e->ops = &fg_cpu_ops;
  e->name = check ? "cpu-check" : "cpu";
  e->close = fg_cpu_close;
  cpu->hidden = check ? FG_HIDDEN : 0;
  FG_GO(fg_cpu_pick(cpu->table, st), fail);
  e->isa = cpu->table[FG_DOUBLE]->isa;
  FG_GO(fg_threads_create(threads, &e->threads, st), fail);
  *engine = e;
  return FG_OK;
fail:
  fg_cpu_close(e);
  return rc;
}
