/* A noising process as numbers alone: what fg_process holds, and what an engine needs where each particle has a time
 * of its own. Every kind is a formula of process.h, so the coefficients of any time are at hand on a device too. */
#ifndef FG_FORMULA_NOISING_H
#define FG_FORMULA_NOISING_H

#include "formula/coeff.h"
#include "formula/process.h"

/* In the order of fg_process_kind. */
typedef enum fg_noising_kind {
  FG_NOISING_OU,
  FG_NOISING_VP,
  FG_NOISING_VE,
  FG_NOISING_BM,
  FG_NOISING_PINNED
} fg_noising_kind;

typedef struct fg_noising {
  int kind; /* fg_noising_kind */
  double horizon;
  double rate, diff;
  double beta_min, beta_max, scale;
  double sigma_min, log_ratio; /* log_ratio = log(sigma_max / sigma_min) */
  double pin;
} fg_noising;

FG_HD double fg_noising_a(const fg_noising *p, double t)
{
  if (p->kind == FG_NOISING_OU) return p->rate;
  if (p->kind == FG_NOISING_VP) return 0.5 * fg_vp_beta(p->beta_min, p->beta_max, p->horizon, t);
  if (p->kind == FG_NOISING_PINNED) return fg_pinned_a(p->pin, t);
  return 0.0;
}

FG_HD double fg_noising_g2(const fg_noising *p, double t)
{
  if (p->kind == FG_NOISING_VP)
    return p->scale * p->scale * fg_vp_beta(p->beta_min, p->beta_max, p->horizon, t);
  if (p->kind == FG_NOISING_VE) return fg_ve_g2(p->sigma_min, p->log_ratio, p->horizon, t);
  return p->diff * p->diff;
}

FG_HD double fg_noising_m(const fg_noising *p, double t)
{
  if (p->kind == FG_NOISING_OU) return fg_ou_m(p->rate, t);
  if (p->kind == FG_NOISING_VP) return fg_vp_m(fg_vp_beta_integral(p->beta_min, p->beta_max, p->horizon, t));
  if (p->kind == FG_NOISING_PINNED) return fg_pinned_m(p->pin, t);
  return 1.0;
}

FG_HD double fg_noising_v(const fg_noising *p, double t)
{
  switch (p->kind) {
  case FG_NOISING_OU:
    return fg_ou_v(p->rate, p->diff, t);
  case FG_NOISING_VP:
    return fg_vp_v(p->scale, fg_vp_beta_integral(p->beta_min, p->beta_max, p->horizon, t));
  case FG_NOISING_VE:
    return fg_ve_v(p->sigma_min, p->log_ratio, p->horizon, t);
  case FG_NOISING_PINNED:
    return fg_pinned_v(p->diff, p->pin, t);
  default:
    return fg_bm_v(p->diff, t);
  }
}

FG_HD fg_coeff fg_noising_coeff(const fg_noising *p, double t)
{
  fg_coeff c;
  c.t = t;
  c.a = fg_noising_a(p, t);
  c.g2 = fg_noising_g2(p, t);
  c.m = fg_noising_m(p, t);
  c.dm = -c.a * c.m;
  c.v = fg_noising_v(p, t);
  c.dv = c.g2 * c.m * c.m;            /* formula/process.h says why not -2 a v + g2 */
  if (p->kind == FG_NOISING_PINNED) { /* -a m is infinity times 0 at the pin */
    c.dm = -1 / p->pin;
    c.dv = fg_pinned_dv(p->diff, p->pin, t);
  }
  return c;
}

#endif
