/* needs: base */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/hdf5.h"
#include "flowgap/base.h"
#include "support/scratch.h"

static void expect_content(const char *path, const char *text)
{
  unsigned char *bytes;
  size_t size;
  fg_status st;
  assert_int_equal(fg_file_read(path, &bytes, &size, &st), FG_OK);
  assert_int_equal(size, strlen(text));
  assert_string_equal((char *)bytes, text);
  free(bytes);
}

static void test_write_and_read(void **state)
{
  (void)state;
  fg_status st;
  const char *path = scratch("a.txt");
  int before = scratch_count();
  assert_int_equal(fg_file_write(path, "one", 3, &st), FG_OK);
  expect_content(path, "one");
  assert_int_equal(fg_file_write(path, "two!", 4, &st), FG_OK);
  expect_content(path, "two!");
  assert_int_equal(fg_file_write(path, "", 0, &st), FG_OK);
  expect_content(path, "");
  assert_int_equal(scratch_count(), before + 1);
}

/* Nothing shows before commit, nothing stays after discard. */
static void test_discard(void **state)
{
  (void)state;
  fg_status st;
  fg_file *file;
  const char *path = scratch("kept.txt");
  assert_int_equal(fg_file_write(path, "kept", 4, &st), FG_OK);
  int before = scratch_count();
  assert_int_equal(fg_file_begin(path, &file, &st), FG_OK);
  assert_int_equal(fg_file_put(file, "lost", 4, &st), FG_OK);
  expect_content(path, "kept");
  fg_file_discard(&file);
  assert_null(file);
  fg_file_discard(&file);
  fg_file_discard(NULL);
  expect_content(path, "kept");
  assert_int_equal(scratch_count(), before);
}

static void test_link_and_mode(void **state)
{
  (void)state;
  fg_status st;
  struct stat info;
  const char *path = scratch("real.txt"), *link_path = scratch("link.txt");
  assert_int_equal(fg_file_write(path, "1", 1, &st), FG_OK);
  assert_int_equal(chmod(path, 0640), 0);
  assert_int_equal(symlink(path, link_path), 0);
  assert_int_equal(fg_file_write(link_path, "22", 2, &st), FG_OK);
  expect_content(path, "22");
  assert_int_equal(lstat(link_path, &info), 0);
  assert_true(S_ISLNK(info.st_mode));
  assert_int_equal(stat(path, &info), 0);
  assert_int_equal(info.st_mode & 07777, 0640);
}

static void test_bad_paths(void **state)
{
  (void)state;
  fg_status st;
  unsigned char *bytes;
  size_t size;
  assert_int_equal(fg_file_read(scratch("none"), &bytes, &size, &st), FG_IO);
  assert_non_null(strstr(st.message, "/none: cannot read it: No such file or directory"));
  assert_int_equal(fg_file_read(scratch_folder, &bytes, &size, &st), FG_IO);
  assert_non_null(strstr(st.message, "it is a folder"));
  assert_int_equal(fg_file_write(scratch_folder, "x", 1, &st), FG_IO);
  assert_non_null(strstr(st.message, "it is a folder, give a file name"));
  assert_int_equal(fg_file_write(scratch("none/x"), "x", 1, &st), FG_IO);
  assert_non_null(strstr(st.message, "/none/x: cannot write it: No such file or directory"));
  const char *plain = scratch_text("plain", "");
  char below[300];
  snprintf(below, sizeof below, "%s/x", plain);
  assert_int_equal(fg_file_write(below, "x", 1, &st), FG_IO);
  assert_non_null(strstr(st.message, "Not a directory"));
  assert_int_equal(fg_file_write(scratch("none/x"), "x", 1, NULL), FG_IO); /* status may be NULL */
}

