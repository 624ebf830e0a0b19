/* Samples from files of arrays: HDF5, NPZ and NPY. */
#include <stdlib.h>
#include <string.h>

#include "base/hdf5.h"
#include "base/npy.h"
#include "base/npz.h"
#include "base/samples_impl.h"

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

/* The data set of the weights that were asked for: beside x or by its whole name; "" when there is none. */
static const char *h5_weights(fg_h5 *file, const char *name, const char *word, char text[300])
{
  const char *slash = strrchr(name, '/');
  snprintf(text, 300, "%.*s%.100s", slash ? (int)(slash - name) + 1 : 0, name, word);
  if (slash && slash - name < 190 && fg_h5_has(file, text)) return word;
  text[0] = 0;
  return fg_h5_has(file, word) ? word : text;
}

static fg_code read_set(fg_h5 *file, const char *path, const char *name, const fg_samples_choice *choice,
                        fg_samples *s, fg_status *st)
{
  int rank;
  char text[300];
  size_t shape[FG_H5_RANK_MAX];
  bool none = fg_weights_none(choice);
  const char *word = none ? NULL : choice->weights;
  FG_TRY(fg_h5_shape(file, name, &rank, shape, st));
  if (rank < 1 || rank > 2)
    return FG_FAIL(st, FG_IO, "%s: data set %s has %d dimensions, samples have two: [n, d]", path, name,
                   rank);
  FG_TRY(fg_h5_read_real(file, name, &rank, shape, &s->x, st));
  s->n = shape[0];
  if (!word && !none) FG_TRY(h5_column(file, path, name, "weights", s->n, &s->weights, st));
  if (word && *h5_weights(file, name, word, text)) {
    bool beside = text[0] != 0;
    FG_TRY(h5_column(file, path, beside ? name : "", word, s->n, &s->weights, st));
  }
  FG_TRY(h5_column(file, path, name, "log_density", s->n, &s->log_density, st));
  return fg_samples_choose(path, choice, shape[1], s, st);
}

fg_code fg_samples_h5(const char *path, const fg_samples_choice *choice, fg_samples *s, fg_status *st)
{
  fg_h5 *file;
  fg_h5_entry *entries = NULL;
  size_t count = 0;
  const char *name;
  FG_TRY(fg_h5_open(path, &file, st));
  fg_code rc = FG_OK;
  FG_GO(fg_h5_list(file, &entries, &count, st), out);
  FG_GO(choose(file, path, choice->dataset, entries, count, &name, st), out);
  FG_GO(read_set(file, path, name, choice, s, st), out);
out:
  fg_h5_list_free(&entries, count);
  fg_h5_close(&file);
  return rc;
}

/* ---- NPZ --------------------------------------------------------------------------------- */

/* The array to read: as asked, else "x", else the only one beside weights and log_density. */
static fg_code choose_array(const fg_npz *z, const char *asked, size_t *at, fg_status *st)
{
  char text[256] = "";
  size_t found = 0, used = 0;
  *at = fg_npz_find(z, asked && *asked ? asked : "x");
  if (*at < z->count) return FG_OK;
  for (size_t k = 0; k < z->count; ++k) {
    const char *name = z->entry[k].name;
    if (used < 200) used += (size_t)snprintf(text + used, 256 - used, "%s%.40s", used ? ", " : "", name);
    if (!strcmp(name, "weights") || !strcmp(name, "log_density")) continue;
    *at = k;
    ++found;
  }
  if (asked && *asked)
    return FG_FAIL(st, FG_IO, "%s: there is no array %.60s; it holds: %s", z->path, asked, text);
  if (found == 1) return FG_OK;
  return FG_FAIL(st, FG_IO, "%s: no array x, and %s; name the one to read (FILE:NAME), it holds: %s", z->path,
                 found ? "several others" : "no other", text);
}

/* One number for each row; nothing when there is no such array. */
static fg_code npz_column(fg_npz *z, const char *name, size_t n, double **values, fg_status *st)
{
  size_t at = fg_npz_find(z, name), rows, columns;
  if (at == z->count) return FG_OK;
  FG_TRY(fg_npz_read(z, at, &rows, &columns, values, st));
  if (rows * columns == n && (rows == 1 || columns == 1)) return FG_OK;
  return FG_FAIL(st, FG_IO, "%s: array %s has %zu x %zu entries, it should have one for each of the %zu rows",
                 z->path, name, rows, columns, n);
}

static fg_code read_arrays(fg_npz *z, const fg_samples_choice *choice, fg_samples *s, fg_status *st)
{
  size_t at, columns;
  FG_TRY(choose_array(z, choice->dataset, &at, st));
  FG_TRY(fg_npz_read(z, at, &s->n, &columns, &s->x, st));
  if (!fg_weights_none(choice))
    FG_TRY(npz_column(z, choice->weights ? choice->weights : "weights", s->n, &s->weights, st));
  FG_TRY(npz_column(z, "log_density", s->n, &s->log_density, st));
  return fg_samples_choose(z->path, choice, columns, s, st);
}

fg_code fg_samples_npz(const char *path, const fg_samples_choice *choice, fg_samples *s, fg_status *st)
{
  fg_npz archive;
  FG_TRY(fg_npz_open(path, &archive, st));
  fg_code rc = read_arrays(&archive, choice, s, st);
  fg_npz_close(&archive);
  return rc;
}

/* ---- NPY --------------------------------------------------------------------------------- */

fg_code fg_samples_npy(const char *path, const fg_samples_choice *choice, fg_samples *s, fg_status *st)
{
  size_t columns;
  FG_TRY(fg_npy_read(path, &s->n, &columns, &s->x, st));
  return fg_samples_choose(path, choice, columns, s, st);
}
