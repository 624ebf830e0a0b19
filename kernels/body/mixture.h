/* A noised Gaussian mixture and its perturbation on a tile: phi = log p_t, phi_t, score, Laplacian and
 * Hessian-vector product in closed form.
 *
 * With S_k the covariance of component k at time t, g_k = -S_k^-1 (x - m mu_k) its score and r_k its
 * responsibility:
 *   phi     = log sum_k w_k N_k
 *   score   = sum r_k g_k =: g
 *   phi_t   = sum r_k ( -tr(S_k^-1 S_k')/2 + g_k.S_k' g_k / 2 - m' mu_k.g_k )
 *   lap phi = sum r_k ( -tr S_k^-1 + |g_k - g|^2 )
 *   H v     = sum r_k ( -S_k^-1 v + (g_k - g) ((g_k - g).v) )
 * The sums over |g_k - g|^2 keep their digits far from all modes, where |g_k|^2 and |g|^2 would cancel.
 * Work goes in blocks of particles whose component scores stay in a first-level cache; the inner loops run
 * over the particles of a block. */
#ifndef FG_BODY_MIXTURE_H
#define FG_BODY_MIXTURE_H

#include "body/tile.h"
#include "engine.h"
#include "formula/mixture.h"
#include "formula/perturb.h"

/* One row: per component [log weight and norm, trace of S^-1, -tr(S^-1 S')/2, then arrays of r numbers:
 * 1/s and s'/2 (r = d, or 1 if isotropic), and of d: m mu, m' mu], then amplitude and t. */
FG_HD int fg_mixture_rank(int d, const fg_field_mixture *mixture)
{
  return mixture->isotropic ? 1 : d;
}

FG_HD int fg_mixture_stride(int d, const fg_field_mixture *mixture)
{
  return 3 + 2 * fg_mixture_rank(d, mixture) + 2 * d;
}

FG_HD int fg_mixture_row_size(int d, const fg_field_mixture *mixture)
{
  return mixture->components * fg_mixture_stride(d, mixture) + 2;
}

FG_HD_CALL void fg_mixture_row(int d, const fg_field_mixture *mixture, const fg_coeff *c, fg_real *row)
{
  const double *log_weight = (const double *)mixture->log_weight.device;
  const double *mean = (const double *)mixture->mean.device;
  const double *spectrum = (const double *)mixture->spectrum.device;
  int rank = fg_mixture_rank(d, mixture), times = mixture->isotropic ? d : 1;
  double before = -1, s = 1, s_t = 0, inverse = 1,
         one = 0; /* of the eigenvalue before: often the same again */
  for (int k = 0; k < mixture->components; k++, row += fg_mixture_stride(d, mixture)) {
    double log_norm = log_weight[k], trace = 0, trace_t = 0;
    for (int j = 0; j < rank; j++) {
      if (spectrum[k * rank + j] != before) {
        before = spectrum[k * rank + j];
        s = fg_mixture_variance(c, before);
        s_t = fg_mixture_variance_t(c, before);
        inverse = 1 / s;
        one = fg_mixture_log_norm(s);
      }
      log_norm += times * one;
      trace += times * inverse;
      trace_t += times * (s_t * inverse);
      row[3 + j] = (fg_real)inverse;
      row[3 + rank + j] = (fg_real)(0.5 * s_t);
    }
    row[0] = (fg_real)log_norm;
    row[1] = (fg_real)trace;
    row[2] = (fg_real)(-0.5 * trace_t);
    for (int j = 0; j < d; j++) {
      row[3 + 2 * rank + j] = (fg_real)(c->m * mean[k * d + j]);
      row[3 + 2 * rank + d + j] = (fg_real)(c->dm * mean[k * d + j]);
    }
  }
  row[0] = (fg_real)(mixture->epsilon * exp(-mixture->decay * c->t));
  row[1] = (fg_real)c->t;
}

enum { FG_MIXTURE_CACHE = 24 * 1024 };

/* Reals per particle of a block: logs and rates [K], component scores [K, d], three vectors, six numbers. */
FG_HD size_t fg_mixture_reals(int d, const fg_field_mixture *mixture)
{
  size_t k = (size_t)mixture->components, n = (size_t)d;
  return 2 * k + k * n + 3 * n + 6;
}

/* Groups of FG_LANES particles in a block of a tile of p. */
FG_HD int fg_mixture_groups(int d, const fg_field_mixture *mixture, int p)
{
  size_t fit = FG_MIXTURE_CACHE / (fg_mixture_reals(d, mixture) * FG_LANES * sizeof(fg_real)),
         all = (size_t)p / FG_LANES;
  if (fit < 1) fit = 1;
  return (int)(fit < all ? fit : all);
}

