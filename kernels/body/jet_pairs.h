/* A network of d outputs with all its second derivatives, for the score form of the residual: channels are the values,
 * the derivatives along the axes and in time, and the pairs d^2 / dx_a dx_b, a <= b:
 *     z_a -> phi' z_a,   z_ab -> phi' z_ab + phi'' z_a z_b
 * and the reverse of that, with hats for adjoints of h on the right:
 *     z_ab^ = phi' h_ab^,   z_a^ = phi' h_a^ + phi'' sum_b z_b h_ab^  (twice z_a h_aa^),
 *     z^    = phi' h^ + phi'' ( sum_a z_a h_a^ + sum_ab z_ab h_ab^ ) + phi''' sum_ab z_a z_b h_ab^.
 *
 * The residual of s = scale net, f = -a x:
 *     E_i = ds_i/dt - g^2/2 sum_j d_i d_j s_j - g^2 sum_j s_j d_i s_j - a s_i - a sum_j x_j d_i s_j */
#ifndef FG_BODY_JET_PAIRS_H
#define FG_BODY_JET_PAIRS_H

#include "body/jet.h"

/* Channel of the derivative in time, and of the pair a <= b (axes from 0). */
FG_HD int fg_pairs_time(int d)
{
  return d + 1;
}

FG_HD int fg_pairs_at(int d, int a, int b)
{
  return d + 2 + a * d - a * (a - 1) / 2 + (b - a);
}

FG_HD int fg_pairs_channels(int d)
{
  return d + 2 + d * (d + 1) / 2;
}

/* y [p, n]: the row for every particle. */
TILE_FN void fg_tile_spread(int p, int n, const fg_real *__restrict__ row, fg_real *__restrict__ y)
{
  TILE_PLANE(i, k, p, n) y[(size_t)i * n + k] = row[k];
  TILE_SYNC();
}

/* y += u v w. */
TILE_FN void fg_tile_add_product(int n, const fg_real *__restrict__ u, const fg_real *v, const fg_real *w,
                                 fg_real *__restrict__ y)
{
  TILE_EACH(i, n) y[i] += u[i] * v[i] * w[i];
  TILE_SYNC();
}

/* y += u v w q. */
TILE_FN void fg_tile_add_quadruple(int n, const fg_real *__restrict__ u, const fg_real *v, const fg_real *w,
                                   const fg_real *__restrict__ q, fg_real *__restrict__ y)
{
  TILE_EACH(i, n) y[i] += u[i] * v[i] * w[i] * q[i];
  TILE_SYNC();
}

/* h of the channels 1 .. of layer l from their z. */
TILE_FN void fg_pairs_bend(fg_jet *j, int l)
{
  const int n = fg_jet_plane(j, l), d = j->d;
  fg_real *z = j->z[l], *h = j->h[l];
  for (int c = 1; c < j->channels; c++) {
    fg_real *__restrict__ to = h + (size_t)c * n;
    const fg_real *__restrict__ from = z + (size_t)c * n, *__restrict__ gate = j->gate[l];
    TILE_EACH(i, n) to[i] = gate[i] * from[i];
    TILE_SYNC();
  }
  for (int a = 0; a < d; a++)
    for (int b = a; b < d; b++)
      fg_tile_add_product(n, j->bend[l], z + (size_t)(a + 1) * n, z + (size_t)(b + 1) * n,
                          h + (size_t)fg_pairs_at(d, a, b) * n);
}

/* After fg_jet_values: all channels through the layers; out [channels][d][p]: the network's outputs. */
TILE_FN void fg_pairs_forward(fg_jet *j, const fg_real *row_t, fg_real *out)
{
  const fg_network_layout *at = &j->run.at;
  const fg_network_layer *first = &at->layer[0], *last = &at->layer[at->layers - 1];
  const int p = j->p, d = j->d, n = fg_jet_plane(j, 0);
  for (int k = 0; k < d; k++)
    fg_tile_spread(p, first->out_pad, j->run.packed + first->rows + (size_t)k * first->out_pad,
                   j->z[0] + (size_t)(k + 1) * n);
  fg_tile_spread(p, first->out_pad, row_t, j->z[0] + (size_t)fg_pairs_time(d) * n);
  for (int c = d + 2; c < j->channels; c++) fg_tile_zero(n, j->z[0] + (size_t)c * n);
  for (int l = 0; l + 1 < at->layers; l++) {
    if (l > 0) fg_jet_lift(j, l);
    fg_pairs_bend(j, l);
  }
  for (int c = 0; c < j->channels; c++)
    tile_dot(p, d, last->in_pad, j->h[at->layers - 2] + (size_t)c * fg_jet_plane(j, at->layers - 2),
             j->run.packed + last->rows, c == 0 ? j->run.packed + last->bias : 0, 0, out + (size_t)c * d * p);
}

