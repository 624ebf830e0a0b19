/* needs: base */
#include <locale.h>
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

static void expect_failure(const char *path, fg_code code, const char *text)
{
  fg_samples s;
  fg_status st = {0};
  assert_int_equal(fg_samples_read(path, NULL, &s, &st), code);
  assert_non_null(strstr(st.message, path)); /* every message names the file */
  if (!strstr(st.message, text)) fail_msg("\"%s\" is not in \"%s\"", text, st.message);
  assert_true(!s.x && !s.weights && !s.n && !s.d);
}

static void expect_samples(const char *path, size_t n, size_t d, const double *x, const double *weights)
{
  fg_samples s;
  fg_status st = {0};
  if (fg_samples_read(path, NULL, &s, &st) != FG_OK) fail_msg("%s", st.message);
  assert_int_equal(s.n, n);
  assert_int_equal(s.d, d);
  assert_memory_equal(s.x, x, n * d * sizeof(double));
  assert_int_equal(s.weights != NULL, weights != NULL);
  if (weights) assert_memory_equal(s.weights, weights, n * sizeof(double));
  fg_samples_clear(&s);
  assert_null(s.x);
}

/* ---- NPY ----------------------------------------------------------------------------------- */

/* An array as NumPy writes it: magic, version, header, entries. */
static const char *npy(const char *name, int version, const char *header, const void *entries, size_t bytes)
{
  unsigned char file[2048];
  size_t length = strlen(header), wide = version >= 2 ? 4 : 2;
  memcpy(file, "\x93NUMPY", 6);
  file[6] = (unsigned char)version;
  file[7] = 0;
  for (size_t k = 0; k < wide; ++k) file[8 + k] = (unsigned char)(length >> 8 * k);
  memcpy(file + 8 + wide, header, length);
  if (bytes) memcpy(file + 8 + wide + length, entries, bytes);
  return scratch_bytes(name, file, 8 + wide + length + bytes);
}

static void reverse(void *entries, size_t count, size_t each)
{
  unsigned char *at = entries;
  for (size_t k = 0; k < count; ++k, at += each)
    for (size_t b = 0; b < each / 2; ++b) {
      unsigned char swap = at[b];
      at[b] = at[each - 1 - b];
      at[each - 1 - b] = swap;
    }
}

/* This machine is little-endian; the format's byte order is then what reverse makes of it. */
static void test_npy_kinds(void **state)
{
  (void)state;
  const double x[6] = {1, 2, 3, 4, 5.25, -0.0}, columns[6] = {1, 3, 5.25, 2, 4, -0.0};
  float single[6] = {1, 2, 3, 4, 5.25f, -0.0f};
  double big[6];
  memcpy(big, x, sizeof x);
  reverse(big, 6, 8);
  expect_samples(npy("a.npy", 1, "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }\n", x, 48), 3,
                 2, x, NULL);
  expect_samples(npy("b.npy", 2, "{'descr': '>f8', 'fortran_order': False, 'shape': (3, 2)}", big, 48), 3, 2,
                 x, NULL);
  expect_samples(npy("c.dat", 3, "{\"shape\":(3,2),\"descr\":\"<f4\",\"fortran_order\":False}", single, 24),
                 3, 2, x, NULL);
  reverse(single, 6, 4);
  expect_samples(npy("d.npy", 1, "{'descr': '>f4', 'fortran_order': False, 'shape': (3, 2), }", single, 24),
                 3, 2, x, NULL);
  expect_samples(npy("e.npy", 1, "{'descr': '<f8', 'fortran_order': True, 'shape': (3, 2), }", columns, 48),
                 3, 2, x, NULL);
  expect_samples(npy("f.npy", 1, "{'descr': '<f8', 'fortran_order': False, 'shape': (6,), }", x, 48), 6, 1, x,
                 NULL);
  expect_samples(npy("g.npy", 1, "{'descr': '=f8', 'fortran_order': True, 'shape': (6,), }", x, 48), 6, 1, x,
                 NULL);
}

