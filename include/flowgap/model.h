/* Models of the score: exact diffused mixtures, their perturbations, and networks. */
#ifndef FLOWGAP_MODEL_H
#define FLOWGAP_MODEL_H

#include <stddef.h>

#include "flowgap/base.h"
#include "flowgap/engine.h"
#include "flowgap/sde.h"
#include "flowgap/target.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fg_model fg_model;

/* What is asked of, or offered by, a model at a point (x, t). */
typedef enum fg_quantity {
  FG_PHI = 1,        /* the potential (log-density up to a function of t), [n] */
  FG_PHI_T = 2,      /* its time derivative, [n] */
  FG_SCORE = 4,      /* s, [n, d]; the gradient of the potential where there is one */
  FG_DIVERGENCE = 8, /* div s, [n]; the Laplacian of the potential where there is one */
  FG_RESIDUAL = 16,  /* Fokker-Planck log residual, [n]:
                        R = phi_t + div f + f.grad phi - g^2/2 (lap phi + |grad phi|^2) */
  FG_JVP = 32        /* (ds/dx) v for a direction v, [n, d] */
} fg_quantity;

typedef enum fg_precision { FG_DOUBLE = 0, FG_SINGLE = 1 } fg_precision;

/* phi = log p_t of the mixture `target` noised by `process` (mathematics in docs/models.md).
 * Handles are borrowed for the life of the model, here and below. */
FG_CHECKED FG_API fg_code fg_model_exact(fg_engine *engine, const fg_target *target,
                                         const fg_process *process, fg_model **model, fg_status *st);

/* phi = log p_t + epsilon h,  h(x,t) = exp(-decay t) exp(-|x|^2 / (2 length^2))
 *                                      sin( wave (x_1 + ... + x_d) / sqrt(d) + t ) */
typedef struct fg_perturbation {
  double epsilon, wave, length, decay; /* defaults 0.3, 1.3, sqrt(8), 1 */
} fg_perturbation;
FG_API void fg_perturbation_defaults(fg_perturbation *settings);
FG_CHECKED FG_API fg_code fg_model_perturbed(fg_engine *engine, const fg_target *target,
                                             const fg_process *process, const fg_perturbation *settings,
                                             fg_model **model, fg_status *st);

typedef enum fg_activation {
  FG_SOFTPLUS, /* log(1 + exp(beta z)) / beta; z itself where beta z > threshold (threshold 0: never) */
  FG_GELU,     /* z (1 + erf(z / sqrt 2)) / 2 */
  FG_SILU,
  FG_TANH,
  FG_SINE
} fg_activation;

typedef enum fg_network_form {
  FG_POTENTIAL, /* scalar output phi, s = grad phi */
  FG_VECTOR     /* d outputs */
} fg_network_form;

typedef enum fg_network_output {                   /* what the d outputs of the vector form mean */
                                 FG_OUTPUT_SCORE,  /* s = net */
                                 FG_OUTPUT_NOISE,  /* s = -net / sqrt(v(t)) */
                                 FG_OUTPUT_CONTROL /* s = net / g(t) */
} fg_network_output;

typedef enum fg_time_input {
  FG_TIME_FIRST,   /* inputs (t, x) */
  FG_TIME_LAST,    /* inputs (x, t) */
  FG_TIME_FOURIER, /* inputs (x, sin(w_j t), cos(w_j t)): `frequencies`, arXiv 2006.10739 */
  FG_TIME_EMBEDDED /* first layer sees x, plus e(t): sin and cos of (c_j r + phase_j), r = T - t or t,
                       Linear, GELU, Linear (the Fourier MLP of PIS and DIS) */
} fg_time_input;

/* Score information S of a sampler's control beside its network, and what the control u is relative to:
 * g s = u + g s_ref, s_ref = -reference x (mathematics in docs/samplers.md).
 *   vector form (FG_OUTPUT_CONTROL):  u = clip(net) + g clip(tau) clip(S)
 *   potential form:                   u = g grad Phi, Phi = net + tau (S = its gradient), nothing clipped */
enum { FG_FACTOR_LAYERS = 8 };

typedef enum fg_guide_score {
  FG_GUIDE_NONE,        /* S = 0 */
  FG_GUIDE_TARGET,      /* S = grad log rho */
  FG_GUIDE_INTERPOLATED /* S = (r/T) grad log rho + (1 - r/T) grad log prior */
} fg_guide_score;

