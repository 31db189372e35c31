/* tar.c - the walk over headers; tar_sparse.c expands sparse files. */
#include "codec/tar.h"

#include "codec/tar_internal.h"

enum { BLOCK = 512 };

static const struct tar_limits tar_defaults = {
    .max_path = 64 << 10, .max_pax = 1 << 20, .max_entries = 16u << 20};

struct tar {
    struct stream *below;
    struct tar_limits limits;
    uint64_t entries;
    uint64_t left;    /* stored content bytes not yet read */
    uint32_t padding; /* after the stored content */
    uint64_t content_at;
    struct stream *content; /* of the current entry */
    struct pax pax;         /* of the next entry */
    struct buf path, link, scratch;
};

/* ---- numbers and checksums
 * ------------------------------------------------------------------------ */

/* An octal field, or GNU's base-256 (first byte 0x80 or 0xff). False when it is neither or
 * negative. */
static bool tar_number(const uint8_t *field, size_t n, uint64_t *out)
{
    uint64_t v = 0;
    if (field[0] & 0x80) {
        if (field[0] != 0x80)
            return false;
        for (size_t i = 1; i < n; i++) {
            if (v >> 56)
                return false;
            v = v << 8 | field[i];
        }
        *out = v;
        return true;
    }
    size_t i = 0;
    while (i < n && field[i] == ' ')
        i++;
    for (; i < n && field[i] && field[i] != ' '; i++) {
        if (field[i] < '0' || field[i] > '7' || v >> 61)
            return false;
        v = v << 3 | (uint64_t)(field[i] - '0');
    }
    *out = v;
    return true;
}

static bool tar_checksum_ok(const uint8_t *h)
{
    uint64_t want;
    if (!tar_number(h + 148, 8, &want))
        return false;
    uint32_t sum = 8 * ' ';
    int32_t signed_sum = 8 * ' ';
    for (size_t i = 0; i < BLOCK; i++) {
        if (i >= 148 && i < 156)
            continue;
        sum += h[i];
        signed_sum += (int8_t)h[i];
    }
    return sum == want || (uint64_t)(int64_t)signed_sum == want;
}

static bool tar_block_zero(const uint8_t *h)
{
    for (size_t i = 0; i < BLOCK; i++)
        if (h[i])
            return false;
    return true;
}

static str tar_field(const uint8_t *field, size_t n)
{
    return (str){(const char *)field, strnlen((const char *)field, n)};
}

/* ---- paths
 * ---------------------------------------------------------------------------------------- */

/* Cleans a path as tar.h promises into *out; true when it has a ".." component. */
static bool tar_clean(str raw, struct buf *out)
{
    bool unsafe = false;
    buf_clear(out);
    while (raw.n) {
        str part = str_split(&raw, '/');
        if (part.n == 0 || str_eq(part, STR(".")))
            continue;
        unsafe |= str_eq(part, STR(".."));
        if (out->n)
            buf_add_char(out, '/');
        buf_add_str(out, part);
    }
    return unsafe;
}

/* ---- extended headers
 * ----------------------------------------------------------------------------- */

static int tar_read_meta(struct tar *t, uint64_t size, struct buf *out, struct err *e)
{
    if (size > t->limits.max_pax)
        return err_set(e, ERR_LIMIT, "an extended tar header of %llu bytes is over the limit of %u",
                       (unsigned long long)size, t->limits.max_pax);
    buf_clear(out);
    char *to = buf_reserve(out, (size_t)size);
    if (size && !to)
        return err_no_memory(e);
    int r = stream_read_exact(t->below, to, (size_t)size, e);
    if (r < 0)
        return err_wrap(e, "extended tar header");
    out->n = (size_t)size;
    return stream_skip(t->below, (BLOCK - size % BLOCK) % BLOCK, e) < 0 ? ERR_FORMAT : 0;
}

static int tar_meta_text(struct tar *t, uint64_t size, struct buf *into, bool *present,
                         struct err *e)
{
    int r = tar_read_meta(t, size, &t->scratch, e);
    if (r < 0)
        return r;
    buf_clear(into);
    buf_add(into, t->scratch.p, strnlen(t->scratch.p ? t->scratch.p : "", t->scratch.n));
    *present = true;
    return buf_check(into, "a path in the archive", e);
}

/* ---- one header
 * ------------------------------------------------------------------------------------ */

