/* needs: base */
/* Whole numbers, halves, NPZ; which columns are coordinates and where weights come from. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hdf5.h"
#include "base/npy.h"
#include "flowgap/base.h"
#include "support/scratch.h"

#define CORPUS FG_SOURCE_DIR "/tests/fuzz/corpus/"

static fg_samples take(const char *path, const char *dataset, const char *columns, const char *weights)
{
  fg_samples s;
  fg_status st = {0};
  fg_samples_choice choice = {dataset, columns, weights};
  if (fg_samples_read_chosen(path, &choice, &s, &st) != FG_OK) fail_msg("%s", st.message);
  return s;
}

static void refuse(const char *path, const char *columns, const char *weights, fg_code code, const char *text)
{
  fg_samples s;
  fg_status st = {0};
  fg_samples_choice choice = {NULL, columns, weights};
  assert_int_equal(fg_samples_read_chosen(path, &choice, &s, &st), code);
  if (!strstr(st.message, text)) fail_msg("\"%s\" is not in \"%s\"", text, st.message);
  assert_true(!s.x && !s.weights && !s.n);
}

static void expect(fg_samples s, size_t n, size_t d, const double *x, const double *weights)
{
  assert_int_equal(s.n, n);
  assert_int_equal(s.d, d);
  assert_memory_equal(s.x, x, n * d * sizeof *x);
  assert_int_equal(s.weights != NULL, weights != NULL);
  if (weights) assert_memory_equal(s.weights, weights, n * sizeof *weights);
  fg_samples_clear(&s);
}

/* ---- NPY kinds ------------------------------------------------------------------------------------ */

/* A header of version 1 with this type and shape, and the entries. */
static const char *npy(const char *name, const char *type, const char *shape, const void *entries,
                       size_t bytes)
{
  unsigned char file[1024];
  char text[200];
  int length =
      snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': %s}", type, shape);
  memcpy(file, "\x93NUMPY\x01", 7);
  file[7] = 0;
  file[8] = (unsigned char)length;
  file[9] = 0;
  memcpy(file + 10, text, (size_t)length);
  memcpy(file + 10 + length, entries, bytes);
  return scratch_bytes(name, file, 10 + (size_t)length + bytes);
}

static void test_whole_numbers(void **state)
{
  (void)state;
  const int8_t i1[4] = {-128, -1, 0, 127};
  const uint8_t u1[4] = {0, 1, 128, 255};
  const int16_t i2[4] = {-32768, -2, 3, 32767};
  const int64_t i8[4] = {-(INT64_C(1) << 53), -1, 0, INT64_C(1) << 53}, big[4] = {1, 2, INT64_MIN, 4};
  const uint64_t u8 = (UINT64_C(1) << 53) + 1;
  expect(take(npy("a", "|i1", "(2, 2)", i1, 4), NULL, NULL, NULL), 2, 2, (double[]){-128, -1, 0, 127}, NULL);
  expect(take(npy("b", "|u1", "(4,)", u1, 4), NULL, NULL, NULL), 4, 1, (double[]){0, 1, 128, 255}, NULL);
  expect(take(npy("c", "<i2", "(1, 4)", i2, 8), NULL, NULL, NULL), 1, 4, (double[]){-32768, -2, 3, 32767},
         NULL);
  expect(take(npy("d", "<i8", "(2, 2)", i8, 32), NULL, NULL, NULL), 2, 2,
         (double[]){-9007199254740992, -1, 0, 9007199254740992}, NULL);
  expect(take(npy("e", "|b1", "(2, 2)", (uint8_t[]){1, 0, 0, 1}, 4), NULL, NULL, NULL), 2, 2,
         (double[]){1, 0, 0, 1}, NULL);
  expect(take(CORPUS "npy/whole.npy", NULL, NULL, NULL), 4, 2, (double[]){-3, -2, -1, 0, 1, 2, 3, 4}, NULL);
  refuse(npy("f", "<i8", "(2, 2)", big, 32), NULL, NULL, FG_IO, "row 2, column 1 is beyond 2^53");
  refuse(npy("g", "<u8", "(1,)", &u8, 8), NULL, NULL, FG_IO, "row 1, column 1 is beyond 2^53");
}

