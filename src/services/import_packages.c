/* import_packages.c - the packages of the original's report; see import_analysis.h. */
#include "base/auto.h"
#include "packages/licence.h"
#include "packages/squash.h"
#include "services/import_analysis_parts.h"

#include <stdlib.h>

struct reader {
    struct import_source *s;
    size_t room;
    const char *element;
    const struct package_type *type; /* of the element; NULL: pkgs.allinfo */
    struct map sources;              /* of pkgs_plus_source.all: name -> its value */
};

static str keep(struct reader *r, str s)
{
    return import_keep(r->s->inv, s);
}

/* The member, or the first of a list under its plural name. */
static str one_of(yyjson_val *v, const char *one, const char *many)
{
    str s = json_str(v, one);
    yyjson_val *list = json_get(v, many);
    return s.n ? s : yyjson_is_arr(list) ? json_text(yyjson_arr_get_first(list)) : json_text(list);
}

static str licences(struct reader *r, yyjson_val *v, const char *one, const char *many)
{
    size_t i, n;
    yyjson_val *x;
    auto_buf b;
    buf_init(&b, 1 << 16);
    if (!yyjson_is_arr(json_get(v, many)))
        return keep(r, json_str(v, one));
    bool lines = licence_is_list(r->type);
    yyjson_arr_foreach(json_get(v, many), i, n, x)
    {
        if (lines) {
            licence_list_add(&b, json_text(x));
            continue;
        }
        if (b.n)
            buf_add_char(&b, ' ');
        buf_add_str(&b, json_text(x));
    }
    return keep(r, buf_view(&b));
}

/* ---- distro packages ---------------------------------------------------------------------------
 */

static const struct package_type *os_type(str word)
{
    static const char *const words[][2] = {{"dpkg", "deb"}, {"apkg", "apk"}, {"rpm", "rpm"}};
    for (size_t i = 0; i < KE_ARRAY_LEN(words); i++)
        if (str_eq_nocase(word, str_z(words[i][0])))
            return package_type_find(str_z(words[i][1]));
    return NULL;
}

static void read_source(struct reader *r, struct package *p, yyjson_val *v)
{
    str source = keep(r, json_str(v, "sourcepkg"));
    if (str_ends(source, STR(".src.rpm"))) {
        str rest = str_sub(source, 0, source.n - sizeof ".src.rpm" + 1);
        ptrdiff_t release = str_rindex(rest, '-');
        ptrdiff_t version = release > 0 ? str_rindex(str_sub(rest, 0, (size_t)release), '-') : -1;
        if (version <= 0)
            return;
        p->source_name = str_sub(rest, 0, (size_t)version);
        p->source_version = str_from(rest, (size_t)version + 1);
        return;
    }
    p->source_name = source;
    if (source.n && !str_eq(source, p->name))
        p->source_version = keep(r, json_text(map_get(&r->sources, source)));
    if (str_eq(p->source_version, p->version))
        p->source_version = STR("");
}

static str installed_size(struct reader *r, const struct package *p, yyjson_val *v)
{
    yyjson_val *size = json_get(v, "size");
    uint64_t n = 0;
    if (yyjson_is_uint(size))
        n = yyjson_get_uint(size);
    else if (!str_to_u64(json_text(size), &n))
        return STR("");
    if (str_eq(str_z(p->type->name), STR("deb")))
        n /= 1000; /* the original's bytes of a kibibyte */
    return arena_printf(&r->s->inv->arena, "%llu", (unsigned long long)n);
}

static bool read_os(struct reader *r, str name, yyjson_val *v, struct package *p)
{
    str version = json_str(v, "version"), release = keep(r, json_str(v, "release"));
    *p = (struct package){.type = os_type(json_str(v, "type")), .name = keep(r, name)};
    if (!p->type)
        return false;
    p->version = keep(r, version);
    if (p->version.n && release.n)
        p->version =
            arena_printf(&r->s->inv->arena, "%.*s-%.*s", STR_ARG(version), STR_ARG(release));
    p->arch = keep(r, json_str(v, "arch"));
    p->licence = keep(r, json_str(v, "license"));
    p->vendor = keep(r, json_str(v, "origin"));
    p->size = installed_size(r, p, v);
    read_source(r, p, v);
    return true;
}

/* ---- language packages -------------------------------------------------------------------------
 */

static str group_of(struct reader *r, yyjson_val *v)
{
    str text = json_str(json_get(v, "metadata"), "pom.properties"), line;
    while (str_line(&text, &line))
        if (str_starts(line, STR("groupId=")))
            return keep(r, str_trim(str_from(line, sizeof "groupId=" - 1)));
    return STR("");
}

