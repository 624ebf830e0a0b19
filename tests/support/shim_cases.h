/* What tests of the CUDA engine on the shim have in common: how much they do where each access is watched, memory and devices of
 * the shim, the order of blocks and threads, calls that fail, and arrays that are near one another. */
#ifndef FG_TESTS_SHIM_CASES_H
#define FG_TESTS_SHIM_CASES_H

#include "cuda_on_cpu/shim.h"
#include "support/engine_cases.h"

#if defined __SANITIZE_THREAD__ || defined SHIM_CHECKED
enum { SLOW = 1, PRECISIONS = 1 };
#else
enum { SLOW = 0, PRECISIONS = 2 };
#endif

enum { PLENTY = 1 << 30 }; /* bytes of a device of the shim */

/* ---- numbers ------------------------------------------------------------------------------------------- */

/* |a - b| <= most times the largest |b|, and all of them are finite. */
static inline void near_all(const double *a, const double *b, size_t n, double most, const char *what)
{
  double scale = 0, off = 0;
  for (size_t i = 0; i < n; i++) {
    if (!isfinite(a[i]) || !isfinite(b[i])) fail_msg("%s: number %zu is %g, not %g", what, i, a[i], b[i]);
    scale = fmax(scale, fabs(b[i]));
    off = fmax(off, fabs(a[i] - b[i]));
  }
  if (!(off <= most * scale)) fail_msg("%s: differ by %g of %g", what, off, scale);
}

/* ---- order ---------------------------------------------------------------------------------------------- */

typedef void recorded_run(const void *what, record *out);

/* The same bits in so many orders of blocks and threads: a barrier that is missing would change some. */
static inline void same_in_any_order(recorded_run *run, const void *what, unsigned orders)
{
  static record first, other;
  shim_shuffle(1);
  run(what, &first);
  for (unsigned seed = 2; seed <= orders; seed++) {
    shim_shuffle(seed);
    run(what, &other);
    record_compare(&other, &first, 0);
    record_free(&other);
  }
  record_free(&first);
}

/* ---- devices and memory --------------------------------------------------------------------------------- */

static long copies_between; /* devices, before a run */

/* Engines that are opened from now on have so many devices. */
static inline void begin_on(int devices)
{
  shim_devices(devices, PLENTY);
  copies_between = shim_calls("cudaMemcpyPeerAsync");
}

/* More devices took part, and one alone has nobody to copy from. */
static inline void took_part(int devices)
{
  assert_true((shim_calls("cudaMemcpyPeerAsync") > copies_between) == (devices > 1));
}

static int refused = -1; /* the allocation of the next call that finds no memory, by number */

static inline void refuse_begin(void)
{
  if (refused >= 0) shim_fail_times("cudaMalloc", 2, refused, 2); /* asked again after a clearing up */
}

static inline void refuse_end(void)
{
  shim_fail_times("cudaMalloc", 0, 0, 0);
}

/* ---- what fails ------------------------------------------------------------------------------------------ */

static inline void fails(fg_code code, const fg_status *st, fg_code expected, const char *part)
{
  assert_int_equal(code, expected);
  if (!strstr(st->message, part) || !strstr(st->message, "--engine cpu"))
    fail_msg("the message is \"%s\": \"%s\" and a remedy were expected", st->message, part);
}

typedef struct fault {
  const char *call, *said;
  int error, after; /* the number of the error, and how many calls go well before it */
  fg_code code;     /* FG_OK: the slot finds another way */
} fault;

typedef fg_code faulty_call(void *what, fg_status *st);

/* With each fault in turn the call says what failed and leaves nothing behind, and the next one goes well. */
static inline void faults_are_told(const fault *faults, size_t count, faulty_call *call, void *what)
{
  MUST(call(what, ST));
  const long live = shim_live(), graphs = shim_graphs();
  for (size_t k = 0; k < count; k++) {
    fg_status st = {0};
    shim_fail_after(faults[k].call, faults[k].error, faults[k].after);
    const fg_code rc = call(what, &st);
    if (faults[k].code == FG_OK)
      assert_int_equal(rc, FG_OK);
    else
      fails(rc, &st, faults[k].code, faults[k].said);
    assert_true(shim_live() <= live); /* a handle that failed is not kept */
    assert_int_equal(shim_graphs(), graphs);
    MUST(call(what, ST));
    assert_int_equal(shim_live(), live);
  }
}

/* ---- reports --------------------------------------------------------------------------------------------- */

static double reported;

/* As fg_progress has it; user: the name of the stage. */
static inline void note(void *user, const char *stage, double done, double total)
{
  assert_string_equal(stage, (const char *)user);
  assert_true(done > reported && done <= total);
  reported = done;
}

#endif
