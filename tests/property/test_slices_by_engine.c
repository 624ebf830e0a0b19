/* needs: analysis */
/* Sliced and max-sliced W2 and their permutations: the same bits without an engine as on the engine cpu, whose buffers nobody
 * else may look into; more directions than one request takes; an engine without the slots; what is reported. */
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
#include "analysis/transport/slices.h"
#include "flowgap/analysis.h"
#include "formula/random.h"

enum { N = 300, M = 170, D = 3, WAYS = 70, MANY = FG_SLICES_BATCH + 300 };

static double x[N * D], y[M * D], wx[N];

static int fill(void **unused)
{
  (void)unused;
  for (size_t i = 0; i < N * D; i++) x[i] = fg_normal(1, 1, i, 0, 0);
  for (size_t i = 0; i < M * D; i++) y[i] = 0.4 + 1.3 * fg_normal(2, 1, i, 0, 0);
  for (size_t i = 0; i < N; i++) wx[i] = 0.1 + fg_uniform(fg_philox(3, 1, i, 0, 0).w[0]);
  return 0;
}

static void deal(void *user, size_t k, unsigned char *label)
{
  (void)user;
  fg_split((fg_draw){5, FG_STREAM_PERMUTE, 1, (uint32_t)k}, N, 100 + k, N - 100 - k, label);
}

typedef struct figures {
  fg_w2_slices slices;
  fg_w2_steepest steepest;
  double direction[D], permuted[WAYS];
} figures;

static figures figures_on(fg_engine *e, const double *w)
{
  const fg_w2_sliced_settings how = {20, 4, NULL};
  const fg_w2_max_sliced_settings climb = {10, 3, 20, 4};
  fg_threads *threads = e ? fg_engine_threads(e) : NULL;
  figures f;
  fg_status st;
  memset(&f, 0, sizeof f);
  if (fg_w2_sliced(e, threads, &how, N, M, D, x, w, y, NULL, NULL, NULL, &f.slices, &st) != FG_OK ||
      fg_w2_max_sliced(e, threads, &climb, N, M, D, x, w, y, NULL, NULL, f.direction, &f.steepest, &st) !=
          FG_OK ||
      fg_sliced_permutations(e, threads, &how, N, D, x, w, WAYS, deal, NULL, NULL, f.permuted, &st) != FG_OK)
    fail_msg("%s", st.message);
  f.slices.seconds = f.steepest.seconds = 0;
  return f;
}

static void same_bits(void **unused)
{
  const char *const names[] = {"cpu", "cpu-check"};
  (void)unused;
  for (int weighted = 0; weighted < 2; weighted++) {
    const figures first = figures_on(NULL, weighted ? wx : NULL);
    for (int k = 0; k < 2; k++) {
      fg_engine *e;
      assert_int_equal(fg_engine_open(names[k], 2, &e, NULL), FG_OK);
      const figures f = figures_on(e, weighted ? wx : NULL);
      fg_engine_close(&e);
      assert_true(f.slices.squared == first.slices.squared &&
                  f.slices.standard_error == first.slices.standard_error &&
                  f.slices.max_direction == first.slices.max_direction);
      assert_true(f.steepest.squared == first.steepest.squared && f.steepest.slope == first.steepest.slope &&
                  f.steepest.steps == first.steepest.steps);
      assert_memory_equal(f.direction, first.direction, sizeof f.direction);
      assert_memory_equal(f.permuted, first.permuted, sizeof f.permuted);
    }
  }
}

typedef struct reports {
  double last, total;
  int back;
} reports;

static void note(void *user, const char *stage, double done, double total)
{
  reports *r = user;
  if (strcmp(stage, "sliced") != 0 && strcmp(stage, "max_sliced") != 0) fail_msg("stage %s", stage);
  r->back += done < r->last || done > total;
  r->last = done;
  r->total = total;
}

/* The first directions of many are those of few, and the largest is found beyond the first request too. */
static void many_directions(void **unused)
{
  static double given[MANY * D];
  enum { n = 40, m = 30, place = MANY - 5 };
  reports seen = {0, 0, 0};
  const fg_progress progress = {note, &seen, NULL};
  fg_w2_sliced_settings how = {MANY, 9, NULL};
  fg_w2_slices drawn, all, one;
  fg_w2_steepest steepest;
  double direction[D];
  (void)unused;
  for (size_t k = 0; k < MANY; k++) fg_direction(9, k, D, given + k * D);
  assert_int_equal(
      fg_w2_sliced(NULL, NULL, &how, n, m, D, x, NULL, y, NULL, &progress, direction, &drawn, NULL), FG_OK);
  assert_true(seen.last == MANY && seen.total == MANY && seen.back == 0);
  assert_memory_equal(direction, given + drawn.max_direction * D, sizeof direction);
  for (size_t k = 0; k < D; k++) given[place * D + k] *= 3; /* by far the longest */
  how.given = given;
  assert_int_equal(fg_w2_sliced(NULL, NULL, &how, n, m, D, x, NULL, y, NULL, NULL, direction, &all, NULL),
                   FG_OK);
  how.directions = 1;
  how.given = given + place * D;
  assert_int_equal(fg_w2_sliced(NULL, NULL, &how, n, m, D, x, NULL, y, NULL, NULL, NULL, &one, NULL), FG_OK);
  /* one of MANY is 9 times what it was: 8/9 of it more */
  assert_true(fabs(all.squared - drawn.squared - one.squared * 8 / 9 / MANY) < 1e-12 * all.squared);
  assert_true(all.max_direction == place && all.max_squared == one.squared);
  assert_memory_equal(direction, given + place * D, sizeof direction);
  const fg_w2_max_sliced_settings climb = {MANY, 2, 5, 9};
  seen = (reports){0, 0, 0};
  assert_int_equal(
      fg_w2_max_sliced(NULL, NULL, &climb, n, m, D, x, NULL, y, NULL, &progress, NULL, &steepest, NULL),
      FG_OK);
  assert_true(seen.last == MANY + 3 && seen.total == MANY + 3 && seen.back == 0);
  assert_true(steepest.squared >= drawn.max_squared);
}

static void engine_without(void **unused)
{
  const fg_engine_ops none = {.alloc = NULL};
  fg_engine e = {.ops = &none, .name = "plain"};
  const fg_w2_sliced_settings how = {20, 4, NULL};
  double squared[WAYS];
  fg_w2_slices slices;
  fg_status st;
  (void)unused;
  assert_int_equal(fg_w2_sliced(&e, NULL, &how, N, M, D, x, NULL, y, NULL, NULL, NULL, &slices, &st),
                   FG_UNSUPPORTED);
  assert_non_null(strstr(st.message, "engine plain cannot sort along lines"));
  assert_int_equal(
      fg_sliced_permutations(&e, NULL, &how, N, D, x, NULL, WAYS, deal, NULL, NULL, squared, &st),
      FG_UNSUPPORTED);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(same_bits),
      cmocka_unit_test(many_directions),
      cmocka_unit_test(engine_without),
  };
  return cmocka_run_group_tests(tests, fill, NULL);
}
