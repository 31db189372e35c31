/* image_facts.c - an image's facts from its documents. */
#include "base/auto.h"
#include "base/map.h"
#include "net/base64.h"
#include "packages/licence.h"
#include "services/call.h"
#include "services/package_places.h"
#include "services/policy_engine/policy_facts.h"
#include "services/policy_engine/vuln_rows.h"
#include "vulndb/platform.h"

#include <sys/stat.h>

enum { FACTS_MAX = 1 << 30, DOCUMENT_MAX = 512 << 20 };

struct maker {
    struct policy_image_facts *f;
    struct arena *a;
    struct arena keys; /* while the facts are made */
    const struct inventory *inv;
    struct policy_documents docs;
    struct err *e;
};

static str keep(struct maker *m, str s)
{
    return s.n ? arena_dup(m->a, s) : STR("");
}

/* 1: parsed; 0: there is no such document. */
static int document(struct maker *m, const char *type, yyjson_doc **out)
{
    auto_buf text;
    buf_init(&text, DOCUMENT_MAX);
    int rc = m->docs.read(m->docs.ctx, type, &text, m->e);
    if (rc != 1)
        return rc;
    rc = json_parse(buf_view(&text), type, out, m->e);
    return rc < 0 ? rc : 1;
}

static int full(struct maker *m)
{
    return err_set(m->e, ERR_LIMIT, "the facts of %.*s take more than %d MiB",
                   STR_ARG(m->f->image.digest), FACTS_MAX >> 20);
}

/* The list of a document of content, also where it stands alone. */
static yyjson_val *content_list(yyjson_doc *doc)
{
    yyjson_val *root = yyjson_doc_get_root(doc);
    return yyjson_is_arr(root) ? root : json_get(root, "content");
}

/* ---- files -------------------------------------------------------------------------------------
 */

static uint32_t file_mode(yyjson_val *v)
{
    static const struct {
        const char *name;
        uint32_t type;
    } types[] = {{"file", S_IFREG}, {"dir", S_IFDIR}, {"slink", S_IFLNK}, {"dev", S_IFCHR}};
    str text = json_str(v, "mode"), type = json_str(v, "type");
    uint32_t mode = 0;
    for (size_t i = 0; i < text.n && text.p[i] >= '0' && text.p[i] <= '7'; i++)
        mode = mode << 3 | (uint32_t)(text.p[i] - '0');
    mode &= 07777;
    for (size_t i = 0; i < KE_ARRAY_LEN(types); i++)
        if (str_eq(type, str_z(types[i].name)))
            mode |= types[i].type;
    return mode;
}

static int by_file_path(const void *a, const void *b)
{
    return str_cmp(((const struct policy_file *)a)->path, ((const struct policy_file *)b)->path);
}

static int make_files(struct maker *m)
{
    auto_json *doc = NULL;
    int rc = document(m, "files", &doc);
    if (rc != 1)
        return rc;
    yyjson_val *list = content_list(doc), *v;
    size_t i, n, max = yyjson_arr_size(list);
    struct policy_file *files = arena_calloc(m->a, max + 1, sizeof *files);
    if (!files)
        return full(m);
    yyjson_arr_foreach(list, i, n, v)
    {
        str path = json_str(v, "filename"), digest = json_str(v, "sha256");
        files[i] = (struct policy_file){
            .path = str_eq(path, STR("/.")) ? STR("/") : keep(m, path),
            .mode = file_mode(v),
            .size = yyjson_get_uint(json_get(v, "size")),
            .sha256 = keep(m, digest),
            .md5 = keep(m, json_str(v, "md5")),
            .sha1 = keep(m, json_str(v, "sha1")),
            .directory = str_eq(json_str(v, "type"), STR("dir")),
        };
    }
    qsort(files, max, sizeof *files, by_file_path);
    m->f->image.files = files;
    m->f->image.n_files = max;
    m->f->image.have |= PART_FILES;
    return m->a->full ? full(m) : 0;
}

/* ---- packages ----------------------------------------------------------------------------------
 */

/* In the order in which the original reads them; within one by name (os) or place. */
static const char *const kinds[] = {"os", "npm", "gem", "python", "java", "binary", "go"};

