/* From the values at the points of a tile to losses, seeds and gradients; included by body/points.h. */
#ifndef FG_BODY_POINTS_REVERSE_H
#define FG_BODY_POINTS_REVERSE_H

/* Points whose value is not finite get the coordinates and time of one that is; their number, or -1 if none is finite.
 * value: theirs is HUGE_VAL from then on. */
TILE_FN int fg_points_mend(fg_points_walk *w, double *value)
{
  const int p = w->p, d = w->d;
  int good = -1, lost = 0;
  for (int i = 0; i < w->count && good < 0; i++) good = fg_path_is_kept(value[i]) ? i : -1;
  for (int i = 0; i < w->count; i++) lost += !fg_path_is_kept(value[i]);
  TILE_SYNC(); /* all have looked before any writes */
  if (good < 0) return -1;
  if (!lost) return 0;
  TILE_EACH(i, p)
  {
    if (i < w->count && fg_path_is_kept(value[i])) continue;
    if (i < w->count) value[i] = HUGE_VAL;
    for (int k = 0; k < d; k++) {
      w->x[k * p + i] = w->x[k * p + good];
      w->goal[k * p + i] = w->goal[k * p + good];
    }
    fg_real *const numbers[] = {w->a, w->g2, w->gamma, w->time, w->scale, w->scale_t};
    for (int q = 0; q < 6; q++) numbers[q][i] = numbers[q][good];
  }
  TILE_SYNC();
  return lost;
}

/* Values [count] become what the request asks for; loss [count] of each, HUGE_VAL where it is lost; w->weight: d (mean
 * loss) / d value, or the factor of (s - goal) or E. */
TILE_FN void fg_points_weigh(fg_points_walk *w, double *value, double *loss)
{
  const fg_points_request *r = w->request;
  const double each = 2 * r->scale / (double)r->n;
  const int count = w->count, group = (int)r->group;
  if (r->kind == FG_LOSS_CENTRED) {
    TILE_EACH(at, count / group)
    {
      double *v = value + at * group, mean;
      const size_t kept = fg_batch_count(r->group, v, &mean);
      const double factor = kept > 1 ? (double)kept / (double)(kept - 1) : 0;
      for (int i = 0; i < group; i++) {
        const int is = fg_path_is_kept(v[i]);
        if (is) v[i] -= mean;
        w->weight[at * group + i] = is ? each * factor * v[i] : 0;
        loss[at * group + i] = is ? factor * v[i] * v[i] : HUGE_VAL;
      }
    }
    TILE_SYNC();
    return;
  }
  TILE_EACH(i, count)
  {
    const int is = fg_path_is_kept(value[i]);
    const double own = r->kind == FG_LOSS_DENOISING && r->weight.device
                           ? ((const double *)r->weight.device)[w->first + (size_t)i]
                           : 1;
    if (r->kind == FG_LOSS_RESIDUAL) {
      w->weight[i] = is ? each * value[i] : 0;
      loss[i] = is ? value[i] * value[i] : HUGE_VAL;
    } else {
      w->weight[i] = is ? each * own / w->d : 0;
      loss[i] = is ? own * value[i] : HUGE_VAL;
    }
  }
  TILE_SYNC();
}

FG_HD fg_real fg_points_weight(const fg_points_walk *w, int i)
{
  return i < w->count ? (fg_real)w->weight[i] : 0;
}

TILE_FN void fg_points_reverse_residual(fg_points_walk *w, const fg_jet_gradient *to, fg_real *tau)
{
  const fg_generator *g = &w->generator;
  const int p = w->p, d = w->d, count = g->count;
  fg_real *__restrict__ seeds = w->seeds;
  for (int k = 0; k < count; k++) TILE_EACH(i, p)
  seeds[k * p + i] = g->gamma ? -2 * w->gamma[i] * w->score[k * p + i] * fg_points_weight(w, i) : 0;
  TILE_EACH(i, p) seeds[count * p + i] = fg_points_weight(w, i);
  TILE_SYNC();
  fg_generator_reverse(&w->jet, g, seeds, to);
  if (!w->field->guided) return;
  fg_real *sum = w->out, *sum_t = w->time;
  TILE_EACH(i, p)
  {
    fg_real along = 0;
    for (int k = 0; k < d; k++) along += w->score[k * p + i] * w->guide.slope[k * p + i];
    sum[i] = fg_points_weight(w, i) * (w->guide.rate[i] - w->g2[i] * along);
    sum_t[i] = fg_points_weight(w, i) * w->guide.value[i];
  }
  TILE_SYNC();
  TILE_OWN_SUM(p, sum, tau);
  TILE_OWN_SUM(p, sum_t, tau + FG_PAD);
}

/* d loss / d s = weight (s - goal): along it as a direction through a potential, as an adjoint of the outputs else. */
TILE_FN void fg_points_reverse_denoise(fg_points_walk *w, const fg_jet_gradient *to)
{
  const int p = w->p, d = w->d;
  const fg_network_layout *at = &w->jet.run.at;
  const fg_network_layer *last = &at->layer[at->layers - 1];
  fg_real *__restrict__ c = w->c, *__restrict__ one = w->seeds;
  for (int k = 0; k < d; k++) TILE_EACH(i, p) c[k * p + i] *= w->scale[i] * fg_points_weight(w, i);
  TILE_SYNC();
  if (fg_points_potential(w->field)) {
    const fg_generator *g = &w->generator;
    fg_generator_forward(&w->jet, g, w->out);
    TILE_EACH(i, p) one[i] = i < w->count ? 1 : 0;
    TILE_SYNC();
    fg_generator_reverse(&w->jet, g, one, to);
    return;
  }
  tile_outer(p, last->in_pad, d, c, 1, p, w->jet.h[at->layers - 2], to->core + last->rows);
  for (int k = 0; k < d; k++) tile_add_sum(p, c + (size_t)k * p, to->core + last->bias + k);
  tile_matmul(p, last->in_pad, d, c, 1, p, w->jet.run.packed + last->backward, 0, 0, 0, w->jet.up);
  fg_jet_reverse_values(&w->jet, to);
}

