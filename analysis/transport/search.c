/* Questions to all pairs: every leaf of one tree walks down the other, near parts first, as far as a box may hold
 * something better than what its 32 points have; or an engine answers them (search_engine.c).
 *
 * In few dimensions the boxes leave little to do. In many they leave nearly everything, and then a filter in single
 * precision with a proven error bound spares most pairs the exact arithmetic. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/transport/search_panel.h"

/* From this many dimensions on boxes spare little, and pairs are filtered. */
enum { FG_FILTER_DIMENSIONS = 5, FG_DEPTH = 64 };

struct fg_search {
  fg_engine *engine; /* NULL: by trees */
  fg_threads *threads;
  const fg_cells *cells_x, *cells_y;
  size_t d;
  fg_cost_rule rule;
  const fg_search_kernels *kernels;
  fg_side x, y;
};

/* ---- one leaf of questions --------------------------------------------------------------- */

/* What is asked of every point of `from`: up to k of `against` with the least key = cost - dual, below what `from`'s own
 * dual allows. */
typedef struct fg_ask {
  const fg_search *search;
  const fg_side *from, *against;
  fg_cost_rule rule;
  size_t k;
  bool bounded; /* only pairs with key < own dual: violators */
  bool keys;    /* who they are is not wanted: an engine need not say it, else not the keys */
  const fg_progress *progress;
  struct fg_block *blocks; /* one for each worker */
  /* answers, by place in `from` */
  double *key;      /* [n, k], ascending */
  uint32_t *who;    /* [n, k]: places in `against` */
  uint32_t *filled; /* [n] */
} fg_ask;

typedef struct fg_block {
  const fg_ask *ask;
  size_t first, count; /* places of the questions */
  const double *questions;
  double threshold[FG_PANEL], loosest; /* a key must be below */
  double bound[FG_PANEL], key[FG_PANEL];
  double length[FG_PANEL], unit; /* for the filter: |x| about the centre; 1 / scale */
  float *quartets;               /* [FG_PANEL / FG_QUARTET, d, FG_QUARTET]: -2 x */
} fg_block;

static void fg_block_loosen(fg_block *block)
{
  block->loosest = -INFINITY;
  for (size_t q = 0; q < block->count; q++)
    if (block->threshold[q] > block->loosest) block->loosest = block->threshold[q];
}

static void fg_block_start(fg_block *block, const fg_ask *ask, size_t leaf)
{
  const fg_side *from = ask->from;
  size_t d = from->d;
  block->ask = ask;
  block->first = leaf * FG_PANEL;
  block->count = from->n - block->first < FG_PANEL ? from->n - block->first : FG_PANEL;
  block->questions = from->panel + leaf * d * FG_PANEL;
  for (size_t q = 0; q < FG_PANEL; q++) {
    block->threshold[q] = ask->bounded ? from->dual[block->first + q] : INFINITY;
    if (q >= block->count) block->threshold[q] = -INFINITY;
  }
  for (size_t q = 0; q < block->count; q++) ask->filled[block->first + q] = 0;
  fg_block_loosen(block);
  block->unit = 1 / ask->rule.scale;
  for (size_t q = 0; from->single && q < FG_PANEL; q++) {
    block->length[q] = sqrt(from->norm[block->first + q]);
    for (size_t k = 0; k < d; k++)
      block->quartets[(q / FG_QUARTET * d + k) * FG_QUARTET + q % FG_QUARTET] =
          -2 * from->single[(leaf * d + k) * FG_PANEL + q];
  }
}

static void fg_block_insert(fg_block *block, size_t q, double value, uint32_t place)
{
  const fg_ask *ask = block->ask;
  size_t at = block->first + q, filled = ask->filled[at], slot = filled < ask->k ? filled : ask->k - 1;
  double *key = ask->key + at * ask->k;
  uint32_t *who = ask->who + at * ask->k;
  for (; slot > 0 && key[slot - 1] > value; slot--) {
    key[slot] = key[slot - 1];
    who[slot] = who[slot - 1];
  }
  key[slot] = value;
  who[slot] = place;
  if (filled < ask->k) ask->filled[at] = (uint32_t)++filled;
  if (filled == ask->k) block->threshold[q] = key[ask->k - 1];
}

