/* A fixed pool of pthreads that take task numbers from a shared counter. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "flowgap/base.h"

typedef struct fg_worker {
  fg_threads *pool;
  int index;
  pthread_t thread;
} fg_worker;

struct fg_threads {
  int count;   /* workers, the caller included */
  int started; /* threads that exist */
  fg_worker *workers;
  pthread_mutex_t lock; /* guards what follows */
  pthread_cond_t wake, finished;
  pthread_mutex_t caller; /* one run at a time */
  unsigned long generation;
  int busy;
  bool stop;
  fg_task *task;
  void *argument;
  size_t tasks;
  atomic_size_t next;
};

/* The pool whose task this thread is running, and as which worker: a nested run goes serial instead of
 * deadlocking, and keeps the worker's number, so that no two tasks share it. */
static _Thread_local const fg_threads *fg_inside;
static _Thread_local int fg_inside_worker;

static void fg_threads_work(fg_threads *pool, int worker)
{
  const fg_threads *outer = fg_inside;
  int outer_worker = fg_inside_worker;
  fg_inside = pool;
  fg_inside_worker = worker;
  for (size_t i; (i = atomic_fetch_add(&pool->next, 1)) < pool->tasks;) pool->task(pool->argument, i, worker);
  fg_inside = outer;
  fg_inside_worker = outer_worker;
}

static void *fg_threads_main(void *argument)
{
  fg_worker *worker = argument;
  fg_threads *pool = worker->pool;
  unsigned long seen = 0;
  pthread_mutex_lock(&pool->lock);
  for (;;) {
    while (!pool->stop && pool->generation == seen) pthread_cond_wait(&pool->wake, &pool->lock);
    if (pool->stop) break;
    seen = pool->generation;
    pthread_mutex_unlock(&pool->lock);
    fg_threads_work(pool, worker->index);
    pthread_mutex_lock(&pool->lock);
    if (--pool->busy == 0) pthread_cond_signal(&pool->finished);
  }
  pthread_mutex_unlock(&pool->lock);
  return NULL;
}

static int fg_usable_cores(void)
{
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n > 0 ? (int)n : 1;
}

fg_code fg_threads_create(int count, fg_threads **out, fg_status *st)
{
  *out = NULL;
  if (count < 0 || count > 4096)
    return FG_FAIL(st, FG_USAGE, "threads is %d: give 1 to 4096, or 0 for all cores", count);
  if (count == 0) count = fg_usable_cores();
  fg_threads *pool = calloc(1, sizeof *pool);
  if (!pool) return FG_FAIL(st, FG_MEMORY, "no memory for a thread pool");
  pool->count = count;
  pool->workers = calloc((size_t)count, sizeof *pool->workers);
  pthread_mutex_init(&pool->lock, NULL);
  pthread_mutex_init(&pool->caller, NULL);
  pthread_cond_init(&pool->wake, NULL);
  pthread_cond_init(&pool->finished, NULL);
  bool ok = pool->workers != NULL;
  for (int i = 1; ok && i < count; i++) {
    pool->workers[i] = (fg_worker){pool, i, 0};
    ok = pthread_create(&pool->workers[i].thread, NULL, fg_threads_main, &pool->workers[i]) == 0;
    if (ok) pool->started++;
  }
  if (!ok) {
    fg_threads_destroy(&pool);
    return FG_FAIL(st, FG_MEMORY, "cannot start %d threads: ask for fewer with --threads", count);
  }
  *out = pool;
  return FG_OK;
}

void fg_threads_destroy(fg_threads **out)
{
  fg_threads *pool = *out;
  if (!pool) return;
  pthread_mutex_lock(&pool->lock);
  pool->stop = true;
  pthread_cond_broadcast(&pool->wake);
  pthread_mutex_unlock(&pool->lock);
  for (int i = 1; i <= pool->started; i++) pthread_join(pool->workers[i].thread, NULL);
  pthread_cond_destroy(&pool->finished);
  pthread_cond_destroy(&pool->wake);
  pthread_mutex_destroy(&pool->caller);
  pthread_mutex_destroy(&pool->lock);
  free(pool->workers);
  free(pool);
  *out = NULL;
}

int fg_threads_count(const fg_threads *pool)
{
  return pool ? pool->count : 1;
}

void fg_threads_run(fg_threads *pool, size_t tasks, fg_task *task, void *argument)
{
  if (!pool || fg_inside == pool) {
    int worker = pool ? fg_inside_worker : 0;
    for (size_t i = 0; i < tasks; i++) task(argument, i, worker);
    return;
  }
  pthread_mutex_lock(&pool->caller);
  pthread_mutex_lock(&pool->lock);
  pool->task = task;
  pool->argument = argument;
  pool->tasks = tasks;
  atomic_store(&pool->next, 0);
  if (tasks > 1) { /* one task is not worth waking the others */
    pool->busy = pool->started;
    pool->generation++;
    pthread_cond_broadcast(&pool->wake);
  }
  pthread_mutex_unlock(&pool->lock);
  fg_threads_work(pool, 0);
  pthread_mutex_lock(&pool->lock);
  while (pool->busy) pthread_cond_wait(&pool->finished, &pool->lock);
  pthread_mutex_unlock(&pool->lock);
  pthread_mutex_unlock(&pool->caller);
}
