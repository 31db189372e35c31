/* zip.c - the directory of an archive: end record, zip64, central directory, local headers.
 * zip_member.c has the content of members.
 *
 * The end record is looked for backwards. The directory must end where the end record (or the zip64
 * one) starts, so its place there says how many bytes lie before the archive; when no directory is
 * found at that place the offset is taken as it stands. */
#include "codec/zip_internal.h"

#include "base/auto.h"
#include "base/cursor.h"

enum {
    END_SIZE = 22,
    END64_SIZE = 56,
    LOCATOR64_SIZE = 20,
    CENTRAL_SIZE = 46,
    LOCAL_SIZE = 30,
    COMMENT_MAX = 65535,
    TAIL_FIRST = 1024,          /* most archives have no comment */
    WINDOW_MAX = 3 * 65536,     /* fixed part, name and extra of one record */
    WINDOW_READ = 64 * 1024,    /* bytes of the directory read at once */
    SIG_CENTRAL = 0x02014b50,   /* "PK\1\2" */
    SIG_LOCAL = 0x04034b50,     /* "PK\3\4" */
    SIG_END = 0x06054b50,       /* "PK\5\6" */
    SIG_END64 = 0x06064b50,     /* "PK\6\6" */
    SIG_LOCATOR64 = 0x07064b50, /* "PK\6\7" */
    EXTRA_ZIP64 = 1,
    FLAG_ENCRYPTED = 1,
    FLAG_DESCRIPTOR = 1 << 3,
    FLAG_MASKED = 1 << 13,
};

static const struct zip_limits zip_defaults = {
    .max_entries = 1000000, .max_member = 2ull << 30, .max_ratio = 1100};

/* What the end record (and its zip64 form) says. */
struct end_record {
    uint64_t at; /* where the record that follows the directory starts */
    uint64_t count, size, offset;
    bool zip64;
};

/* ---- the end record -----------------------------------------------------------------------------
 */

/* Looks in tail (which ends with the file) for the last end record: first one whose comment ends
 * with the file, else one with junk behind it. */
static int64_t end_find(const uint8_t *tail, size_t n)
{
    int64_t loose = -1;
    for (size_t i = n < END_SIZE ? 0 : n - END_SIZE + 1; i-- > 0;) {
        if (tail[i] != 'P' || tail[i + 1] != 'K' || tail[i + 2] != 5 || tail[i + 3] != 6)
            continue;
        size_t comment = (size_t)tail[i + 20] | (size_t)tail[i + 21] << 8;
        if (i + END_SIZE + comment == n)
            return (int64_t)i;
        if (loose < 0 && i + END_SIZE + comment < n)
            loose = (int64_t)i;
    }
    return loose;
}

static int end_parse(const uint8_t *p, struct end_record *end, struct err *e)
{
    struct cursor c = cursor_over(p, END_SIZE);
    cursor_skip(&c, 4);
    uint16_t disk = cursor_u16le(&c), cd_disk = cursor_u16le(&c);
    cursor_skip(&c, 2);
    end->count = cursor_u16le(&c);
    end->size = cursor_u32le(&c);
    end->offset = cursor_u32le(&c);
    if ((disk != 0 && disk != 0xffff) || (cd_disk != 0 && cd_disk != 0xffff))
        return err_set(e, ERR_UNSUPPORTED, "zip archive in several volumes");
    return 0;
}

/* Reads the zip64 end record in front of the end record, when there is one. `room` is where the
 * end record starts. */
static int end64_read(const struct spool *file, struct end_record *end, struct err *e)
{
    uint8_t b[END64_SIZE];
    if (end->at < LOCATOR64_SIZE + END64_SIZE)
        return 0;
    int r = spool_read(file, b, LOCATOR64_SIZE, end->at - LOCATOR64_SIZE, e);
    if (r < 0)
        return r;
    struct cursor c = cursor_over(b, LOCATOR64_SIZE);
    if (cursor_u32le(&c) != SIG_LOCATOR64)
        return 0;
    cursor_skip(&c, 4);
    uint64_t limit = end->at - LOCATOR64_SIZE - END64_SIZE;
    const uint64_t places[] = {cursor_u64le(&c), limit};
    for (size_t i = 0; i < KE_ARRAY_LEN(places); i++) {
        if (places[i] > limit)
            continue;
        r = spool_read(file, b, END64_SIZE, places[i], e);
        if (r < 0)
            return r;
        c = cursor_over(b, END64_SIZE);
        if (cursor_u32le(&c) != SIG_END64)
            continue;
        cursor_skip(&c, 8 + 2 + 2 + 4 + 4 + 8);
        *end = (struct end_record){.at = places[i], .zip64 = true};
        end->count = cursor_u64le(&c);
        end->size = cursor_u64le(&c);
        end->offset = cursor_u64le(&c);
        return 0;
    }
    return err_set(e, ERR_FORMAT, "zip64 end record is not where its locator says");
}

