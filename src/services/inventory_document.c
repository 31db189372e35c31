#include "services/inventory_document.h"

#include "base/auto.h"
#include "base/cursor.h"
#include "base/map.h"
#include "base/vec.h"

enum { DOCUMENT_VERSION = 3, VERSION_WITH_TABLE = 2, INVENTORY_ARENA_MAX = 1 << 30 };
static const char magic[3] = {'K', 'L', 'I'};

/* The strings of each record, in the order they are stored. */
#define OFFSET(type, field) offsetof(struct type, field)
static const size_t inventory_strings[] = {
    OFFSET(inventory, source_kind),
    OFFSET(inventory, source),
    OFFSET(inventory, reference),
    OFFSET(inventory, manifest_digest),
    OFFSET(inventory, config_digest),
    OFFSET(inventory, os),
    OFFSET(inventory, architecture),
    OFFSET(inventory, variant),
    OFFSET(inventory, created),
    OFFSET(inventory, release.path),
    OFFSET(inventory, release.id),
    OFFSET(inventory, release.id_like),
    OFFSET(inventory, release.version_id),
    OFFSET(inventory, release.codename),
    OFFSET(inventory, release.name),
    OFFSET(inventory, release.pretty_name),
    OFFSET(inventory, release.variant_id),
    OFFSET(inventory, release.build_id),
};
static const size_t package_strings[] = {
    OFFSET(inv_package, p.name),
    OFFSET(inv_package, p.version),
    OFFSET(inv_package, p.arch),
    OFFSET(inv_package, p.source_name),
    OFFSET(inv_package, p.source_version),
    OFFSET(inv_package, p.group),
    OFFSET(inv_package, p.module),
    OFFSET(inv_package, p.licence),
    OFFSET(inv_package, p.vendor),
    OFFSET(inv_package, p.path),
    OFFSET(inv_package, p.size),
    OFFSET(inv_package, purl),
    OFFSET(inv_package, owner),
};
static const size_t tag_strings[] = {0};
static const size_t layer_strings[] = {
    OFFSET(layer_ref, diff_id),
    OFFSET(layer_ref, digest),
    OFFSET(layer_ref, media_type),
};
static const size_t problem_strings[] = {
    OFFSET(inv_problem, path),
    OFFSET(inv_problem, what),
    OFFSET(inv_problem, detail),
};

/* ---- writing -----------------------------------------------------------------------------------
 */

struct encoder {
    struct buf *out;
    struct map last; /* string -> number of its last use */
    uint64_t uses;
    bool failed;
};

/* Nothing here counts from the beginning, so that images which share packages share these bytes. */
static void encode_string(struct encoder *en, str s)
{
    if (s.n == 0) {
        buf_add_varint(en->out, 0);
        return;
    }
    void **slot = map_slot(&en->last, s);
    if (!slot) {
        en->failed = true;
        return;
    }
    uint64_t last = (uintptr_t)*slot;
    *slot = (void *)(uintptr_t)++en->uses;
    if (last) {
        buf_add_varint(en->out, (en->uses - last) << 1);
        return;
    }
    buf_add_varint(en->out, (uint64_t)s.n << 1 | 1);
    buf_add_str(en->out, s);
}

static void encode_strings(struct encoder *en, const void *record, const size_t *offsets, size_t n)
{
    for (size_t i = 0; i < n; i++)
        encode_string(en, *(const str *)((const char *)record + offsets[i]));
}
#define ENCODE(en, record, offsets) encode_strings((en), (record), (offsets), KE_ARRAY_LEN(offsets))

static void encode_packages(struct encoder *en, const struct inventory *inv)
{
    buf_add_varint(en->out, inv->n_packages);
    for (size_t i = 0; i < inv->n_packages; i++) {
        const struct inv_package *p = &inv->packages[i];
        encode_string(en, str_z(p->p.type->name));
        ENCODE(en, p, package_strings);
        buf_add_varint(en->out, p->n_evidence);
        for (size_t k = 0; k < p->n_evidence; k++) {
            encode_string(en, p->evidence[k].path);
            buf_add_varint(en->out, p->evidence[k].layer);
        }
    }
}

