#include "base/hdf5_chunks.h"

#include <stdlib.h>
#include <zlib.h>

#include "base/file.h"

typedef struct layout {
  int rank;
  size_t bytes;            /* of a chunk, unpacked */
  unsigned deflate, other; /* bits of the filters in the pipeline */
  bool checksum;           /* the last filter adds 4 bytes */
} layout;

static bool find_layout(hid_t set, hid_t create, layout *l)
{
  hsize_t extent[H5S_MAX_RANK];
  hid_t type = H5Dget_type(set);
  l->bytes = type >= 0 ? H5Tget_size(type) : 0;
  if (type >= 0) H5Tclose(type);
  l->rank = H5Pget_chunk(create, H5S_MAX_RANK, extent);
  bool fits = l->bytes && l->rank > 0 && l->rank <= H5S_MAX_RANK;
  for (int k = 0; fits && k < l->rank; ++k) fits = fg_mul_fits(l->bytes, extent[k], &l->bytes);
  int filters = H5Pget_nfilters(create);
  for (int k = 0; fits && k < filters; ++k) {
    unsigned flags;
    size_t parameters = 0;
    H5Z_filter_t filter = H5Pget_filter2(create, (unsigned)k, &flags, &parameters, NULL, 0, NULL, NULL);
    l->checksum = filter == H5Z_FILTER_FLETCHER32;
    if (filter == H5Z_FILTER_DEFLATE)
      l->deflate |= 1u << k;
    else if (filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_FLETCHER32)
      l->other |= 1u << k;
  }
  return fits && filters >= 0 && filters <= 32;
}

/* Does the packed chunk unpack to just the size of a chunk? */
static bool unpacks(const layout *l, const unsigned char *packed, size_t size)
{
  unsigned char *room = malloc(l->bytes);
  uLongf length = l->bytes;
  bool good = room && uncompress(room, &length, packed, size) == Z_OK && length == l->bytes;
  free(room);
  return good;
}

static bool chunk_whole(hid_t set, hid_t space, hsize_t index, const layout *l)
{
  hsize_t offset[H5S_MAX_RANK], size;
  haddr_t address;
  unsigned mask; /* filters that were left out for this chunk */
  uint32_t read_mask;
  if (H5Dget_chunk_info(set, space, index, offset, &mask, &address, &size) < 0) return false;
  size_t extra = l->checksum ? 4 : 0;
  if (l->other & ~mask) return true;
  if (!(l->deflate & ~mask)) return size == l->bytes + extra;
  /* deflate packs at most 1032 to 1 */
  if (size <= extra || size > SIZE_MAX / 2 || (l->bytes >> 11) > size) return false;
  unsigned char *packed = malloc((size_t)size);
  bool good = packed && H5Dread_chunk(set, H5P_DEFAULT, offset, &read_mask, packed) >= 0 &&
              unpacks(l, packed, (size_t)size - extra);
  free(packed);
  return good;
}

bool fg_h5_chunks_whole(hid_t set)
{
  hid_t create = H5Dget_create_plist(set), space = H5Dget_space(set);
  layout l = {0};
  hsize_t count = 0;
  bool good = create >= 0 && space >= 0;
  bool chunked = good && H5Pget_layout(create) == H5D_CHUNKED;
  good = good && (!chunked || (find_layout(set, create, &l) && H5Dget_num_chunks(set, space, &count) >= 0));
  for (hsize_t k = 0; good && k < count; ++k) good = chunk_whole(set, space, k, &l);
  if (space >= 0) H5Sclose(space);
  if (create >= 0) H5Pclose(create);
  return good;
}
