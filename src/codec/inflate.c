/* inflate.c - decompression as streams: one table of engines, one filter around them.
 *
 * gzip and deflate go through libisal where the machine has it, else zlib. Every engine works from
 * the view of the stream below straight into the filter's buffer. */
#include "codec/stream.h"

#include "base/auto.h"

#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>
#ifdef KELLET_HAVE_ISAL
#include <isa-l/igzip_lib.h>
#endif

enum { OUT_BUFFER = 128 * 1024 };
static const uint64_t RATIO_GRACE = 16 << 20;   /* bytes out before the ratio is judged */
static const uint64_t XZ_MEMORY = 256ull << 20; /* dictionary limit */

struct inflate;

/* One step: consumes *in, fills *out. 1: a member (frame) ended; 0: go on; or a negative code. */
struct inflate_engine {
    const char *name;
    bool members; /* several members may follow each other */
    int (*open)(struct inflate *f, struct err *e);
    int (*step)(struct inflate *f, const uint8_t **in, size_t *n_in, uint8_t **out, size_t *n_out,
                struct err *e);
    int (*restart)(struct inflate *f, struct err *e); /* for the next member */
    void (*close)(struct inflate *f);
};

struct inflate {
    struct stream s;
    struct stream *below;
    const struct inflate_engine *engine;
    struct inflate_limits limits;
    uint64_t in_start, out_total;
    bool between; /* members */
    union {
        z_stream z;
        bz_stream bz;
        lzma_stream xz;
        ZSTD_DCtx *zstd;
#ifdef KELLET_HAVE_ISAL
        struct inflate_state *isal;
#endif
    } u;
    uint8_t buffer[OUT_BUFFER];
};

/* ---- gzip and raw deflate -----------------------------------------------------------------------
 */

#ifdef KELLET_HAVE_ISAL

static int isal_open_with(struct inflate *f, uint32_t crc_flag, struct err *e)
{
    f->u.isal = malloc(sizeof *f->u.isal);
    if (!f->u.isal)
        return err_no_memory(e);
    isal_inflate_init(f->u.isal);
    f->u.isal->crc_flag = crc_flag;
    return 0;
}
static int isal_gzip_open(struct inflate *f, struct err *e)
{
    return isal_open_with(f, ISAL_GZIP, e);
}
static int isal_deflate_open(struct inflate *f, struct err *e)
{
    return isal_open_with(f, ISAL_DEFLATE, e);
}

static int isal_step(struct inflate *f, const uint8_t **in, size_t *n_in, uint8_t **out,
                     size_t *n_out, struct err *e)
{
    struct inflate_state *z = f->u.isal;
    z->next_in = (uint8_t *)(uintptr_t)*in;
    z->avail_in = (uint32_t)*n_in;
    z->next_out = *out;
    z->avail_out = (uint32_t)*n_out;
    int r = isal_inflate(z);
    *in = z->next_in;
    *n_in = z->avail_in;
    *out = z->next_out;
    *n_out = z->avail_out;
    if (r == ISAL_INCORRECT_CHECKSUM)
        return err_set(e, ERR_FORMAT, "%s data do not match their checksum", f->engine->name);
    if (r < 0 || r == ISAL_NEED_DICT)
        return err_set(e, ERR_FORMAT, "broken %s data (libisal %d)", f->engine->name, r);
    return z->block_state == ISAL_BLOCK_FINISH;
}

static int isal_restart(struct inflate *f, struct err *e)
{
    uint32_t crc_flag = f->u.isal->crc_flag;
    isal_inflate_reset(f->u.isal);
    f->u.isal->crc_flag = crc_flag;
    return 0;
}

static void isal_close(struct inflate *f)
{
    free(f->u.isal);
}

static const struct inflate_engine gzip_engine = {"gzip",    true,         isal_gzip_open,
                                                  isal_step, isal_restart, isal_close};
