#include "analysis/budget_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/statistics.h"

enum { FG_O, FG_S, FG_S1, FG_S2, FG_O1, FG_O2, FG_OP, FG_SP, FG_O_IN, FG_S_IN, FG_BUDGET_LAWS };
enum { B = FG_BUDGET_BLOCKS };

typedef struct fg_budget_room {
  double *x[FG_BUDGET_LAWS]; /* [particles, d] each; those of the first two are borrowed */
  fg_budget_law law[FG_BUDGET_LAWS];
  double *start, *sde_start; /* the noised target */
  size_t pairs;
  fg_budget_pair pair[FG_BUDGET_LAWS * FG_BUDGET_LAWS];
  int place[FG_BUDGET_LAWS][FG_BUDGET_LAWS]; /* 1 + number of the pair; 0: not asked for */
  double *squared;                           /* [pairs, B] */
} fg_budget_room;

double fg_budget_student(const fg_comparison *c, double degrees)
{
  return fg_student(c->estimate_settings[c->budget->by].confidence, degrees);
}

static fg_code fg_budget_allocate(size_t count, double **x, fg_status *st)
{
  *x = malloc(count * sizeof **x);
  if (*x) return FG_OK;
  return FG_FAIL(st, FG_MEMORY, "no memory for %zu numbers: lower compare.budget_particles", count);
}

/* ---- distances without the bias of finite samples --------------------------------------- */

static void fg_budget_ask(fg_budget_room *r, int a, int b)
{
  if (r->place[a][b]) return;
  r->pair[r->pairs] = (fg_budget_pair){a, b};
  r->place[a][b] = (int)++r->pairs;
}

static void fg_budget_ask_distance(fg_budget_room *r, int a, int b)
{
  fg_budget_ask(r, a, b);
  fg_budget_ask(r, b, a);
  fg_budget_ask(r, a, a);
  fg_budget_ask(r, b, b);
}

static double fg_budget_at(const fg_budget_room *r, int a, int b, size_t block)
{
  return r->squared[(size_t)(r->place[a][b] - 1) * B + block];
}

/* Between the halves of a block, less the mean of what each law is from itself: those have the same bias. */
static void fg_budget_distance(const fg_budget_room *r, int a, int b, double squared[B])
{
  for (size_t k = 0; k < B; k++)
    squared[k] = 0.5 * (fg_budget_at(r, a, b, k) + fg_budget_at(r, b, a, k) - fg_budget_at(r, a, a, k) -
                        fg_budget_at(r, b, b, k));
}

static void fg_budget_change(const fg_budget_room *r, int a0, int b0, int a1, int b1, double change[B])
{
  double after[B];
  fg_budget_distance(r, a0, b0, change);
  fg_budget_distance(r, a1, b1, after);
  for (size_t k = 0; k < B; k++) change[k] -= after[k];
}

static double fg_block_error(const double change[B])
{
  return sqrt(fg_variance(B, change) / B);
}

/* ---- extrapolation ---------------------------------------------------------------------- */

/* With r = 2^-p the changes are  D1 = a(1-r) + b(1-r^2),  D2 = a r(1-r) + b r^2(1-r^2); the effect is a + b. */
void fg_budget_extrapolate(size_t blocks, const double *change1, const double *change2, double rho,
                           double *effect, double *se, double *left)
{
  /* a = (D2 - r^2 D1) / (r (1-r)^2),  b = (r D1 - D2) / (r (1-r) (1-r^2)) */
  double once = 1 - rho, twice = 1 - rho * rho, sum[FG_BUDGET_BLOCKS];
  double w1 = 1 / (once * twice) - rho / (once * once), w2 = (1 / once - 1 / twice) / (rho * once);
  for (size_t k = 0; k < blocks; k++) sum[k] = w1 * change1[k] + w2 * change2[k];
  double d1 = fg_mean(blocks, change1), d2 = fg_mean(blocks, change2);
  double se1 = sqrt(fg_variance(blocks, change1) / (double)blocks);
  double se2 = sqrt(fg_variance(blocks, change2) / (double)blocks);
  *effect = fg_mean(blocks, sum);
  *se = sqrt(fg_variance(blocks, sum) / (double)blocks);
  *left = fabs(*effect - (d1 + d2 / (1 - rho)));
  bool seen = fabs(d1) > 3 * se1 && fabs(d2) > 3 * se2 && d1 * d2 > 0;
  if (seen && d2 / d1 > rho) *left = fmax(*left, fabs(*effect - (d1 + d2 / (1 - fmin(0.85, d2 / d1)))));
}