static enum tar_type tar_type_of(uint8_t flag, str raw_path)
{
    switch (flag) {
    case '0':
    case '\0':
    case '7': /* contiguous */
        return raw_path.n && raw_path.p[raw_path.n - 1] == '/' ? TAR_DIR : TAR_FILE;
    case 'S':
        return TAR_FILE;
    case '1':
        return TAR_HARDLINK;
    case '2':
        return TAR_SYMLINK;
    case '3':
        return TAR_CHAR;
    case '4':
        return TAR_BLOCK;
    case '5':
    case 'D':
        return TAR_DIR;
    case '6':
        return TAR_FIFO;
    default:
        return TAR_OTHER;
    }
}

/* The path of the header itself: prefix and name for ustar, name alone for GNU and V7. */
static void tar_header_path(const uint8_t *h, struct buf *out)
{
    buf_clear(out);
    bool posix = memcmp(h + 257, "ustar\0", 6) == 0;
    str prefix = posix ? tar_field(h + 345, 155) : (str){NULL, 0};
    if (prefix.n) {
        buf_add_str(out, prefix);
        buf_add_char(out, '/');
    }
    buf_add_str(out, tar_field(h, 100));
}

static int tar_begin_content(struct tar *t, const uint8_t *h, struct tar_entry *entry,
                             uint64_t stored, struct err *e)
{
    t->left = stored;
    t->padding = (uint32_t)((BLOCK - stored % BLOCK) % BLOCK);
    t->content_at = t->below->consumed;
    if (entry->type != TAR_FILE)
        return 0;
    struct sparse_source src = {t->below, &t->left, &t->pax, h, &t->content_at};
    if (h[156] == 'S' || t->pax.sparse)
        return tar_sparse_open(&src, &t->content, &entry->size, e);
    entry->size = stored;
    return tar_plain_open(t->below, &t->left, &t->content, e);
}

/* Turns a header and what the extended headers before it said into *entry. */
static int tar_fill_entry(struct tar *t, const uint8_t *h, struct tar_entry *entry, struct err *e)
{
    uint64_t stored = 0, number;
    if (!tar_number(h + 124, 12, &stored) && !t->pax.has_size)
        return err_set(e, ERR_FORMAT, "a tar header has an impossible size");
    if (t->pax.has_size)
        stored = t->pax.size;
    if (!t->pax.has_path)
        tar_header_path(h, &t->scratch);
    str raw = t->pax.has_path ? buf_view(&t->pax.path) : buf_view(&t->scratch);
    *entry = (struct tar_entry){.type = tar_type_of(h[156], raw)};
    entry->unsafe = tar_clean(raw, &t->path);
    str link = t->pax.has_link ? buf_view(&t->pax.link) : tar_field(h + 157, 100);
    if (entry->type == TAR_HARDLINK) {
        entry->unsafe |= tar_clean(link, &t->link);
    } else {
        buf_clear(&t->link);
        buf_add_str(&t->link, link);
    }
    int r = buf_check(&t->path, "a path in the archive", e);
    if (r == 0)
        r = buf_check(&t->link, "a link in the archive", e);
    if (r < 0)
        return r;
    entry->path = buf_view(&t->path);
    entry->link = buf_view(&t->link);
    entry->mode = tar_number(h + 100, 8, &number) ? (uint32_t)number & 07777 : 0;
    entry->uid = tar_number(h + 108, 8, &number) ? (uint32_t)number : 0;
    entry->gid = tar_number(h + 116, 8, &number) ? (uint32_t)number : 0;
    entry->mtime = tar_number(h + 136, 12, &number) ? (int64_t)number : 0;
    if (t->pax.has_mtime)
        entry->mtime = t->pax.mtime;
    /* links, devices and directories have no content, whatever the size field says (hard links in
     * pax archives may have some: then it follows and is skipped) */
    bool content = entry->type == TAR_FILE || entry->type == TAR_OTHER ||
                   (entry->type == TAR_HARDLINK && memcmp(h + 257, "ustar\0", 6) == 0);
    return tar_begin_content(t, h, entry, content ? stored : 0, e);
}

/* Skips what is left of the current entry. */
static int tar_finish_entry(struct tar *t, struct err *e)
{
    stream_close(t->content);
    t->content = NULL;
    uint64_t rest = t->left + t->padding;
    if (rest < t->left)
        return err_set(e, ERR_FORMAT, "a tar header has an impossible size");
    t->left = t->padding = 0;
    if (rest == 0)
        return 0;
    int64_t skipped = stream_skip(t->below, rest, e);
    if (skipped < 0)
        return (int)skipped;
    /* the padding of the very last entry may be missing */
    if ((uint64_t)skipped + BLOCK <= rest)
        return err_set(e, ERR_FORMAT, "the archive is truncated inside %.*s",
                       STR_ARG(str_sub(buf_view(&t->path), 0, 200)));
    return 0;
}