static const struct inflate_engine deflate_engine = {"deflate", false,        isal_deflate_open,
                                                     isal_step, isal_restart, isal_close};

#else

static int zlib_open_with(struct inflate *f, int window_bits, struct err *e)
{
    f->u.z = (z_stream){0};
    return inflateInit2(&f->u.z, window_bits) == Z_OK ? 0 : err_no_memory(e);
}
static int zlib_gzip_open(struct inflate *f, struct err *e)
{
    return zlib_open_with(f, 15 + 16, e);
}
static int zlib_deflate_open(struct inflate *f, struct err *e)
{
    return zlib_open_with(f, -15, e);
}

static int zlib_step(struct inflate *f, const uint8_t **in, size_t *n_in, uint8_t **out,
                     size_t *n_out, struct err *e)
{
    z_stream *z = &f->u.z;
    z->next_in = (Bytef *)(uintptr_t)*in;
    z->avail_in = (uInt)*n_in;
    z->next_out = *out;
    z->avail_out = (uInt)*n_out;
    int r = inflate(z, Z_NO_FLUSH);
    *in = z->next_in;
    *n_in = z->avail_in;
    *out = z->next_out;
    *n_out = z->avail_out;
    if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
        return err_set(e, ERR_FORMAT, "broken %s data (%s)", f->engine->name,
                       z->msg ? z->msg : "zlib");
    return r == Z_STREAM_END;
}

static int zlib_restart(struct inflate *f, struct err *e)
{
    return inflateReset(&f->u.z) == Z_OK ? 0 : err_no_memory(e);
}

static void zlib_close(struct inflate *f)
{
    inflateEnd(&f->u.z);
}

static const struct inflate_engine gzip_engine = {"gzip",    true,         zlib_gzip_open,
                                                  zlib_step, zlib_restart, zlib_close};
static const struct inflate_engine deflate_engine = {"deflate", false,        zlib_deflate_open,
                                                     zlib_step, zlib_restart, zlib_close};

#endif

/* ---- zstd
 * ---------------------------------------------------------------------------------------- */

static int zstd_open(struct inflate *f, struct err *e)
{
    f->u.zstd = ZSTD_createDCtx();
    if (!f->u.zstd)
        return err_no_memory(e);
    ZSTD_DCtx_setParameter(f->u.zstd, ZSTD_d_windowLogMax, 27);
    return 0;
}

static int zstd_step(struct inflate *f, const uint8_t **in, size_t *n_in, uint8_t **out,
                     size_t *n_out, struct err *e)
{
    ZSTD_inBuffer from = {*in, *n_in, 0};
    ZSTD_outBuffer to = {*out, *n_out, 0};
    size_t r = ZSTD_decompressStream(f->u.zstd, &to, &from);
    *in += from.pos;
    *n_in -= from.pos;
    *out += to.pos;
    *n_out -= to.pos;
    if (ZSTD_isError(r))
        return err_set(e, ERR_FORMAT, "broken zstd data (%s)", ZSTD_getErrorName(r));
    return r == 0;
}

static int zstd_restart(struct inflate *f, struct err *e)
{
    return 0; /* libzstd starts the next frame by itself */
}

static void zstd_close(struct inflate *f)
{
    ZSTD_freeDCtx(f->u.zstd);
}

static const struct inflate_engine zstd_engine = {"zstd",    true,         zstd_open,
                                                  zstd_step, zstd_restart, zstd_close};

/* ---- xz and bzip2
 * -------------------------------------------------------------------------------- */

static int xz_open(struct inflate *f, struct err *e)
{
    f->u.xz = (lzma_stream)LZMA_STREAM_INIT;
    return lzma_stream_decoder(&f->u.xz, XZ_MEMORY, 0) == LZMA_OK ? 0 : err_no_memory(e);
}

