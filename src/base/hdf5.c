#include "base/hdf5.h"

#include <hdf5.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hdf5_chunks.h"

struct fg_h5 {
  char *path;
  hid_t file;
  bool writing;
};

/* HDF5 keeps its own state for the whole process and Debian builds it without locks. */
static pthread_mutex_t h5_mutex = PTHREAD_MUTEX_INITIALIZER;

/* HDF5 prints its error stack unless told otherwise; silence it for the call and put it back. */
typedef struct quiet {
  H5E_auto2_t function;
  void *data;
} quiet;

static quiet enter(void)
{
  quiet q = {NULL, NULL};
  pthread_mutex_lock(&h5_mutex);
  H5Eget_auto2(H5E_DEFAULT, &q.function, &q.data);
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  return q;
}

static void leave(quiet q)
{
  H5Eclear2(H5E_DEFAULT);
  H5Eset_auto2(H5E_DEFAULT, q.function, q.data);
  pthread_mutex_unlock(&h5_mutex);
}

/* The innermost description on HDF5's error stack, which names the cause ("truncated file: ..."). */
static herr_t take_first(unsigned n, const H5E_error2_t *error, void *text)
{
  if (n == 0 && error->desc) strncpy(text, error->desc, 159);
  return 0;
}

static const char *reason(char text[160])
{
  memset(text, 0, 160);
  if (H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, text) < 0 || !text[0])
    strcpy(text, "no reason given");
  return text;
}

static fg_code handle(const char *path, bool writing, fg_h5 **out, fg_status *st)
{
  fg_h5 *h = calloc(1, sizeof *h);
  if (h) h->path = strdup(path);
  if (!h || !h->path) {
    free(h);
    return FG_FAIL(st, FG_MEMORY, "%s: no memory to open it", path);
  }
  h->file = H5I_INVALID_HID;
  h->writing = writing;
  *out = h;
  return FG_OK;
}

fg_code fg_h5_create(const char *path, fg_h5 **out, fg_status *st)
{
  char why[160];
  *out = NULL;
  FG_TRY(handle(path, true, out, st));
  quiet q = enter();
  /* In memory, grown by 1 MiB at a time: a full disk is met by fg_file, never inside HDF5, which
   * cannot close a file that it cannot write. */
  hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  if (access >= 0 && H5Pset_fapl_core(access, 1 << 20, false) >= 0)
    (*out)->file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
  if (access >= 0) H5Pclose(access);
  fg_code rc = FG_OK;
  if ((*out)->file < 0) rc = FG_FAIL(st, FG_IO, "%s: HDF5 cannot create it: %s", path, reason(why));
  leave(q);
  if (rc != FG_OK) fg_h5_close(out);
  return rc;
}

bool fg_h5_signature(const unsigned char *bytes, size_t size)
{
  return size >= 8 && !memcmp(bytes, "\x89HDF\r\n\x1a\n", 8);
}

fg_code fg_h5_open(const char *path, fg_h5 **out, fg_status *st)
{
  char why[160];
  FILE *stream;
  size_t size;
  *out = NULL;
  FG_TRY(fg_file_open(path, &stream, &size, st)); /* missing, forbidden, a folder: said in plain words */
  fclose(stream);
  FG_TRY(handle(path, false, out, st));
  quiet q = enter();
  (*out)->file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
  fg_code rc = FG_OK;
  if ((*out)->file < 0)
    rc = FG_FAIL(st, FG_IO, "%s: not an HDF5 file, cut off or damaged (%s)", path, reason(why));
  leave(q);
  if (rc != FG_OK) fg_h5_close(out);
  return rc;
}

/* The file as bytes, as it would lie on disk. */
static fg_code take_image(fg_h5 *h, void **image, size_t *size, fg_status *st)
{
  char why[160];
  ssize_t bytes = H5Fflush(h->file, H5F_SCOPE_GLOBAL) < 0 ? -1 : H5Fget_file_image(h->file, NULL, 0);
  *image = bytes > 0 ? malloc((size_t)bytes) : NULL;
  if (bytes > 0 && !*image) return FG_FAIL(st, FG_MEMORY, "%s: no memory for %zd bytes", h->path, bytes);
  if (bytes <= 0 || H5Fget_file_image(h->file, *image, (size_t)bytes) != bytes)
    return FG_FAIL(st, FG_IO, "%s: HDF5 cannot finish it: %s", h->path, reason(why));
  *size = (size_t)bytes;
  return FG_OK;
}

fg_code fg_h5_commit(fg_h5 **file, fg_status *st)
{
  void *image = NULL;
  size_t size = 0;
  quiet q = enter();
  fg_code rc = take_image(*file, &image, &size, st);
  leave(q);
  if (rc == FG_OK) rc = fg_file_write((*file)->path, image, size, st);
  free(image);
  fg_h5_close(file);
  return rc;
}