struct entry { /* to be sorted */
    size_t kind;
    str order;
    struct policy_package p;
    uint32_t layer;
};

static int by_order(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    int rc = str_cmp(x->order, y->order);
    return rc ? rc : str_cmp(x->p.full_version, y->p.full_version);
}

static str shown_type(struct maker *m, const char *kind, str type)
{
    if (strcmp(kind, "os") != 0 && strcmp(kind, "binary") != 0)
        return str_z(kind);
    if (str_eq(type, STR("APKG")))
        return STR("APKG");
    str lower = keep(m, type);
    for (size_t i = 0; i < lower.n; i++)
        ((char *)lower.p)[i] = ke_tolower(lower.p[i]);
    return lower;
}

static str version_alone(str kind, str full)
{
    ptrdiff_t dash = str_eq(kind, STR("os")) ? str_rindex(full, '-') : -1;
    return dash > 0 ? str_sub(full, 0, (size_t)dash) : full;
}

static str package_key(struct maker *m, str type, str name, str version)
{
    return arena_printf(&m->keys, "%.*s|%.*s|%.*s", STR_ARG(type), STR_ARG(name), STR_ARG(version));
}

/* group "": of any. */
static str place_key(struct maker *m, str package, str place, str group)
{
    return arena_printf(&m->keys, "%.*s|%.*s%s%.*s", STR_ARG(package), STR_ARG(place),
                        group.n ? "|" : "", STR_ARG(group));
}

struct known { /* a package of the inventory at one place */
    const struct inv_package *ip;
    uint32_t layer; /* UINT32_MAX: not known */
};

static int index_place(struct maker *m, struct map *by_key, str key, const struct inv_package *ip,
                       uint32_t layer)
{
    struct known *known = arena_new(&m->keys, struct known);
    void **slot = known ? map_slot(by_key, key) : NULL;
    if (!slot)
        return err_no_memory(m->e);
    *known = (struct known){ip, layer < m->inv->n_layers ? layer : UINT32_MAX};
    if (!*slot)
        *slot = known;
    return 0;
}

/* By type, name and version; language packages also with each place, and with that and their group.
 */
static int index_inventory(struct maker *m, struct map *by_key)
{
    int rc = 0;
    for (size_t i = 0; rc >= 0 && i < m->inv->n_packages; i++) {
        const struct inv_package *ip = &m->inv->packages[i];
        const struct package *p = &ip->p;
        str key = package_key(m, str_z(package_type_shown(p->type)), p->name, p->version);
        size_t n = 0;
        const struct package_place *places = package_places(ip, &m->keys, &n);
        if (!places)
            return err_no_memory(m->e);
        rc = index_place(m, by_key, key, ip, places[0].layer);
        for (size_t k = 0; rc >= 0 && p->type->ecosystem && k < n; k++) {
            str here = place_key(m, key, places[k].place, STR(""));
            rc = index_place(m, by_key, here, ip, places[k].layer);
            here = place_key(m, key, places[k].place, p->group);
            if (rc >= 0 && p->group.n)
                rc = index_place(m, by_key, here, ip, places[k].layer);
        }
    }
    return rc;
}

static const struct known *find_known(struct maker *m, const struct map *by_key, str type,
                                      str version, const struct policy_package *p, str location)
{
    str key = package_key(m, type, p->name, version);
    const struct known *any = map_get(by_key, key), *here = NULL;
    if (!any || !any->ip->p.type->ecosystem)
        return any;
    str place = package_place_of_location(any->ip->p.type, location);
    here = map_get(by_key, place_key(m, key, place, p->group));
    if (!here && p->group.n)
        here = map_get(by_key, place_key(m, key, place, STR("")));
    return here ? here : any;
}

/* Contents say where a Java archive comes from by its group. */
static str group_of(struct maker *m, size_t kind, yyjson_val *v)
{
    str origin = json_str(v, "origin");
    bool java = strcmp(kinds[kind], "java") == 0;
    return !java || str_eq(origin, STR("N/A")) || str_eq(origin, STR("Unknown")) ? STR("")
                                                                                 : keep(m, origin);
}

