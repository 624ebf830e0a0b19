/* needs: analysis */
/* Exact and grid W2 against POT's emd2, sliced W2 against its sliced distance along the same directions
 * (bench/peers/transport_pot.py), in one run, on the same bits; larger problems, which POT cannot hold, alone.
 *
 *     bench_transport [THREADS [PYTHON]]     from the project's root; default 1 and /usr/bin/python3; without POT
 *                                            only our own times are printed
 *
 * Answers must agree to 1e-9. POT is serial and holds a matrix: 10,000 points take it 5 GB and a minute. Medians. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "analysis/statistics.h"
#include "flowgap/flowgap.h"
#include "formula/random.h"
#include "timing.h"

enum { DIRECTIONS = 100 };

typedef struct problem {
  const char
      *kind; /* "exact", "weighted": nine modes (d = 2) or one cloud; "sliced": the same along directions;
                       "grid": two rings against others; "smooth": densities that fill the grid */
  size_t size, dimension;
  int runs, peer_runs;
  double *data; /* points: x then y, then weights or directions; histograms: p then q */
  size_t count;
  double seconds, spread, squared;
} problem;

static int is(const problem *p, const char *kind)
{
  return strcmp(p->kind, kind) == 0;
}

static int is_grid(const problem *p)
{
  return is(p, "grid") || is(p, "smooth");
}

