/* The comparison of the two laws of a model, its other runs, and their reports. */
#ifndef FLOWGAP_ANALYSIS_H
#define FLOWGAP_ANALYSIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flowgap/base.h"
#include "flowgap/distance.h"
#include "flowgap/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the main job ----------------------------------------------------------------------- */

/* Compare the ODE and SDE laws of the model in the settings; writes the run directory
 * (config.yaml, results.json, samples.h5, log.txt, report.html; docs/run-directory.md). */
FG_CHECKED FG_API fg_code fg_compare_run(fg_engine *engine, const fg_settings *settings,
                                         const char *run_directory, const fg_progress *progress,
                                         fg_status *st);

/* The same, going on from what a run that was stopped or killed has left there (unfinished.bin), to the bits of one
 * that was never stopped. FG_USAGE where there is nothing, or something of other settings; `or_anew`: then it begins anew. */
FG_CHECKED FG_API fg_code fg_compare_resume(fg_engine *engine, const fg_settings *settings,
                                            const char *run_directory, bool or_anew,
                                            const fg_progress *progress, fg_status *st);

/* The Fokker-Planck residual of the model in the settings (residual.*) under their measures; writes the run
 * directory (config.yaml, results.json, maps.h5, log.txt, report.html; docs/run-directory.md). */
FG_CHECKED FG_API fg_code fg_residual_run(fg_engine *engine, const fg_settings *settings,
                                          const char *run_directory, const fg_progress *progress,
                                          fg_status *st);

/* Densities of both laws of the model on a grid, d = 1, 2, and what separates them (settings density.*); writes a run
 * directory with config.yaml, results.json, densities.h5, log.txt and report.html. */
FG_CHECKED FG_API fg_code fg_density_run(fg_engine *engine, const fg_settings *settings,
                                         const char *run_directory, const fg_progress *progress,
                                         fg_status *st);

/* Write run_directory/report.html from what lies beside it. */
FG_CHECKED FG_API fg_code fg_report_write(const char *run_directory, fg_status *st);

/* The same page, or that of several runs side by side, in any of these formats. pdf and png need a headless chromium on the
 * PATH (FG_UNSUPPORTED without); the pictures of md go to a folder beside it, PATH without its ending and "_figures". */
typedef enum fg_report_format {
  FG_REPORT_HTML,
  FG_REPORT_PDF,
  FG_REPORT_PNG,
  FG_REPORT_JSON,
  FG_REPORT_MD,
  FG_REPORT_FORMATS
} fg_report_format;
/* "html" "pdf" "png" "json" "md", which are the endings of their files too */
FG_API const char *fg_report_format_name(fg_report_format format);

typedef struct fg_report_output {
  fg_report_format format;
  const char *path;
} fg_report_output;
FG_CHECKED FG_API fg_code fg_report_save(const char *const *run_directories, size_t runs,
                                         const fg_report_output *outputs, size_t count, fg_status *st);

/* ---- a sweep ----------------------------------------------------------------------------- */

/* One of the runs of a sweep, which differ in some settings. */
typedef struct fg_sweep_member {
  const char *name; /* folder of its training, where there was one; its comparison is in NAME-compare */
  const char *const *values; /* [keys], as they were given */
  const char *failed;        /* what stopped it, or NULL */
} fg_sweep_member;

typedef struct fg_sweep {
  size_t keys, members;
  const char *const *key;
  const fg_sweep_member *member;
  const char *command; /* what repeats the sweep */
  uint64_t seed;
  double seconds;
} fg_sweep;

/* The folder of a sweep, made or gone on with: config.yaml of what its members share. FG_USAGE when it holds a run of
 * another kind. */
FG_CHECKED FG_API fg_code fg_sweep_open(const char *folder, const fg_settings *settings, fg_status *st);

/* results.json of the sweep, from those of its members in `folder` (docs/run-directory.md), and report.html: the curve
 * of gap against quality. */
FG_CHECKED FG_API fg_code fg_sweep_write(const char *folder, fg_engine *engine, const fg_sweep *sweep,
                                         fg_status *st);

#ifdef __cplusplus
}
#endif
#endif