static const char *scheme_of(struct maker *m, const struct package_type *t)
{
    const struct release_info *r = &m->inv->release;
    if (t->scheme)
        return t->scheme;
    const struct distro_family *d = distro_resolve(r->id, r->id_like);
    return d ? d->scheme : "";
}

static void fill(struct maker *m, const struct map *by_key, size_t kind, yyjson_val *v,
                 struct entry *out)
{
    str type = shown_type(m, kinds[kind], json_str(v, "type")), licence = json_str(v, "license");
    str version = json_str(v, "version"), location = json_str(v, "location");
    bool os = kind == 0;
    struct policy_package *p = &out->p;
    p->name = keep(m, json_str(v, "package"));
    p->full_version = keep(m, version);
    p->version = version_alone(str_z(kinds[kind]), p->full_version);
    p->type = type;
    p->licence = str_eq(licence, STR("Unknown")) ? STR("") : keep(m, licence);
    p->location = os ? STR("pkgdb") : keep(m, location);
    p->group = group_of(m, kind, v);
    p->purl = p->scheme = p->expression = STR("");
    out->kind = kind;
    out->order = os ? p->name : p->location;
    out->layer = UINT32_MAX;
    if (str_eq(version, STR("*")))
        version = STR("");
    const struct known *known = find_known(m, by_key, type, version, p, location);
    if (!known)
        return;
    p->purl = keep(m, known->ip->purl);
    auto_buf scratch;
    p->expression = keep(m, licence_expression(known->ip->p.licence, &scratch));
    p->scheme = str_z(scheme_of(m, known->ip->p.type));
    out->layer = known->layer;
}

static int place_packages(struct maker *m, struct entry *list, size_t n)
{
    struct policy_package *packages = arena_calloc(m->a, n + 1, sizeof *packages);
    uint32_t *layers = arena_calloc(m->a, n + 1, sizeof *layers);
    if (!packages || !layers)
        return full(m);
    if (n)
        qsort(list, n, sizeof *list, by_order);
    for (size_t i = 0; i < n; i++) {
        packages[i] = list[i].p;
        layers[i] = list[i].layer;
    }
    m->f->image.packages = packages;
    m->f->image.n_packages = n;
    m->f->package_layers = layers;
    m->f->image.have |= PART_PACKAGES;
    return m->a->full ? full(m) : 0;
}

static int read_kind(struct maker *m, const struct map *by_key, size_t kind, struct entry **list,
                     size_t *n)
{
    auto_json *doc = NULL;
    int rc = document(m, kinds[kind], &doc);
    if (rc != 1)
        return rc;
    yyjson_val *items = content_list(doc), *v;
    size_t i, max;
    struct entry *more = realloc(*list, (*n + yyjson_arr_size(items) + 1) * sizeof **list);
    if (!more)
        return err_no_memory(m->e);
    *list = more;
    yyjson_arr_foreach(items, i, max, v)
    {
        memset(&more[*n], 0, sizeof *more);
        fill(m, by_key, kind, v, &more[(*n)++]);
    }
    return 0;
}

static int make_packages(struct maker *m)
{
    autofree struct entry *list = NULL;
    size_t n = 0;
    struct map by_key;
    map_init(&by_key);
    int rc = index_inventory(m, &by_key);
    for (size_t k = 0; rc >= 0 && k < KE_ARRAY_LEN(kinds); k++)
        rc = read_kind(m, &by_key, k, &list, &n);
    if (rc >= 0)
        rc = place_packages(m, list, n);
    map_done(&by_key);
    return rc;
}

/* ---- packages' own lists of files --------------------------------------------------------------
 */

