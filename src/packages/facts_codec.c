#include "packages/facts_codec.h"

#include "base/auto.h"
#include "base/cursor.h"
#include "base/map.h"
#include "packages/catalogue.h"
#include "packages/links.h"

enum { FACTS_VERSION = 4 };
static const char magic[3] = {'K', 'L', 'F'};

/* The strings of each record, in the order they are stored. */
#define OFFSET(type, field) offsetof(struct type, field)
static const size_t package_strings[] = {
    OFFSET(package, name),        OFFSET(package, version),        OFFSET(package, arch),
    OFFSET(package, source_name), OFFSET(package, source_version), OFFSET(package, group),
    OFFSET(package, module),      OFFSET(package, licence),        OFFSET(package, vendor),
    OFFSET(package, path),        OFFSET(package, size),
};
static const size_t release_strings[] = {
    OFFSET(release_info, path),        OFFSET(release_info, id),
    OFFSET(release_info, id_like),     OFFSET(release_info, version_id),
    OFFSET(release_info, codename),    OFFSET(release_info, name),
    OFFSET(release_info, pretty_name), OFFSET(release_info, variant_id),
    OFFSET(release_info, build_id),
};
static const size_t owned_strings[] = {OFFSET(owned_path, path), OFFSET(owned_path, owner)};
static const size_t licence_strings[] = {
    OFFSET(stated_licence, path),
    OFFSET(stated_licence, licence),
};
static const size_t problem_strings[] = {
    OFFSET(problem, path),
    OFFSET(problem, what),
    OFFSET(problem, detail),
};
static const size_t file_strings[] = {OFFSET(evidence_file, path)};
static const size_t unsupported_strings[] = {0};
static const size_t link_strings[] = {OFFSET(kept_link, path), OFFSET(kept_link, target)};

/* ---- writing -----------------------------------------------------------------------------------
 */

struct encoder {
    struct buf *out;
    struct buf records, lengths, bytes;
    struct map index;
    uint32_t n_strings;
};

static void encode_string(struct encoder *en, str s)
{
    if (s.n == 0) {
        buf_add_varint(&en->records, 0);
        return;
    }
    void **slot = map_slot(&en->index, s);
    if (!slot) {
        en->out->failed = true;
        return;
    }
    if (!*slot) {
        *slot = (void *)(uintptr_t)++en->n_strings;
        buf_add_varint(&en->lengths, s.n);
        buf_add_str(&en->bytes, s);
    }
    buf_add_varint(&en->records, (uintptr_t)*slot);
}

static void encode_strings(struct encoder *en, const void *record, const size_t *offsets, size_t n)
{
    for (size_t i = 0; i < n; i++)
        encode_string(en, *(const str *)((const char *)record + offsets[i]));
}

#define ENCODE(en, vec, offsets)                                                                   \
    do {                                                                                           \
        buf_add_varint(&(en)->records, (vec)->n);                                                  \
        for (size_t i_ = 0; i_ < (vec)->n; i_++)                                                   \
            encode_strings((en), &(vec)->p[i_], (offsets), KE_ARRAY_LEN(offsets));                 \
    } while (0)

static void encode_records(struct encoder *en, const struct facts *f)
{
    buf_add_varint(&en->records, f->files.n);
    for (size_t i = 0; i < f->files.n; i++) {
        encode_strings(en, &f->files.p[i], file_strings, KE_ARRAY_LEN(file_strings));
        encode_string(en, str_z(f->files.p[i].cataloguer));
        buf_add_varint(&en->records, f->files.p[i].n_packages);
    }
    buf_add_varint(&en->records, f->packages.n);
    for (size_t i = 0; i < f->packages.n; i++) {
        encode_strings(en, &f->packages.p[i], package_strings, KE_ARRAY_LEN(package_strings));
        encode_string(en, str_z(f->packages.p[i].type->name));
    }
    ENCODE(en, &f->releases, release_strings);
    ENCODE(en, &f->owned, owned_strings);
    ENCODE(en, &f->licences, licence_strings);
    ENCODE(en, &f->problems, problem_strings);
    ENCODE(en, &f->unsupported, unsupported_strings);
    ENCODE(en, &f->links, link_strings);
    for (size_t i = 0; i < f->links.n; i++)
        buf_add_varint(&en->records, f->links.p[i].hard);
}

