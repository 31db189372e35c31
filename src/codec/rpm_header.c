/* Headers of rpm packages: see rpm_header.h. */
#include "codec/rpm_header.h"

#include "base/auto.h"
#include "base/cursor.h"

enum { MAX_ENTRIES = 0xffff, MAX_DIRS = 256 << 10, MAX_PATH_BYTES = 4096, PATHS_PER_BYTE = 16 };

enum type {
    T_CHAR = 1,
    T_INT8 = 2,
    T_INT16 = 3,
    T_INT32 = 4,
    T_INT64 = 5,
    T_STRING = 6,
    T_ARRAY = 8,
    T_I18N
};

enum tag {
    TAG_NAME = 1000,
    TAG_VERSION = 1001,
    TAG_RELEASE = 1002,
    TAG_EPOCH = 1003,
    TAG_INSTALLTIME = 1008,
    TAG_SIZE = 1009,
    TAG_VENDOR = 1011,
    TAG_LICENSE = 1014,
    TAG_ARCH = 1022,
    TAG_OLDFILENAMES = 1027,
    TAG_FILESIZES = 1028,
    TAG_FILESTATES = 1029,
    TAG_FILEMODES = 1030,
    TAG_FILEDIGESTS = 1035,
    TAG_FILEFLAGS = 1037,
    TAG_SOURCERPM = 1044,
    TAG_DIRINDEXES = 1116,
    TAG_BASENAMES = 1117,
    TAG_DIRNAMES = 1118,
    TAG_LONGFILESIZES = 5008,
    TAG_LONGSIZE = 5009,
    TAG_FILEDIGESTALGO = 5011,
    TAG_MODULARITYLABEL = 5096,
};

struct entry {
    uint32_t tag, type, offset, count;
    str data; /* the header's data from offset to its end */
};

static int bad(const struct entry *t, const char *what, struct err *e)
{
    return err_set(e, ERR_FORMAT, "rpm header: tag %u (type %u, offset %u, count %u) %s", t->tag,
                   t->type, t->offset, t->count, what);
}

static int read_string(const struct entry *t, str *out, struct err *e)
{
    if ((t->type != T_STRING && t->type != T_ARRAY && t->type != T_I18N) || t->count == 0)
        return bad(t, "is not a string", e);
    ptrdiff_t end = str_index(t->data, '\0');
    if (end < 0)
        return bad(t, "has no end", e);
    *out = str_sub(t->data, 0, (size_t)end);
    return 0;
}

static int read_number(const struct entry *t, uint64_t *out, struct err *e)
{
    struct cursor c = cursor_over(t->data.p, t->data.n);
    switch (t->type) {
    case T_INT8:
        *out = cursor_u8(&c);
        break;
    case T_INT16:
        *out = cursor_u16be(&c);
        break;
    case T_INT32:
        *out = cursor_u32be(&c);
        break;
    case T_INT64:
        *out = cursor_u64be(&c);
        break;
    default:
        return bad(t, "is not a number", e);
    }
    return cursor_ok(&c) && t->count > 0 ? 0 : bad(t, "is outside of the data", e);
}

static int read_u32(const struct entry *t, uint32_t *out, struct err *e)
{
    uint64_t v;
    if (read_number(t, &v, e) < 0)
        return ERR_FORMAT;
    if (v > UINT32_MAX)
        return bad(t, "is too large", e);
    *out = (uint32_t)v;
    return 0;
}

static int read_array(const struct entry *t, enum type type, struct rpm_array *out, struct err *e)
{
    if (t->type != type && !(type == T_ARRAY && t->type == T_STRING && t->count == 1))
        return bad(t, "has a wrong type", e);
    size_t least = type == T_INT32 ? 4 : 1; /* bytes that an item takes at least */
    if (t->count > t->data.n / least)
        return bad(t, "has more items than data", e);
    *out = (struct rpm_array){t->data, t->count};
    return 0;
}

/* What is only good for comparing files must not cost the package: a broken one is left out. */
static int read_attribute(const struct entry *t, enum type type, size_t width,
                          struct rpm_array *out)
{
    bool fits =
        (t->type == type || (type == T_CHAR && t->type == T_INT8)) && t->count <= t->data.n / width;
    *out = fits ? (struct rpm_array){t->data, t->count} : (struct rpm_array){0};
    return 0;
}

static int read_file_tag(const struct entry *t, struct rpm_header *h)
{
    uint64_t algorithm;
    switch (t->tag) {
    case TAG_FILESIZES:
        return read_attribute(t, T_INT32, 4, &h->file_sizes);
    case TAG_LONGFILESIZES:
        return read_attribute(t, T_INT64, 8, &h->file_long_sizes);
    case TAG_FILESTATES:
        return read_attribute(t, T_CHAR, 1, &h->file_states);
    case TAG_FILEMODES:
        return read_attribute(t, T_INT16, 2, &h->file_modes);
    case TAG_FILEDIGESTS:
        return read_attribute(t, T_ARRAY, 1, &h->file_digests);
    case TAG_FILEFLAGS:
        return read_attribute(t, T_INT32, 4, &h->file_flags);
    case TAG_FILEDIGESTALGO:
        if (read_number(t, &algorithm, NULL) < 0 || algorithm > UINT32_MAX)
            algorithm = UINT32_MAX; /* none that anybody knows */
        h->digest_algorithm = (uint32_t)algorithm;
        return 0;
    default:
        return 0;
    }
}