/* Seeds of all outputs for e = weight E. */
TILE_FN void fg_points_reverse_score(fg_points_walk *w, const fg_jet_gradient *to)
{
  const int p = w->p, d = w->d;
  const fg_real *__restrict__ out = w->out;
  fg_real *__restrict__ seeds = w->seeds, *__restrict__ c = w->c;
  TILE_EACH(i, p)
  {
    const fg_real s = w->scale[i], g2 = w->g2[i], a = w->a[i];
    for (int k = 0; k < d; k++) c[k * p + i] *= fg_points_weight(w, i);
    for (int k = 0; k < d * w->jet.channels; k++) seeds[(size_t)k * p + i] = 0;
    for (int k = 0; k < d; k++) {
      const fg_real e = c[k * p + i];
      seeds[(size_t)k * p + i] += (w->scale_t[i] - a * s) * e;
      seeds[(size_t)(fg_pairs_time(d) * d + k) * p + i] += s * e;
      for (int m = 0; m < d; m++) {
        const int pair = fg_pairs_at(d, k < m ? k : m, k < m ? m : k);
        const fg_real slope = s * out[(size_t)((k + 1) * d + m) * p + i];
        seeds[(size_t)(pair * d + m) * p + i] -= g2 / 2 * s * e;
        seeds[(size_t)((k + 1) * d + m) * p + i] -=
            s * (g2 * s * out[(size_t)m * p + i] + a * w->x[m * p + i]) * e;
        seeds[(size_t)m * p + i] -= g2 * s * slope * e;
      }
    }
  }
  TILE_SYNC();
  fg_pairs_reverse(&w->jet, seeds, to);
}

/* What the points of the tile give: value [count], and what the request asks for beside it. */
TILE_FN void fg_points_store(const fg_points_walk *w, double *value)
{
  const fg_points_request *r = w->request;
  TILE_EACH(i, w->count) value[i] = w->value[i];
  if (r->vector.device)
    fg_tile_store(w->c, w->count, w->d, w->p, (double *)r->vector.device + w->first * (size_t)w->d);
  TILE_SYNC();
}

/* After look and weigh. block: where the tile adds its gradient: the core, then with time as an input the two vectors of
 * fg_jet_gradient. group_row: else the tile's own fg_points_row, to which it adds. */
TILE_FN void fg_points_reverse(fg_points_walk *w, fg_real *block, fg_real *group_row)
{
  const int n = w->jet.run.at.layer[0].out_pad;
  fg_jet_gradient to;
  to.core = block;
  to.row = w->direct ? block + w->jet.run.at.core : group_row;
  to.row_t = to.row + n;
  if (w->request->kind == FG_LOSS_DENOISING)
    fg_points_reverse_denoise(w, &to);
  else if (w->request->kind == FG_LOSS_SCORE_RESIDUAL)
    fg_points_reverse_score(w, &to);
  else
    fg_points_reverse_residual(w, &to, group_row ? group_row + 2 * n : 0);
}

/* Points first .. first + count - 1, p = fg_tile_size(count). value, loss [n], of all points; block: NULL, or as
 * fg_points_reverse has it, as group_row, which is overwritten. */
TILE_FN void fg_points_tile(const fg_field *f, const fg_points_request *r, const fg_real *row, size_t first,
                            int count, int p, double *value, double *loss, fg_real *block, fg_real *group_row,
                            fg_real *scratch)
{
  fg_points_walk w;
  fg_points_place(&w, f, r, row, first, count, p, scratch);
  if (block && !w.direct) fg_tile_zero((int)fg_points_row(&w.jet.run.at), group_row);
  fg_points_load(&w);
  fg_points_look(&w);
  fg_points_store(&w, value);
  const int lost = fg_points_mend(&w, value);
  fg_points_weigh(&w, value, loss);
  if (!block || lost < 0) return;
  if (lost > 0) fg_points_look(&w);
  fg_points_reverse(&w, block, group_row);
}

/* A block as a packed gradient: first and last layer from their rows (the first one adds to its panels), the weights of
 * time where it is an input; what else there is becomes 0. */
TILE_FN void fg_points_take_core(const fg_field *f, const fg_real *block, fg_real *packed)
{
  fg_network_layout at;
  fg_objective_take_core(f, block, packed);
  fg_network_layout_of(f, &at);
  const fg_network_layer *first = &at.layer[0];
  const int n = first->out_pad;
  for (int j = 0; j < first->in; j++) TILE_EACH(k, first->out)
    {
      packed[first->forward + fg_panel_place(first->in, n, j, k)] += block[first->rows + (size_t)j * n + k];
      packed[first->rows + (size_t)j * n + k] = 0;
    }
  TILE_SYNC();
  if (!fg_points_direct(f)) return;
  const fg_real sign = f->as.network.time_reversed ? (fg_real)-1 : (fg_real)1;
  TILE_EACH(k, n)
  packed[at.time_weight + k] = block[at.core + (size_t)k] + sign * block[at.core + (size_t)(n + k)];
  TILE_SYNC();
}

#endif
