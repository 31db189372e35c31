/* shard_writer.h - builds one shard file in memory.
 *
 * Strings are named by their number in an intern table and get their place when first used, so that
 * what is used together lies together and the same sequence of calls gives the same bytes. */
#ifndef KELLET_VULNDB_SHARD_WRITER_H
#define KELLET_VULNDB_SHARD_WRITER_H

#include "base/buf.h"
#include "base/vec.h"
#include "vulndb/intern.h"
#include "vulndb/shard.h"

struct shard_writer {
    enum shard_kind kind;
    str source, platform, ecosystem; /* borrowed */
    const struct intern *strings;    /* borrowed */
    uint32_t *refs;                  /* by string number; 0: not used yet (borrowed) */
    VEC(uint32_t) used;
    struct buf section[N_SECTIONS];
    struct buf file;
    bool failed;
};

/* `refs` has a zero for each string of the table, and again after shard_writer_done(). */
void shard_writer_init(struct shard_writer *w, enum shard_kind kind, str source,
                       const struct intern *strings, uint32_t *refs);
void shard_writer_done(struct shard_writer *w);
/* The place of a string. */
uint32_t shard_writer_str(struct shard_writer *w, uint32_t string);
/* Fills SEC_HASH for n rows whose names are name(ctx, i). */
bool shard_writer_hash(struct shard_writer *w, uint32_t n, size_t row);
/* Puts header and sections into w->file. */
int shard_writer_finish(struct shard_writer *w, struct err *e);

#endif