static int read_entry(const struct entry *t, struct rpm_header *h, struct err *e)
{
    switch (t->tag) {
    case TAG_NAME:
        return read_string(t, &h->name, e);
    case TAG_VERSION:
        return read_string(t, &h->version, e);
    case TAG_RELEASE:
        return read_string(t, &h->release, e);
    case TAG_ARCH:
        return read_string(t, &h->arch, e);
    case TAG_SOURCERPM:
        return read_string(t, &h->source_rpm, e);
    case TAG_VENDOR:
        return read_string(t, &h->vendor, e);
    case TAG_LICENSE:
        return read_string(t, &h->licence, e);
    case TAG_MODULARITYLABEL:
        return read_string(t, &h->module, e);
    case TAG_EPOCH:
        h->has_epoch = true;
        return read_u32(t, &h->epoch, e);
    case TAG_INSTALLTIME:
        return read_u32(t, &h->install_time, e);
    case TAG_SIZE:
    case TAG_LONGSIZE:
        return read_number(t, &h->size, e);
    case TAG_BASENAMES:
        return read_array(t, T_ARRAY, &h->basenames, e);
    case TAG_DIRNAMES:
        return read_array(t, T_ARRAY, &h->dirnames, e);
    case TAG_DIRINDEXES:
        return read_array(t, T_INT32, &h->dirindexes, e);
    case TAG_OLDFILENAMES:
        return read_array(t, T_ARRAY, &h->oldfilenames, e);
    default:
        return read_file_tag(t, h);
    }
}

static bool wanted(uint32_t tag)
{
    return (tag >= TAG_NAME && tag <= TAG_DIRNAMES) || tag == TAG_LONGFILESIZES ||
           tag == TAG_LONGSIZE || tag == TAG_FILEDIGESTALGO || tag == TAG_MODULARITYLABEL;
}

int rpm_header_read(str blob, struct rpm_header *out, struct err *e)
{
    *out = (struct rpm_header){.blob_size = blob.n};
    struct cursor c = cursor_over(blob.p, blob.n);
    uint32_t n = cursor_u32be(&c), size = cursor_u32be(&c);
    if (!cursor_ok(&c) || n == 0 || n > MAX_ENTRIES)
        return err_set(e, ERR_FORMAT, "no rpm header: %u index entries in %zu bytes", n, blob.n);
    struct cursor data = c;
    cursor_skip(&data, (size_t)n * 16);
    str all = cursor_bytes(&data, size);
    if (!cursor_ok(&data))
        return err_set(e, ERR_FORMAT, "rpm header: %u entries and %u bytes do not fit in %zu", n,
                       size, blob.n);
    for (uint32_t i = 0; i < n; i++) {
        struct entry t = {.tag = cursor_u32be(&c), .type = cursor_u32be(&c)};
        t.offset = cursor_u32be(&c);
        t.count = cursor_u32be(&c);
        if (!wanted(t.tag))
            continue;
        if (t.offset > all.n)
            return bad(&t, "is outside of the data", e);
        t.data = str_from(all, t.offset);
        int r = read_entry(&t, out, e);
        if (r < 0)
            return r;
    }
    if (out->name.n == 0 || out->version.n == 0)
        return err_set(e, ERR_FORMAT, "rpm header without a %s", out->name.n ? "version" : "name");
    return 0;
}

/* The next string of an array whose count the caller keeps. */
static bool next_string(str *rest, str *out)
{
    ptrdiff_t end = str_index(*rest, '\0');
    if (end < 0)
        return false;
    *out = str_sub(*rest, 0, (size_t)end);
    *rest = str_from(*rest, (size_t)end + 1);
    return true;
}

/* ---- files --------------------------------------------------------------------------------------
 */

struct walk {
    int (*fn)(void *ctx, uint32_t index, str path, struct err *e);
    void *ctx;
    uint32_t index;
    uint64_t left; /* bytes of paths that may still be made */
    char path[MAX_PATH_BYTES];
};

static int walk_path(struct walk *w, str dir, str base, struct err *e)
{
    if (dir.n > sizeof w->path || base.n > sizeof w->path - dir.n)
        return 0; /* longer than any system's paths: nothing in the image can be meant */
    if (dir.n + base.n >= w->left)
        return err_set(e, ERR_LIMIT, "rpm header: the file names are too long together");
    w->left -= dir.n + base.n + 1;
    memcpy(w->path, dir.p, dir.n);
    memcpy(w->path + dir.n, base.p, base.n);
    str path = {w->path, dir.n + base.n};
    while (path.n && path.p[0] == '/')
        path = str_from(path, 1);
    return path.n ? w->fn(w->ctx, w->index, path, e) : 0;
}

