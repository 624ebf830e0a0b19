/* An engine of plain loops for tests of what stands on the engine table. Its field is a Gaussian
 * N(0, variance I) noised by the process, so the ODE is  dx/dt = (-a + g^2 / (2 V)) x  with
 * V = m^2 variance + v, and x(t) = x(0) sqrt(V(t) / V(0)). A `hole` makes the right-hand side NaN. */
#ifndef FG_TESTS_PLAIN_ENGINE_H
#define FG_TESTS_PLAIN_ENGINE_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

typedef struct plain_field {
  fg_field field;
  double variance;
  /* NaN where hole_low < x_1 < hole_high at a time below hole_t */
  double hole_low, hole_high, hole_t;
} plain_field;

static inline fg_code plain_alloc(fg_engine *e, size_t bytes, fg_buf *buf, fg_status *st)
{
  (void)e;
  buf->bytes = bytes;
  buf->device = malloc(bytes ? bytes : 1);
  if (!buf->device) return FG_FAIL(st, FG_MEMORY, "no memory");
  for (size_t i = 0; i < bytes / sizeof(double); i++) ((double *)buf->device)[i] = NAN;
  return FG_OK;
}

static inline void plain_free(fg_engine *e, fg_buf *buf)
{
  (void)e;
  free(buf->device);
  *buf = (fg_buf){NULL, 0};
}

static inline fg_code plain_upload(fg_engine *e, fg_buf buf, size_t offset, const void *host, size_t bytes,
                                   fg_status *st)
{
  (void)e;
  if (offset + bytes > buf.bytes) return FG_FAIL(st, FG_FAILED, "upload beyond the buffer");
  memcpy((char *)buf.device + offset, host, bytes);
  return FG_OK;
}

static inline fg_code plain_download(fg_engine *e, void *host, fg_buf buf, size_t offset, size_t bytes,
                                     fg_status *st)
{
  (void)e;
  if (offset + bytes > buf.bytes) return FG_FAIL(st, FG_FAILED, "download beyond the buffer");
  memcpy(host, (char *)buf.device + offset, bytes);
  return FG_OK;
}

static inline fg_code plain_vec_map(fg_engine *e, fg_vec_map op, size_t n, double a, fg_buf xb, double b,
                                    fg_buf yb, fg_buf zb)
{
  (void)e;
  const double *x = xb.device, *y = yb.device;
  double *z = zb.device;
  for (size_t i = 0; i < n; i++) switch (op) {
    case FG_VEC_LINEAR:
      z[i] = a * x[i] + b * y[i];
      break;
    case FG_VEC_CONST:
      z[i] = a;
      break;
    case FG_VEC_PROD:
      z[i] = x[i] * y[i];
      break;
    case FG_VEC_DIV:
      z[i] = x[i] / y[i];
      break;
    case FG_VEC_SCALE:
      z[i] = a * x[i];
      break;
    case FG_VEC_ABS:
      z[i] = fabs(x[i]);
      break;
    case FG_VEC_INV:
      z[i] = 1 / x[i];
      break;
    case FG_VEC_ADD:
      z[i] = x[i] + a;
      break;
    }
  return FG_OK;
}

static inline double plain_vec_reduce(fg_engine *e, fg_vec_reduce op, size_t n, fg_buf xb, fg_buf yb)
{
  (void)e;
  const double *x = xb.device, *y = yb.device;
  double r = op == FG_VEC_MIN ? HUGE_VAL : 0;
  for (size_t i = 0; i < n; i++) switch (op) {
    case FG_VEC_DOT:
      r += x[i] * y[i];
      break;
    case FG_VEC_MAX_NORM:
      r = fmax(r, fabs(x[i]));
      break;
    case FG_VEC_WRMS:
      r += x[i] * y[i] * x[i] * y[i];
      break;
    case FG_VEC_MIN:
      r = fmin(r, x[i]);
      break;
    }
  return op == FG_VEC_WRMS ? sqrt(r / (double)n) : r;
}

static inline double plain_vec_particle_norm(fg_engine *e, size_t n, size_t d, int tail, fg_buf xb, fg_buf wb)
{
  (void)e;
  const double *x = xb.device, *w = wb.device;
  double most = 0;
  for (size_t i = 0; i < n; i++) {
    double sum = 0;
    for (size_t j = 0; j < d; j++) sum += pow(x[i * d + j] * w[i * d + j], 2);
    if (tail) sum += pow(x[n * d + i] * w[n * d + i], 2);
    if (!isfinite(sum)) return HUGE_VAL;
    most = fmax(most, sum);
  }
  return sqrt(most / (double)(d + (size_t)tail));
}

static inline fg_code plain_ode_rhs(fg_engine *e, const fg_field *field, const fg_ode_request *r,
                                    fg_status *st)
{
  (void)e, (void)st;
  const plain_field *f = (const plain_field *)field;
  size_t d = (size_t)field->d;
  const double *y = r->y.device;
  double *dy = r->dy.device;
  double rate = -r->coeff.a + r->coeff.g2 / 2 / (r->coeff.m * r->coeff.m * f->variance + r->coeff.v);
  for (size_t i = 0; i < r->n; i++) {
    double x = y[i * d];
    int bad = r->coeff.t < f->hole_t && x > f->hole_low && x < f->hole_high;
    for (size_t j = 0; j < d; j++) dy[i * d + j] = bad ? NAN : rate * y[i * d + j];
    if (r->with_log_p) dy[r->n * d + i] = -rate * (double)d;
  }
  return FG_OK;
}

static inline fg_code plain_ode_jvp(fg_engine *e, const fg_field *field, const fg_ode_request *r,
                                    fg_status *st)
{
  (void)e, (void)st;
  const plain_field *f = (const plain_field *)field;
  size_t d = (size_t)field->d;
  const double *v = r->v.device;
  double *jv = r->jv.device;
  double rate = -r->coeff.a + r->coeff.g2 / 2 / (r->coeff.m * r->coeff.m * f->variance + r->coeff.v);
  for (size_t i = 0; i < r->n * d; i++) jv[i] = rate * v[i];
  for (size_t i = r->n * d; r->with_log_p && i < r->n * (d + 1); i++) jv[i] = 0;
  return FG_OK;
}

static const fg_engine_ops plain_ops = {.alloc = plain_alloc,
                                        .free = plain_free,
                                        .upload = plain_upload,
                                        .download = plain_download,
                                        .ode_rhs = plain_ode_rhs,
                                        .ode_jvp = plain_ode_jvp,
                                        .vec_map = plain_vec_map,
                                        .vec_reduce = plain_vec_reduce,
                                        .vec_particle_norm = plain_vec_particle_norm};

/* threads may be NULL */
static inline fg_engine plain_engine(fg_threads *threads)
{
  return (fg_engine){.ops = &plain_ops, .name = "plain", .isa = "none", .threads = threads};
}

#endif
