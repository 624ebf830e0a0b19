/* needs: analysis */
/* MMD, energy distance and 100 permutations of them, against whole matrices of SciPy's cdist
 * (bench/peers/kernel_scipy.py), in one run, on the same bits.
 *
 *     bench_kernel_distance [PYTHON [ROWS]]     from the project's root; default /usr/bin/python3, and 4000 rows of each
 *                                               side; without SciPy only our own times are printed
 *
 * Answers must agree to 1e-12. Both sides in one thread; medians of processor time, except the peer's (by its clock). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/statistics.h"
#include "analysis/transport/kernel_distance.h"
#include "flowgap/flowgap.h"
#include "formula/random.h"
#include "timing.h"

enum { RUNS = 3, WAYS = 100, KINDS = 2 };
static const char *const kinds[KINDS] = {"mmd", "energy"};

typedef struct result {
  double value, seconds, permuted; /* of one distance; of the permutations */
} result;

static void deal(void *user, size_t k, unsigned char *label)
{
  const size_t rows = *(const size_t *)user;
  fg_split((fg_draw){1, FG_STREAM_PERMUTE, 0, (uint32_t)k}, 2 * rows, rows, rows, label);
}

static fg_code measure(fg_engine *engine, int kind, size_t n, size_t d, double h, const double *rows,
                       result *to, fg_status *st)
{
  bench_times alone = {0}, all = {0};
  fg_kernel_distance got;
  double squared[WAYS];
  size_t user = n;
  for (int run = 0; run < RUNS; run++) {
    bench_start(&alone);
    if (kind == 0)
      FG_TRY(fg_mmd(engine, NULL, h, n, n, d, rows, NULL, rows + n * d, NULL, NULL, &got, st));
    else
      FG_TRY(fg_energy(engine, NULL, n, n, d, rows, NULL, rows + n * d, NULL, NULL, &got, st));
    bench_stop(&alone);
    bench_start(&all);
    FG_TRY(fg_kernel_permutations(engine, NULL, kind == 0 ? h : NAN, 2 * n, d, rows, NULL, WAYS, deal, &user,
                                  NULL, squared, st));
    bench_stop(&all);
  }
  *to = (result){got.squared, bench_summary(&alone).processor, bench_summary(&all).processor};
  return FG_OK;
}

/* Prints the ratios; false where the values differ. */
static int beside_peer(const char *python, size_t n, size_t d, double h, const double *rows,
                       const result *own)
{
  char path[] = "/tmp/flowgap-bench-XXXXXX", command[512], line[256];
  const int file = mkstemp(path);
  const size_t bytes = 2 * n * d * sizeof *rows;
  int ok = file >= 0 && write(file, rows, bytes) == (ssize_t)bytes, lines = 0;
  if (file >= 0) close(file);
  snprintf(command, sizeof command, "%s bench/peers/kernel_scipy.py %s %zu %zu %.17g %d", python, path, n, d,
           h, RUNS);
  FILE *peer = ok ? popen(command, "r") : NULL;
  while (peer && fgets(line, sizeof line, peer)) {
    char kind[64];
    double seconds, value;
    if (sscanf(line, "%63s %lf %lf", kind, &seconds, &value) != 3) continue;
    for (int k = 0; k < KINDS; k++) {
      if (strcmp(kind, kinds[k]) != 0) continue;
      const double off = fabs(value - own[k].value);
      printf("%-6s %6zu d %2zu  flowgap %8.4f s  SciPy %8.4f s  ratio %6.1f  values differ by %.1e\n", kind,
             n, d, own[k].seconds, seconds, seconds / own[k].seconds, off);
      ok = ok && off < 1e-12;
      lines++;
    }
  }
  if (peer) pclose(peer);
  unlink(path);
  if (lines == 0) printf("no ratios: %s has no SciPy, or this is not the project's root\n", python);
  return ok;
}

int main(int argc, char **argv)
{
  const char *python = argc > 1 ? argv[1] : "/usr/bin/python3";
  const size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : 4000, dimensions[] = {2, 10};
  fg_engine *engine = NULL;
  fg_status st;
  int ok = fg_engine_open("cpu", 1, &engine, &st) == FG_OK;
  for (size_t k = 0; ok && k < 2; k++) {
    const size_t d = dimensions[k];
    double *rows = malloc(2 * n * d * sizeof *rows), h = 0;
    result own[KINDS] = {{0, 0, 0}, {0, 0, 0}};
    if (!rows) return 1;
    for (size_t i = 0; i < 2 * n * d; i++) rows[i] = fg_normal(17, 1, i, 0, 0) * (i < n * d ? 1 : 1.1);
    ok = fg_median_distance(n, n, d, rows, NULL, rows + n * d, NULL, &h, &st) == FG_OK;
    for (int kind = 0; ok && kind < KINDS; kind++) {
      ok = measure(engine, kind, n, d, h, rows, &own[kind], &st) == FG_OK;
      if (ok)
        printf("%-6s %6zu d %2zu  %8.4f s, %d permutations %8.4f s, %s\n", kinds[kind], n, d,
               own[kind].seconds, WAYS, own[kind].permuted, fg_engine_isa(engine));
    }
    if (!ok) fprintf(stderr, "%s\n", st.message);
    ok = ok && beside_peer(python, n, d, h, rows, own);
    free(rows);
  }
  fg_engine_close(&engine);
  return ok ? 0 : 1;
}