static void test_npy_failures(void **state)
{
  (void)state;
  const char *h = "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }";
  double x[6] = {1, 2, 3, 4, 5, 6};
  expect_failure(npy("1.npy", 1, h, x, 47), FG_IO, "promises 3 x 2 entries of 8 bytes, the file holds 47");
  expect_failure(npy("2.npy", 1, h, x, 0), FG_IO, "the file holds 0 bytes");
  expect_failure(npy("3.npy", 4, h, x, 48), FG_IO, "format version 4 is not known");
  expect_failure(npy("4.npy", 1, "{'descr': '<c8', 'fortran_order': False, 'shape': (3, 2), }", x, 48), FG_IO,
                 "entries are of type '<c8', only real numbers");
  expect_failure(npy("c.npy", 1, "{'descr': [('x', '<f8')], 'fortran_order': False, 'shape': (6,), }", x, 48),
                 FG_IO, "records with named fields");
  expect_failure(npy("5.npy", 1, "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2, 1), }", x, 48),
                 FG_IO, "one or two dimensions");
  expect_failure(npy("6.npy", 1, "{'descr': '<f8', 'fortran_order': False, 'shape': (), }", x, 8), FG_IO,
                 "one or two dimensions");
  expect_failure(npy("7.npy", 1, "{'descr': '<f8', 'shape': (3, 2), }", x, 48), FG_IO, "'fortran_order'");
  expect_failure(npy("8.npy", 1, "{'descr': '<f8', 'fortran_order': False}", x, 48), FG_IO, "'shape'");
  expect_failure(npy("9.npy", 1, "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 2), }", x, 0), FG_IO,
                 "holds no samples (0 rows, 2 columns)");
  /* sizes whose product wraps round 2^64, and one that no machine holds */
  expect_failure(
      npy("w.npy", 1, "{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", x, 48),
      FG_IO, "promises");
  expect_failure(npy("v.npy", 1,
                     "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999999, 2), }", x,
                     48),
                 FG_IO, "shape is not understood");
  expect_failure(
      npy("u.npy", 1, "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 1000000000000), }", x, 48),
      FG_IO, "promises");
  expect_failure(scratch_bytes("t.npy", "\x93NUMPY\x01", 7), FG_IO, "cut off after 7 bytes");
  expect_failure(scratch_bytes("s.npy", "\x93NUMPY\x01\x00\xff\xff{'descr'", 18), FG_IO, "it is cut off");
  x[3] = NAN;
  expect_failure(npy("n.npy", 1, h, x, 48), FG_IO, "row 2, column 2 is not finite (nan)");
}

/* ---- CSV ----------------------------------------------------------------------------------- */

static void test_csv_kinds(void **state)
{
  (void)state;
  const double x[4] = {1, -2.5, 3e-3, 4}, w[2] = {0.25, 0.75};
  expect_samples(scratch_text("a.csv", "1,-2.5\n3e-3,4\n"), 2, 2, x, NULL);
  expect_samples(scratch_text("b.csv", "x1,x2\r\n1,-2.5\r\n3e-3,4"), 2, 2, x, NULL);
  expect_samples(scratch_text("c.csv", "\xef\xbb\xbf\"x\";\"y\"\n1;-2.5\n\n3e-3; 4 \n"), 2, 2, x, NULL);
  expect_samples(scratch_text("d.txt", "# made by savetxt\n 1.0e+00  -2.5\n3.0e-03\t4\n"), 2, 2, x, NULL);
  expect_samples(scratch_text("e.csv", "x\tweight\ty\n1\t0.25\t-2.5\n3e-3\t0.75\t4\n"), 2, 2, x, w);
  expect_samples(scratch_text("f.csv", "weight,x\n0.25,1\n0.75,-2.5\n"), 2, 1, x, w);
  expect_samples(scratch_text("g.csv", "1\n-2.5\n3e-3\n4\n"), 4, 1, x, NULL);
}

/* A caller's locale with a decimal comma changes nothing. */
static void test_csv_locale(void **state)
{
  (void)state;
  const double x[2] = {1.5, 2.5};
  fg_samples s = {.n = 1, .d = 2, .x = (double[]){1.5, 2.5}};
  fg_status st;
  char *before = strdup(setlocale(LC_ALL, NULL));
  if (!setlocale(LC_ALL, "de_DE.UTF-8") && !setlocale(LC_ALL, "fr_FR.UTF-8")) {
    free(before);
    skip();
  }
  expect_samples(scratch_text("l.csv", "1.5,2.5\n"), 1, 2, x, NULL);
  assert_int_equal(fg_samples_write(scratch("m.csv"), &s, &st), FG_OK);
  expect_samples(scratch("m.csv"), 1, 2, x, NULL);
  setlocale(LC_ALL, before);
  free(before);
}

