/* Anderson's acceleration: the next point is that combination of the last images whose residuals cancel best. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/transport/sinkhorn.h"

/* Added to the diagonal of the normal equations, relative to its mean: residuals carry rounding. */
#define FG_MIXER_RIDGE 1e-12

fg_code fg_mixer_create(size_t n, const double *weight, fg_mixer *mixer, fg_status *st)
{
  memset(mixer, 0, sizeof *mixer);
  mixer->n = n;
  mixer->weight = weight;
  mixer->residual = malloc(n * sizeof *mixer->residual);
  mixer->image = malloc(n * sizeof *mixer->image);
  mixer->residual_step = malloc(FG_MIXER_DEPTH * n * sizeof *mixer->residual_step);
  mixer->image_step = malloc(FG_MIXER_DEPTH * n * sizeof *mixer->image_step);
  if (mixer->residual && mixer->image && mixer->residual_step && mixer->image_step) return FG_OK;
  fg_mixer_clear(mixer);
  return FG_FAIL(st, FG_MEMORY, "no memory for the last steps of %zu potentials", n);
}

void fg_mixer_clear(fg_mixer *mixer)
{
  free(mixer->residual);
  free(mixer->image);
  free(mixer->residual_step);
  free(mixer->image_step);
  memset(mixer, 0, sizeof *mixer);
}

void fg_mixer_restart(fg_mixer *mixer)
{
  mixer->begun = 0;
  mixer->kept = mixer->next = 0;
}

static double fg_mixer_dot(const fg_mixer *mixer, const double *a, const double *b)
{
  double sum = 0;
  for (size_t i = 0; i < mixer->n; i++) sum += mixer->weight[i] * a[i] * b[i];
  return sum;
}

/* The step from the last point to this one replaces the oldest. */
static void fg_mixer_keep(fg_mixer *mixer, const double *v, const double *image)
{
  const size_t n = mixer->n, at = mixer->next;
  double *residual = mixer->residual_step + at * n, *step = mixer->image_step + at * n;
  for (size_t i = 0; i < n; i++) {
    residual[i] = (image[i] - v[i]) - mixer->residual[i];
    step[i] = image[i] - mixer->image[i];
  }
  mixer->next = (at + 1) % FG_MIXER_DEPTH;
  if (mixer->kept < FG_MIXER_DEPTH) mixer->kept++;
  for (size_t k = 0; k < mixer->kept; k++)
    mixer->product[at][k] = mixer->product[k][at] =
        fg_mixer_dot(mixer, residual, mixer->residual_step + k * n);
}

/* Cholesky's factor of the normal equations, and their solution in `share`; 0 where they are singular. */
static int fg_mixer_solve(const fg_mixer *mixer, double *share)
{
  const size_t kept = mixer->kept;
  double lower[FG_MIXER_DEPTH][FG_MIXER_DEPTH], trace = 0;
  for (size_t k = 0; k < kept; k++) trace += mixer->product[k][k];
  for (size_t i = 0; i < kept; i++)
    for (size_t j = 0; j <= i; j++) {
      double sum = mixer->product[i][j] + (i == j ? FG_MIXER_RIDGE * trace / (double)kept : 0);
      for (size_t k = 0; k < j; k++) sum -= lower[i][k] * lower[j][k];
      if (i == j && !(sum > 0)) return 0;
      lower[i][j] = i == j ? sqrt(sum) : sum / lower[j][j];
    }
  for (size_t i = 0; i < kept; i++) {
    share[i] = fg_mixer_dot(mixer, mixer->residual, mixer->residual_step + i * mixer->n);
    for (size_t k = 0; k < i; k++) share[i] -= lower[i][k] * share[k];
    share[i] /= lower[i][i];
  }
  for (size_t i = kept; i-- > 0;) {
    for (size_t k = i + 1; k < kept; k++) share[i] -= lower[k][i] * share[k];
    share[i] /= lower[i][i];
  }
  return 1;
}

void fg_mixer_advance(fg_mixer *mixer, double *v, const double *image)
{
  const size_t n = mixer->n;
  double share[FG_MIXER_DEPTH];
  if (mixer->begun) fg_mixer_keep(mixer, v, image);
  mixer->begun = 1;
  for (size_t i = 0; i < n; i++) mixer->residual[i] = image[i] - v[i];
  memcpy(mixer->image, image, n * sizeof *image);
  memcpy(v, image, n * sizeof *v);
  if (mixer->kept == 0) return;
  if (!fg_mixer_solve(mixer, share)) {
    fg_mixer_restart(mixer);
    return;
  }
  for (size_t k = 0; k < mixer->kept; k++)
    for (size_t i = 0; i < n; i++) v[i] -= share[k] * mixer->image_step[k * n + i];
}
