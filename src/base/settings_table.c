/* Every setting of flowgap, one row each. The YAML reader, --set, help, man page, docs/settings.md
 * and the reports all read this table. Rows of one group stand together. */
#include "flowgap/base.h"

#define BIG 1e12
#define TINY 1e-12

#define FLAG(key, fallback, help)                                                                            \
  {                                                                                                          \
    key, FG_SETTING_FLAG, fallback, 0, 0, NULL, "", help                                                     \
  }
#define INTEGER(key, fallback, low, high, unit, help)                                                        \
  {                                                                                                          \
    key, FG_SETTING_INTEGER, fallback, low, high, NULL, unit, help                                           \
  }
#define REAL(key, fallback, low, high, unit, help)                                                           \
  {                                                                                                          \
    key, FG_SETTING_REAL, fallback, low, high, NULL, unit, help                                              \
  }
#define TEXT(key, help)                                                                                      \
  {                                                                                                          \
    key, FG_SETTING_TEXT, "", 0, 0, NULL, "", help                                                           \
  }
#define PATH(key, help)                                                                                      \
  {                                                                                                          \
    key, FG_SETTING_PATH, "", 0, 0, NULL, "", help                                                           \
  }
#define CHOICE(key, fallback, choices, help)                                                                 \
  {                                                                                                          \
    key, FG_SETTING_CHOICE, fallback, 0, 0, choices, "", help                                                \
  }
#define ARRAY(key, low, high, unit, help) NUMBERS(key, "[]", low, high, unit, help)
#define NUMBERS(key, fallback, low, high, unit, help)                                                        \
  {                                                                                                          \
    key, FG_SETTING_ARRAY, fallback, low, high, NULL, unit, help                                             \
  }
#define WORDS(key, fallback, choices, help)                                                                  \
  {                                                                                                          \
    key, FG_SETTING_WORDS, fallback, 0, 0, choices, "", help                                                 \
  }

