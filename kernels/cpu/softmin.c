/* Sums over pairs of two samples on the CPU: columns are prepared once, then tiles of rows run over them. */
#include <math.h>

#include "cpu/cpu_impl.h"
#include "requests.h"

enum { FG_SOFTMIN_TILE = 64, FG_SOFTMIN_PREPARED = 16 }; /* rows and blocks of columns of a task */

typedef struct fg_softmin_job {
  const fg_cpu_table *table;
  fg_softmin_request request;
  size_t blocks, each;
  void *columns, *boxes;
  char *scratch;
} fg_softmin_job;

static void fg_softmin_prepare_task(void *argument, size_t task, int worker)
{
  const fg_softmin_job *job = argument;
  const size_t from = task * FG_SOFTMIN_PREPARED, to = from + FG_SOFTMIN_PREPARED;
  (void)worker;
  job->table->softmin_columns(&job->request, from, to < job->blocks ? to : job->blocks, job->columns,
                              job->boxes);
}

static void fg_softmin_task(void *argument, size_t task, int worker)
{
  const fg_softmin_job *job = argument;
  const size_t first = task * FG_SOFTMIN_TILE, left = job->request.n - first;
  if (fg_progress_cancelled(job->request.progress)) return;
  job->table->softmin(&job->request, first, (int)(left < FG_SOFTMIN_TILE ? left : FG_SOFTMIN_TILE),
                      job->columns, job->boxes, job->scratch + (size_t)worker * job->each);
}

fg_code fg_cpu_softmin(fg_engine *e, fg_threads *threads, const fg_softmin_request *request, fg_status *st)
{
  fg_cpu *cpu = e->state;
  fg_softmin_job job = {.table = cpu->table[request->precision], .request = *request};
  fg_softmin_request *r = &job.request;
  fg_scratch held[3] = {{NULL, 0}};
  fg_code rc = FG_OK;
  FG_TRY(fg_softmin_check(request, st));
  fg_buf *bufs[] = {&r->x, &r->y, &r->log_b, &r->g, &r->guess, &r->out, &r->mean};
  for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) fg_cpu_resolve(cpu, bufs[i]);
  job.blocks = (r->m + FG_SOFTMIN_BLOCK - 1) / FG_SOFTMIN_BLOCK;
  job.each = (job.table->softmin_scratch(r) + 63) / 64 * 64;
  FG_GO(fg_scratch_take(cpu, job.table->softmin_columns_bytes(r), &held[0], st), done);
  FG_GO(fg_scratch_take(cpu, job.table->softmin_boxes_bytes(r), &held[1], st), done);
  FG_GO(fg_scratch_take(cpu, job.each * (size_t)fg_threads_count(threads), &held[2], st), done);
  job.columns = held[0].memory;
  job.boxes = held[1].memory;
  job.scratch = held[2].memory;
  fg_threads_run(threads, (job.blocks + FG_SOFTMIN_PREPARED - 1) / FG_SOFTMIN_PREPARED,
                 fg_softmin_prepare_task, &job);
  fg_threads_run(threads, (r->n + FG_SOFTMIN_TILE - 1) / FG_SOFTMIN_TILE, fg_softmin_task, &job);
  if (fg_progress_cancelled(r->progress))
    rc = FG_FAIL(st, FG_INTERRUPTED, "the sums over pairs were stopped");
done:
  for (int i = 0; i < 3; i++) fg_scratch_give(cpu, &held[i]);
  return rc;
}
