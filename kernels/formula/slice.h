/* Places along a line, as whole numbers that sort like them, and the monotone plan between two sorted samples. */
#ifndef FG_FORMULA_SLICE_H
#define FG_FORMULA_SLICE_H

#include <string.h>

#include "formula/real.h"

enum { FG_SLICE_TERMS = 256 }; /* of a plain sum, before it enters a compensated one */

/* One more coordinate of a place. Each product and each sum is rounded on its own, in the order of the coordinates: the same
 * bits on every engine. */
FG_HD double fg_project_on(double place, double x, double direction)
{
#ifdef __CUDA_ARCH__
  return __dadd_rn(place, __dmul_rn(x, direction));
#else
  return place + x * direction;
#endif
}

FG_HD double fg_project(const double *x, size_t d, const double *direction)
{
  double place = 0;
  for (size_t k = 0; k < d; k++) place = fg_project_on(place, x[k], direction[k]);
  return place;
}

/* Among doubles of one sign the bits order the sizes; the sign bit is turned round, and with it all others of the
 * negative ones. */
FG_HD uint64_t fg_key_of(double value)
{
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits ^ (bits >> 63 ? UINT64_MAX : (uint64_t)1 << 63);
}

FG_HD double fg_place_of(uint64_t key)
{
  double value;
  const uint64_t bits = key ^ (key >> 63 ? (uint64_t)1 << 63 : UINT64_MAX);
  memcpy(&value, &bits, sizeof value);
  return value;
}

#endif
