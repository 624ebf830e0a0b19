/* Pieces of the activations without branches or tables, so that a loop over a tile vectorises; one text
 * for float and double. Polynomials: minimax (Remez) or Chebyshev, computed with 40 digits.
 * Largest errors against long double over the stated range (tests/unit/test_activation.c asserts them):
 *
 *                                               double     float
 *   fg_vexp_falling   x <= 0                    1.1 ulp    1.3 ulp
 *   fg_vlog1p_unit    0 <= e <= 1               2.0 ulp    2.5 ulp
 *   fg_vnormal_tail   w >= 0, given e exactly   8 ulp      8 ulp      (4e-16 and 2e-7 absolute)
 *   fg_vtanh          all                       1.5 ulp    2.0 ulp  */
#ifndef FG_FORMULA_VECMATH_H
#define FG_FORMULA_VECMATH_H

#include "formula/vecexp.h"

FG_HD fg_real fg_vabs(fg_real x)
{
  return fg_real_of(fg_bits_of(x) & (~(fg_bits)0 >> 1));
}

/* exp(x) for x <= 0; below the smallest normal number 0. Cheaper than fg_vexp, since it is the inner loop of
 * every activation: no clamps (what overflows below is not used), and Estrin's scheme instead of Horner's. */
FG_HD fg_real fg_vexp_falling(fg_real x)
{
#ifdef FG_SINGLE
  const fg_real low = -87.0f, c1 = 0.693359375f, c2 = -2.12194440e-4f;
#else
  const fg_real low = -708.0, c1 = 6.93147180369123816490e-01, c2 = 1.90821492927058770002e-10;
#endif
  fg_real shifted = x * (fg_real)1.44269504088896340736 + FG_ROUND;
  fg_real n = shifted - FG_ROUND;
  fg_real r = (x - n * c1) - n * c2, z = r * r;
#ifdef FG_SINGLE
  fg_real q0 = 0.166665188394478357f * r + 0.500000009521165822f;
  fg_real q1 = 0.00836888938335255665f * r + 0.0416662057721153943f;
  fg_real q = (0.00139504918230852162f * z + q1) * z + q0;
#else
  fg_real q0 = 0.166666666666666745 * r + 0.500000000000000102;
  fg_real q1 = 0.00833333333332220645 * r + 0.0416666666666241235;
  fg_real q2 = 0.000198412698865929528 * r + 0.00138888889172157014;
  fg_real q3 = 2.75572423349401714e-6 * r + 0.0000248015212931548748;
  fg_real q4 = 2.51100504309879961e-8 * r + 2.76200896564133047e-7;
  fg_real q = (((q4 * z + q3) * z + q2) * z + q1) * z + q0;
#endif
  fg_real e = r + z * q + 1;
  fg_real scaled = fg_real_of(fg_bits_of(e) + (fg_bits_of(shifted) << FG_MANTISSA));
  return x < low ? (fg_real)0 : scaled;
}

/* log(1 + e) / e on [0, 1] in float, highest power first: FIRST(c) STEP(c) STEP(c) ... */
#define FG_LOG1P_SERIES(FIRST, STEP)                                                                         \
  FIRST(0.00523268307570072213f)                                                                             \
  STEP(-0.0295051932411963066f)                                                                              \
  STEP(0.0782258751981994076f)                                                                               \
  STEP(-0.136632389082136961f)                                                                               \
  STEP(0.191060032327238899f)                                                                                \
  STEP(-0.248429811996593817f)                                                                               \
  STEP(0.333190966603513775f)                                                                                \
  STEP(-0.499994931327957217f)                                                                               \
  STEP(0.999999969880454707f)

/* log(1 + e) for 0 <= e <= 1 (e = exp(-|u|) of softplus), with the relative accuracy of a small result.
 * double: 2 atanh(e / (2 + e)). */
FG_HD fg_real fg_vlog1p_unit(fg_real e)
{
#ifdef FG_SINGLE
#define FG_FIRST(c) fg_real q = c;
#define FG_STEP(c) q = q * e + c;
  FG_LOG1P_SERIES(FG_FIRST, FG_STEP)
#undef FG_FIRST
#undef FG_STEP
  return e * q;
#else
  fg_real s = e / (2 + e), z = s * s, y = z * z;
  fg_real q0 = 0.200000000000671713 * z + 0.333333333333331946;
  fg_real q1 = 0.111111119237695117 * z + 0.142857142750896475;
  fg_real q2 = 0.0769324425297788051 * z + 0.0909087384132873884;
  fg_real q3 = 0.0604995834843804079 * z + 0.0665091177758455455;
  fg_real q4 = 0.08487677072651641 * z + 0.0418253816367612514;
  fg_real q = (((q4 * y + q3) * y + q2) * y + q1) * y + q0;
  return 2 * s + 2 * s * z * q;
#endif
}