static int end_read(const struct spool *file, struct end_record *end, struct err *e)
{
    uint64_t size = spool_size(file);
    size_t n = size < TAIL_FIRST ? (size_t)size : TAIL_FIRST;
    for (;;) {
        autofree uint8_t *tail = malloc(n ? n : 1);
        if (!tail)
            return err_no_memory(e);
        int r = spool_read(file, tail, n, size - n, e);
        if (r < 0)
            return r;
        int64_t at = n < END_SIZE ? -1 : end_find(tail, n);
        if (at >= 0) {
            end->at = size - n + (uint64_t)at;
            r = end_parse(tail + at, end, e);
            return r < 0 ? r : end64_read(file, end, e);
        }
        size_t all = size < END_SIZE + COMMENT_MAX ? (size_t)size : END_SIZE + COMMENT_MAX;
        if (n >= all)
            return err_set(e, ERR_FORMAT, "not a zip archive, or cut short: no end record");
        n = all;
    }
}

/* Sets base and directory from the end record. */
static int directory_place(struct zip *z, const struct end_record *end, struct err *e)
{
    if (end->size > end->at)
        return err_set(e, ERR_FORMAT, "directory of %llu bytes does not fit before its end record",
                       (unsigned long long)end->size);
    uint64_t behind = end->at - end->size; /* where a directory just before the end record is */
    const uint64_t places[] = {behind, end->offset};
    for (size_t i = 0; i < KE_ARRAY_LEN(places); i++) {
        uint8_t b[4];
        if (places[i] > behind || places[i] < end->offset)
            continue;
        z->base = places[i] - end->offset;
        z->directory = places[i];
        z->directory_size = end->size;
        z->directory_end = places[i] + end->size;
        if (end->size == 0)
            return 0;
        int r = end->size < CENTRAL_SIZE ? ERR_FORMAT : spool_read(z->file, b, 4, places[i], e);
        if (r == 0 && memcmp(b, "PK\1\2", 4) == 0)
            return 0;
        if (r < 0 && r != ERR_FORMAT)
            return r;
    }
    return err_set(e, ERR_FORMAT, "no directory where the end record says");
}

int zip_open(const struct spool *file, const struct zip_limits *limits, struct zip **out,
             struct err *e)
{
    struct end_record end = {0};
    int r = end_read(file, &end, e);
    if (r < 0)
        return r;
    struct zip *z = calloc(1, sizeof *z);
    if (!z)
        return err_no_memory(e);
    z->file = file;
    z->limits = limits ? *limits : zip_defaults;
    if (!z->limits.max_entries)
        z->limits.max_entries = zip_defaults.max_entries;
    if (!z->limits.max_member)
        z->limits.max_member = zip_defaults.max_member;
    if (!z->limits.max_ratio)
        z->limits.max_ratio = zip_defaults.max_ratio;
    z->count = end.count;
    z->zip64 = end.zip64;
    r = directory_place(z, &end, e);
    if (r < 0) {
        zip_close(z);
        return r;
    }
    zip_rewind(z);
    *out = z;
    return 0;
}

void zip_rewind(struct zip *z)
{
    z->next = z->directory;
    z->seen = 0;
    z->window_n = z->window_at = 0;
    z->neighbour_start = z->neighbour_end = 0;
}

void zip_close(struct zip *z)
{
    if (!z)
        return;
    free(z->window);
    free(z);
}

/* ---- the directory ------------------------------------------------------------------------------
 */

