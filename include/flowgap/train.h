/* Training. Diffusion samplers: a control is learned so that the controlled generative SDE ends in an unnormalised
 * density rho = Z p (DIS, PIS, DDS, bridges; docs/samplers.md). Score models: the score of noised data is learned from
 * the data (DSM; docs/score-training.md). Both with the Fokker-Planck residual as a regulariser, if that is asked for. */
#ifndef FLOWGAP_TRAIN_H
#define FLOWGAP_TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowgap/base.h"
#include "flowgap/engine.h"
#include "flowgap/model.h"
#include "flowgap/sde.h"
#include "flowgap/target.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum fg_train_method {
  FG_TRAIN_DIS,    /* time reversal of the process (arXiv 2211.01364) */
  FG_TRAIN_PIS,    /* relative to Brownian motion, process pinned (arXiv 2111.15141) */
  FG_TRAIN_DDS,    /* relative to the stationary process, ou or vp (arXiv 2302.13834) */
  FG_TRAIN_BRIDGE, /* as DIS, and the noising process learns a control too (arXiv 2307.01198) */
  FG_TRAIN_DSM     /* a score model of data, by denoising score matching */
} fg_train_method;

typedef enum fg_train_objective {
  FG_TRAIN_KL,                     /* mean of rnd, gradients through the path */
  FG_TRAIN_KL_ITO,                 /* with the Ito term of the continuous form */
  FG_TRAIN_LOG_VARIANCE,           /* variance of rnd, paths held fixed (arXiv 2307.01198) */
  FG_TRAIN_LOG_VARIANCE_TRAJECTORY /* mean over starts of the variance over the paths from each */
} fg_train_objective;

/* rnd = -log w, summed up along the path. */
typedef enum fg_train_form {
  FG_TRAIN_CONTINUOUS, /* the papers' form: exact in the limit of small steps */
  FG_TRAIN_DISCRETE,   /* ratio of the kernels of the steps: E[w] = Z for any number of steps */
  FG_TRAIN_FORMS
} fg_train_form;

typedef enum fg_train_integrator { FG_TRAIN_EULER, FG_TRAIN_EXPONENTIAL } fg_train_integrator;

typedef enum fg_train_schedule {
  FG_RATE_CONSTANT,
  FG_RATE_STEP,       /* rate factor^floor(k / every) */
  FG_RATE_COSINE,     /* rate ( end + (1 - end) (1 + cos(pi k / steps)) / 2 ) */
  FG_RATE_EXPONENTIAL /* rate end^(k / steps) */
} fg_train_schedule;

enum { FG_TRAIN_HIDDEN = 11, FG_TRAIN_STAGES = 16, FG_TRAIN_CLIPS = 16, FG_TRAIN_RATES = 16 };

/* Noising times of the points of a batch, DSM. */
typedef enum fg_train_time_law {
  FG_TIMES_BETA,   /* least + T Beta(1, 2), cut at T */
  FG_TIMES_UNIFORM /* on [least, T] */
} fg_train_time_law;

/* The residual of the Fokker-Planck equation as a regulariser: weight times the mean of its square. */
typedef enum fg_train_residual_form {
  FG_TRAIN_LOG,     /* R, potential form; for samplers this is the Hamilton-Jacobi-Bellman equation */
  FG_TRAIN_CENTRED, /* R less its mean over the points that share a time */
  FG_TRAIN_SCORE    /* E, vector form: |E|^2 / d */
} fg_train_residual_form;

/* Where its points lie; times are uniform on [time_least, T], but for PATH, whose times are nodes of a grid. */
typedef enum fg_train_where {
  FG_AT_BOX,     /* uniform in [-box, box]^d */
  FG_AT_DATA,    /* noised data */
  FG_AT_PATH,    /* paths of the model's own SDE, renewed every `refresh` steps */
  FG_AT_GAUSSIAN /* N(0, sd^2 I) */
} fg_train_where;

typedef struct fg_train_residual {
  double weight; /* 0: none */
  fg_train_residual_form form;
  fg_train_where where;
  size_t points, group; /* of each step; group: points that share a time, divides them */
  double box, sd, time_least;
  size_t probes; /* random vectors for second derivatives; 0: exact */
  size_t paths, path_steps;
  uint64_t refresh;
} fg_train_residual;

/* Optimiser steps `from` and after take a time grid of grid_steps steps. */
typedef struct fg_train_stage {
  uint64_t from;
  size_t grid_steps;
} fg_train_stage;

typedef struct fg_train_clip {
  uint64_t from; /* optimiser step */
  double clip;   /* of net, score information and time factor, component by component */
} fg_train_clip;

/* Optimiser steps `from` and after begin with this rate. */
typedef struct fg_train_base {
  uint64_t from;
  double rate;
} fg_train_base;

