/* The error budget of a comparison: what the numerics add to W2(ODE, SDE), and what remains, the model's own gap.
 * The mathematics is in docs/budget.md. */
#ifndef FG_BUDGET_H
#define FG_BUDGET_H

#include "analysis/compare_impl.h"
#include "analysis/results.h"

/* In the order in which they are taken off the measured distance. */
typedef enum fg_budget_name {
  FG_BUDGET_STEP,      /* time step of the SDE */
  FG_BUDGET_TOLERANCE, /* tolerances of the ODE, or its time step */
  FG_BUDGET_PRIOR,     /* the prior is not the noised target */
  FG_BUDGET_SAMPLE,    /* bias of finitely many particles */
  FG_BUDGET_PARTS
} fg_budget_name;

/* squared: what it adds to W2^2, with its standard error, and `reach`, the half width of its interval: noise and what
 * the extrapolation may leave. value, low, high: what it adds to W2, those before it taken off. law_low, law_high: bounds
 * of W2 between the law as it was drawn and without this error (of the SDE, the ODE, the prior); NaN: none. */
typedef struct fg_budget_part {
  bool known;
  char why[160]; /* not known: why */
  double squared, se, reach;
  double value, low, high;
  double law_low, law_high, law_se; /* law_se: of law_high */
  uint64_t lost;                    /* particles that the runs behind it could not carry */
} fg_budget_part;

/* Two refinements of a flow. */
typedef struct fg_budget_steps {
  double expected;         /* weak order of the scheme */
  double strong_order;     /* of the distance between paired particles */
  double weak_order;       /* of the change of W2^2; NaN where it drowns in noise */
  double coarse, fine;     /* root mean square of the first and of the second change */
  double effect1, effect2; /* change of W2^2 by the first and by the second refinement */
  double effect1_se, effect2_se;
} fg_budget_steps;

/* What dropping the particles beyond a half width does to W2. */
typedef struct fg_budget_cut {
  bool known;
  double half_width, squared, se, reach; /* W2^2 of all less that of those inside */
  double value, low, high;
} fg_budget_cut;

enum { FG_BUDGET_BLOCKS = 10, FG_BUDGET_LEAST = 8 * FG_BUDGET_BLOCKS };

typedef struct fg_budget {
  fg_estimator chosen;  /* by the settings; FG_ESTIMATORS: auto */
  fg_estimator by;      /* whose value is taken apart */
  fg_estimator measure; /* what the effects are measured by */
  size_t particles;     /* behind the effects */
  double confidence;
  double naive, naive_squared;
  bool
      extrapolated; /* the bias is that of the estimate's extrapolation, else half its floor, in the square */
  fg_budget_part part[FG_BUDGET_PARTS];
  fg_budget_steps sde_steps, ode_steps; /* ode_steps: on a grid alone */
  fg_budget_cut cut;
  double gap, gap_squared, gap_reach, gap_low, gap_high, half_width; /* gap_reach: of the square */
  bool seen;                                                         /* the interval of the gap excludes 0 */
  char sentence[640];                                                /* empty: there is no budget */
  char failed[200];                                                  /* why */
  double seconds;
} fg_budget;

extern const char *const fg_budget_names[FG_BUDGET_PARTS];

/* budget.c: the estimator and the particles; then all of it. Needs the drawn laws and the estimate of the pair. */
FG_CHECKED fg_code fg_compare_budget_settings(fg_comparison *c, fg_status *st);
FG_CHECKED fg_code fg_compare_budget(fg_comparison *c, fg_status *st);
bool fg_budget_estimator(const fg_comparison *c, fg_estimator *by);

/* budget_distance.c ---------------------------------------------------------------------------------- */

/* Rows [rows, d]; those with a coordinate beyond `within` do not enter. */
typedef struct fg_budget_law {
  const double *x;
  double within;
} fg_budget_law;

/* Distance between the first half of each block of `a` and the second half of the same block of `b`. */
typedef struct fg_budget_pair {
  int a, b;
} fg_budget_pair;

/* squared [pairs, FG_BUDGET_BLOCKS] by c->budget->measure. */
FG_CHECKED fg_code fg_budget_distances(fg_comparison *c, const fg_budget_law *law, size_t pairs,
                                       const fg_budget_pair *pair, double *squared, fg_status *st);

/* budget_draw.c -------------------------------------------------------------------------------------- */

/* The first `particles` rows of both laws again: finer, from other starts. x [particles, d]. */
FG_CHECKED fg_code fg_budget_sde(fg_comparison *c, const double *start, int finer, double *x, uint64_t *lost,
                                 fg_status *st);
FG_CHECKED fg_code fg_budget_ode(fg_comparison *c, const double *start, int finer, double *x, uint64_t *lost,
                                 fg_status *st);
/* Can the ODE be solved more finely? If not, why. */
bool fg_budget_ode_finer(const fg_comparison *c, char why[160]);
/* The target noised to T, by the normal numbers that the prior's particles `first` and on were made of. */
FG_CHECKED fg_code fg_budget_noised(fg_comparison *c, uint64_t first, double *x, fg_status *st);
/* Bures distance of p_T and the prior from moments; NaN where they are not known. */
FG_CHECKED fg_code fg_budget_prior_moments(const fg_comparison *c, double *distance, fg_status *st);

/* budget_gap.c: the parts in units of W2, what remains, and the sentence. */
void fg_budget_sum(fg_budget *b, double box);
void fg_budget_sentence(const fg_comparison *c, fg_budget *b);

/* budget_results.c */
void fg_put_budget(fg_tree root, const fg_comparison *c);
/* budget_disagreement.c: `budget.disagreement`, once all else that it rests on is in the tree. */
void fg_put_disagreement(fg_tree root);
void fg_warn_budget(fg_tree root, json_t *warnings, const fg_comparison *c);

#endif