static void read_java(struct reader *r, yyjson_val *v, struct package *p)
{
    static const char *const versions[] = {"maven-version", "implementation-version",
                                           "specification-version", "version"};
    str type = json_str(v, "type");
    for (size_t i = 0; i < KE_ARRAY_LEN(versions) && !p->version.n; i++)
        p->version = keep(r, json_str(v, versions[i]));
    if (str_eq_nocase(type, STR("java-hpi")) || str_eq_nocase(type, STR("java-jpi")))
        p->type = package_type_find(STR("jenkins-plugin"));
    p->group = group_of(r, v);
    p->licence = STR("");
}

static bool read_language(struct reader *r, str key, yyjson_val *v, struct package *p)
{
    bool java = str_eq(str_z(r->type->name), STR("java-archive"));
    str location = java ? json_str(v, "location") : STR("");
    *p = (struct package){
        .type = r->type,
        .name = keep(r, json_str(v, "name")),
        .version = java ? STR("") : keep(r, one_of(v, "version", "versions")),
        .licence = licences(r, v, "license", "lics"),
        .vendor = keep(r, one_of(v, "origin", "origins")),
        .path = keep(r, import_relative(location.n ? location : key)),
    };
    if (java)
        read_java(r, v, p);
    return p->name.n > 0;
}

/* ---- lists -------------------------------------------------------------------------------------
 */

static int add(struct reader *r, const struct package *p, struct err *e)
{
    struct inventory *inv = r->s->inv;
    struct evidence *evidence = arena_new(&inv->arena, struct evidence);
    auto_buf purl = {0};
    if (inv->n_packages == r->room)
        return err_set(e, ERR_LIMIT, "more than %d packages", IMPORT_PACKAGES_MAX);
    if (!evidence)
        return err_no_memory(e);
    *evidence = (struct evidence){.path = p->path};
    buf_init(&purl, 1 << 16);
    package_purl(p, inv->release.id, inv->release.version_id, &purl);
    inv->packages[inv->n_packages++] = (struct inv_package){
        .p = *p,
        .purl = arena_dup(&inv->arena, buf_view(&purl)),
        .evidence = evidence,
        .n_evidence = 1,
    };
    return 0;
}

static int index_sources(struct reader *r, struct err *e)
{
    size_t i, n;
    yyjson_val *key, *v;
    yyjson_obj_foreach(import_base(r->s, "package_list", "pkgs_plus_source.all"), i, n, key, v)
    {
        if (!map_put(&r->sources, json_text(key), v))
            return err_no_memory(e);
    }
    return 0;
}

static int read_list(struct reader *r, struct err *e)
{
    size_t i, n;
    yyjson_val *key, *v, *list = import_base(r->s, "package_list", r->element);
    yyjson_obj_foreach(list, i, n, key, v)
    {
        auto_json *held = NULL;
        struct package p;
        str name = json_text(key);
        yyjson_val *value = import_value(v, &held);
        bool fine = yyjson_is_obj(value) &&
                    (r->type ? read_language(r, name, value, &p) : read_os(r, name, value, &p));
        int rc = fine ? add(r, &p, e) : (r->s->odd++, 0);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int import_packages(struct import_source *s, struct err *e)
{
    static const char *const lists[][2] = {
        {"pkgs.allinfo", NULL},    {"pkgs.python", "python"},     {"pkgs.npms", "npm"},
        {"pkgs.gems", "gem"},      {"pkgs.java", "java-archive"}, {"pkgs.go", "go-module"},
        {"pkgs.binary", "binary"},
    };
    size_t room = 0;
    for (size_t i = 0; i < KE_ARRAY_LEN(lists); i++)
        room += yyjson_obj_size(import_base(s, "package_list", lists[i][0]));
    if (room > IMPORT_PACKAGES_MAX)
        room = IMPORT_PACKAGES_MAX;
    s->inv->packages = arena_calloc(&s->inv->arena, room + 1, sizeof *s->inv->packages);
    if (!s->inv->packages)
        return err_no_memory(e);
    struct reader r = {.s = s, .room = room};
    map_init(&r.sources);
    int rc = index_sources(&r, e);
    for (size_t i = 0; rc >= 0 && i < KE_ARRAY_LEN(lists); i++) {
        r.element = lists[i][0];
        r.type = lists[i][1] ? package_type_find(str_z(lists[i][1])) : NULL;
        rc = read_list(&r, e);
    }
    map_done(&r.sources);
    if (rc >= 0)
        rc = packages_merge(s->inv->packages, &s->inv->n_packages, &s->inv->arena, e);
    qsort(s->inv->packages, s->inv->n_packages, sizeof *s->inv->packages, inv_package_cmp);
    return rc;
}
