/* builder.h - what builder.c gathers and build_*.c sort and write; internal to the room.
 *
 * Everything is numbers into intern tables until the end: a claim is 24 bytes, whatever it says.
 * Before writing, the numbers of strings become their ranks in byte order, so that order (and with
 * it every byte of the shards) does not depend on the order in which claims came. */
#ifndef KELLET_VULNDB_BUILDER_H
#define KELLET_VULNDB_BUILDER_H

#include "base/map.h"
#include "base/vec.h"
#include "vulndb/shard_writer.h"

/* What a detail says, as words of 32 bits; strings by number. */
enum detail_word {
    DETAIL_BITS, /* package kind 0-1, kind 2, state 3-6, severity 7-9, module_none 10 */
    DETAIL_SEVERITY_RAW,
    DETAIL_ADVISORY,
    DETAIL_ARCH,
    DETAIL_MODULE,
    DETAIL_CHANNEL,
    DETAIL_NOTE,
    DETAIL_SYMBOLS,
    DETAIL_DATE_LOW,
    DETAIL_DATE_HIGH,
    DETAIL_WORDS
};
/* Ranges as words: scheme, number of ranges, of exact versions, then (flags, lo, hi) each, then
 * each exact version. */
enum { RANGE_HEAD = 3, RANGE_WORDS = 3 };
enum range_flag {
    RANGE_LO_EXCLUDED = 1,
    RANGE_HI_INCLUDED = 2,
    RANGE_LO_KEY = 4,
    RANGE_HI_KEY = 8,
    RANGE_FROM_START = 16 /* lo is empty or "0" */
};

struct built_part {
    uint32_t platform, ecosystem;
};
struct built_claim {
    uint32_t part, package, vuln, detail, ranges, fixed;
};
struct built_vuln {
    struct vuln v; /* strings and aliases unset: they are below */
    uint32_t id, cvss_vector, summary, url;
    uint32_t aliases; /* in `aliases`: pairs of string and kind */
    str details;      /* in the arena */
    uint32_t order;   /* id's rank, while sorting */
    bool implied;     /* only named by claims */
};

struct vulndb_builder {
    struct claim_sink sink;
    char *data_dir;
    str source;
    struct arena arena;
    struct intern strings, details, ranges, aliases;
    VEC(struct built_part) parts;
    VEC(struct built_claim) claims;
    VEC(struct built_vuln) vulns;
    struct map drop_reasons; /* to drops, index + 1 */
    VEC(struct drop_count) drops;
    VEC(uint32_t) words; /* scratch */
    uint64_t records, claims_in;
    int64_t upstream_date;
    str upstream_version;
    void (*waiting)(void *ctx);
    void *waiting_ctx;
    /* while writing */
    uint32_t *rank, *by_rank, *refs, *vuln_rows;
    struct vulndb_stats stats;
};

/* Sorts and joins; then every number of a string in claims, details and ranges is a rank. */
int build_sort(struct vulndb_builder *b, struct err *e);
/* One shard each into w->file. `first` and `n`: the claims of one part. */
int build_claims(struct vulndb_builder *b, size_t first, size_t n, struct shard_writer *w,
                 struct err *e);
int build_vulns(struct vulndb_builder *b, struct shard_writer *w, struct err *e);
int build_texts(struct vulndb_builder *b, struct shard_writer *w, struct err *e);
void builder_drop(struct vulndb_builder *b, str reason, uint64_t n);

#endif
