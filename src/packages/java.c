/* java.c - Java archives: jar, war, ear and their kin, and archives in them.
 *
 * Of an archive only the directory, the manifest and Maven's properties are read, and archives
 * inside; classes never. An inner archive that is stored is read in place; one that is compressed
 * is inflated into a spool of its own. */
#include "packages/java.h"

#include "codec/zip.h"

enum {
    DEPTH_MAX = 8,
    ARCHIVES_MAX = 20000,      /* in one file */
    MEMBERS_MAX = 8000000,     /* looked at in one file, all archives together */
    NAME_MAX_BYTES = 4096,     /* of an archive inside */
    POMS_MAX = 2000,           /* of one archive */
    MANIFEST_MAX = 64 << 10,   /* bytes of a manifest that are read: its main section is in there */
    PROPERTIES_MAX = 64 << 10, /* bytes of a pom.properties */
    TEXT_CHARGE = 64 << 10,    /* what one text counts among the bytes inflated */
    INFLATE_RATIO = 64,        /* inner archives may inflate to this many times the file */
};
static const uint64_t FILE_MAX = 4ull << 30;
static const uint64_t INFLATE_MIN = 256ull << 20, INFLATE_MAX = 4ull << 30;

/* loose: files that are no archives at all have this name too. */
static const struct extension {
    const char *name;
    bool plugin, loose;
} extensions[] = {
    {".jar"},
    {".war"},
    {".ear"},
    {".hpi", .plugin = true},
    {".jpi", .plugin = true},
    {".lpkg"},
    {".kar", .loose = true},
    {".nar", .loose = true},
    {".par", .loose = true},
    {".sar", .loose = true},
};

static const struct extension *extension_of(str path)
{
    if (path.n < 5 || (path.p[path.n - 4] != '.' && path.p[path.n - 5] != '.'))
        return NULL;
    for (size_t i = 0; i < KE_ARRAY_LEN(extensions); i++) {
        str x = str_z(extensions[i].name);
        if (str_eq_nocase(str_from(path, path.n - x.n), x))
            return &extensions[i];
    }
    return NULL;
}

static bool is_pom(str path, const char *file)
{
    return str_eq(str_basename(path), str_z(file)) && (str_starts(path, STR("META-INF/maven/")) ||
                                                       str_contains(path, STR("/META-INF/maven/")));
}

/* Also the properties of an archive that lies unpacked in the image. */
static bool java_wants(str path, uint64_t size, uint32_t mode)
{
    return extension_of(path) ||
           (str_ends(path, STR("/pom.properties")) && is_pom(path, "pom.properties"));
}

struct java_scan {
    struct cat *c;
    uint64_t inflate_left;
    size_t archives, members;
    str top; /* path of the file */
};

static int archive_read(struct java_scan *s, const struct spool *file, str path, int depth,
                        struct err *e);

/* A problem of an archive; whether the scan goes on is the caller's affair. */
static void archive_problem(struct java_scan *s, str path, const struct err *why)
{
    const char *what = why->code == ERR_LIMIT         ? "limit"
                       : why->code == ERR_UNSUPPORTED ? "unsupported"
                       : why->code == ERR_FORMAT      ? "parse"
                                                      : "unreadable";
    cat_problem(s->c, str_eq(path, s->top) ? (str){0} : path, what, "%s", why->text);
}

/* Errors that end the whole scan: what is below failed, or memory is out. */
static bool is_fatal(int r)
{
    return r == ERR_NO_MEMORY || r == ERR_IO;
}

/* ---- members ------------------------------------------------------------------------------------
 */

/* The first bytes (at most max) of a member, on the heap. Its checksum is seen when that is
 * all. */
static int member_text(struct java_scan *s, struct zip *z, const struct zip_entry *entry,
                       size_t max, struct buf *out, struct err *e)
{
    auto_stream *in = NULL;
    if (s->inflate_left < TEXT_CHARGE)
        return err_set(e, ERR_LIMIT, "too much to inflate in one file");
    s->inflate_left -= TEXT_CHARGE;
    int r = zip_content(z, entry, &in, e);
    if (r < 0)
        return r;
    size_t want = entry->size < max ? (size_t)entry->size : max;
    char *p = buf_reserve(out, want + 1);
    if (!p)
        return err_no_memory(e);
    /* one byte more than there are: so the end is seen, and with it the checksum */
    int64_t n = stream_read(in, p, want + (entry->size <= max), e);
    if (n < 0)
        return (int)n;
    out->n += (size_t)n;
    return 0;
}

static int manifest_take(struct java_scan *s, struct java_archive *a, struct zip *z,
                         const struct zip_entry *entry, struct err *e)
{
    auto_buf text;
    buf_init(&text, MANIFEST_MAX + 2);
    int r = member_text(s, z, entry, MANIFEST_MAX, &text, e);
    return r < 0 ? r : java_manifest_parse(buf_view(&text), cat_scratch(s->c), &a->manifest, e);
}

