/* The posterior of a logistic regression's coefficients, given a CSV file of features and labels. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv.h"
#include "formula/density.h"
#include "target/target_impl.h"

/* features [rows, d]: row i multiplied by its label +1 or -1. */
typedef struct logistic {
  int rows;
  double precision;
  double *features;
} logistic;

static double log_density(const fg_target *t, const double *x, double *score, double *scratch)
{
  (void)scratch;
  const logistic *l = t->data;
  return fg_logistic_log_density(l->rows, (int)t->d, l->features, l->precision, x, 1, score);
}

static fg_code density(const fg_target *t, const fg_density_memory *memory, fg_density *out, fg_status *st)
{
  const logistic *l = t->data;
  out->kind = FG_DENSITY_LOGISTIC;
  out->as.logistic.rows = l->rows;
  out->as.logistic.precision = l->precision;
  return fg_density_upload(memory, l->features, (size_t)l->rows * t->d * sizeof(double),
                           &out->as.logistic.features, st);
}

static void destroy(void *data)
{
  logistic *l = data;
  if (l) free(l->features);
  free(l);
}

static const fg_target_ops logistic_ops = {log_density, NULL, NULL, NULL, destroy, density};

static fg_code check_table(const fg_target_settings *s, const fg_csv *table, size_t *d, fg_status *st)
{
  size_t features = table->columns ? table->columns - 1 : 0;
  if (table->rows == 0 || features == 0)
    return FG_FAIL(st, FG_IO,
                   "%s holds %zu rows of %zu numbers: give rows of features with a label at the end", s->file,
                   table->rows, table->columns);
  if (table->rows > INT32_MAX)
    return FG_FAIL(st, FG_UNSUPPORTED, "%s has %zu rows: at most %d", s->file, table->rows, INT32_MAX);
  if (table->names && strcmp(table->names[features], "label") != 0)
    return FG_FAIL(st, FG_IO,
                   "%s: the last column is called %.60s: it must hold the labels and be called label",
                   s->file, table->names[features]);
  *d = features + (s->intercept ? 1 : 0);
  if (s->dimension && s->dimension != *d)
    return FG_FAIL(st, FG_USAGE, "target.dimension is %zu but %s gives %zu features%s: leave the setting out",
                   s->dimension, s->file, features, s->intercept ? " and an intercept" : "");
  return FG_OK;
}

/* Labels are 1 and 0, or 1 and -1: what stands for "no" is the same in all rows. */
static fg_code check_labels(const char *file, const fg_csv *table, fg_status *st)
{
  double no = 1;
  for (size_t i = 0; i < table->rows; i++) {
    double label = table->values[(i + 1) * table->columns - 1];
    if (label != 1 && label != 0 && label != -1)
      return FG_FAIL(st, FG_IO, "%s, row %zu: the label is %g: give 0 or 1, or -1 or 1", file, i + 1, label);
    if (label != 1 && no != 1 && label != no)
      return FG_FAIL(st, FG_IO,
                     "%s, row %zu: the label is %g where an earlier one is %g: give 0 or 1, or -1 or 1", file,
                     i + 1, label, no);
    if (label != 1) no = label;
  }
  return FG_OK;
}

/* Every column but the last: mean 0, mean square 1. */
static fg_code standardise(const char *file, fg_csv *table, fg_status *st)
{
  double n = (double)table->rows;
  for (size_t j = 0; j + 1 < table->columns; j++) {
    double mean = 0, square = 0, largest = 0, *column = table->values + j;
    for (size_t i = 0; i < table->rows; i++) mean += column[i * table->columns] / n;
    for (size_t i = 0; i < table->rows; i++) {
      double e = column[i * table->columns] - mean;
      square += e * e / n;
      largest = fmax(largest, fabs(column[i * table->columns]));
    }
    if (!isfinite(square) || !(sqrt(square) > 1e-13 * largest)) /* rounding of the mean is all there is */
      return FG_FAIL(
          st, FG_IO,
          "%s: column %zu has standard deviation %g: it cannot be standardised; remove the column, or "
          "set target.standardise: false",
          file, j + 1, sqrt(square));
    for (size_t i = 0; i < table->rows; i++)
      column[i * table->columns] = (column[i * table->columns] - mean) / sqrt(square);
  }
  return FG_OK;
}

static void fill(const fg_csv *table, bool intercept, double *features)
{
  for (size_t i = 0; i < table->rows; i++) {
    const double *row = table->values + i * table->columns;
    double sign = row[table->columns - 1] == 1 ? 1 : -1;
    if (intercept) *features++ = sign;
    for (size_t j = 0; j + 1 < table->columns; j++) *features++ = sign * row[j];
  }
}

static fg_code read(const fg_target_settings *s, logistic *l, size_t *d, fg_status *st)
{
  fg_csv table;
  fg_code rc;
  FG_TRY(fg_csv_read(s->file, &table, st));
  FG_GO(check_table(s, &table, d, st), done);
  FG_GO(check_labels(s->file, &table, st), done);
  if (s->standardise) FG_GO(standardise(s->file, &table, st), done);
  l->rows = (int)table.rows;
  l->features = calloc(table.rows, *d * sizeof *l->features);
  if (l->features)
    fill(&table, s->intercept, l->features);
  else
    rc = FG_FAIL(st, FG_MEMORY, "no memory for %zu rows of %zu features", table.rows, *d);
done:
  fg_csv_clear(&table);
  return rc;
}

fg_code fg_target_make_logistic(const fg_target_settings *s, fg_target *target, fg_status *st)
{
  if (!s->file || !*s->file)
    return FG_FAIL(st, FG_USAGE, "target.file is empty: name a CSV file of features and labels");
  if (!(s->prior_sd > 0.0) || !isfinite(1 / (s->prior_sd * s->prior_sd)))
    return FG_FAIL(st, FG_USAGE, "target.prior_sd is %g: give a number > 0", s->prior_sd);
  logistic *l = calloc(1, sizeof *l);
  if (!l) return FG_FAIL(st, FG_MEMORY, "no memory for a logistic regression");
  l->precision = 1 / (s->prior_sd * s->prior_sd);
  fg_code rc = read(s, l, &target->d, st);
  if (rc != FG_OK) {
    destroy(l);
    return rc;
  }
  target->abilities = FG_TARGET_DENSITY | FG_TARGET_SCORE;
  target->ops = &logistic_ops;
  target->data = l;
  return FG_OK;
}