static const fg_setting fg_table[] = {
    INTEGER("seed", "1", 0, 9007199254740992.0, "",
            "Key of every random number; the same seed gives the same bits."),

    /* ---- noising process ---- */
    CHOICE(
        "process.kind", "ou", "ou vp ve bm pinned",
        "Noising process: Ornstein-Uhlenbeck, variance preserving, variance exploding, Brownian motion, or a "
        "Brownian bridge pinned at 0 (whose reversal starts there)."),
    REAL("process.rate", "auto", TINY, BIG, "1/time", "Mean reversion a of ou (auto: 1)."),
    REAL("process.diff", "auto", TINY, BIG, "", "Diffusion g of ou, bm and pinned (auto: 1)."),
    REAL("process.horizon", "auto", TINY, BIG, "time",
         "End time T of the noising (auto: 10 for ou, else 1)."),
    REAL("process.beta_min", "auto", 0, BIG, "1/time", "beta(0) of vp (auto: 0.1)."),
    REAL("process.beta_max", "auto", TINY, BIG, "1/time", "beta(T) of vp (auto: 10)."),
    REAL("process.scale", "auto", TINY, BIG, "", "Standard deviation that vp tends to (auto: 1)."),
    REAL("process.sigma_min", "auto", TINY, BIG, "", "sigma(0) of ve (auto: 0.01)."),
    REAL("process.sigma_max", "auto", TINY, BIG, "", "sigma(T) of ve (auto: 10)."),
    REAL("process.pin", "auto", TINY, BIG, "time",
         "Time at which pinned is at 0, T or later (auto: the horizon)."),

    /* ---- prior ---- */
    CHOICE("prior.kind", "gaussian", "gaussian truncated point exact",
           "Law at T that the generative equations start from; exact: target samples noised to T."),
    REAL("prior.variance", "auto", 0, BIG, "",
         "Variance of each coordinate of the prior (auto or 0: v(T) of the process)."),
    REAL("prior.mass", "0.9999", TINY, 1, "", "Mass that the ball of the truncated prior holds."),

    /* ---- target ---- */
    CHOICE("target.kind", "none",
           "gaussian gmm9 gmm25 gmm40 mixture blobs funnel double_well many_well rings circles checkerboard "
           "samples logistic_regression plugin none",
           "Law that the model is meant to produce; none when it is not known."),
    INTEGER("target.dimension", "auto", 1, 100000, "",
            "Dimension of gaussian, funnel, many_well and plugin (auto: that of the kind or file)."),
    REAL("target.mean", "auto", -BIG, BIG, "", "Mean of each coordinate of gaussian (auto: 0)."),
    REAL("target.variance", "auto", TINY, BIG, "",
         "Variance of each coordinate of gaussian, gmm9, gmm25, or mixture without covariances (auto: that "
         "of the "
         "kind)."),
    ARRAY("target.weights", TINY, BIG, "", "Weights of the mixture, [k]; empty: equal."),
    ARRAY("target.means", -BIG, BIG, "", "Means of the mixture, [k, d]."),
    ARRAY("target.covariances", -BIG, BIG, "",
          "Covariances of the mixture, [k, d, d], diagonals [k, d] or variances [k]; empty: target.variance "
          "times the identity."),
    REAL("target.nu", "auto", TINY, BIG, "",
         "Standard deviation of the funnel's first coordinate (auto: 3)."),
    INTEGER("target.wells", "auto", 1, 100000, "",
            "Number of double wells of many_well (auto: that of the kind)."),
    REAL("target.separation", "auto", -BIG, BIG, "",
         "delta of double_well and many_well: wells at shift +- sqrt(delta)."),
    REAL("target.shift", "auto", -BIG, BIG, "", "Centre of double_well and many_well (auto: 0)."),
    ARRAY("target.radii", TINY, BIG, "", "Radii of rings, [k]."),
    ARRAY("target.ring_weights", TINY, BIG, "", "Weights of rings, [k]; empty: equal."),
    REAL("target.ring_sd", "auto", TINY, BIG, "", "Standard deviation of the radius of rings."),
    PATH("target.file",
         "File of samples (HDF5, NPY, NPZ or CSV), of data for logistic_regression (CSV), or the plugin "
         "that `flowgap target build` made."),
    TEXT("target.dataset", "Data set inside an HDF5 sample file; empty: `x`, or the only one of rank 2."),
    REAL("target.prior_sd", "1", 1e-6, 1e6, "",
         "Standard deviation of the Gaussian prior of each coefficient of logistic_regression."),
    FLAG("target.intercept", "true", "Give logistic_regression an intercept, as its first coefficient."),
    FLAG("target.standardise", "true",
         "Give each feature of logistic_regression mean 0 and standard deviation 1."),

    /* ---- model ---- */
    CHOICE("model.kind", "network", "exact perturbed network",
           "Score model: exact and perturbed need a mixture target, network needs model.file."),
    REAL("model.epsilon", "0.3", -BIG, BIG, "", "Size of the perturbation of log p_t (kind perturbed)."),
    REAL("model.wave", "1.3", -BIG, BIG, "1/length", "Wave number of the perturbation."),
    REAL("model.length", "2.8284271247461903", TINY, BIG, "length",
         "Width of the perturbation's Gaussian envelope."),
    REAL("model.decay", "1", -BIG, BIG, "1/time", "Rate at which the perturbation fades with noising time."),
    CHOICE("model.form", "potential", "potential vector",
           "What the network returns: a scalar whose gradient is the score, or a vector."),
    CHOICE("model.output", "score", "score noise control",
           "Meaning of a vector: s = net, s = -net / sqrt(v(t)), or s = net / g(t)."),
    PATH("model.file", "Weights: safetensors with PyTorch's names, or a flowgap HDF5 checkpoint."),
    WORDS("model.layers", "[]", NULL,
          "Tensor name stems of the linear maps in order; `stem.weight` and `stem.bias` are read."),
    ARRAY("model.widths", 1, 1e6, "", "Expected widths, inputs first; empty: not checked."),
    WORDS("model.inputs", "[t, x]", "t x",
          "Order of the network's inputs; [x] when only an embedding carries time."),
    CHOICE(
        "model.embedding", "none", "none fourier embedded",
        "Time embedding: none, sin and cos beside x, or added to the first layer through two linear maps."),
    ARRAY("model.frequencies", -BIG, BIG, "1/time", "Frequencies of the time embedding, [k]."),
    ARRAY("model.phases", -BIG, BIG, "", "Phases of the time embedding, [k]; empty: 0."),
    WORDS("model.embedding_layers", "[]", NULL, "Tensor name stems of the embedding's two linear maps."),
    FLAG("model.time_reversed", "false", "The network was trained in generative time T - t."),
    CHOICE("model.activation", "softplus", "softplus gelu silu tanh sine",
           "Activation between the linear maps."),
    REAL("model.beta", "1", TINY, BIG, "", "Sharpness of softplus, log(1 + exp(beta z)) / beta."),
    REAL("model.threshold", "20", 0, BIG, "",
         "softplus returns z itself where beta z exceeds this, as PyTorch does; 0: never."),

    /* ---- flows ---- */
    CHOICE("flow.sde.method", "euler", "euler heun",
           "Euler-Maruyama (weak order 1), or Heun (weak order 2 for additive noise)."),
    ARRAY("flow.sde.grid", 0, BIG, "time",
          "Time grid as segments [from, to, steps], each uniform, from T down; empty: spacing, steps and "
          "t_end."),
    CHOICE("flow.sde.spacing", "uniform", "uniform quadratic cosine",
           "Spacing of the grid: quadratic is fine near the data, cosine at both ends."),
    INTEGER("flow.sde.steps", "1000", 1, 1e8, "", "Steps of the grid from T to t_end."),
    REAL("flow.sde.t_end", "0.001", 0, BIG, "time", "Noising time at which the SDE stops."),
    REAL("flow.sde.lambda", "1", 0, 1000, "",
         "Noise level of the generative family: 1 is the reverse SDE, 0 the ODE."),
    FLAG("flow.sde.last_step_noise", "true", "Add noise in the last step too."),
    INTEGER("flow.sde.refine", "0", 0, 15, "", "Cut each step into 2^refine on the same Brownian path."),
    CHOICE("flow.sde.precision", "double", "single double", "Arithmetic of the SDE."),
    INTEGER("flow.sde.tile", "64", 1, 65536, "particles",
            "Particles carried together; results do not depend on it."),
    CHOICE("flow.ode.method", "adams", "adams bdf dopri5 euler heun",
           "CVODE Adams or BDF, Dormand-Prince 5(4) with steps for each particle, or Euler or Heun on a "
           "fixed grid."),
    REAL("flow.ode.rtol", "1e-6", 1e-14, 1, "", "Relative tolerance of adams, bdf and dopri5."),
    REAL("flow.ode.atol", "1e-8", 1e-300, 1e6, "", "Absolute tolerance of adams, bdf and dopri5."),
    REAL("flow.ode.t_end", "auto", 0, BIG, "time",
         "Noising time at which the ODE stops (auto: where the SDE stops)."),
    INTEGER("flow.ode.tile", "auto", 1, 65536, "particles",
            "Particles that share one CVODE and its step size (auto: 64, or as suits the engine)."),
    INTEGER("flow.ode.max_steps", "100000", 1, 2147483647, "",
            "Most steps that CVODE takes for a tile, dopri5 for a particle."),
    CHOICE("flow.ode.precision", "double", "single double", "Arithmetic of the score in the ODE."),
    ARRAY("flow.ode.grid", 0, BIG, "time", "Time grid of euler and heun as segments [from, to, steps]."),
    CHOICE("flow.ode.spacing", "uniform", "uniform quadratic cosine",
           "Spacing of the grid of euler and heun."),
    INTEGER("flow.ode.steps", "auto", 1, 1e8, "",
            "Steps of euler and heun (auto, without a grid: the times of the SDE)."),

    /* ---- comparison ---- */
    INTEGER("compare.particles", "20000", 4, 1e9, "", "Particles drawn from each law."),
    WORDS("compare.estimators", "[exact, grid, sinkhorn, sliced, gaussian]",
          "exact grid sinkhorn sliced max_sliced gaussian entropic mmd energy all",
          "Estimators of the distance (docs/distances.md); all: every one that the dimension allows; grid "
          "needs two."),
    INTEGER("compare.grid.bins", "64", 2, 1024, "",
            "Nodes per axis of the histograms of the grid estimator."),
    REAL("compare.grid.half_width", "auto", TINY, BIG, "length",
         "The grid covers [-half_width, half_width] in each coordinate (auto: 99.9 % of every law and a "
         "tenth to spare)."),
    REAL("compare.box", "0", 0, BIG, "length",
         "Also report distances of the particles within [-box, box]^d; 0: no box, nothing is cut."),
    INTEGER("compare.exact_points", "10000", 4, 1e6, "",
            "Most particles of each side that enter the exact estimator."),
    INTEGER("compare.pair_points", "2000", 4, 1e6, "",
            "Most particles of each side that enter sinkhorn, entropic, mmd and energy."),
    INTEGER("compare.directions", "100", 2, 1e6, "",
            "Random directions of the sliced estimator, and first ones of max_sliced."),
    REAL("compare.sinkhorn.epsilon", "auto", TINY, BIG, "cost",
         "Regularisation of sinkhorn (squared length) and entropic (length); auto: 5 % of the mean cost "
         "between "
         "the two samples."),
    REAL("compare.sinkhorn.tolerance", "1e-6", 1e-12, 1, "",
         "Sinkhorn: sum of |marginal of the plan - weights| at which it ends."),
    REAL("compare.bandwidth", "auto", TINY, BIG, "length",
         "Width of the middle Gaussian kernel of mmd, beside half and twice of it (auto: the median "
         "distance)."),
    INTEGER("compare.replicates", "40", 2, 1e5, "", "Subsamples behind each confidence interval."),
    INTEGER("compare.permutations", "99", 0, 1e5, "", "Permutations behind each p-value; 0: none."),
    REAL("compare.confidence", "0.9", 0.01, 0.9999, "", "Level of the confidence intervals."),
    ARRAY("compare.snapshots", 0, BIG, "time",
          "Noising times at which both laws are also kept and compared, moved to the nearest time of the "
          "SDE's grid; empty: eight, equal in log t."),
    INTEGER("compare.residual_points", "10000", 0, 1e8, "",
            "Points per time for the Fokker-Planck residual; 0: none."),
    FLAG("compare.same_starts", "true", "Start both laws from the same particles."),
    ARRAY("compare.lambdas", 0, 1000, "",
          "Noise levels whose laws are compared with that of the ODE, such as [0, 0.5, 1, 2]; empty: none."),
    FLAG("compare.budget", "true",
         "Take the distance apart: time step, tolerance, prior, finite sample, the model's own gap "
         "(docs/budget.md)."),
    INTEGER("compare.budget_particles", "auto", 96, 1e8, "particles",
            "Particles that are drawn again, finer and from the noised target, for the budget (auto: 5000, "
            "or an eighth of "
            "more than 40000)."),
    CHOICE("compare.budget_estimator", "auto", "auto grid exact sinkhorn gaussian sliced max_sliced",
           "Estimator that the budget takes apart (auto: the first of these in compare.estimators)."),
    REAL("compare.target_error", "0", 0, BIG, "length",
         "Choose particles, steps and tolerances so that the interval of the model's gap reaches no further "
         "than "
         "this, numerical errors included; 0: take them as they are."),
    REAL("compare.target_seconds", "600", 1, BIG, "s",
         "Longest time that a comparison with compare.target_error is meant to take."),
    FLAG("compare.certificate", "false",
         "Bound the gap by the residual: the identity, its factors and the bound (docs/certificate.md)."),
    INTEGER("compare.certificate_cells", "auto", 8, 1e6, "",
            "Cells per axis of the laws on a grid, d <= 2 (auto: 1024 for d = 1, 192 for d = 2)."),
    REAL("compare.certificate_half_width", "auto", TINY, BIG, "length",
         "The grid covers [-half_width, half_width] in each coordinate (auto: from the particles)."),
    INTEGER("compare.certificate_times", "64", 4, 1e5, "",
            "Intervals of the quadrature in time, rounded up to a multiple of 4."),
    INTEGER("compare.certificate_paths", "4096", 2, 1e8, "paths", "Paths of the SDE behind the identity."),

    /* ---- densities on a grid ---- */
    INTEGER("density.cells", "auto", 8, 1048576, "",
            "Cells per axis (auto: 1024 in one dimension, 128 in two; two take at most 4096)."),
    REAL("density.half_width", "auto", TINY, BIG, "length",
         "The box is [-half_width, half_width] in each coordinate (auto: 99.99 % of prior and target, 99.9 % "
         "of "
         "simulated paths of the SDE, and a tenth to spare; at most 3 times as wide as the first ask for)."),
    REAL("density.t_end", "auto", 0, BIG, "time",
         "Noising time of the densities (auto: where the grid of flow.sde ends)."),
    REAL("density.lambda", "auto", 0, 1000, "", "Noise level of the SDE, above 0 (auto: flow.sde.lambda)."),
    REAL("density.rtol", "1e-6", 1e-12, 0.1, "", "Relative tolerance of the SDE's density."),
    REAL("density.atol", "1e-10", 1e-300, 0.1, "",
         "Absolute tolerance of the SDE's density, relative to the largest density of the prior."),
    REAL("density.ode_rtol", "auto", 1e-14, 0.1, "",
         "Relative tolerance of the ODE's nodes and log-densities (auto: 1e-6, single precision 1e-5)."),
    REAL("density.ode_atol", "auto", 1e-300, 1, "", "Absolute tolerance of the same (auto: ode_rtol / 100)."),
    INTEGER("density.ode_nodes", "1", 1, 16, "",
            "ODE nodes per axis in each cell, whose densities are averaged."),
    INTEGER("density.krylov", "20", 1, 1000, "",
            "Largest dimension of the Krylov space of the SDE's solver."),
    CHOICE("density.precision", "double", "single double", "Arithmetic of the scores."),
    INTEGER("density.w2_cells", "64", 4, 256, "",
            "In two dimensions W2 is sought between blocks of cells, at most so many per axis."),
    FLAG("density.check", "true", "Repeat all with half the cells, to show what the grid contributes."),

    /* ---- residual ---- */
    WORDS("residual.measures", "[box, data, sde, ode]", "box data sde ode",
          "Where the residual is taken: uniform in a box, target samples noised to t, paths of the SDE, "
          "paths of "
          "the ODE."),
    INTEGER("residual.points", "10000", 2, 1e8, "points",
            "Points per time of box and data, paths of sde and ode."),
    INTEGER("residual.times", "32", 2, 1000, "", "Times of the profile, equal in log t."),
    REAL("residual.t_end", "auto", 0, BIG, "time",
         "Smallest noising time that is looked at (auto: where the SDE stops)."),
    REAL("residual.box", "auto", TINY, BIG, "length",
         "The box is [-box, box]^d (auto: 99.9 % of the target, or of the ends of the SDE where the target "
         "cannot be "
         "sampled, and a tenth to spare)."),
    CHOICE("residual.trace", "auto", "auto exact probes",
           "Laplacian: exact, or the mean of v.(Hv) over random vectors v (auto: exact up to 32 dimensions, "
           "and for "
           "vector models)."),
    INTEGER("residual.probes", "8", 2, 10000, "", "Random vectors per point."),
    CHOICE("residual.precision", "double", "single double", "Arithmetic of the residual."),
    NUMBERS("residual.map_times", "[]", 0, BIG, "time",
            "Noising times of the maps (one or two dimensions); empty: six, equal in log t."),

    /* ---- training ---- */
    CHOICE(
        "train.method", "dis", "dis pis dds bridge dsm",
        "Sampler of a density: dis (any process but pinned), pis (process pinned), dds (process vp or ou), "
        "or bridge (as dis, and the noising process learns a control too); or dsm, a score model of data by "
        "denoising score matching."),
    CHOICE("train.objective", "log_variance", "kl kl_ito log_variance log_variance_trajectory",
           "Loss: mean of rnd without or with its Ito term, or its variance over the batch or over the "
           "paths from each start."),
    CHOICE("train.form", "continuous", "continuous discrete",
           "Form of rnd that is trained on; evaluation shows both."),
    CHOICE("train.integrator", "euler", "euler exponential",
           "Step of the SDE: Euler-Maruyama, or exact in its linear part."),
    CHOICE("train.control", "vector", "vector potential",
           "What a sampler's network returns: the control, or a potential whose gradient gives it."),
    CHOICE("train.score", "auto", "auto interpolated target none",
           "Score information in the control: between prior and target, the target's, or none (auto: "
           "interpolated for dis and bridge, else target)."),
    FLAG("train.time_factor", "true", "Multiply the score information by a learned function of time."),
    FLAG("train.detach_score", "false", "kl: let no gradient through the score of the target."),
    NUMBERS("train.hidden", "[64, 64, 64]", 1, 65536, "", "Widths of the hidden layers."),
    CHOICE("train.activation", "gelu", "softplus gelu silu tanh sine", "Activation of a sampler's network."),
    INTEGER("train.frequencies", "64", 1, 65536, "",
            "Frequencies of the time embedding, from 0.1 to 100 (dsm: over the horizon)."),
    INTEGER("train.embedding_width", "64", 1, 65536, "", "Width of the time embedding's hidden layers."),
    INTEGER("train.steps", "2000", 1, 1e9, "", "Steps of the optimiser."),
    INTEGER("train.batch", "2048", 2, 1e8, "", "Paths of one step, or points for dsm."),
    INTEGER("train.group", "auto", 1, 1e6, "paths",
            "Paths per start (auto: 16 for log_variance_trajectory, else 1)."),
    NUMBERS("train.time_steps", "[100, 200, 400, 800]", 1, 1e8, "",
            "Steps of the time grid: one number, a list whose entries share the training equally, or "
            "[[grid steps, optimiser steps], ...]."),
    CHOICE("train.spacing", "uniform", "uniform quadratic cosine", "Spacing of the time grid from T to 0."),
    REAL("train.rate", "0.005", 0, BIG, "", "Learning rate of Adam."),
    CHOICE("train.schedule", "constant", "constant step cosine exponential",
           "How the rate falls: step multiplies it by rate_factor every rate_every steps, the others end at "
           "rate_end times the rate."),
    REAL("train.rate_end", "0.02", TINY, 1, "", "Last rate of cosine and exponential over the first."),
    INTEGER("train.rate_every", "1000", 1, 1e9, "", "Steps between the drops of step."),
    REAL("train.rate_factor", "0.5", TINY, 1, "", "Factor of each drop of step."),
    REAL("train.decay", "1e-7", 0, BIG, "", "Weight decay, added to the gradient."),
    REAL("train.clip_norm", "1", 0, BIG, "", "Largest l2 norm of the gradient; 0: not clipped."),
    REAL("train.ema", "0", 0, 0.999999, "",
         "Decay of the moving average of the weights that is evaluated and kept; 0: the weights themselves."),
    NUMBERS("train.clip", "[[0, 10], [200, 50], [400, 250]]", 0, BIG, "",
            "Bound of network, score information and time factor in each component, as [from step, bound]; "
            "empty: none."),
    CHOICE("train.precision", "single", "single double", "Arithmetic of the training."),
    INTEGER("train.tile", "64", 1, 65536, "particles", "Paths carried together."),
    INTEGER("train.log_every", "10", 1, 1e9, "", "Steps between lines of metrics.jsonl."),
    INTEGER("train.evaluate_every", "auto", 1, 1e9, "",
            "Steps between evaluations (auto: a tenth of the training)."),
    INTEGER("train.evaluate_paths", "6000", 2, 1e8, "",
            "Paths of an evaluation; also the points for the denoising loss and for the residual."),
    INTEGER("train.evaluate_steps", "auto", 1, 1e8, "",
            "Steps of the time grid in evaluations (auto: those of the last stage of train.time_steps)."),
    INTEGER("train.checkpoint_every", "auto", 1, 1e9, "",
            "Steps between checkpoints (auto: a tenth of the training)."),
    REAL("train.path_limit", "0", 0, BIG, "length",
         "A path with a larger coordinate counts as lost; 0: only one that is not finite."),
    REAL("train.lost_most", "0.01", 0, 1, "", "Training stops when a larger share of a batch is lost."),
    REAL("train.loss_most", "0", 0, 1e300, "",
         "Training stops when the size of its loss exceeds this; 0: only when it is not finite."),

    /* ---- training of score models, and the residual as a regulariser ---- */
    NUMBERS(
        "train.rates", "[]", 0, BIG, "",
        "Rates as [from step, rate], from step 0, instead of train.rate; train.schedule multiplies them."),
    FLAG("train.restart_optimiser", "false", "Begin Adam afresh at each entry of train.rates."),
    CHOICE("train.last_layer", "auto", "auto zero random",
           "First weights of the last layer (auto: zero for samplers, random for dsm)."),
    CHOICE("train.time_law", "beta", "beta uniform",
           "dsm: law of the noising times, time_least + T Beta(1, 2), or uniform from time_least to T."),
    REAL("train.time_least", "1e-5", 0, BIG, "time", "Least noising time of points."),
    CHOICE("train.weighting", "none", "none variance",
           "dsm: weight of the squared error of the score at time t, 1 or v(t)."),
    INTEGER("train.point_group", "auto", 1, 64, "points",
            "dsm: points of the batch that share a time (auto: 1, or up to 32 with a time embedding)."),
    REAL("train.residual.weight", "0", 0, BIG, "",
         "Weight of the mean squared Fokker-Planck residual in the loss; 0: none."),
    CHOICE(
        "train.residual.form", "auto", "auto log centred score",
        "Residual: R of a potential, R less its mean at each time, or E of a vector (auto: log or score)."),
    INTEGER("train.residual.points", "5000", 2, 1e8, "points", "Points of the residual in one step."),
    CHOICE("train.residual.where", "auto", "auto box data path gaussian",
           "Where they lie: in a box, on noised data, on the model's own SDE paths, or normal (auto: box for "
           "dsm, else path)."),
    REAL("train.residual.box", "3.5", TINY, BIG, "length", "box: half width in each coordinate."),
    REAL("train.residual.sd", "1", TINY, BIG, "length", "gaussian: standard deviation of each coordinate."),
    INTEGER("train.residual.group", "auto", 1, 64, "points",
            "Points that share a time (auto: 1, up to 32 when centred or with a time embedding, up to 64 for "
            "samplers)."),
    INTEGER("train.residual.probes", "0", 0, 1024, "",
            "Random vectors for the second derivatives at each point; 0: exact, d of them."),
    INTEGER("train.residual.paths", "1024", 2, 1e8, "paths", "path: SDE paths that are kept."),
    INTEGER("train.residual.path_steps", "200", 1, 1e6, "",
            "path: steps of their time grid from T to time_least, spaced by train.spacing."),
    INTEGER("train.residual.refresh", "100", 1, 1e9, "", "path: steps of the optimiser between new paths."),
};

const fg_setting *fg_settings_table(size_t *rows)
{
  *rows = sizeof fg_table / sizeof *fg_table;
  return fg_table;
}