static int fill_manifest(struct maker *m, yyjson_val *list, struct policy_package *p)
{
    size_t i, n;
    yyjson_val *v;
    struct policy_manifest_entry *all = arena_calloc(m->a, yyjson_arr_size(list) + 1, sizeof *all);
    if (!all)
        return full(m);
    yyjson_arr_foreach(list, i, n, v)
    {
        uint64_t flags = yyjson_get_uint(yyjson_arr_get(v, 5));
        all[i] = (struct policy_manifest_entry){
            .path = arena_printf(m->a, "/%.*s", STR_ARG(json_text(yyjson_arr_get(v, 0)))),
            .algorithm = keep(m, json_text(yyjson_arr_get(v, 1))),
            .digest = keep(m, json_text(yyjson_arr_get(v, 2))),
            .mode = (uint32_t)yyjson_get_uint(yyjson_arr_get(v, 3)),
            .size = yyjson_get_uint(yyjson_arr_get(v, 4)),
            .config = flags & OWNED_CONFIG,
            .directory = flags & OWNED_DIRECTORY,
        };
    }
    p->manifest = all;
    p->n_manifest = yyjson_arr_size(list);
    return m->a->full ? full(m) : 0;
}

/* Packages of several architectures have the same key, and stand side by side in both lists. */
static struct policy_package *manifest_owner(struct maker *m, const struct map *first,
                                             yyjson_val *v)
{
    struct policy_package *p = map_get(
        first, package_key(m, json_str(v, "type"), json_str(v, "name"), json_str(v, "version")));
    const struct policy_package *end = m->f->image.packages + m->f->image.n_packages;
    for (; p && p < end; p++) {
        if (!str_eq(p->name, json_str(v, "name")) ||
            !str_eq(p->full_version, json_str(v, "version")))
            return NULL;
        if (!p->manifest)
            return p;
    }
    return NULL;
}

static int make_manifests(struct maker *m)
{
    auto_json *doc = NULL;
    size_t i, n;
    yyjson_val *v;
    struct map first KE_CLEANUP(map_done);
    map_init(&first);
    int rc = document(m, "package_files", &doc);
    if (rc != 1)
        return rc;
    for (size_t k = m->f->image.n_packages; k-- > 0;) {
        const struct policy_package *p = &m->f->image.packages[k];
        if (!map_put(&first, package_key(m, p->type, p->name, p->full_version),
                     (void *)(uintptr_t)p))
            return err_no_memory(m->e);
    }
    yyjson_arr_foreach(yyjson_doc_get_root(doc), i, n, v)
    {
        struct policy_package *p = manifest_owner(m, &first, v);
        rc = p ? fill_manifest(m, json_get(v, "files"), p) : 0;
        if (rc < 0)
            return rc;
    }
    m->f->image.have |= PART_MANIFESTS;
    return m->a->full ? full(m) : 0;
}

/* ---- what was found in files -------------------------------------------------------------------
 */

static int make_matches(struct maker *m, const char *type, const struct policy_match **out,
                        size_t *n_out)
{
    auto_json *doc = NULL;
    size_t i, k, n, total = 0;
    yyjson_val *file, *match;
    int rc = document(m, type, &doc);
    if (rc != 1)
        return rc;
    yyjson_arr_foreach(yyjson_doc_get_root(doc), i, n, file) total +=
        yyjson_arr_size(json_get(file, "matches"));
    struct policy_match *list = arena_calloc(m->a, total + 1, sizeof *list);
    if (!list)
        return full(m);
    total = 0;
    yyjson_arr_foreach(yyjson_doc_get_root(doc), i, n, file)
    {
        size_t max;
        str path = keep(m, json_str(file, "path"));
        yyjson_arr_foreach(json_get(file, "matches"), k, max, match) list[total++] =
            (struct policy_match){path, keep(m, json_str(match, "name")),
                                  keep(m, json_str(match, "regex"))};
    }
    *out = list;
    *n_out = total;
    m->f->image.have |= PART_SEARCHES;
    return m->a->full ? full(m) : 0;
}

/* Base64 in lines. */
static int decode_lines(str text, struct buf *out, struct err *e)
{
    auto_buf bare;
    buf_init(&bare, DOCUMENT_MAX);
    for (size_t i = 0; i < text.n; i++)
        if (!ke_isspace(text.p[i]))
            buf_add_char(&bare, text.p[i]);
    int rc = buf_check(&bare, "a retrieved file", e);
    return rc < 0 ? rc : base64_decode(buf_view(&bare), out, e);
}

