/* needs: kernels */
/* Philox against Random123, normals against the moments of N(0, 1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wexpansion-to-defined"
#include <Random123/philox.h>
#pragma GCC diagnostic pop

#include "formula/normal.h"

static void same_words_as_random123(void **state)
{
  (void)state;
  static const uint64_t seeds[] = {0, 1, 42, UINT64_C(0xdeadbeefcafebabe), UINT64_MAX};
  static const uint64_t particles[] = {
      0, 1, 77, UINT64_C(0xffffffff), UINT64_C(0x123456789abc), (UINT64_C(1) << 48) - 1};
  static const uint32_t streams[] = {0, 1, 17, 0xffff}, steps[] = {0, 1, 789, UINT32_MAX},
                        blocks[] = {0, 3, UINT32_MAX};
  for (size_t a = 0; a < 5; a++)
    for (size_t b = 0; b < 6; b++)
      for (size_t c = 0; c < 4; c++)
        for (size_t d = 0; d < 4; d++)
          for (size_t e = 0; e < 3; e++) {
            philox4x32_key_t key = {{(uint32_t)seeds[a], (uint32_t)(seeds[a] >> 32)}};
            philox4x32_ctr_t counter = {{blocks[e], steps[d], (uint32_t)particles[b],
                                         (uint32_t)(particles[b] >> 32) | streams[c] << 16}};
            philox4x32_ctr_t truth = philox4x32_R(10, counter, key);
            fg_words ours = fg_philox(seeds[a], streams[c], particles[b], steps[d], blocks[e]);
            for (int i = 0; i < 4; i++) assert_int_equal(ours.w[i], truth.v[i]);
          }
}

/* Published test vector of Random123 (kat_vectors): counter and key all ones. */
static void published_vector(void **state)
{
  (void)state;
  fg_words w = fg_philox(UINT64_MAX, 0xffff, (UINT64_C(1) << 48) - 1, UINT32_MAX, UINT32_MAX);
  assert_int_equal(w.w[0], 0x408f276d);
  assert_int_equal(w.w[1], 0x41c83b0e);
  assert_int_equal(w.w[2], 0xa20bc7c6);
  assert_int_equal(w.w[3], 0x6d5451fd);
}

static void uniforms_stay_inside(void **state)
{
  (void)state;
  assert_true(fg_uniform(0) > 0 && fg_uniform(UINT32_MAX) < 1);
  assert_true(fg_uniform52(0, 0) > 0 && fg_uniform52(UINT32_MAX, UINT32_MAX) < 1);
  assert_true(fabs(fg_uniform(0x80000000u) - 0.5) < 1e-9);
}

/* The block version, whose arithmetic is our own, gives the numbers of fg_normal: to rounding, and at the
 * ends of the words as well. */
static void blocks_give_the_same_normals(void **state)
{
  (void)state;
  double z[4 * FG_NORMAL_LANES], z0, z1;
  fg_real v0, v1;
  for (uint32_t step = 0; step < 500; step++) {
    fg_normal_block(9, FG_STREAM_NOISE, 1000, step, 2, z);
    for (uint32_t i = 0; i < FG_NORMAL_LANES; i++)
      for (uint32_t j = 0; j < 4; j++)
        /* |z| < 6.8, the angle good to 2e-16 and the radius to 2e-16 of itself */
        assert_true(fabs(z[j * FG_NORMAL_LANES + i] - fg_normal(9, FG_STREAM_NOISE, 1000 + i, step, 8 + j)) <
                    4e-15);
  }
  static const uint32_t ends[] = {0,          1,          0x1fffffff, 0x20000000, 0x7fffffff,
                                  0x80000000, 0xdfffffff, 0xe0000000, UINT32_MAX};
  for (size_t a = 0; a < 9; a++)
    for (size_t b = 0; b < 9; b++) {
      fg_normal_pair(ends[a], ends[b], &z0, &z1);
      fg_vnormal_pair(ends[a], ends[b], &v0, &v1);
      assert_true(fabs(z0 - (double)v0) < 4e-15 && fabs(z1 - (double)v1) < 4e-15);
    }
}

/* Mean, variance, third and fourth moments and the correlation of neighbours, each within five standard
 * errors (n = 400,000: a false alarm once in 300,000 runs of other seeds). */
static void moments(void **state)
{
  (void)state;
  enum { N = 100000 };
  double sum[5] = {0}, neighbours = 0, last = 0, tail = 0, n = 4.0 * N;
  for (uint64_t i = 0; i < N; i++)
    for (uint32_t j = 0; j < 4; j++) {
      double z = fg_normal(123, FG_STREAM_NOISE, i, 7, j), power = 1;
      for (int k = 1; k < 5; k++) sum[k] += power *= z;
      neighbours += z * last;
      tail += fabs(z) > 3;
      last = z;
    }
  assert_true(fabs(sum[1] / n) < 5 * sqrt(1 / n));
  assert_true(fabs(sum[2] / n - 1) < 5 * sqrt(2 / n));
  assert_true(fabs(sum[3] / n) < 5 * sqrt(15 / n));
  assert_true(fabs(sum[4] / n - 3) < 5 * sqrt(96 / n));
  assert_true(fabs(neighbours / n) < 5 * sqrt(1 / n));
  assert_true(fabs(tail / n - erfc(3 / sqrt(2.0))) < 5 * sqrt(0.0027 / n));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(same_words_as_random123),
      cmocka_unit_test(published_vector),
      cmocka_unit_test(uniforms_stay_inside),
      cmocka_unit_test(blocks_give_the_same_normals),
      cmocka_unit_test(moments),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
