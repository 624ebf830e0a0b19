/* The divergence of a control in the vector form without score information, and its reverse; included by
 * body/control.h.
 *
 * With layers a_l, h_l = phi(a_l) and net_j = w_j.h_top,
 *   div u = sum_j slope_j w_j.h_top^j,   slope_j that of the clip,
 * where the tangents along x_j are a_0^j = W_0 e_j, h_l^j = phi'(a_l) a_l^j, a_{l+1}^j = W_{l+1} h_l^j: one sweep per
 * coordinate. For a cotangent kappa of div u each sweep has a reverse of its own, q_top^j = kappa slope_j w_j,
 * b_l^j = phi'(a_l) q_l^j, q_{l-1}^j = b_l^j W_l, which gives
 *   dw_j = kappa slope_j h_top^j,   dW_l = sum_j b_l^j h_{l-1}^j,   dW_0 e_j = b_0^j,
 * and adds e_l = phi''(a_l) sum_j a_l^j q_l^j to the adjoint of a_l, which goes on as that of u does.
 * Planes per layer: bend phi'', tangent a_l^j, below h_l^j, above the sum over j, then e_l. */
#ifndef FG_BODY_CONTROL_DIVERGENCE_H
#define FG_BODY_CONTROL_DIVERGENCE_H

/* Tangents along coordinate j. */
TILE_FN void fg_control_along(fg_control *c, int j)
{
  const fg_network_layout *at = &c->run.at;
  const int p = c->p, top = at->layers - 2, width = at->layer[0].out_pad;
  const fg_real *w = c->run.packed + at->layer[0].rows + (size_t)j * width;
  fg_real *a = c->tangent[0];
  TILE_PLANE(i, k, p, width) a[(size_t)i * width + k] = w[k];
  TILE_SYNC();
  fg_tile_product(p * width, a, c->gate[0], c->below[0]);
  for (int l = 1; l <= top; l++) {
    const fg_network_layer *layer = &at->layer[l];
    tile_matmul(p, layer->out_pad, layer->in, c->below[l - 1], layer->in_pad, 1,
                c->run.packed + layer->forward, 0, 0, 0, c->tangent[l]);
    fg_tile_product(p * layer->out_pad, c->tangent[l], c->gate[l], c->below[l]);
  }
}

/* div u [p] where fg_control_value was last, with slopes kept. */
TILE_FN void fg_control_divergence(fg_control *c, fg_real *__restrict__ divergence)
{
  const fg_network_layout *at = &c->run.at;
  const fg_network_layer *out = &at->layer[at->layers - 1];
  const int p = c->p;
  const fg_real clip = (fg_real)c->field->guide.clip;
  fg_real *__restrict__ part = c->one;
  TILE_EACH(i, p) divergence[i] = 0;
  for (int j = 0; j < c->d; j++) {
    const fg_real *net = c->out + (size_t)j * p;
    fg_control_along(c, j);
    tile_dot(p, 1, out->in_pad, c->below[at->layers - 2], c->run.packed + out->rows + (size_t)j * out->in_pad,
             0, 0, part);
    TILE_EACH(i, p) divergence[i] += fg_clip_slope(net[i], clip) * part[i];
    TILE_SYNC();
  }
}

/* c->line, a row of a weight gradient, goes to row j of [rows, columns] in panels; then it is 0 again. */
TILE_FN void fg_control_line(fg_control *c, int rows, int columns, int j, fg_real *to)
{
  fg_real *line = c->line;
  TILE_EACH(k, columns)
  {
    to[fg_panel_place(rows, columns, j, k)] += line[k];
    line[k] = 0;
  }
  TILE_SYNC();
}

/* Row j of [rows, columns] in panels += sum over p rows of a [p] (0: ones) times b [p, columns]. An engine may bring
 * another, without the line. */
