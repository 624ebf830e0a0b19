/* needs: analysis */
/* Permutation statistics of MMD and energy distance in one pass: the same figures as one by one, ties, level, power. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <cmocka.h>

#include "analysis/statistics.h"
#include "analysis/transport/kernel_distance.h"
#include "flowgap/analysis.h"
#include "formula/random.h"

enum { ROWS = 120, D = 2, WAYS = 600 };

static double z[ROWS * D], weight[ROWS], part[2][ROWS * D], share[2][ROWS], squared[WAYS];
static fg_engine *engine;

typedef struct dealer {
  uint64_t seed;
  size_t rows, first; /* of the first sample */
  size_t next;        /* way that must come now */
  size_t turned;      /* this way has the samples of way 0 changed over; 0: none */
} dealer;

static void deal(void *user, size_t k, unsigned char *label)
{
  dealer *who = user;
  assert_int_equal(k, who->next++);
  if (k == 0 || k == who->turned)
    for (size_t i = 0; i < who->rows; i++) label[i] = (i < who->first) == (k == 0) ? 'a' : 'b';
  else
    fg_split((fg_draw){who->seed, FG_STREAM_PERMUTE, 1, (uint32_t)k}, who->rows, who->first,
             who->rows - who->first, label);
}

static void all_ways(double h, size_t rows, size_t d, const double *w, size_t count, dealer *who)
{
  fg_status st;
  who->next = 0;
  if (fg_kernel_permutations(engine, NULL, h, rows, d, z, w, count, deal, who, NULL, squared, &st) != FG_OK)
    fail_msg("%s", st.message);
}

static double one_way(double h, size_t rows, size_t d, const double *w, const unsigned char *label)
{
  size_t count[2] = {0, 0};
  fg_kernel_distance result;
  for (size_t i = 0; i < rows; i++) {
    const int side = label[i] == 'b';
    memcpy(part[side] + count[side] * d, z + i * d, d * sizeof *z);
    share[side][count[side]++] = w ? w[i] : 1;
  }
  assert_int_equal(isnan(h) ? fg_energy(engine, NULL, count[0], count[1], d, part[0], share[0], part[1],
                                        share[1], NULL, &result, NULL)
                            : fg_mmd(engine, NULL, h, count[0], count[1], d, part[0], share[0], part[1],
                                     share[1], NULL, &result, NULL),
                   FG_OK);
  return result.squared;
}

static void fill(uint64_t seed, size_t rows, size_t first, size_t d, double shift)
{
  for (size_t i = 0; i < rows * d; i++) z[i] = fg_normal(seed, 1, i, 0, 0) + (i < first * d ? shift : 0);
}

/* More ways than one pass takes; weights; one dimension, which a single distance sorts. */
static void one_by_one(void **unused)
{
  (void)unused;
  unsigned char label[ROWS];
  for (int turn = 0; turn < 8; turn++) {
    const double h = turn & 1 ? NAN : 0.8, *w = turn & 2 ? weight : NULL;
    const size_t d = turn & 4 ? 1 : 2, count = turn < 2 ? WAYS : 40;
    dealer who = {11, ROWS, 50, 0, 0};
    fill(3, ROWS, 50, d, 0.4);
    for (size_t i = 0; i < ROWS; i++) weight[i] = 0.2 + fg_uniform(fg_philox(5, 1, i, 0, 0).w[0]);
    all_ways(h, ROWS, d, w, count, &who);
    who.next = 0;
    for (size_t k = 0; k < count; k++) {
      deal(&who, k, label);
      /* terms up to 5, of which nothing but rounding is lost */
      assert_true(fabs(squared[k] - one_way(h, ROWS, d, w, label)) < 2e-14);
    }
  }
}

/* Samples of one size that change places: the same figure to the bit, so that it counts as a tie. */
static void ties(void **unused)
{
  (void)unused;
  for (int turn = 0; turn < 20; turn++) {
    const size_t rows = 4 + 2 * (size_t)turn;
    dealer who = {7, rows, rows / 2, 0, 13};
    fill(100 + (uint64_t)turn, rows, rows / 2, 2, 1);
    all_ways(turn % 2 ? NAN : 1, rows, 2, NULL, 20, &who);
    assert_true(squared[13] == squared[0]);
    if (rows > 30)
      for (size_t k = 1; k < 20; k++) assert_true(k == 13 || squared[k] != squared[0]);
  }
}

