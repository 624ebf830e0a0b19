/* The seam: the table of operations that every engine fills, and the plain structs they take.
 *
 * Buffers live where the engine works; host code holds them as fg_buf and may not look inside.
 * Every buffer holds doubles unless said otherwise; `precision` is that of the arithmetic.
 * Work operations are reentrant. They split their particles into tiles; with threads NULL they run
 * in the calling thread (the ODE solver calls them so, from tiles of its own). A slot that an
 * engine does not fill makes the call fail with FG_UNSUPPORTED (fg_engine_lacks). */
#ifndef FG_ENGINE_TABLE_H
#define FG_ENGINE_TABLE_H

#include <float.h>

#include "flowgap/engine.h"
#include "flowgap/model.h"
#include "formula/coeff.h"
#include "formula/noising.h"
#include "formula/path.h"

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
  int factor_layers, factor_width, factor_frequencies; /* network of the time factor tau; 0 layers: tau = 1 */
  fg_buf packed_single;                                /* float weights */
  fg_buf packed_double;
} fg_field_network;

/* ---- an unnormalised density as kernels see it --------------------------------------------- */

typedef enum fg_density_kind {
  FG_DENSITY_NONE,
  FG_DENSITY_MIXTURE, /* the mixture at noising time 0 */
  FG_DENSITY_FUNNEL,  /* formula/density.h has the formulas of these */
  FG_DENSITY_WELLS,
  FG_DENSITY_RINGS,
  FG_DENSITY_LOGISTIC, /* posterior of a logistic regression */
  FG_DENSITY_PLUGIN    /* the user's functions, CPU engines only */
} fg_density_kind;

/* One point in double: log rho, and the score [d] unless it is NULL. Called by many threads at once. */
typedef double fg_density_function(const void *data, int d, const double *x, double *score);

typedef struct fg_density {
  fg_density_kind kind;
  int d;
  union {
    fg_field_mixture mixture;
    struct {
      double nu;
    } funnel;
    struct {
      int wells;
      double separation, shift;
    } wells;
    struct {
      int rings;
      double sd;
      fg_buf log_weight, radius; /* [rings] */
    } rings;
    struct {
      int rows;
      double precision; /* of the Gaussian prior */
      fg_buf features;  /* [rows, d], row i multiplied by its label +1 or -1 */
    } logistic;
    struct {
      fg_density_function *call;
      const void *data;
    } plugin;
  } as;
} fg_density;

/* What a sampler's control has beside its network (formula/guide.h): with g s = u + g s_ref,
 *   vector form     u = clip(net) + g clip(tau) clip(S),  S = target_weight grad log rho - prior_weight x
 *   potential form  u = g grad Phi,  Phi = net + tau ( target_weight log rho - prior_weight |x|^2 / 2 )
 * and s_ref = -reference(t) x. */
typedef enum fg_guide_reference {
  FG_REFERENCE_NONE,       /* DIS: s = u / g */
  FG_REFERENCE_STATIONARY, /* DDS: reference = 1 / variance */
  FG_REFERENCE_PINNED      /* PIS: reference = 1 / ( g^2 (pin - t) ) */
} fg_guide_reference;

typedef struct fg_field_guide {
  fg_density density;    /* kind NONE: no S */
  int interpolated;      /* target_weight r/T and prior_weight (1 - r/T)/prior_variance; else 1 and 0 */
  double prior_variance; /* of the Gaussian prior */
  double clip;           /* of net, S and tau, component by component; INFINITY: none */
  fg_guide_reference reference;
  double variance, pin; /* of the reference */
} fg_field_guide;

