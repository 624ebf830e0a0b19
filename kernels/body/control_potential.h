/* The control in the potential form, u = g ( grad net + tau S ), and its reverse; included by body/control.h.
 *
 * With layers a_l, h_l = phi(a_l) and output w.h_top: the sweep p_top = w, b_l = phi'(a_l) p_l, p_{l-1} = b_l W_l
 * gives grad net = b_0 W_0. For a cotangent chi = g psi the sum chi.grad net is the derivative of net along
 * chi: tangents a_0' = chi W_0^T, h_l' = phi'(a_l) a_l'. Its own reverse has b_l again as the adjoint of a_l',
 * and as that of a_l
 *   e_l = phi''(a_l) a_l' p_l + phi'(a_l) q_l,   q_top = 0,   q_{l-1} = e_l W_l,
 * so  dW_l = b_l h'_{l-1} + e_l h_{l-1},  dw = h'_top,  and dx = e_0 W_0, the Hessian times chi. */
#ifndef FG_BODY_CONTROL_POTENTIAL_H
#define FG_BODY_CONTROL_POTENTIAL_H

/* y += x. */
TILE_FN void fg_tile_add(int n, const fg_real *__restrict__ x, fg_real *__restrict__ y)
{
  TILE_EACH(i, n) y[i] += x[i];
  TILE_SYNC();
}

/* z = x y. */
TILE_FN void fg_tile_product(int n, const fg_real *__restrict__ x, const fg_real *__restrict__ y,
                             fg_real *__restrict__ z)
{
  TILE_EACH(i, n) z[i] = x[i] * y[i];
  TILE_SYNC();
}

TILE_FN void fg_control_gradient(fg_control *c)
{
  const fg_network_layout *at = &c->run.at;
  const int p = c->p, top = at->layers - 2, vector = p * c->d, width = at->layer[top].out_pad;
  const fg_real *w = c->run.packed + at->layer[top + 1].rows, *guide = fg_guide_row(c->field, c->row);
  fg_control_layers(c, 1);
  fg_real *__restrict__ above = c->above[top];
  TILE_PLANE(i, k, p, width) above[(size_t)i * width + k] = w[k];
  TILE_SYNC();
  fg_tile_product(p * width, above, c->gate[top], c->below[top]);
  for (int l = top; l > 0; l--) {
    const fg_network_layer *layer = &at->layer[l];
    tile_matmul(p, layer->in_pad, layer->out, c->below[l], layer->out_pad, 1, c->run.packed + layer->backward,
                0, 0, 0, c->above[l - 1]);
    fg_tile_product(p * layer->in_pad, c->above[l - 1], c->gate[l - 1], c->below[l - 1]);
  }
  tile_dot(p, c->d, at->layer[0].out_pad, c->below[0], c->run.packed + at->layer[0].rows, 0, 0, c->out);
  const fg_real g = guide[FG_ROW_G], tau = fg_control_has_score(c->field) ? guide[FG_ROW_TAU] : 0;
  fg_real *__restrict__ u = c->u;
  const fg_real *__restrict__ out = c->out, *__restrict__ s = c->score;
  if (fg_control_has_score(c->field)) {
    TILE_EACH(i, vector) u[i] = g * (out[i] + tau * s[i]);
  } else {
    TILE_EACH(i, vector) u[i] = g * out[i];
  }
  TILE_SYNC();
}

/* Tangents a_l' along chi into c->tangent; dw += h'_top. */
TILE_FN void fg_control_tangents(fg_control *c, const fg_real *chi, const fg_gradient *to)
{
  const fg_network_layout *at = &c->run.at;
  const int p = c->p, last = at->layers - 1;
  const fg_network_layer *out = &at->layer[last];
  for (int l = 0; l < last; l++) {
    const fg_network_layer *layer = &at->layer[l];
    const fg_real *w = c->run.packed + layer->forward;
    if (l == 0)
      tile_matmul(p, layer->out_pad, c->d, chi, 1, p, w, 0, 0, 0, c->tangent[0]);
    else
      tile_matmul(p, layer->out_pad, layer->in, c->spare, layer->in_pad, 1, w, 0, 0, 0, c->tangent[l]);
    fg_tile_product(p * layer->out_pad, c->tangent[l], c->gate[l], c->spare);
  }
  tile_column_sum(p, out->in_pad, c->spare, to->core + out->rows);
}

/* As fg_control_reverse_layers, for psi of u = g grad net + ...; psi is overwritten. */
TILE_FN void fg_control_reverse_gradient(fg_control *c, fg_real *__restrict__ psi, const fg_gradient *to,
                                         fg_real *dx)
{
  const fg_network_layout *at = &c->run.at;
  const int p = c->p, top = at->layers - 2, vector = p * c->d;
  const fg_real g = fg_guide_row(c->field, c->row)[FG_ROW_G];
  const fg_network_layer *first = &at->layer[0];
  TILE_EACH(i, vector) psi[i] *= g;
  TILE_SYNC();
  fg_control_tangents(c, psi, to);
  for (int l = top; l >= 0; l--) {
    const fg_network_layer *layer = &at->layer[l];
    const int n = p * layer->out_pad;
    /* e_l into bend, from q_l in c->down */
    fg_real *__restrict__ e = c->bend[l];
    const fg_real *__restrict__ a = c->tangent[l], *__restrict__ above = c->above[l],
                                *__restrict__ gate = c->gate[l], *__restrict__ q = c->down;
    if (l == top) {
      TILE_EACH(i, n) e[i] *= a[i] * above[i];
    } else {
      TILE_EACH(i, n) e[i] = e[i] * a[i] * above[i] + gate[i] * q[i];
    }
    TILE_SYNC();
    if (l == 0) break;
    fg_tile_product(p * layer->in_pad, c->tangent[l - 1], c->gate[l - 1], c->spare);
    tile_outer(p, layer->out_pad, layer->in, c->spare, layer->in_pad, 1, c->below[l],
               to->core + layer->forward);
    tile_outer(p, layer->out_pad, layer->in, c->h[l - 1], layer->in_pad, 1, e, to->core + layer->forward);
    tile_column_sum(p, layer->out_pad, e, to->core + layer->bias);
    tile_matmul(p, layer->in_pad, layer->out, e, layer->out_pad, 1, c->run.packed + layer->backward, 0, 0, 0,
                c->down);
  }
  tile_outer(p, first->out_pad, c->d, psi, 1, p, c->below[0], to->core + first->forward);
  tile_outer(p, first->out_pad, c->d, c->x, 1, p, c->bend[0], to->core + first->forward);
  tile_column_sum(p, first->out_pad, c->bend[0], to->row);
  if (!dx) return;
  tile_dot(p, c->d, first->out_pad, c->bend[0], c->run.packed + first->rows, 0, 0, c->bent);
  fg_tile_add(vector, c->bent, dx);
}

#endif
