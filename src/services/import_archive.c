#include "services/import_archive.h"

#include "base/auto.h"
#include "codec/digest.h"
#include "codec/tar.h"

enum { INDEX_MAX = 16 << 20, MANIFEST_MAX = 16 << 20, IMPORT_TEXTS_MAX = 64 << 20 };

/* ---- members -----------------------------------------------------------------------------------
 */

enum member { INDEX, ANALYSIS, MANIFEST, SBOM, MEMBERS };
static const struct {
    const char *name, *artifact;
    size_t max;
} members[MEMBERS] = {
    [INDEX] = {"archive_manifest", NULL, INDEX_MAX},
    [ANALYSIS] = {"analysis", "analysis", IMPORT_MEMBER_MAX},
    [MANIFEST] = {"image_manifest", "image_manifest", MANIFEST_MAX},
    [SBOM] = {"syft_sbom", "syft_sbom", IMPORT_MEMBER_MAX},
};

struct reading {
    struct import_archive *a;
    yyjson_doc *docs[MEMBERS];
};

static int read_member(struct reading *r, enum member m, struct tar *t, const struct tar_entry *te,
                       struct err *e)
{
    auto_buf text;
    buf_init(&text, members[m].max);
    if (r->docs[m])
        return err_set(e, ERR_FORMAT, "the member %s is there twice", members[m].name);
    if (te->type != TAR_FILE)
        return err_set(e, ERR_FORMAT, "the member %s is not a regular file", members[m].name);
    int rc = stream_read_all(tar_content(t), &text, members[m].name, e);
    return rc < 0 ? rc : json_parse(buf_view(&text), members[m].name, &r->docs[m], e);
}

static int read_entry(struct reading *r, struct tar *t, const struct tar_entry *te, struct err *e)
{
    if (te->unsafe)
        return err_set(e, ERR_FORMAT, "a member's path leads out of the archive");
    for (enum member m = 0; m < MEMBERS; m++)
        if (str_eq(te->path, str_z(members[m].name)))
            return read_member(r, m, t, te, e);
    return 0;
}

static int read_members(struct reading *r, str bytes, struct err *e)
{
    static const struct tar_limits limits = {.max_entries = IMPORT_MEMBERS_MAX};
    static const struct inflate_limits sizes = {.max_out = IMPORT_ARCHIVE_MAX};
    auto_stream *raw = NULL, *plain = NULL;
    struct tar_entry te;
    struct tar *t = NULL;
    enum compression c;
    int rc = stream_from_mem(bytes, &raw, e);
    if (rc >= 0)
        rc = stream_sniff(raw, &c, e);
    if (rc >= 0 && c != COMP_GZIP)
        return err_set(e, ERR_FORMAT, "not a gzip-compressed archive");
    if (rc >= 0)
        rc = stream_inflate(raw, c, &sizes, &plain, e);
    if (rc >= 0)
        rc = tar_open(plain, &limits, &t, e);
    while (rc >= 0 && (rc = tar_next(t, &te, e)) == 1)
        rc = read_entry(r, t, &te, e);
    if (rc >= 0) /* the checksum at the end of the compressed data counts */
        rc = stream_drain(plain, e);
    if (t)
        tar_close(t);
    return rc;
}

/* ---- the index ---------------------------------------------------------------------------------
 */

/* Who moves a member elsewhere must be told that it would not be found. */
static int check_artifacts(yyjson_val *index, struct err *e)
{
    size_t i, n;
    yyjson_val *v;
    yyjson_arr_foreach(json_get(index, "artifacts"), i, n, v)
    {
        str name = json_str(v, "name"), path = json_str(json_get(v, "dest"), "tarfile_path");
        for (enum member m = ANALYSIS; m < MEMBERS; m++)
            if (str_eq(name, str_z(members[m].artifact)) && path.n && !str_eq(path, name))
                return err_set(e, ERR_FORMAT, "the artifact %s is not at its place",
                               members[m].artifact);
    }
    return 0;
}

static int64_t epoch_us(yyjson_val *o, const char *key)
{
    yyjson_val *v = json_get(o, key);
    bool sane = yyjson_is_uint(v) && yyjson_get_uint(v) < UINT64_C(100000000000);
    return sane ? (int64_t)yyjson_get_uint(v) * 1000000 : 0;
}

