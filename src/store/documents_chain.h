/* documents_chain.h - contents of parts as they are stored: whole, or as what differs from another
 * one. Only for documents*.c.
 *
 * A whole content: column chunks has the runs of its chunks' ids, parts its table, compressed:
 *     the number of parts; for each its name, size, number of chunks, length of its tail;
 *     then all tails
 * One that differs (column base: from which content; delta: its own bytes, compressed): chunks has
 * only the runs of the ids that the base does not name, parts the table and the runs of all of its
 * ids, compressed with the base's table and runs as dictionary. Each part has five members more:
 *     the length of its bytes in delta; the number of pieces and for each the bytes that come out
 *     of chunks, then the bytes of its own; the number of pairs and for each how many chunks of the
 *     base's part of that name are left out and how many stand in the dictionary
 * The dictionary of a part's own bytes: those chunks of the base's part, then the base's own bytes
 * of the part. Integers and lengths are varints. The row's digest is over all of that and the
 * digest of the base, so what is read is what was written. */
#ifndef KELLET_STORE_DOCUMENTS_CHAIN_H
#define KELLET_STORE_DOCUMENTS_CHAIN_H

#include "store/documents_internal.h"

/* Levels: the content, its base, the base's base... up to a whole one. */
enum {
    CHAIN_MAX = 16,
    CHAIN_TABLE_MAX = 16 << 20,
    CHAIN_OWN_MAX = 8 << 20, /* own bytes of a part, and their dictionary */
    CHAIN_PARTS_MAX = 1000,
};

struct content_entry {
    str name, tail;
    uint64_t size, first, chunks; /* chunks: how many of the content's list, from which on */
    str packed;                   /* own bytes; empty: none */
    str pieces, leaps;            /* pairs of varints */
};

struct content_level {
    const struct content_row *row;
    struct buf raw; /* table, then runs */
    str runs;
    VEC(struct content_entry) entries;
};

struct content_chain {
    size_t n; /* [0]: the content that was asked for; [n - 1] is whole */
    struct content_level levels[CHAIN_MAX];
    struct content_row rows[CHAIN_MAX]; /* of the levels from 1 on */
};

/* c, which is borrowed, has parts. To be closed in any case. */
int content_chain_open(struct db_tx *tx, const struct content_row *c, struct content_chain *ch,
                       struct err *e);
void content_chain_close(struct content_chain *ch);

typedef VEC(int64_t) content_ids;

/* NULL: no such part. */
const struct content_entry *content_chain_find(const struct content_chain *ch, size_t level,
                                               str name);
/* Appends the ids of the part's chunks; of all parts when x is NULL. */
int content_chain_ids(const struct content_chain *ch, size_t level, const struct content_entry *x,
                      content_ids *out, struct err *e);
/* Appends the bytes of a part of level 0. */
int content_chain_read(struct documents *d, struct db_tx *tx, const struct content_chain *ch,
                       const struct content_entry *x, struct buf *out, struct err *e);
/* Appends what the own bytes of the part at `level` are made of, for the level before: chunks that
 * the leaps of x (of that level) tell, then own bytes. */
int content_chain_dictionary(struct documents *d, struct db_tx *tx, const struct content_chain *ch,
                             size_t level, const struct content_entry *x, struct buf *out,
                             struct err *e);

/* Digests of rows. base NULL: it is a whole one. */
struct sha256 content_parts_digest(str raw, str chunks, str delta, const struct sha256 *base);

/* A content of these parts that differs from the content `base`: 1; 0: that would not be worth
 * while, or there is no such base. The base stays until tx ends. */
int content_delta_insert(struct documents *d, struct db_tx *tx, int64_t base,
                         const struct document_part *parts, size_t n, int64_t *id, struct err *e);
/* How many bytes of a part stand in its row's table, at its end. */
size_t content_part_tail(const struct documents *d, const struct document_part *part);

#endif
