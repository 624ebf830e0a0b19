#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv.h"
#include "base/file.h"
#include "base/hdf5.h"
#include "base/npy.h"
#include "flowgap/base.h"

/* ---- HDF5 -------------------------------------------------------------------------------- */

static bool two_dimensional(const fg_h5_entry *entry)
{
  return entry->rank == 2;
}

/* "ode/x [1000, 2], sde/x [1000, 2]": the arrays that could be meant. */
static const char *candidates(const fg_h5_entry *entries, size_t count, char text[512])
{
  size_t used = 0;
  text[0] = 0;
  for (size_t k = 0; k < count && used < 440; ++k) {
    const fg_h5_entry *e = &entries[k];
    if (e->rank < 1 || e->rank > 2) continue;
    int n = e->rank == 1
                ? snprintf(text + used, 512 - used, "%s%.48s [%zu]", used ? ", " : "", e->name, e->shape[0])
                : snprintf(text + used, 512 - used, "%s%.48s [%zu, %zu]", used ? ", " : "", e->name,
                           e->shape[0], e->shape[1]);
    used += n > 0 ? (size_t)n : 0;
  }
  if (!used) strcpy(text, "none with one or two dimensions");
  return text;
}

/* The name to read: as asked, else "x", else the only array with two dimensions. */
static fg_code choose(fg_h5 *file, const char *path, const char *asked, const fg_h5_entry *entries,
                      size_t count, const char **name, fg_status *st)
{
  char text[512];
  size_t found = 0;
  if (asked && *asked) {
    *name = asked;
    if (fg_h5_has(file, asked)) return FG_OK;
    return FG_FAIL(st, FG_IO, "%s: there is no data set %.60s; it holds: %s", path, asked,
                   candidates(entries, count, text));
  }
  *name = "x";
  if (fg_h5_has(file, *name)) return FG_OK;
  for (size_t k = 0; k < count; ++k) {
    if (!two_dimensional(&entries[k])) continue;
    *name = entries[k].name;
    ++found;
  }
  if (found == 1) return FG_OK;
  return FG_FAIL(st, FG_IO, "%s: %s; name the one to read (FILE:NAME, or target.dataset), it holds: %s", path,
                 found ? "no data set x, and several with two dimensions"
                       : "no data set x, nor one with two dimensions",
                 candidates(entries, count, text));
}

/* One number for each row, from the data set `beside` in the group of the array; NULL if there is none. */
static fg_code h5_column(fg_h5 *file, const char *path, const char *name, const char *beside, size_t n,
                         double **values, fg_status *st)
{
  const char *slash = strrchr(name, '/');
  size_t folder = slash ? (size_t)(slash - name) + 1 : 0, shape[FG_H5_RANK_MAX];
  int rank;
  char *column = malloc(folder + strlen(beside) + 1);
  if (!column) return FG_FAIL(st, FG_MEMORY, "%s: no memory", path);
  memcpy(column, name, folder);
  strcpy(column + folder, beside);
  fg_code rc = FG_OK;
  if (fg_h5_has(file, column) && strcmp(column, name) != 0) {
    rc = fg_h5_read_real(file, column, &rank, shape, values, st);
    if (rc == FG_OK && (rank != 1 || shape[0] != n))
      rc = FG_FAIL(st, FG_IO,
                   "%s: data set %s has rank %d and %zu entries, it should have one for each "
                   "of the %zu rows of %s",
                   path, column, rank, shape[0], n, name);
  }
  free(column);
  return rc;
}

static fg_code read_set(fg_h5 *file, const char *path, const char *name, fg_samples *s, fg_status *st)
{
  int rank;
  size_t shape[FG_H5_RANK_MAX];
  FG_TRY(fg_h5_shape(file, name, &rank, shape, st));
  if (rank < 1 || rank > 2)
    return FG_FAIL(st, FG_IO, "%s: data set %s has %d dimensions, samples have two: [n, d]", path, name,
                   rank);
  FG_TRY(fg_h5_read_real(file, name, &rank, shape, &s->x, st));
  s->n = shape[0];
  s->d = shape[1];
  FG_TRY(h5_column(file, path, name, "weights", s->n, &s->weights, st));
  return h5_column(file, path, name, "log_density", s->n, &s->log_density, st);
}

