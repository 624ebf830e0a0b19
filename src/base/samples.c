#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv.h"
#include "base/file.h"
#include "base/hdf5.h"
#include "base/npy.h"
#include "base/npz.h"
#include "base/samples_impl.h"
#include "flowgap/base.h"

/* ---- any kind ---------------------------------------------------------------------------- */

/* Files that people have and this program does not read: what to do with them. */
static const struct {
  const char *magic;
  size_t length;
  const char *what;
} foreign[] = {
    {"PAR1", 4,
     "a Parquet file: convert it with  python3 -c \"import pandas; "
     "pandas.read_parquet('IN.parquet').to_csv('OUT.csv', index=False)\""},
    {"ARROW1", 6,
     "an Arrow (Feather) file: convert it with  python3 -c \"import pandas; "
     "pandas.read_feather('IN.feather').to_csv('OUT.csv', index=False)\""},
    {"MATLAB 5", 8,
     "a MATLAB file: convert it with  python3 -c \"import numpy, scipy.io; "
     "numpy.save('OUT.npy', scipy.io.loadmat('IN.mat')['NAME'])\""},
    {"MATLAB 7", 8,
     "a MATLAB file, whose arrays lie the other way round: in MATLAB, writematrix(NAME, 'OUT.csv')"},
    {"\x1f\x8b", 2, "packed by gzip: unpack it first (gunzip)"},
    {"BZh", 3, "packed by bzip2: unpack it first (bunzip2)"},
    {"\xfd"
     "7zXZ",
     5, "packed by xz: unpack it first (unxz)"},
    {"\x28\xb5\x2f\xfd", 4, "packed by zstd: unpack it first (unzstd)"},
    {"\x80\x02", 2, "a Python pickle: save arrays with numpy.save('OUT.npy', array)"},
    {"\x80\x04", 2, "a Python pickle: save arrays with numpy.save('OUT.npy', array)"},
    {"\x80\x05", 2, "a Python pickle: save arrays with numpy.save('OUT.npy', array)"},
};

static fg_code read_any(const char *path, const fg_samples_choice *choice, fg_samples *s, fg_status *st)
{
  FILE *stream;
  size_t size;
  unsigned char magic[8];
  FG_TRY(fg_file_open(path, &stream, &size, st));
  size_t got = fread(magic, 1, sizeof magic, stream);
  fclose(stream);
  if (!got) return FG_FAIL(st, FG_IO, "%s: the file is empty", path);
  if (fg_h5_signature(magic, got)) return fg_samples_h5(path, choice, s, st);
  if (fg_npz_signature(magic, got)) return fg_samples_npz(path, choice, s, st);
  for (size_t k = 0; k < sizeof foreign / sizeof *foreign; ++k)
    if (got >= foreign[k].length && !memcmp(magic, foreign[k].magic, foreign[k].length))
      return FG_FAIL(st, FG_IO, "%s: %s; HDF5, NPY, NPZ and CSV are read", path, foreign[k].what);
  if (choice->dataset && *choice->dataset)
    return FG_FAIL(st, FG_USAGE, "%s: data set %.60s was asked for, but this is not an HDF5 file, nor NPZ",
                   path, choice->dataset);
  if (got >= 6 && !memcmp(magic, "\x93NUMPY", 6)) return fg_samples_npy(path, choice, s, st);
  return fg_samples_csv(path, choice, s, st);
}

static fg_code check(const char *path, const fg_samples *s, fg_status *st)
{
  if (!s->n || !s->d)
    return FG_FAIL(st, FG_IO, "%s: it holds no samples (%zu rows, %zu columns)", path, s->n, s->d);
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
  return fg_samples_read_chosen(path, &(fg_samples_choice){.dataset = dataset}, samples, st);
}

fg_code fg_samples_read_chosen(const char *path, const fg_samples_choice *choice, fg_samples *samples,
                               fg_status *st)
{
  memset(samples, 0, sizeof *samples);
  fg_code rc = read_any(path, choice, samples, st);
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
