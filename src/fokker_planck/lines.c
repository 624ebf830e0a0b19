/* Tridiagonal systems along and across the rows. For one line, with the rates up and down of its faces,
 *     -gamma up[i-1] z[i-1] + (1 + gamma (up[i] + down[i-1])) z[i] - gamma down[i] z[i+1] = r[i];
 * elimination keeps  pivot = 1 / (diagonal - low' high),  low = -(lower entry) pivot,  high = -(upper entry) pivot:
 *     y[i] = pivot[i] r[i] + low[i] y[i-1],   z[i] = y[i] + high[i] z[i+1]. */
#include <stdlib.h>
#include <string.h>

#include "fokker_planck/law_impl.h"

enum { FG_TOGETHER = 8 }; /* rows whose recurrences run side by side, to hide their latency */

fg_code fg_law_lines_open(fg_law_lines *lines, const fg_law_operator *op, fg_status *st)
{
  size_t n = op->size;
  memset(lines, 0, sizeof *lines);
  lines->memory = calloc((op->d == 2 ? 6 : 3) * n, sizeof *lines->memory);
  if (!lines->memory) return FG_FAIL(st, FG_MEMORY, "no memory for the preconditioner of %zu cells", n);
  lines->along_pivot = lines->memory;
  lines->along_low = lines->memory + n;
  lines->along_high = lines->memory + 2 * n;
  if (op->d == 1) return FG_OK;
  lines->across_pivot = lines->memory + 3 * n;
  lines->across_low = lines->memory + 4 * n;
  lines->across_high = lines->memory + 5 * n;
  return FG_OK;
}

void fg_law_lines_clear(fg_law_lines *lines)
{
  free(lines->memory);
}

typedef struct fg_lines_job {
  const fg_law_operator *op;
  const fg_law_lines *lines;
  const fg_law_faces *faces;
  double gamma;
  const double *r;
  double *z;
} fg_lines_job;

static size_t fg_block_end(size_t task, size_t count)
{
  return (task + 1) * FG_LAW_BLOCK < count ? (task + 1) * FG_LAW_BLOCK : count;
}

/* Entry c of a line whose entry before is at c - stride, if there is one. */
static inline void fg_eliminate(const double *up, const double *down, double gamma, size_t c, size_t stride,
                                int first, double *pivot, double *low, double *high)
{
  double diagonal = 1 + gamma * (up[c] + (first ? 0 : down[c - stride]));
  double lower = first ? 0 : gamma * up[c - stride];
  pivot[c] = 1 / (diagonal - (first ? 0 : lower * high[c - stride]));
  low[c] = lower * pivot[c];
  high[c] = gamma * down[c] * pivot[c];
}

static void fg_factor_along(void *argument, size_t task, int worker)
{
  const fg_lines_job *job = argument;
  const fg_law_lines *l = job->lines;
  size_t n = job->op->cells;
  (void)worker;
  for (size_t row = task * FG_LAW_BLOCK; row < fg_block_end(task, job->op->rows); row++)
    for (size_t j = 0; j < n; j++)
      fg_eliminate(job->faces->along_up, job->faces->along_down, job->gamma, row * n + j, 1, j == 0,
                   l->along_pivot, l->along_low, l->along_high);
}

static void fg_factor_across(void *argument, size_t task, int worker)
{
  const fg_lines_job *job = argument;
  const fg_law_lines *l = job->lines;
  size_t n = job->op->cells;
  (void)worker;
  for (size_t row = 0; row < n; row++)
    for (size_t j = task * FG_LAW_BLOCK; j < fg_block_end(task, n); j++)
      fg_eliminate(job->faces->across_up, job->faces->across_down, job->gamma, row * n + j, n, row == 0,
                   l->across_pivot, l->across_low, l->across_high);
}

void fg_law_lines_factor(fg_law_lines *lines, const fg_law_operator *op, const fg_law_faces *faces,
                         double gamma)
{
  fg_lines_job job = {op, lines, faces, gamma, NULL, NULL};
  fg_threads_run(op->threads, fg_law_blocks(op->rows), fg_factor_along, &job);
  if (op->d == 2) fg_threads_run(op->threads, fg_law_blocks(op->cells), fg_factor_across, &job);
}

/* ---- solving --------------------------------------------------------------------------------------- */

/* `count` rows side by side, in place of nothing: z may not be r's row read later, so z = r is allowed. */
static inline void fg_solve_rows(const fg_law_lines *l, size_t first, size_t n, size_t count, const double *r,
                                 double *z)
{
  double last[FG_TOGETHER] = {0};
  for (size_t j = 0; j < n; j++)
    for (size_t k = 0; k < count; k++) {
      size_t c = first + k * n + j;
      z[c] = last[k] = l->along_pivot[c] * r[c] + l->along_low[c] * last[k];
    }
  memset(last, 0, sizeof last);
  for (size_t j = n; j-- > 0;)
    for (size_t k = 0; k < count; k++) {
      size_t c = first + k * n + j;
      z[c] = last[k] = z[c] + l->along_high[c] * last[k];
    }
}

static void fg_solve_along(void *argument, size_t task, int worker)
{
  const fg_lines_job *job = argument;
  size_t n = job->op->cells, end = fg_block_end(task, job->op->rows), row = task * FG_LAW_BLOCK;
  (void)worker;
  for (; row + FG_TOGETHER <= end; row += FG_TOGETHER)
    fg_solve_rows(job->lines, row * n, n, FG_TOGETHER, job->r, job->z);
  for (; row < end; row++) fg_solve_rows(job->lines, row * n, n, 1, job->r, job->z);
}

static void fg_solve_across(void *argument, size_t task, int worker)
{
  const fg_lines_job *job = argument;
  const fg_law_lines *l = job->lines;
  size_t n = job->op->cells, begin = task * FG_LAW_BLOCK, end = fg_block_end(task, n);
  double *z = job->z;
  (void)worker;
  for (size_t j = begin; j < end; j++) z[j] = l->across_pivot[j] * job->r[j];
  for (size_t c = n; c < n * n; c += n)
    for (size_t j = begin; j < end; j++)
      z[c + j] = l->across_pivot[c + j] * job->r[c + j] + l->across_low[c + j] * z[c + j - n];
  for (size_t c = n * (n - 1); c > 0; c -= n)
    for (size_t j = begin; j < end; j++) z[c - n + j] += l->across_high[c - n + j] * z[c + j];
}

void fg_law_lines_solve(const fg_law_lines *lines, const fg_law_operator *op, const double *r, double *z)
{
  fg_lines_job job = {op, lines, NULL, 0, r, z};
  if (op->d == 2) {
    fg_threads_run(op->threads, fg_law_blocks(op->cells), fg_solve_across, &job);
    job.r = z;
  }
  fg_threads_run(op->threads, fg_law_blocks(op->rows), fg_solve_along, &job);
}
