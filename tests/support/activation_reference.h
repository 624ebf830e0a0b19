/* Activations and their derivatives in plain long double: the independent value for tests. */
#ifndef FG_TEST_ACTIVATION_REFERENCE_H
#define FG_TEST_ACTIVATION_REFERENCE_H

#include <math.h>

#include "flowgap/model.h"

static const long double reference_pi = 3.14159265358979323846264338327950288L;

/* phi, phi', phi'' from their textbook forms. */
static void reference_activation(int kind, long double beta, long double threshold, long double z,
                                 long double f[3])
{
  long double e, s, n;
  switch (kind) {
  case FG_SOFTPLUS:
    if (threshold > 0 && beta * z > threshold) {
      f[0] = z;
      f[1] = 1;
      f[2] = 0;
      return;
    }
    e = expl(-fabsl(beta * z));
    f[0] = (z > 0 ? z : 0) + log1pl(e) / beta;
    f[1] = z > 0 ? 1 / (1 + e) : e / (1 + e);
    f[2] = beta * e / ((1 + e) * (1 + e));
    return;
  case FG_GELU:
    n = expl(-z * z / 2) / sqrtl(2 * reference_pi);
    f[0] = z * erfcl(-z / sqrtl(2)) / 2;
    f[1] = erfcl(-z / sqrtl(2)) / 2 + z * n;
    f[2] = (2 - z * z) * n;
    if (n == 0) f[2] = 0;
    return;
  case FG_SILU:
    e = expl(-fabsl(z));
    s = z > 0 ? 1 / (1 + e) : e / (1 + e);
    n = e / ((1 + e) * (1 + e)); /* s (1 - s) */
    f[0] = z * s;
    f[1] = s + z * n;
    f[2] = n * (2 - z * tanhl(z / 2));
    return;
  case FG_TANH:
    f[0] = tanhl(z);
    f[1] = 1 / (coshl(z) * coshl(z));
    f[2] = -2 * f[0] * f[1];
    return;
  default:
    f[0] = sinl(z);
    f[1] = cosl(z);
    f[2] = -sinl(z);
  }
}

#endif
