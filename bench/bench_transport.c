/* needs: analysis */
/* Exact and grid W2 against POT's emd2, sliced W2 against its sliced distance along the same directions
 * (bench/peers/transport_pot.py), in one run, on the same bits.
 *
 *     bench_transport [PYTHON]        from the project's root; default /usr/bin/python3; without POT only our own
 *                                     times are printed
 *
 * Answers must agree to 1e-9. Both sides are serial; medians. */
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

enum { DIRECTIONS = 100 };

typedef struct problem {
  const char
      *kind; /* "exact": nine modes (d = 2) or one cloud; "grid": rings against a blurred shift of them */
  size_t size, dimension;
  int runs, peer_runs;
  double *data; /* exact: x then y; sliced: and directions; grid: p then q */
  size_t count;
  double seconds, spread, squared;
} problem;

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
  for (uint64_t k = 0; p->count > 2 * p->size * d && k < DIRECTIONS; k++)
    fg_direction(17, k, d, p->data + (2 * p->size + k) * d);
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

static int solve(problem *p)
{
  double seconds[32];
  fg_w2 w2;
  fg_status st;
  for (int run = -1; run < p->runs; run++) { /* one to warm up */
    fg_code rc;
    size_t half = p->count / 2;
    if (strcmp(p->kind, "exact") == 0) {
      rc = fg_w2_exact(NULL, p->size, p->size, p->dimension, p->data, NULL, p->data + half, NULL, NULL, &w2, &st);
    } else if (strcmp(p->kind, "sliced") == 0) {
      const double *y = p->data + p->size * p->dimension;
      fg_w2_sliced_settings settings = {DIRECTIONS, 0, y + p->size * p->dimension};
      fg_w2_slices slices;
      rc = fg_w2_sliced(NULL, &settings, p->size, p->size, p->dimension, p->data, NULL, y, NULL, NULL, NULL,
                        &slices, &st);
      w2 = (fg_w2){.squared = slices.squared, .seconds = slices.seconds};
    } else {
      fg_w2_grid_settings grid = {p->size, 3.5};
      rc = fg_w2_grid(&grid, p->data, p->data + half, &w2, &st);
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
      printf("%-6s %6zu d %2zu  flowgap %8.4f s  POT %8.4f s  ratio %6.2f  values differ by %.1e\n",
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

int main(int argc, char **argv)
{
  problem problems[] = {
      {"exact", 1000, 2, 5, 3, NULL, 0, 0, 0, 0},    {"exact", 2000, 2, 5, 3, NULL, 0, 0, 0, 0},
      {"exact", 4000, 2, 3, 1, NULL, 0, 0, 0, 0},    {"exact", 2000, 10, 3, 1, NULL, 0, 0, 0, 0},
      {"sliced", 100000, 2, 3, 1, NULL, 0, 0, 0, 0}, {"sliced", 100000, 10, 3, 1, NULL, 0, 0, 0, 0},
      {"grid", 64, 2, 5, 3, NULL, 0, 0, 0, 0}};
  size_t count = sizeof problems / sizeof *problems;
  char folder[] = "/tmp/flowgap-bench-XXXXXX", name[64], path[256];
  struct utsname machine;
  uname(&machine);
  printf("transport on %s %s, %s, version %s; medians, one thread\n", machine.sysname, machine.machine,
         __VERSION__, fg_version());
  if (!mkdtemp(folder)) return perror(folder), 1;
  int ok = 1;
  for (size_t k = 0; ok && k < count; k++) {
    problem *p = &problems[k];
    int points = strcmp(p->kind, "grid") != 0;
    p->count = 2 * p->size * (points ? p->dimension : p->size);
    if (strcmp(p->kind, "sliced") == 0) p->count += DIRECTIONS * p->dimension;
    p->data = malloc(p->count * sizeof *p->data);
    if (!p->data) return 1;
    if (points)
      fill_points(p);
    else
      ok = fill_histograms(p);
    ok = ok && solve(p) && write_problem(p, folder);
    if (ok)
      printf("%-6s %6zu d %2zu  %8.4f s, spread %.4f s over %d runs, W2^2 %.10g\n", p->kind, p->size,
             p->dimension, p->seconds, p->spread, p->runs, p->squared);
    fflush(stdout);
  }
  if (ok) ok = compare(problems, count, argc > 1 ? argv[1] : "/usr/bin/python3", folder);
  for (size_t k = 0; k < count; k++) {
    name_of(&problems[k], name, sizeof name);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
    free(problems[k].data);
  }
  rmdir(folder);
  return ok ? 0 : 1;
}
