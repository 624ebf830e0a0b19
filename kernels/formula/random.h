/* Counter-based random numbers: Philox4x32-10 (Salmon et al., SC 2011), uniform and normal.
 *
 * Key = seed; counter = {block, step, low particle, high particle | stream << 16}, so a draw depends on
 * (seed, stream, particle, step, block) alone: not on threads, tiles or the number of particles.
 * These are the words of cuRAND's curand_init(seed, subsequence, offset) with
 * subsequence = particle + (stream << 48) and offset = 4 (block + (step << 32)).
 * Particles go up to 2^48 - 1, streams to 2^16 - 1. */
#ifndef FG_FORMULA_RANDOM_H
#define FG_FORMULA_RANDOM_H

#include "formula/real.h"

typedef struct fg_words {
  uint32_t w[4];
} fg_words;

/* Streams in use, so that no two purposes share numbers. */
enum {
  FG_STREAM_NOISE = 1,  /* Brownian increments of the SDE */
  FG_STREAM_BRIDGE = 2, /* + level: refinement of the path (levels 1..15) */
  FG_STREAM_PRIOR = 32,
  FG_STREAM_TARGET = 33,
  FG_STREAM_NOISING = 34, /* target samples carried to time t */
  FG_STREAM_SUBSAMPLE = 35,
  FG_STREAM_PERMUTE = 36,
  FG_STREAM_EVALUATE = 37,
  FG_STREAM_INITIAL = 38,    /* first weights of a network */
  FG_STREAM_TRAIN = 39,      /* seeds of training and of its evaluations */
  FG_STREAM_POINTS = 40,     /* times and places of the points of a loss */
  FG_STREAM_PROBES = 41,     /* random vectors of their second derivatives */
  FG_STREAM_RESIDUAL = 42,   /* points and probes of residuals */
  FG_STREAM_DIRECTIONS = 43, /* of projections */
  FG_STREAM_PAIRS = 44       /* of rows, for their median distance */
};

enum { FG_STREAMS = 1 << 16, FG_STREAMS_APART = 64, FG_BRIDGE_LEVELS = 15 };

/* Streams of the bridges: FG_STREAM_BRIDGE + level for the noise stream; others are set apart by 64. */
FG_HD uint32_t fg_bridge_stream(uint32_t stream, int level)
{
  return FG_STREAM_BRIDGE + (uint32_t)level + (stream - FG_STREAM_NOISE) * FG_STREAMS_APART;
}

FG_HD fg_words fg_philox(uint64_t seed, uint32_t stream, uint64_t particle, uint32_t step, uint32_t block)
{
  uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
  uint32_t c0 = block, c1 = step, c2 = (uint32_t)particle;
  uint32_t c3 = ((uint32_t)(particle >> 32) & 0xffffu) | (stream << 16);
  for (int round = 0; round < 10; round++) {
    uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c1 = (uint32_t)p1;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c3 = (uint32_t)p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  fg_words out;
  out.w[0] = c0;
  out.w[1] = c1;
  out.w[2] = c2;
  out.w[3] = c3;
  return out;
}

/* Uniform on (0, 1), never 0 or 1: (w + 1/2) / 2^32. */
FG_HD double fg_uniform(uint32_t w)
{
  return ((double)w + 0.5) * (1.0 / 4294967296.0);
}

/* Uniform on (0, 1) with 52 bits, from two words: one bit fewer than a double holds, so that adding the
 * half is exact and 1 is never reached. */
FG_HD double fg_uniform52(uint32_t high, uint32_t low)
{
  uint64_t bits = ((uint64_t)high << 20) ^ (uint64_t)(low >> 12);
  return ((double)bits + 0.5) * (1.0 / 4503599627370496.0);
}

/* Two independent N(0,1) from two words (Box-Muller). The tail ends at sqrt(2 log 2^33) = 6.76. */
FG_HD void fg_normal_pair(uint32_t w0, uint32_t w1, double *z0, double *z1)
{
  double radius = sqrt(-2.0 * log(fg_uniform(w0)));
  double angle = 2.0 * FG_PI * fg_uniform(w1);
  *z0 = radius * cos(angle);
  *z1 = radius * sin(angle);
}

/* Normal number j (0, 1, 2, ...) of (seed, stream, particle, step): block j / 4, place j % 4. */
FG_HD double fg_normal(uint64_t seed, uint32_t stream, uint64_t particle, uint32_t step, uint32_t j)
{
  fg_words words = fg_philox(seed, stream, particle, step, j / 4);
  double z0, z1;
  fg_normal_pair(words.w[(j & 2)], words.w[(j & 2) + 1], &z0, &z1);
  return (j & 1) ? z1 : z0;
}

#endif
