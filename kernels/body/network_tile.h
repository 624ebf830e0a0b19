/* The layers of a network on a tile: activations, tangents, and the steps of both sweeps. */
#ifndef FG_BODY_NETWORK_TILE_H
#define FG_BODY_NETWORK_TILE_H

#include "body/network_space.h"

enum { FG_WANT_VALUE = 1, FG_WANT_SLOPE = 2, FG_WANT_BEND = 4 };

/* In place: z becomes phi(z); slope and bend become phi'(z), phi''(z). Each part only if wanted: the compiler
 * drops the arithmetic of the others from each loop. */
#define FG_ACTIVATE_LOOP(formula, put_value, put_slope, put_bend)                                            \
  TILE_EACH(i, n)                                                                                            \
  {                                                                                                          \
    fg_real value, first, second;                                                                            \
    formula;                                                                                                 \
    put_value;                                                                                               \
    put_slope;                                                                                               \
    put_bend;                                                                                                \
  }
#define FG_ACTIVATE(name, formula)                                                                           \
  TILE_FN void name(const fg_activation_scale *scale, int n, int parts, fg_real *__restrict__ z,             \
                    fg_real *__restrict__ slope, fg_real *__restrict__ bend)                                 \
  {                                                                                                          \
    (void)scale;                                                                                             \
    switch (parts) {                                                                                         \
    case FG_WANT_VALUE:                                                                                      \
      FG_ACTIVATE_LOOP(formula, z[i] = value, (void)first, (void)second)                                     \
      break;                                                                                                 \
    case FG_WANT_SLOPE:                                                                                      \
      FG_ACTIVATE_LOOP(formula, (void)value, slope[i] = first, (void)second)                                 \
      break;                                                                                                 \
    case FG_WANT_VALUE | FG_WANT_SLOPE:                                                                      \
      FG_ACTIVATE_LOOP(formula, z[i] = value, slope[i] = first, (void)second)                                \
      break;                                                                                                 \
    case FG_WANT_SLOPE | FG_WANT_BEND:                                                                       \
      FG_ACTIVATE_LOOP(formula, (void)value, slope[i] = first, bend[i] = second)                             \
      break;                                                                                                 \
    default:                                                                                                 \
      FG_ACTIVATE_LOOP(formula, z[i] = value, slope[i] = first, bend[i] = second)                            \
      break;                                                                                                 \
    }                                                                                                        \
    TILE_SYNC();                                                                                             \
  }

/* an engine may bring faster ones */
#ifndef TILE_SOFTPLUS
FG_ACTIVATE(fg_activate_softplus, fg_softplus(scale, z[i], &value, &first, &second))
#define TILE_SOFTPLUS fg_activate_softplus
#endif
#ifndef TILE_GELU
FG_ACTIVATE(fg_activate_gelu, fg_gelu(z[i], &value, &first, &second))
#define TILE_GELU fg_activate_gelu
#endif
#ifndef TILE_SILU
FG_ACTIVATE(fg_activate_silu, fg_silu(z[i], &value, &first, &second))
#define TILE_SILU fg_activate_silu
#endif
FG_ACTIVATE(fg_activate_tanh, fg_tanh(z[i], &value, &first, &second))
#ifndef TILE_SINE
FG_ACTIVATE(fg_activate_sine, fg_sine(z[i], &value, &first, &second))
FG_ACTIVATE(fg_activate_sine_far, fg_sine_far(z[i], &value, &first, &second))

/* 1 if some |z| is too large for the quick sine (NaN counts as near). */
TILE_FN int fg_tile_far(int n, const fg_real *z)
{
  int far = 0;
  TILE_EACH(i, n) far |= fg_vabs(z[i]) > FG_SINE_LIMIT;
  return TILE_ANY(far);
}

TILE_FN void fg_activate_any_sine(const fg_activation_scale *scale, int n, int parts, fg_real *__restrict__ z,
                                  fg_real *__restrict__ slope, fg_real *__restrict__ bend)
{
  const int far = fg_tile_far(n, z); /* all have looked before any writes */
  if (far)
    fg_activate_sine_far(scale, n, parts, z, slope, bend);
  else
    fg_activate_sine(scale, n, parts, z, slope, bend);
}
#define TILE_SINE fg_activate_any_sine
#else /* number by number: a tile's own choice would be a branch that depends on data */
FG_HD void fg_sine_any(fg_real z, fg_real *value, fg_real *slope, fg_real *bend)
{
  if (fg_vabs(z) > FG_SINE_LIMIT)
    fg_sine_far(z, value, slope, bend);
  else
    fg_sine(z, value, slope, bend);
}
FG_ACTIVATE(fg_activate_each_sine, fg_sine_any(z[i], &value, &first, &second))
#endif

