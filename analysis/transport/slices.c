/* Projections, their sort, and the monotone plan between them. */
#include "analysis/transport/slices.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/statistics.h"

/* The radix sort orders by the upper FG_UPPER bits; what shares them is finished by comparisons. */
enum {
  FG_DIGIT_BITS = 11,
  FG_DIGITS = 3,
  FG_BUCKETS = 1 << FG_DIGIT_BITS,
  FG_UPPER = FG_DIGIT_BITS * FG_DIGITS
};
enum { FG_BLOCK = 256 }; /* terms of a plain sum, before it enters the compensated one */

#define FG_ALWAYS static inline __attribute__((always_inline))

/* ---- places and their keys ----------------------------------------------------------- */

/* Among doubles of one sign the bits order the sizes; the sign bit is turned round, and with it all others of the
 * negative ones. */
static uint64_t fg_key_of(double value)
{
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits ^ (bits >> 63 ? UINT64_MAX : (uint64_t)1 << 63);
}

double fg_place_of(uint64_t key)
{
  double value;
  uint64_t bits = key ^ (key >> 63 ? (uint64_t)1 << 63 : UINT64_MAX);
  memcpy(&value, &bits, sizeof value);
  return value;
}

static double fg_project(const double *x, size_t d, const double *direction)
{
  double place = 0;
  for (size_t k = 0; k < d; k++) place += x[k] * direction[k];
  return place;
}

/* ---- sorting ------------------------------------------------------------------------- */

/* An entry is `words` numbers, of which the first is the key: 1 for bare keys, 2 for marks. */
FG_ALWAYS void fg_entry_copy(int words, uint64_t *to, const uint64_t *from)
{
  to[0] = from[0];
  if (words == 2) to[1] = from[1];
}

/* Shell's sort: entries that share their upper bits, mostly one or two of them. */
FG_ALWAYS void fg_run_sort(int words, size_t n, uint64_t *entry)
{
  static const size_t gaps[] = {1577, 701, 301, 132, 57, 23, 10, 4, 1};
  size_t first = 0, w = (size_t)words;
  while (first + 1 < sizeof gaps / sizeof *gaps && gaps[first] >= n) first++;
  for (size_t g = first; g < sizeof gaps / sizeof *gaps; g++)
    for (size_t i = gaps[g]; i < n; i++) {
      uint64_t held[2];
      size_t at = i;
      fg_entry_copy(words, held, entry + i * w);
      for (; at >= gaps[g] && entry[(at - gaps[g]) * w] > held[0]; at -= gaps[g])
        fg_entry_copy(words, entry + at * w, entry + (at - gaps[g]) * w);
      fg_entry_copy(words, entry + at * w, held);
    }
}

/* By FG_UPPER bits from `shift` on, lowest digit first. Returns where the result lies: entry or spare. */
FG_ALWAYS uint64_t *fg_digits_sort(int words, size_t n, int shift, uint64_t *entry, uint64_t *spare,
                                   uint32_t *count)
{
  const uint64_t mask = FG_BUCKETS - 1;
  const size_t w = (size_t)words;
  memset(count, 0, FG_DIGITS * FG_BUCKETS * sizeof *count);
  for (size_t i = 0; i < n; i++)
    for (int digit = 0; digit < FG_DIGITS; digit++)
      count[digit * FG_BUCKETS + (int)(entry[i * w] >> (shift + digit * FG_DIGIT_BITS) & mask)]++;
  for (int digit = 0; digit < FG_DIGITS; digit++) {
    const int at_bit = shift + digit * FG_DIGIT_BITS;
    uint32_t *at = count + digit * FG_BUCKETS, next = 0;
    if (at[entry[0] >> at_bit & mask] == n) continue;
    for (int bucket = 0; bucket < FG_BUCKETS; bucket++) {
      uint32_t held = at[bucket];
      at[bucket] = next;
      next += held;
    }
    for (size_t i = 0; i < n; i++)
      fg_entry_copy(words, spare + w * at[entry[i * w] >> at_bit & mask]++, entry + i * w);
    uint64_t *swap = entry;
    entry = spare;
    spare = swap;
  }
  return entry;
}

/* Returns where the result lies: entry or spare. Long runs with the same upper bits (a sample far from 0 for its width)
 * are sorted by the lower ones in the same way. */
