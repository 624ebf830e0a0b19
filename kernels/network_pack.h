/* Weights of a network in the order in which the kernels read them (kernels/body/network_layout.h), once in
 * double and once in float. On the host; the caller uploads the arrays. */
#ifndef FG_NETWORK_PACK_H
#define FG_NETWORK_PACK_H

#include "engine.h"

/* Numbers in a packed array: follows from the shape in field->as.network and field->d. */
size_t fg_network_pack_size(const fg_field *field);

/* Fill packed [fg_network_pack_size] from settings of that shape, which the caller has checked. */
void fg_network_pack(const fg_field *field, const fg_network_settings *settings, double *packed);
void fg_network_pack_single(const fg_field *field, const fg_network_settings *settings, float *packed);
/* The way back, into the arrays of `settings`, which must be the caller's own and writable. Packed gradients
 * come back as gradients, laid out as the weights. */
void fg_network_unpack(const fg_field *field, const double *packed, const fg_network_settings *settings);
void fg_network_unpack_single(const fg_field *field, const float *packed,
                              const fg_network_settings *settings);

#endif
