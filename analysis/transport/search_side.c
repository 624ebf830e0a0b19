/* One sample in kd-tree order: leaves of FG_PANEL points, boxes, the largest dual below each node. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/transport/search_panel.h"

void fg_side_clear(fg_side *side)
{
  void *owned[] = {side->order, side->node,   side->low,  side->high,  side->panel, side->dual,
                   side->above, side->single, side->norm, side->start, side->size,  side->leaf};
  for (size_t k = 0; k < sizeof owned / sizeof *owned; k++) free(owned[k]);
  memset(side, 0, sizeof *side);
}

static fg_code fg_side_allocate(fg_side *side, int singles, fg_status *st)
{
  size_t d = side->d, places = side->leaves * FG_PANEL;
  side->order = malloc(side->n * sizeof *side->order);
  side->node = malloc(side->nodes * sizeof *side->node);
  side->leaf = malloc(side->leaves * sizeof *side->leaf);
  side->low = malloc(side->nodes * d * sizeof *side->low);
  side->high = malloc(side->nodes * d * sizeof *side->high);
  side->panel = calloc(places * d, sizeof *side->panel);
  side->dual = malloc(places * sizeof *side->dual);
  side->above = malloc(side->nodes * sizeof *side->above);
  int ok = side->order && side->node && side->leaf && side->low && side->high && side->panel && side->dual &&
           side->above;
  if (singles) {
    side->single = calloc(places * d, sizeof *side->single);
    side->norm = calloc(places, sizeof *side->norm);
    side->start = malloc(places * sizeof *side->start);
    side->size = malloc(2 * side->leaves * sizeof *side->size);
    ok = ok && side->single && side->norm && side->start && side->size;
  }
  if (ok) return FG_OK;
  return FG_FAIL(st, FG_MEMORY, "no memory for a tree of %zu points of dimension %zu", side->n, d);
}

static void fg_leaf_box(fg_side *side, size_t node)
{
  size_t leaf = side->node[node].first, count = side->n - leaf * FG_PANEL;
  if (count > FG_PANEL) count = FG_PANEL;
  for (size_t k = 0; k < side->d; k++) {
    const double *x = side->panel + (leaf * side->d + k) * FG_PANEL;
    double low = x[0], high = x[0];
    for (size_t q = 1; q < count; q++) {
      low = x[q] < low ? x[q] : low;
      high = x[q] > high ? x[q] : high;
    }
    side->low[node * side->d + k] = low;
    side->high[node * side->d + k] = high;
  }
}

/* The cuts of fg_kd_order, over leaves; returns the number of the next node. */
static size_t fg_side_grow(fg_side *side, size_t at, size_t first, size_t points)
{
  size_t d = side->d, leaves = (points + FG_PANEL - 1) / FG_PANEL;
  side->node[at] = (fg_side_node){(uint32_t)first, (uint32_t)leaves, 0};
  if (leaves == 1) {
    side->leaf[first] = (uint32_t)at;
    fg_leaf_box(side, at);
    return at + 1;
  }
  size_t left = (points / 2 + FG_PANEL - 1) / FG_PANEL;
  size_t right = fg_side_grow(side, at + 1, first, left * FG_PANEL);
  side->node[at].right = (uint32_t)right;
  size_t end = fg_side_grow(side, right, first + left, points - left * FG_PANEL);
  for (size_t k = 0; k < d; k++) {
    side->low[at * d + k] = fmin(side->low[(at + 1) * d + k], side->low[right * d + k]);
    side->high[at * d + k] = fmax(side->high[(at + 1) * d + k], side->high[right * d + k]);
  }
  return end;
}

static void fg_side_singles(fg_side *side, const double *centre)
{
  for (size_t p = 0; p < side->n; p++) {
    size_t at = fg_side_offset(side, p);
    double norm = 0;
    for (size_t k = 0; k < side->d; k++) {
      double x = side->panel[at + k * FG_PANEL] - centre[k];
      side->single[at + k * FG_PANEL] = (float)x;
      norm += x * x;
    }
    side->norm[p] = norm;
  }
}

fg_code fg_side_create(const fg_cells *cells, size_t d, const double *centre, fg_side *side, fg_status *st)
{
  memset(side, 0, sizeof *side);
  side->n = cells->n;
  side->d = d;
  side->leaves = (cells->n + FG_PANEL - 1) / FG_PANEL;
  side->nodes = 2 * side->leaves - 1;
  fg_code rc = fg_side_allocate(side, centre != NULL, st);
  if (rc != FG_OK) {
    fg_side_clear(side);
    return rc;
  }
  for (size_t p = 0; p < side->n; p++) side->order[p] = (uint32_t)p;
  fg_kd_order(cells->rows, d, side->order, side->n, FG_PANEL);
  for (size_t p = 0; p < side->n; p++)
    for (size_t k = 0; k < d; k++)
      side->panel[fg_side_offset(side, p) + k * FG_PANEL] = cells->rows[side->order[p] * d + k];
  fg_side_grow(side, 0, 0, side->n);
  if (centre) fg_side_singles(side, centre);
  return FG_OK;
}

static void fg_side_single_duals(fg_side *side, double scale)
{
  double least = INFINITY;
  for (size_t p = 0; p < side->n; p++) least = fmin(least, side->dual[p]);
  side->shift = 0.5 * least + 0.5 * side->above[0];
  for (size_t leaf = 0; leaf < side->leaves; leaf++) {
    double norm = 0, dual = 0;
    for (size_t p = leaf * FG_PANEL; p < (leaf + 1) * FG_PANEL; p++) {
      double v = (side->dual[p] - side->shift) / scale;
      side->start[p] = (float)(side->norm[p] - v);
      if (p >= side->n) continue;
      norm = fmax(norm, side->norm[p]);
      dual = fmax(dual, fabs(v));
    }
    side->size[2 * leaf] = sqrt(norm);
    side->size[2 * leaf + 1] = dual;
  }
}

void fg_side_set_duals(fg_side *side, const int64_t *whole, const double *real, double scale)
{
  for (size_t p = 0; p < side->leaves * FG_PANEL; p++) {
    if (p >= side->n)
      side->dual[p] = -INFINITY;
    else
      side->dual[p] = whole ? (double)whole[side->order[p]] : real[side->order[p]];
  }
  /* Children come after their parents. */
  for (size_t at = side->nodes; at-- > 0;) {
    const fg_side_node *node = &side->node[at];
    if (node->leaves > 1) {
      side->above[at] = fmax(side->above[at + 1], side->above[node->right]);
      continue;
    }
    const double *dual = side->dual + (size_t)node->first * FG_PANEL;
    double most = dual[0];
    for (size_t q = 1; q < FG_PANEL; q++) most = dual[q] > most ? dual[q] : most;
    side->above[at] = most;
  }
  if (side->single) fg_side_single_duals(side, scale);
}
