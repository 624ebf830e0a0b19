/* The Fokker-Planck equation in generative time r = T - t,
 *     dp/dr = -div( b p - D grad p ),   b = a x + (1 + lambda^2)/2 g^2 s,   D = lambda^2 g^2 / 2,
 * by finite volumes. The score is evaluated at the centres, once per time, and carried to the faces by the four nearest
 * on the line. */
#include <math.h>
#include <stdlib.h>

#include "fokker_planck/law_impl.h"
#include "model/model.h"

enum { FG_LAW_SERIAL = 8192 }; /* cells below which handing out work costs more than it saves */

static fg_code fg_faces_open(fg_law_faces *f, const fg_law_operator *op, fg_status *st)
{
  f->t = NAN;
  f->memory = calloc(4 * op->size, sizeof *f->memory);
  if (!f->memory) return FG_FAIL(st, FG_MEMORY, "no memory for the faces of %zu cells", op->size);
  f->along_up = f->memory;
  f->along_down = f->memory + op->size;
  f->across_up = op->d == 2 ? f->memory + 2 * op->size : NULL;
  f->across_down = op->d == 2 ? f->memory + 3 * op->size : NULL;
  return FG_OK;
}

fg_code fg_law_operator_open(fg_law_operator *op, const fg_model *model, const fg_law_grid *grid,
                             double lambda, fg_precision precision, fg_status *st)
{
  *op = (fg_law_operator){.model = model, .precision = precision, .lambda = lambda};
  op->d = grid->d;
  op->cells = grid->cells;
  op->rows = grid->d == 2 ? grid->cells : 1;
  op->size = fg_law_size(grid);
  op->width = 2 * grid->half_width / (double)grid->cells;
  op->low = -grid->half_width;
  op->threads = op->size >= FG_LAW_SERIAL ? fg_engine_threads(fg_model_engine(model)) : NULL;
  op->x = malloc(op->size * op->d * sizeof *op->x);
  op->score = malloc(op->size * op->d * sizeof *op->score);
  op->zero = calloc(op->cells, sizeof *op->zero);
  if (!op->x || !op->score || !op->zero) return FG_FAIL(st, FG_MEMORY, "no memory for %zu cells", op->size);
  fg_law_centres(grid, op->x);
  for (int k = 0; k < FG_LAW_TIMES; k++) FG_TRY(fg_faces_open(&op->faces[k], op, st));
  return FG_OK;
}

void fg_law_operator_clear(fg_law_operator *op)
{
  for (int k = 0; k < FG_LAW_TIMES; k++) free(op->faces[k].memory);
  free(op->x);
  free(op->score);
  free(op->zero);
}

/* ---- faces at one time ------------------------------------------------------------------------ */

typedef struct fg_faces_job {
  const fg_law_operator *op;
  fg_law_faces *faces;
  double a, pull, diffusion; /* b = a x + pull s; D */
} fg_faces_job;

/* y / sinh(y). */
static double fg_over_sinh(double y)
{
  y = fabs(y);
  return y < 1e-4 ? 1 - y * y / 6 : y < 700 ? y / sinh(y) : 0;
}

/* A score along a line at the face between entries i and i + 1 of n, `stride` apart, from four entries to fourth order,
 * and its slope there times h. */
typedef struct fg_face_score {
  double mid, rise;
} fg_face_score;

static fg_face_score fg_score_at(const double *s, size_t stride, size_t i, size_t n)
{
  double a = s[i * stride], b = s[(i + 1) * stride];
  if (i == 0 || i + 2 >= n) return (fg_face_score){0.5 * (a + b), b - a};
  return (fg_face_score){(9 * (a + b) - s[(i - 1) * stride] - s[(i + 2) * stride]) / 16, b - a};
}

/* Rates of the face where the drift is b: exponentially fitted, as Scharfetter and Gummel's, but to the slope and
 * curvature that the score claims for log p. The flux is exact where log p = s x + s' x^2 / 2 around the face: with
 * z = b h / D and y = s h / 2,
 *     up, down = D/h^2 e^(-s' h^2 / 8) (k +- z / 2),   k = y / sinh y + z/2 tanh(y/2).
 * At z = 2 y, the local equilibrium, k is theirs, y coth y. k is at least |z| / 2, upwind, so that no rate is negative;
 * s' h^2 is cut at +-4, which matters only where cells are far too wide. */
static void fg_face_rates(double b, double diffusion, double h, fg_face_score s, double *up, double *down)
{
  double y = 0.5 * s.mid * h, half = 0.5 * b * h, bend = fmin(fmax(s.rise * h, -4), 4);
  double k = fmax(diffusion * fg_over_sinh(y) + half * tanh(0.5 * y), fabs(half));
  double scale = exp(-bend / 8) / (h * h);
  *up = scale * (k + half);
  *down = scale * (k - half);
}

