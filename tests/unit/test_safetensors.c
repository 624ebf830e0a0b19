/* needs: base */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/safetensors.h"
#include "support/scratch.h"

/* A file from its header text and its data. */
static const char *build(const char *header, const void *data, size_t bytes)
{
  unsigned char file[4096];
  size_t length = strlen(header);
  for (size_t k = 0; k < 8; ++k) file[k] = (unsigned char)((uint64_t)length >> 8 * k);
  memcpy(file + 8, header, length);
  if (bytes) memcpy(file + 8 + length, data, bytes);
  return scratch_bytes("t.safetensors", file, 8 + length + bytes);
}

static void expect_failure(const char *path, const char *text)
{
  fg_tensors tensors;
  fg_status st = {0};
  assert_int_equal(fg_safetensors_read(path, &tensors, &st), FG_IO);
  assert_non_null(strstr(st.message, path));
  if (!strstr(st.message, text)) fail_msg("\"%s\" is not in \"%s\"", text, st.message);
  assert_true(!tensors.tensor && !tensors.file && !tensors.count);
}

static void test_types(void **state)
{
  (void)state;
  /* binary16: 1, -2, 65504 (largest), 2^-24 (smallest), -0, inf;  bfloat16: 1, -2, pi to 8 bits, NaN */
  const unsigned char data[] = {0,    0,    0x80, 0x3f, 0,    0,    0x20, 0xc1, /* f32 1, -10 */
                                0,    0,    0,    0,    0,    0,    0xf0, 0x3f, /* f64 1 */
                                0,    0x3c, 0,    0xc0, 0xff, 0x7b, 1,    0,    0, 0x80, 0, 0x7c, /* f16 */
                                0x80, 0x3f, 0,    0xc0, 0x49, 0x40, 0xc0, 0x7f,                   /* bf16 */
                                7,    0,    0,    0,    0,    0,    0,    0};                     /* i64 */
  const char *path = build("{\"__metadata__\":{\"format\":\"pt\"},"
                           "\"b\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[8,16]},"
                           "\"a.weight\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]},"
                           "\"h\":{\"dtype\":\"F16\",\"shape\":[6],\"data_offsets\":[16,28]},"
                           "\"e\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[28,28]},"
                           "\"brain\":{\"dtype\":\"BF16\",\"shape\":[2,2],\"data_offsets\":[28,36]},"
                           "\"n\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[36,44]}}   ",
                           data, sizeof data);
  fg_tensors t;
  fg_status st = {0};
  double v[8];
  if (fg_safetensors_read(path, &t, &st) != FG_OK) fail_msg("%s", st.message);
  assert_int_equal(t.count, 6);
  assert_string_equal(t.tensor[0].name, "a.weight"); /* in the order of the data */
  assert_string_equal(t.tensor[5].name, "n");
  const fg_tensor *a = fg_tensors_find(&t, "a.weight");
  assert_int_equal(a->rank, 2);
  assert_true(a->shape[0] == 2 && a->shape[1] == 1 && a->count == 2);
  fg_tensor_decode(a, v);
  assert_true(v[0] == 1 && v[1] == -10);
  assert_int_equal(fg_tensors_find(&t, "b")->rank, 0);
  fg_tensor_decode(fg_tensors_find(&t, "b"), v);
  assert_true(v[0] == 1);
  fg_tensor_decode(fg_tensors_find(&t, "h"), v);
  assert_true(v[0] == 1 && v[1] == -2 && v[2] == 65504 && v[3] == ldexp(1, -24) && v[4] == 0 &&
              signbit(v[4]) && v[5] == INFINITY);
  fg_tensor_decode(fg_tensors_find(&t, "brain"), v);
  assert_true(v[0] == 1 && v[1] == -2 && v[2] == 3.140625 && isnan(v[3]));
  assert_int_equal(fg_tensors_find(&t, "e")->count, 0);
  assert_false(fg_tensor_is_real(fg_tensors_find(&t, "n")));
  assert_true(fg_tensor_is_real(a));
  assert_null(fg_tensors_find(&t, "none"));
  fg_tensors_clear(&t);
  fg_tensors_clear(NULL);
}

