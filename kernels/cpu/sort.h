/* Rows in the order of their places: a radix sort of whole numbers that sort like doubles. Engines agree on the order of
 * rows (cuda/slice_kernels.cu has the same sort for its own), equal places included. */
#ifndef FG_CPU_SORT_H
#define FG_CPU_SORT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "formula/slice.h"

/* The radix sort orders by the upper FG_UPPER bits; what shares them is finished by comparisons. */
enum {
  FG_DIGIT_BITS = 11,
  FG_DIGITS = 3,
  FG_BUCKETS = 1 << FG_DIGIT_BITS,
  FG_UPPER = FG_DIGIT_BITS * FG_DIGITS,
  FG_SORT_COUNTS = FG_DIGITS * FG_BUCKETS /* uint32 that a sort works with */
};

#define FG_ALWAYS static inline __attribute__((always_inline))

/* A projected row: its place, and its number or its mass. */
typedef struct fg_mark {
  uint64_t key, load;
} fg_mark;

/* An entry is `words` numbers, of which the first is the key: 1 for bare keys, 2 for marks. Where marks carry `rows`, those
 * of equal keys come in the order of these. */
FG_ALWAYS void fg_entry_copy(int words, uint64_t *to, const uint64_t *from)
{
  to[0] = from[0];
  if (words == 2) to[1] = from[1];
}

FG_ALWAYS bool fg_entry_after(bool rows, const uint64_t *a, const uint64_t *b)
{
  return a[0] > b[0] || (rows && a[0] == b[0] && a[1] > b[1]);
}

/* Shell's sort: entries that share their upper bits, mostly one or two of them. */
FG_ALWAYS void fg_run_sort(int words, bool rows, size_t n, uint64_t *entry)
{
  static const size_t gaps[] = {1577, 701, 301, 132, 57, 23, 10, 4, 1};
  size_t first = 0, w = (size_t)words;
  while (first + 1 < sizeof gaps / sizeof *gaps && gaps[first] >= n) first++;
  for (size_t g = first; g < sizeof gaps / sizeof *gaps; g++)
    for (size_t i = gaps[g]; i < n; i++) {
      uint64_t held[2];
      size_t at = i;
      fg_entry_copy(words, held, entry + i * w);
      for (; at >= gaps[g] && fg_entry_after(rows, entry + (at - gaps[g]) * w, held); at -= gaps[g])
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
FG_ALWAYS uint64_t *fg_entries_sort(int words, bool rows, size_t n, uint64_t *entry, uint64_t *spare,
                                    uint32_t *count)
{
  enum { LOWER = 64 - FG_UPPER, LONG = 4096, FEW = 80 };
  const size_t w = (size_t)words;
  if (n <= FEW) { /* counting all digits would take longer */
    fg_run_sort(words, rows, n, entry);
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
      fg_run_sort(words, rows, to - from, sorted + from * w);
    }
  }
  return sorted;
}

/* Marks of n rows in the order of their places; they carry masses, where there are any, or rows. */
static inline void fg_marks_sort(size_t n, size_t d, const double *from, const int64_t *mass,
                                 const double *direction, uint32_t *count, fg_mark **mark, fg_mark **spare)
{
  fg_mark *own = *mark;
  for (size_t i = 0; i < n; i++)
    own[i] = (fg_mark){fg_key_of(fg_project(from + i * d, d, direction)), mass ? (uint64_t)mass[i] : i};
  uint64_t *sorted = mass ? fg_entries_sort(2, false, n, (uint64_t *)own, (uint64_t *)*spare, count)
                          : fg_entries_sort(2, true, n, (uint64_t *)own, (uint64_t *)*spare, count);
  if (sorted == (uint64_t *)own) return;
  *mark = *spare;
  *spare = own;
}

#endif
