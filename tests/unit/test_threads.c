/* needs: base */
/* The thread pool: every task once, worker numbers that never collide, nested runs, reuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <cmocka.h>

#include "flowgap/base.h"

enum { TASKS = 20000, WORKERS = 8, INNER = 37 };
static const int counts[] = {1, 2, 5};
enum { COUNTS = sizeof counts / sizeof *counts };

typedef struct job {
  fg_threads *pool;
  int *times;                    /* [TASKS] how often each task ran; a task writes its own only */
  double *result;                /* [TASKS] */
  atomic_int inside[WORKERS];    /* tasks that run as this worker now */
  atomic_int collisions, beyond; /* must stay 0 */
  int count;
} job;

static void enter(job *j, int worker)
{
  if (worker < 0 || worker >= j->count)
    atomic_fetch_add(&j->beyond, 1);
  else if (atomic_fetch_add(&j->inside[worker], 1) != 0)
    atomic_fetch_add(&j->collisions, 1);
}

static void leave(job *j, int worker)
{
  if (worker >= 0 && worker < j->count) atomic_fetch_sub(&j->inside[worker], 1);
}

static double chaos(size_t task)
{
  double x = 0.1 + 0.8 * (double)task / TASKS;
  for (int i = 0; i < 50; i++) x = 3.9 * x * (1 - x);
  return x;
}

static void count_task(void *argument, size_t task, int worker)
{
  job *j = argument;
  enter(j, worker);
  j->times[task]++;
  j->result[task] = chaos(task);
  leave(j, worker);
}

static fg_threads *open_pool(int count)
{
  fg_threads *pool = NULL;
  fg_status st = {0};
  assert_int_equal(fg_threads_create(count, &pool, &st), FG_OK);
  assert_non_null(pool);
  return pool;
}

static job open_job(int count)
{
  job j;
  memset(&j, 0, sizeof j);
  j.pool = open_pool(count);
  j.count = count;
  j.times = calloc(TASKS, sizeof *j.times);
  j.result = calloc(TASKS, sizeof *j.result);
  assert_true(j.times && j.result);
  return j;
}

static void close_job(job *j)
{
  assert_int_equal(atomic_load(&j->collisions), 0);
  assert_int_equal(atomic_load(&j->beyond), 0);
  fg_threads_destroy(&j->pool);
  assert_null(j->pool);
  free(j->times);
  free(j->result);
}

static void test_every_task_runs_once(void **state)
{
  (void)state;
  for (int c = 0; c < COUNTS; c++) {
    job j = open_job(counts[c]);
    assert_int_equal(fg_threads_count(j.pool), counts[c]);
    for (int round = 1; round <= 3; round++) { /* a pool is used again and again */
      fg_threads_run(j.pool, TASKS, count_task, &j);
      for (size_t i = 0; i < TASKS; i++) {
        assert_int_equal(j.times[i], round);
        double expected = chaos(i);
        assert_memory_equal(&j.result[i], &expected, sizeof expected);
      }
    }
    close_job(&j);
  }
}

static void test_no_and_few_tasks(void **state)
{
  (void)state;
  for (int c = 0; c < COUNTS; c++) {
    job j = open_job(counts[c]);
    fg_threads_run(j.pool, 0, count_task, &j);
    assert_int_equal(j.times[0], 0);
    fg_threads_run(j.pool, 1, count_task, &j);
    fg_threads_run(j.pool, 2, count_task, &j);
    fg_threads_run(j.pool, 3, count_task, &j);
    assert_int_equal(j.times[0], 3);
    assert_int_equal(j.times[1], 2);
    assert_int_equal(j.times[2], 1);
    assert_int_equal(j.times[3], 0);
    close_job(&j);
  }
}

/* An inner task runs inside the outer one, so the outer's entry of its worker must be the only one. */
typedef struct nest {
  job *j;
  size_t outer;
  int worker;
  int *times; /* [INNER] */
  int strangers;
} nest;

static void inner_task(void *argument, size_t task, int worker)
{
  nest *n = argument;
  if (worker != n->worker) n->strangers++;
  n->times[task]++;
}

