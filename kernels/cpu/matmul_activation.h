/* Softplus, GELU and SiLU with slope and bend for AVX-512, where activations are what limits a network.
 *
 * Same functions as in kernels/formula/activation.h, tested against the same values. What makes them faster
 * than the vectorised formulas: several vectors in lockstep, so that the latency of one hides behind the
 * others; reciprocals by vrcp14 and Newton steps instead of vdivps; in double, 2^(j/16) and log(1 + i/15) from
 * tables in registers. Cycles per vector of value and slope on Zen 4, before and now: softplus float 34 and
 * 26, double 56 and 36; GELU float 37 and 32, double 70 and 48.
 * exp(-|u|) is taken as 2^y, y = -|u| log2 e rounded once: its relative error grows like |u| epsilon, which
 * is below the rounding of the sum that it enters. */
#ifndef FG_CPU_MATMUL_ACTIVATION_H
#define FG_CPU_MATMUL_ACTIVATION_H

#if defined(FG_ISA_avx512)

#include <immintrin.h>

#include "formula/activation.h"

#define FG_LOCKSTEP _Pragma("GCC unroll 8") for (int q = 0; q < many; q++)

#ifdef FG_SINGLE
enum { FG_MANY = 4 };
#define FG_W(name) _mm512_##name##_ps
typedef __m512 fg_zmm;
typedef __mmask16 fg_zmask;
#define FG_GREATER(a, b) _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ)
#define FG_NOT_LESS(a, b) _mm512_cmp_ps_mask(a, b, _CMP_NLT_UQ)
#else
enum { FG_MANY = 4 };
#define FG_W(name) _mm512_##name##_pd
typedef __m512d fg_zmm;
typedef __mmask8 fg_zmask;
#define FG_GREATER(a, b) _mm512_cmp_pd_mask(a, b, _CMP_GT_OQ)
#define FG_NOT_LESS(a, b) _mm512_cmp_pd_mask(a, b, _CMP_NLT_UQ)
#endif

enum {
  FG_LOCK_LANES = 64 / (int)sizeof(fg_real),
  FG_LOCK_RATE = sizeof(fg_real) == 4 ? 1 : 16 /* fg_lock_exp takes log2 of its result times this */
};

typedef struct fg_lock_constants {
  fg_zmm rate, inverse_beta, beta, linear;
} fg_lock_constants;

#ifdef FG_SINGLE

/* e = 2^y for y <= 0, 0 where that is below the smallest normal number; polynomial error 9e-8. */
FG_INLINE void fg_lock_exp(const int many, fg_zmm *y, fg_zmm *e)
{
  fg_zmm t[8], p[8];
  const fg_zmm magic = FG_W(set1)(12582912.0f);
  fg_zmask above[8];
  FG_LOCKSTEP above[q] = FG_NOT_LESS(y[q], FG_W(set1)(-125.0f));
  FG_LOCKSTEP t[q] = y[q] + magic;
  FG_LOCKSTEP y[q] = y[q] - (t[q] - magic);
  FG_LOCKSTEP p[q] = y[q] * 0.00132647309650430196f + 0.00967151276133298267f;
  FG_LOCKSTEP p[q] = p[q] * y[q] + 0.0555073372794250375f;
  FG_LOCKSTEP p[q] = p[q] * y[q] + 0.240222420827643721f;
  FG_LOCKSTEP p[q] = p[q] * y[q] + 0.693146977614608383f;
  FG_LOCKSTEP p[q] = p[q] * y[q] + 1.0f;
  FG_LOCKSTEP e[q] = _mm512_castsi512_ps(_mm512_maskz_add_epi32(
      above[q], _mm512_castps_si512(p[q]), _mm512_slli_epi32(_mm512_castps_si512(t[q]), 23)));
}

/* log(1 + e) / beta. */
FG_INLINE void fg_softplus_log(const int many, const fg_lock_constants *s, const fg_zmm *e, fg_zmm *l)
{
  fg_zmm p[8];
#define FG_FIRST(c) FG_LOCKSTEP p[q] = FG_W(set1)(c);
#define FG_STEP(c) FG_LOCKSTEP p[q] = p[q] * e[q] + c;
  FG_LOG1P_SERIES(FG_FIRST, FG_STEP)
#undef FG_FIRST
#undef FG_STEP
  FG_LOCKSTEP l[q] = p[q] * (e[q] * s->inverse_beta);
}