TILE_FN void fg_tile_activate(const fg_network_run *run, int n, int parts, fg_real *z, fg_real *slope,
                              fg_real *bend)
{
  switch (run->activation) {
  case FG_SOFTPLUS:
    TILE_SOFTPLUS(&run->scale, n, parts, z, slope, bend);
    break;
  case FG_GELU:
    TILE_GELU(&run->scale, n, parts, z, slope, bend);
    break;
  case FG_SILU:
    TILE_SILU(&run->scale, n, parts, z, slope, bend);
    break;
  case FG_TANH:
    fg_activate_tanh(&run->scale, n, parts, z, slope, bend);
    break;
  default:
    TILE_SINE(&run->scale, n, parts, z, slope, bend);
    break;
  }
}

TILE_FN void fg_tile_zero(int n, fg_real *x)
{
  TILE_EACH(i, n) x[i] = 0;
  TILE_SYNC();
}

/* x[j * p + i] *= scale[i * step]. */
TILE_FN void fg_tile_scale(int p, int d, const fg_real *scale, int step, fg_real *x)
{
  for (int j = 0; j < d; j++) TILE_EACH(i, p) x[(size_t)j * p + i] *= scale[(size_t)i * step];
  TILE_SYNC();
}

/* x [n] *= y [n]. */
TILE_FN void fg_tile_multiply(int n, const fg_real *__restrict__ y, fg_real *__restrict__ x)
{
  TILE_EACH(i, n) x[i] *= y[i];
  TILE_SYNC();
}

/* x [p, n] *= row [n]. */
TILE_FN void fg_tile_multiply_row(int p, int n, const fg_real *__restrict__ row, fg_real *__restrict__ x)
{
  TILE_PLANE(i, k, p, n) x[(size_t)i * n + k] *= row[k];
  TILE_SYNC();
}

/* x [p, n] = row [n] times y [p, n]. */
TILE_FN void fg_tile_product_row(int p, int n, const fg_real *__restrict__ row, const fg_real *__restrict__ y,
                                 fg_real *__restrict__ x)
{
  TILE_PLANE(i, k, p, n) x[(size_t)i * n + k] = row[k] * y[(size_t)i * n + k];
  TILE_SYNC();
}

/* sum [n] = x^2, or += x^2. */
TILE_FN void fg_tile_square(int n, int first, const fg_real *__restrict__ x, fg_real *__restrict__ sum)
{
  if (first) {
    TILE_EACH(i, n) sum[i] = x[i] * x[i];
  } else {
    TILE_EACH(i, n) sum[i] += x[i] * x[i];
  }
  TILE_SYNC();
}

/* Axes in the first layer: a_j is row j of W_0^T for every particle, so its tangents need no product. */
TILE_FN void fg_network_axes(fg_network_run *run, int sides, int keep)
{
  const int p = run->tile->p, n = run->at.layer[0].out_pad, d = run->at.d;
  const fg_real *rows = run->packed + run->at.layer[0].rows;
  for (int j = 0; j < d && sides; j++) fg_tile_square(n, j == 0, rows + (size_t)j * n, run->spare);
  if (sides) fg_tile_multiply_row(p, n, run->spare, run->side[0]);
  for (int j = 0; j < d && keep; j++)
    fg_tile_product_row(p, n, rows + (size_t)j * n, run->gate[0], run->tangents + (size_t)j * p * n);
}

/* Tangents of layer l through the activation: t_j = phi'(a) a_j. side holds phi''(a) and is multiplied by
 * sum_j a_j^2 (Laplacian) or by a_0 (direction). In the top layer of a potential only the sides are needed. */
TILE_FN void fg_network_bend(fg_network_run *run, fg_network_mode mode, int l, int sides)
{
  const int count = run->tile->p * run->at.layer[l].out_pad;
  const int keep = !(sides && l == run->at.layers - 2), axes = l == 0 && mode != FG_NETWORK_DIRECTION;
  if (axes) fg_network_axes(run, sides, keep);
  for (int j = axes ? run->at.d : 0; j < run->count; j++) {
    fg_real *t = run->tangents + (size_t)j * count;
    if (mode == FG_NETWORK_LAPLACIAN && sides) fg_tile_square(count, j == 0, t, run->spare);
    if (mode == FG_NETWORK_DIRECTION && sides) fg_tile_multiply(count, t, run->side[l]);
    if (keep) fg_tile_multiply(count, run->gate[l], t);
  }
  if (mode == FG_NETWORK_LAPLACIAN && !axes) fg_tile_multiply(count, run->spare, run->side[l]);
}

