/* Normal numbers for a block of FG_LANES particles at a time: the numbers of fg_normal (random.h) with
 * the arithmetic of fg_real, in loops that vectorise. */
#ifndef FG_FORMULA_NORMAL_H
#define FG_FORMULA_NORMAL_H

#include "formula/random.h"
#include "formula/vecexp.h"

/* Box-Muller on 32-bit words: u = (w + 1/2) / 2^32. The angle is cut into quarter turns from the bits
 * of the word, so nothing is lost in its reduction. */
FG_HD void fg_vnormal_pair(uint32_t w0, uint32_t w1, fg_real *z0, fg_real *z1)
{
  const fg_real unit = (fg_real)(1.0 / 4294967296.0);
  /* halves, so that the conversion is of signed integers, which every instruction set has */
  fg_real u = ((fg_real)(int32_t)(w0 >> 1) * 2 + (fg_real)(int32_t)(w0 & 1u) + (fg_real)0.5) * unit;
  uint32_t n = (w1 + 0x20000000u) >> 30; /* nearest quarter turn */
  fg_real r = ((fg_real)(int32_t)(w1 - (n << 30)) + (fg_real)0.5) * (4 * unit);
  fg_real square = -2 * fg_vlog(u), sine, cosine;
#ifdef FG_SINGLE
  fg_real radius = sqrtf(square);
#else
  fg_real radius = sqrt(square);
#endif
  fg_vsincos_quarter(n, r, &sine, &cosine);
  *z0 = radius * cosine;
  *z1 = radius * sine;
}

/* Normals 4 block .. 4 block + 3 of one particle at a step. */
FG_HD void fg_normal_four(uint64_t seed, uint32_t stream, uint64_t particle, uint32_t step, uint32_t block,
                          fg_real *z)
{
  const fg_words words = fg_philox(seed, stream, particle, step, block);
  fg_vnormal_pair(words.w[0], words.w[1], &z[0], &z[1]);
  fg_vnormal_pair(words.w[2], words.w[3], &z[2], &z[3]);
}

enum { FG_NORMAL_LANES = 16 };

/* Normals 4 block .. 4 block + 3 of particles first .. first + 15 at a step: z[4][16]. */
FG_HD void fg_normal_block(uint64_t seed, uint32_t stream, uint64_t first, uint32_t step, uint32_t block,
                           fg_real *z)
{
  uint32_t w[4][FG_NORMAL_LANES];
  for (int i = 0; i < FG_NORMAL_LANES; i++) {
    fg_words words = fg_philox(seed, stream, first + (uint64_t)i, step, block);
    w[0][i] = words.w[0];
    w[1][i] = words.w[1];
    w[2][i] = words.w[2];
    w[3][i] = words.w[3];
  }
  for (int pair = 0; pair < 2; pair++)
    for (int i = 0; i < FG_NORMAL_LANES; i++)
      fg_vnormal_pair(w[2 * pair][i], w[2 * pair + 1][i], &z[2 * pair * FG_NORMAL_LANES + i],
                      &z[(2 * pair + 1) * FG_NORMAL_LANES + i]);
}

#endif