static void fg_block_exact(fg_block *block, size_t q, size_t leaf)
{
  const fg_ask *ask = block->ask;
  const fg_side *against = ask->against;
  size_t d = against->d;
  uint64_t below = ask->search->kernels->keys(d, block->questions + q, against->panel + leaf * d * FG_PANEL,
                                              against->dual + leaf * FG_PANEL, &ask->rule,
                                              block->threshold[q], block->key);
  for (size_t j = 0; below >> j; j++)
    if ((below >> j & 1) && block->key[j] < block->threshold[q])
      fg_block_insert(block, q, block->key[j], (uint32_t)(leaf * FG_PANEL + j));
}

/* What the filter's sum must stay below, raised by its error: each of the d + 6 roundings is at most 2^-24 of
 * (|x| + |y|)^2 + |dual|, and a limit becomes single. Infinite where the cap may have a say. */
static float fg_filter_limit(const fg_block *block, size_t q, size_t leaf)
{
  const fg_side *from = block->ask->from, *against = block->ask->against;
  const fg_cost_rule *rule = &block->ask->rule;
  double length = block->length[q], reach = length + against->size[2 * leaf];
  double dual = against->size[2 * leaf + 1], whole = rule->rounding > 0 ? 1 : 0;
  double limit = (block->threshold[q] + against->shift + whole) * block->unit;
  double error = (double)(from->d + 6) * (0x1p-22 * (reach * reach + dual) + (double)FLT_MIN);
  if (rule->cap - dual < limit + error) return INFINITY;
  limit += error - length * length;
  return (float)(limit + 0x1p-22 * fabs(limit));
}

static void fg_block_filtered(fg_block *block, size_t leaf)
{
  const fg_ask *ask = block->ask;
  size_t d = ask->against->d;
  for (size_t g = 0; g < FG_PANEL; g += FG_QUARTET) {
    float limit[FG_QUARTET];
    unsigned active = 0;
    for (size_t q = 0; q < FG_QUARTET; q++) {
      bool open = block->bound[g + q] < block->threshold[g + q];
      limit[q] = open ? fg_filter_limit(block, g + q, leaf) : -INFINITY;
      active |= open ? 1U << q : 0;
    }
    if (active)
      active &=
          ask->search->kernels->filter(d, block->quartets + g * d, ask->against->single + leaf * d * FG_PANEL,
                                       ask->against->start + leaf * FG_PANEL, limit);
    for (size_t q = 0; active >> q; q++)
      if (active >> q & 1) fg_block_exact(block, g + q, leaf);
  }
}

static void fg_block_meet(fg_block *block, size_t node)
{
  const fg_ask *ask = block->ask;
  const fg_side *against = ask->against;
  size_t d = against->d, leaf = against->node[node].first;
  ask->search->kernels->bounds(d, block->questions, against->low + node * d, against->high + node * d,
                               &ask->rule, against->above[node], block->bound);
  if (against->single)
    fg_block_filtered(block, leaf);
  else
    for (size_t q = 0; q < block->count; q++)
      if (block->bound[q] < block->threshold[q]) fg_block_exact(block, q, leaf);
  fg_block_loosen(block);
}

/* No key between the two boxes is below this. */
static double fg_box_bound(const fg_ask *ask, const double *low, const double *high, size_t node)
{
  const fg_side *against = ask->against;
  const double *from = against->low + node * against->d, *to = against->high + node * against->d;
  double sum = 0;
  for (size_t k = 0; k < against->d; k++) {
    double below = from[k] - high[k], above = low[k] - to[k], gap = below > above ? below : above;
    sum = fg_cost_add(sum, gap > 0 ? gap : 0);
  }
  return fg_rule_cost(&ask->rule, sum) - against->above[node];
}

/* Key of the middle question and the middle point of a node: where duals vary much across boxes, bounds say little
 * about which part is the better one to see first. */