/* A device is written in place; /dev/full refuses every byte, as a full disk does. */
static void test_full_device(void **state)
{
  (void)state;
  fg_status st;
  if (access("/dev/full", W_OK)) skip();
  assert_int_equal(fg_file_write("/dev/full", "x", 1, &st), FG_IO);
  assert_string_equal(st.message, "/dev/full: writing failed: No space left on device");
  assert_int_equal(fg_file_write("/dev/null", "x", 1, &st), FG_OK);
}

/* A file size limit stands for a full disk on a regular file: each writer must report it, keep the
 * previous file and remove its temporary one. */
static void test_full_disk(void **state)
{
  (void)state;
  const char *names[] = {"full.h5", "full.npy", "full.csv"};
  double x[4000] = {0}, one = 1;
  fg_samples small = {.n = 1, .d = 1, .x = &one}, large = {.n = 2000, .d = 2, .x = x}, back;
  fg_status st;
  struct rlimit before, tight;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, SIG_IGN);
  for (size_t k = 0; k < 3; ++k) {
    const char *path = scratch(names[k]);
    assert_int_equal(fg_samples_write(path, &small, &st), FG_OK);
    int files = scratch_count();
    tight = before;
    tight.rlim_cur = 4096;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    fg_code rc = fg_samples_write(path, &large, &st);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(rc, FG_IO);
    assert_non_null(strstr(st.message, names[k]));
    assert_non_null(strstr(st.message, "writing failed: File too large"));
    assert_int_equal(scratch_count(), files);
    assert_int_equal(fg_samples_read(path, NULL, &back, &st), FG_OK);
    assert_int_equal(back.n, 1);
    assert_true(back.x[0] == 1);
    fg_samples_clear(&back);
  }
}

static void test_h5_round_trip(void **state)
{
  (void)state;
  fg_status st;
  fg_h5 *file;
  double x[6] = {1, -0.0, 3.5, 1e-310, 5, 6}, *back = NULL;
  int64_t counts[2] = {INT64_MIN, 7}, *integers = NULL;
  size_t shape[FG_H5_RANK_MAX] = {3, 2}, two = 2, count;
  int rank;
  char *text;
  fg_h5_entry *entries;
  assert_int_equal(fg_h5_create(scratch("many.h5"), &file, &st), FG_OK);
  assert_int_equal(fg_h5_write_real(file, "ode/x", 2, shape, x, &st), FG_OK);
  assert_int_equal(fg_h5_write_real(file, "beta", 0, NULL, x + 2, &st), FG_OK);
  assert_int_equal(fg_h5_write_integer(file, "sde/lost", 1, &two, counts, &st), FG_OK);
  assert_int_equal(fg_h5_write_text(file, "config", "seed: 1\n", &st), FG_OK);
  assert_int_equal(fg_h5_write_text(file, "empty", "", &st), FG_OK);
  assert_int_equal(fg_h5_write_real(file, "beta", 0, NULL, x, &st), FG_IO); /* name taken */
  assert_int_equal(access(scratch("many.h5"), F_OK), -1);
  assert_int_equal(fg_h5_commit(&file, &st), FG_OK);
  assert_null(file);

  assert_int_equal(fg_h5_open(scratch("many.h5"), &file, &st), FG_OK);
  assert_true(fg_h5_has(file, "ode/x") && fg_h5_has(file, "beta") && !fg_h5_has(file, "ode"));
  assert_true(!fg_h5_has(file, "none") && !fg_h5_has(file, "none/x") && !fg_h5_has(file, ""));
  assert_int_equal(fg_h5_read_real(file, "ode/x", &rank, shape, &back, &st), FG_OK);
  assert_int_equal(rank, 2);
  assert_true(shape[0] == 3 && shape[1] == 2 && shape[2] == 1);
  assert_memory_equal(back, x, sizeof x); /* the same bits, -0 and subnormals too */
  free(back);
  assert_int_equal(fg_h5_read_real(file, "beta", &rank, shape, &back, &st), FG_OK);
  assert_int_equal(rank, 0);
  assert_true(back[0] == 3.5);
  free(back);
  assert_int_equal(fg_h5_read_integer(file, "sde/lost", &rank, shape, &integers, &st), FG_OK);
  assert_memory_equal(integers, counts, sizeof counts);
  free(integers);
  assert_int_equal(fg_h5_read_text(file, "config", &text, &st), FG_OK);
  assert_string_equal(text, "seed: 1\n");
  free(text);
  assert_int_equal(fg_h5_read_text(file, "empty", &text, &st), FG_OK);
  assert_string_equal(text, "");
  free(text);
  assert_int_equal(fg_h5_read_text(file, "none", &text, &st), FG_IO);
  assert_int_equal(fg_h5_read_real(file, "none", &rank, shape, &back, &st), FG_IO);
  assert_non_null(strstr(st.message, "there is no data set none"));
  assert_int_equal(fg_h5_list(file, &entries, &count, &st), FG_OK);
  assert_int_equal(count, 3);
  assert_string_equal(entries[0].name, "beta");
  assert_string_equal(entries[1].name, "ode/x");
  assert_string_equal(entries[2].name, "sde/lost");
  fg_h5_list_free(&entries, count);
  fg_h5_close(&file);
  fg_h5_close(&file);
  fg_h5_close(NULL);
}

