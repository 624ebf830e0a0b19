/* Particles along the ODE by steps of their own on the CPU: a range of tiles a task. */
#include "cpu/cpu_impl.h"
#include "requests.h"

/* Long ranges have few places that wait at their ends; each thread should have several. */
enum { FG_RANGE_MOST = 16, FG_RANGES_EACH = 8 };

typedef struct fg_ensemble_job {
  const fg_cpu_table *table;
  fg_field field;
  fg_ensemble_request request;
  size_t range; /* particles of a task */
  char *scratch;
  size_t each;
  pthread_mutex_t lock; /* guards what follows, and the caller's report */
  size_t done;
  bool stopped;
} fg_ensemble_job;

static void fg_ensemble_task(void *argument, size_t task, int worker)
{
  fg_ensemble_job *job = argument;
  const fg_ensemble_request *r = &job->request;
  const size_t first = task * job->range, left = r->n - first, count = left < job->range ? left : job->range;
  const int places = job->table->tile_size(count < FG_ENSEMBLE_TILE ? count : FG_ENSEMBLE_TILE);
  const int stopped =
      fg_progress_cancelled(r->progress) || job->table->ensemble(&job->field, r, first, (int)count, places,
                                                                 job->scratch + (size_t)worker * job->each);
  pthread_mutex_lock(&job->lock);
  job->done += (size_t)count;
  job->stopped = job->stopped || stopped;
  if (!job->stopped) fg_progress_report(r->progress, "ode", (double)job->done, (double)r->n);
  pthread_mutex_unlock(&job->lock);
}

static size_t fg_ensemble_range(size_t n, int threads)
{
  const size_t tiles = (n + FG_ENSEMBLE_TILE - 1) / FG_ENSEMBLE_TILE;
  const size_t share = threads > 1 ? tiles / (FG_RANGES_EACH * (size_t)threads) : tiles;
  return FG_ENSEMBLE_TILE * (share < 1 ? 1 : share > FG_RANGE_MOST ? FG_RANGE_MOST : share);
}

fg_code fg_cpu_ensemble(fg_engine *e, fg_threads *threads, const fg_field *field,
                        const fg_ensemble_request *request, fg_status *st)
{
  fg_cpu *cpu = e->state;
  fg_ensemble_job job = {.table = cpu->table[request->precision],
                         .field = fg_cpu_field(cpu, field),
                         .request = *request,
                         .lock = PTHREAD_MUTEX_INITIALIZER};
  fg_ensemble_request *r = &job.request;
  fg_scratch scratch;
  fg_code rc = FG_OK;
  FG_TRY(fg_ensemble_check(r, st));
  fg_buf *bufs[] = {&r->x,      &r->log_p, &r->t,          &r->end,
                    &r->counts, &r->bin,   &r->snapshot_x, &r->snapshot_log_p};
  for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) fg_cpu_resolve(cpu, bufs[i]);
  if (r->n == 0) return FG_OK;
  const size_t most = r->n < FG_ENSEMBLE_TILE ? r->n : FG_ENSEMBLE_TILE;
  job.each = (job.table->ensemble_scratch(&job.field, r, job.table->tile_size(most)) + 63) / 64 * 64;
  FG_TRY(fg_scratch_take(cpu, job.each * (size_t)fg_threads_count(threads), &scratch, st));
  job.scratch = scratch.memory;
  job.range = fg_ensemble_range(r->n, fg_threads_count(threads));
  fg_threads_run(threads, (r->n + job.range - 1) / job.range, fg_ensemble_task, &job);
  if (job.stopped) rc = FG_FAIL(st, FG_INTERRUPTED, "the ODE was stopped on request");
  fg_scratch_give(cpu, &scratch);
  pthread_mutex_destroy(&job.lock);
  return rc;
}
