/* needs: analysis */
/* Sinkhorn against POT's log-domain Sinkhorn (bench/peers/sinkhorn_pot.py), in one run, on the same bits.
 *
 *     bench_sinkhorn [PYTHON]        from the project's root; default /usr/bin/python3; without POT only our own times
 *     bench_sinkhorn large           50,000 rows of each side, debiased, tolerance 1e-6, all threads; no peer
 *
 * Two clouds; plain <c, P>; marginal error 1e-9 (summed here, in Euclidean norm there). Costs must agree to 1e-6 (the error of a marginal times the costs). Both
 * sides are serial; processor time, of ours the median. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flowgap/flowgap.h"
#include "formula/random.h"
#include "timing.h"

typedef struct problem {
  size_t size, dimension;
  int euclidean;
  double epsilon;
  double *data; /* x, then y */
  double cost;
  bench_timing timing;
} problem;

static double *clouds(size_t n, size_t d)
{
  double *data = malloc(2 * n * d * sizeof *data);
  for (size_t i = 0; data && i < 2 * n; i++)
    for (size_t k = 0; k < d; k++)
      data[i * d + k] = fg_normal(29, 1, i, 0, (uint32_t)k) * (i < n ? 1 : 1.2) + (i < n ? 0 : 0.5);
  return data;
}

static int solve(fg_engine *engine, problem *p)
{
  enum { RUNS = 3 };
  bench_times times = {.count = 0};
  fg_sinkhorn_settings s;
  fg_sinkhorn r;
  fg_status st;
  const double *y = p->data + p->size * p->dimension;
  fg_sinkhorn_defaults(p->euclidean ? FG_COST_EUCLIDEAN : FG_COST_SQUARED, &s);
  s.debiased = false;
  s.epsilon = p->epsilon;
  s.tolerance = 1e-9;
  for (int run = 0; run < RUNS; run++) {
    bench_start(&times);
    if (fg_w2_sinkhorn(engine, NULL, &s, p->size, p->size, p->dimension, p->data, NULL, y, NULL, NULL, &r,
                       &st) != FG_OK)
      return fprintf(stderr, "%s\n", st.message), 0;
    bench_stop(&times);
  }
  p->timing = bench_summary(&times);
  p->cost = p->euclidean ? r.value : r.squared;
  printf("%6zu d %2zu %s epsilon %-6g %8.4f s, processor %8.4f s, %4zu iterations, cost %.10g\n", p->size,
         p->dimension, p->euclidean ? "|x - y|  " : "|x - y|^2", p->epsilon, p->timing.median,
         p->timing.processor, r.iterations, p->cost);
  fflush(stdout);
  return 1;
}

static void name_of(const problem *p, char *name, size_t room)
{
  snprintf(name, room, "%zu_%zu_%d_%g", p->size, p->dimension, p->euclidean, p->epsilon);
}

static int write_problem(const problem *p, const char *folder)
{
  char name[64], path[256];
  const size_t count = 2 * p->size * p->dimension;
  name_of(p, name, sizeof name);
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "wb");
  if (!file) return 0;
  const size_t written = fwrite(p->data, sizeof *p->data, count, file);
  return fclose(file) == 0 && written == count;
}

static int compare(const problem *problems, size_t count, const char *python, const char *folder)
{
  char command[1024], name[64], line[256], got[64];
  snprintf(command, sizeof command, "%s bench/peers/sinkhorn_pot.py '%s'", python, folder);
  FILE *peer = popen(command, "r");
  int lines = 0, ok = 1;
  while (peer && fgets(line, sizeof line, peer)) {
    double seconds, cost;
    if (sscanf(line, "%63s %lf %lf", got, &seconds, &cost) != 3) continue;
    for (size_t k = 0; k < count; k++) {
      name_of(&problems[k], name, sizeof name);
      if (strcmp(name, got) != 0) continue;
      const double off = fabs(cost / problems[k].cost - 1);
      lines++;
      printf("%s  flowgap %8.4f s  POT %8.4f s  ratio %6.1f  costs differ by %.1e\n", name,
             problems[k].timing.processor, seconds, seconds / problems[k].timing.processor, off);
      ok = ok && off < 1e-6;
    }
  }
  if (peer) pclose(peer);
  if (lines == 0)
    printf("no ratios: %s has no POT (Debian: python3-pot), or this is not the project's root\n", python);
  return ok;
}

static int large(void)
{
  enum { ROWS = 50000 };
  fg_engine *engine;
  fg_sinkhorn_settings s;
  fg_sinkhorn r;
  fg_status st;
  double *data = clouds(ROWS, 2);
  const double used = bench_clock(CLOCK_PROCESS_CPUTIME_ID);
  fg_sinkhorn_defaults(FG_COST_SQUARED, &s);
  if (!data || fg_engine_open("cpu", 0, &engine, &st) != FG_OK) return 1;
  if (fg_w2_sinkhorn(engine, fg_engine_threads(engine), &s, ROWS, ROWS, 2, data, NULL, data + 2 * ROWS, NULL,
                     NULL, &r, &st) != FG_OK)
    return fprintf(stderr, "%s\n", st.message), 1;
  printf("%d d 2, debiased, epsilon %g: %.1f s, processor %.1f s, %d threads, %zu iterations, marginal error "
         "%.1e, "
         "squared %.8g, %.0f MiB\n",
         ROWS, r.epsilon, r.seconds, bench_clock(CLOCK_PROCESS_CPUTIME_ID) - used,
         fg_threads_count(fg_engine_threads(engine)), r.iterations, r.marginal_error, r.squared,
         bench_resident());
  fg_engine_close(&engine);
  free(data);
  return 0;
}

int main(int argc, char **argv)
{
  problem problems[] = {{.size = 2000, .dimension = 2, .epsilon = 0.25},
                        {.size = 2000, .dimension = 10, .epsilon = 1},
                        {.size = 2000, .dimension = 2, .euclidean = 1, .epsilon = 0.1}};
  const size_t count = sizeof problems / sizeof *problems;
  char folder[] = "/tmp/flowgap-bench-XXXXXX", name[64], path[256];
  fg_engine *engine;
  fg_status st;
  if (argc > 1 && strcmp(argv[1], "large") == 0) return large();
  if (fg_engine_open("cpu", 1, &engine, &st) != FG_OK) return fprintf(stderr, "%s\n", st.message), 1;
  if (!mkdtemp(folder)) return perror(folder), 1;
  printf("Sinkhorn, engine cpu (%s), version %s; one thread, processor time\n", fg_engine_isa(engine),
         fg_version());
  int ok = 1;
  for (size_t k = 0; ok && k < count; k++) {
    problems[k].data = clouds(problems[k].size, problems[k].dimension);
    ok = problems[k].data && solve(engine, &problems[k]) && write_problem(&problems[k], folder);
  }
  if (ok) ok = compare(problems, count, argc > 1 ? argv[1] : "/usr/bin/python3", folder);
  for (size_t k = 0; k < count; k++) {
    name_of(&problems[k], name, sizeof name);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
    free(problems[k].data);
  }
  rmdir(folder);
  fg_engine_close(&engine);
  return ok ? 0 : 1;
}
