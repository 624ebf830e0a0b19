/* Which evaluations an estimate is made of, and the rows of each, chosen by (seed, purpose, replicate) alone. */
#include <math.h>
#include <string.h>

#include "analysis/estimate_impl.h"
#include "analysis/statistics.h"
#include "analysis/transport/kernel_distance.h"
#include "formula/random.h"

enum {
  FG_SORTED_ROWS = 100000,  /* exact in one dimension: most rows of each side */
  FG_LEAST_ROWS = 25,       /* the curve ends above this */
  FG_GRID_LEVELS = 3,       /* the transport between bins costs nearly as much on few rows as on many */
  FG_FLOOR_PAIRS = 8,       /* of each law at each level */
  FG_NODES = 64,            /* numbers of one partition's halvings */
  FG_SLICED_ROWS = 100000,  /* of each side that the sliced test takes */
  FG_SLICED_WORK = 4000000, /* rows times directions of one permutation of it, but at least */
  FG_SLICED_LEAST = 32      /* directions */
};

static size_t fg_least(size_t a, size_t b)
{
  return a < b ? a : b;
}

static size_t fg_most(size_t a, size_t b)
{
  return a > b ? a : b;
}

fg_bias_kind fg_estimator_bias(fg_estimator estimator)
{
  if (estimator == FG_MMD || estimator == FG_ENERGY) return FG_BIAS_NONE;
  if (estimator == FG_W2_MAX_SLICED) return FG_BIAS_CURVE;
  return estimator == FG_ENTROPIC ? FG_BIAS_RATE : FG_BIAS_FLOOR;
}

/* Rows of a side beyond which replicates cost too much: an estimate from 10^5 rows stays within seconds. */
static size_t fg_replicate_rows(const fg_pool *pool)
{
  switch (pool->settings->estimator) {
  case FG_W2_GRID:
  case FG_W2_GAUSSIAN:
    return SIZE_MAX;
  case FG_W2_SLICED:
    return 2000;
  case FG_W2_EXACT:
    return pool->d == 1 ? FG_SORTED_ROWS : 1000;
  case FG_W2_SINKHORN:
  case FG_ENTROPIC: /* their time goes with the square of the rows */
    return 500;
  default:
    return 1000;
  }
}

/* The test of these takes one sort per direction, or one pass over the pairs, for all permutations. */
static bool fg_tests_at_once(const fg_pool *pool)
{
  fg_estimator estimator = pool->settings->estimator;
  return estimator == FG_MMD || estimator == FG_ENERGY || estimator == FG_W2_SLICED ||
         (estimator == FG_W2_EXACT && pool->d == 1);
}

/* Rows of a side that the test takes. */
static size_t fg_test_rows(const fg_pool *pool)
{
  fg_estimator estimator = pool->settings->estimator;
  if (estimator == FG_MMD || estimator == FG_ENERGY) return SIZE_MAX;
  if (fg_tests_at_once(pool)) return FG_SLICED_ROWS;
  /* a test needs more of them to see a gap than an interval to measure it */
  if (estimator == FG_W2_SINKHORN) return 1000;
  if (estimator == FG_W2_EXACT && pool->d <= 3) return 2000;
  return fg_replicate_rows(pool);
}

static void fg_plan_rows(const fg_pool *pool, fg_plan *plan)
{
  const fg_estimate_settings *s = pool->settings;
  size_t most = SIZE_MAX, cap = fg_replicate_rows(pool);
  /* in one dimension transport is a sort: nearly all rows can enter */
  if (s->estimator == FG_W2_EXACT)
    most = pool->d == 1 ? fg_most(s->exact_points, FG_SORTED_ROWS) : s->exact_points;
  if (fg_estimator_takes_pairs(s->estimator)) most = s->pair_points;
  plan->use_x = fg_least(pool->n, most);
  plan->use_y = fg_least(pool->m, most);
  plan->noise_rows = 2 / (1 / (double)plan->use_x + 1 / (double)plan->use_y);
  double share = fmin(1, 2.0 * (double)cap / (double)fg_most(plan->use_x, plan->use_y));
  plan->base_x = fg_most(4, (size_t)(share * (double)plan->use_x));
  plan->base_y = fg_most(4, (size_t)(share * (double)plan->use_y));
  size_t floor = fg_least(cap, (size_t)(plan->noise_rows + 0.5));
  plan->floor_x = fg_least(pool->n / 2, floor);
  plan->floor_y = fg_least(pool->m / 2, floor);
  plan->test_x = fg_least(plan->use_x, fg_test_rows(pool));
  plan->test_y = fg_least(plan->use_y, fg_test_rows(pool));
  plan->most = fg_most(plan->base_x, plan->base_y) / 2 + 1;
  if (!fg_tests_at_once(pool)) plan->most = fg_most(plan->most, fg_most(plan->test_x, plan->test_y));
  plan->most = fg_most(plan->most, fg_most(plan->floor_x, plan->floor_y));
}

