/* Standard normals of one step for a tile. */
#ifndef FG_BODY_NOISE_H
#define FG_BODY_NOISE_H

#include "body/load.h"
#include "formula/normal.h"

/* z [d][p]: particle i of the tile is number first + i of (seed, stream). */
TILE_FN void fg_tile_normals(uint64_t seed, uint32_t stream, uint64_t first, uint32_t step, int d, int p,
                             fg_real *__restrict__ z)
{
#ifdef TILE_ALONE /* each particle on its own: four dimensions a thread */
  TILE_EACH(e, p * ((d + 3) / 4))
  {
    const int i = e % p, j = e / p * 4;
    fg_real four[4];
    fg_normal_four(seed, stream, first + (uint64_t)i, step, (uint32_t)j / 4, four);
    for (int l = 0; l < 4; l++)
      if (j + l < d) z[(j + l) * p + i] = four[l];
  }
#else
  fg_real four[4 * FG_LANES];
  for (int at = 0; at < p; at += FG_LANES)
    for (int j = 0; j < d; j += 4) {
      fg_normal_block(seed, stream, first + (uint64_t)at, step, (uint32_t)j / 4, four);
      for (int l = 0; l < 4 && j + l < d; l++)
        for (int i = 0; i < FG_LANES; i++) z[(j + l) * p + at + i] = four[l * FG_LANES + i];
    }
#endif
  TILE_SYNC();
}

#endif
