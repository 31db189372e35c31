/* analyst_archive.c - images in one tar: `docker save`, OCI archives, an engine's export, standard
 * input.
 *
 * A seekable archive is walked once over its headers; then the layers are read in parallel by
 * offset, and known ones not at all. Anything else (a pipe, a compressed archive) is read in one
 * pass: every member that looks like a layer is analysed as it comes by, and what it belongs to is
 * known at the end, when the manifest was seen. */
#include "base/auto.h"
#include "packages/analyst_internal.h"

enum { MEMBERS_MAX = 50000, TEXTS_MAX = 20 << 20, ARENA_MAX = 40 << 20 };

struct member {
    str name;
    uint64_t offset, size; /* seekable */
    str link;              /* symbolic or hard link to another member */
    str text;              /* small members of a stream */
    bool analysed;         /* a layer of a stream */
    str failure;           /* why it is none */
    struct sha256 digest, diff_id;
};

struct archive {
    struct analyst *an;
    struct arena arena;
    struct map members; /* name -> struct member */
    size_t n;
    uint64_t texts;
    bool stream;
};

static int members_full(const struct archive *ar, struct err *e)
{
    return ar->arena.full
               ? err_set(e, ERR_LIMIT,
                         "the names and texts in the archive take more than the limit of "
                         "%d MiB: is it an image?",
                         ARENA_MAX >> 20)
               : err_no_memory(e);
}

static int member_add(struct archive *ar, const struct tar_entry *entry, struct member **out,
                      struct err *e)
{
    if (++ar->n > MEMBERS_MAX)
        return err_set(e, ERR_LIMIT, "the archive has more than %d members: is it an image?",
                       MEMBERS_MAX);
    struct member *m = arena_new(&ar->arena, struct member);
    if (!m)
        return members_full(ar, e);
    m->name = arena_dup(&ar->arena, entry->path);
    *out = m;
    return m->name.p && map_put(&ar->members, m->name, m) ? 0 : members_full(ar, e);
}

static int member_link(struct archive *ar, const struct tar_entry *entry, struct err *e)
{
    struct member *m;
    int r = member_add(ar, entry, &m, e);
    if (r < 0)
        return r;
    auto_buf path;
    buf_init(&path, 1 << 16);
    if (entry->type == TAR_SYMLINK && entry->link.n && entry->link.p[0] != '/') {
        buf_add_str(&path, str_dirname(entry->path));
        buf_add_char(&path, '/');
    }
    buf_add_str(&path, entry->link);
    auto_buf clean;
    buf_init(&clean, 1 << 16);
    for (str rest = buf_view(&path); rest.n;)
        link_path_step(&clean, str_split(&rest, '/'));
    m->link = arena_dup(&ar->arena, buf_view(&clean));
    return m->link.p ? 0 : members_full(ar, e);
}

/* Follows links between members. */
static struct member *member_find(const struct archive *ar, str name)
{
    while (str_starts(name, STR("./")))
        name = str_from(name, 2);
    for (int hops = 0; hops < 8; hops++) {
        struct member *m = map_get(&ar->members, name);
        if (!m || m->link.n == 0)
            return m;
        name = m->link;
    }
    return NULL;
}

/* ---- one pass
 * ---------------------------------------------------------------------------------------------- */

static bool looks_like_layer(const struct tar_entry *entry, enum compression c, const uint8_t *p,
                             size_t n)
{
    if (c != COMP_NONE)
        return true;
    if (n >= 263 && memcmp(p + 257, "ustar", 5) == 0)
        return true;
    return str_ends(entry->path, STR("layer.tar")) ||
           (entry->size >= 1024 && n >= 512 && p[0] == 0 &&
            str_contains(entry->path, STR("blobs/")));
}

static int stream_layer(struct archive *ar, struct member *m, struct stream *content, struct err *e)
{
    struct layer_job job = {.index = -1};
    char name[200];
    snprintf(name, sizeof name, "layer %.*s", STR_ARG(str_sub(m->name, 0, 160)));
    struct err why = {0};
    int r = analyst_layer(ar->an, &job, content, name, &why);
    m->analysed = r == 0;
    m->digest = job.found_digest;
    m->diff_id = job.found_diff_id;
    if (r != ERR_FORMAT && r != ERR_LIMIT)
        return r < 0 ? err_set(e, r, "%s", why.text) : 0;
    /* matters only when the manifest says that it is a layer */
    m->failure = arena_dup(&ar->arena, str_z(why.text));
    return m->failure.p ? 0 : err_no_memory(e);
}

