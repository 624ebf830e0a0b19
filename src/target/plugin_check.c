/* What can be found out about a user's functions before they are used: 16 points drawn from N(0, I), the same every
 * time; values, differences, threads. */
#define _GNU_SOURCE /* pthread_setaffinity_np */
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "target/plugin.h"
#include "target/target_impl.h"

enum { CHECK_POINTS = 16, COORDINATES = 64, CHECK_THREADS = 4, ROUNDS = 2, OVERLAPS = 1000 };
static const uint64_t check_seed = 0x666c6f77676170;
static const double most_seconds = 0.5;

/* x [points, d], score [points, d], value [points], again [threads, d], in one block from x. */
typedef struct fg_plugin_points {
  const fg_plugin *plugin;
  const char *path;
  size_t d;
  double *x, *score, *value, *again;
  atomic_size_t calls, overlaps;
  atomic_int differs; /* 1 + a point whose bits changed */
} fg_plugin_points;

typedef struct fg_plugin_thread {
  fg_plugin_points *points;
  pthread_t handle;
  size_t number;
  double *score; /* [d] */
} fg_plugin_thread;

static fg_code check_finite(fg_plugin_points *p, fg_status *st)
{
  for (size_t i = 0; i < CHECK_POINTS; i++) {
    double *x = p->x + i * p->d, *score = p->score + i * p->d;
    fg_target_normals(check_seed, FG_STREAM_TARGET, i, 0, p->d, x);
    for (size_t j = 0; j < p->d; j++) score[j] = NAN; /* so that an unwritten one is seen */
    p->value[i] = fg_plugin_call(p->plugin, (int)p->d, x, score);
    if (!isfinite(p->value[i]))
      return FG_FAIL(
          st, FG_NUMERICS,
          "%s: flowgap_log_density is %g at x_1 = %.17g (point %zu of %d, drawn from N(0, I)): it must "
          "be finite everywhere",
          p->path, p->value[i], x[0], i + 1, CHECK_POINTS);
    for (size_t j = 0; j < p->d; j++)
      if (!isfinite(score[j]))
        return FG_FAIL(
            st, FG_NUMERICS,
            "%s: flowgap_score sets component %zu to %g at x_1 = %.17g (point %zu of %d, drawn from "
            "N(0, I)): it must be finite everywhere",
            p->path, j + 1, score[j], x[0], i + 1, CHECK_POINTS);
  }
  return FG_OK;
}

/* Component j by differences of fourth order with the step that comes nearest to `claimed`: of a right score one of
 * these steps gives 1e-4, be log rho computed in single precision (rounding 1e-7 / h) or vary over lengths of 0.01
 * (truncation (h / 0.01)^4); a wrong sign, factor or term is seen with all of them. */
static double difference(const fg_plugin *plugin, size_t d, double *x, size_t j, double claimed)
{
  static const double steps[4] = {1e-2, 1e-3, 1e-4, 1e-5};
  double centre = x[j], best = INFINITY;
  for (int k = 0; k < 4; k++) {
    static const double places[4] = {1, -1, 2, -2};
    double h = steps[k] * (1 + fabs(centre)), f[4];
    for (int i = 0; i < 4; i++) {
      x[j] = centre + places[i] * h;
      f[i] = plugin->log_density(x, (int)d);
    }
    double slope = (8 * (f[0] - f[1]) - (f[2] - f[3])) / (12 * h);
    if (fabs(slope - claimed) < fabs(best - claimed)) best = slope;
  }
  x[j] = centre;
  return best;
}

/* Up to 64 coordinates of each point, others for each, so that a thousand are seen. */
static fg_code check_score(fg_plugin_points *p, fg_status *st)
{
  size_t count = p->d < COORDINATES ? p->d : COORDINATES;
  for (size_t i = 0; i < CHECK_POINTS; i++) {
    const double *score = p->score + i * p->d;
    double largest = 0;
    for (size_t j = 0; j < p->d; j++) largest = fmax(largest, fabs(score[j]));
    for (size_t k = 0; k < count; k++) {
      size_t j = (i * count + k) % p->d;
      double slope = difference(p->plugin, p->d, p->x + i * p->d, j, score[j]);
      if (!(fabs(slope - score[j]) <= 1e-4 * (1 + largest)))
        return FG_FAIL(
            st, FG_NUMERICS,
            "%s: flowgap_score is not the gradient of flowgap_log_density: component %zu is %.10g at "
            "x_1 = %.17g, by differences %.10g",
            p->path, j + 1, score[j], p->x[i * p->d], slope);
    }
  }
  return FG_OK;
}