/* META-INF/maven/GROUP/ARTIFACT/pom.xml: the path says two of the three. */
static void pom_from_path(str member, struct java_pom *out)
{
    str dir = str_dirname(member);
    out->artifact = str_basename(dir);
    out->group = str_basename(str_dirname(dir));
}

static struct java_pom *pom_find(struct java_archive *a, const struct java_pom *like)
{
    for (size_t i = 0; i < a->poms.n; i++)
        if (str_eq(a->poms.p[i].group, like->group) &&
            str_eq(a->poms.p[i].artifact, like->artifact))
            return &a->poms.p[i];
    return NULL;
}

static int pom_keep(struct java_scan *s, struct java_archive *a, const struct java_pom *pom,
                    str member, struct err *e)
{
    struct arena *m = cat_scratch(s->c);
    struct java_pom *slot = pom_find(a, pom);
    if (slot && (slot->version.n || pom->version.n == 0))
        return 0;
    if (!slot && a->poms.n == POMS_MAX)
        return err_set(e, ERR_LIMIT, "more than %d Maven projects in one archive", POMS_MAX);
    slot = slot ? slot : vec_push(&a->poms);
    if (!slot)
        return err_no_memory(e);
    *slot = (struct java_pom){.group = arena_dup(m, pom->group),
                              .artifact = arena_dup(m, pom->artifact),
                              .version = arena_dup(m, pom->version),
                              .member = arena_dup(m, member)};
    return m->full ? err_no_memory(e) : 0;
}

static int properties_take(struct java_scan *s, struct java_archive *a, struct zip *z,
                           const struct zip_entry *entry, struct err *e)
{
    auto_buf text;
    struct java_pom pom = {0};
    buf_init(&text, PROPERTIES_MAX + 2);
    int r = member_text(s, z, entry, PROPERTIES_MAX, &text, e);
    if (r < 0)
        return r;
    java_pom_parse(buf_view(&text), &pom);
    return pom.artifact.n ? pom_keep(s, a, &pom, entry->name, e) : 0;
}

static int pom_xml_take(struct java_scan *s, struct java_archive *a, const struct zip_entry *entry,
                        struct err *e)
{
    struct java_pom pom = {0};
    pom_from_path(entry->name, &pom);
    return pom.artifact.n ? pom_keep(s, a, &pom, entry->name, e) : 0;
}

/* The archive inside as a spool: in place when it is stored, else inflated. */
static int inner_open(struct java_scan *s, const struct spool *file, struct zip *z,
                      const struct zip_entry *entry, struct spool **out, struct err *e)
{
    if (entry->method == 0 && entry->size == entry->compressed_size) {
        uint64_t at;
        int r = zip_locate(z, entry, &at, e);
        return r < 0 ? r : spool_window(file, at, entry->size, out, e);
    }
    if (entry->size > s->inflate_left)
        return err_set(e, ERR_LIMIT, "too much to inflate in one file");
    s->inflate_left -= entry->size;
    auto_stream *in = NULL;
    int r = zip_content(z, entry, &in, e);
    return r < 0 ? r : spool_new(in, cat_spool_limits(s->c), out, e);
}

static int inner_take(struct java_scan *s, const struct spool *file, str path, struct zip *z,
                      const struct zip_entry *entry, int depth, struct err *e)
{
    struct spool *inner = NULL;
    struct err why = {0};
    str inner_path =
        arena_printf(cat_scratch(s->c), "%.*s:%.*s", STR_ARG(path), STR_ARG(entry->name));
    if (!inner_path.p)
        return err_no_memory(e);
    int r = 0;
    if (depth == DEPTH_MAX)
        r = err_set(&why, ERR_LIMIT, "archives nested deeper than %d", DEPTH_MAX);
    else if (s->archives == ARCHIVES_MAX)
        r = err_set(&why, ERR_LIMIT, "more than %d archives in one file", ARCHIVES_MAX);
    else if (entry->name.n > NAME_MAX_BYTES)
        r = err_set(&why, ERR_LIMIT, "a name of %zu bytes", entry->name.n);
    else
        r = inner_open(s, file, z, entry, &inner, &why);
    if (r == 0)
        r = archive_read(s, inner, inner_path, depth + 1, &why);
    spool_free(inner);
    if (r == 0)
        return 0;
    if (is_fatal(r))
        return err_set(e, r, "%s", why.text);
    archive_problem(s, inner_path, &why);
    return 0;
}

static int member_take(struct java_scan *s, const struct spool *file, struct java_archive *a,
                       struct zip *z, const struct zip_entry *entry, int depth, struct err *e)
{
    str name = entry->name;
    struct err why = {0};
    int r = 0;
    if (str_eq_nocase(name, STR("META-INF/MANIFEST.MF")))
        r = manifest_take(s, a, z, entry, &why);
    else if (str_ends(name, STR("/pom.properties")) && is_pom(name, "pom.properties"))
        r = properties_take(s, a, z, entry, &why);
    else if (str_ends(name, STR("/pom.xml")) && is_pom(name, "pom.xml"))
        r = pom_xml_take(s, a, entry, &why);
    else if (extension_of(name) && !entry->is_dir)
        r = inner_take(s, file, a->path, z, entry, depth, &why);
    if (r == 0)
        return 0;
    if (is_fatal(r))
        return err_set(e, r, "%s", why.text);
    err_wrap(&why, "%.*s", STR_ARG(name));
    archive_problem(s, a->path, &why);
    return 0;
}