typedef enum fg_guide_reference_kind {
  FG_RELATIVE_TO_NONE,       /* DIS: s = u / g */
  FG_RELATIVE_TO_STATIONARY, /* DDS: s_ref = -x / variance */
  FG_RELATIVE_TO_PINNED,     /* PIS: s_ref = -x / (g^2 (pin - t)) */
  FG_RELATIVE_TO_BRIDGE /* the noising process has a control v too: s = (u + v) / g is the score, and flows
                                have the drift mu + g (u (1 + lambda^2) - v (1 - lambda^2)) / 2 */
} fg_guide_reference_kind;

typedef struct fg_guide_settings {
  fg_guide_score score;
  fg_guide_reference_kind reference;
  double prior_variance; /* INTERPOLATED: of the Gaussian prior */
  double clip;           /* of net, S and tau in the vector form; INFINITY: none */
  double variance, pin;  /* of the reference */
} fg_guide_settings;

/* A multilayer perceptron: linear, activation, ..., linear. Weights are float64 here; PyTorch's
 * float32 values go through unchanged. */
typedef struct fg_network_settings {
  fg_network_form form;
  fg_network_output output;
  fg_activation activation;
  double beta, threshold; /* softplus */
  fg_time_input time;
  bool time_reversed;           /* the network was trained in generative time r = T - t */
  size_t dimension;             /* d */
  size_t layers;                /* linear maps */
  const size_t *widths;         /* [layers + 1], inputs first */
  const double *const *weights; /* layers pointers, [out, in] */
  const double *const *biases;  /* layers pointers, [out]; an entry may be NULL */
  size_t frequencies;           /* FOURIER, EMBEDDED */
  const double *frequency;      /* [frequencies] */
  const double *phase;          /* [frequencies] or NULL */
  size_t embedding_width;       /* EMBEDDED: hidden width of e */
  const double *embedding_weights[2], *embedding_biases[2];
  const fg_guide_settings *guide; /* NULL: the network alone */
  size_t factor_layers;           /* guide: linear maps of the time factor tau(r); 0: tau = 1 */
  size_t factor_width, factor_frequencies;
  const double *factor_frequency, *factor_phase;                                    /* [factor_frequencies] */
  const double *factor_weights[FG_FACTOR_LAYERS], *factor_biases[FG_FACTOR_LAYERS]; /* [out, in], [out] */
  /* RELATIVE_TO_BRIDGE: v, a control of the vector form without score information. NULL: not known, and the model
   * gives s = u / g, which drives flows of lambda 1 alone */
  const struct fg_network_settings *noising;
} fg_network_settings;
FG_CHECKED FG_API fg_code fg_model_network(fg_engine *engine, const fg_network_settings *settings,
                                           const fg_process *process, fg_model **model, fg_status *st);

/* A network with a guide (settings->guide): a sampler's control as a score model, s = u / g + s_ref. target is the
 * density rho of its score information; it may be NULL where there is none. */
FG_CHECKED FG_API fg_code fg_model_control(fg_engine *engine, const fg_network_settings *settings,
                                           const fg_target *target, const fg_process *process,
                                           fg_model **model, fg_status *st);

/* From the rows `model.*`: kind exact, perturbed or network; weights from safetensors (PyTorch
 * names) or a flowgap HDF5 checkpoint, which may hold a control. target may be NULL for networks, but not for
 * controls that use its score. */
FG_CHECKED FG_API fg_code fg_model_from_settings(fg_engine *engine, const fg_settings *settings,
                                                 const fg_target *target, const fg_process *process,
                                                 fg_model **model, fg_status *st);
/* Write a network as a flowgap HDF5 checkpoint, readable by fg_model_from_settings. */
FG_CHECKED FG_API fg_code fg_model_save(const fg_model *model, const char *path, fg_status *st);
FG_API void fg_model_destroy(fg_model **model);

FG_API const char *fg_model_name(const fg_model *model); /* "exact", "perturbed", "network", "control" */
FG_API size_t fg_model_dimension(const fg_model *model);
FG_API unsigned fg_model_quantities(const fg_model *model); /* fg_quantity bits */
FG_API const fg_process *fg_model_process(const fg_model *model);

/* Arrays for fg_model_evaluate; the ones not wanted are NULL. */
typedef struct fg_evaluation {
  double *phi, *phi_t, *score, *divergence, *residual;
  const double *direction; /* v [n, d], with jvp */
  double *jvp;
} fg_evaluation;

/* The quantities of `out` at n points. t: one time for all (times = 1) or [n] (times = n); x [n, d].
 * Fails with FG_UNSUPPORTED when the model lacks a quantity, FG_NUMERICS naming the first point
 * where an output is not finite. */
FG_CHECKED FG_API fg_code fg_model_evaluate(const fg_model *model, fg_precision precision, size_t n,
                                            const double *t, size_t times, const double *x,
                                            const fg_evaluation *out, fg_status *st);

#ifdef __cplusplus
}
#endif
#endif
