/* exp, log, sin and cos without branches or tables, so that a loop over a tile vectorises; one text for
 * float and double. The polynomials interpolate at Chebyshev nodes (fitted with 60 digits).
 * Errors against long double, whole stated range (tests/unit/test_vecexp.c):
 *   double: exp 0.73 ulp, log 0.65 ulp, sin and cos 2.1e-16 absolute for |x| < 400
 *   float:  exp 0.71 ulp, log 0.65 ulp, sin and cos 1.2e-7 absolute for |x| < 400 */
#ifndef FG_FORMULA_VECEXP_H
#define FG_FORMULA_VECEXP_H

#include <string.h>

#include "formula/real.h"

#ifdef FG_SINGLE
typedef uint32_t fg_bits;
typedef int32_t fg_sbits;
#define FG_MANTISSA 23
#define FG_ROUND ((fg_real)12582912.0) /* 1.5 * 2^23: adding it rounds to an integer */
#else
typedef uint64_t fg_bits;
typedef int64_t fg_sbits;
#define FG_MANTISSA 52
#define FG_ROUND ((fg_real)6755399441055744.0)
#endif

FG_HD fg_bits fg_bits_of(fg_real x)
{
  fg_bits b;
  memcpy(&b, &x, sizeof b);
  return b;
}

FG_HD fg_real fg_real_of(fg_bits b)
{
  fg_real x;
  memcpy(&x, &b, sizeof x);
  return x;
}

/* exp(x): x = n log 2 + r, |r| <= log(2)/2. Below the smallest normal number the result is 0; above
 * the largest it stays finite (callers pass x <= 0 or small x). NaN goes through. */
FG_HD fg_real fg_vexp(fg_real x)
{
#ifdef FG_SINGLE
  const fg_real low = -87.0f, high = 88.0f, c1 = 0.693359375f, c2 = -2.12194440e-4f;
#else
  const fg_real low = -708.0, high = 709.0, c1 = 6.93147180369123816490e-01, c2 = 1.90821492927058770002e-10;
#endif
  fg_real y = x < low ? low : x;
  y = y > high ? high : y;
  fg_real shifted = y * (fg_real)1.44269504088896340736 + FG_ROUND;
  fg_real n = shifted - FG_ROUND;
  fg_real r = (y - n * c1) - n * c2;
#ifdef FG_SINGLE
  fg_real q = 0.00139262508314976117f;
  q = q * r + 0.0083632328836826182f;
  q = q * r + 0.0416665542129841503f;
  q = q * r + 0.166665766661199283f;
  q = q * r + 0.5f;
#else
  fg_real q = 2.5100472505694996e-8;
  q = q * r + 2.76202015910315488e-7;
  q = q * r + 2.75572682769056962e-6;
  q = q * r + 0.0000248015210578682052;
  q = q * r + 0.00019841269863171556;
  q = q * r + 0.00138888889173670806;
  q = q * r + 0.0083333333333300382;
  q = q * r + 0.0416666666666238205;
  q = q * r + 0.166666666666666675;
  q = q * r + 0.500000000000000103;
#endif
  fg_real e = r + r * r * q + 1;
  fg_real scaled = fg_real_of(fg_bits_of(e) + (fg_bits_of(shifted) << FG_MANTISSA));
  return x < low ? (fg_real)0 : scaled;
}

