/* One Gaussian component of a noised mixture: N(m mu, m^2 l + v) along each eigenvector of its covariance.
 * Host-side numbers in double; they depend on time alone. */
#ifndef FG_FORMULA_MIXTURE_H
#define FG_FORMULA_MIXTURE_H

#include "formula/coeff.h"
#include "formula/real.h"

/* Variance along an eigenvector with eigenvalue l, and its time derivative. */
FG_HD double fg_mixture_variance(const fg_coeff *c, double l)
{
  return c->m * c->m * l + c->v;
}

FG_HD double fg_mixture_variance_t(const fg_coeff *c, double l)
{
  return 2 * c->m * c->dm * l + c->dv;
}

/* What one eigenvector adds to log N at its mean: -log(2 pi s) / 2. */
FG_HD double fg_mixture_log_norm(double s)
{
  return -0.5 * (FG_LOG_2PI + log(s));
}

#endif