static void outer_task(void *argument, size_t task, int worker)
{
  job *j = argument;
  int times[INNER] = {0};
  nest n = {j, task, worker, times, 0};
  enter(j, worker);
  fg_threads_run(j->pool, INNER, inner_task, &n);
  for (int i = 0; i < INNER; i++)
    if (times[i] != 1) n.strangers++;
  if (n.strangers) atomic_fetch_add(&j->collisions, n.strangers);
  j->times[task]++;
  leave(j, worker);
}

static void test_nested_runs_keep_their_worker(void **state)
{
  (void)state;
  for (int c = 0; c < COUNTS; c++) {
    job j = open_job(counts[c]);
    fg_threads_run(j.pool, 2000, outer_task, &j);
    for (size_t i = 0; i < 2000; i++) assert_int_equal(j.times[i], 1);
    fg_threads_run(j.pool, 1, outer_task, &j);
    assert_int_equal(j.times[0], 2);
    close_job(&j);
  }
}

/* A task of one pool may use another one. */
typedef struct pair {
  fg_threads *inner;
  atomic_int ran;
} pair;

static void pair_inner(void *argument, size_t task, int worker)
{
  (void)task;
  (void)worker;
  pair *p = argument;
  atomic_fetch_add(&p->ran, 1);
}

static void pair_outer(void *argument, size_t task, int worker)
{
  (void)task;
  (void)worker;
  pair *p = argument;
  fg_threads_run(p->inner, 10, pair_inner, p);
}

static void test_two_pools(void **state)
{
  (void)state;
  fg_threads *outer = open_pool(3);
  pair p = {open_pool(2), 0};
  fg_threads_run(outer, 50, pair_outer, &p);
  assert_int_equal(atomic_load(&p.ran), 500);
  fg_threads_destroy(&p.inner);
  fg_threads_destroy(&outer);
}

/* Two threads that share a pool take turns. */
static void *drive(void *argument)
{
  job *j = argument;
  for (int i = 0; i < 50; i++) fg_threads_run(j->pool, (size_t)(i % 4), count_task, j);
  return NULL;
}

static void test_two_callers_take_turns(void **state)
{
  (void)state;
  job j = open_job(2);
  pthread_t other;
  assert_int_equal(pthread_create(&other, NULL, drive, &j), 0);
  drive(&j);
  assert_int_equal(pthread_join(other, NULL), 0);
  assert_int_equal(j.times[0], 2 * 37); /* of i = 0..49: i mod 4 >= 1 for 37, >= 2 for 24, = 3 for 12 */
  assert_int_equal(j.times[1], 2 * 24);
  assert_int_equal(j.times[2], 2 * 12);
  close_job(&j);
}

static void test_no_pool_runs_in_order(void **state)
{
  (void)state;
  int times[INNER] = {0};
  nest n = {NULL, 0, 0, times, 0};
  fg_threads_run(NULL, INNER, inner_task, &n);
  for (int i = 0; i < INNER; i++) assert_int_equal(times[i], 1);
  assert_int_equal(n.strangers, 0);
  assert_int_equal(fg_threads_count(NULL), 1);
}

static void test_counts(void **state)
{
  (void)state;
  fg_threads *pool = open_pool(0);
  assert_true(fg_threads_count(pool) >= 1);
  fg_threads_destroy(&pool);
  fg_threads_destroy(&pool); /* NULL is fine */
  fg_status st = {0};
  assert_int_equal(fg_threads_create(-1, &pool, &st), FG_USAGE);
  assert_null(pool);
  assert_non_null(strstr(st.message, "-1"));
  assert_int_equal(fg_threads_create(4097, &pool, &st), FG_USAGE);
  assert_int_equal(fg_threads_create(4097, &pool, NULL), FG_USAGE);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_task_runs_once),
      cmocka_unit_test(test_no_and_few_tasks),
      cmocka_unit_test(test_nested_runs_keep_their_worker),
      cmocka_unit_test(test_two_pools),
      cmocka_unit_test(test_two_callers_take_turns),
      cmocka_unit_test(test_no_pool_runs_in_order),
      cmocka_unit_test(test_counts),
  };
  return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