/* ---- archives -----------------------------------------------------------------------------------
 */

static int archive_members(struct java_scan *s, const struct spool *file, struct java_archive *a,
                           int depth, struct err *e)
{
    struct zip *z;
    struct zip_entry entry;
    static const struct zip_limits limits = {.max_member = 4ull << 30};
    int r = zip_open(file, &limits, &z, e);
    if (r < 0)
        return r;
    while ((r = zip_next(z, &entry, e)) > 0) {
        if (s->members++ == MEMBERS_MAX) {
            r = err_set(e, ERR_LIMIT, "more than %d members in one file", MEMBERS_MAX);
            break;
        }
        r = member_take(s, file, a, z, &entry, depth, e);
        if (r < 0)
            break;
    }
    zip_close(z);
    return r;
}

static int archive_packages(struct java_scan *s, struct java_archive *a, struct err *e)
{
    bool plugin = extension_of(a->path)->plugin;
    const struct package_type *jar = package_type_find(STR("java-archive"));
    struct java_identity id;
    java_identify(a, plugin, &id);
    struct package p = {
        .type = plugin ? package_type_find(STR("jenkins-plugin")) : jar,
        .group = id.group,
        .name = id.name,
        .version = id.version,
        .licence = a->manifest.values[JAVA_BUNDLE_LICENSE],
        .vendor = a->manifest.values[JAVA_IMPLEMENTATION_VENDOR],
        .path = a->path,
    };
    if (p.vendor.n == 0)
        p.vendor = a->manifest.values[JAVA_BUNDLE_VENDOR];
    int r = p.name.n && p.version.n ? cat_package(s->c, &p, e) : 0;
    for (size_t i = 0; r == 0 && i < a->poms.n; i++) {
        const struct java_pom *pom = &a->poms.p[i];
        if (pom->is_main || pom->version.n == 0)
            continue;
        struct package child = {.type = jar,
                                .group = pom->group,
                                .name = pom->artifact,
                                .version = pom->version,
                                .path = arena_printf(cat_scratch(s->c), "%.*s:%.*s",
                                                     STR_ARG(a->path), STR_ARG(pom->member))};
        r = child.path.p ? cat_package(s->c, &child, e) : err_no_memory(e);
    }
    return r;
}

static bool is_zip(const struct spool *file)
{
    char magic[2];
    return spool_read(file, magic, 2, 0, NULL) == 0 && memcmp(magic, "PK", 2) == 0;
}

/* What is found is kept also when the archive turns out to be broken: its file's name, if nothing
 * else. */
static int archive_read(struct java_scan *s, const struct spool *file, str path, int depth,
                        struct err *e)
{
    struct java_archive a = {.path = path};
    struct err why = {0};
    s->archives++;
    int broken = archive_members(s, file, &a, depth, &why);
    if (broken == ERR_FORMAT && extension_of(path)->loose && !is_zip(file))
        return 0;
    int r = is_fatal(broken) ? broken : archive_packages(s, &a, e);
    vec_done(&a.poms);
    if (r < 0 && r != broken)
        return r;
    return broken < 0 ? err_set(e, broken, "%s", why.text) : 0;
}

static int unpacked_properties(struct cat *c, const struct cat_file *f, struct err *e)
{
    str text;
    struct java_pom pom = {0};
    int r = cat_read_all(c, f, PROPERTIES_MAX, &text, e);
    if (r != 0)
        return r < 0 ? r : 0;
    java_pom_parse(text, &pom);
    struct package p = {.type = package_type_find(STR("java-archive")),
                        .group = pom.group,
                        .name = pom.artifact,
                        .version = pom.version};
    return p.name.n && p.version.n ? cat_package(c, &p, e) : 0;
}

static int java_parse(struct cat *c, const struct cat_file *f, struct err *e)
{
    struct spool *file;
    if (!extension_of(f->path))
        return unpacked_properties(c, f, e);
    int r = cat_spool(c, f, FILE_MAX, &file, e);
    if (r != 0)
        return r < 0 ? r : 0;
    struct java_scan s = {.c = c, .top = f->path, .inflate_left = f->size * INFLATE_RATIO};
    if (f->size > INFLATE_MAX / INFLATE_RATIO)
        s.inflate_left = INFLATE_MAX;
    if (s.inflate_left < INFLATE_MIN)
        s.inflate_left = INFLATE_MIN;
    struct err why = {0};
    r = archive_read(&s, file, f->path, 0, &why);
    spool_free(file);
    if (r < 0 && is_fatal(r))
        return err_set(e, r, "%s", why.text);
    if (r < 0)
        archive_problem(&s, f->path, &why);
    return 0;
}

const struct cataloguer cataloguer_java = {
    .name = "java", .wants = java_wants, .parse = java_parse};