static void test_failures(void **state)
{
  (void)state;
  double d[4] = {1, 2, 3, 4};
#define ENTRY(name, shape, from, to)                                                                         \
  "\"" name "\":{\"dtype\":\"F64\",\"shape\":" shape ",\"data_offsets\":[" #from "," #to "]}"
  expect_failure(scratch_text("a.safetensors", ""), "it has 0 bytes");
  expect_failure(scratch_text("b.safetensors", "\x01"), "it has 1 bytes");
  expect_failure(scratch_bytes("c.safetensors", "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10), "cut off");
  expect_failure(scratch_bytes("d.safetensors", "\x03\0\0\0\0\0\0\0{}", 10), "header should have 3");
  expect_failure(build("{\"a\":", NULL, 0), "its header is not JSON");
  expect_failure(build("[1]", NULL, 0), "not a table of tensors");
  expect_failure(build("{\"a\":1}", NULL, 0), "tensor a: type (none) is not known");
  expect_failure(build("{" ENTRY("a", "[2]", 0, 16) "," ENTRY("a", "[2]", 16, 32) "}", d, 32), "not JSON");
  expect_failure(build("{\"a\":{\"dtype\":\"F99\",\"shape\":[1],\"data_offsets\":[0,8]}}", d, 8), "type F99");
  expect_failure(build("{" ENTRY("a", "[3]", 0, 24) "}", d, 23),
                 "tensor a ends at byte 24 of the data, but the file holds only 23: it is cut off");
  expect_failure(build("{" ENTRY("a", "[3]", 0, 16) "}", d, 16),
                 "3 entries of type F64 do not fill its 16 bytes");
  expect_failure(build("{" ENTRY("a", "[2]", 0, 16) "," ENTRY("b", "[2]", 8, 24) "}", d, 24),
                 "tensor b overlaps the one before it");
  expect_failure(build("{" ENTRY("a", "[1]", 0, 8) "," ENTRY("b", "[1]", 16, 24) "}", d, 24),
                 "tensor b leaves a gap");
  expect_failure(build("{" ENTRY("a", "[1]", 0, 8) "}", d, 16), "8 bytes follow the last tensor");
  expect_failure(build("{" ENTRY("a", "[1]", 8, 0) "}", d, 8), "two ascending whole numbers");
  expect_failure(build("{" ENTRY("a", "[1]", -8, 0) "}", d, 8), "two ascending whole numbers");
  expect_failure(build("{" ENTRY("a", "[1.0]", 0, 8) "}", d, 8), "size 1 of its shape is not a whole number");
  expect_failure(build("{" ENTRY("a", "[-1]", 0, 8) "}", d, 8), "size 1 of its shape");
  expect_failure(build("{" ENTRY("a", "8", 0, 8) "}", d, 8), "its shape is not a list");
  expect_failure(build("{" ENTRY("a", "[4294967296,4294967296,2]", 0, 8) "}", d, 8),
                 "its shape is too large");
  expect_failure(build("{" ENTRY("a", "[4611686018427387905,1]", 0, 8) "}", d, 8), "do not fill");
  expect_failure("/nowhere.safetensors", "No such file");
}

static void test_round_trip(void **state)
{
  (void)state;
  size_t shape[2] = {2, 3}, one[1] = {1};
  double x[6] = {1.0 / 3, -0.0, 5e-324, 1e300, 5, 6}, back[6];
  fg_tensor_source sources[] = {
      {"layer.weight", 2, shape, x, false}, {"s", 1, one, x, true}, {"0", 0, NULL, x, false}};
  fg_tensors t;
  fg_status st = {0};
  const char *path = scratch("round.safetensors");
  if (fg_safetensors_write(path, sources, 3, &st) != FG_OK) fail_msg("%s", st.message);
  if (fg_safetensors_read(path, &t, &st) != FG_OK) fail_msg("%s", st.message);
  assert_int_equal(t.count, 3);
  const fg_tensor *w = fg_tensors_find(&t, "layer.weight");
  assert_true(w->rank == 2 && w->shape[0] == 2 && w->shape[1] == 3);
  assert_int_equal((w->bytes - t.file) % 8, 0);
  fg_tensor_decode(w, back);
  assert_memory_equal(back, x, sizeof x);
  fg_tensor_decode(fg_tensors_find(&t, "s"), back);
  assert_true(back[0] == (float)(1.0 / 3));
  fg_tensors_clear(&t);
  assert_int_equal(fg_safetensors_write(path, NULL, 0, &st), FG_OK);
  assert_int_equal(fg_safetensors_read(path, &t, &st), FG_OK);
  assert_int_equal(t.count, 0);
  fg_tensors_clear(&t);
  sources[0].name = "\xff"; /* no UTF-8, so no JSON */
  assert_int_equal(fg_safetensors_write(path, sources, 1, &st), FG_MEMORY);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_types),
      cmocka_unit_test(test_failures),
      cmocka_unit_test(test_round_trip),
  };
  return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
