/* chunk_cut.h - cuts bytes into chunks at places that the content itself determines, so that an
 * insertion changes the chunks around it and no others (FastCDC's method: a rolling gear hash with
 * normalized chunk sizes). */
#ifndef KELLET_STORE_CHUNK_CUT_H
#define KELLET_STORE_CHUNK_CUT_H

#include "base/str.h"

enum { CHUNK_MIN = 4 << 10, CHUNK_MEAN = 16 << 10, CHUNK_MAX = 128 << 10 };

struct chunk_cutter {
    uint64_t gear[256];
};

void chunk_cutter_init(struct chunk_cutter *c);
/* Length of the first chunk of `rest` (all of it when short). */
size_t chunk_cut(const struct chunk_cutter *c, str rest);

#endif