/* Adjoints of h of layer l in j->up become those of z. */
TILE_FN void fg_pairs_straighten(fg_jet *j, int l)
{
  const int n = fg_jet_plane(j, l), d = j->d;
  const fg_real *z = j->z[l], *gate = j->gate[l], *bend = j->bend[l];
  fg_real *up = j->up, *mixed = j->other;
  fg_jet_third(j, l);
  fg_tile_multiply(n, gate, up);
  fg_tile_zero(n, mixed);
  for (int c = 1; c < j->channels; c++) {
    const fg_real *__restrict__ zc = z + (size_t)c * n, *__restrict__ uc = up + (size_t)c * n;
    TILE_EACH(i, n) mixed[i] += zc[i] * uc[i];
    TILE_SYNC();
  }
  fg_tile_multiply(n, bend, mixed);
  for (int a = 0; a < d; a++)
    for (int b = a; b < d; b++)
      fg_tile_add_quadruple(n, j->third, z + (size_t)(a + 1) * n, z + (size_t)(b + 1) * n,
                            up + (size_t)fg_pairs_at(d, a, b) * n, mixed);
  TILE_EACH(i, n) up[i] += mixed[i];
  TILE_SYNC();
  for (int c = 1; c <= fg_pairs_time(d); c++) fg_tile_multiply(n, gate, up + (size_t)c * n);
  for (int a = 0; a < d; a++)
    for (int b = a; b < d; b++) {
      fg_real *pair = up + (size_t)fg_pairs_at(d, a, b) * n;
      fg_tile_add_product(n, bend, z + (size_t)(b + 1) * n, pair, up + (size_t)(a + 1) * n);
      fg_tile_add_product(n, bend, z + (size_t)(a + 1) * n, pair, up + (size_t)(b + 1) * n);
      fg_tile_multiply(n, gate, pair);
    }
}

/* Gradient of sum seeds.out; seeds [channels][d][p]. */
TILE_FN void fg_pairs_reverse(fg_jet *j, const fg_real *seeds, const fg_jet_gradient *to)
{
  const fg_network_layout *at = &j->run.at;
  const fg_network_layer *first = &at->layer[0], *last = &at->layer[at->layers - 1];
  const int p = j->p, d = j->d, top = fg_jet_plane(j, at->layers - 2), n = fg_jet_plane(j, 0);
  for (int c = 0; c < j->channels; c++) {
    const fg_real *psi = seeds + (size_t)c * d * p;
    tile_outer(p, last->in_pad, d, psi, 1, p, j->h[at->layers - 2] + (size_t)c * top, to->core + last->rows);
    tile_matmul(p, last->in_pad, d, psi, 1, p, j->run.packed + last->backward, 0, 0, 0,
                j->up + (size_t)c * top);
  }
  for (int k = 0; k < d; k++) tile_add_sum(p, seeds + (size_t)k * p, to->core + last->bias + k);
  for (int l = at->layers - 2; l >= 0; l--) {
    fg_pairs_straighten(j, l);
    if (l > 0) fg_jet_descend(j, l, to);
  }
  fg_jet_first(j, j->up, to);
  for (int k = 0; k < d; k++)
    tile_column_sum(p, first->out_pad, j->up + (size_t)(k + 1) * n,
                    to->core + first->rows + (size_t)k * first->out_pad);
  fg_jet_add_row(j, j->up + (size_t)fg_pairs_time(d) * n, to->row_t);
}

#endif
