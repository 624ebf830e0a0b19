/* The checkerboard: uniform on eight squares, a density without a score. */
#include "formula/density.h"
#include "target/target_impl.h"

enum { SQUARES = 8 };

/* Lower left corner of square k: rows of two from the bottom, every other row moved by 1.5. */
static void corner(int k, double *x, double *y)
{
  int row = k / 2;
  *x = -3.0 + 3.0 * (k % 2) + (row % 2 ? 1.5 : 0.0);
  *y = -3.0 + 1.5 * row;
}

static double log_density(const fg_target *t, const double *x, double *score, double *scratch)
{
  (void)t;
  (void)score;
  (void)scratch;
  return fg_checkerboard_log_density(x, 1);
}

static void sample(const fg_target *t, uint64_t seed, uint64_t row, double *x)
{
  (void)t;
  fg_words words = fg_philox(seed, FG_STREAM_TARGET, row, 0, 0);
  corner((int)(words.w[0] >> 29), &x[0], &x[1]);
  /* 32 bits, so that rounding cannot carry a point onto the edge that is outside. */
  x[0] += 1.5 * fg_uniform(words.w[1]);
  x[1] += 1.5 * fg_uniform(words.w[2]);
}

static void moments(const fg_target *t, double *mean, double *covariance)
{
  double mx = 0.0, my = 0.0, c[3] = {1.5 * 1.5 / 12.0, 0.0, 1.5 * 1.5 / 12.0};
  for (int k = 0; k < SQUARES; k++) {
    double x, y;
    corner(k, &x, &y);
    mx += (x + 0.75) / SQUARES;
    my += (y + 0.75) / SQUARES;
  }
  for (int k = 0; k < SQUARES; k++) {
    double x, y;
    corner(k, &x, &y);
    double ex = x + 0.75 - mx, ey = y + 0.75 - my;
    c[0] += ex * ex / SQUARES;
    c[1] += ex * ey / SQUARES;
    c[2] += ey * ey / SQUARES;
  }
  fg_target_zero_moments(t->d, mean, covariance);
  if (mean) {
    mean[0] = mx;
    mean[1] = my;
  }
  if (covariance) {
    covariance[0] = c[0];
    covariance[1] = covariance[2] = c[1];
    covariance[3] = c[2];
  }
}

static void destroy(void *data)
{
  (void)data;
}

static const fg_target_ops checkerboard_ops = {log_density, sample, NULL, moments, destroy, NULL};

fg_code fg_target_make_checkerboard(const fg_target_settings *s, fg_target *target, fg_status *st)
{
  (void)s;
  (void)st;
  target->d = 2;
  target->abilities = FG_TARGET_DENSITY | FG_TARGET_SAMPLE | FG_TARGET_LOG_Z | FG_TARGET_MOMENTS;
  target->ops = &checkerboard_ops;
  return FG_OK;
}
