/* Between buffers (doubles, one particle after another) and tiles (fg_real, one coordinate after another). */
#ifndef FG_BODY_LOAD_H
#define FG_BODY_LOAD_H

#include <stddef.h>

#include "body/tile.h"

#ifndef TILE_FN
#error "include the engine's tile words (kernels/cpu/matmul.h) before the bodies"
#endif

/* Scratch is cut into 64-byte pieces. */
FG_HD size_t fg_whole_lanes(size_t reals)
{
  return (reals + FG_LANES - 1) / FG_LANES * FG_LANES;
}

FG_HD fg_real *fg_cut(fg_real **next, size_t reals)
{
  fg_real *piece = TILE_PIECE(*next, 0, fg_whole_lanes(reals));
  *next = TILE_REST(*next, fg_whole_lanes(reals));
  return piece;
}

/* Particles in a tile that holds `count`: whole lanes. */
FG_HD int fg_tile_size(size_t count)
{
  return (int)((count + FG_LANES - 1) / FG_LANES * FG_LANES);
}

/* Rows of from [count, d] into to [d][p]; the places beyond `count` repeat the last row. */
TILE_FN void fg_tile_load(const double *from, int count, int d, int p, fg_real *to)
{
  for (int j = 0; j < d; j++)
    TILE_EACH(i, p) to[j * p + i] = (fg_real)from[(size_t)(i < count ? i : count - 1) * (size_t)d + j];
  TILE_SYNC();
}

TILE_FN void fg_tile_store(const fg_real *from, int count, int d, int p, double *to)
{
  TILE_EACH(i, count)
  for (int j = 0; j < d; j++) to[(size_t)i * (size_t)d + j] = (double)from[j * p + i];
}

#endif
