/* The objectives as functions of the log Radon-Nikodym derivatives of a batch: value, and for the log-variance the
 * weight of each path, d loss / d rnd. Lost paths (HUGE_VAL) are left out and counted. */
#ifndef FG_FORMULA_OBJECTIVE_H
#define FG_FORMULA_OBJECTIVE_H

#include <float.h>
#include <stddef.h>

#include "formula/real.h"

typedef struct fg_batch_value {
  double loss, mean;
  size_t kept, lost, lost_first; /* lost_first: number of the first lost path, n if none */
} fg_batch_value;

FG_HD int fg_path_is_kept(double rnd)
{
  return fabs(rnd) <= DBL_MAX;
}

FG_HD size_t fg_batch_count(size_t n, const double *rnd, double *mean)
{
  size_t kept = 0;
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    if (fg_path_is_kept(rnd[i])) {
      sum += rnd[i];
      kept++;
    }
  *mean = kept ? sum / (double)kept : 0;
  return kept;
}

/* Variance over the n paths of one group (n - 1), times share; weight [n] = its gradient. */
FG_HD double fg_group_variance(size_t n, const double *rnd, double share, double *weight)
{
  double mean, sum = 0;
  const size_t kept = fg_batch_count(n, rnd, &mean);
  const double each = kept > 1 ? share / (double)(kept - 1) : 0;
  for (size_t i = 0; i < n; i++) {
    const double off = fg_path_is_kept(rnd[i]) ? rnd[i] - mean : 0;
    sum += off * off;
    weight[i] = 2 * each * off;
  }
  return each * sum;
}

/* Mean over groups of `group` consecutive paths of the variance within each; group = n: of the batch. */
FG_HD fg_batch_value fg_batch_variance(size_t n, size_t group, const double *rnd, double *weight)
{
  fg_batch_value value;
  value.kept = fg_batch_count(n, rnd, &value.mean);
  value.lost = n - value.kept;
  value.lost_first = 0;
  while (value.lost_first < n && fg_path_is_kept(rnd[value.lost_first])) value.lost_first++;
  value.loss = 0;
  for (size_t at = 0; at < n; at += group)
    value.loss += fg_group_variance(group, rnd + at, (double)group / (double)n, weight + at);
  return value;
}

/* Mean of loss over the paths that are kept; mean: of rnd. */
FG_HD fg_batch_value fg_batch_mean(size_t n, const double *rnd, const double *loss)
{
  fg_batch_value value;
  value.kept = fg_batch_count(n, rnd, &value.mean);
  value.lost = n - value.kept;
  value.lost_first = 0;
  while (value.lost_first < n && fg_path_is_kept(rnd[value.lost_first])) value.lost_first++;
  fg_batch_count(n, loss, &value.loss);
  return value;
}

#endif
