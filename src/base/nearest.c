#include "flowgap/base.h"

#include <string.h>

enum { LONGEST = 95 };

static size_t smaller(size_t a, size_t b)
{
  return a < b ? a : b;
}

/* Optimal string alignment: three rows of the usual table. */
size_t fg_edit_distance(const char *a, const char *b)
{
  size_t rows[3][LONGEST + 1];
  size_t *before = rows[0], *last = rows[1], *now = rows[2];
  size_t n = smaller(strlen(a), LONGEST), m = smaller(strlen(b), LONGEST);
  for (size_t j = 0; j <= m; j++) last[j] = before[j] = j;
  for (size_t i = 1; i <= n; i++) {
    now[0] = i;
    for (size_t j = 1; j <= m; j++) {
      size_t change = last[j - 1] + (a[i - 1] != b[j - 1]);
      now[j] = smaller(change, smaller(last[j], now[j - 1]) + 1);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        now[j] = smaller(now[j], before[j - 2] + 1);
    }
    size_t *oldest = before;
    before = last;
    last = now;
    now = oldest;
  }
  return last[m];
}
