#include "vulndb/shard_writer.h"

#include "base/auto.h"
#include "base/hash.h"

/* Offsets of strings and ranges are 32 bits wide. */
#define SECTION_MAX ((size_t)UINT32_MAX - 16)

void shard_writer_init(struct shard_writer *w, enum shard_kind kind, str source,
                       const struct intern *strings, uint32_t *refs)
{
    *w = (struct shard_writer){.kind = kind, .source = source, .strings = strings, .refs = refs};
    for (int i = 0; i < N_SECTIONS; i++)
        buf_init(&w->section[i], SECTION_MAX);
    buf_init(&w->file, SIZE_MAX / 2);
    buf_add_char(&w->section[SEC_STRINGS], 0);
}

void shard_writer_done(struct shard_writer *w)
{
    for (size_t i = 0; i < w->used.n; i++)
        w->refs[w->used.p[i]] = 0;
    vec_done(&w->used);
    for (int i = 0; i < N_SECTIONS; i++)
        buf_done(&w->section[i]);
    buf_done(&w->file);
}

uint32_t shard_writer_str(struct shard_writer *w, uint32_t string)
{
    str text = intern_get(w->strings, string);
    if (text.n == 0)
        return 0;
    if (w->refs[string])
        return w->refs[string];
    uint32_t *used = vec_push(&w->used);
    if (!used) {
        w->failed = true;
        return 0;
    }
    *used = string;
    w->refs[string] = (uint32_t)w->section[SEC_STRINGS].n;
    buf_add_varint(&w->section[SEC_STRINGS], text.n);
    buf_add_str(&w->section[SEC_STRINGS], text);
    return w->refs[string];
}

/* The rows hold their names' places already; the first word, their hash, is set here. */
bool shard_writer_hash(struct shard_writer *w, uint32_t n, size_t row)
{
    uint32_t slots = 4;
    while (slots < n * 2ull && slots < 1u << 30)
        slots *= 2;
    uint32_t *table autofree = calloc(slots, sizeof *table);
    if (!table || w->section[SEC_ROWS].n != n * row) {
        w->failed = true;
        return false;
    }
    struct shard view = {.section = {[SEC_STRINGS] = buf_view(&w->section[SEC_STRINGS])}};
    for (uint32_t i = 0; i < n; i++) {
        char *p = w->section[SEC_ROWS].p + i * row;
        bool bad = false;
        uint64_t hash = shard_hash(shard_str(&view, shard_u32(p + 4), &bad));
        for (int b = 0; b < 4; b++)
            p[b] = (char)(hash >> (32 + 8 * b));
        uint32_t at = (uint32_t)hash & (slots - 1);
        while (table[at])
            at = (at + 1) & (slots - 1);
        table[at] = i + 1;
    }
    for (uint32_t i = 0; i < slots; i++)
        buf_add_u32(&w->section[SEC_HASH], table[i]);
    return true;
}

int shard_writer_finish(struct shard_writer *w, struct err *e)
{
    str names[] = {w->source, w->platform, w->ecosystem};
    size_t header = 8 + 4 + 4 + 8 + N_SECTIONS * 16 + 8, total;
    for (size_t i = 0; i < KE_ARRAY_LEN(names); i++) {
        if (names[i].n > 1024)
            return err_set(e, ERR_LIMIT, "the name of a platform is longer than 1024 bytes");
        header += 2 + names[i].n;
    }
    total = header;
    for (int i = 0; i < N_SECTIONS; i++) {
        int r = buf_check(&w->section[i], "a section of a shard", e);
        if (r < 0)
            return r;
        total = (total + 7) / 8 * 8 + w->section[i].n;
    }
    if (w->failed || !buf_reserve(&w->file, total))
        return err_no_memory(e);
    buf_add_str(&w->file, STR(SHARD_MAGIC));
    buf_add_u32(&w->file, w->kind);
    buf_add_u32(&w->file, (uint32_t)header);
    buf_add_u64(&w->file, total);
    size_t at = header;
    for (int i = 0; i < N_SECTIONS; i++) {
        at = (at + 7) / 8 * 8;
        buf_add_u64(&w->file, at);
        buf_add_u64(&w->file, w->section[i].n);
        at += w->section[i].n;
    }
    for (size_t i = 0; i < KE_ARRAY_LEN(names); i++) {
        buf_add_u16(&w->file, (uint16_t)names[i].n);
        buf_add_str(&w->file, names[i]);
    }
    buf_add_u64(&w->file, hash64(w->file.p, w->file.n));
    for (int i = 0; i < N_SECTIONS; i++) {
        while (w->file.n % 8)
            buf_add_char(&w->file, 0);
        buf_add_str(&w->file, buf_view(&w->section[i]));
    }
    return buf_check(&w->file, "a shard", e);
}