FG_INLINE void fg_lock_reciprocal(const int many, fg_zmm *d, fg_zmm *r)
{
  FG_LOCKSTEP r[q] = _mm512_rcp14_ps(d[q]);
  FG_LOCKSTEP d[q] = 1.0f - d[q] * r[q];
  FG_LOCKSTEP r[q] = r[q] + r[q] * d[q];
}

#else

/* e = 2^(y/16) for y <= 0: y = 16 n + j + r, |r| <= 1/2; the table holds the bits of 2^(j/16) less j << 48, so
 * that adding (16 n + j) << 48 puts n into the exponent. */
FG_INLINE void fg_lock_exp(const int many, fg_zmm *y, fg_zmm *e)
{
  const __m512i low =
      _mm512_set_epi64(0x3feeab07dd485429, 0x3feebfdad5362a27, 0x3feedea64c123422, 0x3fef06fe0a31b715,
                       0x3fef387a6e756238, 0x3fef72b83c7d517b, 0x3fefb5586cf9890f, 0x3ff0000000000000);
  const __m512i high =
      _mm512_set_epi64(0x3fefa4afa2a490da, 0x3fef5818dcfba487, 0x3fef199bdd85529c, 0x3feee89f995ad3ad,
                       0x3feec49182a3f090, 0x3feeace5422aa0db, 0x3feea11473eb0187, 0x3feea09e667f3bcd);
  fg_zmm t[8], p[8], s[8];
  const fg_zmm magic = FG_W(set1)(6755399441055744.0);
  fg_zmask above[8];
  FG_LOCKSTEP above[q] = FG_NOT_LESS(y[q], FG_W(set1)(-16336.0));
  FG_LOCKSTEP t[q] = y[q] + magic;
  FG_LOCKSTEP y[q] = y[q] - (t[q] - magic);
  FG_LOCKSTEP
  {
    const __m512i index = _mm512_castpd_si512(t[q]);
    s[q] = _mm512_castsi512_pd(
        _mm512_add_epi64(_mm512_permutex2var_epi64(low, index, high), _mm512_slli_epi64(index, 48)));
  }
  FG_LOCKSTEP p[q] = y[q] * 9.1813888870585522e-12 + 1.2716120505636152e-09;
  FG_LOCKSTEP p[q] = p[q] * y[q] + 1.4676100320007266e-07;
  FG_LOCKSTEP p[q] = p[q] * y[q] + 1.3550807776391399e-05;
  FG_LOCKSTEP p[q] = p[q] * y[q] + 0.00093838479280898871;
  FG_LOCKSTEP p[q] = p[q] * y[q] + 0.043321698784996678;
  FG_LOCKSTEP y[q] = y[q] * s[q];
  FG_LOCKSTEP e[q] = FG_W(maskz_mov)(above[q], y[q] * p[q] + s[q]);
}

