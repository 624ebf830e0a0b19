/* What the program can do, and the options that it knows: the tables behind --help and the man page. */
#include <string.h>

#include "cli/args.h"

static const fg_verb verbs[] = {
    {"compare", "MODEL [options]", "both laws of a model, their distance and residual, and a report",
     "Draws the ODE and the SDE law of the model from the same starts, and the target\n"
     "when it can be sampled; estimates the W2 distances with noise floor, confidence\n"
     "interval and p-value; measures the Fokker-Planck residual; writes a run directory\n"
     "with config.yaml, results.json, samples.h5, log.txt and report.html. Without --out\n"
     "it is runs/NAME, named after MODEL; an earlier run there is replaced. A training is left\n"
     "alone: its comparison goes to runs/NAME-compare (A-seed-1 for the seed A/seed-1).\n"
     "\n"
     "MODEL is a YAML file, a run directory, or a built-in name: exact: or perturbed:\n"
     "and then gaussian, gmm9 or blobs. --json prints results.json.\n"
     "\n"
     "The distance is taken apart into what steps, tolerances, prior and sample add, and what\n"
     "remains, the model's own gap. --target-error E starts small and goes on until that gap's\n"
     "interval and the numerical parts come to E, or compare.target_seconds are over;\n"
     "config.yaml then holds what was chosen.\n"
     "\n"
     "Ctrl-C ends it and keeps what is finished, in unfinished.bin; the same command with\n"
     "--resume goes on (of a run directory, `flowgap compare RUN --resume`) and ends in the\n"
     "same bits as a run that was never stopped.\n"
     "\n"
     "Example: flowgap compare exact:gmm9 --set compare.particles=5000 --out runs/first\n",
     1, 1, fg_run_compare},
    {"density", "MODEL [options]", "densities of both laws on a grid, without sampling noise (d = 1, 2)",
     "Solves the Fokker-Planck equation of the SDE by finite volumes, and carries the nodes of\n"
     "the same grid along the ODE with their log-densities; gives W2, total variation, both\n"
     "Kullback-Leibler divergences and the Fisher divergence between the two, on the grid and\n"
     "on half of its cells; writes a run directory with config.yaml, results.json,\n"
     "densities.h5, log.txt and report.html. Without --out it is runs/NAME-density. The\n"
     "settings density.* choose cells, box, time and tolerances. --json prints results.json.\n"
     "\n"
     "Example: flowgap density perturbed:gmm9 --set density.cells=96\n",
     1, 1, fg_run_density},
    {"train", "CONFIG [options]", "a sampler of a density (DIS, PIS, DDS, bridge), or a score model of data",
     "Learns the control of a diffusion whose end is the target or, with train.method: dsm,\n"
     "the score of a noised data set, as the settings train.* say, and writes a run\n"
     "directory with config.yaml, metrics.jsonl, checkpoint.h5,\n"
     "results.json, report.html and log.txt, which compare, sample and evaluate take as\n"
     "MODEL. Without --out it is runs/NAME, named after CONFIG; a finished run there is\n"
     "replaced.\n"
     "\n"
     "Ctrl-C ends it with a checkpoint; the same command with --resume goes on and ends in\n"
     "the same bits as a run that was never stopped. --seeds N trains with the seeds seed\n"
     "to seed + N - 1 in seed-1 to seed-N of the run directory and gives mean and spread.\n"
     "--json prints results.json.\n"
     "\n"
     "Example: flowgap train examples/dis-gmm9-short.yaml --out runs/dis\n",
     1, 1, fg_run_train},
    {"sweep", "CONFIG --set-grid KEY=V1,V2,.. [options]",
     "one run for each value of a setting, and a report of them all",
     "Goes through all combinations of the values: trains, unless the model is there, then\n"
     "compares, each in a folder of its own inside the --out folder (default:\n"
     "runs/NAME-sweep): PART-VALUE for a training and PART-VALUE-compare for its\n"
     "comparison, with the last part of KEY. results.json and report.html there show the\n"
     "distances and the residual of all runs against the setting.\n"
     "\n"
     "The same command again goes on where it was stopped, and skips what is finished; with\n"
     "more values it adds their runs. --no-compare only trains. --json prints results.json.\n"
     "\n"
     "Example: flowgap sweep examples/dsm-circles-short.yaml --out runs/circles \\\n"
     "           --set-grid train.residual.weight=0,0.1,1,10\n",
     1, 1, fg_run_sweep},
    {"export", "RUN --out FILE [options]", "weights of a training for PyTorch",
     "Writes the network of a run directory of `train` as safetensors (FILE ends in\n"
     ".safetensors): of a sampler with the tensor names of the PyTorch reference, of a score\n"
     "model with those of an nn.Sequential, which model.file reads back.\n"
     "\n"
     "Example: flowgap export runs/dis --out weights.safetensors\n",
     1, 1, fg_run_export},
    {"sample", "MODEL --out FILE [options]", "particles from the ODE or the SDE, with log-densities",
     "Draws --count particles from the law that --flow names and writes them to FILE,\n"
     "whose ending chooses the kind: .h5, .npy or .csv. Particle i is the same as in\n"
     "`flowgap compare` with the same seed, for the SDE only while compare.same_starts is\n"
     "true. --set flow.sde.lambda=0.5 chooses another member of the generative family.\n"
     "\n"
     "Example: flowgap sample exact:gmm9 --flow ode --log-density --count 1000 --out x.csv\n",
     1, 1, fg_run_sample},
    {"evaluate", "MODEL POINTS [options]", "potential, score, divergence and residual at given points",
     "POINTS is a CSV file with the columns t,x1..xd (a header is optional; NPY and HDF5\n"
     "are read too). Prints CSV with 17 digits and the columns t, x1.., phi, phi_t, s1..,\n"
     "laplacian, residual: those that the model has. For a vector model the column\n"
     "laplacian is the divergence of the score. --out FILE writes a file instead.\n"
     "\n"
     "Example: flowgap evaluate exact:gmm9 points.csv > values.csv\n",
     2, 2, fg_run_evaluate},
    {"residual", "MODEL [options]", "Fokker-Planck residual of a model under several measures, and a report",
     "Takes the residual of the model uniformly in a box, at target samples noised to t, along\n"
     "the paths of its SDE and along those of its ODE; writes norms with standard errors,\n"
     "quantiles, the largest value and its place, profiles in time and maps into a run\n"
     "directory with config.yaml, results.json, maps.h5, log.txt and report.html. Without\n"
     "--out it is runs/NAME-residual, named after MODEL; an earlier run there is replaced.\n"
     "Potential models have a scalar residual, vector models that of their score. The settings\n"
     "residual.* choose measures, points, times, box and maps. --json prints results.json.\n"
     "\n"
     "Example: flowgap residual perturbed:gmm9 --set residual.points=2000 --out runs/residual\n",
     1, 1, fg_run_residual},
    {"distance", "A B [options]", "distances between two sample files, with floor, interval and p-value",
     "A and B are files of particles, one per row: HDF5 (FILE:NAME chooses a data set), NPZ\n"
     "(FILE:NAME an array), NPY or CSV. Each estimate comes with its noise floor, confidence\n"
     "interval and p-value; the settings compare.* choose grid, points, replicates and\n"
     "permutations. --estimator all takes all that the dimension allows.\n"
     "\n"
     "Columns called weight and log_density are no coordinates; --columns x,y or 1,3-5\n"
     "chooses the coordinates of both files, by names of the header or numbers from 1.\n"
     "--weights W names the weights of the rows: a column of CSV or NPY, a data set of HDF5,\n"
     "an array of NPZ, or another file with one number per row; W,V does so for A and B\n"
     "apart, and none stands for equal weights.\n"
     "\n"
     "--json prints all figures as JSON, --out FILE.json writes them too.\n"
     "\n"
     "Example: flowgap distance runs/exact-gmm9/samples.h5:ode b.csv --estimator exact,gaussian\n",
     2, 2, fg_run_distance},
    {"report", "RUN... [options]", "the page of a run again, in other formats, or several runs side by side",
     "Writes RUN/report.html from results.json, config.yaml and samples.h5 in RUN. Of several\n"
     "runs it writes one page, report.html or the --out file, that lays them side by side:\n"
     "headline figures, what differs in their settings, figures on common axes.\n"
     "\n"
     "--format takes one or more of html, pdf, png, json and md, separated by commas: pdf and\n"
     "png print the page with chromium, which has to be installed; json holds the figures of\n"
     "results.json and those that the page derives; md is a summary with tables and pictures\n"
     "beside it. --out names the file without the ending, or, for one format, with it.\n"
     "\n"
     "Example: flowgap report runs/first runs/second --format html,pdf --out both\n",
     1, FG_ARGUMENTS, fg_run_report},
    {"target", "build FILE.c [options]", "build a density of your own into a plugin",
     "Compiles FILE.c, which holds the functions of flowgap/plugin.h, with $CC or cc into\n"
     "FILE.so or the --out file, and checks it: its functions are there, and, if the file\n"
     "tells its dimension, values are finite, the score is the gradient of the log-density,\n"
     "and several threads get the same bits. These checks run again whenever it is used.\n"
     "\n"
     "Example: flowgap target build my_target.c\n",
     2, 2, fg_run_target},
    {"info", "[options]", "version, engines, instruction set, threads, libraries",
     "Says what this build can do on this machine.\n", 0, 0, fg_run_info},
    {"help", "[VERB | settings | KEY] [options]", "help on a verb, on all settings, or on one",
     "`flowgap help settings` lists every setting; `flowgap help flow.sde` those of a group;\n"
     "`flowgap help flow.sde.steps` describes one, with its type and range.\n",
     0, 1, fg_run_help},
};

