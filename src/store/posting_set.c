#include "store/posting_set.h"

#include "base/cursor.h"

#include <stdlib.h>

enum { FORM_MEMBERS, FORM_BITMAP, FORM_MISSING };

void posting_set_init(struct posting_set *s)
{
    *s = (struct posting_set){0};
}

void posting_set_done(struct posting_set *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->blocks[i]);
    free(s->blocks);
    *s = (struct posting_set){0};
}

uint64_t *posting_set_block(struct posting_set *s, uint64_t block)
{
    if (block >= POSTING_BLOCKS_MAX)
        return NULL;
    if (block >= s->n) {
        size_t n = block + 1 > 2 * s->n ? block + 1 : 2 * s->n;
        uint64_t **grown = realloc(s->blocks, n * sizeof *grown);
        if (!grown)
            return NULL;
        memset(grown + s->n, 0, (n - s->n) * sizeof *grown);
        s->blocks = grown;
        s->n = n;
    }
    if (!s->blocks[block])
        s->blocks[block] = calloc(POSTING_WORDS, sizeof(uint64_t));
    return s->blocks[block];
}

bool posting_set_add(struct posting_set *s, int64_t image)
{
    uint64_t *words = image < 0 ? NULL : posting_set_block(s, (uint64_t)image / POSTING_BLOCK);
    if (words)
        words[(uint64_t)image % POSTING_BLOCK / 64] |= (uint64_t)1 << image % 64;
    return words != NULL;
}

bool posting_set_has(const struct posting_set *s, int64_t image)
{
    uint64_t block = (uint64_t)image / POSTING_BLOCK;
    return image >= 0 && block < s->n && s->blocks[block] &&
           s->blocks[block][(uint64_t)image % POSTING_BLOCK / 64] >> image % 64 & 1;
}

bool posting_set_join(struct posting_set *s, const struct posting_set *more)
{
    for (size_t i = 0; i < more->n; i++) {
        uint64_t *words = more->blocks[i] ? posting_set_block(s, i) : NULL;
        if (more->blocks[i] && !words)
            return false;
        for (size_t k = 0; words && k < POSTING_WORDS; k++)
            words[k] |= more->blocks[i][k];
    }
    return true;
}

static unsigned count_of(const uint64_t *words)
{
    unsigned n = 0;
    for (size_t i = 0; i < POSTING_WORDS; i++)
        n += (unsigned)__builtin_popcountll(words[i]);
    return n;
}

uint64_t posting_set_count(const struct posting_set *s)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        n += s->blocks[i] ? count_of(s->blocks[i]) : 0;
    return n;
}

int64_t posting_set_next(const struct posting_set *s, int64_t from)
{
    uint64_t at = from < 0 ? 0 : (uint64_t)from;
    for (uint64_t block = at / POSTING_BLOCK; block < s->n; block++, at = block * POSTING_BLOCK) {
        if (!s->blocks[block])
            continue;
        uint64_t word = at % POSTING_BLOCK / 64, bits = s->blocks[block][word] >> at % 64;
        if (bits)
            return (int64_t)at + __builtin_ctzll(bits);
        while (++word < POSTING_WORDS)
            if ((bits = s->blocks[block][word]))
                return (int64_t)(block * POSTING_BLOCK + word * 64) + __builtin_ctzll(bits);
    }
    return -1;
}

/* ---- the stored form */

static void add_gaps(const uint64_t *words, uint64_t flip, struct buf *out)
{
    uint64_t next = 0;
    for (uint64_t i = 0; i < POSTING_WORDS; i++)
        for (uint64_t bits = words[i] ^ flip; bits; bits &= bits - 1) {
            uint64_t at = i * 64 + (uint64_t)__builtin_ctzll(bits);
            buf_add_varint(out, at - next);
            next = at + 1;
        }
}

void posting_encode(const uint64_t words[POSTING_WORDS], struct buf *out)
{
    unsigned n = count_of(words);
    size_t before = out->n;
    if (n == 0)
        return;
    if (n < POSTING_BLOCK / 8 || n > POSTING_BLOCK - POSTING_BLOCK / 8) {
        bool few = n < POSTING_BLOCK / 8;
        buf_add_char(out, few ? FORM_MEMBERS : FORM_MISSING);
        add_gaps(words, few ? 0 : ~(uint64_t)0, out);
        if (out->n - before < POSTING_BYTES_MAX)
            return;
        out->n = before;
    }
    buf_add_char(out, FORM_BITMAP);
    for (size_t i = 0; i < POSTING_WORDS; i++)
        buf_add_u64(out, words[i]);
}

static int take_gaps(struct cursor *c, uint64_t *words)
{
    uint64_t at = 0;
    while (cursor_left(c)) {
        uint64_t gap = cursor_varint(c);
        if (!cursor_ok(c) || gap >= POSTING_BLOCK || (at += gap) >= POSTING_BLOCK)
            return -1;
        words[at / 64] |= (uint64_t)1 << at % 64;
        at++;
    }
    return cursor_ok(c) ? 0 : -1;
}

static int take_missing(struct cursor *c, uint64_t *words)
{
    uint64_t missing[POSTING_WORDS] = {0};
    int r = take_gaps(c, missing);
    for (size_t i = 0; r == 0 && i < POSTING_WORDS; i++)
        words[i] |= ~missing[i];
    return r;
}

int posting_decode(str bytes, uint64_t words[POSTING_WORDS], struct err *e)
{
    struct cursor c = cursor_over(bytes.p, bytes.n);
    uint8_t form = cursor_u8(&c);
    int r = cursor_ok(&c) && form <= FORM_MISSING ? 0 : -1;
    if (r == 0 && form == FORM_MEMBERS)
        r = take_gaps(&c, words);
    else if (r == 0 && form == FORM_BITMAP) {
        for (size_t i = 0; i < POSTING_WORDS; i++)
            words[i] |= cursor_u64le(&c);
        r = cursor_ok(&c) && !cursor_left(&c) ? 0 : -1;
    } else if (r == 0) {
        r = take_missing(&c, words);
    }
    return r == 0 ? 0 : err_set(e, ERR_FORMAT, "a stored list of images is damaged");
}