static size_t fg_block_pairs(const fg_estimate_settings *settings)
{
  return (settings->replicates + 1) / 2;
}

double fg_estimate_student(const fg_estimate_settings *settings)
{
  return fg_student(settings->confidence, (double)fg_block_pairs(settings));
}

void fg_plan_make(const fg_pool *pool, fg_plan *plan)
{
  const fg_estimate_settings *s = pool->settings;
  bool grid = s->estimator == FG_W2_GRID;
  memset(plan, 0, sizeof *plan);
  fg_plan_rows(pool, plan);
  size_t pairs = fg_block_pairs(s), least = fg_least(plan->base_x, plan->base_y);
  size_t levels = grid ? FG_GRID_LEVELS : FG_CURVE_LEVELS;
  plan->levels = 1;
  while (plan->levels < levels && least >> (plan->levels + 1) >= FG_LEAST_ROWS) plan->levels++;
  plan->floor_levels = 1;
  while (plan->floor_levels < FG_FLOOR_LEVELS &&
         fg_least(plan->floor_x, plan->floor_y) >> plan->floor_levels >= 4)
    plan->floor_levels++;
  plan->count[FG_FOR_VALUE] = 1;
  plan->count[FG_FOR_CURVE_VALUE] = grid && pool->grid[FG_CURVE].bins != pool->grid[FG_FULL].bins;
  plan->count[FG_FOR_OBSERVED] = s->permutations > 0;
  plan->count[FG_FOR_PERMUTED] = s->permutations;
  plan->one_pass = s->permutations > 0 && fg_tests_at_once(pool);
  plan->count[FG_FOR_INTERVAL] = 2 * pairs;
  for (size_t k = 0; k < plan->levels; k++) {
    size_t blocks = (size_t)2 << k, most = grid ? 8 : pairs;
    plan->count[FG_FOR_CURVE0 + k] =
        k == 0 && !grid ? 0 : fg_most(1, fg_least(most, pairs) / blocks) * blocks;
  }
  for (size_t k = 0; k < plan->floor_levels; k++)
    plan->count[FG_FOR_FLOOR_X0 + k] = plan->count[FG_FOR_FLOOR_Y0 + k] =
        fg_most(2, fg_least(FG_FLOOR_PAIRS, s->replicates / 5));
  for (int purpose = 0; purpose < FG_PURPOSES; purpose++) {
    plan->start[purpose] = plan->tasks;
    plan->tasks += plan->count[purpose];
  }
}

fg_purpose fg_plan_level(const fg_pool *pool, size_t level)
{
  return level == 0 && pool->settings->estimator != FG_W2_GRID ? FG_FOR_INTERVAL
                                                               : (fg_purpose)(FG_FOR_CURVE0 + level);
}

/* ---- choosing rows ------------------------------------------------------------------- */

/* One of the two samples: where its labels are, and its own numbers. */
typedef struct fg_side {
  size_t rows;
  unsigned char *label, *relabel;
  uint32_t shift; /* of the purpose */
} fg_side;

static fg_side fg_side_of(const fg_pool *pool, fg_scratch *scratch, bool second)
{
  return (fg_side){second ? pool->m : pool->n, scratch->label + (second ? pool->n : 0), scratch->relabel,
                   second ? FG_PURPOSES : 0};
}

static fg_draw fg_side_draw(const fg_pool *pool, const fg_side *side, fg_purpose purpose, size_t replicate)
{
  return (fg_draw){pool->settings->seed, FG_STREAM_SUBSAMPLE, purpose + side->shift, (uint32_t)replicate};
}

/* Of the rows labelled so far, `a` become 'a', `b` become 'b', the rest 0. */
static void fg_side_deal(const fg_side *side, fg_draw draw, size_t a, size_t b)
{
  size_t count = 0, at = 0;
  for (size_t i = 0; i < side->rows; i++) count += side->label[i] != 0;
  if (a >= count) { /* what the draw would say, without it */
    for (size_t i = 0; i < side->rows; i++)
      if (side->label[i]) side->label[i] = 'a';
    return;
  }
  fg_split(draw, count, fg_least(a, count), fg_least(b, count - fg_least(a, count)), side->relabel);
  for (size_t i = 0; i < side->rows; i++)
    if (side->label[i]) side->label[i] = side->relabel[at++];
}