static int xz_step(struct inflate *f, const uint8_t **in, size_t *n_in, uint8_t **out,
                   size_t *n_out, struct err *e)
{
    lzma_stream *z = &f->u.xz;
    z->next_in = *in;
    z->avail_in = *n_in;
    z->next_out = *out;
    z->avail_out = *n_out;
    lzma_ret r = lzma_code(z, LZMA_RUN);
    *in = z->next_in;
    *n_in = z->avail_in;
    *out = z->next_out;
    *n_out = z->avail_out;
    if (r == LZMA_MEMLIMIT_ERROR)
        return err_set(e, ERR_LIMIT, "xz data want a larger dictionary than %llu MiB",
                       (unsigned long long)(XZ_MEMORY >> 20));
    if (r != LZMA_OK && r != LZMA_STREAM_END && r != LZMA_BUF_ERROR)
        return err_set(e, ERR_FORMAT, "broken xz data (liblzma %d)", (int)r);
    return r == LZMA_STREAM_END;
}

static int xz_restart(struct inflate *f, struct err *e)
{
    lzma_end(&f->u.xz);
    return xz_open(f, e);
}

static void xz_close(struct inflate *f)
{
    lzma_end(&f->u.xz);
}

static const struct inflate_engine xz_engine = {"xz", true, xz_open, xz_step, xz_restart, xz_close};

static int bzip2_open(struct inflate *f, struct err *e)
{
    f->u.bz = (bz_stream){0};
    return BZ2_bzDecompressInit(&f->u.bz, 0, 0) == BZ_OK ? 0 : err_no_memory(e);
}

static int bzip2_step(struct inflate *f, const uint8_t **in, size_t *n_in, uint8_t **out,
                      size_t *n_out, struct err *e)
{
    bz_stream *z = &f->u.bz;
    z->next_in = (char *)(uintptr_t)*in;
    z->avail_in = (unsigned)*n_in;
    z->next_out = (char *)*out;
    z->avail_out = (unsigned)*n_out;
    int r = BZ2_bzDecompress(z);
    *in = (const uint8_t *)z->next_in;
    *n_in = z->avail_in;
    *out = (uint8_t *)z->next_out;
    *n_out = z->avail_out;
    if (r != BZ_OK && r != BZ_STREAM_END)
        return err_set(e, ERR_FORMAT, "broken bzip2 data (%d)", r);
    return r == BZ_STREAM_END;
}

static int bzip2_restart(struct inflate *f, struct err *e)
{
    BZ2_bzDecompressEnd(&f->u.bz);
    return bzip2_open(f, e);
}

static void bzip2_close(struct inflate *f)
{
    BZ2_bzDecompressEnd(&f->u.bz);
}

static const struct inflate_engine bzip2_engine = {"bzip2",    true,          bzip2_open,
                                                   bzip2_step, bzip2_restart, bzip2_close};

/* ---- the filter
 * ---------------------------------------------------------------------------------- */

static const struct inflate_engine *const engines[] = {
    [COMP_GZIP] = &gzip_engine,   [COMP_ZSTD] = &zstd_engine,       [COMP_XZ] = &xz_engine,
    [COMP_BZIP2] = &bzip2_engine, [COMP_DEFLATE] = &deflate_engine,
};

static int inflate_check(struct inflate *f, struct err *e)
{
    uint64_t in = f->below->consumed - f->in_start;
    if (f->limits.max_out && f->out_total > f->limits.max_out)
        return err_set(e, ERR_LIMIT, "more than %llu bytes when decompressed",
                       (unsigned long long)f->limits.max_out);
    if (f->limits.max_ratio && f->out_total > (f->limits.grace ? f->limits.grace : RATIO_GRACE) &&
        f->out_total / f->limits.max_ratio > in)
        return err_set(e, ERR_LIMIT,
                       "decompresses to more than %u times its size: looks like a bomb",
                       f->limits.max_ratio);
    return 0;
}

/* Between two members: zero padding may follow the last one. 1: another member starts, 0: the end.
 */
