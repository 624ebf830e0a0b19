/* Sums over pairs on the CPU: a task is a tile of rows against all others; the tiles' sums are added in their order. */
#include <string.h>

#include "cpu/cpu_impl.h"
#include "requests.h"

typedef struct fg_pairs_job {
  const fg_cpu_table *table;
  fg_pair_sums_request request;
  size_t rows, each;
  double *part; /* [tiles, columns] */
  char *scratch;
  pthread_mutex_t lock; /* guards done and the report */
  size_t done, tiles;
} fg_pairs_job;

static void fg_pairs_task(void *argument, size_t task, int worker)
{
  fg_pairs_job *job = argument;
  const fg_pair_sums_request *r = &job->request;
  const size_t first = task * job->rows, left = r->n - first;
  if (fg_progress_cancelled(r->progress)) return;
  job->table->pairs(r, first, (int)(left < job->rows ? left : job->rows), job->part + task * r->columns,
                    job->scratch + (size_t)worker * job->each);
  pthread_mutex_lock(&job->lock);
  fg_progress_report(r->progress, "pairs", (double)++job->done, (double)job->tiles);
  pthread_mutex_unlock(&job->lock);
}

fg_code fg_cpu_pair_sums(fg_engine *e, fg_threads *threads, const fg_pair_sums_request *request,
                         fg_status *st)
{
  fg_cpu *cpu = e->state;
  fg_pairs_job job = {.table = cpu->table[request->precision], .request = *request};
  fg_pair_sums_request *r = &job.request;
  fg_scratch held[2] = {{NULL, 0}};
  fg_buf *bufs[] = {&r->x, &r->y, &r->a, &r->b};
  fg_code rc = FG_OK;
  FG_TRY(fg_pair_sums_check(r, st));
  for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) fg_cpu_resolve(cpu, bufs[i]);
  memset(r->sums, 0, r->columns * sizeof *r->sums);
  job.rows = (size_t)job.table->pairs_rows;
  job.tiles = (r->n + job.rows - 1) / job.rows;
  if (job.tiles == 0) return FG_OK;
  job.each = (job.table->pairs_scratch(r) + 63) / 64 * 64;
  pthread_mutex_init(&job.lock, NULL);
  FG_GO(fg_scratch_take(cpu, job.each * (size_t)fg_threads_count(threads), &held[0], st), done);
  FG_GO(fg_scratch_take(cpu, job.tiles * r->columns * sizeof(double), &held[1], st), done);
  job.scratch = held[0].memory;
  job.part = held[1].memory;
  fg_threads_run(threads, job.tiles, fg_pairs_task, &job);
  if (fg_progress_cancelled(r->progress)) {
    rc = FG_FAIL(st, FG_INTERRUPTED, "the sums over pairs were stopped");
    goto done;
  }
  for (size_t tile = 0; tile < job.tiles; tile++)
    for (size_t k = 0; k < r->columns; k++)
      r->sums[k] += (r->within ? 2 : 1) * job.part[tile * r->columns + k];
done:
  for (int i = 0; i < 2; i++) fg_scratch_give(cpu, &held[i]);
  pthread_mutex_destroy(&job.lock);
  return rc;
}