FG_HD size_t fg_mixture_scratch(int d, const fg_field_mixture *mixture, int p)
{
  return fg_mixture_reals(d, mixture) * (size_t)(fg_mixture_groups(d, mixture, p) * FG_LANES);
}

typedef struct fg_mixture_block {
  int d;
  const fg_field_mixture *mixture;
  const fg_tile *tile;
  int at;                 /* first particle of the block within the tile */
  int groups;             /* of FG_LANES particles */
  const fg_real *row;     /* of the first particle */
  fg_real *weight, *rate; /* [K][n]: log N_k, then r_k; what phi_t averages */
  fg_real *gradient;      /* [K][d][n]: g_k */
  fg_real *score, *u, *w; /* [d][n] */
  fg_real *one;           /* [6][n] */
} fg_mixture_block;

/* n is a multiple of FG_LANES, and the compiler can see it: no remainder loops run */
#define FG_EACH TILE_EACH(i, n)
#ifdef __CUDACC__
#define FG_BLOCK_FN TILE_FN void
#else
#define FG_BLOCK_FN static inline __attribute__((always_inline)) void
#endif

/* y = Q x or, transposed, Q^T x for the eigenvectors (rows of Q) of one component. */
FG_BLOCK_FN fg_mixture_rotate(const double *__restrict__ q, int d, int transposed,
                              const fg_real *__restrict__ x, fg_real *__restrict__ y, int groups)
{
  const int n = groups * FG_LANES;
  for (int j = 0; j < d; j++) {
    FG_EACH y[j * n + i] = 0;
    for (int l = 0; l < d; l++) {
      fg_real c = (fg_real)(transposed ? q[l * d + j] : q[j * d + l]);
      FG_EACH y[j * n + i] += c * x[l * n + i];
    }
  }
}

/* log N_k, g_k and the rate of component k. */
FG_BLOCK_FN fg_mixture_component(const fg_mixture_block *b, int k, int stride)
{
  const int n = b->groups * FG_LANES;
  const fg_field_mixture *mixture = b->mixture;
  int d = b->d, rank = fg_mixture_rank(d, mixture), p = b->tile->p;
  const fg_real *__restrict__ row = b->row + k * fg_mixture_stride(d, b->mixture);
  const fg_real *__restrict__ x = b->tile->x + b->at;
  fg_real *__restrict__ g = b->gradient + (size_t)k * (size_t)d * n;
  fg_real *__restrict__ u = b->u;
  fg_real *__restrict__ logs = b->weight + k * n;
  fg_real *__restrict__ rate = b->rate + k * n;
  const double *basis = (const double *)mixture->basis.device + (mixture->isotropic ? 0 : (size_t)k * d * d);
  FG_EACH logs[i] = row[i * stride];
  FG_EACH rate[i] = row[i * stride + 2];
  for (int j = 0; j < d; j++) FG_EACH g[j * n + i] = x[j * p + i] - row[i * stride + 3 + 2 * rank + j];
  if (!mixture->isotropic) fg_mixture_rotate(basis, d, 0, g, u, b->groups);
  fg_real *__restrict__ y = mixture->isotropic ? g : u;
  for (int j = 0; j < d; j++) {
    int e = mixture->isotropic ? 0 : j;
    FG_EACH
    {
      fg_real offset = y[j * n + i], scaled = offset * row[i * stride + 3 + e];
      logs[i] -= (fg_real)0.5 * offset * scaled;
      rate[i] += scaled * scaled * row[i * stride + 3 + rank + e];
      y[j * n + i] = -scaled;
    }
  }
  if (!mixture->isotropic) fg_mixture_rotate(basis, d, 1, u, g, b->groups);
  if (b->tile->want & FG_PHI_T)
    for (int j = 0; j < d; j++) FG_EACH rate[i] -= row[i * stride + 3 + 2 * rank + d + j] * g[j * n + i];
}

