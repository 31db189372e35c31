/* shard.h - the shard file: its layout, and a reader that trusts nothing in it.
 *
 * docs/vulndb.md describes the format. All integers are little-endian. A string is named by its
 * offset in the strings section, where a varint length precedes the bytes; 0 is the empty string.
 * Rows have fixed sizes; everything else is reached by checked offsets. A reader that meets
 * nonsense sets `bad` and goes on with empty values: the caller looks once at the end. */
#ifndef KELLET_VULNDB_SHARD_H
#define KELLET_VULNDB_SHARD_H

#include "base/arena.h"
#include "base/cursor.h"
#include "version/version.h"
#include "vulndb/vulndb.h"

#define SHARD_MAGIC "KELLETV1"

enum shard_kind { SHARD_CLAIMS = 1, SHARD_VULNS, SHARD_TEXTS, SHARD_ALIASES };

enum shard_section {
    SEC_STRINGS,
    SEC_HASH,    /* u32 row + 1 each; 0: free; a power of two of them, linear probing */
    SEC_ROWS,    /* packages, vulns, alias ids or text places, in byte order of their name */
    SEC_CLAIMS,  /* claim rows, by package, vuln id, content */
    SEC_DETAILS, /* what claims share: kinds, words, dates */
    SEC_RANGES,  /* version ranges with keys */
    SEC_SCHEMES, /* names of 16 bytes, padded with NULs */
    SEC_DATA,    /* vulns: what few have; texts: zstd blocks; aliases: groups */
    N_SECTIONS
};

enum {
    SHARD_SCHEMES_MAX = 32,
    SHARD_SCHEME_NAME = 16,
    PACKAGE_ROW = 16, /* hash, name, first claim, number of claims */
    CLAIM_ROW = 16,   /* vuln row, detail, offset in ranges, fixed version */
    DETAIL_ROW = 40, /* bits, severity word, advisory, arch, module, channel, note, symbols, date */
    VULN_ROW = 28,   /* hash, id, bits, CVSS, EPSS score, EPSS percentile, offset in data */
    TEXT_ROW = 12,   /* block, offset, length */
    TEXT_BLOCK = 16, /* u64 offset in data after the table, compressed size, size */
    ALIAS_ROW = 12,  /* hash, id, offset of the group in data */
};

struct shard {
    enum shard_kind kind;
    str source, platform, ecosystem; /* views */
    str section[N_SECTIONS];
    const uint8_t *data;
    size_t size;
    bool mapped; /* data is a map of ours */
    const char *scheme_names[SHARD_SCHEMES_MAX];
    const struct version_ops *schemes[SHARD_SCHEMES_MAX]; /* NULL: a scheme this build lacks */
    size_t n_schemes;
    const struct shard *vulns, *texts; /* of the same source; NULL: none */
};

/* Reads the header. `check`: refuse when its checksum is wrong (always, but for the fuzzer). The
 * bytes are borrowed. */
int shard_open_memory(const void *data, size_t size, bool check, struct shard *out, struct err *e);
/* Maps a file; `size` is what the manifest says. */
int shard_open_file(const char *path, uint64_t size, struct shard *out, struct err *e);
void shard_close(struct shard *s);

static inline uint32_t shard_u32(const char *p)
{
    const uint8_t *b = (const uint8_t *)p;
    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}
/* Number of rows of a section of fixed rows. */
static inline uint32_t shard_rows(const struct shard *s, enum shard_section section, size_t row)
{
    size_t n = s->section[section].n / row;
    return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}
/* Row i, or NULL (and *bad) when there is none. */
const char *shard_row(const struct shard *s, enum shard_section section, size_t row, uint32_t i,
                      bool *bad);
str shard_str_at(const struct shard *s, uint32_t ref, bool *bad);
static inline str shard_str(const struct shard *s, uint32_t ref, bool *bad)
{
    return ref ? shard_str_at(s, ref, bad) : STR("");
}
/* cursor_u8 and cursor_varint, with their common case in line: most numbers are one byte. */
static inline uint8_t shard_take_u8(struct cursor *c)
{
    return KE_LIKELY(!c->failed && c->p < c->end) ? *c->p++ : cursor_u8(c);
}
static inline uint64_t shard_take_varint(struct cursor *c)
{
    return KE_LIKELY(!c->failed && c->p < c->end && *c->p < 0x80) ? *c->p++ : cursor_varint(c);
}
static inline str shard_take_bytes(struct cursor *c, uint64_t n)
{
    str bytes = {(const char *)c->p, n};
    if (KE_UNLIKELY(c->failed || n > (size_t)(c->end - c->p)))
        return cursor_bytes(c, SIZE_MAX);
    c->p += n;
    return bytes;
}
/* The row whose name (second word) is `name`, hash first; -1: none. `hash` is shard_hash(name). */
int64_t shard_find(const struct shard *s, size_t row, str name, uint64_t hash, bool *bad);
uint64_t shard_hash(str name);

/* A vuln by row, without details; aliases and summary in the arena or as views. */
bool shard_vuln(const struct shard *s, uint32_t row, struct arena *a, struct vuln *out);
/* The block of texts that was decompressed last, on the heap; starts as {0}. */
struct text_block {
    char *plain;
    uint32_t number, n;
};
void text_block_done(struct text_block *b);
/* The text of a vuln row: a view into the block, valid until its next use. */
int shard_text(const struct shard *texts, uint32_t row, struct text_block *b, str *out,
               struct err *e);
/* Claim i of a package, whole. */
int shard_claim(const struct shard *s, uint32_t i, str package, struct arena *a,
                struct db_claim *out, struct err *e);

/* A version asked about, with its key for each scheme made when first needed. */
struct version_query {
    str text;
    const struct version_ops *ops[4];
    struct buf keys[4];
    uint32_t hashes[4]; /* of the key, or of the text where it has none */
    size_t n;
};
void version_query_done(struct version_query *q);
/* Does the version lie in the ranges at `offset`? */
bool shard_ranges_cover(const struct shard *s, uint32_t offset, struct version_query *q, bool *bad);

#endif