/* log(1 + e) / beta: with i = round(15 e), c = 1 / (1 + i/15), f = c (1 + e) - 1: log(1 + f) - log c. */
FG_INLINE void fg_softplus_log(const int many, const fg_lock_constants *scale, const fg_zmm *e, fg_zmm *l)
{
  const fg_zmm c0 = FG_W(set)(0x1.5d1745d1745d1p-1, 0x1.6db6db6db6db7p-1, 0x1.8p-1, 0x1.9435e50d79436p-1,
                              0x1.aaaaaaaaaaaabp-1, 0x1.c3c3c3c3c3c3cp-1, 0x1.ep-1, 1.0);
  const fg_zmm c1 = FG_W(set)(0x1p-1, 0x1.08d3dcb08d3ddp-1, 0x1.1249249249249p-1, 0x1.1c71c71c71c72p-1,
                              0x1.2762762762762p-1, 0x1.3333333333333p-1, 0x1.4p-1, 0x1.4de9bd37a6f4ep-1);
  const fg_zmm l0 =
      FG_W(set)(0x1.882f1ef83ed45p-2, 0x1.588c2d913348fp-2, 0x1.269621134db92p-2, 0x1.e41fccb76b0d7p-3,
                0x1.7565011e49675p-3, 0x1.005588ad375aep-3, 0x1.08598b59e3a07p-4, 0.0);
  const fg_zmm l1 =
      FG_W(set)(0x1.62e42fefa39efp-1, 0x1.5188a4a02d7fep-1, 0x1.3f91275240811p-1, 0x1.2cf25fad8f1c3p-1,
                0x1.199fac68b4ab8p-1, 0x1.058aefa811452p-1, 0x1.e148a1a2726cep-2, 0x1.b5b3e24235e88p-2);
  fg_zmm f[8], p[8];
  __m512i index[8];
  FG_LOCKSTEP index[q] = _mm512_castpd_si512(e[q] * 15.0 + 6755399441055744.0);
  FG_LOCKSTEP f[q] = _mm512_permutex2var_pd(c0, index[q], c1);
  FG_LOCKSTEP f[q] = f[q] * e[q] + (f[q] - 1.0);
  FG_LOCKSTEP p[q] = f[q] * 0.111386148116609594 - 0.125250082596214729;
  FG_LOCKSTEP p[q] = p[q] * f[q] + 0.142856850176075542;
  FG_LOCKSTEP p[q] = p[q] * f[q] - 0.166666458528872522;
  FG_LOCKSTEP p[q] = p[q] * f[q] + 0.200000000126593221;
  FG_LOCKSTEP p[q] = p[q] * f[q] - 0.250000000064047976;
  FG_LOCKSTEP p[q] = p[q] * f[q] + 0.333333333333315419;
  FG_LOCKSTEP p[q] = p[q] * f[q] - 0.499999999999994704;
  FG_LOCKSTEP p[q] = p[q] * (f[q] * f[q]) + f[q];
  FG_LOCKSTEP l[q] = (p[q] + _mm512_permutex2var_pd(l0, index[q], l1)) * scale->inverse_beta;
}

FG_INLINE void fg_lock_reciprocal(const int many, fg_zmm *d, fg_zmm *r)
{
  FG_LOCKSTEP r[q] = _mm512_rcp14_pd(d[q]);
  FG_LOCKSTEP d[q] = 1.0 - d[q] * r[q];
  FG_LOCKSTEP r[q] = r[q] + r[q] * d[q];
  FG_LOCKSTEP d[q] = d[q] * d[q];
  FG_LOCKSTEP r[q] = r[q] + r[q] * d[q];
}

#endif

/* One block of `many` vectors; parts as in kernels/body/network_tile.h (1 value, 2 slope, 4 bend). */
FG_INLINE void fg_softplus_block(const int many, const int parts, const fg_lock_constants *s, fg_real *z,
                                 fg_real *slope, fg_real *bend)
{
  const fg_zmm zero = FG_W(setzero)(), one = FG_W(set1)(1);
  fg_zmm x[8], y[8], e[8], d[8], r[8], l[8];
  fg_zmask linear[8];
  FG_LOCKSTEP x[q] = FG_W(loadu)(z + q * FG_LOCK_LANES);
  FG_LOCKSTEP y[q] = FG_W(or)(x[q] * s->rate, FG_W(set1)((fg_real)-0.0));
  FG_LOCKSTEP linear[q] = FG_GREATER(x[q], s->linear);
  fg_lock_exp(many, y, e);
  if (parts & 1) {
    fg_softplus_log(many, s, e, l);
    FG_LOCKSTEP l[q] = l[q] + FG_W(max)(x[q], zero);
    FG_LOCKSTEP FG_W(storeu)(z + q * FG_LOCK_LANES, FG_W(mask_mov)(l[q], linear[q], x[q]));
  }
  if (!(parts & 6)) return;
  FG_LOCKSTEP d[q] = e[q] + 1;
  fg_lock_reciprocal(many, d, r);
  if (parts & 2) {
    FG_LOCKSTEP l[q] = FG_W(mask_mov)(e[q], FG_GREATER(x[q], zero), one) * r[q];
    FG_LOCKSTEP FG_W(storeu)(slope + q * FG_LOCK_LANES, FG_W(mask_mov)(l[q], linear[q], one));
  }
  if (parts & 4)
    FG_LOCKSTEP FG_W(storeu)(bend + q * FG_LOCK_LANES,
                             FG_W(mask_mov)((s->beta * e[q]) * (r[q] * r[q]), linear[q], zero));
}