/* Responsibilities, phi and score of the mixture alone. */
FG_BLOCK_FN fg_mixture_combine(const fg_mixture_block *b)
{
  const int n = b->groups * FG_LANES;
  int components = b->mixture->components, d = b->d;
  fg_real *__restrict__ weight = b->weight;
  fg_real *__restrict__ top = b->one;
  fg_real *__restrict__ sum = b->one + n;
  const fg_real *__restrict__ gradient = b->gradient;
  FG_EACH top[i] = weight[i];
  for (int k = 1; k < components; k++)
    FG_EACH top[i] = weight[k * n + i] > top[i] ? weight[k * n + i] : top[i];
  FG_EACH sum[i] = 0;
  for (int k = 0; k < components; k++) FG_EACH
    {
      fg_real e = fg_vexp(weight[k * n + i] - top[i]);
      weight[k * n + i] = e;
      sum[i] += e;
    }
  if (b->tile->want & FG_PHI) FG_EACH b->tile->phi[b->at + i] = top[i] + fg_vlog(sum[i]);
  FG_EACH sum[i] = 1 / sum[i];
  for (int k = 0; k < components; k++) FG_EACH weight[k * n + i] *= sum[i];
  for (int j = 0; j < d; j++) {
    fg_real *__restrict__ score = b->score + j * n;
    FG_EACH score[i] = 0;
    for (int k = 0; k < components; k++)
      FG_EACH score[i] += weight[k * n + i] * gradient[((size_t)k * d + j) * n + i];
  }
}

FG_BLOCK_FN fg_mixture_laplacian(const fg_mixture_block *b, int stride, fg_real *__restrict__ out)
{
  const int n = b->groups * FG_LANES;
  int d = b->d;
  const fg_real *__restrict__ score = b->score;
  FG_EACH out[i] = 0;
  for (int k = 0; k < b->mixture->components; k++) {
    const fg_real *__restrict__ row = b->row + k * fg_mixture_stride(d, b->mixture);
    const fg_real *__restrict__ g = b->gradient + (size_t)k * d * n;
    fg_real *__restrict__ spread = b->one;
    FG_EACH spread[i] = -row[i * stride + 1];
    for (int j = 0; j < d; j++) FG_EACH
      {
        fg_real e = g[j * n + i] - score[j * n + i];
        spread[i] += e * e;
      }
    FG_EACH out[i] += b->weight[k * n + i] * spread[i];
  }
}

/* The Hessian of phi times v, into tile->jvp. */
FG_BLOCK_FN fg_mixture_hessian(const fg_mixture_block *b, int stride)
{
  const int n = b->groups * FG_LANES;
  const fg_field_mixture *mixture = b->mixture;
  int d = b->d, p = b->tile->p;
  const fg_real *__restrict__ v = b->tile->v + b->at;
  fg_real *__restrict__ out = b->tile->jvp + b->at;
  fg_real *__restrict__ u = b->u;
  fg_real *__restrict__ w = b->w;
  fg_real *__restrict__ along = b->one;
  for (int j = 0; j < d; j++) FG_EACH out[j * p + i] = 0;
  for (int k = 0; k < mixture->components; k++) {
    const fg_real *__restrict__ row = b->row + k * fg_mixture_stride(d, b->mixture);
    const fg_real *__restrict__ g = b->gradient + (size_t)k * d * n;
    const fg_real *__restrict__ weight = b->weight + k * n;
    const double *basis =
        (const double *)mixture->basis.device + (mixture->isotropic ? 0 : (size_t)k * d * d);
    for (int j = 0; j < d; j++) FG_EACH w[j * n + i] = v[j * p + i];
    if (!mixture->isotropic) fg_mixture_rotate(basis, d, 0, w, u, b->groups);
    fg_real *__restrict__ y = mixture->isotropic ? w : u;
    for (int j = 0; j < d; j++) FG_EACH y[j * n + i] *= row[i * stride + 3 + (mixture->isotropic ? 0 : j)];
    if (!mixture->isotropic) fg_mixture_rotate(basis, d, 1, u, w, b->groups);
    FG_EACH along[i] = 0;
    for (int j = 0; j < d; j++) FG_EACH along[i] += (g[j * n + i] - b->score[j * n + i]) * v[j * p + i];
    for (int j = 0; j < d; j++)
      FG_EACH out[j * p + i] += weight[i] * ((g[j * n + i] - b->score[j * n + i]) * along[i] - w[j * n + i]);
  }
}

