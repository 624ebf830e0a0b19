/* A potential under the operator  G Phi = along_t Phi_t + c.grad Phi - sum_k (b_k.grad)^2 Phi,  and the gradient of
 * sum_i seed_i (G Phi)_i and of sums of first derivatives with respect to the weights.
 *
 * With c = f and b_k = g / sqrt 2 e_k this is the linear part of the Fokker-Planck residual. G goes through a layer as one
 * channel: for h = phi(z)
 *     b_k h = phi'(z) b_k z,      G h = phi'(z) G z - phi''(z) sum_k (b_k z)^2,
 * so d + 2 channels (values, d first derivatives, G) give R and its gradient: three products each, where the usual
 * count with time derivative and Laplacian apart is d + 3. Reverse, with hats for adjoints:
 *     (Gz)^  = phi' (Gh)^
 *     (b_k z)^ = phi' (b_k h)^ - 2 phi'' (b_k z) (Gh)^
 *     z^     = phi' h^ + phi'' ( sum_k (b_k z) (b_k h)^ + Gz (Gh)^ ) - phi''' sum_k (b_k z)^2 (Gh)^ */
#ifndef FG_BODY_JET_GENERATOR_H
#define FG_BODY_JET_GENERATOR_H

#include "body/jet.h"

typedef struct fg_generator {
  int count;            /* of the b_k */
  const fg_real *gamma; /* [p]: b_k = gamma e_k for all k < d = count; or NULL: */
  const fg_real *probe; /* [count][d][p]: b_k */
  const fg_real *c;     /* [d][p] */
  const fg_real *row_t; /* [out_0]: time derivative of a_0; NULL: G without Phi_t */
} fg_generator;

/* Channels of a jet under an operator with `count` directions: values, the directions, G. */
FG_HD int fg_generator_channels(int count)
{
  return count + 2;
}

#define FG_BEND_LOOP(count)                                                                                  \
  TILE_EACH(i, n)                                                                                            \
  {                                                                                                          \
    const fg_real s = gate[i];                                                                               \
    fg_real squares = 0;                                                                                     \
    for (int k = 0; k < (count); k++) {                                                                      \
      const fg_real zk = z[(size_t)(k + 1) * n + i];                                                         \
      squares += zk * zk;                                                                                    \
      h[(size_t)(k + 1) * n + i] = s * zk;                                                                   \
    }                                                                                                        \
    h[(size_t)((count) + 1) * n + i] = s * z[(size_t)((count) + 1) * n + i] - bend[i] * squares;             \
  }

/* h of the channels 1 .. from their z, n reals a plane. */
TILE_FN void fg_generator_bend(int count, int n, const fg_real *__restrict__ gate,
                               const fg_real *__restrict__ bend, const fg_real *__restrict__ z,
                               fg_real *__restrict__ h, fg_real *__restrict__ sum)
{
  switch (count) {
  case 0:
    TILE_EACH(i, n) h[n + i] = gate[i] * z[n + i];
    break;
  case 1:
    FG_BEND_LOOP(1)
    break;
  case 2:
    FG_BEND_LOOP(2)
    break;
  default:
    for (int k = 1; k <= count; k++) {
      fg_tile_square(n, k == 1, z + (size_t)k * n, sum);
      TILE_EACH(i, n) h[(size_t)k * n + i] = gate[i] * z[(size_t)k * n + i];
    }
    TILE_SYNC();
    const size_t last = (size_t)(count + 1) * n;
    TILE_EACH(i, n) h[last + i] = gate[i] * z[last + i] - bend[i] * sum[i];
    break;
  }
  TILE_SYNC();
}