static void test_csv_failures(void **state)
{
  (void)state;
  expect_failure(scratch_text("1.csv", "x,y\n1,2\n3,abc\n"), FG_IO,
                 "line 3 (row 2), column 2: \"abc\" is not a number");
  expect_failure(scratch_text("2.csv", "1,2\n3,nan\n"), FG_IO,
                 "line 2 (row 2), column 2: the value nan is not finite");
  expect_failure(scratch_text("3.csv", "1,2\n-inf,4\n"), FG_IO, "column 1: the value -inf is not finite");
  expect_failure(scratch_text("4.csv", "1,2\n1e999,4\n"), FG_IO, "the value 1e999 is not finite");
  expect_failure(scratch_text("5.csv", "1,2\n3\n"), FG_IO, "line 2: 1 values where the first line has 2");
  expect_failure(scratch_text("6.csv", "1,2\n3,4,5\n"), FG_IO, "3 values where the first line has 2");
  expect_failure(scratch_text("7.csv", "x,y\n"), FG_IO, "holds no samples (0 rows, 2 columns)");
  expect_failure(scratch_text("8.csv", ""), FG_IO, "the file is empty");
  expect_failure(scratch_text("9.csv", "# nothing\n"), FG_IO, "holds no samples");
  expect_failure(scratch_text("a1.csv", ",x,y\n0,1,2\n"), FG_IO, "column 1 has no name");
  expect_failure(scratch_text("b1.csv", "1,2\n3,\n"), FG_IO, "column 2: \"\" is not a number");
  expect_failure(scratch_text("c1.csv", "1,5;2,5\n"), FG_IO, "not a number"); /* decimal commas */
  expect_failure(scratch_bytes("d1.csv", "1,2\n\0,3\n", 8), FG_IO, "line 2: holds a zero byte");
  expect_failure(scratch_text("e1.csv", "weight\n1\n"), FG_IO, "holds no samples (1 rows, 0 columns)");
  expect_failure(scratch_text("f1.csv", "x,weight\n1,-1\n"), FG_IO, "the weight of row 1 is -1");
  expect_failure(scratch_text("g1.csv", "x,weight\n1,0\n2,0\n"), FG_IO, "the weights sum to 0");
  expect_failure("/nowhere/at all.csv", FG_IO, "No such file or directory");
  expect_failure(scratch_folder, FG_IO, "it is a folder");
}

/* ---- HDF5 ---------------------------------------------------------------------------------- */

typedef struct set {
  const char *name;
  int rank;
  size_t shape[FG_H5_RANK_MAX];
} set;

static const double many[64] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

static const char *h5(const char *name, const set *sets, size_t count)
{
  fg_h5 *file;
  fg_status st = {0};
  const char *path = scratch(name);
  assert_int_equal(fg_h5_create(path, &file, &st), FG_OK);
  for (size_t k = 0; k < count; ++k)
    assert_int_equal(fg_h5_write_real(file, sets[k].name, sets[k].rank, sets[k].shape, many, &st), FG_OK);
  assert_int_equal(fg_h5_commit(&file, &st), FG_OK);
  return path;
}

static void test_h5_choice(void **state)
{
  (void)state;
  fg_samples s;
  fg_status st;
  set only[] = {{"data", 2, {3, 2}}, {"other", 1, {5}}};
  expect_samples(h5("a.h5", only, 2), 3, 2, many, NULL);
  set named[] = {{"a", 2, {3, 2}}, {"b", 2, {3, 2}}, {"x", 2, {2, 3}}, {"weights", 1, {2}}};
  expect_samples(h5("b.h5", named, 4), 2, 3, many, many);
  set line[] = {{"x", 1, {4}}};
  expect_samples(h5("c.h5", line, 1), 4, 1, many, NULL);
  set groups[] = {{"ode/x", 2, {3, 2}}, {"sde/x", 2, {4, 2}}, {"sde/weights", 1, {4}}, {"seed", 0, {0}}};
  const char *path = h5("d.h5", groups, 4);
  expect_failure(path, FG_IO, "several with two dimensions");
  expect_failure(path, FG_IO, "it holds: ode/x [3, 2], sde/weights [4], sde/x [4, 2]");
  assert_int_equal(fg_samples_read(path, "sde/x", &s, &st), FG_OK);
  assert_int_equal(s.n, 4);
  assert_memory_equal(s.weights, many, 4 * sizeof(double));
  fg_samples_clear(&s);
  assert_int_equal(fg_samples_read(path, "ode/y", &s, &st), FG_IO);
  assert_non_null(strstr(st.message, "there is no data set ode/y; it holds: ode/x [3, 2]"));
  assert_int_equal(fg_samples_read(path, "seed", &s, &st), FG_IO);
  assert_non_null(strstr(st.message, "seed has 0 dimensions"));
}