static int make_retrieved(struct maker *m)
{
    auto_json *doc = NULL;
    size_t i, n;
    yyjson_val *v;
    int rc = document(m, "retrieved_files", &doc);
    if (rc != 1)
        return rc;
    yyjson_val *root = yyjson_doc_get_root(doc);
    struct policy_retrieved *list = arena_calloc(m->a, yyjson_arr_size(root) + 1, sizeof *list);
    if (!list)
        return full(m);
    yyjson_arr_foreach(root, i, n, v)
    {
        auto_buf content;
        buf_init(&content, DOCUMENT_MAX);
        rc = decode_lines(json_str(v, "b64_content"), &content, m->e);
        if (rc < 0)
            return rc;
        list[i] =
            (struct policy_retrieved){keep(m, json_str(v, "path")), keep(m, buf_view(&content))};
    }
    m->f->image.retrieved = list;
    m->f->image.n_retrieved = yyjson_arr_size(root);
    m->f->image.have |= PART_RETRIEVED;
    return m->a->full ? full(m) : 0;
}

static int make_malware(struct maker *m)
{
    auto_json *doc = NULL;
    size_t i, k, n, max, total = 0;
    yyjson_val *scan, *v;
    int rc = document(m, "malware", &doc);
    if (rc != 1)
        return rc;
    yyjson_val *list = content_list(doc);
    yyjson_arr_foreach(list, i, n, scan) total += yyjson_arr_size(json_get(scan, "findings"));
    struct policy_malware *found = arena_calloc(m->a, total + 1, sizeof *found);
    if (!found)
        return full(m);
    total = 0;
    yyjson_arr_foreach(list, i, n, scan)
    {
        str scanner = keep(m, json_str(scan, "scanner"));
        yyjson_arr_foreach(json_get(scan, "findings"), k, max, v) found[total++] =
            (struct policy_malware){scanner, keep(m, json_str(v, "path")),
                                    keep(m, json_str(v, "signature"))};
    }
    m->f->image.malware = found;
    m->f->image.n_malware = total;
    m->f->image.malware_scanned = yyjson_arr_size(list) > 0;
    m->f->image.have |= PART_MALWARE;
    return m->a->full ? full(m) : 0;
}

/* ---- the rest ----------------------------------------------------------------------------------
 */

static int make_labels(struct maker *m)
{
    auto_json *doc = NULL;
    size_t i, n, count = 0;
    yyjson_val *key, *v;
    int rc = document(m, "config", &doc);
    if (rc != 1)
        return rc;
    yyjson_val *labels = json_at(yyjson_doc_get_root(doc), "config", "Labels", NULL);
    struct policy_label *list = arena_calloc(m->a, yyjson_obj_size(labels) + 1, sizeof *list);
    if (!list)
        return full(m);
    yyjson_obj_foreach(labels, i, n, key, v)
    {
        list[count].name = keep(m, json_text(key));
        list[count++].value = keep(m, json_text(v));
    }
    m->f->image.labels = list;
    m->f->image.n_labels = count;
    return m->a->full ? full(m) : 0;
}

static str absolute(struct maker *m, str path)
{
    return path.n && path.p[0] != '/' ? arena_printf(m->a, "/%.*s", (int)path.n, path.p)
                                      : keep(m, path);
}

static int make_gaps(struct maker *m)
{
    const struct inventory *inv = m->inv;
    struct policy_image *im = &m->f->image;
    struct policy_gap *gaps = arena_calloc(m->a, inv->n_problems + 1, sizeof *gaps);
    str *unsupported = arena_calloc(m->a, inv->n_unsupported + 1, sizeof *unsupported);
    str *layers = arena_calloc(m->a, inv->n_layers + 1, sizeof *layers);
    if (!gaps || !unsupported || !layers)
        return full(m);
    for (size_t i = 0; i < inv->n_problems; i++)
        gaps[i] =
            (struct policy_gap){absolute(m, inv->problems[i].path), keep(m, inv->problems[i].what),
                                keep(m, inv->problems[i].detail)};
    for (size_t i = 0; i < inv->n_unsupported; i++)
        unsupported[i] = keep(m, inv->unsupported[i]);
    for (size_t i = 0; i < inv->n_layers; i++)
        layers[i] = keep(m, inv->layers[i].diff_id);
    im->gaps = gaps;
    im->n_gaps = inv->n_problems;
    im->unsupported = unsupported;
    im->n_unsupported = inv->n_unsupported;
    im->layers = layers;
    im->n_diff_ids = inv->n_layers;
    im->have |= PART_PROBLEMS;
    return m->a->full ? full(m) : 0;
}

