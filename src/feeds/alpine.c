/* alpine.c - the "secdb" form (YAML or JSON): fixed versions per origin package, of Alpine, Wolfi
 * and others.
 *
 * A row names the first fixed version; version "0" says that the package never was affected. What
 * is not fixed yet is not listed at all. */
#include "base/map.h"
#include "base/vec.h"
#include "feeds/common.h"
#include "feeds/drivers.h"
#include "feeds/sync.h"

#include "vulndb/platform.h"

#include <stdlib.h>

static bool secdb_wants(str path)
{
    if (feed_path_hidden(path))
        return false;
    static const str names[] = {STR_INIT("main"), STR_INIT("community"), STR_INIT("testing"),
                                STR_INIT("security")};
    str name = str_basename(path);
    for (size_t i = 0; i < KE_ARRAY_LEN(names); i++) {
        str rest = str_from(name, names[i].n);
        if (str_starts(name, names[i]) &&
            (str_eq(rest, STR(".json")) || str_eq(rest, STR(".yaml")) || str_eq(rest, STR(".yml"))))
            return true;
    }
    return false;
}

/* Rolling distributions in this form are known by where their packages lie. */
static const struct {
    const char *mark, *platform;
} rolling[] = {
    {"packages.wolfi.dev", "wolfi"},
    {"packages.cgr.dev", "chainguard"},
    {"packages.mini.dev", "minimos"},
};

/* "3.18" or "edge" out of one component of a path: "v3.18", "edge". */
static str release_of_part(str part)
{
    if (str_eq(part, STR("edge")))
        return part;
    if (part.n > 2 && part.p[0] == 'v' && ke_isdigit(part.p[1]) && str_index(part, '.') > 0)
        return str_from(part, 1);
    return STR("");
}

static str release_in_path(str path)
{
    str found = STR("");
    while (path.n) {
        str part = str_split(&path, '/');
        ptrdiff_t bang = str_index(part, '!');
        str release = release_of_part(bang < 0 ? part : str_from(part, (size_t)bang + 1));
        if (release.n)
            found = release;
    }
    return found;
}

static int secdb_platform(const struct feed_input *in, yyjson_val *root, struct buf *out,
                          struct err *e)
{
    str prefix = json_str(root, "urlprefix"), distro = json_str(root, "distroversion");
    for (size_t i = 0; i < KE_ARRAY_LEN(rolling); i++)
        if (!distro.n && str_contains(prefix, str_z(rolling[i].mark))) {
            buf_add_str(out, str_z(rolling[i].platform));
            return 0;
        }
    str release = release_of_part(distro);
    if (!release.n)
        release = release_in_path(in->path);
    if (!release.n)
        return feed_bad(in, STR("distroversion"),
                        "is missing, and the path does not name a release (\"v3.18\", \"edge\")",
                        e);
    const struct distro_family *f = distro_find(STR("alpine"));
    if (str_eq(release, STR("edge")))
        buf_add_str(out, STR("alpine:edge"));
    else if (f)
        platform_name(f, release, STR(""), out);
    return buf_check(out, "the platform", e);
}

/* Claims wait until the end of the load: a rejection takes back rows of every release. */
struct secdb_claim {
    str id, package, fixed, platform; /* interned */
};

struct secdb {
    struct feed_strings strings;
    struct map vulns;    /* ids sent */
    struct map rejected; /* "package id" */
    struct map platforms;
    VEC(struct secdb_claim) claims;
    VEC(struct secdb_claim) rejections; /* without platform and version */
    VEC(str) releases;                  /* platforms of this load */
};

struct secdb_row {
    const struct feed_input *in;
    struct claim_sink *sink;
    struct secdb *db;
    str platform, package, fixed;
};

/* One string of ids: "CVE-2016-9932 XSA-200". */
enum { IDS_MAX = 16, ID_STORE = 32 };
struct id_list {
    str ids[IDS_MAX]; /* CVEs first */
    size_t n, n_cves;
    char store[IDS_MAX][ID_STORE];
};

/* "CVE_2019-2426" means CVE-2019-2426. */
static str id_repaired(str id, char store[ID_STORE])
{
    if (!str_starts(id, STR("CVE_")) || id.n >= ID_STORE)
        return id;
    memcpy(store, id.p, id.n);
    store[3] = '-';
    str repaired = {store, id.n};
    return feed_is_cve(repaired) ? repaired : id;
}

static int ids_split(const struct secdb_row *row, str text, struct id_list *l, struct err *e)
{
    l->n = l->n_cves = 0;
    while (text.n) {
        str id = str_trim(str_split(&text, ' '));
        if (!id.n)
            continue;
        if (l->n == IDS_MAX)
            return feed_bad(row->in, row->package, "has more than 16 ids in one string", e);
        id = id_repaired(id, l->store[l->n]);
        l->ids[l->n++] = id;
        if (feed_is_cve(id)) {
            l->ids[l->n - 1] = l->ids[l->n_cves];
            l->ids[l->n_cves++] = id;
        }
    }
    return 0;
}