typedef struct fg_field {
  fg_field_kind kind;
  int d;
  unsigned quantities; /* fg_quantity bits that it offers */
  union {
    fg_field_mixture mixture;
    fg_field_network network;
  } as;
  int tf32;   /* for kernels: the engine's, which sets it */
  int guided; /* NETWORK: guide is in use */
  fg_field_guide guide;
  /* A bridge with both controls: score, divergence and J v less `share` times those of clip(noising)/g. With share
   * (1 - lambda^2) / (1 + lambda^2) the drift of a flow is that of a score model; with -1 the score is that of the
   * bridge's law. */
  int paired;
  fg_field_network noising; /* vector form, output control */
  double share, noising_clip;
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

/* Each particle along the same ODE from t0 to t1, either direction, by Dormand and Prince's pair 5(4) with a time, a step
 * and an error of its own (body/ensemble.h), in tiles of FG_ENSEMBLE_TILE. The weighted RMS norm of the estimated error,
 * over the d (+ 1) components with weights 1 / (rtol |y| + atol) as CVODE's, stays below 1 in every step. */
enum { FG_ENSEMBLE_TILE = 64, FG_ENSEMBLE_BINS_MOST = 64 };

typedef enum fg_ensemble_end {
  FG_ENSEMBLE_ARRIVED,
  FG_ENSEMBLE_STEPS,      /* max_steps were not enough */
  FG_ENSEMBLE_SHORT,      /* the tolerance asked for steps below what times resolve */
  FG_ENSEMBLE_NOT_FINITE, /* so did right-hand sides that are not finite */
  FG_ENSEMBLE_ON_ITS_WAY  /* not yet at an end: never returned */
} fg_ensemble_end;

enum { FG_ENSEMBLE_COUNTS = 3 }; /* of a particle: steps, failed steps, right-hand sides */

typedef struct fg_ensemble_request {
  fg_precision precision; /* of right-hand sides; states are doubles */
  size_t n;
  fg_noising process; /* coefficients of any time */
  double t0, t1, rtol, atol;
  double least_step;
  int max_steps; /* of a particle */
  fg_buf x;      /* [n, d], in and out: as far as each came */
  fg_buf log_p;  /* [n], in and out, device NULL for none */
  fg_buf t;      /* [n]: time reached */
  fg_buf end;    /* int32 [n]: fg_ensemble_end */
  fg_buf counts; /* uint32 [n, FG_ENSEMBLE_COUNTS] */
  int bins;      /* at most FG_ENSEMBLE_BINS_MOST; bin of time t: (log t - bin_low) bins_per_log */
  double bin_low, bins_per_log;
  fg_buf bin; /* uint32 [tiles, 2, bins]: steps that ended there, their right-hand sides */
  size_t snapshots;
  const double *snapshot_t; /* host, in order from t0 to t1 */
  fg_buf snapshot_x;        /* [snapshots, n, d]; a particle that was lost before: as far as it came */
  fg_buf snapshot_log_p;    /* [snapshots, n] or NULL */
  const fg_progress *progress;
} fg_ensemble_request;

/* ---- samplers ------------------------------------------------------------------------------ */

/* rnd at the two ends: + start - start_precision |X_0|^2/2 and + end - end_precision |X_N|^2/2 - log rho(X_N). */
typedef struct fg_path_ends {
  double start, start_precision, end, end_precision;
} fg_path_ends;

/* Paths of the sampler from X_0, with the log Radon-Nikodym derivative rnd = -log w of both forms. */
typedef struct fg_paths_request {
  fg_precision precision;
  size_t n, tile;
  uint64_t seed, first;
  uint32_t stream;
  size_t steps;
  const fg_coeff *coeff;    /* host, [steps + 1] */
  const fg_path_step *step; /* host, [steps] */
  const fg_field *noising;  /* control v of the noising process (a bridge), vector form, no score; or NULL */
  fg_path_ends continuous, discrete;
  fg_density target; /* log rho(X_N) */
  double limit;      /* a path with a larger |x_j| is lost; INFINITY: none */
  fg_buf x;          /* [n, d], in: X_0, out: X_N */
  fg_buf rnd[2];     /* [n] each, by fg_path_form; HUGE_VAL for a lost path. Device NULL: not asked for */
  fg_buf lost_step;  /* int32 [n]: step at which a path turned non-finite or passed the limit, or -1 */
  const fg_progress *progress;
} fg_paths_request;

typedef enum fg_path_form { FG_FORM_CONTINUOUS, FG_FORM_DISCRETE } fg_path_form;

typedef enum fg_objective {
  FG_OBJECTIVE_KL,                     /* mean rnd without its Ito term, gradients through the path */
  FG_OBJECTIVE_KL_ITO,                 /* with it */
  FG_OBJECTIVE_LOG_VARIANCE,           /* variance of rnd over the batch, no gradient through the path */
  FG_OBJECTIVE_LOG_VARIANCE_TRAJECTORY /* mean over starts of the variance over the `group` paths of each */
} fg_objective;

typedef struct fg_objective_request {
  fg_paths_request paths;
  fg_objective objective;
  fg_path_form form;
  size_t group;            /* paths per start: consecutive; divides n */
  int detach_score;        /* KL: S is held constant */
  fg_buf gradient;         /* [packed size] reals of `precision`, laid out as the packed weights */
  fg_buf noising_gradient; /* the same for paths.noising */
  /* out */
  double loss; /* over the paths that are not lost */
  double mean; /* of rnd */
  size_t lost;
  size_t lost_first; /* number of the first lost path */
} fg_objective_request;

/* ---- losses at points ---------------------------------------------------------------------- */

typedef enum fg_point_loss {
  FG_LOSS_DENOISING,     /* weight |s - goal|^2 / d */
  FG_LOSS_RESIDUAL,      /* R^2, potential form (formula/residual.h) */
  FG_LOSS_CENTRED,       /* (R - mean of R over the group)^2 group / (group - 1), potential form */
  FG_LOSS_SCORE_RESIDUAL /* |E|^2 / d, vector form without a guide:
                            E = ds/dt - grad[ g^2/2 (div s + |s|^2) - f.s ] */
} fg_point_loss;

enum { FG_GROUP_MAX = 64 };

/* Mean over n points (x, t) of a loss, and its gradient. Points come in groups of `group` <= FG_GROUP_MAX consecutive
 * ones that share a time; networks whose time is FOURIER or EMBEDDED, and guided ones, work best with large groups. */
typedef struct fg_points_request {
  fg_precision precision;
  fg_point_loss kind;
  size_t n, group;       /* group divides n */
  const fg_coeff *coeff; /* host, [n / group] */
  fg_buf x;              /* [n, d] */
  fg_buf goal;           /* DENOISING: [n, d] */
  fg_buf weight;         /* DENOISING: [n], device NULL: 1 */
  int probes;            /* second derivatives: 0 exact, else by so many Rademacher vectors (Hutchinson), */
  uint64_t seed, first;  /* ... keyed by (seed, stream, first + i, draw) */
  uint32_t stream, draw;
  double scale;    /* of the gradient; loss is without it */
  fg_buf gradient; /* [packed size] reals of `precision`, as the packed weights; device NULL: none asked */
  int accumulate;  /* gradient is added to what is there */
  fg_buf value;    /* [n] or device NULL: |s - goal|^2 / d, R, R less its group's mean, |E|^2 / d */
  fg_buf vector;   /* [n, d] or device NULL: E */
  const fg_progress *progress;
  /* out */
  double loss,
      loss_se; /* over the points that are finite; standard error from the groups as independent draws */
  size_t lost; /* points whose value is not finite: they enter neither loss nor gradient */
  size_t lost_first;
} fg_points_request;

/* ---- sums over pairs ----------------------------------------------------------------------- */

typedef enum fg_pair_kernel {
  FG_PAIR_GAUSSIANS, /* mean of exp(-|x - y|^2 / (2 b^2)) over b = h / 2, h, 2 h */
  FG_PAIR_DISTANCE   /* |x - y| */
} fg_pair_kernel;

/* sums_k = sum_ij a_ik b_jk kernel(x_i, y_j); within one sample (y is x, b is a) sum over i /= j. One pass over the
 * pairs serves all columns. Pairs and sums of 32 of them in `precision`, longer sums in double. */
typedef struct fg_pair_sums_request {
  fg_precision precision;
  fg_pair_kernel kernel;
  double bandwidth; /* h of GAUSSIANS */
  int within;
  size_t n, m, d, columns; /* columns: 1 to 4096 */
  fg_buf x, y;             /* [n, d], [m, d] */
  fg_buf a, b;             /* [n, columns], [m, columns] */
  const fg_progress *progress;
  double *sums; /* out: host, [columns] */
} fg_pair_sums_request;

/* One step of Adam on packed weights, after scaling the gradient to an l2 norm of at most max_norm:
 *   g += decay w;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;
 *   w -= rate m / (1 - b1^k) / ( sqrt(v / (1 - b2^k)) + epsilon );  average = ema average + (1 - ema) w
 * (PyTorch's Adam). Frequencies are not trained. Copies of weights within the pack are refreshed. */
typedef struct fg_optimise_request {
  fg_precision precision;
  fg_buf weights, gradient, first, second, average; /* [packed size]; average NULL: none */
  double rate, beta1, beta2, epsilon, decay, ema, max_norm;
  uint64_t number; /* k, from 1 */
  int norm_only;   /* change nothing */
  double norm;     /* out: l2 norm of the gradient before scaling */
} fg_optimise_request;

/* ---- softmin: log-sums over pairs of two samples ---------------------------------------------- */

enum { FG_SOFTMIN_BLOCK = 64 };

/* out_i = -epsilon log sum_j exp(log_b_j + (g_j - c(x_i, y_j)) / epsilon) for rows x_i, without a matrix. Pairs in
 * `precision`, sums of 64 pairs too, sums of those in double. Blocks of 64 columns that together add less than 2^-40 of a
 * row's sum are left out: order both sides so that neighbours are near each other, and little is left of the work where
 * epsilon is small. */
typedef struct fg_softmin_request {
  fg_precision precision;
  size_t n, m, d;
  int euclidean; /* c = |x - y|; else |x - y|^2 */
  double epsilon;
  fg_buf x;        /* [n, d] */
  fg_buf y;        /* [m, d] */
  fg_buf log_b, g; /* [m] */
  fg_buf guess;    /* [n], within a few epsilon of what comes out (else slower); device NULL: none */
  fg_buf out;      /* [n]; may be guess */
  fg_buf mean;     /* [n] or device NULL: the mean of c over j, weighted by the terms of the sum */
  const fg_progress *progress;
} fg_softmin_request;

/* ---- pricing: the least reduced costs among all pairs ------------------------------------------ */

enum { FG_PRICE_MOST = 16, FG_PRICE_BLOCK = 64 };

/* For every row x_i the k columns y_j of least key c(x_i, y_j) - v_j, of equal keys those of smaller j, without a matrix.
 * c = scale min(|x_i - y_j|^2, cap) (formula/price.h), rounded to a whole number where `whole`. Costs below 2^48 and whole
 * duals below 2^52 leave no rounding; keys are the same bits on every engine in any case. Blocks of FG_PRICE_BLOCK columns
 * that cannot hold one of them are left out: order both sides so that neighbours are near each other. */
typedef struct fg_price_request {
  size_t n, m, d, k; /* k: 1 to FG_PRICE_MOST; m < 2^32 - FG_PRICE_BLOCK */
  double cap, scale; /* cap may be infinite */
  int whole;
  int bounded; /* only keys below u_i: pairs that violate u_i + v_j <= c */
  fg_buf x, y; /* [n, d], [m, d] */
  fg_buf u, v; /* [n] (unless bounded, device NULL), [m] */
  fg_buf key;  /* [n, k] or device NULL: ascending, infinite where there are no more */
  fg_buf who;  /* uint32 [n, k] or device NULL: j, UINT32_MAX where there are no more */
  const fg_progress *progress;
} fg_price_request;

/* ---- slices: two weighted samples along lines ------------------------------------------------ */

/* W2^2 between the projections of x and y on each direction, which need not be of unit length, from a sort of each: rows at
 * the same place keep their order. Projections are the same bits on every engine (formula/slice.h), so orders are too. */
typedef struct fg_slices_request {
  size_t n, m, d, directions; /* n, m below 2^31 */
  fg_buf x, y;                /* [n, d], [m, d] */
  fg_buf mass_x, mass_y;      /* int64 [n], [m], positive; both sum to `total`, below 2^62 */
  int64_t total;
  int alike;           /* all masses of x are equal, and all of y */
  fg_buf direction;    /* [directions, d] */
  fg_buf cost;         /* [directions]; device NULL: x is sorted and y not read */
  fg_buf gradient;     /* [directions, d] or device NULL: half the gradient of the cost by the direction, */
  const double *least; /* ... wanted where the cost is above: host, [directions]; NULL: everywhere */
  fg_buf order;        /* uint32 [directions, n] or device NULL: rows of x in the order of their places */
  const fg_progress *progress; /* stage "slices" */
} fg_slices_request;

/* The same rows dealt to two samples in many ways: W2^2 between the two, along each direction. Rows are sorted once for all
 * ways. */
enum { FG_SLICE_WAYS = 64 };
typedef struct fg_slice_ways_request {
  size_t n, d, directions, ways; /* n below 2^31, ways at most FG_SLICE_WAYS */
  fg_buf x;                      /* [n, d] */
  fg_buf weight;                 /* [n], positive; device NULL: equal */
  fg_buf direction;              /* [directions, d] */
  fg_buf side; /* uint64 [n]: bit k is set where way k deals the row to the second sample; none is empty */
  fg_buf cost; /* [directions, ways] */
  const fg_progress *progress;
} fg_slice_ways_request;

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

/* One of the devices of an engine that has several (fg_engine.lanes): an engine of its own, for the slots of memory, ode_rhs,
 * ode_jvp and vec_*, with its buffers on that device and a copy of the field there. Which lane works shows in no bit. */
typedef struct fg_lane {
  fg_engine *engine;
  fg_field field;
  void *state; /* the engine's own */
} fg_lane;

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
  /* ode_rhs, ode_jvp and vec_map may return before they have ended: later calls of the same thread come behind them, and the
   * first that waits (download, vec_reduce, sync) tells of a failure on the device; another thread may come after sync.
   * z may be x or y; buffers that the operation does not read may have device NULL */
  fg_code (*vec_map)(fg_engine *e, fg_vec_map op, size_t n, double a, fg_buf x, double b, fg_buf y, fg_buf z);
  double (*vec_reduce)(fg_engine *e, fg_vec_reduce op, size_t n, fg_buf x, fg_buf y);
  /* Largest over n particles of sqrt( sum_j (x_j w_j)^2 / (d + tail) ); vectors hold [n, d] and then,
   * with tail 1, [n], as fg_ode_request does. HUGE_VAL when a sum is not finite. */
  double (*vec_particle_norm)(fg_engine *e, size_t n, size_t d, int tail, fg_buf x, fg_buf w);
  /* Samplers. paths takes any field (u = g s without a guide), objective those with a guide, optimise any network. */
  fg_code (*paths)(fg_engine *e, fg_threads *threads, const fg_field *field, const fg_paths_request *request,
                   fg_status *st);
  fg_code (*objective)(fg_engine *e, fg_threads *threads, const fg_field *field,
                       fg_objective_request *request, fg_status *st);
  fg_code (*optimise)(fg_engine *e, fg_threads *threads, const fg_field *field, fg_optimise_request *request,
                      fg_status *st);
  fg_code (*points)(fg_engine *e, fg_threads *threads, const fg_field *field, fg_points_request *request,
                    fg_status *st);
  fg_code (*pair_sums)(fg_engine *e, fg_threads *threads, const fg_pair_sums_request *request, fg_status *st);
  fg_code (*softmin)(fg_engine *e, fg_threads *threads, const fg_softmin_request *request, fg_status *st);
  fg_code (*ensemble)(fg_engine *e, fg_threads *threads, const fg_field *field,
                      const fg_ensemble_request *request, fg_status *st);
  fg_code (*price)(fg_engine *e, fg_threads *threads, const fg_price_request *request, fg_status *st);
  fg_code (*slices)(fg_engine *e, fg_threads *threads, const fg_slices_request *request, fg_status *st);
  fg_code (*slice_ways)(fg_engine *e, fg_threads *threads, const fg_slice_ways_request *request,
                        fg_status *st);
  /* Lane `number` of fg_engine.lanes, until it is closed; 0 is the engine itself. */
  fg_code (*lane_open)(fg_engine *e, size_t number, const fg_field *field, fg_lane *lane, fg_status *st);
  void (*lane_close)(fg_engine *e, fg_lane *lane);
} fg_engine_ops;

