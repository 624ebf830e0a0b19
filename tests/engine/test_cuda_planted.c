/* needs: kernels cuda_checked */
/* Faults planted in kernels: each is caught, and its clean twin is not. Every case runs in a process of its own. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "cuda_on_cpu/shim.h"

enum { CAUGHT = 1, UNSET = 2, CLEAN = 0, REPORT = 8192 };

/* What became of a kernel, and what it said. */
static int outcome(shim_fault kind, int fault, unsigned seed, char report[REPORT])
{
  int ends[2], status = 0;
  assert_int_equal(pipe(ends), 0);
  fflush(NULL);
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    shim_shuffle(seed);
    _exit(isnan(shim_planted(kind, fault)) ? UNSET : CLEAN);
  }
  close(ends[1]);
  size_t length = 0;
  for (ssize_t got; (got = read(ends[0], report + length, REPORT - 1 - length)) > 0;) length += (size_t)got;
  report[length] = '\0';
  close(ends[0]);
  assert_true(waitpid(child, &status, 0) == child);
  if (WIFEXITED(status) && WEXITSTATUS(status) != CLEAN && WEXITSTATUS(status) != UNSET) return CAUGHT;
  return WIFSIGNALED(status) ? CAUGHT : WEXITSTATUS(status);
}

static void is_caught(shim_fault kind, int expected, const char *text)
{
  static char report[REPORT];
  for (unsigned seed = 1; seed < 4; seed++) {
    if (outcome(kind, 0, seed, report) != CLEAN || report[0])
      fail_msg("the clean twin of fault %d is not clean: %s", (int)kind, report);
    const int got = outcome(kind, 1, seed, report);
    if (got != expected || !strstr(report, text))
      fail_msg("fault %d ended with %d, expected %d and \"%s\"; it said: %s", (int)kind, got, expected, text,
               report);
  }
}

/* Races: the checker's, or the thread sanitizer's where that is linked. Neither is there under other sanitizers. */
static void is_race(shim_fault kind, const char *text)
{
#if defined SHIM_CHECKED
  is_caught(kind, CAUGHT, text);
#elif defined __SANITIZE_THREAD__
  (void)text;
  if (kind == SHIM_RACE_OF_BLOCKS) skip(); /* blocks run one after another, in order to it */
  static char report[REPORT];
  assert_int_equal(outcome(kind, 0, 1, report), CLEAN);
  (void)outcome(kind, 1, 1, report); /* goes on after a report */
  assert_non_null(strstr(report, "data race"));
#else
  (void)kind;
  (void)text;
  skip();
#endif
}

static void test_shared(void **state)
{
  (void)state;
  is_race(SHIM_NO_BARRIER_SHARED, "kernel neighbour_kernel, block ");
  is_race(SHIM_NO_BARRIER_DYNAMIC, "kernel dynamic_kernel, block ");
}

static void test_device(void **state)
{
  (void)state;
  is_race(SHIM_NO_BARRIER_DEVICE, "between the same two barriers");
}

static void test_blocks(void **state)
{
  (void)state;
  is_race(SHIM_RACE_OF_BLOCKS, "without an order between blocks");
}

static void test_overrun(void **state)
{
  (void)state;
  is_caught(SHIM_OVERRUN, CAUGHT, "something wrote outside a piece of 1536 bytes");
  is_caught(SHIM_OVERRUN_DYNAMIC, CAUGHT, "something wrote outside the dynamic shared memory");
}

static void test_barriers(void **state)
{
  (void)state;
  is_caught(SHIM_HALF_AT_BARRIER, CAUGHT, "has ended while others wait at a barrier");
  is_caught(SHIM_OTHER_BARRIER, CAUGHT, "waits at another barrier than the block");
}

/* Tensor cores want whole warps. */
static void test_products(void **state)
{
  (void)state;
  is_caught(SHIM_HALF_MULTIPLIES, CAUGHT, "has other products than its warp");
  is_caught(SHIM_HALF_SUMS, CAUGHT, "waits at a product for others of its warp");
}

static void test_unset(void **state)
{
  (void)state;
  is_caught(SHIM_UNSET, UNSET, "");
  is_caught(SHIM_UNSET_DYNAMIC, UNSET, "");
}

/* The checker sees which device an access belongs to. */
static void test_other_device(void **state)
{
  (void)state;
#ifdef SHIM_CHECKED
  is_caught(SHIM_OTHER_DEVICE, CAUGHT, "on device 1, touched memory of device 0");
#else
  skip();
#endif
}

/* Copies that nobody waited for: streams of the shim put them off. */
static void test_waits(void **state)
{
  (void)state;
  is_caught(SHIM_EARLY, UNSET, "");
  is_caught(SHIM_LATE, UNSET, "");
}

/* Products of the wrong lanes look like numbers: an engine refuses such a device when it opens. */
static void test_lanes(void **state)
{
  (void)state;
  fg_engine *engine = NULL;
  fg_status st = {0};
  shim_other_lanes(1);
  const fg_code rc = fg_cuda_engine_open(1, &engine, &st);
  shim_other_lanes(0);
  assert_int_equal(rc, FG_UNSUPPORTED);
  assert_null(engine);
  assert_non_null(strstr(st.message, "tensor cores of device 0 do not multiply in double precision"));
  assert_non_null(strstr(st.message, "--engine cpu"));
  assert_int_equal(fg_cuda_engine_open(1, &engine, &st), FG_OK);
  fg_engine_close(&engine);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_shared),  cmocka_unit_test(test_device),       cmocka_unit_test(test_blocks),
      cmocka_unit_test(test_overrun), cmocka_unit_test(test_barriers),     cmocka_unit_test(test_products),
      cmocka_unit_test(test_unset),   cmocka_unit_test(test_other_device), cmocka_unit_test(test_waits),
      cmocka_unit_test(test_lanes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
