/* rpm_build.h - makes small rpm headers and databases, as rpm writes them or damaged in one place.
 */
#ifndef KELLET_TESTS_RPM_BUILD_H
#define KELLET_TESTS_RPM_BUILD_H

#include "unit.h"

#include "base/buf.h"
#include "codec/rpmdb.h"
#include "codec/spool.h"

#include <stdio.h>

/* ---- numbers ------------------------------------------------------------------------------------
 */

static inline void put32(char *at, uint32_t v, bool big)
{
    for (int i = 0; i < 4; i++)
        at[i] = (char)(v >> (big ? 24 - 8 * i : 8 * i));
}
static inline void put16(char *at, uint16_t v, bool big)
{
    at[big ? 1 : 0] = (char)v;
    at[big ? 0 : 1] = (char)(v >> 8);
}
static inline void add32be(struct buf *b, uint32_t v)
{
    char four[4];
    put32(four, v, true);
    buf_add(b, four, 4);
}

/* ---- headers ------------------------------------------------------------------------------------
 */

struct build_tag {
    uint32_t tag, type, count;
    str data;
};

/* Index entries in the order given, data one after the other. */
static inline void build_header(const struct build_tag *tags, size_t n, struct buf *out)
{
    uint32_t size = 0;
    for (size_t i = 0; i < n; i++)
        size += (uint32_t)tags[i].data.n;
    add32be(out, (uint32_t)n);
    add32be(out, size);
    uint32_t at = 0;
    for (size_t i = 0; i < n; i++) {
        add32be(out, tags[i].tag);
        add32be(out, tags[i].type);
        add32be(out, at);
        add32be(out, tags[i].count);
        at += (uint32_t)tags[i].data.n;
    }
    for (size_t i = 0; i < n; i++)
        buf_add_str(out, tags[i].data);
}

/* A header of package p<number>, version 1, padded to about `size` bytes. */
static inline void build_package(uint32_t number, size_t size, struct buf *out)
{
    char name[16];
    int n = snprintf(name, sizeof name, "p%u", number);
    char *pad = calloc(1, size + 1);
    memset(pad, 'a' + (int)(number % 26), size);
    const struct build_tag tags[] = {
        {1000, 6, 1, {name, (size_t)n + 1}},
        {1001, 6, 1, STR_INIT("1\0")},
        {1004, 6, 1, {pad, size + 1}},
    };
    build_header(tags, KE_ARRAY_LEN(tags), out);
    free(pad);
}

/* ---- Berkeley DB --------------------------------------------------------------------------------
 */

struct build_bdb {
    uint32_t page_size, header, n_pages;
    bool big;
    char *p;
    uint32_t hash_page; /* being filled */
    uint16_t entries, low;
};

static inline char *bdb_page(struct build_bdb *b, uint32_t number)
{
    return b->p + (size_t)number * b->page_size;
}

static inline uint32_t bdb_new_page(struct build_bdb *b, uint8_t type)
{
    uint32_t number = b->n_pages++;
    b->p = realloc(b->p, (size_t)b->n_pages * b->page_size);
    char *page = bdb_page(b, number);
    memset(page, 0, b->page_size);
    put32(page + 8, number, b->big);
    put16(page + 22, (uint16_t)b->page_size, b->big);
    page[25] = (char)type;
    put32(b->p + 32, number, b->big);
    return number;
}

static inline void bdb_start(struct build_bdb *b, uint32_t page_size, bool big, bool checksum)
{
    *b = (struct build_bdb){.page_size = page_size, .big = big, .header = checksum ? 32 : 26};
    bdb_new_page(b, 8);
    put16(b->p + 22, 0, big);
    put32(b->p + 12, 0x061561, big);
    put32(b->p + 16, 9, big);
    put32(b->p + 20, page_size, big);
    b->p[26] = checksum ? 1 : 0;
}

static inline void bdb_item(struct build_bdb *b, const void *p, size_t n)
{
    char *page = bdb_page(b, b->hash_page);
    b->low = (uint16_t)(b->low - n);
    memcpy(page + b->low, p, n);
    put16(page + b->header + 2 * b->entries, b->low, b->big);
    put16(page + 20, ++b->entries, b->big);
    put16(page + 22, b->low, b->big);
}

static inline uint32_t bdb_chain(struct build_bdb *b, str value)
{
    uint32_t first = 0, before = 0, room = b->page_size - b->header;
    for (size_t at = 0; at < value.n; at += room) {
        uint32_t number = bdb_new_page(b, 7);
        str part = str_sub(value, at, at + room);
        memcpy(bdb_page(b, number) + b->header, part.p, part.n);
        put16(bdb_page(b, number) + 22, (uint16_t)part.n, b->big);
        if (before)
            put32(bdb_page(b, before) + 16, number, b->big);
        else
            first = number;
        before = number;
    }
    return first;
}

/* One record; the value goes to overflow pages where it is larger than a quarter of a page. */
static inline void bdb_record(struct build_bdb *b, uint32_t number, str value)
{
    char key[5] = {1}, chain[12] = {3};
    put32(key + 1, number, b->big);
    bool far = value.n > b->page_size / 4;
    if (far) {
        put32(chain + 4, bdb_chain(b, value), b->big);
        put32(chain + 8, (uint32_t)value.n, b->big);
    }
    size_t need = 5 + 4 + (far ? 12 : value.n + 1);
    if (!b->hash_page || b->header + 2 * (b->entries + 2) + need > b->low) {
        b->hash_page = bdb_new_page(b, 13);
        b->entries = 0;
        b->low = (uint16_t)b->page_size; /* 65536 wraps to 0, and the first item brings it back */
    }
    bdb_item(b, key, sizeof key);
    if (far) {
        bdb_item(b, chain, sizeof chain);
        return;
    }
    char *plain = malloc(value.n + 1);
    plain[0] = 1;
    memcpy(plain + 1, value.p, value.n);
    bdb_item(b, plain, value.n + 1);
    free(plain);
}

/* ---- what a reader said -------------------------------------------------------------------------
 */

struct seen {
    uint32_t n_blobs, n_lost;
    uint64_t bytes, numbers; /* sums */
    char first[500];         /* text of the first loss */
};

static inline int seen_blob(void *ctx, uint32_t number, str blob, struct err *e)
{
    struct seen *s = ctx;
    s->n_blobs++;
    s->bytes += blob.n;
    s->numbers += number;
    return 0;
}

static inline void seen_lost(void *ctx, const struct err *why)
{
    struct seen *s = ctx;
    if (s->n_lost++ == 0)
        snprintf(s->first, sizeof s->first, "%s", why->text);
}

typedef int rpmdb_reader(const struct spool *, const struct rpmdb_sink *, struct err *);

static inline int read_database(rpmdb_reader *read, str file, struct seen *out, struct err *e)
{
    struct spool *s = NULL;
    *out = (struct seen){0};
    assert_int_equal(spool_from_mem(file, &s, e), 0);
    struct rpmdb_sink sink = {seen_blob, seen_lost, out};
    int r = read(s, &sink, e);
    spool_free(s);
    return r;
}

#endif