typedef enum fg_tf32 {
  FG_TF32_LACKING, /* no tensor cores, or no code for them */
  FG_TF32_OFF,
  FG_TF32_ON /* products in single precision may use them */
} fg_tf32;

struct fg_engine {
  const fg_engine_ops *ops;
  const char *name;    /* static text */
  const char *isa;     /* static text */
  const char *devices; /* a line for each device, "0 NAME, ..."; NULL where there is none */
  fg_threads *threads;
  fg_tf32 tf32;
  size_t ode_tile; /* particles that suit one CVODE here, unless the user says; 0: no matter */
  size_t
      price_pairs; /* from so many pairs on exact transport is priced here, not by trees on the host; 0: never */
  size_t lanes;    /* devices that tiles of CVODE may be spread over; 0: this engine does all */
  void *state;     /* the engine's own */
  void (*close)(fg_engine *e);
};

/* FG_UNSUPPORTED, "engine cuda cannot simulate: use --engine cpu". */
fg_code fg_engine_lacks(const fg_engine *e, const char *operation, fg_status *st);

/* The slots `slices` and `slice_ways` without an engine: buffers are the host's own memory. */
fg_code fg_slices_on_host(fg_threads *threads, const fg_slices_request *request, fg_status *st);
fg_code fg_slice_ways_on_host(fg_threads *threads, const fg_slice_ways_request *request, fg_status *st);

