/* Are the stored chunks of a data set whole? HDF5 1.10 takes what a filter gives for a full chunk and reads beyond
 * it when a damaged file gives less, so sizes are checked before H5Dread. */
#ifndef FG_BASE_HDF5_CHUNKS_H
#define FG_BASE_HDF5_CHUNKS_H

#include <hdf5.h>
#include <stdbool.h>

/* True for a data set that is not chunked. Each chunk is unpacked once to see its size; a filter other than
 * shuffle, deflate and checksum at its end is taken on trust. Call it under the mutex of hdf5.c. */
bool fg_h5_chunks_whole(hid_t set);

#endif
