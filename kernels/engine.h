/* The seam: the table of operations that every engine fills, and the plain structs they take.
 *
 * Buffers live where the engine works; host code holds them as fg_buf and may not look inside.
 * Every buffer holds doubles unless said otherwise; `precision` is that of the arithmetic.
 * Work operations are reentrant. They split their particles into tiles; with threads NULL they run
 * in the calling thread (the ODE solver calls them so, from tiles of its own). A slot that an
 * engine does not fill makes the call fail with FG_UNSUPPORTED (fg_engine_lacks). */
#ifndef FG_ENGINE_TABLE_H
#define FG_ENGINE_TABLE_H

#include "flowgap/engine.h"
#include "flowgap/model.h"
#include "formula/coeff.h"

typedef struct fg_buf {
  void *device; /* not to be dereferenced by host code */
  size_t bytes;
} fg_buf;

/* ---- the score model as kernels see it -------------------------------------------------- */

typedef enum fg_field_kind { FG_FIELD_MIXTURE, FG_FIELD_NETWORK } fg_field_kind;

/* Mixture with spectral covariances Sigma_k = Q_k diag(l_k) Q_k^T; at time t component k is
 * N(m mu_k, Q_k (m^2 diag(l_k) + v) Q_k^T). Optional perturbation epsilon h (model.h). */
typedef struct fg_field_mixture {
  int components;
  int isotropic;     /* all Q_k = I and l_k constant: `basis` unused, spectrum [K] */
  fg_buf log_weight; /* [K] */
  fg_buf mean;       /* [K, d] */
  fg_buf spectrum;   /* [K, d], or [K] if isotropic */
  fg_buf basis;      /* [K, d, d], row j of block k = eigenvector j */
  double epsilon, wave, length, decay;
} fg_field_mixture;

enum { FG_LAYERS_MAX = 12 };

/* Packed weights are laid out by kernels/body/network.h (fg_network_pack on the host). */
typedef struct fg_field_network {
  int form, output, activation, time, time_reversed;
  double beta, threshold, horizon;
  int layers;
  int width[FG_LAYERS_MAX + 1];
  int frequencies, embedding_width;
  fg_buf packed_single; /* float weights */
  fg_buf packed_double;
} fg_field_network;

typedef struct fg_field {
  fg_field_kind kind;
  int d;
  unsigned quantities; /* fg_quantity bits that it offers */
  union {
    fg_field_mixture mixture;
    fg_field_network network;
  } as;
} fg_field;

/* ---- requests --------------------------------------------------------------------------- */

/* Model quantities at n points (fg_quantity); unwanted buffers have device NULL. */
typedef struct fg_evaluate_request {
  fg_precision precision;
  size_t n;
  int shared_time;                         /* coeff holds one entry for all points, else n */
  const fg_coeff *coeff;                   /* host memory */
  fg_buf x;                                /* [n, d] */
  fg_buf direction;                        /* [n, d] */
  fg_buf phi, phi_t, divergence, residual; /* [n] */
  fg_buf score, jvp;                       /* [n, d] */
} fg_evaluate_request;

/* Whole trajectories on a grid. */
typedef struct fg_simulate_request {
  fg_precision precision;
  size_t n, tile;
  uint64_t seed, first;
  uint32_t stream;
  int scheme; /* fg_scheme */
  double lambda;
  int last_step_noise;
  int refine;
  size_t steps;          /* after refinement */
  const fg_coeff *coeff; /* host, [steps + 1] */
  fg_buf x;              /* [n, d], in and out */
  fg_buf log_p;          /* [n], in and out, device NULL for none */
  fg_buf lost_step;      /* int32 [n]: step at which a particle turned non-finite, -1 if none */
  size_t snapshots;
  const size_t *snapshot_step; /* host, ascending node numbers 0..steps */
  fg_buf snapshot_x;           /* [snapshots, n, d] */
  fg_buf snapshot_log_p;       /* [snapshots, n] or NULL */
  const fg_progress *progress;
} fg_simulate_request;

/* Right-hand side of the probability-flow ODE in noising time, for one tile at one time:
 * y = x [n, d] then, with log-density, l [n]; dy likewise:
 *   dx/dt = -a x - g^2/2 s,    dl/dt = a d + g^2/2 div s */
typedef struct fg_ode_request {
  fg_precision precision;
  size_t n;
  fg_coeff coeff;
  int with_log_p;
  fg_buf y, dy;
  fg_buf v, jv; /* jvp only: direction and (d rhs / d y) v; the l part of jv is 0 */
} fg_ode_request;