/* Normal tail Phi(-w), w >= 0:  Phi(-w) = exp(-w^2/2) Q(w),  (w + k) Q(w) a Chebyshev series in
 * t = (w - k) / (w + k), here in powers of t, highest first. */
#ifdef FG_SINGLE
#define FG_NORMAL_TAIL_SHIFT 4
#define FG_NORMAL_TAIL_SERIES(FIRST, STEP)                                                                   \
  FIRST(-0.00015732056958456881f)                                                                            \
  STEP(0.000129325681340757991f)                                                                             \
  STEP(0.00156378689882652667f)                                                                              \
  STEP(-0.00347616789490893323f)                                                                             \
  STEP(-0.00751223138175154156f)                                                                             \
  STEP(0.0603952958699569161f)                                                                               \
  STEP(-0.186526710871724987f)                                                                               \
  STEP(0.387137562910849113f)                                                                                \
  STEP(-0.607896403814635429f)                                                                               \
  STEP(0.755285127135585573f)
#else
#define FG_NORMAL_TAIL_SHIFT 5
#define FG_NORMAL_TAIL_SERIES(FIRST, STEP)                                                                   \
  FIRST(-7.85779745195595656e-10)                                                                            \
  STEP(5.0576356777599447e-10)                                                                               \
  STEP(9.27684297091559888e-9)                                                                               \
  STEP(-5.02639035341846937e-9)                                                                              \
  STEP(-6.74208843071899395e-8)                                                                              \
  STEP(3.58427277401875914e-8)                                                                               \
  STEP(4.33481740708909662e-7)                                                                               \
  STEP(-3.31100664436831378e-7)                                                                              \
  STEP(-2.76888280612796401e-6)                                                                              \
  STEP(3.97793665349328879e-6)                                                                               \
  STEP(0.0000166808547490370409)                                                                             \
  STEP(-0.0000497617829977869736)                                                                            \
  STEP(-0.0000593755889877460037)                                                                            \
  STEP(0.000544898834543347727)                                                                              \
  STEP(-0.000797869427616863062)                                                                             \
  STEP(-0.0029933767388992875)                                                                               \
  STEP(0.0207950668032188995)                                                                                \
  STEP(-0.0691186387087452694)                                                                               \
  STEP(0.165020366170196072)                                                                                 \
  STEP(-0.313533156671217006)                                                                                \
  STEP(0.495305615969980481)                                                                                 \
  STEP(-0.66538250289005764)                                                                                 \
  STEP(0.769193049750062944)
#endif

/* Phi(-w), given e = exp(-w^2/2). */
FG_HD fg_real fg_vnormal_tail(fg_real w, fg_real e)
{
  fg_real r = 1 / (w + FG_NORMAL_TAIL_SHIFT), t = (w - FG_NORMAL_TAIL_SHIFT) * r;
#define FG_FIRST(c) fg_real q = c;
#define FG_STEP(c) q = q * t + c;
  FG_NORMAL_TAIL_SERIES(FG_FIRST, FG_STEP)
#undef FG_FIRST
#undef FG_STEP
  return e * (q * r);
}

/* tanh(z), given e = exp(-2|z|): near 0 a polynomial, since 1 - e loses digits there. */
FG_HD fg_real fg_vtanh(fg_real z, fg_real e)
{
  fg_real u = z * z;
#ifdef FG_SINGLE
  fg_real q = -0.00566077783681174939f;
  q = q * u + 0.0206019963316386751f;
  q = q * u - 0.0537292259511987633f;
  q = q * u + 0.133313289004486271f;
  q = q * u - 0.333332783123776205f;
#else
  fg_real q = 5.92465470127675234e-6;
  q = q * u - 0.0000299220179815893795;
  q = q * u + 0.0000912980704630449021;
  q = q * u - 0.000236865465297262931;
  q = q * u + 0.00058939991875655058;
  q = q * u - 0.00145571385940066567;
  q = q * u + 0.00359211213365579543;
  q = q * u - 0.00886323412464379498;
  q = q * u + 0.0218694884568731055;
  q = q * u - 0.0539682539656278067;
  q = q * u + 0.133333333333289654;
  q = q * u - 0.33333333333333308;
#endif
  fg_real far = 1 - 2 * e / (1 + e);
  far = z < 0 ? -far : far;
  return u < (fg_real)0.4 ? z + z * u * q : far;
}

#endif
