/* Rows of a tile whose particles each have a time of their own (network_row.h has the row of one time): waves, then an
 * embedding's two layers, for all particles side by side. Without the derivative in t, which PHI_T alone needs. */
#ifndef FG_BODY_NETWORK_ROWS_H
#define FG_BODY_NETWORK_ROWS_H

#include "body/field.h"

/* Number j of `count` numbers of particle i: particles lie side by side, unless the engine has products of its own for
 * rows (TILE_ROW_PRODUCT: c [p, n] = a [p, k] b [k, n], all row by row). */
#ifdef TILE_ROW_PRODUCT
#define FG_ROWS_AT(p, count, i, j) ((size_t)(i) * (count) + (j))
#else
#define FG_ROWS_AT(p, count, i, j) ((size_t)(j) * (p) + (i))
#endif

/* Waves [features] and the hidden layer [hidden] of p particles, and the engine's products [outputs]. */
typedef struct fg_rows_room {
  fg_real *wave, *hidden, *product;
} fg_rows_room;

/* Lay out; returns the reals used. With base NULL it only counts. */
FG_HD size_t fg_rows_carve(const fg_network_layout *at, int p, fg_real *base, fg_rows_room *room)
{
  size_t used = 0;
  room->wave = fg_network_room(base, &used, (size_t)at->features * p);
  room->hidden = fg_network_room(base, &used, (size_t)at->hidden * p);
#ifdef TILE_ROW_PRODUCT
  room->product = fg_network_room(base, &used, (size_t)at->layer[0].out_pad * p);
#else
  room->product = NULL;
#endif
  return used;
}

FG_HD size_t fg_network_rows_scratch(const fg_field *f, int p)
{
  fg_network_layout at;
  fg_rows_room room;
  if (!fg_field_is_network(f)) return 0;
  fg_network_layout_of(f, &at);
  size_t most = fg_rows_carve(&at, p, NULL, &room);
  if (f->paired) {
    fg_field noising;
    fg_field_noising(f, &noising);
    fg_network_layout_of(&noising, &at);
    const size_t other = fg_rows_carve(&at, p, NULL, &room);
    if (other > most) most = other;
  }
  return fg_whole_lanes(most);
}

/* Waves at the times of the particles. */
TILE_FN void fg_rows_waves(const fg_field *f, const fg_network_layout *at, const fg_real *packed, int p,
                           const double *t, fg_real *wave)
{
  const fg_field_network *net = &f->as.network;
  const fg_real *w = packed + at->frequency, *phase = packed + at->phase;
  const int count = net->frequencies;
  TILE_EACH(e, p * count)
  {
    const int i = e % p, j = e / p;
    const double r = net->time_reversed ? net->horizon - t[i] : t[i];
    const double angle =
        ((double)w[j] + (double)w[count + j]) * r + ((double)phase[j] + (double)phase[count + j]);
    wave[FG_ROWS_AT(p, 2 * count, i, j)] = (fg_real)sin(angle);
    wave[FG_ROWS_AT(p, 2 * count, i, count + j)] = (fg_real)cos(angle);
  }
  TILE_SYNC();
}

/* FG_PAD outputs of one particle: bias + sum_j input[j * p] weight[j * n + .]. */
FG_HD void fg_rows_outputs(int count, int n, int p, const fg_real *__restrict__ input,
                           const fg_real *__restrict__ weight, fg_real *__restrict__ sum)
{
  for (int j = 0; j < count; j++, weight += n) {
    const fg_real x = input[(size_t)j * p];
    for (int l = 0; l < FG_PAD; l++) sum[l] += x * weight[l];
  }
}

#ifdef TILE_ROW_PRODUCT
/* hidden = gelu(E_1 waves + b_1). */
TILE_FN void fg_rows_hidden(const fg_network_layout *at, const fg_real *packed, int p, const fg_real *wave,
                            fg_real *hidden)
{
  const int n = at->hidden;
  TILE_ROW_PRODUCT(p, n, at->features, wave, packed + at->embedding[0], hidden);
  TILE_EACH(e, p * n)
  {
    fg_real first, second;
    fg_gelu(hidden[e] + packed[at->embedding_bias[0] + (size_t)(e % n)], &hidden[e], &first, &second);
  }
  TILE_SYNC();
}