static void fg_faces_row(const fg_faces_job *job, size_t row)
{
  const fg_law_operator *op = job->op;
  fg_law_faces *f = job->faces;
  size_t n = op->cells, d = op->d;
  const double *line = op->score + row * n * d + d - 1;
  for (size_t j = 0; j + 1 < n; j++) {
    double x = op->low + (double)(j + 1) * op->width;
    fg_face_score s = fg_score_at(line, d, j, n);
    fg_face_rates(job->a * x + job->pull * s.mid, job->diffusion, op->width, s, &f->along_up[row * n + j],
                  &f->along_down[row * n + j]);
  }
  if (d == 1 || row + 1 == n) return;
  double x = op->low + (double)(row + 1) * op->width;
  for (size_t j = 0; j < n; j++) {
    fg_face_score s = fg_score_at(op->score + j * d, n * d, row, n);
    fg_face_rates(job->a * x + job->pull * s.mid, job->diffusion, op->width, s, &f->across_up[row * n + j],
                  &f->across_down[row * n + j]);
  }
}

static void fg_faces_task(void *argument, size_t task, int worker)
{
  const fg_faces_job *job = argument;
  (void)worker;
  size_t end = (task + 1) * FG_LAW_BLOCK < job->op->rows ? (task + 1) * FG_LAW_BLOCK : job->op->rows;
  for (size_t row = task * FG_LAW_BLOCK; row < end; row++) fg_faces_row(job, row);
}

fg_code fg_law_faces_at(fg_law_operator *op, double t, const fg_law_faces **faces, fg_status *st)
{
  fg_law_faces *f = &op->faces[0];
  op->asked++;
  for (int k = 0; k < FG_LAW_TIMES; k++) {
    if (op->faces[k].t == t) {
      op->faces[k].used = op->asked;
      *faces = &op->faces[k];
      return FG_OK;
    }
    if (op->faces[k].used < f->used) f = &op->faces[k];
  }
  const fg_process *process = fg_model_process(op->model);
  fg_evaluation out = {.score = op->score};
  f->t = NAN;
  FG_TRY(fg_model_evaluate_flow(op->model, op->lambda, op->precision, op->size, &t, 1, op->x, &out, st));
  double g2 = fg_process_g2(process, t), square = op->lambda * op->lambda;
  fg_faces_job job = {op, f, fg_process_a(process, t), 0.5 * (1 + square) * g2, 0.5 * square * g2};
  fg_threads_run(op->threads, fg_law_blocks(op->rows), fg_faces_task, &job);
  op->evaluations += op->size;
  f->t = t;
  f->used = op->asked;
  *faces = f;
  return FG_OK;
}

/* ---- A p ------------------------------------------------------------------------------------------ */

typedef struct fg_apply_job {
  const fg_law_operator *op;
  const fg_law_faces *faces;
  double sign;
  const double *p;
  double *dp;
} fg_apply_job;

/* Both cells of a face compute the same flux, to the bit: what one loses the other gains. */
static void fg_apply_along(const fg_law_operator *op, const fg_law_faces *f, size_t row, const double *p,
                           double sign, double *dp)
{
  size_t n = op->cells, first = row * n;
  const double *up = f->along_up + first, *down = f->along_down + first;
  p += first;
  dp += first;
  dp[0] = sign * (0 - (up[0] * p[0] - down[0] * p[1]));
  for (size_t j = 1; j + 1 < n; j++)
    dp[j] = sign * ((up[j - 1] * p[j - 1] - down[j - 1] * p[j]) - (up[j] * p[j] - down[j] * p[j + 1]));
  dp[n - 1] = sign * (up[n - 2] * p[n - 2] - down[n - 2] * p[n - 1]);
}

static void fg_apply_across(const fg_law_operator *op, const fg_law_faces *f, size_t row, const double *p,
                            double sign, double *dp)
{
  size_t n = op->cells, at = row * n, below = row > 0 ? at - n : at, above = row + 1 < n ? at + n : at;
  const double *up = f->across_up + at, *down = f->across_down + at;
  const double *up_below = row > 0 ? up - n : op->zero, *down_below = row > 0 ? down - n : op->zero;
  const double *p0 = p + below, *p1 = p + at, *p2 = p + above;
  dp += at;
  for (size_t j = 0; j < n; j++)
    dp[j] += sign * ((up_below[j] * p0[j] - down_below[j] * p1[j]) - (up[j] * p1[j] - down[j] * p2[j]));
}

static void fg_apply_task(void *argument, size_t task, int worker)
{
  const fg_apply_job *job = argument;
  const fg_law_operator *op = job->op;
  (void)worker;
  size_t end = (task + 1) * FG_LAW_BLOCK < op->rows ? (task + 1) * FG_LAW_BLOCK : op->rows;
  for (size_t row = task * FG_LAW_BLOCK; row < end; row++) {
    fg_apply_along(op, job->faces, row, job->p, job->sign, job->dp);
    if (op->d == 2) fg_apply_across(op, job->faces, row, job->p, job->sign, job->dp);
  }
}

void fg_law_apply(const fg_law_operator *op, const fg_law_faces *faces, double sign, const double *p,
                  double *dp)
{
  fg_apply_job job = {op, faces, sign, p, dp};
  fg_threads_run(op->threads, fg_law_blocks(op->rows), fg_apply_task, &job);
}