static void encode_inventory(struct encoder *en, const struct inventory *inv)
{
    ENCODE(en, inv, inventory_strings);
    buf_add_varint(en->out, inv->n_repo_tags);
    for (size_t i = 0; i < inv->n_repo_tags; i++)
        ENCODE(en, &inv->repo_tags[i], tag_strings);
    buf_add_varint(en->out, inv->n_layers);
    for (size_t i = 0; i < inv->n_layers; i++) {
        ENCODE(en, &inv->layers[i], layer_strings);
        buf_add_varint(en->out, inv->layers[i].size);
    }
    encode_packages(en, inv);
    buf_add_varint(en->out, inv->n_problems);
    for (size_t i = 0; i < inv->n_problems; i++) {
        ENCODE(en, &inv->problems[i], problem_strings);
        buf_add_varint(en->out, (uint64_t)((int64_t)inv->problems[i].layer + 1));
    }
    buf_add_varint(en->out, inv->n_unsupported);
    for (size_t i = 0; i < inv->n_unsupported; i++)
        ENCODE(en, &inv->unsupported[i], tag_strings);
}

int inventory_document_write(const struct inventory *inv, struct buf *out, struct err *e)
{
    struct encoder en = {.out = out};
    map_init(&en.last);
    buf_add(out, magic, sizeof magic);
    buf_add_char(out, DOCUMENT_VERSION);
    encode_inventory(&en, inv);
    map_done(&en.last);
    out->failed |= en.failed;
    return buf_check(out, "an image's inventory", e);
}

int inventory_document_get(struct documents *d, struct db_tx *tx, str account, str digest,
                           struct buf *out, struct err *e)
{
    char key[300];
    struct err missing = {0};
    snprintf(key, sizeof key, "%.*s/" INVENTORY_PART, STR_ARG(str_sub(digest, 0, 200)));
    int rc = document_get(d, tx, account, STR("image_content_data"), str_z(key), out, &missing);
    if (rc == ERR_NOT_FOUND)
        return document_get(d, tx, account, STR(INVENTORY_BUCKET), digest, out, e);
    return rc < 0 ? err_set(e, missing.code, "%s", missing.text) : rc;
}

/* ---- reading -----------------------------------------------------------------------------------
 */

struct decoder {
    struct cursor in;
    VEC(str) strings; /* the table; or each use so far */
    bool table;
    struct inventory *inv;
    struct err *e;
};

static int damaged(struct decoder *d)
{
    return err_set(d->e, ERR_FORMAT, "damaged inventory of an image");
}

static int decode_strings_table(struct decoder *d)
{
    uint64_t n = cursor_varint(&d->in), total = 0;
    if (!cursor_ok(&d->in) || n > cursor_left(&d->in))
        return damaged(d);
    for (uint64_t i = 0; i <= n; i++) {
        uint64_t length = i ? cursor_varint(&d->in) : 0;
        str *s = vec_push(&d->strings);
        if (!s)
            return err_no_memory(d->e);
        if ((i && length == 0) || length > cursor_left(&d->in) ||
            ke_add_overflow(total, length, &total))
            return damaged(d);
        s->n = (size_t)length;
    }
    for (uint64_t i = 1; i <= n; i++)
        d->strings.p[i] = cursor_bytes(&d->in, d->strings.p[i].n);
    return cursor_ok(&d->in) ? 0 : damaged(d);
}

static str decode_string(struct decoder *d)
{
    uint64_t i = cursor_varint(&d->in);
    if (d->table) {
        if (i < d->strings.n)
            return d->strings.p[i];
        d->in.failed = true;
        return (str){0};
    }
    if (i == 0)
        return (str){0};
    str s = {0};
    if (i & 1)
        s = cursor_bytes(&d->in, i >> 1);
    else if (i >> 1 <= d->strings.n)
        s = d->strings.p[d->strings.n - (i >> 1)];
    str *use = s.n ? vec_push(&d->strings) : NULL;
    if (use)
        *use = s;
    else
        d->in.failed = true;
    return s;
}

static void decode_strings(struct decoder *d, void *record, const size_t *offsets, size_t n)
{
    for (size_t i = 0; i < n; i++)
        *(str *)((char *)record + offsets[i]) = decode_string(d);
}
#define DECODE(d, record, offsets) decode_strings((d), (record), (offsets), KE_ARRAY_LEN(offsets))

/* A count of records, each of which takes at least a byte. */
static size_t decode_count(struct decoder *d)
{
    uint64_t n = cursor_varint(&d->in);
    if (cursor_ok(&d->in) && n <= cursor_left(&d->in))
        return (size_t)n;
    d->in.failed = true;
    return 0;
}