/* value = x below, below = Phi(x): as fg_gelu, w = min(|x|, 40), density n(w). */
FG_INLINE void fg_gelu_block(const int many, const int parts, const fg_lock_constants *s, fg_real *z,
                             fg_real *slope, fg_real *bend)
{
  const fg_zmm zero = FG_W(setzero)(), one = FG_W(set1)(1);
  fg_zmm x[8], w[8], y[8], e[8], d[8], r[8], p[8];
  (void)s;
  FG_LOCKSTEP x[q] = FG_W(loadu)(z + q * FG_LOCK_LANES);
  FG_LOCKSTEP w[q] = FG_W(min)(FG_W(set1)(40), FG_W(abs)(x[q]));
  FG_LOCKSTEP y[q] = (w[q] * FG_W(set1)((fg_real)-0.72134752044448170368 * FG_LOCK_RATE)) * w[q];
  fg_lock_exp(many, y, e);
  FG_LOCKSTEP d[q] = w[q] + FG_NORMAL_TAIL_SHIFT;
  fg_lock_reciprocal(many, d, r);
  FG_LOCKSTEP d[q] = (w[q] - FG_NORMAL_TAIL_SHIFT) * r[q];
#define FG_FIRST(c) FG_LOCKSTEP p[q] = FG_W(set1)(c);
#define FG_STEP(c) FG_LOCKSTEP p[q] = p[q] * d[q] + c;
  FG_NORMAL_TAIL_SERIES(FG_FIRST, FG_STEP)
#undef FG_FIRST
#undef FG_STEP
  FG_LOCKSTEP p[q] = e[q] * (p[q] * r[q]);
  FG_LOCKSTEP p[q] = FG_W(mask_sub)(p[q], FG_GREATER(x[q], zero), one, p[q]);
  if (parts & 1) FG_LOCKSTEP FG_W(storeu)(z + q * FG_LOCK_LANES, x[q] * p[q]);
  if (!(parts & 6)) return;
  FG_LOCKSTEP e[q] = e[q] * (fg_real)0.398942280401432677940;
  if (parts & 4) FG_LOCKSTEP FG_W(storeu)(bend + q * FG_LOCK_LANES, e[q] * (2 - w[q] * w[q]));
  FG_LOCKSTEP w[q] = FG_W(mask_sub)(w[q], FG_GREATER(zero, x[q]), zero, w[q]);
  if (parts & 2) FG_LOCKSTEP FG_W(storeu)(slope + q * FG_LOCK_LANES, w[q] * e[q] + p[q]);
}

#ifdef FG_SINGLE

/* T(w) = w Phi(-w) for 0 <= w < 6 by 16 polynomials of degree 6 in u = 8 w / 3 - i - 1/2, one coefficient of all
 * intervals a vector, picked by vpermps; beyond 6 it is below 6e-9 and taken as there. Least maximum of the errors
 * of T and T' together: 4e-9 and 4e-8. value = max(x, 0) - T(|x|), slope = T'(|x|) or, for x > 0, 1 - T'(|x|). */