static int by_value(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void fill_points(problem *p)
{
  size_t d = p->dimension;
  for (size_t i = 0; i < 2 * p->size; i++) {
    fg_words mode = fg_philox(17, 1, i, 0, 0);
    for (size_t k = 0; k < d; k++)
      p->data[i * d + k] = fg_normal(17, 2, i, 0, (uint32_t)k) * (d == 2 ? sqrt(0.3) : 1) +
                           (d == 2 ? 5.0 * (mode.w[k] % 3) : 0);
  }
  double *rest = p->data + 2 * p->size * d;
  for (uint64_t k = 0; is(p, "sliced") && k < DIRECTIONS; k++) fg_direction(17, k, d, rest + k * d);
  for (uint64_t i = 0; is(p, "weighted") && i < 2 * p->size; i++)
    rest[i] = fg_uniform(fg_philox(17, 3, i, 0, 0).w[0]);
}

/* Two rings of 3e5 points each side, as the published comparisons have them. */
static int fill_histograms(problem *p)
{
  enum { ROWS = 300000 };
  double *x = malloc(2 * ROWS * sizeof *x);
  size_t outside;
  fg_w2_grid_settings grid = {p->size, 3.5};
  int ok = x != NULL;
  for (uint64_t side = 0; ok && side < 2; side++) {
    for (uint64_t i = 0; i < ROWS; i++) {
      fg_words words = fg_philox(23 + side, 1, i, 0, 0);
      double radius =
          (words.w[0] % 2 ? 2.8 : 1.3) + (0.2 + 0.03 * (double)side) * fg_normal(23 + side, 2, i, 0, 0);
      double angle = 2 * FG_PI * fg_uniform(words.w[1]);
      x[2 * i] = radius * cos(angle);
      x[2 * i + 1] = radius * sin(angle);
    }
    ok = fg_histogram2(&grid, ROWS, x, NULL, p->data + side * p->size * p->size, &outside, NULL) == FG_OK;
  }
  free(x);
  return ok;
}

/* Mixtures of broad Gaussians: no bin is empty, no two masses are alike. */
static void fill_densities(problem *p)
{
  for (size_t k = 0; k < p->size * p->size; k++) {
    double x = 7.0 * (double)(k / p->size) / (double)(p->size - 1) - 3.5;
    double y = 7.0 * (double)(k % p->size) / (double)(p->size - 1) - 3.5;
    p->data[k] = 1e-12 + exp(-x * x / 0.8 - (y + 0.2) * (y + 0.2) / 1.4) +
                 0.3 * exp(-((x - 1) * (x - 1) + (y + 1) * (y + 1)) / 0.4);
    p->data[p->size * p->size + k] = 1e-12 + exp(-(x - 0.7) * (x - 0.7) / 1.1 - y * y / 0.8) +
                                     0.5 * exp(-(x + 2) * (x + 2) / 0.5 - (y - 1) * (y - 1));
  }
}

static int fill(problem *p)
{
  p->count = 2 * p->size * (is_grid(p) ? p->size : p->dimension);
  if (is(p, "sliced")) p->count += DIRECTIONS * p->dimension;
  if (is(p, "weighted")) p->count += 2 * p->size;
  p->data = malloc(p->count * sizeof *p->data);
  if (!p->data) return 0;
  if (is(p, "grid")) return fill_histograms(p);
  if (is(p, "smooth"))
    fill_densities(p);
  else
    fill_points(p);
  return 1;
}

static int solve(problem *p, fg_threads *threads)
{
  double seconds[32];
  fg_w2 w2;
  fg_status st;
  const double *y = p->data + p->size * p->dimension, *rest = y + p->size * p->dimension;
  for (int run = p->runs > 1 ? -1 : 0; run < p->runs; run++) { /* one to warm up */
    fg_code rc;
    if (is_grid(p)) {
      fg_w2_grid_settings grid = {p->size, 3.5};
      rc = fg_w2_grid(NULL, threads, &grid, p->data, p->data + p->count / 2, NULL, &w2, &st);
    } else if (is(p, "sliced")) {
      fg_w2_sliced_settings settings = {DIRECTIONS, 0, rest};
      fg_w2_slices slices;
      rc = fg_w2_sliced(NULL, threads, &settings, p->size, p->size, p->dimension, p->data, NULL, y, NULL,
                        NULL, NULL, &slices, &st);
      w2 = (fg_w2){.squared = slices.squared, .seconds = slices.seconds};
    } else {
      const double *wx = is(p, "weighted") ? rest : NULL, *wy = wx ? rest + p->size : NULL;
      rc = fg_w2_exact(NULL, threads, p->size, p->size, p->dimension, p->data, wx, y, wy, NULL, &w2, &st);
    }
    if (rc != FG_OK) {
      fprintf(stderr, "%s %zu: %s\n", p->kind, p->size, st.message);
      return 0;
    }
    if (run >= 0) seconds[run] = w2.seconds;
  }
  qsort(seconds, (size_t)p->runs, sizeof *seconds, by_value);
  p->seconds = seconds[p->runs / 2];
  p->spread = seconds[p->runs - 1] - seconds[0];
  p->squared = w2.squared;
  return 1;
}

static void name_of(const problem *p, char *name, size_t room)
{
  snprintf(name, room, "%s-%zu-%zu-%d-", p->kind, p->size, p->dimension, p->peer_runs);
}

static int write_problem(const problem *p, const char *folder)
{
  char name[64], path[256];
  name_of(p, name, sizeof name);
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "wb");
  if (!file) return 0;
  size_t written = fwrite(p->data, sizeof *p->data, p->count, file);
  return fclose(file) == 0 && written == p->count;
}

/* Lines "name seconds squared" from the peer; prints the table's right half. */
static int compare(problem *problems, size_t count, const char *python, const char *folder)
{
  char command[1024], name[64], line[256];
  snprintf(command, sizeof command, "%s bench/peers/transport_pot.py '%s'", python, folder);
  FILE *peer = popen(command, "r");
  int lines = 0, ok = 1;
  while (peer && fgets(line, sizeof line, peer)) {
    char got[64];
    double seconds, squared;
    if (sscanf(line, "%63s %lf %lf", got, &seconds, &squared) != 3) continue;
    for (size_t k = 0; k < count; k++) {
      name_of(&problems[k], name, sizeof name);
      if (strcmp(name, got) != 0) continue;
      lines++;
      double off = fabs(squared / problems[k].squared - 1);
      printf("%-8s %6zu d %2zu  flowgap %8.4f s  POT %8.4f s  ratio %6.2f  values differ by %.1e\n",
             problems[k].kind, problems[k].size, problems[k].dimension, problems[k].seconds, seconds,
             seconds / problems[k].seconds, off);
      ok = ok && off < 1e-9;
    }
  }
  if (peer) pclose(peer);
  if (lines == 0)
    printf("no ratios: %s has no POT (Debian: python3-pot), or this is not the project's root\n", python);
  return ok;
}

