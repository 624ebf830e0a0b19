/* Arithmetic of the search on panels, compiled for several instruction sets; the bits are the same on all of them, except
 * in the filter, which only proposes. */
#include "analysis/transport/search_panel.h"

#define FG_INLINE static inline __attribute__((always_inline))

FG_INLINE void fg_bounds(size_t d, const double *questions, const double *low, const double *high,
                         const fg_cost_rule *rule, double dual, double *bound)
{
  double sum[FG_PANEL] = {0};
  for (size_t k = 0; k < d; k++) {
    const double *x = questions + k * FG_PANEL;
    for (size_t q = 0; q < FG_PANEL; q++) {
      sum[q] = fg_cost_add(sum[q], fg_cost_outside(x[q], low[k], high[k]));
    }
  }
  for (size_t q = 0; q < FG_PANEL; q++) bound[q] = fg_rule_cost(rule, sum[q]) - dual;
}

enum { FG_WIDE = 8 };
typedef double fg_wide __attribute__((vector_size(8 * FG_WIDE), aligned(8)));
typedef int64_t fg_wide_marks __attribute__((vector_size(8 * FG_WIDE)));

FG_INLINE uint64_t fg_keys(size_t d, const double *x, const double *panel, const double *dual,
                           const fg_cost_rule *rule, double limit, double *key)
{
  const double scale = rule->scale, rounding = rule->rounding;
  const fg_wide cap = rule->cap - (fg_wide){0};
  fg_wide_marks bit = {1, 2, 4, 8, 16, 32, 64, 128}, below = {0};
  for (size_t h = 0; h < FG_PANEL; h += FG_WIDE, bit <<= FG_WIDE) {
    fg_wide sum = {0};
    for (size_t k = 0; k < d; k++) {
      fg_wide gap = x[k * FG_PANEL] - *(const fg_wide *)(panel + k * FG_PANEL + h);
      sum += gap * gap;
    }
    fg_wide_marks less = sum < cap;
    sum = (fg_wide)((less & (fg_wide_marks)sum) | (~less & (fg_wide_marks)cap));
    sum = ((sum * scale + rounding) - rounding) - *(const fg_wide *)(dual + h);
    *(fg_wide *)(key + h) = sum;
    below |= (sum < limit) & bit;
  }
  uint64_t bits = 0;
  for (int l = 0; l < FG_WIDE; l++) bits |= (uint64_t)below[l];
  return bits;
}

/* In the plane the loop over coordinates is worth unrolling. */
FG_INLINE uint64_t fg_keys_any(size_t d, const double *x, const double *panel, const double *dual,
                               const fg_cost_rule *rule, double limit, double *key)
{
  return d == 2 ? fg_keys(2, x, panel, dual, rule, limit, key) : fg_keys(d, x, panel, dual, rule, limit, key);
}

enum { FG_LANES = 16 };
typedef float fg_lanes __attribute__((vector_size(4 * FG_LANES), aligned(4)));
typedef int32_t fg_marks __attribute__((vector_size(4 * FG_LANES)));

FG_INLINE unsigned fg_filter(size_t d, const float *x, const float *panel, const float *start,
                             const float *limit)
{
  fg_marks hit[FG_QUARTET] = {{0}};
  for (size_t h = 0; h < FG_PANEL; h += FG_LANES) {
    fg_lanes first = *(const fg_lanes *)(start + h), sum[FG_QUARTET] = {first, first, first, first};
    for (size_t k = 0; k < d; k++) {
      fg_lanes y = *(const fg_lanes *)(panel + k * FG_PANEL + h);
      for (int q = 0; q < FG_QUARTET; q++) sum[q] += x[k * FG_QUARTET + (size_t)q] * y;
    }
    for (int q = 0; q < FG_QUARTET; q++) hit[q] |= sum[q] < limit[q];
  }
  /* Hits are rare: one look at all four first. */
  fg_marks any = hit[0] | hit[1] | hit[2] | hit[3];
  int32_t seen = 0;
  for (int l = 0; l < FG_LANES; l++) seen |= any[l];
  unsigned bits = 0;
  for (unsigned q = 0; seen && q < FG_QUARTET; q++)
    for (int l = 0; l < FG_LANES; l++) bits |= hit[q][l] ? 1U << q : 0;
  return bits;
}

#define FG_KERNELS(name, target)                                                                             \
  target static void bounds_##name(size_t d, const double *questions, const double *low, const double *high, \
                                   const fg_cost_rule *rule, double dual, double *bound)                     \
  {                                                                                                          \
    fg_bounds(d, questions, low, high, rule, dual, bound);                                                   \
  }                                                                                                          \
  target static uint64_t keys_##name(size_t d, const double *x, const double *panel, const double *dual,     \
                                     const fg_cost_rule *rule, double limit, double *key)                    \
  {                                                                                                          \
    return fg_keys_any(d, x, panel, dual, rule, limit, key);                                                 \
  }                                                                                                          \
  target static unsigned filter_##name(size_t d, const float *x, const float *panel, const float *start,     \
                                       const float *limit)                                                   \
  {                                                                                                          \
    return fg_filter(d, x, panel, start, limit);                                                             \
  }                                                                                                          \
  static const fg_search_kernels kernels_##name = {bounds_##name, keys_##name, filter_##name};

FG_KERNELS(baseline, )
#ifdef __x86_64__
FG_KERNELS(avx2, __attribute__((target("avx2"))))
#ifdef __clang__
FG_KERNELS(avx512, __attribute__((target("avx512f,avx512dq,avx512vl"))))
#else
FG_KERNELS(avx512, __attribute__((target("avx512f,avx512dq,avx512vl,prefer-vector-width=512"))))
#endif
#endif

const fg_search_kernels *fg_search_kernels_pick(size_t which)
{
  const fg_search_kernels *usable[3];
  size_t count = 0;
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    usable[count++] = &kernels_avx512;
  if (__builtin_cpu_supports("avx2")) usable[count++] = &kernels_avx2;
#endif
  usable[count++] = &kernels_baseline;
  return which < count ? usable[which] : NULL;
}