static int walk_old_names(const struct rpm_header *h, struct walk *w, struct err *e)
{
    str rest = h->oldfilenames.data, path;
    for (uint32_t i = 0; i < h->oldfilenames.count; i++) {
        if (!next_string(&rest, &path))
            return err_set(e, ERR_FORMAT, "rpm header: the list of files is cut short");
        w->index = i;
        int r = walk_path(w, (str){"", 0}, path, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int walk_names(const struct rpm_header *h, const str *dirs, struct walk *w, struct err *e)
{
    str rest = h->basenames.data, base;
    struct cursor index = cursor_over(h->dirindexes.data.p, h->dirindexes.data.n);
    for (uint32_t i = 0; i < h->basenames.count; i++) {
        uint32_t dir = cursor_u32be(&index);
        if (!next_string(&rest, &base) || !cursor_ok(&index) || dir >= h->dirnames.count)
            return err_set(e, ERR_FORMAT, "rpm header: the list of files is damaged at file %u", i);
        w->index = i;
        int r = walk_path(w, dirs[dir], base, e);
        if (r < 0)
            return r;
    }
    return 0;
}

int rpm_header_files(const struct rpm_header *h,
                     int (*fn)(void *ctx, uint32_t index, str path, struct err *e), void *ctx,
                     struct err *e)
{
    struct walk w = {.fn = fn, .ctx = ctx, .left = (uint64_t)h->blob_size * PATHS_PER_BYTE};
    if (h->basenames.count == 0)
        return walk_old_names(h, &w, e);
    if (h->basenames.count != h->dirindexes.count)
        return err_set(e, ERR_FORMAT, "rpm header: %u files, but directories of %u",
                       h->basenames.count, h->dirindexes.count);
    if (h->dirnames.count > MAX_DIRS)
        return err_set(e, ERR_LIMIT, "rpm header: %u directories, more than %d", h->dirnames.count,
                       MAX_DIRS);
    autofree str *dirs = calloc(h->dirnames.count + 1, sizeof *dirs);
    if (!dirs)
        return err_no_memory(e);
    str rest = h->dirnames.data;
    for (uint32_t i = 0; i < h->dirnames.count; i++)
        if (!next_string(&rest, &dirs[i]))
            return err_set(e, ERR_FORMAT, "rpm header: the list of directories is cut short");
    return walk_names(h, dirs, &w, e);
}

static uint64_t number_at(const struct rpm_array *a, uint32_t files, size_t width, uint32_t index)
{
    if (a->count != files)
        return 0;
    struct cursor c = cursor_over(a->data.p, a->data.n);
    cursor_skip(&c, index * width);
    return width == 1   ? cursor_u8(&c)
           : width == 2 ? cursor_u16be(&c)
           : width == 4 ? cursor_u32be(&c)
                        : cursor_u64be(&c);
}

bool rpm_file_at(struct rpm_file_cursor *c, uint32_t index, struct rpm_file *out)
{
    const struct rpm_header *h = c->header;
    uint32_t n = h->basenames.count ? h->basenames.count : h->oldfilenames.count;
    if (index < c->next || index >= n)
        return false;
    *out = (struct rpm_file){
        .algorithm = h->digest_algorithm ? h->digest_algorithm : 1,
        .mode = (uint32_t)number_at(&h->file_modes, n, 2, index),
        .size = h->file_long_sizes.count ? number_at(&h->file_long_sizes, n, 8, index)
                                         : number_at(&h->file_sizes, n, 4, index),
        .flags = (uint32_t)number_at(&h->file_flags, n, 4, index),
        .state = (uint8_t)number_at(&h->file_states, n, 1, index),
    };
    if (c->next == 0)
        c->digests = h->file_digests.data;
    for (; c->next <= index; c->next++)
        if (h->file_digests.count != n || !next_string(&c->digests, &out->digest))
            out->digest = (str){0};
    return true;
}

bool rpm_source_split(str file_name, str *name, str *version)
{
    if (!str_ends(file_name, STR(".rpm")))
        return false;
    str s = str_sub(file_name, 0, file_name.n - 4);
    ptrdiff_t dot = str_rindex(s, '.');
    if (dot < 0)
        return false;
    s = str_sub(s, 0, (size_t)dot);
    ptrdiff_t release = str_rindex(s, '-');
    if (release <= 0)
        return false;
    ptrdiff_t dash = str_rindex(str_sub(s, 0, (size_t)release), '-');
    if (dash <= 0 || dash + 1 == release || (size_t)release + 1 == s.n)
        return false;
    *name = str_sub(s, 0, (size_t)dash);
    *version = str_from(s, (size_t)dash + 1);
    return true;
}