void fg_h5_close(fg_h5 **file)
{
  fg_h5 *h = file ? *file : NULL;
  if (!h) return;
  if (h->file >= 0) {
    quiet q = enter();
    H5Fclose(h->file);
    leave(q);
  }
  free(h->path);
  free(h);
  *file = NULL;
}

/* ---- writing --------------------------------------------------------------------------- */

static fg_code write_array(fg_h5 *h, const char *name, hid_t stored, hid_t memory, int rank,
                           const size_t *shape, const void *values, fg_status *st)
{
  char why[160];
  hsize_t extent[FG_H5_RANK_MAX] = {0};
  if (rank < 0 || rank > FG_H5_RANK_MAX)
    return FG_FAIL(st, FG_FAILED, "%s: data set %s has rank %d, at most %d is written", h->path, name, rank,
                   FG_H5_RANK_MAX);
  for (int k = 0; k < rank; ++k) extent[k] = shape[k];
  quiet q = enter();
  hid_t link = H5Pcreate(H5P_LINK_CREATE), create = H5Pcreate(H5P_DATASET_CREATE);
  hid_t space = rank ? H5Screate_simple(rank, extent, NULL) : H5Screate(H5S_SCALAR);
  hid_t set = H5I_INVALID_HID;
  /* no time stamps: the same run gives the same bytes */
  if (link >= 0 && create >= 0 && space >= 0 && H5Pset_create_intermediate_group(link, 1) >= 0 &&
      H5Pset_obj_track_times(create, false) >= 0)
    set = H5Dcreate2(h->file, name, stored, space, link, create, H5P_DEFAULT);
  bool good = set >= 0 && H5Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0;
  fg_code rc = FG_OK;
  if (!good) rc = FG_FAIL(st, FG_IO, "%s: data set %s cannot be written: %s", h->path, name, reason(why));
  if (set >= 0) H5Dclose(set);
  if (space >= 0) H5Sclose(space);
  if (create >= 0) H5Pclose(create);
  if (link >= 0) H5Pclose(link);
  leave(q);
  return rc;
}

fg_code fg_h5_write_real(fg_h5 *h, const char *name, int rank, const size_t *shape, const double *values,
                         fg_status *st)
{
  return write_array(h, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, rank, shape, values, st);
}

fg_code fg_h5_write_integer(fg_h5 *h, const char *name, int rank, const size_t *shape, const int64_t *values,
                            fg_status *st)
{
  return write_array(h, name, H5T_STD_I64LE, H5T_NATIVE_INT64, rank, shape, values, st);
}

fg_code fg_h5_write_text(fg_h5 *h, const char *attribute, const char *text, fg_status *st)
{
  char why[160];
  quiet q = enter();
  hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR), made = H5I_INVALID_HID;
  /* fixed size with its final 0, at least one byte; UTF-8 */
  if (type >= 0 && space >= 0 && H5Tset_size(type, strlen(text) + 1) >= 0 &&
      H5Tset_cset(type, H5T_CSET_UTF8) >= 0)
    made = H5Acreate2(h->file, attribute, type, space, H5P_DEFAULT, H5P_DEFAULT);
  fg_code rc = FG_OK;
  if (made < 0 || H5Awrite(made, type, text) < 0)
    rc = FG_FAIL(st, FG_IO, "%s: attribute %s cannot be written: %s", h->path, attribute, reason(why));
  if (made >= 0) H5Aclose(made);
  if (space >= 0) H5Sclose(space);
  if (type >= 0) H5Tclose(type);
  leave(q);
  return rc;
}

/* ---- reading: every static function below is called between enter and leave --------------- */

/* Does every part of the path exist, and is it a data set? H5Oexists_by_name needs the parts. */
static bool is_dataset(hid_t file, const char *name)
{
  size_t length = strlen(name);
  char *part = length ? strdup(name) : NULL;
  bool good = part != NULL;
  for (size_t k = 1; good && k <= length; ++k) {
    if (name[k] && name[k] != '/') continue;
    part[k] = 0;
    good = H5Lexists(file, part, H5P_DEFAULT) > 0 && H5Oexists_by_name(file, part, H5P_DEFAULT) > 0;
    part[k] = name[k];
  }
  free(part);
  H5O_info_t info;
  return good && H5Oget_info_by_name2(file, name, &info, H5O_INFO_BASIC, H5P_DEFAULT) >= 0 &&
         info.type == H5O_TYPE_DATASET;
}

