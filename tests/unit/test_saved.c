/* needs: base */
/* What a run has finished: kept, written, read again; a file that is not whole is never taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/saved.h"
#include "support/scratch.h"

static char path[300];

static fg_saved *made(void)
{
  fg_saved *s;
  double x[3] = {1.5, -0.0, 1e300};
  int n = 7;
  snprintf(path, sizeof path, "%s/saved.bin", scratch_folder);
  assert_int_equal(fg_saved_create(path, &s, NULL), FG_OK);
  const fg_piece pieces[] = {{x, sizeof x}, {NULL, 0}, {&n, sizeof n}};
  assert_int_equal(fg_saved_keep(s, "0: first", 3, pieces, NULL), FG_OK);
  assert_int_equal(fg_saved_keep(s, "1: first", 1, &(fg_piece){"text", 5}, NULL), FG_OK);
  x[0] = 2; /* a copy was kept */
  return s;
}

static void check(const fg_saved *s)
{
  double x[3];
  int n = 0;
  size_t size;
  const double wanted[3] = {1.5, -0.0, 1e300};
  const fg_piece pieces[] = {{x, sizeof x}, {NULL, 0}, {&n, sizeof n}};
  assert_int_equal(fg_saved_steps(s), 2);
  assert_true(fg_saved_take(s, "0: first", 3, pieces));
  assert_memory_equal(x, wanted, sizeof x);
  assert_int_equal(n, 7);
  assert_string_equal(fg_saved_look(s, "1: first", &size), "text");
  assert_int_equal(size, 5);
  assert_null(fg_saved_look(s, "first", &size));
  n = 3;
  assert_false(fg_saved_take(s, "0: first", 2, (const fg_piece[]){{x, sizeof x}, {&n, 2}})); /* other sizes */
  assert_false(fg_saved_take(s, "0: firs", 1, &(fg_piece){&n, sizeof n}));
  assert_int_equal(n, 3); /* nothing is touched where nothing is taken */
}

static void test_kept_and_read(void **state)
{
  (void)state;
  fg_saved *s = made(), *again;
  check(s);
  assert_int_not_equal(fg_saved_read(path, &again, NULL), FG_OK); /* not a second old: not written yet */
  assert_null(again);
  assert_int_equal(fg_saved_write(s, NULL), FG_OK);
  assert_int_equal(fg_saved_read(path, &again, NULL), FG_OK);
  check(again);
  assert_string_equal(fg_saved_path(again), path);
  assert_true(fg_saved_began(again) <= fg_seconds());
  fg_saved_remove(again);
  assert_int_not_equal(fg_saved_read(path, &(fg_saved *){NULL}, NULL), FG_OK);
  assert_int_equal(fg_saved_keep(again, "more", 0, NULL, NULL), FG_OK);
  assert_int_equal(fg_saved_write(again, NULL), FG_OK);
  assert_int_not_equal(fg_saved_read(path, &(fg_saved *){NULL}, NULL), FG_OK); /* it stays away */
  fg_saved_destroy(&again);
  fg_saved_destroy(&s);
  assert_null(s);
}

/* Every byte that is changed and every byte that is missing is found. */
static void test_damaged(void **state)
{
  (void)state;
  fg_saved *s = made(), *again;
  unsigned char *bytes;
  size_t size;
  assert_int_equal(fg_saved_write(s, NULL), FG_OK);
  fg_saved_destroy(&s);
  assert_int_equal(fg_file_read(path, &bytes, &size, NULL), FG_OK);
  char other[300];
  snprintf(other, sizeof other, "%s/other.bin", scratch_folder);
  for (size_t i = 0; i < size; i++) {
    FILE *out = fopen(other, "wb");
    bytes[i] ^= 0x40;
    assert_int_equal(fwrite(bytes, 1, size, out), size);
    bytes[i] ^= 0x40;
    fclose(out);
    assert_int_equal(fg_saved_read(other, &again, NULL), FG_IO);
    out = fopen(other, "wb");
    assert_int_equal(fwrite(bytes, 1, i, out), i);
    fclose(out);
    assert_int_equal(fg_saved_read(other, &again, NULL), FG_IO);
    assert_null(again);
  }
  free(bytes);
  remove(other);
  remove(path);
}

static void test_marks(void **state)
{
  (void)state;
  char name[300];
  fg_file_mark a, b, c;
  snprintf(name, sizeof name, "%s/marked", scratch_folder);
  assert_int_equal(fg_file_write(name, "123456789", 9, NULL), FG_OK);
  assert_int_equal(fg_file_marked(name, a, NULL), FG_OK);
  assert_string_equal(a, "9 bytes, CRC cbf43926"); /* the check value of CRC-32 */
  assert_int_equal(fg_file_write(name, "123456798", 9, NULL), FG_OK);
  assert_int_equal(fg_file_marked(name, b, NULL), FG_OK);
  assert_string_not_equal(a, b);
  remove(name);
  assert_int_not_equal(fg_file_marked(name, c, NULL), FG_OK);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_kept_and_read),
      cmocka_unit_test(test_damaged),
      cmocka_unit_test(test_marks),
  };
  return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