static double fg_middle_key(const fg_block *block, size_t node)
{
  const fg_side *against = block->ask->against;
  size_t first = (size_t)against->node[node].first * FG_PANEL,
         end = first + against->node[node].leaves * FG_PANEL;
  size_t place = first + ((end < against->n ? end : against->n) - first) / 2;
  const double *x = block->questions + block->count / 2, *y = against->panel + fg_side_offset(against, place);
  double sum = 0;
  for (size_t k = 0; k < against->d; k++) sum = fg_cost_add(sum, x[k * FG_PANEL] - y[k * FG_PANEL]);
  return fg_rule_cost(&block->ask->rule, sum) - against->dual[place];
}

static void fg_block_walk(fg_block *block, size_t leaf)
{
  const fg_ask *ask = block->ask;
  const fg_side *against = ask->against;
  const double *low = ask->from->low + ask->from->leaf[leaf] * ask->from->d;
  const double *high = ask->from->high + ask->from->leaf[leaf] * ask->from->d;
  size_t stack[FG_DEPTH], depth = 1;
  double bound[FG_DEPTH] = {fg_box_bound(ask, low, high, 0)};
  stack[0] = 0;
  while (depth > 0) {
    size_t node = stack[--depth];
    if (!(bound[depth] < block->loosest)) continue;
    if (against->node[node].leaves == 1) {
      fg_block_meet(block, node);
      continue;
    }
    size_t near = node + 1, far = against->node[node].right;
    if (fg_middle_key(block, far) < fg_middle_key(block, near)) {
      near = far;
      far = node + 1;
    }
    stack[depth] = far;
    bound[depth++] = fg_box_bound(ask, low, high, far);
    stack[depth] = near;
    bound[depth++] = fg_box_bound(ask, low, high, near);
  }
}

static void fg_ask_task(void *argument, size_t leaf, int worker)
{
  fg_ask *ask = argument;
  if (fg_progress_cancelled(ask->progress)) return;
  fg_block *block = &ask->blocks[worker];
  fg_block_start(block, ask, leaf);
  fg_block_walk(block, leaf);
}

/* ---- all leaves -------------------------------------------------------------------------- */

static void fg_ask_clear(fg_ask *ask)
{
  for (int w = 0; ask->blocks && w < fg_threads_count(ask->search->threads); w++)
    free(ask->blocks[w].quartets);
  free(ask->blocks);
  free(ask->key);
  free(ask->who);
  free(ask->filled);
}

/* Ask from the points of x (or of y); answers are left for the caller to read and clear. */
static fg_code fg_ask_run(fg_ask *ask, fg_search *search, bool from_x, size_t k, const fg_progress *progress,
                          fg_status *st)
{
  int workers = fg_threads_count(search->threads);
  ask->search = search;
  ask->from = from_x ? &search->x : &search->y;
  ask->against = from_x ? &search->y : &search->x;
  ask->k = k < ask->against->n ? k : ask->against->n;
  ask->progress = progress;
  bool by_engine = search->engine && ask->k <= FG_PRICE_MOST;
  ask->blocks = by_engine ? NULL : calloc((size_t)workers, sizeof *ask->blocks);
  ask->key = malloc(ask->from->n * ask->k * sizeof *ask->key);
  ask->who = malloc(ask->from->n * ask->k * sizeof *ask->who);
  ask->filled = malloc(ask->from->n * sizeof *ask->filled);
  bool ok = (by_engine || ask->blocks) && ask->key && ask->who && ask->filled;
  if (by_engine && ok)
    return fg_side_price(search->engine, search->threads, &ask->rule, ask->from, ask->against, ask->k,
                         ask->bounded, ask->keys ? ask->key : NULL, ask->keys ? NULL : ask->who, ask->filled,
                         progress, st);
  for (int w = 0; ok && w < workers; w++) {
    ask->blocks[w].quartets = malloc(FG_PANEL * search->d * sizeof(float));
    ok = ask->blocks[w].quartets != NULL;
  }
  if (!ok)
    return FG_FAIL(st, FG_MEMORY, "no memory for %zu pairs of each of %zu points", ask->k, ask->from->n);
  fg_threads_run(search->threads, ask->from->leaves, fg_ask_task, ask);
  if (fg_progress_cancelled(progress))
    return FG_FAIL(st, FG_INTERRUPTED, "the search over %zu x %zu pairs was interrupted", search->x.n,
                   search->y.n);
  return FG_OK;
}

