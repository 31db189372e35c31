/* ranges.h - the ranges section of a shard, for decode.c and covers.c.
 *
 * A set of ranges is: scheme (a byte), number of ranges and of exact versions (varints), then for
 * each range its flags (a byte), the strings of lo and hi (varints) and their keys (a varint length
 * and bytes) as far as the flags say, then for the exact versions u32 strings in the upstream's
 * order and (u32 hash of key or text, u32 number) in order of hash. */
#ifndef KELLET_VULNDB_RANGES_H
#define KELLET_VULNDB_RANGES_H

#include "vulndb/builder.h"

struct ranges {
    struct cursor at; /* the first range; after all have been taken, the exact versions */
    uint64_t n_ranges, n_exact;
    uint8_t scheme;
};
struct range_bound {
    uint32_t ref; /* 0: open */
    str key;      /* empty: none */
};

/* False when there is no sound set of ranges at the offset. */
bool ranges_open(const struct shard *s, uint32_t offset, struct ranges *out);
/* The next range's flags and bounds; look at cursor_ok(c) afterwards. */
uint8_t ranges_take(struct cursor *c, struct range_bound *lo, struct range_bound *hi);

#endif
