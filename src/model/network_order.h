/* Which linear maps a file holds, and in which order they follow one another. */
#ifndef FG_NETWORK_ORDER_H
#define FG_NETWORK_ORDER_H

#include "base/safetensors.h"
#include "engine.h"

/* "hidden1" of "hidden1.weight"; out and in are its shape. */
typedef struct fg_linear {
  char stem[128];
  size_t in, out;
} fg_linear;

/* What is known of the ends of the chain. */
typedef struct fg_ends {
  size_t dimension; /* 0: not known */
  size_t time;      /* inputs of the first map that carry time */
  bool potential;   /* one output, else `dimension` of them */
} fg_ends;

/* Order the maps of the file that no entry of `apart` names: numbers as stems ("net.0", "net.2") in
 * numeric order, else the only chain in which each map takes what the one before gives and the ends fit.
 * Fails with FG_USAGE when there is no chain, or more than one, and says what to write in model.layers. */
FG_CHECKED fg_code fg_network_order(const char *path, const fg_tensors *tensors, const char *const *apart,
                                    size_t apart_count, const fg_ends *ends, fg_linear order[FG_LAYERS_MAX],
                                    size_t *count, fg_status *st);

/* "a.weight [80, 3], a.bias [80], ...", as much as fits. */
const char *fg_network_list(const fg_tensors *tensors, char *text, size_t room);

#endif
