/* Softplus with slope and bend for AVX-512, where the activation is what limits a network.
 *
 * Same function as fg_softplus (kernels/formula/activation.h), tested against it. What makes it faster than
 * the vectorised formula: several vectors in lockstep, so that the latency of one hides behind the others
 * (float 36 -> 24, double 57 -> 36 cycles per vector of value and slope on Zen 4); the reciprocal by vrcp14
 * and Newton steps instead of vdivps; in double, 2^(j/16) and log(1 + i/15) from tables in registers.
 * exp(-|u|), u = beta z, is taken as 2^y with y = -|z| (beta log2 e): its relative error grows like
 * |u| epsilon, which is below the rounding of the sum it enters. */
#ifndef FG_CPU_MATMUL_SOFTPLUS_H
#define FG_CPU_MATMUL_SOFTPLUS_H

#if defined(FG_ISA_avx512)

#include <immintrin.h>

#include "formula/activation.h"

#define FG_LOCKSTEP _Pragma("GCC unroll 8") for (int q = 0; q < many; q++)

#ifdef FG_SINGLE
enum { FG_SOFTPLUS_MANY = 4 };
#define FG_W(name) _mm512_##name##_ps
typedef __m512 fg_zmm;
typedef __mmask16 fg_zmask;
#define FG_GREATER(a, b) _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ)
#define FG_NOT_LESS(a, b) _mm512_cmp_ps_mask(a, b, _CMP_NLT_UQ)
#else
enum { FG_SOFTPLUS_MANY = 4 };
#define FG_W(name) _mm512_##name##_pd
typedef __m512d fg_zmm;
typedef __mmask8 fg_zmask;
#define FG_GREATER(a, b) _mm512_cmp_pd_mask(a, b, _CMP_GT_OQ)
#define FG_NOT_LESS(a, b) _mm512_cmp_pd_mask(a, b, _CMP_NLT_UQ)
#endif

typedef struct fg_softplus_scale {
  fg_zmm rate, inverse_beta, beta, linear;
} fg_softplus_scale;

#ifdef FG_SINGLE

/* e = 2^y for y <= 0, 0 where that is below the smallest normal number; polynomial error 9e-8. */
FG_INLINE void fg_softplus_exp(const int many, fg_zmm *y, fg_zmm *e)
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
FG_INLINE void fg_softplus_log(const int many, const fg_softplus_scale *s, const fg_zmm *e, fg_zmm *l)
{
  fg_zmm p[8];
  FG_LOCKSTEP p[q] = e[q] * 0.00523268307570072213f - 0.0295051932411963066f;
  FG_LOCKSTEP p[q] = p[q] * e[q] + 0.0782258751981994076f;
  FG_LOCKSTEP p[q] = p[q] * e[q] - 0.136632389082136961f;
  FG_LOCKSTEP p[q] = p[q] * e[q] + 0.191060032327238899f;
  FG_LOCKSTEP p[q] = p[q] * e[q] - 0.248429811996593817f;
  FG_LOCKSTEP p[q] = p[q] * e[q] + 0.333190966603513775f;
  FG_LOCKSTEP p[q] = p[q] * e[q] - 0.499994931327957217f;
  FG_LOCKSTEP p[q] = p[q] * e[q] + 0.999999969880454707f;
  FG_LOCKSTEP l[q] = p[q] * (e[q] * s->inverse_beta);
}

FG_INLINE void fg_softplus_reciprocal(const int many, const fg_zmm *e, fg_zmm *r)
{
  fg_zmm d[8];
  FG_LOCKSTEP d[q] = e[q] + 1.0f;
  FG_LOCKSTEP r[q] = _mm512_rcp14_ps(d[q]);
  FG_LOCKSTEP d[q] = 1.0f - d[q] * r[q];
  FG_LOCKSTEP r[q] = r[q] + r[q] * d[q];
}

#else

/* e = 2^(y/16) for y <= 0: y = 16 n + j + r, |r| <= 1/2; the table holds the bits of 2^(j/16) less j << 48, so
 * that adding (16 n + j) << 48 puts n into the exponent. */