static const fg_option options[FG_OPTIONS] = {
    [FG_OPTION_SET] = {"set", "KEY=VALUE", "-report target info help",
                       "override a setting; may be repeated, the last one wins"},
    [FG_OPTION_OUT] = {"out", "PATH", "-info help",
                       "run directory (compare, density, residual, train, sweep) or file (sample, evaluate, "
                       "export, target, distance, report) "
                       "to write"},
    [FG_OPTION_THREADS] = {"threads", "N", "-report target info help",
                           "worker threads; default: all cores. Never changes results"},
    [FG_OPTION_ENGINE] = {"engine", "NAME", "-report target info help",
                          "auto, cpu, cuda or cpu-check; default auto: cuda where its plugin finds a "
                          "GPU, else cpu (and cpu for targets of kind plugin)"},
    [FG_OPTION_TF32] = {"tf32", NULL, "-report target info help",
                        "products in single precision by tensor cores, factors rounded to 10 bits "
                        "(engine cuda); changes results"},
    [FG_OPTION_SEED] = {"seed", "N", "-report target info help", "the same as --set seed=N"},
    [FG_OPTION_JSON] = {"json", NULL, NULL, "print results as JSON"},
    [FG_OPTION_QUIET] = {"quiet", NULL, NULL, "no progress, no summary"},
    [FG_OPTION_VERBOSE] = {"verbose", NULL, NULL, "name the source line of a failure"},
    [FG_OPTION_HELP] = {"help", NULL, NULL, "show this help"},
    [FG_OPTION_VERSION] = {"version", NULL, NULL, "show the version"},
    [FG_OPTION_FLOW] = {"flow", "ode|sde", "sample", "law to draw from; default ode"},
    [FG_OPTION_COUNT] = {"count", "N", "sample", "particles to draw; default: compare.particles"},
    [FG_OPTION_LOG_DENSITY] = {"log-density", NULL, "sample",
                               "carry the log-density along the ODE and write it too"},
    [FG_OPTION_NOISE_TIME] = {"noise-time", "T", "sample",
                              "stop at this noising time (for the SDE: a time of its grid)"},
    [FG_OPTION_ESTIMATOR] = {"estimator", "LIST", "distance",
                             "exact, grid, sinkhorn, sliced, max_sliced, gaussian, entropic, mmd, energy, "
                             "or all; default: compare.estimators"},
    [FG_OPTION_COLUMNS] = {"columns", "LIST", "distance",
                           "coordinates: names or numbers of columns, as x,y or 1,3-5"},
    [FG_OPTION_WEIGHTS] = {"weights", "W[,V]", "distance",
                           "weights of the rows: a column, data set, array or file; none: equal weights"},
    [FG_OPTION_FORMAT] = {"format", "LIST", "report", "html, pdf, png, json, md; default html"},
    [FG_OPTION_RESUME] = {"resume", NULL, "compare train",
                          "go on from the checkpoint (compare: unfinished.bin) of the run directory"},
    [FG_OPTION_SEEDS] = {"seeds", "N", "train", "train with N seeds"},
    [FG_OPTION_SET_GRID] = {"set-grid", "KEY=V1,V2,..", "sweep",
                            "values that a setting goes through; repeated: all combinations"},
    [FG_OPTION_NO_COMPARE] = {"no-compare", NULL, "sweep", "only train"},
    [FG_OPTION_TARGET_ERROR] =
        {"target-error", "E", "compare",
         "choose particles, steps and tolerances so that the model's gap is known to E; the "
         "same as --set compare.target_error=E"},
    [FG_OPTION_MAN] = {"man", NULL, "help", "print the man page"},
    [FG_OPTION_MARKDOWN] = {"markdown", NULL, "help", "print the table of settings as Markdown"},
};

const fg_verb *fg_verbs(size_t *count)
{
  *count = sizeof verbs / sizeof *verbs;
  return verbs;
}

const fg_option *fg_options(void)
{
  return options;
}

bool fg_option_belongs(const fg_option *option, const fg_verb *verb)
{
  bool common = fg_option_is_common(option);
  if (!option->verbs || !verb) return common;
  const char *list = option->verbs + common;
  size_t length = strlen(verb->name);
  for (const char *at = list; (at = strstr(at, verb->name)) != NULL; at += length)
    if ((at == list || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0')) return !common;
  return common;
}

bool fg_option_is_common(const fg_option *option)
{
  return !option->verbs || option->verbs[0] == '-';
}

const fg_verb *fg_verb_find(const char *name)
{
  for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
    if (strcmp(verbs[i].name, name) == 0) return &verbs[i];
  return NULL;
}
