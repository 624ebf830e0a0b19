/* needs: analysis */
/* Sliced W2 of many ways to deal the same rows: the same figures as one by one, ties, threads, level, refusals. */
#include <setjmp.h>
#include <signal.h>
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

enum { ROWS = 160, MOST_D = 3, WAYS = 150 }; /* more ways than one pass takes, more rows than a plain sum */

static double z[4 * ROWS * MOST_D], weight[4 * ROWS], part[2][4 * ROWS * MOST_D], share[2][4 * ROWS],
    squared[WAYS];

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
  if (k == 0 || (k == who->turned && k))
    for (size_t i = 0; i < who->rows; i++) label[i] = (i < who->first) == (k == 0) ? 'a' : 'b';
  else
    fg_split((fg_draw){who->seed, FG_STREAM_PERMUTE, 1, (uint32_t)k}, who->rows, who->first,
             who->rows - who->first, label);
}

static void all_ways(fg_threads *threads, const fg_w2_sliced_settings *how, size_t d, const double *w,
                     size_t count, dealer *who)
{
  fg_status st;
  who->next = 0;
  if (fg_sliced_permutations(NULL, threads, how, who->rows, d, z, w, count, deal, who, NULL, squared, &st) !=
      FG_OK)
    fail_msg("%s", st.message);
}

static double one_way(const fg_w2_sliced_settings *how, size_t rows, size_t d, const double *w,
                      const unsigned char *label)
{
  size_t count[2] = {0, 0};
  fg_w2_slices result;
  for (size_t i = 0; i < rows; i++) {
    const int side = label[i] == 'b';
    memcpy(part[side] + count[side] * d, z + i * d, d * sizeof *z);
    share[side][count[side]++] = w ? w[i] : 1;
  }
  assert_int_equal(fg_w2_sliced(NULL, NULL, how, count[0], count[1], d, part[0], share[0], part[1], share[1],
                                NULL, NULL, &result, NULL),
                   FG_OK);
  return result.squared;
}

static void fill(uint64_t seed, size_t rows, size_t first, size_t d, double shift, double scale)
{
  for (size_t i = 0; i < rows * d; i++)
    z[i] = scale * (fg_normal(seed, 1, i, 0, 0) + (i < first * d ? shift : 0));
  for (size_t i = 0; i < rows; i++) weight[i] = 0.2 + fg_uniform(fg_philox(5, 1, i, 0, 0).w[0]);
}

/* Equal and unequal sizes, weights, one to three dimensions, far from unit scale, ties between places. */
static void one_by_one(void **unused)
{
  (void)unused;
  unsigned char label[ROWS];
  const double along = 1;
  for (int turn = 0; turn < 24; turn++) {
    const double *w = turn & 1 ? weight : NULL, scale = turn & 2 ? 1e-90 : 1;
    const size_t d = 1 + (size_t)(turn / 8), first = turn & 4 ? ROWS / 2 : 47;
    const fg_w2_sliced_settings how = {d == 1 ? 1 : 7, 3, d == 1 ? &along : NULL};
    dealer who = {11, ROWS, first, 0, 0};
    fill(3, ROWS, first, d, 0.4, scale);
    memcpy(z + 5 * d, z + 90 * d, d * sizeof *z);
    all_ways(NULL, &how, d, w, WAYS, &who);
    who.next = 0;
    for (size_t k = 0; k < WAYS; k++) {
      deal(&who, k, label);
      /* sums of a hundred terms of one sign: rounding of places and weights */
      const double expected = one_way(&how, ROWS, d, w, label);
      assert_true(fabs(squared[k] - expected) < 1e-12 * expected);
    }
  }
}

/* The same sets in other places, and samples of one size that change over: the same bits, so that they count as ties. */
static void ties_and_threads(void **unused)
{
  (void)unused;
  enum { LONG = 4 * ROWS };
  static double alone[WAYS];
  for (int weighted = 0; weighted < 2; weighted++) {
    const fg_w2_sliced_settings how = {9, 5, NULL};
    dealer who = {7, LONG, LONG / 2, 0, 101};
    fg_threads *threads = NULL;
    fill(100, LONG, LONG / 2, 2, 1, 1);
    all_ways(NULL, &how, 2, weighted ? weight : NULL, WAYS, &who);
    assert_true(squared[101] == squared[0]);
    for (size_t k = 1; k < WAYS; k++) assert_true(k == 101 || squared[k] < squared[0]);
    memcpy(alone, squared, sizeof alone);
    assert_int_equal(fg_threads_create(3, &threads, NULL), FG_OK);
    all_ways(threads, &how, 2, weighted ? weight : NULL, WAYS, &who);
    assert_memory_equal(alone, squared, sizeof alone);
    fg_threads_destroy(&threads);
  }
}

/* Of one law: P(p <= 1/4) is 1/4 whatever the statistic. Of laws a standard deviation apart: p is small. */
static void level_and_power(void **unused)
{
  (void)unused;
  enum { TIMES = 400, PERMUTATIONS = 19 };
  const fg_w2_sliced_settings how = {6, 2, NULL};
  size_t low = 0, quarter = 0;
  for (uint64_t t = 0; t < TIMES; t++)
    for (int shifted = 0; shifted < 2; shifted++) {
      dealer who = {5000 + t, 40, 25, 0, 0};
      fill(700 + t, 40, 25, 2, shifted ? 1 : 0, 1);
      all_ways(NULL, &how, 2, NULL, PERMUTATIONS + 1, &who);
      const double p = fg_permutation_p(PERMUTATIONS, squared + 1, squared[0]);
      low += shifted && p < 0.0501;
      quarter += !shifted && p < 0.2501;
    }
  assert_true(fabs((double)quarter - 0.25 * TIMES) < 3 * sqrt(TIMES * 3 / 16.0));
  assert_true(low > TIMES / 2);
}

static void one_side(void *user, size_t k, unsigned char *label)
{
  memset(label, k == 3 ? 'b' : 'a', *(size_t *)user);
  if (k < 3) label[0] = 'b';
}

static void refusals(void **unused)
{
  (void)unused;
  const fg_w2_sliced_settings how = {6, 2, NULL};
  size_t rows = 10;
  fg_status st;
  volatile sig_atomic_t cancel = 1;
  fg_progress stopped = {NULL, NULL, &cancel};
  dealer who = {1, 10, 4, 0, 0};
  fill(1, 10, 4, 2, 0, 1);
  assert_int_equal(
      fg_sliced_permutations(NULL, NULL, &how, rows, 2, z, NULL, 4, one_side, &rows, NULL, squared, &st),
      FG_USAGE);
  assert_non_null(strstr(st.message, "between 0 and 10 rows"));
  assert_int_equal(
      fg_sliced_permutations(NULL, NULL, &how, 1, 2, z, NULL, 4, one_side, &rows, NULL, squared, &st),
      FG_USAGE);
  assert_int_equal(
      fg_sliced_permutations(NULL, NULL, &how, rows, 2, z, NULL, 4, deal, &who, &stopped, squared, &st),
      FG_INTERRUPTED);
  z[3] = NAN;
  who.next = 0;
  assert_int_equal(
      fg_sliced_permutations(NULL, NULL, &how, rows, 2, z, NULL, 4, deal, &who, NULL, squared, &st),
      FG_NUMERICS);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(one_by_one), cmocka_unit_test(ties_and_threads),
                                     cmocka_unit_test(level_and_power), cmocka_unit_test(refusals)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