FG_INLINE void fg_softplus_exp(const int many, fg_zmm *y, fg_zmm *e)
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
FG_INLINE void fg_softplus_log(const int many, const fg_softplus_scale *scale, const fg_zmm *e, fg_zmm *l)
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

FG_INLINE void fg_softplus_reciprocal(const int many, const fg_zmm *e, fg_zmm *r)
{
  fg_zmm d[8];
  FG_LOCKSTEP d[q] = e[q] + 1.0;
  FG_LOCKSTEP r[q] = _mm512_rcp14_pd(d[q]);
  FG_LOCKSTEP d[q] = 1.0 - d[q] * r[q];
  FG_LOCKSTEP r[q] = r[q] + r[q] * d[q];
  FG_LOCKSTEP d[q] = d[q] * d[q];
  FG_LOCKSTEP r[q] = r[q] + r[q] * d[q];
}

#endif

/* One block of `many` vectors; parts as in kernels/body/network_tile.h (1 value, 2 slope, 4 bend). */
FG_INLINE void fg_softplus_block(const int many, const int parts, const fg_softplus_scale *s, fg_real *z,
                                 fg_real *slope, fg_real *bend)
{
  enum { LANES = 64 / (int)sizeof(fg_real) };
  const fg_zmm zero = FG_W(setzero)(), one = FG_W(set1)(1);
  fg_zmm x[8], y[8], e[8], r[8], l[8];
  fg_zmask linear[8];
  FG_LOCKSTEP x[q] = FG_W(loadu)(z + q * LANES);
  FG_LOCKSTEP y[q] = FG_W(or)(x[q] * s->rate, FG_W(set1)((fg_real)-0.0));
  FG_LOCKSTEP linear[q] = FG_GREATER(x[q], s->linear);
  fg_softplus_exp(many, y, e);
  if (parts & 1) {
    fg_softplus_log(many, s, e, l);
    FG_LOCKSTEP l[q] = l[q] + FG_W(max)(x[q], zero);
    FG_LOCKSTEP FG_W(storeu)(z + q * LANES, FG_W(mask_mov)(l[q], linear[q], x[q]));
  }
  if (!(parts & 6)) return;
  fg_softplus_reciprocal(many, e, r);
  if (parts & 2) {
    FG_LOCKSTEP l[q] = FG_W(mask_mov)(e[q], FG_GREATER(x[q], zero), one) * r[q];
    FG_LOCKSTEP FG_W(storeu)(slope + q * LANES, FG_W(mask_mov)(l[q], linear[q], one));
  }
  if (parts & 4)
    FG_LOCKSTEP FG_W(storeu)(bend + q * LANES,
                             FG_W(mask_mov)((s->beta * e[q]) * (r[q] * r[q]), linear[q], zero));
}

#define FG_SOFTPLUS_LOOP(parts)                                                                              \
  for (int i = 0; i < n; i += FG_SOFTPLUS_MANY * 64 / (int)sizeof(fg_real))                                  \
    fg_softplus_block(FG_SOFTPLUS_MANY, parts, &s, z + i, slope ? slope + i : NULL, bend ? bend + i : NULL); \
  break

/* In place, n a multiple of 16 FG_LANES: as fg_activate_softplus of kernels/body/network_tile.h. */
TILE_FN void tile_softplus(const fg_activation_scale *scale, int n, int parts, fg_real *z, fg_real *slope,
                           fg_real *bend)
{
  fg_softplus_scale s;
  s.rate = FG_W(set1)(scale->beta * (fg_real)(1.44269504088896340736 * (sizeof(fg_real) == 8 ? 16 : 1)));
  s.inverse_beta = FG_W(set1)(scale->inverse_beta);
  s.beta = FG_W(set1)(scale->beta);
  s.linear = FG_W(set1)(scale->threshold * scale->inverse_beta);
  switch (parts) {
  case 1:
    FG_SOFTPLUS_LOOP(1);
  case 2:
    FG_SOFTPLUS_LOOP(2);
  case 3:
    FG_SOFTPLUS_LOOP(3);
  case 6:
    FG_SOFTPLUS_LOOP(6);
  default:
    FG_SOFTPLUS_LOOP(7);
  }
}
#define TILE_SOFTPLUS tile_softplus

#endif
#endif
