/* needs: model */
/* Damaged files. Every file of tests/fuzz/corpus/ is read as it is and after hundreds of small changes: bits,
 * bytes, numbers, cuts, repeats. A reader may refuse, naming the file, or deliver finite values; it may not
 * crash, leak, print, or take memory for sizes that the file cannot hold. The changes depend on the seed alone. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <hdf5.h>

#include "base/file.h"
#include "base/safetensors.h"
#include "flowgap/flowgap.h"
#include "support/scratch.h"

#define CORPUS FG_SOURCE_DIR "/tests/fuzz/corpus"

#ifdef __SANITIZE_ADDRESS__
/* Inside HDF5 1.10: sizes from a damaged file go to malloc, which refuses them, and some memory is lost. The
 * sanitizers' runtime looks these up by name, so they must not be hidden. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__asan_default_options(void)
{
  return "allocator_may_return_null=1";
}
const char *__lsan_default_suppressions(void)
{
  return "leak:libhdf5";
}
#endif

typedef fg_code reader(const char *path, fg_status *st);

static fg_engine *engine;
static fg_process *process;
static uint64_t random_state;

/* splitmix64 (Steele, Lea, Flood 2014) */
static uint64_t next(void)
{
  uint64_t z = random_state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

static size_t below(size_t count)
{
  return count ? (size_t)(next() % count) : 0;
}

/* ---- readers --------------------------------------------------------------------------------- */

static fg_code read_samples(const char *path, fg_status *st)
{
  fg_samples s;
  fg_code rc = fg_samples_read(path, NULL, &s, st);
  if (rc != FG_OK) return rc;
  assert_true(s.n && s.d && s.x);
  for (size_t k = 0; k < s.n * s.d; ++k) assert_true(isfinite(s.x[k]));
  for (size_t i = 0; s.weights && i < s.n; ++i) assert_true(s.weights[i] >= 0);
  fg_samples_clear(&s);
  return rc;
}

/* Some columns and weights, which most changed files no longer have. */
static fg_code read_chosen(const char *path, fg_status *st)
{
  fg_samples s;
  fg_code rc =
      fg_samples_read_chosen(path, &(fg_samples_choice){.columns = "2-3, 1", .weights = "2"}, &s, st);
  if (rc == FG_OK) assert_true(s.n && s.d == 3 && s.weights);
  if (rc == FG_OK) fg_samples_clear(&s);
  return rc;
}

static fg_code read_tensors(const char *path, fg_status *st)
{
  fg_tensors tensors;
  double values[256];
  fg_code rc = fg_safetensors_read(path, &tensors, st);
  if (rc != FG_OK) return rc;
  for (size_t k = 0; k < tensors.count; ++k)
    if (fg_tensor_is_real(&tensors.tensor[k]) && tensors.tensor[k].count <= 256)
      fg_tensor_decode(&tensors.tensor[k], values);
  fg_tensors_clear(&tensors);
  return rc;
}

static fg_code read_model(const char *path, fg_status *st)
{
  fg_settings *settings;
  fg_model *model;
  char assignment[300];
  const double x[128] = {0.5, -0.25}, t = 1;
  double score[128];
  assert_int_equal(fg_settings_create(&settings, st), FG_OK);
  snprintf(assignment, sizeof assignment, "model.file=%s", path);
  assert_int_equal(fg_settings_assign(settings, assignment, st), FG_OK);
  fg_code rc = fg_model_from_settings(engine, settings, NULL, process, &model, st);
  fg_settings_destroy(&settings);
  if (rc != FG_OK) return rc;
  size_t d = fg_model_dimension(model);
  fg_evaluation out = {.score = score};
  /* finite weights may still overflow; then evaluate says so */
  if (d <= 128) rc = fg_model_evaluate(model, FG_DOUBLE, 1, &t, 1, x, &out, st);
  assert_true(rc == FG_OK || rc == FG_NUMERICS);
  fg_model_destroy(&model);
  return FG_OK;
}

/* ---- changes ----------------------------------------------------------------------------------- */

static const char *const numbers[] = {
    "0",   "1",    "-1",   "3",     "255",  "4294967296",          "9223372036854775807",
    "nan", "1e99", "-inf", "1e999", "0x10", "18446744073709551616"};

/* Put other text in place of a run of digits. */
static size_t change_number(unsigned char *bytes, size_t size)
{
  size_t at = below(size), end;
  while (at < size && (bytes[at] < '0' || bytes[at] > '9')) ++at;
  for (end = at; end < size && bytes[end] >= '0' && bytes[end] <= '9';) ++end;
  if (at == end) return size;
  const char *number = numbers[below(sizeof numbers / sizeof *numbers)];
  size_t length = strlen(number);
  memmove(bytes + at + length, bytes + end, size - end);
  memcpy(bytes + at, number, length);
  return size + length - (end - at);
}

static size_t change(unsigned char *bytes, size_t size)
{
  static const unsigned char edges[] = {0, 1, 0x7f, 0x80, 0xff, '"', ',', '\n', '{', ']'};
  size_t at = below(size), length = 1 + below(16);
  if (!size) return 0;
  switch (below(7)) {
  case 0:
    bytes[at] ^= (unsigned char)(1 << below(8));
    return size;
  case 1:
    bytes[at] = edges[below(sizeof edges)];
    return size;
  case 2:
    bytes[at] = (unsigned char)next();
    return size;
  case 3:
    return below(4) ? size : at; /* cut */
  case 4:
    return change_number(bytes, size);
  case 5: /* repeat a few bytes */
    if (length > size - at) length = size - at;
    memmove(bytes + at + length, bytes + at, size - at);
    return size + length;
  default: /* drop a few bytes */
    if (length > size - at) length = size - at;
    memmove(bytes + at, bytes + at + length, size - at - length);
    return size - length;
  }
}

static void read_one(reader *read, const char *path)
{
  fg_status st = {0};
  fg_code rc = read(path, &st);
  if (rc == FG_OK) return;
  if (rc != FG_IO && rc != FG_USAGE) fail_msg("%s: code %d, %s", path, rc, st.message);
  if (!strstr(st.message, path)) fail_msg("the message does not name the file: %s", st.message);
}

/* Changed copies of one file; `count` of them. */
static void fuzz_file(reader *read, const char *source, int count)
{
  unsigned char *bytes, *copy;
  size_t size;
  fg_status st;
  assert_int_equal(fg_file_read(source, &bytes, &size, &st), FG_OK);
  copy = malloc(size + 512);
  assert_non_null(copy);
  read_one(read, source);
  for (int k = 0; k < count; ++k) {
    memcpy(copy, bytes, size);
    size_t now = size;
    for (size_t changes = 1 + below(4); changes; --changes) now = change(copy, now);
    read_one(read, scratch_bytes("changed", copy, now));
  }
  free(copy);
  free(bytes);
}

static void fuzz_folder(reader *read, const char *folder, int count)
{
  char path[512];
  struct dirent **files;
  random_state = 20240601;
  int found = scandir(folder, &files, NULL, alphasort), seeds = 0;
  for (int k = 0; k < found; ++k) {
    snprintf(path, sizeof path, "%s/%s", folder, files[k]->d_name);
    if (files[k]->d_name[0] != '.') {
      fuzz_file(read, path, count);
      ++seeds;
    }
    free(files[k]);
  }
  free(files);
  assert_true(seeds >= 2);
}

static void test_safetensors(void **state)
{
  (void)state;
  fuzz_folder(read_tensors, CORPUS "/safetensors", 800);
}

static void test_npy(void **state)
{
  (void)state;
  fuzz_folder(read_samples, CORPUS "/npy", 600);
}

static void test_npz(void **state)
{
  (void)state;
  fuzz_folder(read_samples, CORPUS "/npz", 600);
}

static void test_csv(void **state)
{
  (void)state;
  fuzz_folder(read_samples, CORPUS "/csv", 600);
  fuzz_folder(read_chosen, CORPUS "/csv", 300);
}

static void test_h5(void **state)
{
  (void)state;
  fuzz_folder(read_samples, CORPUS "/h5", 300);
}

/* Networks: the same tensors through the import, and a checkpoint. */
static void test_networks(void **state)
{
  (void)state;
  fg_settings *settings;
  fg_model *model;
  fg_status st;
  fuzz_folder(read_model, CORPUS "/safetensors", 200);
  assert_int_equal(fg_settings_create(&settings, &st), FG_OK);
  assert_int_equal(fg_settings_assign(settings, "model.file=" CORPUS "/safetensors/network.safetensors", &st),
                   FG_OK);
  assert_int_equal(fg_model_from_settings(engine, settings, NULL, process, &model, &st), FG_OK);
  assert_int_equal(fg_model_save(model, scratch("seed.h5"), &st), FG_OK);
  fg_model_destroy(&model);
  fg_settings_destroy(&settings);
  fuzz_file(read_model, scratch("seed.h5"), 300);
}

static int open_all(void **state)
{
  fg_status st;
  fg_process_settings ou;
  fg_process_defaults(FG_PROCESS_OU, &ou);
  /* HDF5 1.10 leaks its own memory over some damaged files and complains of it at exit */
  if (H5dont_atexit() < 0) return -1;
  return scratch_make(state) || fg_engine_open("cpu", 1, &engine, &st) != FG_OK ||
         fg_process_create(&ou, &process, &st) != FG_OK;
}

static int close_all(void **state)
{
  fg_engine_close(&engine);
  fg_process_destroy(&process);
  return scratch_remove(state);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_safetensors), cmocka_unit_test(test_npy), cmocka_unit_test(test_npz),
      cmocka_unit_test(test_csv),         cmocka_unit_test(test_h5),  cmocka_unit_test(test_networks),
  };
  return cmocka_run_group_tests(tests, open_all, close_all);
}