/* Root mean square of the distance between paired particles, with its standard error. */
static double fg_paired(size_t n, size_t d, const double *x, const double *y, double *se)
{
  fg_sum sum = {0, 0}, square = {0, 0};
  for (size_t i = 0; i < n; i++) {
    double e = 0;
    for (size_t j = 0; j < d; j++) e += (x[i * d + j] - y[i * d + j]) * (x[i * d + j] - y[i * d + j]);
    fg_sum_add(&sum, e);
    fg_sum_add(&square, e * e);
  }
  double mean = fg_sum_value(&sum) / (double)n, root = sqrt(mean);
  double variance = fmax(0, fg_sum_value(&square) / (double)n - mean * mean);
  if (se) *se = root > 0 ? sqrt(variance / (double)n) / (2 * root) : 0;
  return root;
}

/* Bounds of W2 between the law and its limit: paired particles from above, fitted Gaussians from below. What lies
 * beyond the second refinement falls like the change before it. */
static fg_code fg_budget_law_error(const fg_comparison *c, const double *x0, const double *x1,
                                   const double *x2, double rho, fg_budget_part *part, fg_budget_steps *steps,
                                   fg_status *st)
{
  size_t n = c->budget->particles, d = c->d;
  fg_w2 gaussian;
  steps->coarse = fg_paired(n, d, x0, x1, NULL);
  steps->fine = fg_paired(n, d, x1, x2, NULL);
  double ratio = steps->coarse > 0 ? fmin(0.85, steps->fine / steps->coarse) : 0;
  steps->strong_order = steps->fine > 0 ? log2(steps->coarse / steps->fine) : NAN;
  part->law_high = fg_paired(n, d, x0, x2, &part->law_se) + steps->fine * ratio / (1 - ratio);
  FG_TRY(fg_w2_gaussian(n, n, d, x0, NULL, x2, NULL, &gaussian, st));
  part->law_low = fmin(part->law_high, gaussian.value / (1 - rho * rho));
  return FG_OK;
}

static fg_code fg_budget_ladder(const fg_comparison *c, fg_budget_room *r, const int a[3], const int b[3],
                                fg_scheme scheme, fg_budget_part *part, fg_budget_steps *steps, fg_status *st)
{
  double change1[B], change2[B], left;
  int moved = a[0] == a[1]; /* which side of the pair is refined */
  const int *law = moved ? b : a;
  steps->expected = scheme == FG_HEUN ? 2 : 1;
  double rho = pow(2, -steps->expected);
  fg_budget_change(r, a[0], b[0], a[1], b[1], change1);
  fg_budget_change(r, a[1], b[1], a[2], b[2], change2);
  fg_budget_extrapolate(B, change1, change2, rho, &part->squared, &part->se, &left);
  part->reach = hypot(fg_budget_student(c, B - 1) * part->se, left);
  part->known = true;
  steps->effect1 = fg_mean(B, change1);
  steps->effect2 = fg_mean(B, change2);
  steps->effect1_se = fg_block_error(change1);
  steps->effect2_se = fg_block_error(change2);
  bool seen = steps->effect1 / steps->effect2 > 0 && fabs(steps->effect1) > 3 * steps->effect1_se &&
              fabs(steps->effect2) > 3 * steps->effect2_se;
  steps->weak_order = seen ? log2(steps->effect1 / steps->effect2) : NAN;
  return fg_budget_law_error(c, r->law[law[0]].x, r->law[law[1]].x, r->law[law[2]].x, rho, part, steps, st);
}

/* ---- the runs --------------------------------------------------------------------------- */

static void fg_budget_unknown(fg_budget_part *part, const char *why)
{
  snprintf(part->why, sizeof part->why, "%s", why);
  part->law_low = part->law_high = part->law_se = NAN;
}

static fg_code fg_budget_have(fg_comparison *c, fg_budget_room *r, int law, fg_status *st)
{
  FG_TRY(fg_budget_allocate(c->budget->particles * c->d, &r->x[law], st));
  r->law[law].x = r->x[law];
  return FG_OK;
}

static fg_code fg_budget_draw_step(fg_comparison *c, fg_budget_room *r, fg_status *st)
{
  fg_budget_part *part = &c->budget->part[FG_BUDGET_STEP];
  const double *start = c->sde_start ? c->sde_start : c->start;
  char why[120];
  if (c->sde.refine > 13) {
    snprintf(why, sizeof why, "flow.sde.refine is %d: two finer paths would be beyond 15", c->sde.refine);
    fg_budget_unknown(part, why);
    return FG_OK;
  }
  for (int k = 1; k <= 2; k++) {
    FG_TRY(fg_budget_have(c, r, FG_S + k, st));
    FG_TRY(fg_budget_sde(c, start, k, r->x[FG_S + k], &part->lost, st));
    fg_budget_ask_distance(r, FG_O, FG_S + k);
  }
  fg_budget_ask_distance(r, FG_O, FG_S);
  return FG_OK;
}