static fg_code read_h5(const char *path, const char *dataset, fg_samples *s, fg_status *st)
{
  fg_h5 *file;
  fg_h5_entry *entries = NULL;
  size_t count = 0;
  const char *name;
  FG_TRY(fg_h5_open(path, &file, st));
  fg_code rc = FG_OK;
  FG_GO(fg_h5_list(file, &entries, &count, st), out);
  FG_GO(choose(file, path, dataset, entries, count, &name, st), out);
  FG_GO(read_set(file, path, name, s, st), out);
out:
  fg_h5_list_free(&entries, count);
  fg_h5_close(&file);
  return rc;
}

/* ---- CSV --------------------------------------------------------------------------------- */

static fg_code read_csv(const char *path, fg_samples *s, fg_status *st)
{
  fg_csv table;
  FG_TRY(fg_csv_read(path, &table, st));
  size_t w = fg_csv_column(&table, "weight"), l = fg_csv_column(&table, "log_density"),
         columns = table.columns;
  s->n = table.rows;
  s->d = columns - (w < columns) - (l < columns);
  s->x = table.values;
  table.values = NULL;
  if (w < columns && s->n) s->weights = malloc(s->n * sizeof(double));
  if (l < columns && s->n) s->log_density = malloc(s->n * sizeof(double));
  fg_code rc = FG_OK;
  if (s->n && ((w < columns && !s->weights) || (l < columns && !s->log_density)))
    rc = FG_FAIL(st, FG_MEMORY, "%s: no memory", path);
  /* Close the gaps that these columns leave; writes never overtake reads. */
  for (size_t i = 0, to = 0; rc == FG_OK && s->d < columns && i < s->n; ++i)
    for (size_t j = 0; j < columns; ++j) {
      double value = s->x[i * columns + j];
      if (j == w)
        s->weights[i] = value;
      else if (j == l)
        s->log_density[i] = value;
      else
        s->x[to++] = value;
    }
  fg_csv_clear(&table);
  return rc;
}

/* ---- any kind ---------------------------------------------------------------------------- */

static fg_code read_any(const char *path, const char *dataset, fg_samples *s, fg_status *st)
{
  FILE *stream;
  size_t size;
  unsigned char magic[8];
  FG_TRY(fg_file_open(path, &stream, &size, st));
  size_t got = fread(magic, 1, sizeof magic, stream);
  fclose(stream);
  if (!got) return FG_FAIL(st, FG_IO, "%s: the file is empty", path);
  if (fg_h5_signature(magic, got)) return read_h5(path, dataset, s, st);
  if (dataset && *dataset)
    return FG_FAIL(st, FG_USAGE, "%s: data set %.60s was asked for, but this is not an HDF5 file", path,
                   dataset);
  if (got >= 6 && !memcmp(magic, "\x93NUMPY", 6)) return fg_npy_read(path, &s->n, &s->d, &s->x, st);
  return read_csv(path, s, st);
}

static fg_code check(const char *path, const fg_samples *s, fg_status *st)
{
  if (!s->n || !s->d)
    return FG_FAIL(st, FG_IO, "%s: it holds no samples (%zu rows, %zu columns)", path, s->n, s->d);
  for (size_t k = 0; k < s->n * s->d; ++k)
    if (!isfinite(s->x[k]))
      return FG_FAIL(st, FG_IO, "%s: the value at row %zu, column %zu is not finite (%g)", path, k / s->d + 1,
                     k % s->d + 1, s->x[k]);
  double sum = 0;
  for (size_t i = 0; s->weights && i < s->n; ++i) {
    if (!isfinite(s->weights[i]) || s->weights[i] < 0)
      return FG_FAIL(st, FG_IO, "%s: the weight of row %zu is %g, it must be a finite number not below 0",
                     path, i + 1, s->weights[i]);
    sum += s->weights[i];
  }
  for (size_t i = 0; s->log_density && i < s->n; ++i)
    if (!isfinite(s->log_density[i]))
      return FG_FAIL(st, FG_IO, "%s: the log-density of row %zu is %g, it must be finite", path, i + 1,
                     s->log_density[i]);
  if (s->weights && !(sum > 0 && isfinite(sum)))
    return FG_FAIL(st, FG_IO, "%s: the weights sum to %g, the sum must be positive", path, sum);
  return FG_OK;
}