static size_t fg_side_keep(const fg_side *side, unsigned char which)
{
  size_t kept = 0;
  for (size_t i = 0; i < side->rows; i++) {
    if (side->label[i] != which) side->label[i] = 0;
    kept += side->label[i] != 0;
  }
  return kept;
}

static void fg_side_mark(const fg_side *side, unsigned char which)
{
  for (size_t i = 0; i < side->rows; i++)
    if (side->label[i]) side->label[i] = which;
}

/* The rows of the value. */
static void fg_side_used(const fg_pool *pool, const fg_side *side, size_t use)
{
  memset(side->label, 'a', side->rows);
  fg_side_deal(side, fg_side_draw(pool, side, FG_FOR_VALUE, 0), use, 0);
}

/* Block number `block` of the 2^depth into which a partition halves its `base` rows again and again. */
static void fg_side_block(const fg_pool *pool, const fg_side *side, fg_purpose purpose, size_t partition,
                          size_t base, size_t depth, size_t block)
{
  size_t node = 1, rows = base;
  fg_side_deal(side, fg_side_draw(pool, side, purpose, partition * FG_NODES), base, 0);
  for (size_t k = 0; k < depth; k++) {
    size_t bit = block >> (depth - 1 - k) & 1;
    fg_side_deal(side, fg_side_draw(pool, side, purpose, partition * FG_NODES + node), rows / 2,
                 rows - rows / 2);
    rows = fg_side_keep(side, bit ? 'b' : 'a');
    node = 2 * node + bit;
  }
}

static void fg_label_blocks(const fg_pool *pool, const fg_plan *plan, fg_scratch *scratch, fg_purpose purpose,
                            size_t replicate)
{
  size_t depth = purpose == FG_FOR_INTERVAL ? 1 : (size_t)(purpose - FG_FOR_CURVE0) + 1;
  for (int second = 0; second < 2; second++) {
    fg_side side = fg_side_of(pool, scratch, second);
    fg_side_used(pool, &side, second ? plan->use_y : plan->use_x);
    fg_side_block(pool, &side, purpose, replicate >> depth, second ? plan->base_y : plan->base_x, depth,
                  replicate & (((size_t)1 << depth) - 1));
    fg_side_mark(&side, second ? 'b' : 'a');
  }
}

/* Two disjoint samples of one law. */
static void fg_label_floor(const fg_pool *pool, const fg_plan *plan, fg_scratch *scratch, fg_purpose purpose,
                           size_t replicate)
{
  bool second = purpose >= FG_FOR_FLOOR_Y0;
  size_t level = (size_t)purpose - (second ? FG_FOR_FLOOR_Y0 : FG_FOR_FLOOR_X0);
  fg_side side = fg_side_of(pool, scratch, second);
  size_t each = (second ? plan->floor_y : plan->floor_x) >> level;
  memset(scratch->label, 0, pool->n + pool->m);
  memset(side.label, 'a', side.rows);
  fg_side_block(pool, &side, purpose, replicate >> level, 2 * each << level, level,
                replicate & (((size_t)1 << level) - 1));
  fg_side_deal(
      &side,
      fg_side_draw(pool, &side, purpose,
                   (replicate >> level) * FG_NODES + FG_NODES / 2 + (replicate & (((size_t)1 << level) - 1))),
      each, each);
}

static void fg_label_used(const fg_pool *pool, fg_scratch *scratch, size_t x, size_t y)
{
  for (int second = 0; second < 2; second++) {
    fg_side side = fg_side_of(pool, scratch, second);
    fg_side_used(pool, &side, second ? y : x);
    fg_side_mark(&side, second ? 'b' : 'a');
  }
}

/* The rows of the observed statistic, dealt out anew. */
static void fg_label_permuted(const fg_pool *pool, const fg_plan *plan, fg_scratch *scratch, size_t replicate)
{
  fg_side all = {pool->n + pool->m, scratch->label, scratch->relabel, 0};
  fg_draw draw = {pool->settings->seed, FG_STREAM_PERMUTE, FG_FOR_PERMUTED, (uint32_t)replicate};
  fg_label_used(pool, scratch, plan->test_x, plan->test_y);
  fg_side_deal(&all, draw, plan->test_x, plan->test_y);
}