FG_ALWAYS uint64_t *fg_entries_sort(int words, size_t n, uint64_t *entry, uint64_t *spare, uint32_t *count)
{
  enum { LOWER = 64 - FG_UPPER, LONG = 4096, FEW = 80 };
  const size_t w = (size_t)words;
  if (n <= FEW) { /* counting all digits would take longer */
    fg_run_sort(words, n, entry);
    return entry;
  }
  uint64_t *sorted = fg_digits_sort(words, n, LOWER, entry, spare, count);
  uint64_t *other = sorted == entry ? spare : entry;
  for (size_t from = 0, to; from < n; from = to) {
    const uint64_t upper = sorted[from * w] >> LOWER;
    for (to = from + 1; to < n && sorted[to * w] >> LOWER == upper;) to++;
    if (to - from > LONG) {
      uint64_t *run = fg_digits_sort(words, to - from, 0, sorted + from * w, other + from * w, count);
      if (run != sorted + from * w) memcpy(sorted + from * w, run, (to - from) * w * sizeof *run);
    } else if (to - from > 1) {
      fg_run_sort(words, to - from, sorted + from * w);
    }
  }
  return sorted;
}

/* ---- the cost along one direction ---------------------------------------------------- */

/* Walks the monotone plan; both sides hold `total`, so both end in the same step. */
typedef struct fg_walk {
  const fg_pair *pair;
  const fg_mark *x, *y;
  const int64_t *mass_x, *mass_y; /* of rows; NULL where marks carry masses */
  size_t i, j;
  int64_t left_x, left_y;
} fg_walk;

static int64_t fg_mark_mass(const fg_mark *mark, const int64_t *mass)
{
  return mass ? mass[mark->load] : (int64_t)mark->load;
}

static fg_walk fg_walk_begin(const fg_pair *pair, const fg_slicer *own, bool rows)
{
  fg_walk walk = {pair, own->x, own->y, rows ? pair->mass_x : NULL, rows ? pair->mass_y : NULL, 0, 0, 0, 0};
  walk.left_x = fg_mark_mass(walk.x, walk.mass_x);
  walk.left_y = fg_mark_mass(walk.y, walk.mass_y);
  return walk;
}

static bool fg_walk_on(const fg_walk *walk)
{
  return walk->i < walk->pair->n && walk->j < walk->pair->m;
}

static double fg_walk_gap(const fg_walk *walk)
{
  return fg_place_of(walk->x[walk->i].key) - fg_place_of(walk->y[walk->j].key);
}

/* The share that goes from mark i to mark j, and on to the next two. */
static double fg_walk_step(fg_walk *walk)
{
  int64_t amount = walk->left_x < walk->left_y ? walk->left_x : walk->left_y;
  walk->left_x -= amount;
  walk->left_y -= amount;
  if (walk->left_x == 0 && ++walk->i < walk->pair->n)
    walk->left_x = fg_mark_mass(&walk->x[walk->i], walk->mass_x);
  if (walk->left_y == 0 && ++walk->j < walk->pair->m)
    walk->left_y = fg_mark_mass(&walk->y[walk->j], walk->mass_y);
  return (double)amount / (double)walk->pair->total;
}

/* Marks of n rows in the order of their places; they carry masses, where there are any, or rows. */
static void fg_marks_sort(size_t n, size_t d, const double *from, const int64_t *mass,
                          const double *direction, uint32_t *count, fg_mark **mark, fg_mark **spare)
{
  fg_mark *own = *mark;
  for (size_t i = 0; i < n; i++)
    own[i] = (fg_mark){fg_key_of(fg_project(from + i * d, d, direction)), mass ? (uint64_t)mass[i] : i};
  uint64_t *sorted = fg_entries_sort(2, n, (uint64_t *)own, (uint64_t *)*spare, count);
  if (sorted == (uint64_t *)own) return;
  *mark = *spare;
  *spare = own;
}

/* Marks with rows, or with masses: these need no look-up out of order afterwards. */
static double fg_marks_cost(const fg_pair *pair, fg_slicer *own, const double *direction, bool rows)
{
  fg_marks_sort(pair->n, pair->d, pair->x, rows ? NULL : pair->mass_x, direction, own->count, &own->x,
                &own->spare);
  fg_marks_sort(pair->m, pair->d, pair->y, rows ? NULL : pair->mass_y, direction, own->count, &own->y,
                &own->spare);
  fg_sum cost = {0, 0};
  for (fg_walk walk = fg_walk_begin(pair, own, rows); fg_walk_on(&walk);) {
    double part = 0;
    for (int term = 0; term < FG_BLOCK && fg_walk_on(&walk); term++) {
      double gap = fg_walk_gap(&walk);
      part += fg_walk_step(&walk) * gap * gap;
    }
    fg_sum_add(&cost, part);
  }
  return fg_sum_value(&cost);
}

double fg_slice_sort(const fg_pair *pair, fg_slicer *own, const double *direction)
{
  return fg_marks_cost(pair, own, direction, true);
}

const fg_mark *fg_slice_order(const fg_pair *pair, fg_slicer *own, const double *direction)
{
  fg_marks_sort(pair->n, pair->d, pair->x, NULL, direction, own->count, &own->x, &own->spare);
  return own->x;
}