/* n bytes of the directory at z->next, as a view; NULL with *e at its end. */
static const uint8_t *window_view(struct zip *z, size_t n, struct err *e)
{
    if (z->next >= z->window_at && z->next - z->window_at <= z->window_n &&
        z->window_n - (size_t)(z->next - z->window_at) >= n)
        return z->window + (z->next - z->window_at);
    if (n > z->directory_end - z->next) {
        err_set(e, ERR_FORMAT, "directory is cut short after %llu members",
                (unsigned long long)z->seen);
        return NULL;
    }
    size_t want = n > WINDOW_READ ? n : WINDOW_READ;
    if (want > z->directory_end - z->next)
        want = (size_t)(z->directory_end - z->next);
    if (want > z->window_cap) {
        free(z->window);
        z->window_cap = 0;
        z->window_n = 0;
        z->window = malloc(want);
        if (!z->window) {
            err_no_memory(e);
            return NULL;
        }
        z->window_cap = want;
    }
    z->window_n = 0;
    if (spool_read(z->file, z->window, want, z->next, e) < 0)
        return NULL;
    z->window_at = z->next;
    z->window_n = want;
    return z->window;
}

/* The 64-bit values of fields that hold all ones; they stand in this order, each only when its
 * field wants it. */
static int zip64_fields(str extra, struct zip_entry *entry, struct err *e)
{
    uint64_t *fields[] = {&entry->size, &entry->compressed_size, &entry->header_offset};
    struct cursor c = cursor_over(extra.p, extra.n);
    while (cursor_left(&c) >= 4) {
        uint16_t id = cursor_u16le(&c), n = cursor_u16le(&c);
        if (id != EXTRA_ZIP64) {
            cursor_skip(&c, n);
            continue;
        }
        str body = cursor_bytes(&c, n);
        if (!cursor_ok(&c))
            break;
        struct cursor b = cursor_over(body.p, body.n);
        for (size_t i = 0; i < KE_ARRAY_LEN(fields); i++)
            if (*fields[i] == 0xffffffff)
                *fields[i] = cursor_u64le(&b);
        if (!cursor_ok(&b))
            return err_set(e, ERR_FORMAT, "zip64 field is too short");
        return 0;
    }
    return 0;
}

/* Notes where the member lies, against its neighbours in the directory. Archives list members in
 * the order of their bytes, or backwards; either way neighbours must not share bytes. */
static void note_overlap(struct zip *z, struct zip_entry *entry)
{
    uint64_t start = entry->header_offset, end;
    if (ke_add_overflow(start, LOCAL_SIZE + entry->name.n, &end) ||
        ke_add_overflow(end, entry->compressed_size, &end))
        end = UINT64_MAX;
    entry->overlaps = z->seen > 1 && start < z->neighbour_end && end > z->neighbour_start;
    z->neighbour_start = start;
    z->neighbour_end = end;
}

static int directory_end(struct zip *z, struct err *e)
{
    /* without zip64 the count is only known modulo 65,536 */
    uint64_t mask = z->zip64 ? UINT64_MAX : 0xffff;
    if ((z->seen & mask) != (z->count & mask))
        return err_set(e, ERR_FORMAT,
                       "the archive says it has %llu members, its directory has %llu",
                       (unsigned long long)z->count, (unsigned long long)z->seen);
    return 0;
}