static int read_tag(struct import_archive *a, yyjson_val *v, struct err *e)
{
    struct import_tag *t = &a->tags[a->n_tags];
    str registry = json_str(v, "registry"), repo = json_str(v, "repo"), tag = json_str(v, "tag");
    str name = arena_printf(&a->arena, "%.*s/%.*s:%.*s", STR_ARG(str_sub(registry, 0, 1024)),
                            STR_ARG(str_sub(repo, 0, 1024)), STR_ARG(str_sub(tag, 0, 1024)));
    if (!name.p)
        return err_no_memory(e);
    int rc = fulltag_parse(name, &a->arena, &t->name, NULL);
    if (rc < 0 || !str_eq(t->name.registry, registry) || !str_eq(t->name.repo, repo) ||
        !str_eq(t->name.tag, tag))
        return err_set(e, ERR_FORMAT, "a tag of the image's record is no name of an image");
    t->detected = epoch_us(v, "tag_detected_at");
    a->n_tags++;
    return 0;
}

static int read_tags(struct import_archive *a, yyjson_val *record, struct err *e)
{
    size_t i, n;
    yyjson_val *v, *list = json_get(record, "image_detail");
    n = yyjson_arr_size(list);
    if (!n)
        return err_set(e, ERR_FORMAT, "the image's record has no tag");
    if (n > IMPORT_TAGS_MAX)
        return err_set(e, ERR_LIMIT, "the image's record has more than %d tags", IMPORT_TAGS_MAX);
    a->tags = arena_calloc(&a->arena, n, sizeof *a->tags);
    if (!a->tags)
        return err_no_memory(e);
    int rc = 0;
    yyjson_arr_foreach(list, i, n, v)
    {
        if (rc >= 0)
            rc = read_tag(a, v, e);
    }
    return rc;
}

static int read_digest(struct import_archive *a, str text, str *out, const char *what,
                       struct err *e)
{
    struct sha256 digest;
    if (sha256_parse(text, &digest, NULL) < 0)
        return err_set(e, ERR_FORMAT, "%s is not sha256: and 64 hexadecimal digits", what);
    *out = arena_dup(&a->arena, text);
    return 0;
}

static int read_id(struct import_archive *a, yyjson_val *index, struct err *e)
{
    str id = json_str(json_get(index, "metadata"), "image_id");
    for (size_t i = 0; i < id.n; i++)
        if (!ke_isalnum(id.p[i]) && id.p[i] != ':')
            return err_set(e, ERR_FORMAT, "image_id is not an id");
    if (id.n > 100)
        return err_set(e, ERR_FORMAT, "image_id is not an id");
    a->id = arena_dup(&a->arena, id);
    return 0;
}

/* JSON of an object, given as a value or as text. */
static int read_annotations(struct import_archive *a, yyjson_val *record, struct err *e)
{
    yyjson_val *v = json_get(record, "annotations");
    auto_json *doc = NULL;
    if (yyjson_is_str(v)) {
        int rc = json_parse(json_text(v), "annotations", &doc, e);
        if (rc < 0)
            return rc;
        v = yyjson_doc_get_root(doc);
    }
    if (!v || yyjson_is_null(v))
        return 0;
    if (!yyjson_is_obj(v))
        return err_set(e, ERR_FORMAT, "the image's annotations are not an object");
    autofree char *text = yyjson_val_write(v, 0, NULL);
    if (!text)
        return err_no_memory(e);
    a->annotations = arena_dup(&a->arena, str_z(text));
    return 0;
}