FG_HD void fg_network_swap(fg_real **a, fg_real **b)
{
  fg_real *c = *a;
  *a = *b;
  *b = c;
}

/* Values and tangents through all hidden layers: run->h [p, width] and run->tangents [count, p, width] end as
 * those of the last one; gates and sides of each layer stay where a reverse sweep follows. The top values are
 * computed only if `values`. */
TILE_FN void fg_network_forward(fg_network_run *run, fg_network_mode mode, int values, int reverse)
{
  const fg_tile *tile = run->tile;
  const fg_network_layout *at = &run->at;
  const int p = tile->p, d = at->d, hidden = at->layers - 1;
  const int sides = reverse && mode != FG_NETWORK_PLAIN;
  const int along = mode == FG_NETWORK_DIRECTION || (mode == FG_NETWORK_TRACE && (tile->want & FG_JVP));
  run->count = (mode == FG_NETWORK_LAPLACIAN || mode == FG_NETWORK_TRACE ? d : 0) + along;
  for (int l = 0; l < hidden; l++) {
    const fg_network_layer *layer = &at->layer[l];
    const fg_real *w = run->packed + layer->forward;
    const int n = layer->out_pad, before = layer->in_pad;
    if (l == 0) {
      tile_matmul(p, n, d, tile->x, 1, p, w, tile->row, tile->row_stride, NULL, run->spare);
      if (along)
        tile_matmul(p, n, d, tile->v, 1, p, w, NULL, 0, NULL,
                    run->tangents + (size_t)(run->count - 1) * p * n);
    } else {
      tile_matmul(p, n, layer->in, run->h, before, 1, w, run->packed + layer->bias, 0, NULL, run->spare);
      if (run->count) {
        tile_matmul(run->count * p, n, layer->in, run->tangents, before, 1, w, NULL, 0, NULL,
                    run->spare_tangents);
        fg_network_swap(&run->tangents, &run->spare_tangents);
      }
    }
    fg_network_swap(&run->h, &run->spare);
    int parts = (values || l + 1 < hidden ? FG_WANT_VALUE : 0) | (reverse || run->count ? FG_WANT_SLOPE : 0) |
                (sides ? FG_WANT_BEND : 0);
    fg_tile_activate(run, p * n, parts, run->h, run->gate[l], run->side[l]);
    if (run->count) fg_network_bend(run, mode, l, sides);
  }
}

/* Where the reverse sweep starts: dh of the top hidden layer is the row w for every particle. */
TILE_FN void fg_network_turn(fg_network_run *run, fg_network_mode mode, const fg_real *w)
{
  const int top = run->at.layers - 2, p = run->tile->p, n = run->at.layer[top].out_pad;
  if (mode == FG_NETWORK_LAPLACIAN) tile_row_dot(p, n, run->side[top], w, 0, run->tile->divergence);
  if (mode == FG_NETWORK_DIRECTION) fg_tile_multiply_row(p, n, w, run->side[top]);
  fg_tile_multiply_row(p, n, w, run->gate[top]);
  run->da = run->gate[top];
}

/* From da_l to da_{l-1}. */
TILE_FN void fg_network_backward(fg_network_run *run, fg_network_mode mode, int l)
{
  const fg_network_layer *layer = &run->at.layer[l];
  const fg_real *w = run->packed + layer->backward;
  const int p = run->tile->p, n = layer->in_pad, from = layer->out_pad, count = p * n;
  fg_real *__restrict__ gate = run->gate[l - 1], *__restrict__ side = run->side[l - 1];
  if (mode == FG_NETWORK_PLAIN) {
    fg_real *to = run->da == run->h ? run->spare : run->h;
    tile_matmul(p, n, layer->out, run->da, from, 1, w, NULL, 0, gate, to);
    run->da = to;
    return;
  }
  tile_matmul(p, n, layer->out, run->da, from, 1, w, NULL, 0, NULL, run->h);
  run->da = gate;
  if (mode == FG_NETWORK_LAPLACIAN) {
    tile_row_dot(p, n, side, run->h, n, run->tile->divergence);
    fg_tile_multiply(count, run->h, gate);
    return;
  }
  tile_matmul(p, n, layer->out, run->side[l], from, 1, w, NULL, 0, NULL, run->spare);
  const fg_real *__restrict__ dh = run->h, *__restrict__ dh_dot = run->spare;
  TILE_EACH(i, count)
  {
    side[i] = gate[i] * dh_dot[i] + side[i] * dh[i];
    gate[i] *= dh[i];
  }
  TILE_SYNC();
}

#endif