/* 1, -2, the largest, the smallest normal and the smallest half; infinity and NaN are refused. */
static void test_halves(void **state)
{
  (void)state;
  const uint16_t half[5] = {0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001}, bad[2] = {0x3c00, 0x7c00}, nan = 0x7e01;
  expect(take(npy("a", "<f2", "(5,)", half, 10), NULL, NULL, NULL), 5, 1,
         (double[]){1, -2, 65504, 0x1p-14, 0x1p-24}, NULL);
  refuse(npy("b", "<f2", "(1, 2)", bad, 4), NULL, NULL, FG_IO, "row 1, column 2 is not finite (inf)");
  refuse(npy("c", "<f2", "(1,)", &nan, 2), NULL, NULL, FG_IO, "not finite");
}

/* ---- NPZ ------------------------------------------------------------------------------------------ */

/* NumPy wrote the same x to all of them. */
static void test_npz(void **state)
{
  (void)state;
  fg_samples plain = take(CORPUS "npy/plain.npy", NULL, NULL, NULL), packed;
  const double w[4] = {1, 2, 3, 4};
  expect(take(CORPUS "npz/stored.npz", NULL, NULL, NULL), 4, 2, plain.x, w);
  expect(take(CORPUS "npz/stored.npz", "x", NULL, "none"), 4, 2, plain.x, NULL);
  expect(take(CORPUS "npz/stored.npz", "weights", NULL, "none"), 4, 1, w, NULL);
  packed = take(CORPUS "npz/packed.npz", NULL, NULL, NULL);
  for (size_t i = 0; i < 4; ++i) assert_true(packed.log_density[i] == plain.x[2 * i]);
  expect(packed, 4, 2, plain.x, NULL);
  const double second[4] = {plain.x[1], plain.x[3], plain.x[5], plain.x[7]};
  expect(take(CORPUS "npz/stored.npz", NULL, "2", "weights"), 4, 1, second, w);
  fg_samples_clear(&plain);
}