static void test_h5_failures(void **state)
{
  (void)state;
  fg_samples s;
  fg_status st;
  expect_failure(h5("e.h5", NULL, 0), FG_IO, "nor one with two dimensions");
  set cube[] = {{"x", 3, {2, 2, 2}}};
  expect_failure(h5("f.h5", cube, 1), FG_IO, "x has 3 dimensions");
  set short_weights[] = {{"x", 2, {3, 2}}, {"weights", 1, {2}}};
  expect_failure(h5("g.h5", short_weights, 2), FG_IO, "one for each of the 3 rows");
  set none[] = {{"x", 2, {0, 2}}};
  expect_failure(h5("h.h5", none, 1), FG_IO, "holds no samples");
  /* cut off: in the middle of the data, and inside the superblock */
  set whole[] = {{"x", 2, {8, 8}}};
  const char *path = h5("i.h5", whole, 1);
  assert_int_equal(truncate(path, 2000), 0);
  expect_failure(path, FG_IO, "not an HDF5 file, cut off or damaged (truncated file");
  assert_int_equal(truncate(path, 20), 0);
  expect_failure(path, FG_IO, "not an HDF5 file, cut off or damaged");
  assert_int_equal(fg_samples_read(scratch_text("j.csv", "1\n"), "x", &s, &st), FG_USAGE);
  assert_non_null(strstr(st.message, "not an HDF5 file, nor NPZ"));
}

/* ---- writing ------------------------------------------------------------------------------- */

static void test_round_trips(void **state)
{
  (void)state;
  double x[6] = {1.0 / 3, -0.0, 1e-310, 1.7976931348623157e308, -5e-324, 0.1}, w[3] = {0.1, 1.0 / 7, 0};
  fg_samples plain = {.n = 3, .d = 2, .x = x}, weighted = {.n = 3, .d = 2, .x = x, .weights = w};
  const char *names[] = {"w.h5", "w.npy", "w.csv", "w.hdf5"};
  fg_status st;
  for (int k = 0; k < 4; ++k) {
    assert_int_equal(fg_samples_write(scratch(names[k]), &plain, &st), FG_OK);
    expect_samples(scratch(names[k]), 3, 2, x, NULL);
    if (k == 1) continue;
    assert_int_equal(fg_samples_write(scratch(names[k]), &weighted, &st), FG_OK);
    expect_samples(scratch(names[k]), 3, 2, x, w);
  }
  assert_int_equal(fg_samples_write(scratch("w.npy"), &weighted, &st), FG_USAGE);
  assert_non_null(strstr(st.message, "no place for weights"));
  assert_int_equal(fg_samples_write(scratch("w.txt"), &plain, &st), FG_USAGE);
  assert_non_null(strstr(st.message, ".h5, .npy or .csv"));
  assert_int_equal(fg_samples_write(scratch("none/w.csv"), &plain, &st), FG_IO);
  assert_int_equal(fg_samples_write(scratch("none/w.h5"), &plain, &st), FG_IO);
  fg_samples_clear(NULL);
}

static void test_log_density(void **state)
{
  (void)state;
  double x[4] = {1, 2, 3, 4}, w[2] = {0.25, 0.75}, l[2] = {-1.0 / 3, -700};
  const char *names[] = {"l.h5", "l.csv"};
  fg_status st;
  for (int k = 0; k < 4; ++k) {
    fg_samples s = {.n = 2, .d = 2, .x = x, .weights = k < 2 ? w : NULL, .log_density = l}, back;
    assert_int_equal(fg_samples_write(scratch(names[k % 2]), &s, &st), FG_OK);
    assert_int_equal(fg_samples_read(scratch(names[k % 2]), NULL, &back, &st), FG_OK);
    assert_true(back.n == 2 && back.d == 2);
    assert_memory_equal(back.x, x, sizeof x);
    assert_memory_equal(back.log_density, l, sizeof l);
    assert_true((back.weights != NULL) == (k < 2));
    fg_samples_clear(&back);
    assert_null(back.log_density);
    assert_int_equal(fg_samples_write(scratch("l.npy"), &s, &st), FG_USAGE);
  }
  assert_non_null(strstr(st.message, "no place for log-densities"));
}

/* More entries than one block of the reader and the writer. */
static void test_large_npy(void **state)
{
  (void)state;
  size_t n = 10007, d = 3, rows, columns;
  double *x = malloc(n * d * sizeof(double)), *back;
  fg_status st;
  assert_non_null(x);
  for (size_t k = 0; k < n * d; ++k) x[k] = sin((double)k);
  assert_int_equal(fg_npy_write(scratch("big.npy"), n, d, x, &st), FG_OK);
  assert_int_equal(fg_npy_read(scratch("big.npy"), &rows, &columns, &back, &st), FG_OK);
  assert_int_equal(rows, n);
  assert_int_equal(columns, d);
  assert_memory_equal(back, x, n * d * sizeof(double));
  free(back);
  free(x);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_npy_kinds),    cmocka_unit_test(test_npy_failures),
      cmocka_unit_test(test_csv_kinds),    cmocka_unit_test(test_csv_locale),
      cmocka_unit_test(test_csv_failures), cmocka_unit_test(test_h5_choice),
      cmocka_unit_test(test_h5_failures),  cmocka_unit_test(test_round_trips),
      cmocka_unit_test(test_log_density),  cmocka_unit_test(test_large_npy),
  };
  return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