/* Is offset .. offset + bytes inside the buffer? */
static inline fg_code fg_buf_inside(fg_buf buf, size_t offset, size_t bytes, fg_status *st)
{
  if (offset > buf.bytes || bytes > buf.bytes - offset)
    return FG_FAIL(st, FG_FAILED, "bytes %zu to %zu are outside a buffer of %zu bytes", offset,
                   offset + bytes, buf.bytes);
  return FG_OK;
}

static inline fg_code fg_softmin_check(const fg_softmin_request *r, fg_status *st)
{
  if (r->n < 1 || r->m < 1 || r->d < 1)
    return FG_FAIL(st, FG_USAGE,
                   "sums over pairs of %zu and %zu rows of dimension %zu: give at least one of each", r->n,
                   r->m, r->d);
  if (!(r->epsilon > 0 && r->epsilon <= DBL_MAX))
    return FG_FAIL(st, FG_USAGE, "sums over pairs with epsilon %g: it must be positive and finite",
                   r->epsilon);
  return FG_OK;
}

static inline fg_code fg_price_check(const fg_price_request *r, fg_status *st)
{
  if (r->n < 1 || r->m < 1 || r->m > UINT32_MAX - FG_PRICE_BLOCK || r->d < 1 || r->d > 65536 || r->k < 1 ||
      r->k > FG_PRICE_MOST)
    return FG_FAIL(
        st, FG_USAGE,
        "%zu pairs of each of %zu rows among %zu columns of dimension %zu: give 1 to %d of them, at "
        "least one of the others",
        r->k, r->n, r->m, r->d, FG_PRICE_MOST);
  if (!(r->cap > 0) || !(r->scale > 0 && r->scale <= DBL_MAX))
    return FG_FAIL(st, FG_USAGE, "costs cut at %g and multiplied by %g: give positive numbers", r->cap,
                   r->scale);
  return FG_OK;
}

