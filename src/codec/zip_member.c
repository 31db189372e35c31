/* zip_member.c - the content of one member: a stream that checks size and CRC-32 as it passes. */
#include "codec/zip_internal.h"

#include "base/auto.h"

#include <zlib.h>
#ifdef KELLET_HAVE_ISAL
#include <isa-l/crc.h>
#endif

enum { METHOD_STORED = 0, METHOD_DEFLATE = 8 };

struct member {
    struct stream s;
    struct stream *raw;      /* the bytes as stored */
    struct stream *inflated; /* raw itself, or a filter over it */
    uint64_t left;
    uint32_t crc, want_crc;
};

static uint32_t crc_update(uint32_t crc, const uint8_t *p, size_t n)
{
#ifdef KELLET_HAVE_ISAL
    return crc32_gzip_refl(crc, p, n);
#else
    return (uint32_t)crc32_z(crc, p, n);
#endif
}

static int member_fill(struct stream *s, struct err *e)
{
    struct member *m = (struct member *)s;
    const uint8_t *p;
    int64_t have = stream_view(m->inflated, &p, e);
    if (have < 0)
        return (int)have;
    if ((uint64_t)have > m->left)
        return err_set(e, ERR_FORMAT, "larger than the directory says");
    if (have == 0) {
        if (m->left)
            return err_set(e, ERR_FORMAT, "%llu bytes shorter than the directory says",
                           (unsigned long long)m->left);
        if (m->crc != m->want_crc)
            return err_set(e, ERR_FORMAT, "content does not match its CRC-32");
        s->eof = true;
        return 0;
    }
    m->crc = crc_update(m->crc, p, (size_t)have);
    m->left -= (uint64_t)have;
    stream_consume(m->inflated, (size_t)have);
    s->p = p;
    s->end = p + have;
    return 0;
}

static void member_close(struct stream *s)
{
    struct member *m = (struct member *)s;
    if (m->inflated != m->raw)
        stream_close(m->inflated);
    stream_close(m->raw);
    free(m);
}

static const struct stream_ops member_ops = {
    .name = "zip member", .fill = member_fill, .close = member_close};

int zip_content(struct zip *z, const struct zip_entry *entry, struct stream **out, struct err *e)
{
    if (entry->method != METHOD_STORED && entry->method != METHOD_DEFLATE)
        return err_set(e, ERR_UNSUPPORTED, "zip compression method %u", entry->method);
    if (entry->method == METHOD_STORED && entry->size != entry->compressed_size)
        return err_set(e, ERR_FORMAT, "stored, but with two different sizes");
    uint64_t at;
    int r = zip_locate(z, entry, &at, e);
    if (r < 0)
        return r;
    struct member *m = calloc(1, sizeof *m);
    if (!m)
        return err_no_memory(e);
    m->s.ops = &member_ops;
    m->left = entry->size;
    m->want_crc = entry->crc32;
    r = spool_stream(z->file, at, entry->compressed_size, &m->raw, e);
    m->inflated = m->raw;
    if (r == 0 && entry->method == METHOD_DEFLATE) {
        struct inflate_limits l = {.max_out = z->limits.max_member};
        r = stream_inflate(m->raw, COMP_DEFLATE, &l, &m->inflated, e);
        if (r < 0)
            m->inflated = m->raw;
    }
    if (r < 0) {
        member_close(&m->s);
        return r;
    }
    *out = &m->s;
    return 0;
}