/* "rhel fedora": as "rhel,fedora". */
static str commas(struct maker *m, str words)
{
    auto_buf text;
    buf_init(&text, 4096);
    for (str rest = words; rest.n;) {
        str word = str_trim(str_split(&rest, ' '));
        if (word.n)
            buf_addf(&text, "%s%.*s", text.n ? "," : "", STR_ARG(word));
    }
    return keep(m, buf_view(&text));
}

static int make_record(struct maker *m, const struct policy_origin *o)
{
    struct policy_image *im = &m->f->image;
    const struct release_info *r = &m->inv->release;
    im->id = keep(m, o->id);
    im->digest = keep(m, o->digest);
    im->size = o->size;
    im->n_layers = o->layers >= 0 ? o->layers : (int64_t)m->inv->n_layers;
    im->architecture = keep(m, o->architecture);
    im->os = keep(m, m->inv->os);
    im->distro = keep(m, o->distro);
    im->distro_version = keep(m, o->distro_version);
    /* A distribution that is like no other is like itself; a description says nothing of it. */
    im->distro_like =
        commas(m, r->id_like.n || str_eq(m->inv->source_kind, STR("import")) ? r->id_like : r->id);
    time_parse(m->inv->created, &im->created_us);
    im->dockerfile_mode = o->dockerfile_mode.n ? keep(m, o->dockerfile_mode) : STR("Unknown");
    im->have |= PART_DOCKERFILE;
    if (!o->dockerfile.p)
        return m->a->full ? full(m) : 0;
    auto_buf text;
    buf_init(&text, 16 << 20);
    int rc = base64_decode(o->dockerfile, &text, m->e);
    if (rc < 0)
        return err_wrap(m->e, "the Dockerfile");
    im->dockerfile = arena_dup(m->a, text.n ? buf_view(&text) : STR(""));
    return m->a->full ? full(m) : 0;
}

static int make(struct maker *m, const struct policy_origin *o, unsigned parts)
{
    struct policy_image *im = &m->f->image;
    int rc = make_record(m, o);
    if (rc >= 0)
        rc = make_packages(m);
    if (rc >= 0)
        rc = make_matches(m, "file_content_search", &im->content_search, &im->n_content_search);
    if (rc >= 0)
        rc = make_matches(m, "secret_search", &im->secret_search, &im->n_secret_search);
    if (rc >= 0)
        rc = make_retrieved(m);
    if (rc >= 0)
        rc = make_malware(m);
    if (rc >= 0)
        rc = make_labels(m);
    if (rc >= 0)
        rc = make_gaps(m);
    if (rc >= 0 && parts & PART_FILES)
        rc = make_files(m);
    if (rc >= 0 && parts & PART_MANIFESTS)
        rc = make_manifests(m);
    return rc < 0 ? rc : 0;
}

int policy_image_facts_new(const struct policy_origin *o, const struct inventory *inv,
                           struct policy_documents docs, unsigned parts,
                           struct policy_image_facts **out, struct err *e)
{
    struct policy_image_facts *f = calloc(1, sizeof *f);
    if (!f)
        return err_no_memory(e);
    arena_init(&f->arena, FACTS_MAX);
    struct maker m = {.f = f, .a = &f->arena, .inv = inv, .docs = docs, .e = e};
    arena_init(&m.keys, FACTS_MAX);
    int rc = make(&m, o, parts);
    arena_done(&m.keys);
    if (rc < 0)
        policy_image_facts_free(f);
    else
        *out = f;
    return rc;
}

void policy_image_facts_free(struct policy_image_facts *f)
{
    if (!f)
        return;
    arena_done(&f->arena);
    free(f);
}