#define FG_GELU_ROWS(ROW)                                                                                    \
  ROW(6, -2.43059294e-05f, -4.52805716e-06f, 1.4815163e-05f, 1.77329457e-05f, 7.64399556e-06f,               \
      -2.40457825e-06f, -5.47591389e-06f, -3.56066835e-06f, -1.00204647e-06f, 2.47404984e-07f,               \
      4.29183331e-07f, 2.58493259e-07f, 1.05040691e-07f, 3.24812248e-08f, 8.01045896e-09f, 1.61406644e-09f)  \
  ROW(5, -7.90867343e-05f, -0.000171301508f, -0.000134680828f, -2.80248787e-05f, 5.13295599e-05f,            \
      6.4326101e-05f, 3.71567221e-05f, 8.76925878e-06f, -4.4778626e-06f, -6.03722447e-06f, -3.67248367e-06f, \
      -1.56457236e-06f, -5.15221302e-07f, -1.36574442e-07f, -2.97710194e-08f, -5.4060143e-09f)               \
  ROW(4, 0.00121281738f, 0.000529045006f, -0.000292237732f, -0.000707193976f, -0.000619324681f,              \
      -0.000301011576f, -3.85965468e-05f, 7.05256607e-05f, 7.38239469e-05f, 4.39628348e-05f, 1.9197807e-05f, \
      6.60990236e-06f, 1.85309534e-06f, 4.30519862e-07f, 8.37899279e-08f, 1.37608671e-08f)                   \
  ROW(3, 0.00256107096f, 0.0062018428f, 0.00661103148f, 0.00442911498f, 0.00164193299f, -0.00021879503f,     \
      -0.000850657758f, -0.000738737581f, -0.000428221305f, -0.000190462408f, -6.82780374e-05f,              \
      -2.02016581e-05f, -5.00026044e-06f, -1.04424521e-06f, -1.85067279e-07f, -2.79491843e-08f)              \
  ROW(2, -0.0541547425f, -0.040315602f, -0.0202643443f, -0.00328769349f, 0.00572534557f, 0.00753623713f,     \
      0.00566805294f, 0.00317594502f, 0.00142361014f, 0.00052610616f, 0.000162843862f, 4.26147271e-05f,      \
      9.48587876e-06f, 1.8036086e-06f, 2.93808455e-07f, 4.10982217e-08f)                                     \
  ROW(1, 0.132051006f, 0.0357444212f, -0.0250335224f, -0.047476057f, -0.0436313152f, -0.0294374358f,         \
      -0.0159220435f, -0.00713884644f, -0.00269671902f, -0.000866082031f, -0.000237801738f,                  \
      -5.60263179e-05f, -1.13550577e-05f, -1.98334897e-06f, -2.9895898e-07f, -3.8929457e-08f)                \
  ROW(0, 0.0798064321f, 0.161374331f, 0.163360044f, 0.124261916f, 0.0772092417f, 0.0403839126f,              \
      0.0180243552f, 0.00691284705f, 0.00228716596f, 0.000654324191f, 0.000162096898f, 3.48059475e-05f,      \
      6.48193782e-06f, 1.04741605e-06f, 1.46903119e-07f, 1.78869914e-08f)

FG_INLINE void fg_gelu_table_block(const int many, const int parts, const fg_lock_constants *s, fg_real *z,
                                   fg_real *slope, fg_real *bend)
{
#define FG_GELU_ROW(k, ...) const fg_zmm c##k = _mm512_setr_ps(__VA_ARGS__);
  FG_GELU_ROWS(FG_GELU_ROW)
#undef FG_GELU_ROW
  const fg_zmm zero = FG_W(setzero)(), one = FG_W(set1)(1), magic = FG_W(set1)(12582912.0f);
  fg_zmm x[8], u[8], t[8], p[8], d[8];
  (void)s;
  (void)bend;
  FG_LOCKSTEP x[q] = FG_W(loadu)(z + q * FG_LOCK_LANES);
  FG_LOCKSTEP u[q] = FG_W(min)(FG_W(set1)(5.99999f), FG_W(abs)(x[q])) * (8.0f / 3) - 0.5f;
  FG_LOCKSTEP t[q] = u[q] + magic;
  FG_LOCKSTEP u[q] = u[q] - (t[q] - magic);
#define FG_GELU_PICK(k) _mm512_permutexvar_ps(_mm512_castps_si512(t[q]), c##k)
  FG_LOCKSTEP d[q] = FG_GELU_PICK(6);
  FG_LOCKSTEP p[q] = d[q] * u[q] + FG_GELU_PICK(5);
#define FG_GELU_STEP(k)                                                                                      \
  if (parts & 2) FG_LOCKSTEP d[q] = d[q] * u[q] + p[q];                                                      \
  FG_LOCKSTEP p[q] = p[q] * u[q] + FG_GELU_PICK(k);
  FG_GELU_STEP(4)
  FG_GELU_STEP(3)
  FG_GELU_STEP(2)
  FG_GELU_STEP(1)
  FG_GELU_STEP(0)
#undef FG_GELU_STEP
#undef FG_GELU_PICK
  if (parts & 2) {
    FG_LOCKSTEP d[q] = d[q] * (8.0f / 3);
    FG_LOCKSTEP FG_W(storeu)(slope + q * FG_LOCK_LANES,
                             FG_W(mask_sub)(d[q], FG_GREATER(x[q], zero), one, d[q]));
  }
  if (parts & 1) FG_LOCKSTEP FG_W(storeu)(z + q * FG_LOCK_LANES, FG_W(max)(zero, x[q]) - p[q]);
}

#endif