static int inflate_next_member(struct inflate *f, struct err *e)
{
    for (;;) {
        const uint8_t *p;
        int64_t have = stream_view(f->below, &p, e);
        if (have <= 0)
            return (int)have;
        if (!f->engine->members)
            return 0;
        if (*p != 0) {
            int r = f->engine->restart(f, e);
            return r < 0 ? r : 1;
        }
        stream_consume(f->below, 1);
    }
}

static int inflate_fill(struct stream *s, struct err *e)
{
    struct inflate *f = (struct inflate *)s;
    uint8_t *out = f->buffer;
    size_t room = sizeof f->buffer;
    while (room == sizeof f->buffer) {
        if (f->between) {
            int r = inflate_next_member(f, e);
            if (r < 0)
                return r;
            if (r == 0) {
                s->eof = true;
                break;
            }
            f->between = false;
        }
        const uint8_t *in;
        int64_t have = stream_view(f->below, &in, e);
        if (have < 0)
            return (int)have;
        size_t n_in = (size_t)have;
        int r = f->engine->step(f, &in, &n_in, &out, &room, e);
        if (r < 0)
            return r;
        stream_consume(f->below, (size_t)have - n_in);
        f->between = r == 1;
        if (have == 0 && !f->between && room == sizeof f->buffer)
            return err_set(e, ERR_FORMAT, "truncated %s data", f->engine->name);
    }
    s->p = f->buffer;
    s->end = out;
    f->out_total += (uint64_t)(out - f->buffer);
    return inflate_check(f, e);
}

static void inflate_close(struct stream *s)
{
    struct inflate *f = (struct inflate *)s;
    f->engine->close(f);
    free(f);
}

static const struct stream_ops inflate_ops = {
    .name = "inflate", .fill = inflate_fill, .close = inflate_close};

const char *compression_name(enum compression c)
{
    return (size_t)c < KE_ARRAY_LEN(engines) && engines[c] ? engines[c]->name : "none";
}

int stream_inflate(struct stream *below, enum compression c, const struct inflate_limits *l,
                   struct stream **out, struct err *e)
{
    if (c == COMP_NONE)
        return stream_limit(below, UINT64_MAX, out, e);
    if ((size_t)c >= KE_ARRAY_LEN(engines))
        return err_set(e, ERR_UNSUPPORTED, "unknown compression %d", (int)c);
    struct inflate *f = malloc(sizeof *f);
    if (!f)
        return err_no_memory(e);
    memset(f, 0, offsetof(struct inflate, buffer));
    f->s.ops = &inflate_ops;
    f->below = below;
    f->engine = engines[c];
    f->in_start = below->consumed;
    if (l)
        f->limits = *l;
    int r = f->engine->open(f, e);
    if (r < 0) {
        free(f);
        return r;
    }
    *out = &f->s;
    return 0;
}

int stream_sniff(struct stream *s, enum compression *out, struct err *e)
{
    static const struct {
        const char *magic;
        size_t n;
        enum compression c;
    } magics[] = {
        {"\x1f\x8b", 2, COMP_GZIP},
        {"\x28\xb5\x2f\xfd", 4, COMP_ZSTD},
        {"\xfd\x37zXZ\0", 6, COMP_XZ},
        {"BZh", 3, COMP_BZIP2},
    };
    const uint8_t *p;
    int64_t have = stream_view(s, &p, e);
    if (have < 0)
        return (int)have;
    *out = COMP_NONE;
    for (size_t i = 0; i < KE_ARRAY_LEN(magics); i++)
        if ((size_t)have >= magics[i].n && memcmp(p, magics[i].magic, magics[i].n) == 0)
            *out = magics[i].c;
    /* skippable zstd frames, 0x184D2A50 to 0x184D2A5F, may come first */
    if (have >= 4 && (p[0] & 0xf0) == 0x50 && memcmp(p + 1, "\x2a\x4d\x18", 3) == 0)
        *out = COMP_ZSTD;
    return 0;
}