static int64_t fg_ask_cost(const fg_ask *ask, size_t from, size_t against)
{
  const double *x = ask->from->panel + fg_side_offset(ask->from, from);
  const double *y = ask->against->panel + fg_side_offset(ask->against, against);
  double sum = 0;
  for (size_t k = 0; k < ask->from->d; k++) sum = fg_cost_add(sum, x[k * FG_PANEL] - y[k * FG_PANEL]);
  return (int64_t)fg_rule_cost(&ask->rule, sum);
}

/* Append the answers in the order of the rows; up to `keep` of each, those with reduced cost < limit. */
static fg_code fg_ask_arcs(const fg_ask *ask, const int64_t *u, const int64_t *v, size_t keep, int64_t limit,
                           fg_arc *arcs, size_t *count, int64_t *least, fg_status *st)
{
  const fg_side *from = ask->from, *against = ask->against;
  bool from_x = from == &ask->search->x;
  uint32_t *place = malloc(from->n * sizeof *place);
  if (!place) return FG_FAIL(st, FG_MEMORY, "no memory to sort the pairs of %zu points", from->n);
  for (size_t p = 0; p < from->n; p++) place[from->order[p]] = (uint32_t)p;
  for (size_t row = 0; row < from->n; row++) {
    size_t p = place[row];
    for (size_t a = 0; a < ask->filled[p]; a++) {
      uint32_t other = against->order[ask->who[p * ask->k + a]];
      fg_arc arc = {from_x ? (uint32_t)row : other, from_x ? other : (uint32_t)row,
                    fg_ask_cost(ask, p, ask->who[p * ask->k + a])};
      int64_t reduced = arc.cost - u[arc.i] - v[arc.j];
      if (reduced < *least) *least = reduced;
      if (a < keep && reduced < limit) arcs[(*count)++] = arc;
    }
  }
  free(place);
  return FG_OK;
}

/* Duals of one side, one of them given by row, for all questions until they change. */
static fg_code fg_search_duals(fg_search *search, fg_side *side, const int64_t *whole, const double *real,
                               double scale, fg_status *st)
{
  fg_side_set_duals(side, whole, real, scale);
  return search->engine ? fg_side_send_duals(search->engine, side, st) : FG_OK;
}

static fg_code fg_search_pairs(fg_search *search, const int64_t *u, const int64_t *v, bool bounded,
                               size_t keep, int64_t limit, fg_arc *arcs, size_t *count, int64_t *least,
                               const fg_progress *progress, fg_status *st)
{
  *count = 0;
  if (keep > FG_SEARCH_MOST)
    return FG_FAIL(st, FG_USAGE, "%zu pairs of each row: the limit is %d", keep, FG_SEARCH_MOST);
  FG_TRY(fg_search_duals(search, &search->x, u, NULL, search->rule.scale, st));
  FG_TRY(fg_search_duals(search, &search->y, v, NULL, search->rule.scale, st));
  /* The worst of all pairs is found from the rows already. */
  for (int side = 0; side < (keep > 0 ? 2 : 1); side++) {
    fg_ask ask = {.rule = search->rule, .bounded = bounded};
    fg_code rc = fg_ask_run(&ask, search, side == 0, keep > 0 ? keep : 1, progress, st);
    if (rc == FG_OK) rc = fg_ask_arcs(&ask, u, v, keep, limit, arcs, count, least, st);
    fg_ask_clear(&ask);
    if (rc != FG_OK) return rc;
  }
  return FG_OK;
}

fg_code fg_search_nearest(fg_search *search, const int64_t *u, const int64_t *v, size_t k, fg_arc *arcs,
                          size_t *count, const fg_progress *progress, fg_status *st)
{
  int64_t least = 0;
  return fg_search_pairs(search, u, v, false, k, INT64_MAX, arcs, count, &least, progress, st);
}

