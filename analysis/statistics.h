/* Sums and seeded choices of rows that the estimates share. */
#ifndef FG_ANALYSIS_STATISTICS_H
#define FG_ANALYSIS_STATISTICS_H

#include <stddef.h>
#include <stdint.h>

#include "formula/sum.h"

double fg_mean(size_t n, const double *x);
/* With n - 1 below; 0 for n < 2. */
double fg_variance(size_t n, const double *x);
/* t with P(|T| <= t) = confidence for Student's T with `degrees` of freedom. */
double fg_student(double confidence, double degrees);
/* Ends of an interval for the root of a square that is known to +- reach. The error of a square grows with the square
 * itself, so that equal arms miss upwards: in the root they are equal, which moves both ends of the square up by
 * reach^2 / (4 square), near 0 by reach / 4. */
void fg_root_interval(double squared, double reach, double *low, double *high);
/* Add-one rule: (1 + #{ x_i >= observed }) / (1 + n), never 0. */
double fg_permutation_p(size_t n, const double *x, double observed);

/* A draw's address: no two (stream, purpose, replicate) share numbers. */
typedef struct fg_draw {
  uint64_t seed;
  uint32_t stream, purpose, replicate;
} fg_draw;

/* Unit vector [d] number `number` of a seed, evenly spread over the sphere. */
void fg_direction(uint64_t seed, uint64_t number, size_t d, double *direction);

/* Label n rows: `a` of them 'a', `b` of them 'b', the rest 0, every choice equally likely (one pass of
 * selection sampling). a + b <= n, n < 2^32. */
void fg_split(fg_draw draw, size_t n, size_t a, size_t b, unsigned char *label);

#endif