fg_fineness fg_plan_label(const fg_pool *pool, const fg_plan *plan, size_t task, fg_scratch *scratch)
{
  int purpose = 0;
  while (task >= plan->start[purpose] + plan->count[purpose]) purpose++;
  size_t replicate = task - plan->start[purpose];
  switch (purpose) {
  case FG_FOR_VALUE:
  case FG_FOR_CURVE_VALUE:
    fg_label_used(pool, scratch, plan->use_x, plan->use_y);
    return purpose == FG_FOR_VALUE ? FG_FULL : FG_CURVE;
  case FG_FOR_OBSERVED:
    fg_label_used(pool, scratch, plan->test_x, plan->test_y);
    return FG_ROUGH;
  case FG_FOR_PERMUTED:
    fg_label_permuted(pool, plan, scratch, replicate);
    return FG_ROUGH;
  case FG_FOR_INTERVAL:
    fg_label_blocks(pool, plan, scratch, FG_FOR_INTERVAL, replicate);
    return FG_ROUGH;
  default:
    if (purpose >= FG_FOR_FLOOR_X0)
      fg_label_floor(pool, plan, scratch, (fg_purpose)purpose, replicate);
    else
      fg_label_blocks(pool, plan, scratch, (fg_purpose)purpose, replicate);
    return FG_CURVE;
  }
}

/* ---- tests of all permutations at once --------------------------------------------------- */

typedef struct fg_dealing {
  const fg_pool *pool;
  const fg_plan *plan;
  fg_scratch scratch;
} fg_dealing;

static void fg_deal_one(void *user, size_t way, unsigned char *label)
{
  fg_dealing *dealing = user;
  const fg_plan *plan = dealing->plan;
  size_t at = 0;
  (void)fg_plan_label(dealing->pool, plan,
                      way == 0 ? plan->start[FG_FOR_OBSERVED] : plan->start[FG_FOR_PERMUTED] + way - 1,
                      &dealing->scratch);
  for (size_t i = 0; i < dealing->pool->n + dealing->pool->m; i++)
    if (dealing->scratch.label[i]) label[at++] = dealing->scratch.label[i];
}

/* The first directions of those of the value: fewer where rows are many. */
static fg_code fg_pool_permute_sliced(const fg_pool *pool, fg_threads *threads, size_t rows,
                                      fg_dealing *dealing, const fg_progress *progress, double *squared,
                                      fg_status *st)
{
  const double along = 1;
  const fg_estimate_settings *s = pool->settings;
  fg_w2_sliced_settings how = {fg_least(s->directions, fg_most(FG_SLICED_LEAST, FG_SLICED_WORK / rows)),
                               s->seed, NULL};
  if (pool->d == 1) how = (fg_w2_sliced_settings){1, 0, &along};
  return fg_sliced_permutations(pool->engine, threads, &how, rows, pool->d, dealing->scratch.a,
                                pool->weight ? dealing->scratch.weight_a : NULL, 1 + s->permutations,
                                fg_deal_one, dealing, progress, squared, st);
}

/* The way that was observed comes first: observed and permuted squares stand side by side. */
fg_code fg_pool_permute(const fg_pool *pool, const fg_plan *plan, fg_threads *threads,
                        const fg_progress *progress, double *squared, fg_status *st)
{
  size_t rows = plan->test_x + plan->test_y, at = 0;
  fg_dealing dealing = {pool, plan, {0}};
  fg_code rc;
  FG_TRY(fg_scratch_create(pool, rows, &dealing.scratch, st));
  fg_label_used(pool, &dealing.scratch, plan->test_x, plan->test_y);
  for (size_t i = 0; i < pool->n + pool->m; i++) {
    if (!dealing.scratch.label[i]) continue;
    memcpy(dealing.scratch.a + at * pool->d, fg_pool_row(pool, i), pool->d * sizeof *dealing.scratch.a);
    dealing.scratch.weight_a[at++] = pool->weight ? pool->weight[i] : 1;
  }
  squared += plan->start[FG_FOR_OBSERVED];
  if (!fg_estimator_takes_pairs(pool->settings->estimator))
    rc = fg_pool_permute_sliced(pool, threads, rows, &dealing, progress, squared, st);
  else
    rc = fg_kernel_permutations(
        pool->engine, threads, pool->settings->estimator == FG_MMD ? pool->settings->bandwidth : NAN, rows,
        pool->d, dealing.scratch.a, pool->weight ? dealing.scratch.weight_a : NULL,
        1 + pool->settings->permutations, fg_deal_one, &dealing, progress, squared, st);
  fg_scratch_clear(&dealing.scratch);
  return rc;
}