fg_code fg_search_violators(fg_search *search, const int64_t *u, const int64_t *v, int64_t tolerance,
                            size_t per_row, fg_arc *arcs, size_t *count, int64_t *worst,
                            const fg_progress *progress, fg_status *st)
{
  int64_t least = 0;
  *worst = 0;
  FG_TRY(fg_search_pairs(search, u, v, true, per_row, -tolerance, arcs, count, &least, progress, st));
  *worst = -least;
  return FG_OK;
}

/* min over x of cost - dual, for every row of y */
static fg_code fg_search_least(fg_search *search, const fg_cost_rule *rule, int64_t *whole, double *real,
                               const fg_progress *progress, fg_status *st)
{
  fg_ask ask = {.rule = *rule, .keys = true};
  fg_code rc = fg_ask_run(&ask, search, false, 1, progress, st);
  for (size_t p = 0; rc == FG_OK && p < search->y.n; p++) {
    if (whole)
      whole[search->y.order[p]] = (int64_t)ask.key[p];
    else
      real[search->y.order[p]] = ask.key[p];
  }
  fg_ask_clear(&ask);
  return rc;
}

fg_code fg_search_transform(fg_search *search, const int64_t *u, int64_t *v, const fg_progress *progress,
                            fg_status *st)
{
  FG_TRY(fg_search_duals(search, &search->x, u, NULL, search->rule.scale, st));
  return fg_search_least(search, &search->rule, v, NULL, progress, st);
}

fg_code fg_search_certify(fg_search *search, const double *u, double *v, const fg_progress *progress,
                          fg_status *st)
{
  const fg_cost_rule plain = {INFINITY, 1, 0};
  FG_TRY(fg_search_duals(search, &search->x, NULL, u, 1, st));
  return fg_search_least(search, &plain, NULL, v, progress, st);
}

/* ---- the whole --------------------------------------------------------------------------- */

fg_code fg_search_create(fg_engine *engine, fg_threads *threads, const fg_cells *x, const fg_cells *y,
                         size_t d, fg_search_cost cost, fg_search **out, fg_status *st)
{
  *out = NULL;
  fg_search *search = calloc(1, sizeof *search);
  if (!search) return FG_FAIL(st, FG_MEMORY, "no memory for a search over %zu x %zu pairs", x->n, y->n);
  search->threads = threads;
  if (engine && engine->price_pairs > 0 && x->n >= (engine->price_pairs - 1) / y->n + 1)
    search->engine = engine;
  search->cells_x = x;
  search->cells_y = y;
  search->d = d;
  search->rule = (fg_cost_rule){cost.cap, cost.scale, FG_COST_ROUNDING};
  search->kernels = fg_search_kernels_pick(0);
  const double *centre = d > FG_FILTER_DIMENSIONS ? x->rows : NULL;
  fg_code rc = FG_OK;
  FG_GO(fg_side_create(x, d, centre, &search->x, st), failed);
  FG_GO(fg_side_create(y, d, centre, &search->y, st), failed);
  if (search->engine) {
    FG_GO(fg_side_upload(engine, &search->x, st), failed);
    FG_GO(fg_side_upload(engine, &search->y, st), failed);
  }
  *out = search;
  return FG_OK;
failed:
  fg_search_destroy(&search);
  return rc;
}

void fg_search_destroy(fg_search **search)
{
  if (!*search) return;
  if ((*search)->engine) {
    fg_side_release((*search)->engine, &(*search)->x);
    fg_side_release((*search)->engine, &(*search)->y);
  }
  fg_side_clear(&(*search)->x);
  fg_side_clear(&(*search)->y);
  free(*search);
  *search = NULL;
}

int64_t fg_search_cost_of(const fg_search *search, size_t i, size_t j)
{
  const double *x = search->cells_x->rows + i * search->d, *y = search->cells_y->rows + j * search->d;
  double sum = 0;
  for (size_t k = 0; k < search->d; k++) sum = fg_cost_add(sum, x[k] - y[k]);
  return (int64_t)fg_rule_cost(&search->rule, sum);
}

const uint32_t *fg_search_order_x(const fg_search *search)
{
  return search->x.order;
}

const uint32_t *fg_search_order_y(const fg_search *search)
{
  return search->y.order;
}