/* The finest SDE that there is: what an error adds is measured where the others are smallest. */
static int fg_budget_best(const fg_budget_room *r)
{
  return r->x[FG_S2] ? FG_S2 : FG_S;
}

/* Other starts need a run of their own: a step half as long will do. */
static int fg_budget_halved(const fg_budget_room *r)
{
  return r->x[FG_S1] ? FG_S1 : FG_S;
}

static fg_code fg_budget_draw_tolerance(fg_comparison *c, fg_budget_room *r, fg_status *st)
{
  fg_budget_part *part = &c->budget->part[FG_BUDGET_TOLERANCE];
  char why[160];
  if (!fg_budget_ode_finer(c, why)) {
    fg_budget_unknown(part, why);
    return FG_OK;
  }
  for (int k = 0; k < (c->ode_on_grid ? 2 : 1); k++) {
    FG_TRY(fg_budget_have(c, r, FG_O1 + k, st));
    FG_TRY(fg_budget_ode(c, c->start, 1 + k, r->x[FG_O1 + k], &part->lost, st));
    fg_budget_ask_distance(r, FG_O1 + k, fg_budget_best(r));
  }
  fg_budget_ask_distance(r, FG_O, fg_budget_best(r));
  return FG_OK;
}

static fg_code fg_budget_prior_exact(const fg_comparison *c, bool *exact, fg_status *st)
{
  const char *kind;
  FG_TRY(fg_settings_text(c->settings, "prior.kind", &kind, st));
  *exact = strcmp(kind, "exact") == 0;
  return FG_OK;
}

static fg_code fg_budget_draw_prior(fg_comparison *c, fg_budget_room *r, fg_status *st)
{
  fg_budget_part *part = &c->budget->part[FG_BUDGET_PRIOR];
  size_t numbers = c->budget->particles * c->d;
  char why[160];
  bool exact;
  FG_TRY(fg_budget_prior_exact(c, &exact, st));
  if (exact) {
    *part = (fg_budget_part){.known = true};
    return FG_OK;
  }
  if (!c->target || !(fg_target_abilities(c->target) & FG_TARGET_SAMPLE)) {
    snprintf(why, sizeof why, c->target ? "the target %.80s cannot be sampled" : "no target is given",
             c->target ? fg_target_name(c->target) : "");
    fg_budget_unknown(part, why);
    return fg_budget_prior_moments(c, &part->law_low, st);
  }
  FG_TRY(fg_budget_have(c, r, FG_OP, st));
  FG_TRY(fg_budget_have(c, r, FG_SP, st));
  FG_TRY(fg_budget_allocate(numbers, &r->start, st));
  FG_TRY(fg_budget_noised(c, 0, r->start, st));
  if (c->sde_start) {
    FG_TRY(fg_budget_allocate(numbers, &r->sde_start, st));
    FG_TRY(fg_budget_noised(c, c->n, r->sde_start, st));
  }
  FG_TRY(fg_budget_ode(c, r->start, 0, r->x[FG_OP], &part->lost, st));
  FG_TRY(fg_budget_sde(c, r->sde_start ? r->sde_start : r->start, fg_budget_halved(r) == FG_S1 ? 1 : 0,
                       r->x[FG_SP], &part->lost, st));
  fg_budget_ask_distance(r, FG_O, fg_budget_halved(r));
  fg_budget_ask_distance(r, FG_OP, FG_SP);
  return FG_OK;
}

static void fg_budget_draw_cut(fg_comparison *c, fg_budget_room *r)
{
  fg_budget_cut *cut = &c->budget->cut;
  cut->half_width = c->box > 0                    ? c->box
                    : c->budget->by == FG_W2_GRID ? c->estimate_settings[FG_W2_GRID].grid.half_width
                                                  : NAN;
  if (isnan(cut->half_width)) return;
  r->law[FG_O_IN] = (fg_budget_law){r->law[FG_O].x, cut->half_width};
  r->law[FG_S_IN] = (fg_budget_law){r->law[FG_S].x, cut->half_width};
  fg_budget_ask_distance(r, FG_O, FG_S);
  fg_budget_ask_distance(r, FG_O_IN, FG_S_IN);
}

/* ---- the figures ------------------------------------------------------------------------ */

/* Global errors of the ODE follow its tolerances roughly; by how much is not known, so half of what is added to the
 * change is left open. */
