/* A density of one's own: x_1 ~ N(0, 4), x_2 given x_1 ~ N(x_1^2 / 4, 1/4), not normalised.
 *
 *     flowgap target build examples/banana.c
 *     target: {kind: plugin, file: examples/banana.so} */
#include <flowgap/plugin.h>

int flowgap_dimension(void)
{
  return 2;
}

double flowgap_log_density(const double *x, int d)
{
  double off = x[1] - x[0] * x[0] / 4;
  (void)d;
  return -x[0] * x[0] / 8 - 2 * off * off;
}

void flowgap_score(const double *x, int d, double *score)
{
  double off = x[1] - x[0] * x[0] / 4;
  (void)d;
  score[0] = -x[0] / 4 + 2 * off * x[0];
  score[1] = -4 * off;
}