static int decode_package(struct decoder *d, struct inv_package *p)
{
    str type = decode_string(d);
    DECODE(d, p, package_strings);
    size_t n = decode_count(d);
    if (!cursor_ok(&d->in))
        return damaged(d);
    p->p.type = package_type_find(type);
    if (!p->p.type)
        return err_set(d->e, ERR_UNSUPPORTED, "this build knows no packages of type \"%.*s\"",
                       STR_ARG(type));
    struct evidence *evidence = arena_calloc(&d->inv->arena, n, sizeof *evidence);
    if (!evidence && n)
        return err_no_memory(d->e);
    for (size_t i = 0; i < n; i++) {
        evidence[i].path = decode_string(d);
        uint64_t layer = cursor_varint(&d->in);
        if (layer > UINT32_MAX)
            return damaged(d);
        evidence[i].layer = (uint32_t)layer;
    }
    p->evidence = evidence;
    p->n_evidence = n;
    return cursor_ok(&d->in) ? 0 : damaged(d);
}

static int decode_image(struct decoder *d)
{
    struct inventory *inv = d->inv;
    DECODE(d, inv, inventory_strings);
    size_t n = decode_count(d);
    str *tags = calloc(n + 1, sizeof *tags);
    inv->repo_tags = tags;
    if (!tags)
        return err_no_memory(d->e);
    inv->n_repo_tags = n;
    for (size_t i = 0; i < n; i++)
        DECODE(d, &tags[i], tag_strings);
    n = decode_count(d);
    struct layer_ref *layers = calloc(n + 1, sizeof *layers);
    inv->layers = layers;
    if (!layers)
        return err_no_memory(d->e);
    inv->n_layers = n;
    for (size_t i = 0; i < n; i++) {
        DECODE(d, &layers[i], layer_strings);
        layers[i].size = cursor_varint(&d->in);
    }
    return cursor_ok(&d->in) ? 0 : damaged(d);
}

static int decode_packages(struct decoder *d)
{
    struct inventory *inv = d->inv;
    size_t n = decode_count(d);
    inv->packages = arena_calloc(&inv->arena, n, sizeof *inv->packages);
    if (!inv->packages && n)
        return err_no_memory(d->e);
    int r = cursor_ok(&d->in) ? 0 : damaged(d);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = decode_package(d, &inv->packages[inv->n_packages++]);
    return r;
}

static int decode_problems(struct decoder *d)
{
    struct inventory *inv = d->inv;
    size_t n = decode_count(d);
    inv->problems = arena_calloc(&inv->arena, n, sizeof *inv->problems);
    if (!inv->problems && n)
        return err_no_memory(d->e);
    inv->n_problems = n;
    for (size_t i = 0; i < n; i++) {
        DECODE(d, &inv->problems[i], problem_strings);
        uint64_t layer = cursor_varint(&d->in);
        if (layer > INT32_MAX)
            return damaged(d);
        inv->problems[i].layer = (int32_t)layer - 1;
    }
    n = decode_count(d);
    str *unsupported = arena_calloc(&inv->arena, n, sizeof *unsupported);
    if (!unsupported && n)
        return err_no_memory(d->e);
    inv->unsupported = unsupported;
    inv->n_unsupported = n;
    for (size_t i = 0; i < n; i++)
        DECODE(d, &unsupported[i], tag_strings);
    return cursor_ok(&d->in) && cursor_left(&d->in) == 0 ? 0 : damaged(d);
}

static int decode_inventory(struct decoder *d)
{
    str head = cursor_bytes(&d->in, sizeof magic);
    uint8_t version = cursor_u8(&d->in);
    if (!cursor_ok(&d->in) || !str_eq(head, (str){magic, sizeof magic}))
        return damaged(d);
    if (version != DOCUMENT_VERSION && version != VERSION_WITH_TABLE)
        return err_set(d->e, ERR_UNSUPPORTED, "an image's inventory of version %u", version);
    d->table = version == VERSION_WITH_TABLE;
    int r = d->table ? decode_strings_table(d) : 0;
    if (r == 0)
        r = decode_image(d);
    if (r == 0)
        r = decode_packages(d);
    return r == 0 ? decode_problems(d) : r;
}

int inventory_document_read(str bytes, struct inventory **out, struct err *e)
{
    if (bytes.n > INVENTORY_DOCUMENT_MAX)
        return err_set(e, ERR_LIMIT, "an image's inventory is larger than the limit");
    struct inventory *inv = calloc(1, sizeof *inv);
    if (!inv)
        return err_no_memory(e);
    arena_init(&inv->arena, INVENTORY_ARENA_MAX);
    str own = arena_dup(&inv->arena, bytes); /* strings are views of it */
    struct decoder d = {.in = cursor_over(own.p, own.p ? own.n : 0), .inv = inv, .e = e};
    int r = bytes.n && !own.p ? err_no_memory(e) : decode_inventory(&d);
    vec_done(&d.strings);
    if (r == 0)
        *out = inv;
    else
        inventory_free(inv);
    return r;
}
