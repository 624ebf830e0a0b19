/* The numbers of the controlled SDE on a time grid, from process, prior, method and integrator. */
#ifndef FG_TRAIN_STEPS_H
#define FG_TRAIN_STEPS_H

#include "engine.h"
#include "flowgap/train.h"
#include "target/prior.h"

/* FG_USAGE when method, process and prior do not go together. */
FG_CHECKED fg_code fg_sampler_check(fg_train_method method, const fg_process *process,
                                    const fg_prior_view *prior, fg_status *st);

/* What follows holds for what the check lets through. */

/* From t_from down to t_to. */
fg_path_step fg_path_step_between(const fg_process *process, fg_train_method method,
                                  fg_train_integrator integrator, size_t d, double t_from, double t_to);

fg_path_ends fg_path_ends_of(const fg_process *process, const fg_prior_view *prior, fg_train_method method,
                             fg_train_form form, size_t d);

/* A grid from T to 0, ready for a request. */
typedef struct fg_path_grid {
  size_t steps;
  fg_coeff *coeff;    /* [steps + 1] */
  fg_path_step *step; /* [steps] */
} fg_path_grid;

FG_CHECKED fg_code fg_path_grid_create(const fg_process *process, const fg_train_settings *settings, size_t d,
                                       size_t steps, fg_path_grid *grid, fg_status *st);
void fg_path_grid_clear(fg_path_grid *grid);

#endif