static problem problems[] = {
    /* smaller first: memory is the largest so far */
    {.kind = "exact", .size = 1000, .dimension = 2, .runs = 5, .peer_runs = 3},
    {.kind = "exact", .size = 4000, .dimension = 2, .runs = 3, .peer_runs = 1},
    {.kind = "weighted", .size = 4000, .dimension = 2, .runs = 3, .peer_runs = 1},
    {.kind = "exact", .size = 4000, .dimension = 10, .runs = 3, .peer_runs = 1},
    {.kind = "exact", .size = 10000, .dimension = 2, .runs = 3, .peer_runs = 1},
    {.kind = "exact", .size = 10000, .dimension = 10, .runs = 1, .peer_runs = 1},
    {.kind = "sliced", .size = 100000, .dimension = 2, .runs = 3, .peer_runs = 1},
    {.kind = "sliced", .size = 100000, .dimension = 10, .runs = 3, .peer_runs = 1},
    {.kind = "grid", .size = 64, .dimension = 2, .runs = 5, .peer_runs = 3},
    {.kind = "smooth", .size = 64, .dimension = 2, .runs = 5, .peer_runs = 1},
    {.kind = "grid", .size = 128, .dimension = 2, .runs = 3},
    {.kind = "smooth", .size = 128, .dimension = 2, .runs = 3},
    {.kind = "grid", .size = 256, .dimension = 2, .runs = 1},
    {.kind = "smooth", .size = 256, .dimension = 2, .runs = 1},
    {.kind = "exact", .size = 30000, .dimension = 10, .runs = 1},
    {.kind = "exact", .size = 100000, .dimension = 2, .runs = 1},
    {.kind = "weighted", .size = 100000, .dimension = 2, .runs = 1}};

int main(int argc, char **argv)
{
  size_t count = sizeof problems / sizeof *problems;
  char folder[] = "/tmp/flowgap-bench-XXXXXX", name[64], path[256];
  struct utsname machine;
  fg_threads *threads;
  fg_status st;
  if (fg_threads_create(argc > 1 ? atoi(argv[1]) : 1, &threads, &st) != FG_OK)
    return fprintf(stderr, "%s\n", st.message), 1;
  uname(&machine);
  printf("transport on %s %s, %s, version %s; medians, %d threads\n", machine.sysname, machine.machine,
         __VERSION__, fg_version(), fg_threads_count(threads));
  if (!mkdtemp(folder)) return perror(folder), 1;
  int ok = 1;
  for (size_t k = 0; ok && k < count; k++) {
    problem *p = &problems[k];
    ok = fill(p) && solve(p, threads) && (p->peer_runs == 0 || write_problem(p, folder));
    if (ok)
      printf("%-8s %6zu d %2zu  %8.4f s, spread %.4f s over %d runs, W2^2 %.10g, %.0f MiB\n", p->kind,
             p->size, p->dimension, p->seconds, p->spread, p->runs, p->squared, bench_resident());
    fflush(stdout);
    free(p->data);
    p->data = NULL;
  }
  if (ok) ok = compare(problems, count, argc > 2 ? argv[2] : "/usr/bin/python3", folder);
  for (size_t k = 0; k < count; k++) {
    name_of(&problems[k], name, sizeof name);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
  }
  rmdir(folder);
  fg_threads_destroy(&threads);
  return ok ? 0 : 1;
}