/* First layer: z of the channels 1 .. */
TILE_FN void fg_generator_start(fg_jet *j, const fg_generator *g)
{
  const fg_network_layer *first = &j->run.at.layer[0];
  const int p = j->p, width = first->out_pad, n = p * width;
  const fg_real *w = j->run.packed + first->forward;
  for (int k = 0; k < g->count; k++) {
    fg_real *__restrict__ z = j->z[0] + (size_t)(k + 1) * n;
    if (g->gamma) {
      const fg_real *__restrict__ row = j->run.packed + first->rows + (size_t)k * width;
      const fg_real *__restrict__ gamma = g->gamma;
      TILE_PLANE(i, q, p, width) z[(size_t)i * width + q] = gamma[i] * row[q];
      TILE_SYNC();
    } else {
      tile_matmul(p, width, j->d, g->probe + (size_t)k * j->d * p, 1, p, w, 0, 0, 0, z);
    }
  }
  tile_matmul(p, width, j->d, g->c, 1, p, w, g->row_t, 0, 0, j->z[0] + (size_t)(g->count + 1) * n);
}

/* After fg_jet_values: channels 1 .. through all hidden layers; out [count + 1][p]: b_k Phi, then G Phi. */
TILE_FN void fg_generator_forward(fg_jet *j, const fg_generator *g, fg_real *out)
{
  const fg_network_layout *at = &j->run.at;
  const fg_network_layer *last = &at->layer[at->layers - 1];
  fg_generator_start(j, g);
  for (int l = 0; l + 1 < at->layers; l++) {
    if (l > 0) fg_jet_lift(j, l);
    fg_generator_bend(g->count, fg_jet_plane(j, l), j->gate[l], j->bend[l], j->z[l], j->h[l], j->sum);
  }
  tile_dot((g->count + 1) * j->p, 1, last->in_pad, j->h[at->layers - 2] + (size_t)j->p * last->in_pad,
           j->run.packed + last->rows, 0, 0, out);
}

/* One loop over all planes for 0, 1 or 2 directions and softplus, whose third derivative follows from slope and bend.
 * Every plane has a pointer of its own: the compiler has to know that they do not overlap. */
#define FG_STRAIGHTEN_LOOP(has_first, has_second)                                                            \
  TILE_EACH(i, n)                                                                                            \
  {                                                                                                          \
    const fg_real s = gate[i], b = bend[i], top = u_g[i];                                                    \
    const fg_real a = (has_first) ? z_1[i] : 0, c = (has_second) ? z_2[i] : 0;                               \
    fg_real mixed = z_g[i] * top;                                                                            \
    if (has_first) {                                                                                         \
      mixed += a * u_1[i];                                                                                   \
      u_1[i] = s * u_1[i] - 2 * b * a * top;                                                                 \
    }                                                                                                        \
    if (has_second) {                                                                                        \
      mixed += c * u_2[i];                                                                                   \
      u_2[i] = s * u_2[i] - 2 * b * c * top;                                                                 \
    }                                                                                                        \
    u_0[i] = s * u_0[i] + b * mixed - fg_softplus_third(beta, s, b) * (a * a + c * c) * top;                 \
    u_g[i] = s * top;                                                                                        \
  }

TILE_FN void fg_generator_straighten_few(int count, int n, fg_real beta, const fg_real *__restrict__ gate,
                                         const fg_real *__restrict__ bend, const fg_real *__restrict__ z_1,
                                         const fg_real *__restrict__ z_2, const fg_real *__restrict__ z_g,
                                         fg_real *__restrict__ u_0, fg_real *__restrict__ u_1,
                                         fg_real *__restrict__ u_2, fg_real *__restrict__ u_g)
{
  if (count == 0) {
    FG_STRAIGHTEN_LOOP(0, 0)
  } else if (count == 1) {
    FG_STRAIGHTEN_LOOP(1, 0)
  } else {
    FG_STRAIGHTEN_LOOP(1, 1)
  }
  TILE_SYNC();
}