static inline fg_code fg_ensemble_check(const fg_ensemble_request *r, fg_status *st)
{
  if (!(r->rtol >= 0 && r->atol > 0 && r->rtol < 1 && r->atol <= DBL_MAX))
    return FG_FAIL(st, FG_USAGE, "an ODE with rtol %g and atol %g: give rtol from 0 to 1 and a positive atol",
                   r->rtol, r->atol);
  if (!(r->t0 >= 0 && r->t1 >= 0 && r->t0 != r->t1 && r->t0 <= DBL_MAX && r->t1 <= DBL_MAX))
    return FG_FAIL(st, FG_USAGE, "an ODE from t = %g to %g: give two times of at least 0", r->t0, r->t1);
  if (r->max_steps < 1 || r->bins < 0 || r->bins > FG_ENSEMBLE_BINS_MOST || !(r->least_step >= 0))
    return FG_FAIL(st, FG_USAGE, "an ODE of %d steps, none below %g, counted in %d bins", r->max_steps,
                   r->least_step, r->bins);
  return FG_OK;
}

static inline fg_code fg_slices_check(size_t n, size_t m, size_t d, size_t directions, fg_status *st)
{
  if (n < 1 || m < 1 || d < 1 || n > INT32_MAX || m > INT32_MAX || directions > UINT32_MAX)
    return FG_FAIL(st, FG_USAGE,
                   "%zu and %zu rows of dimension %zu along %zu directions: give 1 to 2^31 - 1 rows", n, m, d,
                   directions);
  return FG_OK;
}

static inline fg_code fg_slice_ways_check(const fg_slice_ways_request *r, fg_status *st)
{
  FG_TRY(fg_slices_check(r->n, 1, r->d, r->directions, st));
  if (r->n < 2 || r->ways > FG_SLICE_WAYS)
    return FG_FAIL(st, FG_USAGE, "%zu ways to deal %zu rows: give at most %d, and two rows", r->ways, r->n,
                   FG_SLICE_WAYS);
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

static inline fg_code fg_pair_sums_check(const fg_pair_sums_request *r, fg_status *st)
{
  if (r->d < 1 || r->d > 65536 || r->columns < 1 || r->columns > 4096)
    return FG_FAIL(st, FG_USAGE,
                   "sums over pairs of dimension %zu with %zu columns: give 1 to 65536 and 1 to 4096", r->d,
                   r->columns);
  if (r->kernel == FG_PAIR_GAUSSIANS && !(r->bandwidth > 0 && r->bandwidth < HUGE_VAL))
    return FG_FAIL(st, FG_USAGE, "the bandwidth is %g: give a positive length", r->bandwidth);
  return FG_OK;
}

#endif
