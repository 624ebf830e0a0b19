/* Pricing on the CPU: columns are prepared once, then tiles of rows run over them. For tests and for who asks an engine by
 * its slot: exact transport itself searches by trees here (engine.h, price_pairs). Compiled once, without contraction. */
#include "cpu/cpu_impl.h"

#include "cpu/matmul.h" /* the tile words, before the body */

#include "body/price.h"
#include "requests.h"

enum { FG_PRICE_TASK = 16 }; /* blocks of columns, or tiles of rows */

typedef struct fg_price_job {
  fg_price_request request;
  size_t blocks, tiles, each; /* each: doubles of scratch */
  double *columns, *boxes, *scratch;
} fg_price_job;

static void fg_price_prepare_task(void *argument, size_t task, int worker)
{
  const fg_price_job *job = argument;
  const size_t first = task * FG_PRICE_TASK;
  (void)worker;
  for (size_t block = first; block < job->blocks && block < first + FG_PRICE_TASK; block++)
    fg_price_prepare(&job->request, block, job->columns, job->boxes);
}

static void fg_price_task(void *argument, size_t task, int worker)
{
  const fg_price_job *job = argument;
  const size_t first = task * FG_PRICE_TASK;
  for (size_t tile = first; tile < job->tiles && tile < first + FG_PRICE_TASK; tile++) {
    const size_t row = tile * TILE_ROWS, left = job->request.n - row;
    if (fg_progress_cancelled(job->request.progress)) return;
    fg_price_rows(&job->request, row, (int)(left < TILE_ROWS ? left : (size_t)TILE_ROWS), job->columns,
                  job->boxes, job->scratch + (size_t)worker * job->each);
  }
}

fg_code fg_cpu_price(fg_engine *e, fg_threads *threads, const fg_price_request *request, fg_status *st)
{
  fg_cpu *cpu = e->state;
  fg_price_job job = {.request = *request};
  fg_price_request *r = &job.request;
  fg_scratch held[3] = {{NULL, 0}};
  fg_code rc = FG_OK;
  FG_TRY(fg_price_check(request, st));
  fg_buf *bufs[] = {&r->x, &r->y, &r->u, &r->v, &r->key, &r->who};
  for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) fg_cpu_resolve(cpu, bufs[i]);
  job.blocks = fg_price_blocks(r->m);
  job.tiles = (r->n + TILE_ROWS - 1) / TILE_ROWS;
  job.each = (fg_price_scratch(r, TILE_ROWS) + 7) / 8 * 8;
  FG_GO(fg_scratch_take(cpu, job.blocks * fg_price_block(r) * sizeof(double), &held[0], st), done);
  FG_GO(fg_scratch_take(cpu, job.blocks * fg_price_box(r) * sizeof(double), &held[1], st), done);
  FG_GO(fg_scratch_take(cpu, job.each * (size_t)fg_threads_count(threads) * sizeof(double), &held[2], st),
        done);
  job.columns = held[0].memory;
  job.boxes = held[1].memory;
  job.scratch = held[2].memory;
  fg_threads_run(threads, (job.blocks + FG_PRICE_TASK - 1) / FG_PRICE_TASK, fg_price_prepare_task, &job);
  fg_threads_run(threads, (job.tiles + FG_PRICE_TASK - 1) / FG_PRICE_TASK, fg_price_task, &job);
  if (fg_progress_cancelled(r->progress))
    rc = FG_FAIL(st, FG_INTERRUPTED, "the pricing of pairs was stopped");
done:
  for (int i = 0; i < 3; i++) fg_scratch_give(cpu, &held[i]);
  return rc;
}