typedef struct fg_train_settings {
  uint64_t seed;
  fg_train_method method;
  fg_train_objective objective;
  fg_train_form form;
  fg_train_integrator integrator;
  fg_network_form control; /* vector, or the gradient of a potential; DSM: form of the score model */
  fg_guide_score score;
  bool time_factor;  /* a learned factor tau(r) of the score information; else 1 */
  bool detach_score; /* KL: no gradient through the score of the target */
  size_t hidden_count;
  size_t hidden[FG_TRAIN_HIDDEN];
  fg_activation activation;
  double beta, threshold; /* softplus */
  fg_time_input time;     /* DSM; samplers have EMBEDDED, reversed */
  bool time_reversed;
  fg_network_output output; /* DSM, vector form: score or noise */
  bool zero_last;           /* the last layer begins at 0 */
  size_t frequencies, embedding_width;
  uint64_t steps;
  size_t batch, group; /* group: paths per start; DSM: points that share a time */
  fg_train_time_law time_law;
  double time_least;
  bool variance_weight; /* DSM: weight v(t) instead of 1 */
  fg_train_residual residual;
  size_t stage_count;
  fg_train_stage stages[FG_TRAIN_STAGES];
  fg_grid_kind spacing;
  double rate;
  size_t rate_count; /* 0: `rate` throughout */
  fg_train_base rates[FG_TRAIN_RATES];
  bool restart_optimiser;     /* Adam afresh at each of them */
  fg_train_schedule schedule; /* multiplies either */
  double rate_end, rate_factor;
  uint64_t rate_every;
  double decay;     /* of weights, as in torch.optim.Adam */
  double clip_norm; /* of the gradient; INFINITY: none */
  double ema;       /* of the average of the weights that evaluation uses; 0: none */
  size_t clip_count;
  fg_train_clip clips[FG_TRAIN_CLIPS]; /* none: nothing is clipped */
  fg_precision precision;
  size_t tile;
  uint64_t log_every, evaluate_every, checkpoint_every;
  size_t evaluate_paths, evaluate_steps;
  double path_limit; /* a path with a larger |x_j| is lost; INFINITY: none */
  double lost_most;  /* training stops when a larger share of a batch is lost */
  double loss_most;  /* ... or the loss is larger than this in size; INFINITY: or not finite */
} fg_train_settings;

/* Those of the papers, 2000 steps. */
FG_API void fg_train_defaults(fg_train_method method, fg_train_settings *settings);
/* The rows train.* and seed. */
FG_CHECKED FG_API fg_code fg_train_from_settings(const fg_settings *settings, fg_train_settings *train,
                                                 fg_status *st);
/* What holds at optimiser step k = 0, 1, ...; began: where the rate's entry and, with restart_optimiser, Adam began. */
FG_API double fg_train_rate(const fg_train_settings *settings, uint64_t k);
FG_API uint64_t fg_train_began(const fg_train_settings *settings, uint64_t k);
FG_API double fg_train_clip_at(const fg_train_settings *settings, uint64_t k); /* INFINITY: none */
FG_API size_t fg_train_grid_steps(const fg_train_settings *settings, uint64_t k);

/* ---- one model in training ------------------------------------------------------------------- */

typedef struct fg_trainer fg_trainer;

/* Handles are borrowed for the life of the trainer. Fails with FG_USAGE when process, prior and method do not go
 * together, FG_UNSUPPORTED when the target has no density (DSM: no draws) or the engine cannot train. */
FG_CHECKED FG_API fg_code fg_trainer_create(fg_engine *engine, const fg_train_settings *settings,
                                            const fg_process *process, const fg_target *target,
                                            const fg_prior *prior, fg_trainer **trainer, fg_status *st);
FG_API void fg_trainer_destroy(fg_trainer **trainer);
FG_API uint64_t fg_trainer_steps_done(const fg_trainer *trainer);

typedef struct fg_train_step {
  uint64_t number;              /* steps done, this one included */
  double loss;                  /* over the paths or points that were not lost, without the residual */
  double loss_se;               /* DSM: its standard error */
  double mean;                  /* of rnd: -mean is a lower bound of log Z */
  double residual, residual_se; /* mean square over its points, NaN where there is no regulariser */
  double norm;                  /* of the gradient before clipping */
  double rate, clip;
  size_t grid_steps;
  size_t lost;          /* paths or points of the batch */
  size_t residual_lost; /* points of the residual */
  uint64_t lost_total;  /* of both, since the start of the training */
  double seconds;       /* that the training has taken so far, evaluations included */
} fg_train_step;

/* One step of the optimiser on the next batch. FG_NUMERICS, with the weights as they were, when loss or gradient is
 * not finite or more than the allowed share of the batch is lost. FG_INTERRUPTED leaves them as they were, too. */
FG_CHECKED FG_API fg_code fg_trainer_step(fg_trainer *trainer, const fg_progress *progress,
                                          fg_train_step *step, fg_status *st);

/* What the weights w = exp(-rnd) of one form say. Lost paths enter with weight 0; the lower bound is a mean over
 * the others. */
typedef struct fg_train_figures {
  double log_z_elbo, log_z_elbo_se; /* -mean rnd */
  double log_z_is, log_z_is_se;     /* log mean w, sd(w) / (mean(w) sqrt n) */
  double ess;                       /* (sum w)^2 / (n sum w^2) */
} fg_train_figures;