/* log(x) for positive normal x: x = 2^e m, m in [sqrt(1/2), sqrt 2), log m = 2 atanh((m-1)/(m+1)). */
FG_HD fg_real fg_vlog(fg_real x)
{
#ifdef FG_SINGLE
  const fg_bits half = 0x3f3504f3u, one = 0x3f800000u, fraction = 0x007fffffu;
  const fg_bits place = 0x4b000000u;
  const fg_real base = 8388608.0f + 127.0f;
  const fg_real c1 = 0.693359375f, c2 = -2.12194440e-4f;
#else
  const fg_bits half = 0x3fe6a09e667f3bcdu, one = 0x3ff0000000000000u, fraction = 0x000fffffffffffffu;
  const fg_bits place = 0x4330000000000000u;
  const fg_real base = 4503599627370496.0 + 1023.0;
  const fg_real c1 = 6.93147180369123816490e-01, c2 = 1.90821492927058770002e-10;
#endif
  fg_bits u = fg_bits_of(x) + (one - half);
  /* the exponent field read as the low bits of 2^FG_MANTISSA + field */
  fg_real e = fg_real_of((u >> FG_MANTISSA) | place) - base;
  fg_real f = fg_real_of((u & fraction) + half) - 1;
  fg_real s = f / (2 + f), z = s * s;
#ifdef FG_SINGLE
  fg_real q = 0.116658072359217496f;
  q = q * z + 0.142753893165959827f;
  q = q * z + 0.200000611059053247f;
  q = q * z + 0.333333332770210062f;
#else
  fg_real q = 0.0730890357670866248;
  q = q * z + 0.0766580586102750394;
  q = q * z + 0.090914462162684356;
  q = q * z + 0.111111055446897481;
  q = q * z + 0.142857143131269188;
  q = q * z + 0.199999999999494453;
  q = q * z + 0.333333333333333485;
#endif
  /* 2 atanh s = f - (f^2/2 - s (f^2/2 + 2 z q)): f is exact, the rest is small beside it */
  fg_real h = (fg_real)0.5 * f * f;
  return e * c1 + (f - (h - (s * (h + 2 * z * q) + e * c2)));
}

/* sin and cos of (n + r) pi/2 for an integer n (two low bits used) and |r| <= 1/2. */
FG_HD void fg_vsincos_quarter(fg_bits n, fg_real r, fg_real *sine, fg_real *cosine)
{
  fg_real a = r * (fg_real)1.57079632679489661923, z = a * a;
#ifdef FG_SINGLE
  fg_real s = -0.000195828306788358002f;
  s = s * z + 0.00833272461378369331f;
  s = s * z - 0.166666645393658467f;
  fg_real c = 0.0000248005604299145035f - 2.72958308276146156e-7f * z;
  c = c * z - 0.00138888875973278112f;
  c = c * z + 0.0416666666641272119f;
#else
  fg_real s = 1.59153091830579526e-10;
  s = s * z - 2.50510923084313167e-8;
  s = s * z + 2.75573159109390016e-6;
  s = s * z - 0.000198412698363854345;
  s = s * z + 0.00833333333333069934;
  s = s * z - 0.166666666666666644;
  fg_real c = -1.13808681714499134e-11;
  c = c * z + 2.08761215346084556e-9;
  c = c * z - 2.75573171518588646e-7;
  c = c * z + 0.000024801587298532259;
  c = c * z - 0.00138888888888872414;
  c = c * z + 0.0416666666666666652;
#endif
  s = a + a * z * s;
  c = 1 - ((fg_real)0.5 * z - z * z * c);
  fg_real swap_s = (n & 1) ? c : s, swap_c = (n & 1) ? s : c;
  const fg_bits top = (fg_bits)1 << (8 * sizeof(fg_real) - 1);
  *sine = fg_real_of(fg_bits_of(swap_s) ^ ((n << (8 * sizeof(fg_real) - 2)) & top));
  *cosine = fg_real_of(fg_bits_of(swap_c) ^ (((n + 1) << (8 * sizeof(fg_real) - 2)) & top));
}

/* sin and cos of x, |x| < 1e5 (double) or 1e3 (float); the error grows like |x| epsilon. */
FG_HD void fg_vsincos(fg_real x, fg_real *sine, fg_real *cosine)
{
  fg_real turns = x * (fg_real)0.63661977236758134308; /* quarter turns */
  fg_real shifted = turns + FG_ROUND, n = shifted - FG_ROUND;
#ifdef FG_SINGLE
  const fg_real c1 = 1.5703125f, c2 = 4.83751296997e-4f, c3 = 7.54978995489e-8f;
#else
  const fg_real c1 = 1.57079632673412561417e+00, c2 = 6.07710050630396597660e-11,
                c3 = 2.02226624879595063154e-21;
#endif
  fg_real r = ((x - n * c1) - n * c2) - n * c3;
  fg_vsincos_quarter(fg_bits_of(shifted), r * (fg_real)0.63661977236758134308, sine, cosine);
}

#endif