int zip_next(struct zip *z, struct zip_entry *entry, struct err *e)
{
    if (z->next == z->directory_end)
        return directory_end(z, e);
    if (z->seen == z->limits.max_entries)
        return err_set(e, ERR_LIMIT, "more than %llu members", (unsigned long long)z->seen);
    struct err why = {0};
    const uint8_t *p = window_view(z, CENTRAL_SIZE, &why);
    if (!p)
        return err_set(e, why.code, "%s", why.text);
    struct cursor c = cursor_over(p, CENTRAL_SIZE);
    if (cursor_u32le(&c) != SIG_CENTRAL)
        return err_set(e, ERR_FORMAT, "broken directory record after %llu members",
                       (unsigned long long)z->seen);
    *entry = (struct zip_entry){0};
    cursor_skip(&c, 4);
    entry->flags = cursor_u16le(&c);
    entry->method = cursor_u16le(&c);
    cursor_skip(&c, 4);
    entry->crc32 = cursor_u32le(&c);
    entry->compressed_size = cursor_u32le(&c);
    entry->size = cursor_u32le(&c);
    size_t name = cursor_u16le(&c), extra = cursor_u16le(&c), comment = cursor_u16le(&c);
    cursor_skip(&c, 8);
    entry->header_offset = cursor_u32le(&c);
    p = window_view(z, CENTRAL_SIZE + name + extra, &why);
    if (!p)
        return err_set(e, why.code, "%s", why.text);
    uint64_t record = CENTRAL_SIZE + name + extra + comment;
    if (record > z->directory_end - z->next)
        return err_set(e, ERR_FORMAT, "directory is cut short in a comment");
    entry->name = (str){(const char *)p + CENTRAL_SIZE, name};
    int r = zip64_fields((str){(const char *)p + CENTRAL_SIZE + name, extra}, entry, e);
    if (r < 0)
        return r;
    entry->is_dir = str_ends(entry->name, STR("/"));
    z->next += record;
    z->seen++;
    note_overlap(z, entry);
    return 1;
}

/* ---- local headers ------------------------------------------------------------------------------
 */

static int local_sizes(struct cursor *c, const struct zip_entry *entry, struct err *e)
{
    uint32_t compressed = cursor_u32le(c), size = cursor_u32le(c);
    if (entry->flags & FLAG_DESCRIPTOR || compressed == 0xffffffff || size == 0xffffffff)
        return 0;
    if (compressed != entry->compressed_size || size != entry->size)
        return err_set(e, ERR_FORMAT, "local header and directory differ in size");
    return 0;
}

static int local_name(struct zip *z, const struct zip_entry *entry, uint64_t at, size_t n,
                      struct err *e)
{
    char piece[512];
    if (n != entry->name.n)
        return err_set(e, ERR_FORMAT, "local header and directory differ in name");
    for (size_t done = 0; done < n;) {
        size_t take = n - done < sizeof piece ? n - done : sizeof piece;
        int r = spool_read(z->file, piece, take, at + done, e);
        if (r < 0)
            return r;
        if (memcmp(piece, entry->name.p + done, take) != 0)
            return err_set(e, ERR_FORMAT, "local header and directory differ in name");
        done += take;
    }
    return 0;
}

int zip_locate(struct zip *z, const struct zip_entry *entry, uint64_t *offset, struct err *e)
{
    if (entry->flags & (FLAG_ENCRYPTED | FLAG_MASKED))
        return err_set(e, ERR_UNSUPPORTED, "encrypted");
    if (entry->overlaps)
        return err_set(e, ERR_FORMAT, "shares its bytes with another member");
    if (entry->size > z->limits.max_member)
        return err_set(e, ERR_LIMIT, "%llu bytes when inflated, the limit is %llu",
                       (unsigned long long)entry->size, (unsigned long long)z->limits.max_member);
    if (entry->size / z->limits.max_ratio > entry->compressed_size)
        return err_set(e, ERR_LIMIT, "inflates to more than %u times its size: looks like a bomb",
                       z->limits.max_ratio);
    uint64_t at, end;
    uint8_t b[LOCAL_SIZE];
    if (ke_add_overflow(entry->header_offset, z->base, &at) ||
        ke_add_overflow(at, LOCAL_SIZE, &end) || end > z->directory)
        return err_set(e, ERR_FORMAT, "local header lies outside the archive");
    int r = spool_read(z->file, b, sizeof b, at, e);
    if (r < 0)
        return r;
    struct cursor c = cursor_over(b, sizeof b);
    if (cursor_u32le(&c) != SIG_LOCAL)
        return err_set(e, ERR_FORMAT, "no local header where the directory says");
    cursor_skip(&c, 14);
    r = local_sizes(&c, entry, e);
    if (r < 0)
        return r;
    size_t name = cursor_u16le(&c), extra = cursor_u16le(&c);
    uint64_t data = at + LOCAL_SIZE + name + extra;
    if (data > z->directory || entry->compressed_size > z->directory - data)
        return err_set(e, ERR_FORMAT, "content lies outside the archive");
    *offset = data;
    return local_name(z, entry, at + LOCAL_SIZE, name, e);
}