static int read_record(struct import_archive *a, yyjson_val *record, struct err *e)
{
    str digest = json_str(record, "imageDigest"), parent = json_str(record, "parentDigest");
    yyjson_val *size = json_get(record, "image_size");
    if (!yyjson_is_obj(record))
        return err_set(e, ERR_FORMAT, "archive_manifest has no record of the image");
    if (!str_eq(digest, a->digest))
        return err_set(e, ERR_FORMAT, "the image's record is another image's");
    int rc = parent.n ? read_digest(a, parent, &a->parent_digest, "parentDigest", e) : 0;
    a->size = yyjson_is_uint(size) && yyjson_get_uint(size) <= INT64_MAX
                  ? (int64_t)yyjson_get_uint(size)
                  : -1;
    a->created = epoch_us(record, "created_at");
    a->analyzed = epoch_us(record, "analyzed_at");
    if (rc >= 0)
        rc = read_annotations(a, record, e);
    return rc < 0 ? rc : read_tags(a, record, e);
}

static int read_index(struct reading *r, struct err *e)
{
    struct import_archive *a = r->a;
    auto_json *doc = NULL;
    yyjson_val *index = yyjson_doc_get_root(r->docs[INDEX]);
    yyjson_val *record = json_at(index, "metadata", "image_record", NULL);
    int rc = check_artifacts(index, e);
    if (rc >= 0)
        rc = read_digest(a, json_str(index, "image_digest"), &a->digest, "image_digest", e);
    if (rc >= 0)
        rc = read_id(a, index, e);
    if (rc >= 0 && yyjson_is_str(record)) {
        rc = json_parse(json_text(record), "image_record", &doc, e);
        record = doc ? yyjson_doc_get_root(doc) : NULL;
    }
    return rc < 0 ? rc : read_record(a, record, e);
}

/* The manifest's text: of a string its content, of an object its JSON. */
static int read_manifest(struct reading *r, struct err *e)
{
    yyjson_val *root = r->docs[MANIFEST] ? yyjson_doc_get_root(r->docs[MANIFEST]) : NULL;
    yyjson_val *v = json_get(root, "document");
    auto_json *doc = NULL;
    if (!v)
        v = root;
    if (yyjson_is_str(v)) {
        int rc = json_parse(json_text(v), "image_manifest", &doc, e);
        if (rc < 0)
            return rc;
        r->a->manifest = arena_dup(&r->a->arena, json_text(v));
        v = yyjson_doc_get_root(doc);
    }
    if (!v || yyjson_is_null(v))
        return 0;
    if (!yyjson_is_obj(v))
        return err_set(e, ERR_FORMAT, "image_manifest is not a manifest");
    if (r->a->manifest.n)
        return 0;
    autofree char *text = yyjson_val_write(v, 0, NULL);
    if (!text)
        return err_no_memory(e);
    r->a->manifest = arena_dup(&r->a->arena, str_z(text));
    return 0;
}

/* ---- all of it ---------------------------------------------------------------------------------
 */

static int read_all(struct reading *r, str bytes, struct err *e)
{
    int rc = read_members(r, bytes, e);
    if (rc < 0)
        return rc;
    for (enum member m = INDEX; m <= ANALYSIS; m++)
        if (!r->docs[m])
            return err_set(e, ERR_FORMAT, "there is no member %s", members[m].name);
    rc = read_index(r, e);
    if (rc >= 0)
        rc = read_manifest(r, e);
    if (rc >= 0 && r->a->arena.full)
        rc = err_set(e, ERR_LIMIT, "its record needs more than %d MiB", IMPORT_TEXTS_MAX >> 20);
    if (rc < 0)
        return rc;
    r->a->analysis = TAKE(r->docs[ANALYSIS]);
    r->a->sbom = TAKE(r->docs[SBOM]);
    return 0;
}

int import_archive_read(str bytes, struct import_archive **out, struct err *e)
{
    struct import_archive *a = calloc(1, sizeof *a);
    if (!a)
        return err_no_memory(e);
    arena_init(&a->arena, IMPORT_TEXTS_MAX);
    struct reading r = {.a = a};
    int rc = read_all(&r, bytes, e);
    for (enum member m = 0; m < MEMBERS; m++)
        yyjson_doc_free(r.docs[m]);
    if (rc < 0)
        import_archive_free(a);
    else
        *out = a;
    return rc < 0 ? rc : 0;
}

void import_archive_free(struct import_archive *a)
{
    if (!a)
        return;
    yyjson_doc_free(a->analysis);
    yyjson_doc_free(a->sbom);
    arena_done(&a->arena);
    free(a);
}