void fg_slice_gradient(const fg_pair *pair, const fg_slicer *own, double *gradient)
{
  const size_t d = pair->d;
  memset(gradient, 0, d * sizeof *gradient);
  for (fg_walk walk = fg_walk_begin(pair, own, true); fg_walk_on(&walk);) {
    const double *from = pair->x + own->x[walk.i].load * d, *to = pair->y + own->y[walk.j].load * d;
    double push = fg_walk_gap(&walk);
    push *= fg_walk_step(&walk);
    for (size_t k = 0; k < d; k++) gradient[k] += push * (from[k] - to[k]);
  }
}

/* Sorted keys, and equal masses on each side: entry i of x covers i m .. (i + 1) m of n m parts, entry j of y
 * j n .. (j + 1) n. */
static double fg_keys_cost(size_t n, const uint64_t *x, size_t m, const uint64_t *y)
{
  fg_sum cost = {0, 0};
  if (n == m) {
    for (size_t at = 0; at < n; at += FG_BLOCK) {
      const size_t end = at + FG_BLOCK < n ? at + FG_BLOCK : n;
      double part = 0;
      for (size_t i = at; i < end; i++) {
        double gap = fg_place_of(x[i]) - fg_place_of(y[i]);
        part += gap * gap;
      }
      fg_sum_add(&cost, part);
    }
    return fg_sum_value(&cost) / (double)n;
  }
  size_t left_x = m, left_y = n;
  for (size_t i = 0, j = 0; i < n;) {
    double part = 0;
    for (int term = 0; term < FG_BLOCK && i < n; term++) {
      size_t amount = left_x < left_y ? left_x : left_y;
      double gap = fg_place_of(x[i]) - fg_place_of(y[j]);
      part += (double)amount * gap * gap;
      left_x -= amount;
      left_y -= amount;
      if (left_x == 0) left_x = m, i++;
      if (left_y == 0) left_y = n, j++;
    }
    fg_sum_add(&cost, part);
  }
  return fg_sum_value(&cost) / ((double)n * (double)m);
}

/* Where masses are alike the keys alone are sorted, which is half the memory to move. */
double fg_slice_cost(const fg_pair *pair, fg_slicer *own, const double *direction)
{
  if (!own->alike) return fg_marks_cost(pair, own, direction, false);
  uint64_t *sorted[2] = {NULL, NULL};
  fg_mark *place[2] = {own->x, own->y};
  for (int s = 0; s < 2; s++) {
    const size_t n = s ? pair->m : pair->n, d = pair->d;
    const double *from = s ? pair->y : pair->x;
    uint64_t *key = (uint64_t *)place[s]; /* room for two arrays of keys */
    for (size_t i = 0; i < n; i++) key[i] = fg_key_of(fg_project(from + i * d, d, direction));
    sorted[s] = fg_entries_sort(1, n, key, key + n, own->count);
  }
  return fg_keys_cost(pair->n, sorted[0], pair->m, sorted[1]);
}

/* ---- buffers ------------------------------------------------------------------------- */

static int fg_all_equal(size_t n, const int64_t *mass)
{
  for (size_t i = 1; i < n; i++)
    if (mass[i] != mass[0]) return 0;
  return 1;
}

fg_code fg_slicers_create(const fg_pair *pair, int count, fg_slicer **slicers, fg_status *st)
{
  const size_t longer = pair->n > pair->m ? pair->n : pair->m;
  const int alike = fg_all_equal(pair->n, pair->mass_x) && fg_all_equal(pair->m, pair->mass_y);
  bool lacks = false;
  *slicers = calloc((size_t)count, sizeof **slicers);
  for (int w = 0; *slicers && w < count; w++) {
    fg_slicer *own = &(*slicers)[w];
    own->direction = malloc(pair->d * sizeof *own->direction);
    own->x = malloc(longer * sizeof *own->x);
    own->y = malloc(longer * sizeof *own->y);
    own->spare = malloc(longer * sizeof *own->spare);
    own->count = malloc(FG_DIGITS * FG_BUCKETS * sizeof *own->count);
    own->alike = alike;
    lacks = lacks || !own->direction || !own->x || !own->y || !own->spare || !own->count;
  }
  if (*slicers && !lacks) return FG_OK;
  fg_slicers_destroy(count, slicers);
  return FG_FAIL(st, FG_MEMORY,
                 "no memory to sort %zu + %zu projections on %d threads: give fewer rows or threads", pair->n,
                 pair->m, count);
}

void fg_slicers_destroy(int count, fg_slicer **slicers)
{
  for (int w = 0; *slicers && w < count; w++) {
    free((*slicers)[w].direction);
    free((*slicers)[w].x);
    free((*slicers)[w].y);
    free((*slicers)[w].spare);
    free((*slicers)[w].count);
  }
  free(*slicers);
  *slicers = NULL;
}
