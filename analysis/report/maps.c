#include "analysis/report/maps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_SORTED 100000 /* points per cloud whose quantiles place the view */

static int ascending(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Where 99.6 % of one coordinate lie, but no further from the middle 96 % than these are wide, so that a few
 * runaways do not shrink all others to a point. Finite values only; false when there are none. */
static bool quantiles(fg_cloud cloud, size_t axis, double *room, double *low, double *high)
{
  size_t stride = cloud.n / MOST_SORTED + 1, kept = 0;
  for (size_t i = 0; i < cloud.n; i += stride) {
    double value = cloud.x[i * cloud.d + axis];
    if (isfinite(value)) room[kept++] = value;
  }
  if (!kept) return false;
  qsort(room, kept, sizeof *room, ascending);
  size_t cut = (size_t)(0.002 * (double)kept);
  size_t inner = (size_t)(0.02 * (double)kept);
  double width = room[kept - 1 - inner] - room[inner];
  *low = fmax(room[cut], room[inner] - width);
  *high = fmin(room[kept - 1 - cut], room[kept - 1 - inner] + width);
  return true;
}

/* Along one axis: where the bulk of each law lies. */
typedef struct span {
  double low[FG_VIEW_LAWS], high[FG_VIEW_LAWS];
  size_t count;
} span;

/* The middle of the values, the lower one of two; sorts them. */
static double middle_of(double *values, size_t count)
{
  qsort(values, count, sizeof *values, ascending);
  return values[(count - 1) / 2];
}

/* What holds all laws, but no further from their middle than twice their typical width: one that has run away is
 * counted as outside instead of shrinking the others to a point. */
static void join_spans(const span *laws, double *low, double *high)
{
  double width[FG_VIEW_LAWS], center[FG_VIEW_LAWS];
  size_t wide = 0;
  *low = INFINITY;
  *high = -INFINITY;
  for (size_t k = 0; k < laws->count; k++) {
    *low = fmin(*low, laws->low[k]);
    *high = fmax(*high, laws->high[k]);
    if (laws->high[k] > laws->low[k]) width[wide++] = laws->high[k] - laws->low[k];
    center[k] = 0.5 * (laws->low[k] + laws->high[k]);
  }
  if (wide == 0) return; /* points: nothing is typical */
  double typical = middle_of(width, wide), middle = middle_of(center, laws->count);
  if (wide == 2) typical = fmin(width[1], 4 * width[0]); /* of two laws neither is the odd one */
  *low = fmax(*low, middle - 2 * typical);
  *high = fmin(*high, middle + 2 * typical);
}

fg_code fg_view_fit(const fg_cloud *clouds, size_t number, fg_view *view, fg_status *st)
{
  double low[2] = {0, 0}, high[2] = {0, 0};
  size_t least = (size_t)-1;
  span laws[2] = {{.count = 0}, {.count = 0}};
  double *room = malloc((MOST_SORTED + 1) * sizeof *room);
  if (!room) return FG_FAIL(st, FG_MEMORY, "no memory for the density maps of the report");
  view->axes = 1;
  for (size_t k = 0; k < number && k < FG_VIEW_LAWS; k++) {
    if (!clouds[k].x) continue;
    view->axes = clouds[k].d > 1 ? 2 : 1;
    if (clouds[k].n < least) least = clouds[k].n;
    for (int axis = 0; axis < view->axes; axis++) {
      span *law = &laws[axis];
      if (quantiles(clouds[k], (size_t)axis, room, &law->low[law->count], &law->high[law->count]))
        law->count++;
    }
  }
  free(room);
  for (int axis = 0; axis < view->axes; axis++) {
    if (!laws[axis].count) return FG_FAIL(st, FG_NUMERICS, "samples.h5 has no finite points to show");
    join_spans(&laws[axis], &low[axis], &high[axis]);
  }
  double width = high[0] - low[0];
  if (view->axes == 2) width = fmax(width, high[1] - low[1]);
  if (!(width > 0)) width = 1; /* all points at one place */
  view->width = 1.1 * width;
  for (int axis = 0; axis < view->axes; axis++)
    view->low[axis] = 0.5 * (low[axis] + high[axis] - view->width);
  /* cells shrink with n so that a typical one keeps enough points to be told from noise */
  double bins = view->axes == 2 ? 1.9 * cbrt((double)least) : 2.5 * cbrt((double)least);
  view->bins = (size_t)fmin(fmax(bins, 24), view->axes == 2 ? 120 : 200);
  return FG_OK;
}

size_t fg_view_cells(const fg_view *view)
{
  return view->axes == 2 ? view->bins * view->bins : view->bins;
}

double fg_view_cell_size(const fg_view *view)
{
  double side = view->width / (double)view->bins;
  return view->axes == 2 ? side * side : side;
}

fg_code fg_map_fill(const fg_view *view, fg_cloud cloud, fg_map *map, fg_status *st)
{
  *map = (fg_map){0};
  if (!cloud.x) return FG_OK;
  map->count = calloc(fg_view_cells(view), sizeof *map->count);
  if (!map->count) return FG_FAIL(st, FG_MEMORY, "no memory for a density map of the report");
  map->n = cloud.n;
  double scale = (double)view->bins / view->width, bins = (double)view->bins;
  for (size_t i = 0; i < cloud.n; i++) {
    const double *x = cloud.x + i * cloud.d;
    double u = (x[0] - view->low[0]) * scale;
    double v = view->axes == 2 ? (x[1] - view->low[1]) * scale : 0;
    if (!(u >= 0 && u < bins && v >= 0 && v < bins)) {
      map->outside++;
      continue;
    }
    map->count[(size_t)v * view->bins + (size_t)u] += 1;
  }
  return FG_OK;
}

void fg_map_clear(fg_map *map)
{
  free(map->count);
  *map = (fg_map){0};
}

double fg_map_density(const fg_view *view, const fg_map *map, size_t cell)
{
  return map->count[cell] / ((double)map->n * fg_view_cell_size(view));
}

/* The 99.7th percentile of values > 0, in place. */
static double high_percentile(double *values, size_t count)
{
  if (!count) return 0;
  qsort(values, count, sizeof *values, ascending);
  return values[(size_t)(0.997 * (double)(count - 1) + 0.5)];
}

fg_code fg_map_top(const fg_view *view, const fg_map *const *maps, size_t number, double *top, fg_status *st)
{
  size_t cells = fg_view_cells(view), kept = 0;
  double *room = malloc(number * cells * sizeof *room);
  if (!room) return FG_FAIL(st, FG_MEMORY, "no memory for the density maps of the report");
  for (size_t k = 0; k < number; k++)
    for (size_t i = 0; maps[k]->count && i < cells; i++)
      if (maps[k]->count[i] > 0) room[kept++] = fg_map_density(view, maps[k], i);
  *top = high_percentile(room, kept);
  free(room);
  return FG_OK;
}

double fg_map_error(const fg_view *view, const fg_map *a, const fg_map *b, size_t cell)
{
  double na = (double)a->n, nb = (double)b->n;
  return sqrt(a->count[cell] / (na * na) + b->count[cell] / (nb * nb)) / fg_view_cell_size(view);
}

fg_code fg_map_subtract(const fg_view *view, const fg_map *a, const fg_map *b, fg_map_gap *gap, fg_status *st)
{
  size_t cells = fg_view_cells(view), kept = 0;
  *gap = (fg_map_gap){0};
  gap->value = calloc(cells, sizeof *gap->value);
  double *room = malloc(cells * sizeof *room);
  if (!gap->value || !room) {
    free(gap->value);
    free(room);
    *gap = (fg_map_gap){0};
    return FG_FAIL(st, FG_MEMORY, "no memory for a density map of the report");
  }
  for (size_t i = 0; i < cells; i++) {
    double value = fg_map_density(view, b, i) - fg_map_density(view, a, i);
    gap->value[i] = value;
    if (value != 0) room[kept++] = fabs(value);
    if (a->count[i] + b->count[i] < 10) continue;
    gap->tested++;
    if (fabs(value) > 3 * fg_map_error(view, a, b, i)) gap->beyond++;
  }
  gap->top = high_percentile(room, kept);
  free(room);
  return FG_OK;
}

/* ---- colours --------------------------------------------------------------------------- */

/* viridis (perceptually uniform, by S. van der Walt and N. Smith, public domain) at 11 places */
static const unsigned char viridis[11][3] = {{0x44, 0x01, 0x54}, {0x48, 0x25, 0x76}, {0x41, 0x44, 0x87},
                                             {0x35, 0x60, 0x8d}, {0x2a, 0x78, 0x8e}, {0x21, 0x90, 0x8c},
                                             {0x22, 0xa8, 0x84}, {0x43, 0xbf, 0x71}, {0x7a, 0xd1, 0x51},
                                             {0xbb, 0xdf, 0x27}, {0xfd, 0xe7, 0x25}};

void fg_map_paint(const fg_view *view, const fg_map *map, double top, unsigned char *rgba)
{
  size_t cells = fg_view_cells(view);
  for (size_t i = 0; i < cells; i++) {
    double place = top > 0 ? 10 * fmin(fg_map_density(view, map, i) / top, 1) : 0;
    int k = place >= 10 ? 9 : (int)place;
    for (int c = 0; c < 3; c++) {
      double from = viridis[k][c], to = viridis[k + 1][c];
      rgba[4 * i + (size_t)c] = (unsigned char)(from + (place - k) * (to - from) + 0.5);
    }
    rgba[4 * i + 3] = 255;
  }
}

void fg_map_paint_gap(const fg_view *view, const fg_map_gap *gap, unsigned char *rgba)
{
  static const unsigned char less[3] = {0x00, 0x72, 0xb2}, more[3] = {0xd5, 0x5e, 0x00};
  size_t cells = fg_view_cells(view);
  for (size_t i = 0; i < cells; i++) {
    double share = gap->top > 0 ? fmin(fabs(gap->value[i]) / gap->top, 1) : 0;
    memcpy(rgba + 4 * i, gap->value[i] < 0 ? less : more, 3);
    rgba[4 * i + 3] = (unsigned char)(255 * share + 0.5);
  }
}

double fg_nice_step(double width, int most)
{
  double step = pow(10, floor(log10(width / most)));
  static const double factors[] = {1, 2, 5, 10};
  for (int i = 0; i < 4; i++)
    if (factors[i] * step * most >= width * (1 - 1e-12)) return factors[i] * step;
  return 10 * step;
}