#ifndef TILE_ROW_SUM
TILE_FN void fg_control_row_sum(fg_control *c, int rows, int columns, int j, const fg_real *a,
                                const fg_real *b, fg_real *to)
{
  if (a)
    tile_outer(c->p, columns, 1, a, 1, c->p, b, c->line);
  else
    tile_column_sum(c->p, columns, b, c->line);
  fg_control_line(c, rows, columns, j, to);
}
#define TILE_ROW_SUM(c, rows, columns, j, a, b, to)                                                          \
  fg_control_row_sum((c), (rows), (columns), (j), (a), (b), (to))
#endif

/* The reverse of the sweep along j; c->one holds kappa slope_j. */
TILE_FN void fg_control_reverse_along(fg_control *c, int j, const fg_gradient *to)
{
  const fg_network_layout *at = &c->run.at;
  const fg_network_layer *out = &at->layer[at->layers - 1], *first = &at->layer[0];
  const int p = c->p, top = at->layers - 2, width = out->in_pad;
  const fg_real *w = c->run.packed + out->rows + (size_t)j * width, *__restrict__ one = c->one;
  fg_real *q = c->down;
  TILE_ROW_SUM(c, c->d, width, j, one, c->below[top], to->core + out->rows);
  TILE_PLANE(i, k, p, width) q[(size_t)i * width + k] = one[i] * w[k];
  TILE_SYNC();
  for (int l = top; l >= 0; l--) {
    const fg_network_layer *layer = &at->layer[l];
    const int n = p * layer->out_pad;
    fg_real *__restrict__ sum = c->above[l], *__restrict__ b = c->down;
    const fg_real *__restrict__ a = c->tangent[l], *__restrict__ gate = c->gate[l];
    TILE_EACH(i, n)
    {
      sum[i] += a[i] * b[i];
      b[i] *= gate[i];
    }
    TILE_SYNC();
    if (l == 0) break;
    tile_outer(p, layer->out_pad, layer->in, c->below[l - 1], layer->in_pad, 1, c->down,
               to->core + layer->forward);
    tile_matmul(p, layer->in_pad, layer->out, c->down, layer->out_pad, 1, c->run.packed + layer->backward, 0,
                0, 0, c->spare);
    fg_network_swap(&c->down, &c->spare);
  }
  TILE_ROW_SUM(c, c->d, first->out_pad, j, 0, c->down, to->core + first->forward);
}

/* Add the gradient of sum psi.u + kappa div u; psi [d][p] is overwritten, kappa [p]. dx [d][p] += that with respect to x,
 * unless 0. After fg_control_value with bends kept. */
TILE_FN void fg_control_reverse_divergence(fg_control *c, fg_real *__restrict__ psi,
                                           const fg_real *__restrict__ kappa, const fg_gradient *to,
                                           fg_real *dx)
{
  const fg_network_layout *at = &c->run.at;
  const int p = c->p, top = at->layers - 2, vector = c->d * p;
  const fg_real clip = (fg_real)c->field->guide.clip;
  const fg_real *__restrict__ out = c->out;
  fg_real *__restrict__ one = c->one, *line = c->line;
  TILE_EACH(k, at->widest) line[k] = 0;
  for (int l = 0; l <= top; l++) {
    fg_real *sum = c->above[l];
    TILE_EACH(i, p * at->layer[l].out_pad) sum[i] = 0;
  }
  for (int j = 0; j < c->d; j++) {
    fg_control_along(c, j);
    TILE_EACH(i, p) one[i] = kappa[i] * fg_clip_slope(out[(size_t)j * p + i], clip);
    TILE_SYNC();
    fg_control_reverse_along(c, j, to);
  }
  for (int l = 0; l <= top; l++) {
    const int n = p * at->layer[l].out_pad;
    fg_real *__restrict__ sum = c->above[l];
    const fg_real *__restrict__ bend = c->bend[l];
    TILE_EACH(i, n) sum[i] *= bend[i];
  }
  TILE_EACH(i, vector) psi[i] *= fg_clip_slope(out[i], clip);
  TILE_SYNC();
  fg_control_reverse_layers(c, psi, c->above, to, dx);
}

#endif
