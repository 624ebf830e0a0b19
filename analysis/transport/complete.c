/* A plan of all mass from one that was stopped: what is left on both sides is halved together, axis by axis, until a single
 * point is left on one of them. Far from optimal, but near: an upper bound that says something. */
#include <stdlib.h>
#include <string.h>

#include "analysis/transport/transport.h"

typedef struct fg_rest {
  double key; /* coordinate along which the set is halved */
  int64_t mass;
  uint32_t row;
} fg_rest;

typedef struct fg_halving {
  const fg_cells *x, *y;
  size_t d;
  fg_shipment *plan;
  size_t count;
} fg_halving;

static bool fg_rest_before(const fg_rest *a, const fg_rest *b)
{
  return a->key != b->key ? a->key < b->key : a->row < b->row;
}

static void fg_rest_swap(fg_rest *a, fg_rest *b)
{
  fg_rest kept = *a;
  *a = *b;
  *b = kept;
}

/* Place k of the point where the sum of masses (or the number of points) passes target, which is below that of all, with
 * smaller keys before it; *before: their sum. */
static size_t fg_rest_split(fg_rest *rest, size_t n, bool by_mass, int64_t target, int64_t *before)
{
  size_t low = 0, high = n;
  *before = 0;
  while (high - low > 1) {
    size_t place = low, last = high - 1;
    int64_t sum = *before;
    fg_rest_swap(rest + low + (high - low) / 2, rest + last);
    for (size_t i = low; i < last; i++) {
      if (!fg_rest_before(rest + i, rest + last)) continue;
      sum += by_mass ? rest[i].mass : 1;
      fg_rest_swap(rest + i, rest + place++);
    }
    fg_rest_swap(rest + place, rest + last);
    if (target < sum) {
      high = place;
      continue;
    }
    int64_t with = sum + (by_mass ? rest[place].mass : 1);
    low = target < with ? place : place + 1;
    *before = target < with ? sum : with;
    if (low == place) break;
  }
  return low;
}

static size_t fg_rest_axis(const fg_halving *h, const fg_cells *cells, const fg_rest *rest, size_t n)
{
  size_t axis = 0;
  double widest = -1;
  for (size_t k = 0; k < h->d; k++) {
    double low = cells->rows[rest[0].row * h->d + k], high = low;
    for (size_t i = 1; i < n; i++) {
      double at = cells->rows[rest[i].row * h->d + k];
      low = at < low ? at : low;
      high = at > high ? at : high;
    }
    if (high - low > widest) {
      widest = high - low;
      axis = k;
    }
  }
  return axis;
}

static void fg_rest_keys(const fg_halving *h, const fg_cells *cells, size_t axis, fg_rest *rest, size_t n)
{
  for (size_t i = 0; i < n; i++) rest[i].key = cells->rows[rest[i].row * h->d + axis];
}

/* One side has a single point, or the side with more points is halved and the other follows by mass; the point in the
 * middle of the other side goes to both. At most nx + ny - 1 shipments. */
static void fg_halve(fg_halving *h, fg_rest *x, size_t nx, fg_rest *y, size_t ny)
{
  if (nx == 1 || ny == 1) {
    for (size_t k = 0; k < nx + ny - 1; k++) {
      const fg_rest *from = x + (nx == 1 ? 0 : k), *to = y + (ny == 1 ? 0 : k);
      int64_t amount = nx == 1 ? to->mass : from->mass;
      h->plan[h->count++] = (fg_shipment){from->row, to->row, amount};
    }
    return;
  }
  bool swap = nx < ny;
  fg_rest *more = swap ? y : x, *less = swap ? x : y;
  size_t n = swap ? ny : nx, m = swap ? nx : ny, half = n / 2;
  size_t axis = fg_rest_axis(h, swap ? h->y : h->x, more, n);
  int64_t before, mass = 0;
  fg_rest_keys(h, h->x, axis, x, nx);
  fg_rest_keys(h, h->y, axis, y, ny);
  fg_rest_split(more, n, false, (int64_t)half, &before);
  for (size_t i = 0; i < half; i++) mass += more[i].mass;
  size_t middle = fg_rest_split(less, m, true, mass, &before);
  fg_rest shared = less[middle];
  less[middle].mass = mass - before;
  size_t lower = middle + (mass > before ? 1 : 0);
  fg_halve(h, x, swap ? lower : half, y, swap ? half : lower);
  shared.mass -= mass - before;
  less[middle] = shared;
  if (swap)
    fg_halve(h, x + middle, nx - middle, y + half, ny - half);
  else
    fg_halve(h, x + half, nx - half, y + middle, ny - middle);
}

static size_t fg_rest_gather(const int64_t *left, size_t n, fg_rest *rest)
{
  size_t count = 0;
  for (size_t i = 0; i < n; i++)
    if (left[i] > 0) rest[count++] = (fg_rest){0, left[i], (uint32_t)i};
  return count;
}

fg_code fg_plan_complete(const fg_cells *x, const fg_cells *y, size_t d, fg_shipment *plan, size_t *count,
                         fg_status *st)
{
  int64_t *left = malloc((x->n + y->n) * sizeof *left);
  fg_rest *rest = malloc((x->n + y->n) * sizeof *rest);
  if (!left || !rest) {
    free(left);
    free(rest);
    return FG_FAIL(st, FG_MEMORY, "no memory for a plan of %zu + %zu points", x->n, y->n);
  }
  memcpy(left, x->mass, x->n * sizeof *left);
  memcpy(left + x->n, y->mass, y->n * sizeof *left);
  for (size_t a = 0; a < *count; a++) {
    left[plan[a].from] -= plan[a].amount;
    left[x->n + plan[a].to] -= plan[a].amount;
  }
  size_t nx = fg_rest_gather(left, x->n, rest), ny = fg_rest_gather(left + x->n, y->n, rest + nx);
  fg_halving halving = {x, y, d, plan, *count};
  if (nx > 0) fg_halve(&halving, rest, nx, rest + nx, ny);
  *count = halving.count;
  free(left);
  free(rest);
  return FG_OK;
}