/* The same content gives the same bytes: no time stamps. */
static void test_h5_repeats(void **state)
{
  (void)state;
  fg_status st;
  double x[4] = {1, 2, 3, 4};
  fg_samples s = {.n = 2, .d = 2, .x = x};
  unsigned char *a, *b;
  size_t na, nb;
  assert_int_equal(fg_samples_write(scratch("r1.h5"), &s, &st), FG_OK);
  sleep(1);
  assert_int_equal(fg_samples_write(scratch("r2.h5"), &s, &st), FG_OK);
  assert_int_equal(fg_file_read(scratch("r1.h5"), &a, &na, &st), FG_OK);
  assert_int_equal(fg_file_read(scratch("r2.h5"), &b, &nb, &st), FG_OK);
  assert_int_equal(na, nb);
  assert_memory_equal(a, b, na);
  free(a);
  free(b);
}

typedef struct shared {
  fg_code rc[16];
} shared;

static void h5_task(void *argument, size_t task, int worker)
{
  shared *s = argument;
  double x[2] = {(double)task, 1}, *back = NULL;
  size_t shape[FG_H5_RANK_MAX] = {1, 2};
  int rank;
  fg_h5 *file = NULL;
  (void)worker;
  char path[128];
  snprintf(path, sizeof path, "%s/t%zu.h5", scratch_folder, task);
  fg_code rc = fg_h5_create(path, &file, NULL);
  if (rc == FG_OK) rc = fg_h5_write_real(file, "x", 2, shape, x, NULL);
  if (rc == FG_OK) rc = fg_h5_commit(&file, NULL);
  if (rc == FG_OK) rc = fg_h5_open(path, &file, NULL);
  if (rc == FG_OK) rc = fg_h5_read_real(file, "x", &rank, shape, &back, NULL);
  if (rc == FG_OK && back[0] != (double)task) rc = FG_FAILED;
  free(back);
  fg_h5_close(&file);
  s->rc[task] = rc;
}

static void test_h5_threads(void **state)
{
  (void)state;
  fg_threads *pool;
  fg_status st;
  shared s;
  assert_int_equal(fg_threads_create(4, &pool, &st), FG_OK);
  fg_threads_run(pool, 16, h5_task, &s);
  fg_threads_destroy(&pool);
  for (int k = 0; k < 16; ++k) assert_int_equal(s.rc[k], FG_OK);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_write_and_read), cmocka_unit_test(test_discard),
      cmocka_unit_test(test_link_and_mode),  cmocka_unit_test(test_bad_paths),
      cmocka_unit_test(test_full_device),    cmocka_unit_test(test_full_disk),
      cmocka_unit_test(test_h5_round_trip),  cmocka_unit_test(test_h5_repeats),
      cmocka_unit_test(test_h5_threads),
  };
  return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