static fg_code fg_budget_tolerance(fg_comparison *c, fg_budget_room *r, fg_status *st)
{
  fg_budget_part *part = &c->budget->part[FG_BUDGET_TOLERANCE];
  int best = fg_budget_best(r);
  double change[B];
  if (!r->x[FG_O1]) return FG_OK;
  if (c->ode_on_grid)
    return fg_budget_ladder(c, r, (const int[]){FG_O, FG_O1, FG_O2}, (const int[]){best, best, best},
                            c->ode_fixed.scheme, part, &c->budget->ode_steps, st);
  fg_budget_change(r, FG_O, best, FG_O1, best, change);
  double mean = fg_mean(B, change);
  part->known = true;
  part->squared = mean * 10 / 9;
  part->se = fg_block_error(change) * 10 / 9;
  part->reach = hypot(fg_budget_student(c, B - 1) * part->se, 0.5 * fabs(mean));
  part->law_high =
      1.5 * fg_paired(c->budget->particles, c->d, r->law[FG_O].x, r->law[FG_O1].x, &part->law_se);
  part->law_low = 0;
  return FG_OK;
}

static fg_code fg_budget_prior(fg_comparison *c, fg_budget_room *r, fg_status *st)
{
  fg_budget_part *part = &c->budget->part[FG_BUDGET_PRIOR];
  size_t n = c->budget->particles;
  double change[B];
  fg_w2 gaussian;
  if (!r->x[FG_SP]) return FG_OK;
  fg_budget_change(r, FG_O, fg_budget_halved(r), FG_OP, FG_SP, change);
  part->known = true;
  part->squared = fg_mean(B, change);
  part->se = fg_block_error(change);
  part->reach = fg_budget_student(c, B - 1) * part->se;
  part->law_high = fg_paired(n, c->d, c->start, r->start, &part->law_se);
  FG_TRY(fg_budget_prior_moments(c, &part->law_low, st));
  if (!isnan(part->law_low)) {
    part->law_high = fmax(part->law_high, part->law_low); /* one is exact, the other sampled */
    return FG_OK;
  }
  FG_TRY(fg_w2_gaussian(n, n, c->d, c->start, NULL, r->start, NULL, &gaussian, st));
  part->law_low = fmin(gaussian.value, part->law_high);
  return FG_OK;
}

static void fg_budget_cut_effect(const fg_comparison *c, const fg_budget_room *r)
{
  fg_budget_cut *cut = &c->budget->cut;
  double change[B];
  if (isnan(cut->half_width)) return;
  fg_budget_change(r, FG_O, FG_S, FG_O_IN, FG_S_IN, change);
  cut->squared = fg_mean(B, change);
  cut->se = fg_block_error(change);
  cut->reach = fg_budget_student(c, B - 1) * cut->se;
  cut->known = isfinite(cut->squared); /* not where a block has nothing inside */
}

static fg_code fg_budget_evaluate(fg_comparison *c, fg_budget_room *r, fg_status *st)
{
  fg_budget *b = c->budget;
  if (r->pairs == 0) return FG_OK;
  FG_TRY(fg_budget_allocate(r->pairs * B, &r->squared, st));
  FG_TRY(fg_budget_distances(c, r->law, r->pairs, r->pair, r->squared, st));
  if (r->x[FG_S2])
    FG_TRY(fg_budget_ladder(c, r, (const int[]){FG_O, FG_O, FG_O}, (const int[]){FG_S, FG_S1, FG_S2},
                            c->sde.scheme, &b->part[FG_BUDGET_STEP], &b->sde_steps, st));
  FG_TRY(fg_budget_tolerance(c, r, st));
  FG_TRY(fg_budget_prior(c, r, st));
  fg_budget_cut_effect(c, r);
  return FG_OK;
}

fg_code fg_budget_effects(fg_comparison *c, fg_status *st)
{
  fg_budget_room r = {0};
  fg_code rc;
  for (int k = 0; k < FG_BUDGET_LAWS; k++) r.law[k].within = INFINITY;
  r.law[FG_O].x = c->law[FG_LAW_ODE];
  r.law[FG_S].x = c->law[FG_LAW_SDE];
  FG_GO(fg_budget_draw_step(c, &r, st), done);
  FG_GO(fg_budget_draw_tolerance(c, &r, st), done);
  FG_GO(fg_budget_draw_prior(c, &r, st), done);
  fg_budget_draw_cut(c, &r);
  rc = fg_budget_evaluate(c, &r, st);
done:
  for (int k = 0; k < FG_BUDGET_LAWS; k++) free(r.x[k]);
  free(r.start);
  free(r.sde_start);
  free(r.squared);
  return rc;
}