static int stream_text(struct archive *ar, struct member *m, uint64_t size, struct stream *content,
                       struct err *e)
{
    if (size > MANIFEST_MAX || size > TEXTS_MAX - ar->texts)
        return 0;
    char *text = arena_alloc(&ar->arena, (size_t)size + 1);
    if (!text)
        return members_full(ar, e);
    int r = stream_read_exact(content, text, (size_t)size, e);
    m->text = (str){text, (size_t)size};
    ar->texts += size;
    return r;
}

static int stream_member(struct archive *ar, const struct tar_entry *entry, struct stream *content,
                         struct err *e)
{
    struct member *m;
    const uint8_t *p;
    enum compression c;
    auto_stream *head = NULL;
    int r = member_add(ar, entry, &m, e);
    if (r == 0)
        r = stream_head(content, STREAM_HEAD_MAX, &head, e);
    if (r == 0)
        r = stream_sniff(head, &c, e);
    int64_t n = r < 0 ? r : stream_view(head, &p, e);
    if (n <= 0)
        return (int)n;
    m->size = entry->size;
    if (looks_like_layer(entry, c, p, (size_t)n))
        return stream_layer(ar, m, head, e);
    if (p[0] == '{' || p[0] == '[' || ke_isspace((char)p[0]))
        return stream_text(ar, m, entry->size, head, e);
    return 0;
}

/* ---- the walk
 * ---------------------------------------------------------------------------------------------- */

static int archive_member(struct archive *ar, struct tar *t, const struct tar_entry *entry,
                          struct err *e)
{
    if (entry->unsafe)
        return 0;
    if (entry->type == TAR_SYMLINK || entry->type == TAR_HARDLINK)
        return member_link(ar, entry, e);
    if (entry->type != TAR_FILE)
        return 0;
    if (ar->stream)
        return stream_member(ar, entry, tar_content(t), e);
    struct member *m;
    int r = member_add(ar, entry, &m, e);
    if (r == 0) {
        m->offset = tar_content_offset(t);
        m->size = entry->size;
    }
    return r;
}

static int archive_walk(struct archive *ar, struct stream *in, struct err *e)
{
    struct tar *t;
    struct tar_entry entry;
    int r = tar_open(in, NULL, &t, e);
    if (r < 0)
        return r;
    while ((r = tar_next(t, &entry, e)) == 1) {
        r = archive_member(ar, t, &entry, e);
        if (r < 0)
            break;
    }
    tar_close(t);
    if (r < 0)
        return ar->n ? r : err_wrap(e, "this is no image archive");
    return ar->stream ? stream_drain(in, e) : 0;
}

/* ---- what image_reader wants
 * --------------------------------------------------------------------------------- */

static int member_missing(str name, struct err *e)
{
    return err_set(e, ERR_FORMAT, "the archive lacks %.*s: it is incomplete",
                   STR_ARG(str_sub(name, 0, 200)));
}

/* The member that holds a digest's blob, or of that name. */
static struct member *member_of(const struct archive *ar, str name)
{
    if (!str_starts(name, STR("sha256:")))
        return member_find(ar, name);
    char path[160];
    snprintf(path, sizeof path, "blobs/sha256/%.*s", STR_ARG(str_from(name, 7)));
    return member_find(ar, str_z(path));
}

static int member_text(struct archive *ar, const struct member *m, const char *what, str *out,
                       struct err *e)
{
    if (ar->stream) {
        *out = m->text;
        return m->text.p ? 0 : err_set(e, ERR_LIMIT, "%s is too large or no text", what);
    }
    if (m->size > MANIFEST_MAX)
        return err_set(e, ERR_LIMIT, "%s is too large", what);
    char *text = arena_alloc(&ar->arena, (size_t)m->size + 1);
    auto_stream *s = NULL;
    if (!text)
        return members_full(ar, e);
    int r = stream_from_range(ar->an->source->fd, m->offset, m->size, &s, e);
    if (r == 0)
        r = stream_read_exact(s, text, (size_t)m->size, e);
    *out = (str){text, (size_t)m->size};
    return r;
}

static int archive_text(void *ctx, str name, const char *what, str *out, struct err *e)
{
    struct archive *ar = ctx;
    const struct member *m = member_of(ar, name);
    if (!m)
        return member_missing(name, e);
    int r = member_text(ar, m, what, out, e);
    if (r < 0 || !str_starts(name, STR("sha256:")))
        return r;
    char text[SHA256_TEXT];
    struct sha256 found = sha256_of(out->p, out->n);
    if (!str_eq(str_z(sha256_format(&found, text)), name))
        return err_set(e, ERR_MISMATCH, "%s does not match its digest %.*s", what, STR_ARG(name));
    return 0;
}