fg_code fg_samples_read(const char *path, const char *dataset, fg_samples *samples, fg_status *st)
{
  memset(samples, 0, sizeof *samples);
  fg_code rc = read_any(path, dataset, samples, st);
  if (rc == FG_OK) rc = check(path, samples, st);
  if (rc != FG_OK) fg_samples_clear(samples);
  return rc;
}

void fg_samples_clear(fg_samples *samples)
{
  if (!samples) return;
  free(samples->x);
  free(samples->weights);
  free(samples->log_density);
  memset(samples, 0, sizeof *samples);
}

/* ---- writing ------------------------------------------------------------------------------ */

static fg_code write_h5(const char *path, const fg_samples *s, fg_status *st)
{
  fg_h5 *file;
  size_t shape[2] = {s->n, s->d};
  FG_TRY(fg_h5_create(path, &file, st));
  fg_code rc = fg_h5_write_real(file, "x", 2, shape, s->x, st);
  if (rc == FG_OK && s->weights) rc = fg_h5_write_real(file, "weights", 1, shape, s->weights, st);
  if (rc == FG_OK && s->log_density) rc = fg_h5_write_real(file, "log_density", 1, shape, s->log_density, st);
  if (rc == FG_OK) return fg_h5_commit(&file, st);
  fg_h5_close(&file);
  return rc;
}

/* Columns x1, x2, ... and then, where there are such, weight and log_density. */
static fg_code write_csv(const char *path, const fg_samples *s, fg_status *st)
{
  size_t columns = s->d + (s->weights != NULL) + (s->log_density != NULL), entries, bytes;
  fg_csv table = {.rows = s->n, .columns = columns};
  table.names = calloc(columns, sizeof *table.names);
  if (fg_mul_fits(s->n, columns, &entries) && fg_mul_fits(entries, sizeof(double), &bytes))
    table.values = malloc(bytes ? bytes : 1);
  bool good = table.names && table.values;
  for (size_t j = 0; good && j < columns; ++j) {
    table.names[j] = malloc(32);
    good = table.names[j] != NULL;
    if (good && j < s->d)
      snprintf(table.names[j], 32, "x%zu", j + 1);
    else if (good)
      strcpy(table.names[j], s->weights && j == s->d ? "weight" : "log_density");
  }
  for (size_t i = 0; good && i < s->n; ++i) {
    double *row = table.values + i * columns;
    memcpy(row, s->x + i * s->d, s->d * sizeof(double));
    if (s->weights) row[s->d] = s->weights[i];
    if (s->log_density) row[columns - 1] = s->log_density[i];
  }
  fg_code rc = good ? fg_csv_write(path, &table, st) : FG_FAIL(st, FG_MEMORY, "%s: no memory", path);
  fg_csv_clear(&table);
  return rc;
}

fg_code fg_samples_write(const char *path, const fg_samples *samples, fg_status *st)
{
  const char *dot = strrchr(path, '.');
  if (!dot || strchr(dot, '/')) dot = "";
  if (!strcmp(dot, ".h5") || !strcmp(dot, ".hdf5")) return write_h5(path, samples, st);
  if (!strcmp(dot, ".csv")) return write_csv(path, samples, st);
  if (strcmp(dot, ".npy") != 0)
    return FG_FAIL(st, FG_USAGE, "%s: samples are written as .h5, .npy or .csv: give the file such an ending",
                   path);
  if (samples->weights || samples->log_density)
    return FG_FAIL(st, FG_USAGE, "%s: a .npy file has no place for %s: write .h5 or .csv", path,
                   samples->weights ? "weights" : "log-densities");
  return fg_npy_write(path, samples->n, samples->d, samples->x, st);
}
