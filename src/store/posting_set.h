/* posting_set.h - sets of images by their numbers, and the compressed form in which they are
 * stored.
 *
 * Numbers are cut into blocks of 65,536. In memory a block is a bitmap of 8 KiB; stored it is the
 * smallest of: 0 and the gaps between its members, 1 and the bitmap, 2 and the gaps between those
 * that are missing (each gap a varint: distance to the one before, less one). */
#ifndef KELLET_STORE_POSTING_SET_H
#define KELLET_STORE_POSTING_SET_H

#include "base/buf.h"

enum {
    POSTING_BLOCK = 1 << 16,
    POSTING_WORDS = POSTING_BLOCK / 64,
    POSTING_BLOCKS_MAX = 1 << 16, /* 4,294,967,296 images in the life of a store */
    POSTING_BYTES_MAX = 1 + POSTING_BLOCK / 8
};

struct posting_set {
    uint64_t **blocks; /* NULL: none there */
    size_t n;
};

void posting_set_init(struct posting_set *s);
void posting_set_done(struct posting_set *s);
/* The words of a block, made when there are none; NULL when memory is out or the number is beyond
 * all bounds. */
uint64_t *posting_set_block(struct posting_set *s, uint64_t block);
/* False as above. */
bool posting_set_add(struct posting_set *s, int64_t image);
bool posting_set_has(const struct posting_set *s, int64_t image);
/* Adds all of `more`. False as above. */
bool posting_set_join(struct posting_set *s, const struct posting_set *more);
uint64_t posting_set_count(const struct posting_set *s);
/* The smallest member >= from; -1: none. */
int64_t posting_set_next(const struct posting_set *s, int64_t from);

/* Appends the stored form; at most POSTING_BYTES_MAX bytes. Nothing for an empty block. */
void posting_encode(const uint64_t words[POSTING_WORDS], struct buf *out);
/* Adds the stored members to the words. ERR_FORMAT when they make no sense. */
int posting_decode(str bytes, uint64_t words[POSTING_WORDS], struct err *e);

#endif
