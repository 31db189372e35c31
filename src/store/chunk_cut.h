/* chunk_cut.h - cuts bytes into chunks at places that the content itself determines, so that an
 * insertion changes the chunks around it and no others (FastCDC's method: a rolling gear hash with
 * normalized chunk sizes). */
#ifndef KELLET_STORE_CHUNK_CUT_H
#define KELLET_STORE_CHUNK_CUT_H

#include "base/str.h"

/* A chunk is the least that a changed byte costs, and each chunk has its row: documents of up to
 * CHUNK_SMALL_DOCUMENT bytes are cut small, larger ones four times as large. */
enum {
    CHUNK_MIN = 1 << 10,
    CHUNK_MEAN = 4 << 10,
    CHUNK_MAX = 128 << 10,
    CHUNK_SMALL_DOCUMENT = 4 << 20,
};

struct chunk_cutter {
    uint64_t gear[256];
};

void chunk_cutter_init(struct chunk_cutter *c);
/* Length of the first chunk of `rest` (all of it when short); large: of a large document. */
size_t chunk_cut(const struct chunk_cutter *c, str rest, bool large);

#endif