static int claim_keep(const struct secdb_row *row, str id, struct err *e)
{
    struct feed_strings *t = &row->db->strings;
    bool rejection = !row->platform.n;
    struct secdb_claim c = {.id = feed_intern(t, id),
                            .package = feed_intern(t, row->package),
                            .fixed = feed_intern(t, row->fixed),
                            .platform = feed_intern(t, row->platform)};
    struct secdb_claim *slot =
        rejection ? vec_push(&row->db->rejections) : vec_push(&row->db->claims);
    if (!slot || !c.id.p || !c.package.p || !c.fixed.p || !c.platform.p)
        return err_no_memory(e);
    *slot = c;
    return 0;
}

/* CVEs are claims and the rest are names beside them; where there is no CVE, the first id is the
 * claim. Such names never join groups: one XSA often stands for several CVEs. */
static int secdb_ids(const struct secdb_row *row, str text, struct err *e)
{
    struct id_list l;
    struct vuln_alias aliases[IDS_MAX];
    int r = ids_split(row, text, &l, e);
    if (r == 0 && !l.n)
        row->sink->drop(row->sink, "empty id", 1);
    size_t n_claims = l.n_cves ? l.n_cves : l.n ? 1 : 0, n_aliases = l.n - n_claims;
    for (size_t i = 0; i < n_aliases; i++)
        aliases[i] = (struct vuln_alias){l.ids[n_claims + i], ALIAS_RELATED};
    for (size_t i = 0; i < n_claims && r == 0; i++) {
        struct vuln v = vuln_empty();
        v.id = l.ids[i];
        v.aliases = aliases;
        v.n_aliases = n_aliases;
        r = claim_keep(row, v.id, e);
        str id = feed_intern(&row->db->strings, v.id);
        void **seen = r == 0 ? map_slot(&row->db->vulns, id) : NULL;
        if (r == 0 && !seen)
            r = err_no_memory(e);
        if (r == 0 && (!*seen || n_aliases))
            r = row->sink->vuln(row->sink, &v, e);
        if (r == 0)
            *seen = row->db;
    }
    return r;
}

