/* What a noising process is at one time; computed on the host in double, handed to kernels. */
#ifndef FG_FORMULA_COEFF_H
#define FG_FORMULA_COEFF_H

typedef struct fg_coeff {
  double t;
  double a;     /* a(t):  f = -a x; infinite where a pinned process is pinned */
  double g2;    /* g(t)^2 */
  double m, dm; /* m(t), m'(t) = -a m */
  double v, dv; /* v(t), v'(t) = -2 a v + g^2 */
} fg_coeff;

#endif