typedef enum fg_vec_map {                /* z_i = ... */
                          FG_VEC_LINEAR, /* a x + b y */
                          FG_VEC_CONST,  /* a */
                          FG_VEC_PROD,   /* x y */
                          FG_VEC_DIV,    /* x / y */
                          FG_VEC_SCALE,  /* a x */
                          FG_VEC_ABS,
                          FG_VEC_INV,
                          FG_VEC_ADD /* x + a */
} fg_vec_map;

typedef enum fg_vec_reduce { FG_VEC_DOT, FG_VEC_MAX_NORM, FG_VEC_WRMS, FG_VEC_MIN } fg_vec_reduce;

/* ---- the table ---------------------------------------------------------------------------- */

typedef struct fg_engine_ops {
  /* memory */
  fg_code (*alloc)(fg_engine *e, size_t bytes, fg_buf *buf, fg_status *st); /* contents undefined */
  void (*free)(fg_engine *e, fg_buf *buf);                                  /* buf->device may be NULL */
  fg_code (*upload)(fg_engine *e, fg_buf buf, size_t offset, const void *host, size_t bytes, fg_status *st);
  fg_code (*download)(fg_engine *e, void *host, fg_buf buf, size_t offset, size_t bytes, fg_status *st);
  fg_code (*zero)(fg_engine *e, fg_buf buf, fg_status *st);
  fg_code (*sync)(fg_engine *e, fg_status *st);
  /* work */
  fg_code (*evaluate)(fg_engine *e, fg_threads *threads, const fg_field *field,
                      const fg_evaluate_request *request, fg_status *st);
  fg_code (*simulate)(fg_engine *e, fg_threads *threads, const fg_field *field,
                      const fg_simulate_request *request, fg_status *st);
  fg_code (*ode_rhs)(fg_engine *e, const fg_field *field, const fg_ode_request *request, fg_status *st);
  fg_code (*ode_jvp)(fg_engine *e, const fg_field *field, const fg_ode_request *request, fg_status *st);
  /* z may be x or y; buffers that the operation does not read may have device NULL */
  fg_code (*vec_map)(fg_engine *e, fg_vec_map op, size_t n, double a, fg_buf x, double b, fg_buf y, fg_buf z);
  double (*vec_reduce)(fg_engine *e, fg_vec_reduce op, size_t n, fg_buf x, fg_buf y);
  /* Largest over n particles of sqrt( sum_j (x_j w_j)^2 / (d + tail) ); vectors hold [n, d] and then,
   * with tail 1, [n], as fg_ode_request does. HUGE_VAL when a sum is not finite. */
  double (*vec_particle_norm)(fg_engine *e, size_t n, size_t d, int tail, fg_buf x, fg_buf w);
} fg_engine_ops;

struct fg_engine {
  const fg_engine_ops *ops;
  const char *name; /* static text */
  const char *isa;  /* static text */
  fg_threads *threads;
  void *state; /* the engine's own */
  void (*close)(fg_engine *e);
};

/* FG_UNSUPPORTED, "engine cuda cannot simulate: use --engine cpu". */
fg_code fg_engine_lacks(const fg_engine *e, const char *operation, fg_status *st);

/* Is offset .. offset + bytes inside the buffer? */
static inline fg_code fg_buf_inside(fg_buf buf, size_t offset, size_t bytes, fg_status *st)
{
  if (offset > buf.bytes || bytes > buf.bytes - offset)
    return FG_FAIL(st, FG_FAILED, "bytes %zu to %zu are outside a buffer of %zu bytes", offset,
                   offset + bytes, buf.bytes);
  return FG_OK;
}

/* What no engine takes. */
static inline fg_code fg_simulate_check(const fg_simulate_request *r, fg_status *st)
{
  if (r->tile < 1 || r->tile > 65536)
    return FG_FAIL(st, FG_USAGE, "tile is %zu particles: give 1 to 65536", r->tile);
  if (r->refine < 0 || r->refine > 15)
    return FG_FAIL(st, FG_USAGE, "refine is %d: give 0 to 15 halvings", r->refine);
  if (r->log_p.device && r->lambda != 0)
    return FG_FAIL(st, FG_USAGE, "the log-density is carried along the ODE only: lambda is %g, not 0",
                   r->lambda);
  if (r->steps > INT32_MAX) return FG_FAIL(st, FG_USAGE, "%zu steps: at most %d", r->steps, INT32_MAX);
  return FG_OK;
}

#endif