/* The scheduler may leave young threads on one core for longer than this check takes. */
static void move_to_core(size_t number)
{
  cpu_set_t usable, one;
  if (sched_getaffinity(0, sizeof usable, &usable) != 0) return;
  number %= (size_t)CPU_COUNT(&usable);
  for (int core = 0; core < CPU_SETSIZE; core++)
    if (CPU_ISSET(core, &usable) && number-- == 0) {
      CPU_ZERO(&one);
      CPU_SET(core, &one);
      (void)pthread_setaffinity_np(pthread_self(), sizeof one, &one);
      return;
    }
}

static void *repeat(void *argument)
{
  const fg_plugin_thread *thread = argument;
  fg_plugin_points *p = thread->points;
  move_to_core(thread->number);
  double began = fg_seconds();
  for (size_t k = 0; !atomic_load(&p->differs); k++) {
    bool enough = atomic_load(&p->overlaps) >= OVERLAPS || fg_seconds() - began > most_seconds;
    if (enough && k >= ROUNDS * CHECK_POINTS) break;
    size_t i = (k + thread->number) % CHECK_POINTS, number = atomic_fetch_add(&p->calls, 1);
    double value = fg_plugin_call(p->plugin, (int)p->d, p->x + i * p->d, thread->score);
    if (atomic_load(&p->calls) != number + 1) atomic_fetch_add(&p->overlaps, 1);
    if (memcmp(&value, &p->value[i], sizeof value) != 0 ||
        memcmp(thread->score, p->score + i * p->d, p->d * sizeof(double)) != 0)
      atomic_store(&p->differs, 1 + (int)i);
  }
  return NULL;
}

/* Threads work at different points until a thousand calls have seen another begin meanwhile; on one core, or a busy
 * machine, that may take long, so half a second is the end of it. */
static fg_code check_threads(fg_plugin_points *p, fg_status *st)
{
  fg_plugin_thread thread[CHECK_THREADS];
  size_t started = 0;
  for (; started < CHECK_THREADS; started++) {
    thread[started].points = p;
    thread[started].number = started;
    thread[started].score = p->again + started * p->d;
    if (pthread_create(&thread[started].handle, NULL, repeat, &thread[started]) != 0) break;
  }
  for (size_t i = 0; i < started; i++) pthread_join(thread[i].handle, NULL);
  int found = atomic_load(&p->differs);
  if (found)
    return FG_FAIL(
        st, FG_NUMERICS,
        "%s: the same point (x_1 = %.17g) gave other bits when %d threads called at once: the functions "
        "must keep no state, such as static variables",
        p->path, p->x[(size_t)(found - 1) * p->d], CHECK_THREADS);
  if (started < CHECK_THREADS)
    return FG_FAIL(st, FG_MEMORY, "%s: cannot start %d threads to check it", p->path, CHECK_THREADS);
  return FG_OK;
}

fg_code fg_plugin_check(const fg_plugin *plugin, const char *path, size_t d, fg_status *st)
{
  fg_plugin_points p = {.plugin = plugin, .path = path, .d = d};
  p.x = malloc((CHECK_POINTS * (2 * d + 1) + CHECK_THREADS * d) * sizeof *p.x);
  if (!p.x) return FG_FAIL(st, FG_MEMORY, "no memory for %d points in %zu dimensions", CHECK_POINTS, d);
  p.score = p.x + CHECK_POINTS * d;
  p.value = p.score + CHECK_POINTS * d;
  p.again = p.value + CHECK_POINTS;
  fg_code rc = check_finite(&p, st);
  if (rc == FG_OK) rc = check_score(&p, st);
  if (rc == FG_OK) rc = check_threads(&p, st);
  free(p.x);
  return rc;
}