/* Rank and shape of an open data set whose entries are numbers; false if it is not such a one. */
static bool numeric_shape(hid_t set, int *rank, size_t shape[FG_H5_RANK_MAX])
{
  hsize_t extent[H5S_MAX_RANK];
  hid_t type = H5Dget_type(set), space = H5Dget_space(set);
  H5T_class_t class = type >= 0 ? H5Tget_class(type) : H5T_NO_CLASS;
  int dims = space >= 0 ? H5Sget_simple_extent_ndims(space) : -1;
  bool good = (class == H5T_FLOAT || class == H5T_INTEGER) && dims >= 0 && dims <= FG_H5_RANK_MAX &&
              H5Sget_simple_extent_type(space) != H5S_NULL &&
              H5Sget_simple_extent_dims(space, extent, NULL) == dims;
  for (int k = 0; k < FG_H5_RANK_MAX; ++k) shape[k] = good && k < dims ? (size_t)extent[k] : 1;
  *rank = dims;
  if (type >= 0) H5Tclose(type);
  if (space >= 0) H5Sclose(space);
  return good;
}

static fg_code open_set(fg_h5 *h, const char *name, hid_t *set, int *rank, size_t shape[FG_H5_RANK_MAX],
                        fg_status *st)
{
  char why[160];
  *set = H5I_INVALID_HID;
  if (!is_dataset(h->file, name)) return FG_FAIL(st, FG_IO, "%s: there is no data set %s", h->path, name);
  *set = H5Dopen2(h->file, name, H5P_DEFAULT);
  if (*set < 0) return FG_FAIL(st, FG_IO, "%s: data set %s cannot be opened: %s", h->path, name, reason(why));
  if (numeric_shape(*set, rank, shape)) return FG_OK;
  H5Dclose(*set);
  *set = H5I_INVALID_HID;
  return FG_FAIL(st, FG_IO, "%s: data set %s is not an array of numbers of rank 0 to %d", h->path, name,
                 FG_H5_RANK_MAX);
}

/* Bytes of the array in memory. A shape that the file cannot fill is refused: deflate packs at most
 * 1032 to 1, and what was never written is no data. */
static fg_code claimed_bytes(fg_h5 *h, const char *name, hid_t set, const size_t shape[FG_H5_RANK_MAX],
                             size_t *bytes, fg_status *st)
{
  *bytes = 8;
  bool fits = true;
  for (int k = 0; k < FG_H5_RANK_MAX; ++k) fits = fits && fg_mul_fits(*bytes, shape[k], bytes);
  hsize_t stored = H5Dget_storage_size(set), file = 0;
  fits = fits && H5Fget_filesize(h->file, &file) >= 0 && stored <= file;
  if (fits && *bytes / 8 / 4096 <= stored && (stored || !*bytes)) return FG_OK;
  return FG_FAIL(
      st, FG_IO,
      "%s: data set %s claims the shape [%zu, %zu, ...] and %llu stored bytes, the file has %llu: it "
      "is damaged or was not filled",
      h->path, name, shape[0], shape[1], (unsigned long long)stored, (unsigned long long)file);
}

static fg_code read_array(fg_h5 *h, const char *name, hid_t memory, int *rank, size_t shape[FG_H5_RANK_MAX],
                          void **values, fg_status *st)
{
  char why[160];
  size_t bytes;
  hid_t set;
  *values = NULL;
  FG_TRY(open_set(h, name, &set, rank, shape, st));
  fg_code rc = claimed_bytes(h, name, set, shape, &bytes, st);
  if (rc == FG_OK && !fg_h5_chunks_whole(set))
    rc = FG_FAIL(st, FG_IO, "%s: a chunk of data set %s does not have the size that it should: damaged",
                 h->path, name);
  if (rc == FG_OK) {
    *values = malloc(bytes ? bytes : 1);
    if (!*values)
      rc = FG_FAIL(st, FG_MEMORY, "%s: no memory for data set %s, %zu bytes", h->path, name, bytes);
  }
  if (rc == FG_OK && bytes && H5Dread(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, *values) < 0)
    rc = FG_FAIL(st, FG_IO, "%s: data set %s cannot be read: %s", h->path, name, reason(why));
  H5Dclose(set);
  if (rc == FG_OK) return FG_OK;
  free(*values);
  *values = NULL;
  return rc;
}

bool fg_h5_has(fg_h5 *h, const char *name)
{
  quiet q = enter();
  bool has = is_dataset(h->file, name);
  leave(q);
  return has;
}

fg_code fg_h5_shape(fg_h5 *h, const char *name, int *rank, size_t shape[FG_H5_RANK_MAX], fg_status *st)
{
  hid_t set;
  quiet q = enter();
  fg_code rc = open_set(h, name, &set, rank, shape, st);
  if (set >= 0) H5Dclose(set);
  leave(q);
  return rc;
}