void facts_encode(const struct facts *f, struct buf *out)
{
    struct encoder en = {.out = out};
    buf_init(&en.records, out->max);
    buf_init(&en.lengths, out->max);
    buf_init(&en.bytes, out->max);
    map_init(&en.index);
    encode_records(&en, f);

    buf_add(out, magic, sizeof magic);
    buf_add_char(out, FACTS_VERSION);
    buf_add_varint(out, en.n_strings);
    buf_add_str(out, buf_view(&en.lengths));
    buf_add_str(out, buf_view(&en.bytes));
    buf_add_str(out, buf_view(&en.records));
    out->failed |= en.records.failed || en.lengths.failed || en.bytes.failed;
    buf_done(&en.records);
    buf_done(&en.lengths);
    buf_done(&en.bytes);
    map_done(&en.index);
}

/* ---- reading -----------------------------------------------------------------------------------
 */

struct decoder {
    struct cursor in;
    const str *strings;
    size_t n_strings;
    struct facts *out;
    struct err *e;
};

static int damaged(struct decoder *d)
{
    return err_set(d->e, ERR_FORMAT, "damaged layer facts");
}

static int decode_strings_table(struct decoder *d)
{
    uint64_t n = cursor_varint(&d->in);
    if (!cursor_ok(&d->in) || n > cursor_left(&d->in))
        return damaged(d);
    str *strings = calloc((size_t)n + 1, sizeof *strings);
    if (!strings)
        return err_no_memory(d->e);
    d->strings = strings;
    d->n_strings = (size_t)n + 1;
    uint64_t total = 0;
    for (size_t i = 1; i <= n; i++) {
        uint64_t length = cursor_varint(&d->in);
        if (length == 0 || length > cursor_left(&d->in) || ke_add_overflow(total, length, &total))
            return damaged(d);
        strings[i].n = (size_t)length;
    }
    if (total > cursor_left(&d->in))
        return damaged(d);
    str bytes = arena_dup(&d->out->arena, cursor_bytes(&d->in, (size_t)total));
    if (!bytes.p)
        return err_set(d->e, ERR_LIMIT, "layer facts are larger than the limit");
    size_t at = 0;
    for (size_t i = 1; i <= n; i++) {
        strings[i].p = bytes.p + at;
        at += strings[i].n;
    }
    return 0;
}

static str decode_string(struct decoder *d)
{
    uint64_t i = cursor_varint(&d->in);
    if (i >= d->n_strings) {
        d->in.failed = true;
        return (str){0};
    }
    return d->strings[i];
}

static void decode_strings(struct decoder *d, void *record, const size_t *offsets, size_t n)
{
    for (size_t i = 0; i < n; i++)
        *(str *)((char *)record + offsets[i]) = decode_string(d);
}

/* A count of records, each of which takes at least a byte. */
static int decode_count(struct decoder *d, size_t max, size_t *n)
{
    uint64_t count = cursor_varint(&d->in);
    if (!cursor_ok(&d->in) || count > cursor_left(&d->in))
        return damaged(d);
    if (count > max)
        return err_set(d->e, ERR_LIMIT, "layer facts hold more records than the limit");
    *n = (size_t)count;
    return 0;
}

#define DECODE(d, vec, offsets, max)                                                               \
    ({                                                                                             \
        size_t n_ = 0;                                                                             \
        int r_ = decode_count((d), (max), &n_);                                                    \
        for (size_t i_ = 0; r_ == 0 && i_ < n_; i_++) {                                            \
            void *record_ = vec_push(vec);                                                         \
            if (record_)                                                                           \
                decode_strings((d), record_, (offsets), KE_ARRAY_LEN(offsets));                    \
            r_ = !record_ ? err_no_memory((d)->e) : cursor_ok(&(d)->in) ? 0 : damaged(d);          \
        }                                                                                          \
        r_;                                                                                        \
    })