/* A layer that came by in the stream: is it the one that the manifest means? */
static int archive_check(struct archive *ar, const struct member *m, const struct descriptor *d,
                         str diff_id, struct err *e)
{
    char text[SHA256_TEXT];
    if (!m->analysed)
        return err_set(e, ERR_FORMAT, "%.*s",
                       STR_ARG(m->failure.n ? m->failure : STR("it is not a tar archive")));
    if (d->digest.n && !str_eq(str_z(sha256_format(&m->digest, text)), d->digest))
        return err_set(e, ERR_MISMATCH, "the layer does not match its digest %.*s",
                       STR_ARG(d->digest));
    if (!str_eq(str_z(sha256_format(&m->diff_id, text)), diff_id))
        return err_set(e, ERR_MISMATCH, "the layer does not match its diff_id %.*s",
                       STR_ARG(diff_id));
    return 0;
}

static int archive_layer(void *ctx, int32_t i, const struct descriptor *d, struct err *e)
{
    struct archive *ar = ctx;
    str diff_id = ar->an->description.layers.p[i].diff_id;
    str name = d->digest.n ? d->digest : d->ref_name;
    const struct member *m = member_of(ar, name);
    if (!m)
        return member_missing(name, e);
    int r;
    if (ar->stream) {
        r = archive_check(ar, m, d, diff_id, e);
        return r < 0 ? err_wrap(e, "layer %d", i + 1) : 0;
    }
    struct layer_job job = {.index = i, .digest = d->digest, .diff_id = diff_id};
    char what[200];
    auto_stream *raw = NULL;
    snprintf(what, sizeof what, "layer %d (%.*s)", i + 1, STR_ARG(str_sub(m->name, 0, 150)));
    r = stream_from_range(ar->an->source->fd, m->offset, m->size, &raw, e);
    return r < 0 ? r : analyst_layer(ar->an, &job, raw, what, e);
}

/* The layers of an archive have sizes only here. */
static int archive_image(struct archive *ar, struct err *e)
{
    struct image_reader reader = {
        .ctx = ar, .text = archive_text, .layer = archive_layer, .one_at_a_time = ar->stream};
    const struct member *saved = member_find(ar, STR("manifest.json"));
    const struct member *index = member_find(ar, STR("index.json"));
    bool oci = strcmp(ar->an->source->kind, "oci-archive") == 0;
    str json;
    if (!saved && !index)
        return err_set(
            e, ERR_FORMAT,
            "no image in this archive: neither manifest.json (docker save) nor index.json "
            "(OCI) is there");
    const struct member *m = (oci && index) || !saved ? index : saved;
    int r = member_text(ar, m, "the list of images", &json, e);
    if (r < 0)
        return r;
    return m == saved ? image_from_saved(ar->an, &reader, json, e)
                      : image_from_manifest(ar->an, &reader, json, STR(""), STR(""), e);
}

static int archive_open(struct archive *ar, int fd, struct err *e)
{
    auto_stream *raw = NULL, *head = NULL, *inflated = NULL;
    enum compression c;
    struct inflate_limits limits = {.max_out = 1ull << 40, .max_ratio = 1100, .grace = 32ull << 30};
    int r = ar->stream ? stream_from_fd(fd, false, &raw, e)
                       : stream_from_range(fd, 0, (uint64_t)lseek(fd, 0, SEEK_END), &raw, e);
    if (r == 0)
        r = stream_head(raw, STREAM_HEAD_MAX, &head, e);
    if (r == 0)
        r = stream_sniff(head, &c, e);
    if (r < 0)
        return r;
    if (c == COMP_NONE)
        return archive_walk(ar, head, e);
    ar->stream = true; /* offsets inside a compressed archive are no use */
    r = stream_inflate(head, c, &limits, &inflated, e);
    return r < 0 ? r : archive_walk(ar, inflated, e);
}

int analyse_archive(struct analyst *an, struct err *e)
{
    struct archive ar = {.an = an, .stream = !an->source->seekable};
    int export_fd autoclose = -1, fd = an->source->fd;
    bool export = an->source->engine_socket[0] != '\0';
    arena_init(&ar.arena, ARENA_MAX);
    map_init(&ar.members);
    int r = 0;
    if (export) {
        bool seekable;
        r = analyst_blob(an, STR(""), 0, STR(""), &export_fd, &seekable, e);
        fd = export_fd;
    }
    if (r == 0)
        r = archive_open(&ar, fd, e);
    if (export && (r == ERR_FORMAT || r == ERR_IO)) {
        close(TAKE_FD(export_fd));
        r = analyst_transfer_status(an, STR(""), r, e);
    }
    if (r == 0)
        r = archive_image(&ar, e);
    map_done(&ar.members);
    /* the description's slices live in this arena: it is freed with the process */
    return r;
}