fg_code fg_h5_read_real(fg_h5 *h, const char *name, int *rank, size_t shape[FG_H5_RANK_MAX], double **values,
                        fg_status *st)
{
  void *read = NULL;
  quiet q = enter();
  fg_code rc = read_array(h, name, H5T_NATIVE_DOUBLE, rank, shape, &read, st);
  leave(q);
  *values = read;
  return rc;
}

fg_code fg_h5_read_integer(fg_h5 *h, const char *name, int *rank, size_t shape[FG_H5_RANK_MAX],
                           int64_t **values, fg_status *st)
{
  void *read = NULL;
  quiet q = enter();
  fg_code rc = read_array(h, name, H5T_NATIVE_INT64, rank, shape, &read, st);
  leave(q);
  *values = read;
  return rc;
}

bool fg_h5_has_text(fg_h5 *h, const char *attribute)
{
  quiet q = enter();
  bool has = H5Aexists(h->file, attribute) > 0;
  leave(q);
  return has;
}

/* Text of fixed length; attributes of variable length are not written by flowgap. */
static fg_code read_text(fg_h5 *h, const char *attribute, char **text, fg_status *st)
{
  hid_t found =
      H5Aexists(h->file, attribute) > 0 ? H5Aopen(h->file, attribute, H5P_DEFAULT) : H5I_INVALID_HID;
  if (found < 0) return FG_FAIL(st, FG_IO, "%s: there is no attribute %s", h->path, attribute);
  hid_t type = H5Aget_type(found);
  hid_t space = H5Aget_space(found);
  bool good = type >= 0 && space >= 0 && H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 &&
              H5Sget_simple_extent_npoints(space) == 1;
  size_t size = good ? H5Tget_size(type) : 0;
  *text = size && size < 1 << 24 ? calloc(size + 1, 1) : NULL;
  fg_code rc = FG_OK;
  if (!*text || H5Aread(found, type, *text) < 0) {
    rc =
        FG_FAIL(st, FG_IO, "%s: attribute %s is not text of fixed length, or is damaged", h->path, attribute);
    free(*text);
    *text = NULL;
  }
  if (space >= 0) H5Sclose(space);
  if (type >= 0) H5Tclose(type);
  H5Aclose(found);
  return rc;
}

fg_code fg_h5_read_text(fg_h5 *h, const char *attribute, char **text, fg_status *st)
{
  *text = NULL;
  quiet q = enter();
  fg_code rc = read_text(h, attribute, text, st);
  leave(q);
  return rc;
}

/* ---- listing ----------------------------------------------------------------------------- */

typedef struct list {
  fg_h5_entry *entry;
  size_t count, room;
  bool full; /* no memory */
} list;

static herr_t visit(hid_t file, const char *name, const H5O_info_t *info, void *user)
{
  list *all = user;
  if (info->type != H5O_TYPE_DATASET) return 0;
  fg_h5_entry entry = {0};
  hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
  bool numbers = set >= 0 && numeric_shape(set, &entry.rank, entry.shape);
  if (set >= 0) H5Dclose(set);
  if (!numbers) return 0;
  if (all->count == all->room) {
    size_t room = all->room ? 2 * all->room : 16;
    fg_h5_entry *grown = realloc(all->entry, room * sizeof *grown);
    if (grown) {
      all->entry = grown;
      all->room = room;
    }
  }
  entry.name = all->count < all->room ? strdup(name) : NULL;
  all->full = !entry.name;
  if (entry.name) all->entry[all->count++] = entry;
  return all->full ? -1 : 0;
}

fg_code fg_h5_list(fg_h5 *h, fg_h5_entry **entries, size_t *count, fg_status *st)
{
  char why[160];
  list all = {0};
  quiet q = enter();
  herr_t got = H5Ovisit2(h->file, H5_INDEX_NAME, H5_ITER_INC, visit, &all, H5O_INFO_BASIC);
  fg_code rc = FG_OK;
  if (all.full)
    rc = FG_FAIL(st, FG_MEMORY, "%s: no memory for the list of its data sets", h->path);
  else if (got < 0)
    rc = FG_FAIL(st, FG_IO, "%s: its contents cannot be listed: %s", h->path, reason(why));
  leave(q);
  if (rc != FG_OK) fg_h5_list_free(&all.entry, all.count);
  *entries = all.entry;
  *count = rc == FG_OK ? all.count : 0;
  return rc;
}

void fg_h5_list_free(fg_h5_entry **entries, size_t count)
{
  for (size_t k = 0; *entries && k < count; ++k) free((*entries)[k].name);
  free(*entries);
  *entries = NULL;
}
