/* The inside of a trainer; private to src/train/. */
#ifndef FG_TRAINER_IMPL_H
#define FG_TRAINER_IMPL_H

#include "engine.h"
#include "flowgap/train.h"
#include "target/density.h"
#include "train/network.h"
#include "train/pool.h"
#include "train/steps.h"

/* Buffers of a batch of paths and what comes back of them. */
typedef struct fg_path_room {
  size_t n;
  fg_buf x, rnd[FG_TRAIN_FORMS], lost;
  double *start;                 /* [n, d] */
  double *value[FG_TRAIN_FORMS]; /* [n], rnd */
  int32_t *step;                 /* [n], of loss */
} fg_path_room;

/* A network in training. */
typedef struct fg_trained {
  fg_train_network network; /* its weights are those of the last save */
  fg_model *model;          /* keeps the density that `field` points to */
  fg_field field;
  size_t packed;                                    /* numbers in a pack */
  fg_buf weights, gradient, first, second, average; /* average: only with settings.ema */
} fg_trained;

enum { FG_NETWORKS = 2 };

/* Losses at points: denoising score matching, and the residual. What is not in use is empty. */
typedef struct fg_point_part {
  fg_point_room batch, held_out;                   /* of the denoising loss: of a step, of evaluations */
  fg_point_room residual, held_residual;           /* of the residual */
  fg_point_law data, place;                        /* their laws */
  fg_path_pool pool, held_pool;                    /* place.where is PATH */
  fg_pool_start start;                             /* of its paths */
  fg_buf pool_weights;                             /* those that the pool was drawn with */
  uint64_t pool_step;                              /* ... and when */
  uint64_t seed, pool_seed, held_seed, held_start; /* of the residual's points and paths, held out or not */
} fg_point_part;

struct fg_trainer {
  fg_engine *engine; /* borrowed, as the next three; the prior may be NULL for DSM without paths */
  const fg_process *process;
  const fg_target *target;
  const fg_prior *prior;
  fg_train_settings settings;
  fg_prior_view start;
  size_t d;
  uint64_t seed, held_out;     /* of training and of evaluation */
  fg_trained net[FG_NETWORKS]; /* the control; of a bridge, that of the noising process */
  int nets;
  fg_density density; /* of the target */
  fg_buf density_buffer[FG_DENSITY_BUFFERS];
  size_t density_buffers;
  fg_path_ends ends[FG_TRAIN_FORMS];
  fg_path_grid grid, evaluation_grid;
  fg_path_room batch, evaluation;
  fg_point_part points;
  double *moments;     /* of the evaluation and the target, shares of modes */
  uint64_t done, lost; /* steps; paths and points that were lost in them */
  double seconds;      /* that steps and evaluations took */
  fg_train_step last;  /* the one before this moment, also after loading */
};

/* Buffers and arrays for n paths; release in any case. */
FG_CHECKED fg_code fg_path_room_create(const fg_trainer *trainer, size_t n, fg_path_room *room,
                                       fg_status *st);
void fg_path_room_release(const fg_trainer *trainer, fg_path_room *room);

/* Starts number first / group .. of `seed`, each `group` times, into room->x. */
FG_CHECKED fg_code fg_trainer_start(const fg_trainer *trainer, uint64_t seed, uint64_t first, size_t group,
                                    fg_path_room *room, fg_status *st);

fg_paths_request fg_trainer_request(const fg_trainer *trainer, const fg_path_grid *grid,
                                    const fg_path_room *room, uint64_t seed, uint64_t first,
                                    const fg_progress *progress);

/* The field of a network with these weights and the clip of step k. */
fg_field fg_trainer_field(const fg_trainer *trainer, const fg_trained *net, fg_buf weights, uint64_t k);

/* Those that are evaluated and kept. */
fg_buf fg_trainer_weights(const fg_trainer *trainer, const fg_trained *net);
size_t fg_trainer_real_bytes(const fg_trainer *trainer, const fg_trained *net); /* of a pack */

/* What to do about a step that failed on its numbers. */
const char *fg_trainer_advice(const fg_trainer *trainer);

/* point_loss.c. Rooms and pools, as the settings ask for them; release in any case. */
FG_CHECKED fg_code fg_point_part_create(fg_trainer *trainer, fg_status *st);
void fg_point_part_release(fg_trainer *trainer);
/* Loss of the next batch of points, its gradient in that of the network. */
FG_CHECKED fg_code fg_trainer_denoise(fg_trainer *trainer, const fg_progress *progress, fg_train_step *step,
                                      fg_status *st);
/* The residual on its next points; its gradient is added. Nothing while its weight is 0. */
FG_CHECKED fg_code fg_trainer_residual(fg_trainer *trainer, const fg_progress *progress, fg_train_step *step,
                                       fg_status *st);
/* Both on points that are held out. */
FG_CHECKED fg_code fg_trainer_judge_points(fg_trainer *trainer, const fg_progress *progress,
                                           fg_train_evaluation *evaluation, fg_status *st);
/* The paths of the pool again, from the weights in pool_weights. */
FG_CHECKED fg_code fg_trainer_refill(fg_trainer *trainer, const fg_progress *progress, fg_status *st);

#endif