/* The rows from `count` numbers of each particle, `weight` [count, outputs] and the biases. */
TILE_FN void fg_rows_last(const fg_network_layout *at, const fg_real *packed, int p, int count,
                          const fg_real *from, const fg_real *weight, fg_real *product, int stride,
                          fg_real *row)
{
  const int n = at->layer[0].out_pad;
  if (count > 1) TILE_ROW_PRODUCT(p, n, count, from, weight, product);
  TILE_EACH(e, p * n)
  {
    const int i = e / n, k = e % n;
    fg_real sum = packed[at->layer[0].bias + (size_t)k];
    if (at->hidden) sum += packed[at->embedding_bias[1] + (size_t)k];
    row[(size_t)i * stride + k] = sum + (count > 1 ? product[e] : from[i] * weight[k]);
  }
  TILE_SYNC();
}
#else
TILE_FN void fg_rows_hidden(const fg_network_layout *at, const fg_real *packed, int p, const fg_real *wave,
                            fg_real *hidden)
{
  TILE_EACH(e, p * (at->hidden / FG_PAD))
  {
    const int i = e % p, k = e / p * FG_PAD;
    fg_real sum[FG_PAD], first, second;
    for (int l = 0; l < FG_PAD; l++) sum[l] = packed[at->embedding_bias[0] + (size_t)(k + l)];
    fg_rows_outputs(at->features, at->hidden, p, wave + i, packed + at->embedding[0] + k, sum);
    for (int l = 0; l < FG_PAD; l++) fg_gelu(sum[l], &hidden[(size_t)(k + l) * p + i], &first, &second);
  }
  TILE_SYNC();
}

TILE_FN void fg_rows_last(const fg_network_layout *at, const fg_real *packed, int p, int count,
                          const fg_real *from, const fg_real *weight, fg_real *product, int stride,
                          fg_real *row)
{
  const int n = at->layer[0].out_pad;
  (void)product;
  TILE_EACH(e, p * (n / FG_PAD))
  {
    const int i = e % p, k = e / p * FG_PAD;
    fg_real sum[FG_PAD];
    for (int l = 0; l < FG_PAD; l++) sum[l] = packed[at->layer[0].bias + (size_t)(k + l)];
    if (at->hidden)
      for (int l = 0; l < FG_PAD; l++) sum[l] += packed[at->embedding_bias[1] + (size_t)(k + l)];
    fg_rows_outputs(count, n, p, from + i, weight + k, sum);
    for (int l = 0; l < FG_PAD; l++) row[(size_t)i * stride + k + l] = sum[l];
  }
  TILE_SYNC();
}
#endif

/* The values of the rows, `stride` apart, at times t [p]. */
TILE_FN void fg_network_rows(const fg_field *f, int p, const double *t, int stride, fg_real *row,
                             fg_real *scratch)
{
  const fg_field_network *net = &f->as.network;
  const fg_real *packed = fg_network_weights(f);
  fg_network_layout at;
  fg_rows_room room;
  fg_network_layout_of(f, &at);
  fg_rows_carve(&at, p, scratch, &room);
  TILE_RECUT();
  if (net->time == FG_TIME_FOURIER || net->time == FG_TIME_EMBEDDED) {
    fg_rows_waves(f, &at, packed, p, t, room.wave);
  } else {
    TILE_EACH(i, p) room.wave[i] = (fg_real)(net->time_reversed ? net->horizon - t[i] : t[i]);
    TILE_SYNC();
  }
  if (at.hidden) {
    fg_rows_hidden(&at, packed, p, room.wave, room.hidden);
    fg_rows_last(&at, packed, p, at.hidden, room.hidden, packed + at.embedding[1], room.product, stride, row);
  } else {
    fg_rows_last(&at, packed, p, at.features, room.wave, packed + at.time_weight, room.product, stride, row);
  }
}

/* The rest of particle i's row, from its coefficients. */
TILE_FN void fg_network_row_alone(const fg_field *f, const fg_coeff *c, fg_real *row)
{
  fg_network_layout at;
  fg_network_layout_of(f, &at);
  fg_network_row_end(f, &at, c, row);
}

/* Rows of all particles: t [p] their times, coefficients from the process. What a mixture's row holds is a particle's
 * own; a network's is shared among the threads. */
TILE_FN void fg_field_rows_apart(const fg_field *f, const fg_noising *process, int p, const double *t,
                                 unsigned want, int stride, fg_real *row, fg_real *scratch)
{
  fg_field noising;
  if (fg_field_is_network(f) && f->paired) fg_field_noising(f, &noising);
  TILE_EACH(i, p)
  {
    const fg_coeff c = fg_noising_coeff(process, t[i]);
    fg_real *one = row + (size_t)i * stride;
    if (!fg_field_is_network(f)) {
      fg_field_row(f, &c, want, one);
      continue;
    }
    fg_network_row_alone(f, &c, one);
    if (f->paired) fg_network_row_alone(&noising, &c, one + fg_field_noising_row(f));
  }
  TILE_SYNC();
  if (!fg_field_is_network(f)) return;
  fg_network_rows(f, p, t, stride, row, scratch);
  if (f->paired) fg_network_rows(&noising, p, t, stride, row + fg_field_noising_row(f), scratch);
  TILE_RECUT(); /* the field cuts the same scratch otherwise */
}

#endif