/* Reads one 512-byte block. 1, or 0 at a clean end, or a negative code. */
static int tar_block(struct tar *t, uint8_t h[BLOCK], struct err *e)
{
    int64_t got = stream_read(t->below, h, BLOCK, e);
    if (got <= 0)
        return (int)got;
    if (got < BLOCK)
        return err_set(e, ERR_FORMAT, "the archive is truncated inside a header");
    return 1;
}

/* An extended header? 1: read into t->pax, 0: an ordinary header, or a negative code. */
static int tar_extended(struct tar *t, const uint8_t *h, struct err *e)
{
    uint64_t size;
    if (!strchr("xgLKNVM", h[156]) || h[156] == '\0')
        return 0;
    if (!tar_number(h + 124, 12, &size))
        return err_set(e, ERR_FORMAT, "an extended tar header has an impossible size");
    int r;
    switch (h[156]) {
    case 'x':
        r = tar_read_meta(t, size, &t->scratch, e);
        if (r == 0)
            r = pax_parse(&t->pax, buf_view(&t->scratch), e);
        break;
    case 'L':
        r = tar_meta_text(t, size, &t->pax.path, &t->pax.has_path, e);
        break;
    case 'K':
        r = tar_meta_text(t, size, &t->pax.link, &t->pax.has_link, e);
        break;
    default: /* global headers, volume labels, old dump records: nothing in them concerns us */
        r = tar_read_meta(t, size, &t->scratch, e);
        break;
    }
    return r < 0 ? r : 1;
}

int tar_next(struct tar *t, struct tar_entry *entry, struct err *e)
{
    uint8_t h[BLOCK];
    int r = tar_finish_entry(t, e);
    if (r < 0)
        return r;
    pax_clear(&t->pax);
    for (unsigned extended = 0;;) {
        r = tar_block(t, h, e);
        if (r < 0)
            return r;
        if (extended && (r == 0 || tar_block_zero(h)))
            return err_set(e, ERR_FORMAT, "the archive is truncated after an extended header");
        if (r == 0)
            return 0;
        if (tar_block_zero(h)) {
            /* the end mark is two zero blocks; a lone one is tolerated, data after it are not lost
             */
            r = tar_block(t, h, e);
            if (r <= 0 || tar_block_zero(h))
                return r < 0 ? r : 0;
        }
        if (!tar_checksum_ok(h))
            return err_set(e, ERR_FORMAT, "not a tar header at byte %llu (wrong checksum)",
                           (unsigned long long)(t->below->consumed - BLOCK));
        r = tar_extended(t, h, e);
        if (r < 0)
            return r;
        if (r == 0)
            break;
        if (++extended > 16)
            return err_set(e, ERR_LIMIT, "more than 16 extended headers for one entry");
    }
    if (++t->entries > t->limits.max_entries)
        return err_set(e, ERR_LIMIT, "more than %llu entries in the archive",
                       (unsigned long long)t->limits.max_entries);
    r = tar_fill_entry(t, h, entry, e);
    return r < 0 ? r : 1;
}

int tar_open(struct stream *below, const struct tar_limits *limits, struct tar **out, struct err *e)
{
    struct tar *t = calloc(1, sizeof *t);
    if (!t)
        return err_no_memory(e);
    t->below = below;
    t->limits = limits ? *limits : tar_defaults;
    if (!t->limits.max_path)
        t->limits.max_path = tar_defaults.max_path;
    if (!t->limits.max_pax)
        t->limits.max_pax = tar_defaults.max_pax;
    if (!t->limits.max_entries)
        t->limits.max_entries = tar_defaults.max_entries;
    buf_init(&t->path, t->limits.max_path);
    buf_init(&t->link, t->limits.max_path);
    buf_init(&t->scratch, t->limits.max_pax + (size_t)BLOCK);
    pax_init(&t->pax, t->limits.max_path);
    *out = t;
    return 0;
}

struct stream *tar_content(struct tar *t)
{
    return t->content;
}

uint64_t tar_content_offset(const struct tar *t)
{
    return t->content_at;
}

void tar_close(struct tar *t)
{
    if (!t)
        return;
    stream_close(t->content);
    buf_done(&t->path);
    buf_done(&t->link);
    buf_done(&t->scratch);
    pax_done(&t->pax);
    free(t);
}
