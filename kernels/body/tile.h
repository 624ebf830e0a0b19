/* A tile: a block of particles that stays in cache (CPU) or shared memory (CUDA).
 *
 * Coordinates are stored by dimension: x[j * p + i] is coordinate j of particle i, p particles,
 * p a multiple of FG_LANES; the engine pads with copies of the last particle.
 * What depends on time alone comes in as a `row` that the field computed beforehand
 * (fg_field_row): shared by the tile (row_stride 0) or one per particle. */
#ifndef FG_BODY_TILE_H
#define FG_BODY_TILE_H

#include "formula/real.h"

enum { FG_LANES = 16 };

/* Scratch of a tile, of which `used` reals are taken: the next `count`, and what is left after them. An engine may put the
 * like pieces of many tiles side by side (kernels/cuda/wide.cuh): then what is left begins where that of all tiles does,
 * and only pieces belong to one tile; TILE_RECUT says that what is left is about to be cut into other pieces. */
#ifndef TILE_PIECE
#define TILE_PIECE(base, used, count) ((void)(count), (base) + (used))
#define TILE_REST(base, used) ((base) + (used))
#define TILE_RECUT() ((void)0)
#define TILE_IDLE() 0 /* no loop will run, until the next product at least */
#endif

#ifndef TILE_NETWORKS
#define TILE_NETWORKS 0 /* 1: every field is a network, and the code of others is left out */
#endif

/* Sums that stay the tile's own, where the plain words may add all tiles up. */
#ifndef TILE_OWN_SUM
#define TILE_OWN_SUM tile_add_sum
#define TILE_OWN_COLUMN_SUM tile_column_sum
#endif

typedef struct fg_tile {
  int p;            /* particles */
  unsigned want;    /* fg_quantity bits; PHI_T, DIVERGENCE, ... without FG_RESIDUAL */
  const fg_real *x; /* [d][p] */
  const fg_real *v; /* [d][p], with FG_JVP */
  const fg_real *row;
  int row_stride;
  fg_real *phi, *phi_t, *divergence; /* [p] */
  fg_real *score, *jvp;              /* [d][p] */
  fg_real *scratch;                  /* fg_field_scratch reals, 64-byte aligned */
} fg_tile;

#endif
