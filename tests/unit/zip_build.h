/* zip_build.h - makes zip archives for tests, honest ones and liars: every field that can lie can
 * be set. */
#ifndef KELLET_TESTS_ZIP_BUILD_H
#define KELLET_TESTS_ZIP_BUILD_H

#include "base/buf.h"
#include "base/vec.h"

#include <zlib.h>

struct zb_member {
    str name, content;
    bool deflate, descriptor, zip64;
    uint16_t flags, method; /* method: 0 for what `deflate` says */
    int64_t lie_size;       /* added to the size in the directory */
    int64_t lie_offset;     /* added to the header offset in the directory */
    uint32_t lie_crc;       /* added */
    str local_name;         /* in the local header, when it is another */
};

struct zb_options {
    str leading;        /* bytes before the first member */
    bool count_leading; /* offsets count them */
    str comment, junk;  /* junk: behind the comment */
    bool zip64;
    int64_t lie_count, lie_directory_size, lie_directory_offset;
};

static inline void zb_raw_deflate(struct buf *out, str in)
{
    z_stream z = {0};
    deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
    size_t room = deflateBound(&z, in.n) + 64;
    z.next_in = (Bytef *)(uintptr_t)in.p;
    z.avail_in = (uInt)in.n;
    z.next_out = (Bytef *)buf_reserve(out, room);
    z.avail_out = (uInt)room;
    deflate(&z, Z_FINISH);
    out->n += room - z.avail_out;
    deflateEnd(&z);
}

static inline void zb_build(struct buf *out, const struct zb_member *members, size_t n,
                            const struct zb_options *options)
{
    static const struct zb_options none;
    const struct zb_options *o = options ? options : &none;
    auto_buf directory;
    buf_init(&directory, 1 << 28);
    buf_add_str(out, o->leading);
    size_t base = o->count_leading ? 0 : o->leading.n;
    for (size_t i = 0; i < n; i++) {
        const struct zb_member *m = &members[i];
        auto_buf body;
        buf_init(&body, 1 << 28);
        if (m->deflate)
            zb_raw_deflate(&body, m->content);
        else
            buf_add_str(&body, m->content);
        uint16_t flags = (uint16_t)(m->flags | (m->descriptor ? 8 : 0));
        uint16_t method = m->method ? m->method : m->deflate ? 8 : 0;
        uint32_t crc = (uint32_t)crc32_z(0, (const Bytef *)m->content.p, m->content.n) + m->lie_crc;
        uint64_t size = (uint64_t)((int64_t)m->content.n + m->lie_size);
        uint64_t offset = (uint64_t)((int64_t)(out->n - base) + m->lie_offset);
        str local = m->local_name.n ? m->local_name : m->name;

        buf_add(out, "PK\3\4\x14\0", 6);
        buf_add_u16(out, flags);
        buf_add_u16(out, method);
        buf_add_u32(out, 0);
        buf_add_u32(out, m->descriptor ? 0 : crc);
        buf_add_u32(out, m->descriptor ? 0 : m->zip64 ? UINT32_MAX : (uint32_t)body.n);
        buf_add_u32(out, m->descriptor ? 0 : m->zip64 ? UINT32_MAX : (uint32_t)size);
        buf_add_u16(out, (uint16_t)local.n);
        buf_add_u16(out, m->zip64 ? 20 : 0);
        buf_add_str(out, local);
        if (m->zip64) {
            buf_add_u16(out, 1);
            buf_add_u16(out, 16);
            buf_add_u64(out, size);
            buf_add_u64(out, body.n);
        }
        buf_add_str(out, buf_view(&body));
        if (m->descriptor) {
            buf_add(out, "PK\7\10", 4);
            buf_add_u32(out, crc);
            buf_add_u32(out, (uint32_t)body.n);
            buf_add_u32(out, (uint32_t)size);
        }

        buf_add(&directory, "PK\1\2\x14\0\x14\0", 8);
        buf_add_u16(&directory, flags);
        buf_add_u16(&directory, method);
        buf_add_u32(&directory, 0);
        buf_add_u32(&directory, crc);
        buf_add_u32(&directory, m->zip64 ? UINT32_MAX : (uint32_t)body.n);
        buf_add_u32(&directory, m->zip64 ? UINT32_MAX : (uint32_t)size);
        buf_add_u16(&directory, (uint16_t)m->name.n);
        buf_add_u16(&directory, m->zip64 ? 28 : 0);
        buf_add(&directory, "\0\0\0\0\0\0\0\0\0\0", 10);
        buf_add_u32(&directory, m->zip64 ? UINT32_MAX : (uint32_t)offset);
        buf_add_str(&directory, m->name);
        if (m->zip64) {
            buf_add_u16(&directory, 1);
            buf_add_u16(&directory, 24);
            buf_add_u64(&directory, size);
            buf_add_u64(&directory, body.n);
            buf_add_u64(&directory, offset);
        }
    }
    uint64_t at = (uint64_t)((int64_t)(out->n - base) + o->lie_directory_offset);
    uint64_t size = (uint64_t)((int64_t)directory.n + o->lie_directory_size);
    uint64_t count = (uint64_t)((int64_t)n + o->lie_count);
    buf_add_str(out, buf_view(&directory));
    if (o->zip64) {
        uint64_t end64 = out->n - base;
        buf_add(out, "PK\6\6", 4);
        buf_add_u64(out, 44);
        buf_add(out, "\x2d\0\x2d\0\0\0\0\0\0\0\0\0", 12);
        buf_add_u64(out, count);
        buf_add_u64(out, count);
        buf_add_u64(out, size);
        buf_add_u64(out, at);
        buf_add(out, "PK\6\7\0\0\0\0", 8);
        buf_add_u64(out, end64);
        buf_add_u32(out, 1);
    }
    buf_add(out, "PK\5\6\0\0\0\0", 8);
    buf_add_u16(out, o->zip64 ? UINT16_MAX : (uint16_t)count);
    buf_add_u16(out, o->zip64 ? UINT16_MAX : (uint16_t)count);
    buf_add_u32(out, o->zip64 ? UINT32_MAX : (uint32_t)size);
    buf_add_u32(out, o->zip64 ? UINT32_MAX : (uint32_t)at);
    buf_add_u16(out, (uint16_t)o->comment.n);
    buf_add_str(out, o->comment);
    buf_add_str(out, o->junk);
}

#endif