/* Add epsilon h and its derivatives to what the tile holds. */
FG_BLOCK_FN fg_mixture_perturb(const fg_mixture_block *b, int stride)
{
  const int n = b->groups * FG_LANES;
  const fg_field_mixture *mixture = b->mixture;
  const fg_tile *tile = b->tile;
  int d = b->d, p = tile->p, at = b->at;
  const fg_real *__restrict__ last = b->row + mixture->components * fg_mixture_stride(d, b->mixture);
  const fg_real *__restrict__ x = tile->x + at;
  const fg_real *__restrict__ v = tile->v ? tile->v + at : tile->x + at;
  fg_real k = (fg_real)(mixture->wave / sqrt((double)d)), dim = (fg_real)d;
  fg_real inverse = (fg_real)(1 / (mixture->length * mixture->length)), decay = (fg_real)mixture->decay;
  fg_real *__restrict__ s = b->one;
  fg_real *__restrict__ c = s + n;
  fg_real *__restrict__ r2 = c + n;
  fg_real *__restrict__ sum = r2 + n;
  fg_real *__restrict__ ones = sum + n;
  fg_real *__restrict__ along = ones + n;
  FG_EACH r2[i] = sum[i] = ones[i] = along[i] = 0;
  for (int j = 0; j < d; j++) FG_EACH
    {
      r2[i] += x[j * p + i] * x[j * p + i];
      sum[i] += x[j * p + i];
      ones[i] += v[j * p + i];
      along[i] += x[j * p + i] * v[j * p + i];
    }
  FG_EACH fg_perturb_waves(last[i * stride], last[i * stride + 1], k, inverse, r2[i], sum[i], &s[i], &c[i]);
  if (tile->want & FG_PHI) FG_EACH tile->phi[at + i] += s[i];
  if (tile->want & FG_PHI_T) FG_EACH tile->phi_t[at + i] += c[i] - decay * s[i];
  if (tile->want & FG_DIVERGENCE)
    FG_EACH tile->divergence[at + i] += fg_perturb_laplacian(s[i], c[i], k, inverse, dim, r2[i], sum[i]);
  for (int j = 0; j < d; j++) {
    if (tile->want & FG_SCORE)
      FG_EACH tile->score[j * p + at + i] += fg_perturb_gradient(s[i], c[i], k, inverse, x[j * p + i]);
    if (tile->want & FG_JVP)
      FG_EACH tile->jvp[j * p + at + i] +=
          fg_perturb_hessian(s[i], c[i], k, inverse, x[j * p + i], v[j * p + i], ones[i], along[i]);
  }
}

FG_BLOCK_FN fg_mixture_run_block(int d, const fg_field_mixture *mixture, const fg_tile *tile, int at,
                                 int groups, int stride)
{
  const int n = groups * FG_LANES;
  int components = mixture->components, p = tile->p;
  fg_real *next = tile->scratch;
  fg_mixture_block b;
  b.d = d;
  b.mixture = mixture;
  b.tile = tile;
  b.at = at;
  b.groups = groups;
  b.row = tile->row + (size_t)at * (size_t)stride;
  b.weight = next;
  b.rate = b.weight + components * n;
  b.gradient = b.rate + components * n;
  b.score = b.gradient + (size_t)components * (size_t)d * n;
  b.u = b.score + d * n;
  b.w = b.u + d * n;
  b.one = b.w + d * n;
  for (int k = 0; k < components; k++) fg_mixture_component(&b, k, stride);
  fg_mixture_combine(&b);
  if (tile->want & FG_SCORE)
    for (int j = 0; j < d; j++) FG_EACH tile->score[j * p + at + i] = b.score[j * n + i];
  if (tile->want & FG_PHI_T) {
    FG_EACH b.one[i] = 0;
    for (int k = 0; k < components; k++) FG_EACH b.one[i] += b.weight[k * n + i] * b.rate[k * n + i];
    FG_EACH tile->phi_t[at + i] = b.one[i];
  }
  if (tile->want & FG_DIVERGENCE) {
    fg_mixture_laplacian(&b, stride, b.one + n);
    FG_EACH tile->divergence[at + i] = b.one[n + i];
  }
  if (tile->want & FG_JVP) fg_mixture_hessian(&b, stride);
  if (mixture->epsilon != 0) fg_mixture_perturb(&b, stride);
  TILE_SYNC(); /* the next block may be cut differently, and others read the results */
}

TILE_FN void fg_mixture_tile(int d, const fg_field_mixture *mixture, const fg_tile *tile)
{
  int all = tile->p / FG_LANES, most = fg_mixture_groups(d, mixture, tile->p);
  for (int first = 0; first < all; first += most) {
    int groups = all - first < most ? all - first : most;
    if (tile->row_stride == 0)
      fg_mixture_run_block(d, mixture, tile, first * FG_LANES, groups, 0);
    else
      fg_mixture_run_block(d, mixture, tile, first * FG_LANES, groups, tile->row_stride);
  }
}

#undef FG_EACH
#undef FG_BLOCK_FN

#endif