/* The cataloguer's own static name, or a copy when this build has none of that name. */
static const char *cataloguer_name(struct decoder *d, str name)
{
    for (const struct cataloguer *const *c = cataloguers; *c; c++)
        if (str_eq(str_z((*c)->name), name))
            return (*c)->name;
    const struct evidence_file *last =
        d->out->files.n > 1 ? &d->out->files.p[d->out->files.n - 2] : NULL;
    if (last && str_eq(str_z(last->cataloguer), name))
        return last->cataloguer;
    return arena_dup(&d->out->arena, name).p;
}

static int decode_files(struct decoder *d)
{
    size_t n = 0;
    int r = decode_count(d, SIZE_MAX, &n);
    uint64_t first = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        struct evidence_file *file = vec_push(&d->out->files);
        if (!file)
            return err_no_memory(d->e);
        decode_strings(d, file, file_strings, KE_ARRAY_LEN(file_strings));
        str name = decode_string(d);
        uint64_t packages = cursor_varint(&d->in);
        if (!cursor_ok(&d->in) || packages > CAT_PACKAGES_MAX - first)
            return damaged(d);
        file->cataloguer = cataloguer_name(d, name);
        if (!file->cataloguer)
            return err_set(d->e, ERR_LIMIT, "layer facts are larger than the limit");
        file->first_package = (uint32_t)first;
        file->n_packages = (uint32_t)packages;
        first += packages;
    }
    return r;
}

static int decode_packages(struct decoder *d)
{
    const struct facts *f = d->out;
    size_t n = 0;
    int r = decode_count(d, CAT_PACKAGES_MAX, &n);
    if (r < 0)
        return r;
    const struct evidence_file *last = f->files.n ? &f->files.p[f->files.n - 1] : NULL;
    if (n != (last ? last->first_package + last->n_packages : 0))
        return damaged(d);
    for (size_t i = 0; i < n; i++) {
        struct package *p = vec_push(&d->out->packages);
        if (!p)
            return err_no_memory(d->e);
        decode_strings(d, p, package_strings, KE_ARRAY_LEN(package_strings));
        p->type = package_type_find(decode_string(d));
        if (!p->type || !cursor_ok(&d->in))
            return damaged(d);
    }
    return 0;
}

static int decode_records(struct decoder *d)
{
    struct facts *f = d->out;
    int r = decode_files(d);
    if (r == 0)
        r = decode_packages(d);
    if (r == 0)
        r = DECODE(d, &f->releases, release_strings, CAT_PROBLEMS_MAX);
    if (r == 0)
        r = DECODE(d, &f->owned, owned_strings, CAT_OWNED_MAX);
    if (r == 0)
        r = DECODE(d, &f->licences, licence_strings, CAT_PACKAGES_MAX);
    if (r == 0) /* two of them say that a limit was passed */
        r = DECODE(d, &f->problems, problem_strings, CAT_PROBLEMS_MAX + 2);
    if (r == 0)
        r = DECODE(d, &f->unsupported, unsupported_strings, CAT_PROBLEMS_MAX);
    if (r == 0)
        r = DECODE(d, &f->links, link_strings, LINKS_MAX);
    for (size_t i = 0; r == 0 && i < f->links.n; i++)
        f->links.p[i].hard = cursor_varint(&d->in) == 1;
    if (r == 0 && !cursor_ok(&d->in))
        return damaged(d);
    return r == 0 && cursor_left(&d->in) != 0 ? damaged(d) : r;
}

int facts_decode(str data, struct facts *out, struct err *e)
{
    struct decoder d = {.in = cursor_over(data.p, data.n), .out = out, .e = e};
    if (data.n > FACTS_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "layer facts are larger than the limit");
    str head = cursor_bytes(&d.in, sizeof magic);
    uint8_t version = cursor_u8(&d.in);
    if (!cursor_ok(&d.in) || !str_eq(head, (str){magic, sizeof magic}))
        return damaged(&d);
    if (version != FACTS_VERSION)
        return err_set(e, ERR_UNSUPPORTED, "layer facts of version %u", version);
    int r = decode_strings_table(&d);
    if (r == 0)
        r = decode_records(&d);
    free((void *)d.strings);
    return r;
}