/* Of one law: P(p <= 1/4) is 1/4 whatever the statistic. Of laws a standard deviation apart: p is small. */
static void level_and_power(void **unused)
{
  (void)unused;
  enum { TIMES = 400, PERMUTATIONS = 19 };
  for (int which = 0; which < 2; which++) {
    size_t low[2] = {0, 0}, quarter = 0;
    for (uint64_t t = 0; t < TIMES; t++)
      for (int shifted = 0; shifted < 2; shifted++) {
        dealer who = {5000 + t, 40, 25, 0, 0};
        fill(700 + t, 40, 25, 2, shifted ? 1 : 0);
        all_ways(which ? NAN : 1.5, 40, 2, NULL, PERMUTATIONS + 1, &who);
        const double p = fg_permutation_p(PERMUTATIONS, squared + 1, squared[0]);
        low[shifted] += p < 0.0501;
        quarter += !shifted && p < 0.2501;
      }
    /* standard deviations of 4.4 and 8.7 */
    assert_true(low[0] > 20 - 16 && low[0] < 20 + 16);
    assert_true(quarter > 100 - 32 && quarter < 100 + 32);
    assert_true(low[1] > 0.6 * TIMES);
  }
}

static void estimates(void **unused)
{
  (void)unused;
  fg_estimate_settings s;
  fg_estimate first, again;
  static double other[ROWS * D];
  fill(31, ROWS, 0, D, 0);
  for (size_t i = 0; i < ROWS * D; i++) other[i] = fg_normal(32, 1, i, 0, 0) + 0.7;
  for (int which = 0; which < 2; which++) {
    fg_estimate_defaults(which ? FG_ENERGY : FG_MMD, &s);
    s.replicates = 20;
    assert_int_equal(fg_estimate_w2(engine, &s, ROWS, ROWS, D, z, NULL, other, NULL, NULL, &first, NULL),
                     FG_OK);
    assert_true(first.p_value == 0.01 && first.squared > 0);
    assert_int_equal(fg_estimate_w2(engine, &s, ROWS, ROWS, D, z, NULL, other, NULL, NULL, &again, NULL),
                     FG_OK);
    assert_true(first.squared == again.squared && first.p_value == again.p_value);
    if (which) continue;
    double h;
    assert_int_equal(fg_median_distance(ROWS, ROWS, D, z, NULL, other, NULL, &h, NULL), FG_OK);
    assert_true(first.detail[0] == h);
  }
}

static void refused(void **unused)
{
  (void)unused;
  fg_status st;
  dealer who = {1, 10, 1, 0, 0};
  fill(1, 10, 1, 2, 0);
  assert_int_equal(fg_kernel_permutations(engine, NULL, 1, 10, 2, z, NULL, 5, deal, &who, NULL, squared, &st),
                   FG_USAGE);
  assert_non_null(strstr(st.message, "two"));
  assert_int_equal(fg_kernel_permutations(engine, NULL, 1, 3, 2, z, NULL, 5, deal, &who, NULL, squared, &st),
                   FG_USAGE);
  volatile sig_atomic_t cancel = 1;
  const fg_progress progress = {NULL, NULL, &cancel};
  who = (dealer){1, 10, 5, 0, 0};
  assert_int_equal(
      fg_kernel_permutations(engine, NULL, 1, 10, 2, z, NULL, 5, deal, &who, &progress, squared, &st),
      FG_INTERRUPTED);
}

static int open_engine(void **unused)
{
  (void)unused;
  return fg_engine_open("cpu-check", 2, &engine, NULL) == FG_OK ? 0 : -1;
}

static int close_engine(void **unused)
{
  (void)unused;
  fg_engine_close(&engine);
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_by_one), cmocka_unit_test(ties),    cmocka_unit_test(level_and_power),
      cmocka_unit_test(estimates),  cmocka_unit_test(refused),
  };
  return cmocka_run_group_tests(tests, open_engine, close_engine);
}