/* How the log-weights of the paths spread, discrete form: equal bins from `low`, below which one path in 200 lies, to
 * `most`, the largest; paths that are lost are left out. */
enum { FG_WEIGHT_BINS = 40 };
typedef struct fg_train_weights {
  size_t paths, below; /* of them below `low` */
  double least, low, most;
  uint64_t count[FG_WEIGHT_BINS];
  double largest_share; /* of the sum of all weights that the largest has */
} fg_train_weights;

/* A mean over points with its standard error; points that are not finite are left out and counted. */
typedef struct fg_train_mean {
  size_t points; /* 0: not evaluated */
  double value, se;
  size_t lost, lost_first;
} fg_train_mean;

typedef struct fg_train_evaluation {
  uint64_t step;                              /* of training */
  fg_train_mean denoising;                    /* DSM */
  fg_train_mean residual[FG_TRAIN_SCORE + 1]; /* mean squares by form, of those that the model has */
  /* the rest, but for `seconds`, is 0 for DSM */
  size_t n, grid_steps;
  fg_train_figures form[FG_TRAIN_FORMS];
  fg_train_weights weights;
  uint64_t lost;
  size_t lost_first;        /* its number, with lost > 0 */
  double log_z;             /* of the target, NaN if not known */
  double mean_error;        /* mean over coordinates of |mean - target's|, NaN if not known */
  double sd_error;          /* of |sd - target's| */
  double sd_error_weighted; /* the same with the paths weighted by w of the discrete form */
  size_t modes, least_mode; /* components of a mixture target, else 0; the one with the smallest share */
  double least_share;       /* of the points nearest to its mean */
  double seconds;
  /* Borrowed until the next call; lost paths are left out. */
  size_t points;                         /* n - lost */
  const double *x;                       /* [points, d] */
  const double *mean, *sd;               /* [d] */
  const double *target_mean, *target_sd; /* [d], NULL if not known */
  const double *share;                   /* [modes] */
} fg_train_evaluation;

/* Figures on noise that is held out from training and the same in every call. */
FG_CHECKED FG_API fg_code fg_trainer_evaluate(fg_trainer *trainer, const fg_progress *progress,
                                              fg_train_evaluation *evaluation, fg_status *st);

/* Everything that going on bit for bit needs, and the network as fg_model_from_settings reads it (weights averaged
 * if the average is on), in one file that appears whole or not at all. */
FG_CHECKED FG_API fg_code fg_trainer_save(const fg_trainer *trainer, const char *path, fg_status *st);
/* Into a trainer of the same settings. */
FG_CHECKED FG_API fg_code fg_trainer_load(fg_trainer *trainer, const char *path, fg_status *st);

/* ---- a whole run ------------------------------------------------------------------------------ */

/* W2 between the sampler's points and exact ones, for results.json. */
typedef struct fg_train_distance {
  double value, floor, ci_low, ci_high;
  size_t used_x, used_y;
} fg_train_distance;

/* Every member may be 0. */
typedef struct fg_train_options {
  bool resume; /* go on from the checkpoint of the run directory */
  const fg_progress *progress;
  void (*report)(void *user, const fg_train_step *step, uint64_t steps);
  fg_code (*distance)(void *user, size_t n, size_t m, size_t d, const double *x, const double *y,
                      fg_train_distance *result, fg_status *st);
  void *user;
} fg_train_options;

/* Train as the settings say and write the run directory: config.yaml, metrics.jsonl, checkpoint.h5, results.json,
 * log.txt (docs/run-directory.md). Stopped or failed, it leaves the last good checkpoint. `resume` refuses
 * settings that would not continue the same run, with FG_USAGE naming the key. */
FG_CHECKED FG_API fg_code fg_train_run(fg_engine *engine, const fg_settings *settings,
                                       const char *run_directory, const fg_train_options *options,
                                       fg_status *st);
/* Seeds seed .. seed + seeds - 1 in run_directory/seed-1, ...; results.json there has mean and spread. */
FG_CHECKED FG_API fg_code fg_train_seeds(fg_engine *engine, const fg_settings *settings,
                                         const char *run_directory, size_t seeds,
                                         const fg_train_options *options, fg_status *st);

/* ---- out of flowgap ---------------------------------------------------------------------------- */

/* A trained network as safetensors, with what PyTorch needs to know as metadata; `settings` are those of the run. A
 * sampler has the tensor names of the PyTorch reference (scripts/load_in_pytorch.py reads it); a score model those of an
 * nn.Sequential, and the rows model.* of the metadata read it back with the same bits. FG_UNSUPPORTED for models
 * that are no network, and for controls with activations other than gelu. */
FG_CHECKED FG_API fg_code fg_train_export(const fg_model *model, const fg_prior *prior,
                                          const fg_settings *settings, const char *path, fg_status *st);

#ifdef __cplusplus
}
#endif
#endif
