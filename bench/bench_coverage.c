/* needs: analysis */
/* How often the 90 % intervals of every estimator hold the distance of two Gaussian laws (docs/distances.md has the
 * table).
 *
 *     bench_coverage ESTIMATOR DIMENSION ROWS ROUNDS [OFFSET [gaussian|clusters|tails [EPSILON]]]
 *
 * The seeds of the rounds begin at OFFSET (0: those by which the rule was found). Clusters and tails are laws of which
 * the distances of translations and blow-ups are known. EPSILON (of sinkhorn and entropic) times the dimension is that of the
 * transport: 0.2 if it is not given; of entropic 0.2 and 0.05 are known.
 * One line per pair of laws: squared distance, mean square and floor of the estimator, extrapolated square (mean and
 * spread), how many intervals held it, how many lay above and below, mean p-value below 0.05. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowgap/flowgap.h"
#include "tests/support/shaped_case.h"

typedef struct tally {
  double squared, floor, extrapolated, extrapolated2, se, rate;
  int held, above, below, seen;
} tally;

static void add(tally *t, const fg_estimate *e, double truth)
{
  double low = e->ci_low * e->ci_low, high = e->ci_high * e->ci_high;
  t->squared += e->squared;
  t->floor += e->floor * e->floor;
  t->extrapolated += e->extrapolated;
  t->extrapolated2 += e->extrapolated * e->extrapolated;
  t->se += e->extrapolated_se;
  t->rate += e->extrapolation_rate;
  t->above += low > truth * (1 + 1e-12);
  t->below += high < truth * (1 - 1e-12);
  t->held += !(low > truth * (1 + 1e-12)) && !(high < truth * (1 - 1e-12));
  t->seen += e->p_value <= 0.05;
}

typedef struct course {
  size_t d, n;
  uint64_t rounds, offset;
  shaped_law law;
  double epsilon;
} course;

static const char *const laws[] = {"gaussian", "clusters", "tails"};

static int study(fg_engine *engine, fg_estimator estimator, const gaussian_case *c, const course *how)
{
  size_t d = how->d, n = how->n;
  fg_estimate_settings s;
  fg_estimate e;
  fg_status st;
  tally t = {0};
  double *x = malloc(2 * n * d * sizeof *x);
  fg_estimate_defaults(estimator, &s);
  s.permutations = 0;
  s.grid.bins = 29; /* nodes half apart */
  s.grid.half_width = 7;
  s.epsilon = how->epsilon * (double)d;
  s.tolerance = 1e-5; /* entropic: the cost to 1e-4 */
  s.bandwidth = sqrt(2 * (double)d);
  double truth = shaped_truth(how->law, c, &s, d);
  for (uint64_t r = how->offset; x && r < how->offset + how->rounds && isfinite(truth); r++) {
    shaped_draw(how->law, c, 1000000 * (uint64_t)d + r, n, d, x, x + n * d);
    s.seed = r;
    if (fg_estimate_w2(engine, &s, n, n, d, x, NULL, x + n * d, NULL, NULL, &e, &st) != FG_OK) {
      fprintf(stderr, "%s\n", st.message);
      free(x);
      return 1;
    }
    add(&t, &e, truth);
  }
  free(x);
  if (!isfinite(truth)) return 0;
  double k = 1.0 / (double)how->rounds, mean = k * t.extrapolated;
  printf("%-10s %s d %zu n %-5zu %-16s truth %-8.4g raw %-8.4g floor2 %-8.3g corrected %-8.4g sd %-7.3g se "
         "%-7.3g "
         "rate %.2f | %5.1f %% held, %3d above %3d below\n",
         fg_estimator_name(estimator), laws[how->law], d, n, c->name, truth, k * t.squared, k * t.floor, mean,
         sqrt(fmax(0, k * t.extrapolated2 - mean * mean)), k * t.se, k * t.rate, 100 * k * t.held, t.above,
         t.below);
  fflush(stdout);
  return 0;
}

int main(int argc, char **argv)
{
  int which = 0, rc = 0;
  fg_engine *engine;
  if (argc < 5 || argc > 8) {
    fprintf(stderr, "usage: %s ESTIMATOR DIMENSION ROWS ROUNDS [OFFSET [LAW [EPSILON]]]\n", argv[0]);
    return 2;
  }
  while (which < FG_ESTIMATORS && strcmp(fg_estimator_name((fg_estimator)which), argv[1]) != 0) which++;
  course how = {strtoul(argv[2], NULL, 10),
                strtoul(argv[3], NULL, 10),
                strtoul(argv[4], NULL, 10),
                argc > 5 ? strtoul(argv[5], NULL, 10) : 0,
                SHAPED_GAUSSIAN,
                argc > 7 ? strtod(argv[7], NULL) : 0.2};
  while (argc > 6 && how.law <= SHAPED_TAILS && strcmp(laws[how.law], argv[6]) != 0) how.law++;
  if (which == FG_ESTIMATORS || how.law > SHAPED_TAILS || how.d < 1 || how.d > GAUSSIAN_MOST || how.n < 4) {
    fprintf(stderr, "%s: an estimator, 1 to %d dimensions, at least 4 rows; gaussian, clusters or tails\n",
            argv[0], GAUSSIAN_MOST);
    return 2;
  }
  if (fg_engine_open("cpu", 0, &engine, NULL) != FG_OK) return 1;
  for (size_t i = 0; i < GAUSSIAN_CASES && !rc; i++)
    rc = study(engine, (fg_estimator)which, &gaussian_cases[i], &how);
  fg_engine_close(&engine);
  return rc;
}