/* As fg_silu: S = logistic(x), C = 1 - S. */
FG_INLINE void fg_silu_block(const int many, const int parts, const fg_lock_constants *scale, fg_real *z,
                             fg_real *slope, fg_real *bend)
{
  const fg_zmm zero = FG_W(setzero)();
  fg_zmm x[8], y[8], e[8], d[8], r[8], s[8], c[8];
  (void)scale;
  FG_LOCKSTEP x[q] = FG_W(loadu)(z + q * FG_LOCK_LANES);
  FG_LOCKSTEP y[q] = FG_W(abs)(x[q]) * (fg_real)(-1.44269504088896340736 * FG_LOCK_RATE);
  fg_lock_exp(many, y, e);
  FG_LOCKSTEP d[q] = e[q] + 1;
  fg_lock_reciprocal(many, d, r);
  FG_LOCKSTEP e[q] = e[q] * r[q];
  FG_LOCKSTEP s[q] = FG_W(mask_mov)(e[q], FG_GREATER(x[q], zero), r[q]);
  FG_LOCKSTEP c[q] = FG_W(mask_mov)(r[q], FG_GREATER(x[q], zero), e[q]);
  if (parts & 1) FG_LOCKSTEP FG_W(storeu)(z + q * FG_LOCK_LANES, x[q] * s[q]);
  if (parts & 2) FG_LOCKSTEP FG_W(storeu)(slope + q * FG_LOCK_LANES, (x[q] * c[q] + 1) * s[q]);
  if (parts & 4)
    FG_LOCKSTEP FG_W(storeu)(bend + q * FG_LOCK_LANES, (x[q] * (c[q] - s[q]) + 2) * (s[q] * c[q]));
}

FG_INLINE fg_lock_constants fg_lock_scale(const fg_activation_scale *scale)
{
  fg_lock_constants s;
  s.rate = FG_W(set1)(scale->beta * (fg_real)(1.44269504088896340736 * FG_LOCK_RATE));
  s.inverse_beta = FG_W(set1)(scale->inverse_beta);
  s.beta = FG_W(set1)(scale->beta);
  s.linear = FG_W(set1)(scale->threshold * scale->inverse_beta);
  return s;
}

/* All blocks of n reals, n a multiple of 16 FG_LANES; `block` takes the parts as a constant. */
#define FG_LOCK_LOOP(block, parts)                                                                           \
  for (int i = 0; i < n; i += FG_MANY * FG_LOCK_LANES)                                                       \
  block(FG_MANY, parts, &s, z + i, slope ? slope + i : NULL, bend ? bend + i : NULL)
#define FG_LOCK_PARTS(block)                                                                                 \
  switch (parts) {                                                                                           \
  case 1:                                                                                                    \
    FG_LOCK_LOOP(block, 1);                                                                                  \
    break;                                                                                                   \
  case 2:                                                                                                    \
    FG_LOCK_LOOP(block, 2);                                                                                  \
    break;                                                                                                   \
  case 3:                                                                                                    \
    FG_LOCK_LOOP(block, 3);                                                                                  \
    break;                                                                                                   \
  case 6:                                                                                                    \
    FG_LOCK_LOOP(block, 6);                                                                                  \
    break;                                                                                                   \
  default:                                                                                                   \
    FG_LOCK_LOOP(block, 7);                                                                                  \
  }

/* In place, n a multiple of 16 FG_LANES, as the loops of kernels/body/network_tile.h. */
TILE_FN void tile_softplus(const fg_activation_scale *scale, int n, int parts, fg_real *z, fg_real *slope,
                           fg_real *bend)
{
  const fg_lock_constants s = fg_lock_scale(scale);
  FG_LOCK_PARTS(fg_softplus_block)
}

TILE_FN void tile_gelu(const fg_activation_scale *scale, int n, int parts, fg_real *z, fg_real *slope,
                       fg_real *bend)
{
  const fg_lock_constants s = fg_lock_scale(scale);
#ifdef FG_SINGLE
  if (!(parts & 4)) {
    FG_LOCK_PARTS(fg_gelu_table_block)
    return;
  }
#endif
  FG_LOCK_PARTS(fg_gelu_block)
}

TILE_FN void tile_silu(const fg_activation_scale *scale, int n, int parts, fg_real *z, fg_real *slope,
                       fg_real *bend)
{
  const fg_lock_constants s = fg_lock_scale(scale);
  FG_LOCK_PARTS(fg_silu_block)
}

#define TILE_SOFTPLUS tile_softplus
#define TILE_GELU tile_gelu
#define TILE_SILU tile_silu

#endif
#endif
