/* The network in training, a sampler's control or a score model: its description, its weights on the host, its field. */
#ifndef FG_TRAIN_NETWORK_H
#define FG_TRAIN_NETWORK_H

#include "engine.h"
#include "flowgap/train.h"

/* `settings` points into the other members; the weights are the network's own and writable. */
typedef struct fg_train_network {
  fg_network_settings settings;
  fg_guide_settings guide;
  size_t widths[FG_LAYERS_MAX + 1];
  const double *weights[FG_LAYERS_MAX], *biases[FG_LAYERS_MAX];
  double *memory;
} fg_train_network;

/* With initial weights keyed by the seed: PyTorch's law U(-1/sqrt(in), 1/sqrt(in)), phases N(0, 1) (0 where sin and
 * cos stand beside x), last layer 0 where it is to be, time factor 1. */
FG_CHECKED fg_code fg_train_network_create(const fg_train_settings *train, const fg_process *process,
                                           const fg_prior *prior, size_t d, fg_train_network *network,
                                           fg_status *st);
/* The control of a bridge's noising process: the same network in the vector form, without score information. */
FG_CHECKED fg_code fg_train_noising_create(const fg_train_settings *train, const fg_process *process,
                                           const fg_prior *prior, size_t d, fg_train_network *network,
                                           fg_status *st);
void fg_train_network_clear(fg_train_network *network);

#endif