static void test_npz_failures(void **state)
{
  (void)state;
  fg_samples s;
  fg_status st;
  unsigned char bytes[4096];
  FILE *stream = fopen(CORPUS "npz/stored.npz", "rb");
  assert_non_null(stream);
  size_t size = fread(bytes, 1, sizeof bytes, stream);
  fclose(stream);
  assert_int_equal(fg_samples_read(CORPUS "npz/stored.npz", "y", &s, &st), FG_IO);
  assert_non_null(strstr(st.message, "there is no array y; it holds: x, weights"));
  refuse(scratch_bytes("cut.npz", bytes, size - 30), NULL, NULL, FG_IO, "its end is missing");
  bytes[200] ^= 1; /* in the entries of x */
  refuse(scratch_bytes("bit.npz", bytes, size), NULL, NULL, FG_IO, "the checksum of a member is wrong");
  refuse(scratch_bytes("zip", "PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22), NULL, NULL, FG_IO,
         "a ZIP archive without NumPy arrays");
}

/* ---- columns and weights -------------------------------------------------------------------------- */

static const char people[] = "name,x,\"y, second\",weight,z\n\"Doe, J\",1,2,0.25,NA\nb,3,4,0.75,oops\n";

static void test_columns(void **state)
{
  (void)state;
  const double xy[4] = {1, 2, 3, 4}, yx[4] = {2, 1, 4, 3}, w[2] = {0.25, 0.75}, x[2] = {1, 3};
  const char *path = scratch_text("people.csv", people);
  expect(take(path, NULL, "x,3", NULL), 2, 2, xy, w);
  expect(take(path, NULL, "2-3", NULL), 2, 2, xy, w);
  expect(take(path, NULL, " 3 , x ", "none"), 2, 2, yx, NULL);
  expect(take(path, NULL, "x", "3"), 2, 1, x, (double[]){2, 4});
  refuse(path, NULL, NULL, FG_IO, "column 1: \"Doe, J\" is not a number");
  refuse(path, "x,z", NULL, FG_IO, "line 2 (row 1), column 5: \"NA\" is not a number: a missing value");
  refuse(path, "x,q", NULL, FG_USAGE, "there is no column q; it has: name, x, y, second, weight, z");
  refuse(path, "x,9", NULL, FG_USAGE, "there is no column 9");
  refuse(path, "3-2", NULL, FG_USAGE, "there is no column 3-2");
  refuse(path, "x,", NULL, FG_USAGE, "there is no column ;");
  refuse(path, "x,2", NULL, FG_USAGE, "column 2 is chosen twice");
  refuse(path, "x", "mass", FG_USAGE, "there is no column mass for weights, nor a file of that name");
  refuse(scratch_text("comma.csv", "1,5;2,5\n"), NULL, NULL, FG_IO, "decimals need a point");
  expect(take(scratch_text("plain.csv", "1,9,2\n3,9,4\n"), NULL, "1,3", "2"), 2, 2, xy, (double[]){9, 9});
  expect(take(scratch_text("w.csv", "x,weights\n1,0.25\n3,0.75\n"), NULL, NULL, NULL), 2, 1, x, w);
}

static void test_weights(void **state)
{
  (void)state;
  const double x[6] = {1, 2, 3, 4, 5, 6}, xy[4] = {1, 2, 4, 5}, w[2] = {3, 6}, own[2] = {0.5, 1.5};
  const char *matrix = scratch("m.npy"), *column = scratch("w.npy"), *odd = scratch("odd.npy");
  fg_status st;
  assert_int_equal(fg_npy_write(matrix, 2, 3, x, &st), FG_OK);
  assert_int_equal(fg_npy_write(column, 2, 1, own, &st), FG_OK);
  assert_int_equal(fg_npy_write(odd, 3, 1, x, &st), FG_OK);
  expect(take(matrix, NULL, NULL, "3"), 2, 2, xy, w);
  expect(take(matrix, NULL, "2", "3"), 2, 1, (double[]){2, 5}, w);
  expect(take(matrix, NULL, NULL, column), 2, 3, x, own);
  expect(take(matrix, NULL, NULL, scratch_text("w.txt", "0.5\n1.5\n")), 2, 3, x, own);
  expect(take(scratch_text("x.csv", "x,y\n1,2\n4,5\n"), NULL, NULL, column), 2, 2, xy, own);
  refuse(matrix, NULL, odd, FG_IO, "it has 3 x 1 numbers");
  refuse(matrix, NULL, "4", FG_USAGE, "there are no weights 4: give the number of a column (1 to 3)");
  refuse(matrix, "2,4", NULL, FG_USAGE,
         "there is no column 4; it has: no names, columns are chosen by number, 1 to 3");
}

/* A data set beside the one that is read, or one named in full; a column that holds NaN may be left out. */
static void test_h5_weights(void **state)
{
  (void)state;
  const double x[4] = {1, NAN, 3, NAN}, w[2] = {0.25, 0.75}, v[2] = {2, 1};
  const size_t shape[2] = {2, 2};
  const char *path = scratch("a.h5");
  fg_h5 *file;
  fg_status st;
  assert_int_equal(fg_h5_create(path, &file, &st), FG_OK);
  assert_int_equal(fg_h5_write_real(file, "run/x", 2, shape, x, &st), FG_OK);
  assert_int_equal(fg_h5_write_real(file, "run/mass", 1, shape, w, &st), FG_OK);
  assert_int_equal(fg_h5_write_real(file, "other", 1, shape, v, &st), FG_OK);
  assert_int_equal(fg_h5_commit(&file, &st), FG_OK);
  expect(take(path, "run/x", "1", "mass"), 2, 1, (double[]){1, 3}, w);
  expect(take(path, "run/x", "1", "run/mass"), 2, 1, (double[]){1, 3}, w);
  expect(take(path, "run/x", "1", "other"), 2, 1, (double[]){1, 3}, v);
  refuse(path, NULL, NULL, FG_IO, "row 1, column 2 is not finite (nan)");
  refuse(path, "1", "nothing", FG_USAGE, "there are no weights nothing");
}

static void test_foreign(void **state)
{
  (void)state;
  refuse(scratch_text("a.parquet", "PAR1 and so on"), NULL, NULL, FG_IO, "read_parquet('IN.parquet').to_csv");
  refuse(scratch_text("a.feather", "ARROW1  "), NULL, NULL, FG_IO, "read_feather");
  refuse(scratch_text("a.mat", "MATLAB 5.0 MAT-file"), NULL, NULL, FG_IO, "loadmat");
  refuse(scratch_bytes("a.gz", "\x1f\x8b\x08\0\0\0\0\0", 8), NULL, NULL, FG_IO, "gunzip");
  refuse(scratch_bytes("a.pkl", "\x80\x04\x95\0\0\0\0\0", 8), NULL, NULL, FG_IO, "numpy.save");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_whole_numbers), cmocka_unit_test(test_halves),  cmocka_unit_test(test_npz),
      cmocka_unit_test(test_npz_failures),  cmocka_unit_test(test_columns), cmocka_unit_test(test_weights),
      cmocka_unit_test(test_h5_weights),    cmocka_unit_test(test_foreign),
  };
  return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