/* Many directions: plane by plane. sum, other: room. */
TILE_FN void fg_generator_straighten_many(int count, int n, const fg_real *__restrict__ gate,
                                          const fg_real *__restrict__ bend, const fg_real *__restrict__ third,
                                          const fg_real *__restrict__ z, fg_real *__restrict__ up,
                                          fg_real *__restrict__ sum, fg_real *__restrict__ other)
{
  const size_t last = (size_t)(count + 1) * n;
  TILE_EACH(i, n) other[i] = z[last + i] * up[last + i];
  TILE_SYNC();
  for (int k = 1; k <= count; k++) {
    const size_t from = (size_t)k * n;
    fg_tile_square(n, k == 1, z + from, sum);
    TILE_EACH(i, n)
    {
      other[i] += z[from + i] * up[from + i];
      up[from + i] = gate[i] * up[from + i] - 2 * bend[i] * z[from + i] * up[last + i];
    }
    TILE_SYNC();
  }
  TILE_EACH(i, n)
  {
    up[i] = gate[i] * up[i] + bend[i] * other[i] - third[i] * sum[i] * up[last + i];
    up[last + i] *= gate[i];
  }
  TILE_SYNC();
}

/* Adjoints of h of layer l in j->up become those of z. */
TILE_FN void fg_generator_straighten(fg_jet *j, int count, int l)
{
  const int n = fg_jet_plane(j, l);
  const size_t last = (size_t)(count + 1) * n;
  const fg_real *z = j->z[l];
  if (count == 0 || (count <= 2 && j->run.activation == FG_SOFTPLUS)) {
    fg_generator_straighten_few(count, n, j->run.scale.beta, j->gate[l], j->bend[l], z + n, z + 2 * (size_t)n,
                                z + last, j->up, j->up + n, j->up + 2 * (size_t)n, j->up + last);
    return;
  }
  fg_jet_third(j, l);
  fg_generator_straighten_many(count, n, j->gate[l], j->bend[l], j->third, z, j->up, j->sum, j->other);
}

/* Adjoints of h_top: 0 for the values, seeds [count + 1][p] times w for the others; and the gradient of w. */
TILE_FN void fg_generator_turn(fg_jet *j, int count, const fg_real *__restrict__ seeds,
                               const fg_jet_gradient *to)
{
  const fg_network_layout *at = &j->run.at;
  const int top = at->layers - 2, p = j->p, width = at->layer[top].out_pad, n = p * width;
  const fg_network_layer *last = &at->layer[top + 1];
  const fg_real *__restrict__ w = j->run.packed + last->rows;
  fg_real *__restrict__ up = j->up;
  fg_tile_zero(n, up);
  for (int k = 0; k <= count; k++) {
    TILE_PLANE(i, q, p, width)
    up[(size_t)(k + 1) * n + (size_t)i * width + q] = seeds[(size_t)k * p + i] * w[q];
  }
  TILE_SYNC();
  tile_outer((count + 1) * p, last->in_pad, 1, seeds, 1, 1, j->h[top] + n, to->core + last->rows);
}

/* Gradient of sum_i ( sum_k seeds_k,i (b_k Phi)_i + seeds_count,i (G Phi)_i ); seeds [count + 1][p]. */
TILE_FN void fg_generator_reverse(fg_jet *j, const fg_generator *g, const fg_real *seeds,
                                  const fg_jet_gradient *to)
{
  const fg_network_layout *at = &j->run.at;
  const fg_network_layer *first = &at->layer[0];
  const int p = j->p, width = first->out_pad, n = p * width;
  fg_generator_turn(j, g->count, seeds, to);
  for (int l = at->layers - 2; l >= 0; l--) {
    fg_generator_straighten(j, g->count, l);
    if (l > 0) fg_jet_descend(j, l, to);
  }
  fg_jet_first(j, j->up, to);
  for (int k = 0; k < g->count; k++) {
    const fg_real *adjoint = j->up + (size_t)(k + 1) * n;
    if (g->gamma)
      tile_outer(p, width, 1, g->gamma, 1, p, adjoint, to->core + first->rows + (size_t)k * width);
    else
      tile_outer(p, width, j->d, g->probe + (size_t)k * j->d * p, 1, p, adjoint, to->core + first->forward);
  }
  const fg_real *adjoint = j->up + (size_t)(g->count + 1) * n;
  tile_outer(p, width, j->d, g->c, 1, p, adjoint, to->core + first->forward);
  if (g->row_t) fg_jet_add_row(j, adjoint, to->row_t);
}

#undef FG_BEND_LOOP
#undef FG_STRAIGHTEN_LOOP

#endif