static int secdb_package(struct secdb_row *row, yyjson_val *secfixes, struct err *e)
{
    yyjson_obj_iter it = yyjson_obj_iter_with(secfixes);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&it));) {
        row->fixed = str_trim(json_text(key));
        yyjson_val *ids = yyjson_obj_iter_get_val(key), *id;
        if (yyjson_is_null(ids) || !row->fixed.n) {
            row->sink->drop(row->sink, "fixed version without ids", 1);
            continue;
        }
        if (!yyjson_is_arr(ids))
            return feed_bad(row->in, row->package, "the ids of a version are not a list", e);
        size_t i, n;
        yyjson_arr_foreach(ids, i, n, id)
        {
            row->sink->record(row->sink, 1);
            if (yyjson_is_null(id)) {
                row->sink->drop(row->sink, "empty id", 1);
                continue;
            }
            if (!yyjson_is_str(id))
                return feed_bad(row->in, row->package, "an id is not text", e);
            int r = secdb_ids(row, json_text(id), e);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

static int secdb_packages(struct secdb_row *row, yyjson_val *packages, struct err *e)
{
    size_t i, n;
    yyjson_val *one;
    yyjson_arr_foreach(packages, i, n, one)
    {
        yyjson_val *pkg = json_get(one, "pkg"), *secfixes = json_get(pkg, "secfixes");
        row->package = str_trim(json_str(pkg, "name"));
        if (!row->package.n)
            return feed_bad(row->in, STR("a package"), "has no name", e);
        if (secfixes && !yyjson_is_null(secfixes) && !yyjson_is_obj(secfixes))
            return feed_bad(row->in, row->package, "secfixes is not a mapping", e);
        int r = secdb_package(row, secfixes, e);
        if (r < 0)
            return r;
    }
    return 0;
}

/* "package: [CVE-...]": vulnerabilities that Alpine says are none of the package. */
static int rejections_read(struct secdb_row *row, yyjson_val *root, struct err *e)
{
    yyjson_obj_iter it = yyjson_obj_iter_with(root);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&it));) {
        yyjson_val *ids = yyjson_obj_iter_get_val(key), *id;
        size_t i, n;
        row->package = str_trim(json_text(key));
        row->fixed = STR("0");
        if (!yyjson_is_null(ids) && !yyjson_is_arr(ids))
            return feed_bad(row->in, row->package, "the rejected ids are not a list", e);
        yyjson_arr_foreach(ids, i, n, id)
        {
            row->sink->record(row->sink, 1);
            if (!json_text(id).n)
                return feed_bad(row->in, row->package, "an id is not text", e);
            int r = secdb_ids(row, json_text(id), e);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

static struct secdb *secdb_of(void **state, struct err *e)
{
    if (*state)
        return *state;
    struct secdb *db = calloc(1, sizeof *db);
    if (!db) {
        err_no_memory(e);
        return NULL;
    }
    feed_strings_init(&db->strings);
    map_init(&db->vulns);
    map_init(&db->rejected);
    map_init(&db->platforms);
    return *state = db;
}

static int platform_note(struct secdb *db, str platform, struct err *e)
{
    str own = feed_intern(&db->strings, platform);
    void **slot = own.p ? map_slot(&db->platforms, own) : NULL;
    if (!slot)
        return err_no_memory(e);
    if (*slot)
        return 0;
    str *release = vec_push(&db->releases);
    if (!release)
        return err_no_memory(e);
    *release = own;
    *slot = db;
    return 0;
}

static int secdb_read(void **state, const struct feed_input *in, struct claim_sink *sink,
                      struct err *e)
{
    struct secdb *db = secdb_of(state, e);
    auto_json *doc = NULL;
    int r = db ? feed_read_document(in, true, &doc, e) : ERR_NO_MEMORY;
    if (r < 0)
        return r;
    struct secdb_row row = {.in = in, .sink = sink, .db = db};
    yyjson_val *root = yyjson_doc_get_root(doc), *packages = json_get(root, "packages");
    if (yyjson_is_obj(root) && !packages && str_contains(in->path, STR("rejections")))
        return rejections_read(&row, root, e);
    if (!yyjson_is_obj(root) || (!packages && !json_str(root, "apkurl").n))
        return feed_bad(in, STR("packages"), "is missing; this is no secdb file", e);
    if (packages && !yyjson_is_null(packages) && !yyjson_is_arr(packages))
        return feed_bad(in, STR("packages"), "is not a list", e);
    auto_buf platform;
    buf_init(&platform, 256);
    r = secdb_platform(in, root, &platform, e);
    row.platform = buf_view(&platform);
    if (r == 0)
        r = platform_note(db, row.platform, e);
    return r < 0 ? r : secdb_packages(&row, packages, e);
}

static int claim_send(const struct secdb_claim *k, str platform, struct claim_sink *sink,
                      struct err *e)
{
    bool never = str_eq(k->fixed, STR("0"));
    struct version_range range = {.hi = k->fixed};
    struct claim c = {
        .vuln_id = k->id,
        .platform = platform,
        .package = k->package,
        .package_kind = PACKAGE_SOURCE,
        .kind = never ? CLAIM_UNAFFECTED : CLAIM_AFFECTED,
        .state = never ? FIX_NOT_AFFECTED : FIX_FIXED,
        .scheme = "apk",
        .ranges = never ? NULL : &range,
        .n_ranges = never ? 0 : 1,
        .fixed = never ? STR("") : k->fixed,
    };
    return sink->claim(sink, &c, e);
}

static str rejection_key(struct secdb *db, const struct secdb_claim *c)
{
    return arena_printf(&db->strings.arena, "%.*s %.*s", STR_ARG(c->package), STR_ARG(c->id));
}

static int secdb_send(struct secdb *db, struct claim_sink *sink, struct err *e)
{
    int r = 0;
    for (size_t i = 0; i < db->rejections.n && r == 0; i++) {
        const struct secdb_claim *c = &db->rejections.p[i];
        str key = rejection_key(db, c);
        if (!key.p || !map_put(&db->rejected, key, db))
            return err_no_memory(e);
        for (size_t k = 0; k < db->releases.n && r == 0; k++)
            r = claim_send(c, db->releases.p[k], sink, e);
        if (!db->releases.n)
            sink->drop(sink, "rejection without a release to apply it to", 1);
    }
    for (size_t i = 0; i < db->claims.n && r == 0; i++) {
        const struct secdb_claim *c = &db->claims.p[i];
        str key = db->rejections.n ? rejection_key(db, c) : STR("");
        if (!key.p)
            return err_no_memory(e);
        if (key.n && map_get(&db->rejected, key))
            sink->drop(sink, "row replaced by a rejection", 1);
        else
            r = claim_send(c, c->platform, sink, e);
    }
    return r;
}

static int secdb_finish(void **state, struct claim_sink *sink, struct err *e)
{
    struct secdb *db = *state;
    if (!db)
        return 0;
    int r = sink ? secdb_send(db, sink, e) : 0;
    map_done(&db->vulns);
    map_done(&db->rejected);
    map_done(&db->platforms);
    vec_done(&db->claims);
    vec_done(&db->rejections);
    vec_done(&db->releases);
    feed_strings_done(&db->strings);
    free(db);
    *state = NULL;
    return r;
}

const struct feed_ops feed_alpine = {
    .name = "alpine",
    .summary = "Alpine Linux: fixed versions of every release and edge",
    .licence = "facts; no licence is stated",
    .wants = secdb_wants,
    .read = secdb_read,
    .finish = secdb_finish,
    .sync = &feed_sync_alpine,
};

const struct feed_ops feed_wolfi = {
    .name = "wolfi",
    .summary = "Wolfi (and Chainguard, MinimOS): the same form as Alpine's",
    .licence = "CC-BY-NC-ND-4.0 with a licence for scanners: for your own use, never passed on",
    .wants = secdb_wants,
    .read = secdb_read,
    .finish = secdb_finish,
    .sync = &feed_sync_wolfi,
};
