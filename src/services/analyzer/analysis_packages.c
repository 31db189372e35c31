#include "base/auto.h"
#include "base/map.h"
#include "packages/licence.h"
#include "services/analyzer/analysis.h"
#include "services/analyzer/cpes.h"
#include "services/package_places.h"

static const char *const content_types[] = {"os", "npm", "gem", "python", "java", "binary", "go"};

/* Which list a type of package is shown in, and under which name. */
static const struct {
    const char *type, *content, *shown;
} shown_types[] = {
    {"deb", "os", "DPKG"},
    {"apk", "os", "APKG"},
    {"rpm", "os", "RPM"},
    {"alpm", "os", "ALPM"},
    {"npm", "npm", "NPM"},
    {"python", "python", "PYTHON"},
    {"gem", "gem", "GEM"},
    {"java-archive", "java", "JAVA-JAR"},
    {"jenkins-plugin", "java", "JAVA-HPI"},
    {"go-module", "go", "GO"},
    {"rust-crate", "binary", "RUST-CRATE"},
    {"binary", "binary", "BINARY"},
};

struct lister {
    struct analysis *s;
    const struct analysis_input *in;
    yyjson_mut_doc *d;
    struct arena scratch;   /* of one row */
    struct arena places;    /* of one package */
    struct map directories; /* of the image, when Python packages are listed */
};

static void add_cpes(struct lister *l, yyjson_mut_val *o, const struct package *p, bool hint)
{
    const str *cpes = NULL;
    size_t n = hint ? 0 : cpes_of_package(&l->scratch, p, &cpes);
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(l->d, o, "cpes");
    for (size_t i = 0; i < n; i++)
        yyjson_mut_arr_add_strncpy(l->d, list, cpes[i].p, cpes[i].n);
}

/* A list is shown as the original does: joined with a blank, and each as it is stated. */
static void add_listed(struct lister *l, yyjson_mut_val *o, str licence)
{
    auto_buf joined;
    buf_init(&joined, licence.n + 1);
    licence_list_join(licence, " ", &joined);
    put_str(l->d, o, "license", licence.n ? buf_view(&joined) : STR("Unknown"));
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(l->d, o, "licenses");
    if (!licence.n)
        licence = STR("Unknown");
    while (licence.n) {
        str one = str_split(&licence, '\n');
        yyjson_mut_arr_add_strncpy(l->d, list, one.p, one.n);
    }
}

/* An expression in parentheses is one licence; otherwise blanks separate them. */
static void add_licences(struct lister *l, yyjson_mut_val *o, str licence, str when_empty)
{
    put_str(l->d, o, "license", licence.n ? licence : STR("Unknown"));
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(l->d, o, "licenses");
    if (!licence.n || licence.p[0] == '(') {
        str one = licence.n ? licence : when_empty;
        yyjson_mut_arr_add_strncpy(l->d, list, one.n ? one.p : "", one.n);
        return;
    }
    str rest = licence;
    while (rest.n) {
        str part = str_trim(str_split(&rest, ' '));
        if (part.n)
            yyjson_mut_arr_add_strncpy(l->d, list, part.p, part.n);
    }
}

static str absolute(struct lister *l, str path)
{
    return path.n && path.p[0] == '/' ? path : arena_printf(&l->scratch, "/%.*s", STR_ARG(path));
}

static int index_directories(struct lister *l, struct err *e)
{
    const struct inventory *inv = l->in->inv;
    for (size_t i = 0; i < inv->n_files; i++)
        if (inv->files[i].type == FACT_DIR &&
            !map_put(&l->directories, inv->files[i].path, &inv->files[i]))
            return err_no_memory(e);
    return 0;
}

/* Python packages are said to be where their modules are, beside the directory of their metadata.
 */
static str python_location(struct lister *l, const struct package *p, str place)
{
    if (str_eq_nocase(str_basename(p->path), p->name)) /* imported: known already */
        return absolute(l, p->path);
    str lower = arena_dup(&l->scratch, p->name);
    for (size_t i = 0; i < lower.n; i++)
        ((char *)lower.p)[i] = ke_tolower(lower.p[i]);
    str path = arena_printf(&l->scratch, "%.*s/%.*s", STR_ARG(place), STR_ARG(lower));
    if (!map_get(&l->directories, path))
        path = arena_printf(&l->scratch, "%.*s/%.*s", STR_ARG(place), STR_ARG(p->name));
    return absolute(l, path);
}

static str or_word(str s, str word)
{
    return s.n ? s : word;
}

static void add_java(struct lister *l, yyjson_mut_val *o, const struct package *p, bool hint)
{
    str none = STR("N/A");
    str version = or_word(p->version, none);
    put_str(l->d, o, "implementation-version", version);
    put_str(l->d, o, "specification-version", version);
    put_str(l->d, o, "maven-version", hint || p->group.n ? version : none);
    put_str(l->d, o, "origin", hint ? STR("Unknown") : or_word(p->group, none));
    yyjson_mut_val *metadata = yyjson_mut_obj_add_obj(l->d, o, "metadata");
    if (!hint) {
        str nothing = STR("None");
        str text = arena_printf(&l->scratch, "\ngroupId=%.*s\nartifactId=%.*s\nversion=%.*s\n",
                                STR_ARG(or_word(p->group, nothing)),
                                STR_ARG(p->group.n ? p->name : nothing),
                                STR_ARG(p->group.n ? version : nothing));
        put_str(l->d, metadata, "pom.properties", text);
    }
}

static str java_type(struct lister *l, const struct package *p, str fallback)
{
    ptrdiff_t dot = str_rindex(str_basename(p->path), '.');
    if (dot < 0)
        return fallback;
    str ext = str_from(str_basename(p->path), (size_t)dot + 1);
    str type = arena_printf(&l->scratch, "JAVA-%.*s", STR_ARG(ext));
    for (size_t i = 0; i < type.n; i++)
        if (type.p[i] >= 'a' && type.p[i] <= 'z')
            ((char *)type.p)[i] = (char)(type.p[i] - 32);
    return type.n ? type : fallback;
}

static str installed_size(struct lister *l, const struct package *p)
{
    uint64_t n;
    if (!str_to_u64(p->size, &n))
        return STR("N/A");
    return str_eq(str_z(p->type->name), STR("deb"))
               ? arena_printf(&l->scratch, "%llu", (unsigned long long)n * 1000)
               : p->size;
}

/* p: with the path of the place. */
static void add_place(struct lister *l, yyjson_mut_val *list, const struct package *p, str place,
                      const char *content, const char *shown, bool hint)
{
    if (l->scratch.used > 16 << 20)
        arena_done(&l->scratch);
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(l->d, list);
    str type = str_z(shown), where = str_z(content);
    add_cpes(l, o, p, hint);
    put_str(l->d, o, "package", p->name);
    if (str_eq(where, STR("java"))) {
        add_java(l, o, p, hint);
        type = java_type(l, p, type);
        put_str(l->d, o, "version", or_word(p->version, STR("*")));
    } else {
        bool bare = str_eq(where, STR("binary")) || str_eq(where, STR("go"));
        bool listed = str_eq(where, STR("npm")) || str_eq(where, STR("gem"));
        if (listed)
            add_listed(l, o, p->licence);
        else
            add_licences(l, o, p->licence, bare ? STR("") : STR("Unknown"));
        put_str(l->d, o, "version", p->version);
        str unknown = str_eq(where, STR("os")) ? STR("N/A") : STR("Unknown");
        put_str(l->d, o, "origin", or_word(bare ? STR("") : p->vendor, unknown));
    }
    put_str(l->d, o, "type", type);
    if (str_eq(where, STR("os"))) {
        put_str(l->d, o, "sourcepkg", or_word(p->source_name, p->name));
        put_str(l->d, o, "size", installed_size(l, p));
    } else if (!hint && str_eq(where, STR("python"))) {
        put_str(l->d, o, "location", python_location(l, p, place));
    } else {
        put_str(l->d, o, "location", absolute(l, p->path));
    }
}

static int add_package(struct lister *l, yyjson_mut_val *list, const struct inv_package *ip,
                       const char *content, const char *shown, bool hint, struct err *e)
{
    size_t n;
    const struct package_place *places = package_places(ip, &l->places, &n);
    if (!places)
        return err_no_memory(e);
    for (size_t i = 0; i < n; i++) {
        struct package at = ip->p;
        at.path = places[i].path;
        add_place(l, list, &at, places[i].place, content, shown, hint);
    }
    return 0;
}

static int list_type(struct lister *l, const char *content, size_t hinted, struct err *e)
{
    const struct inventory *inv = l->in->inv;
    yyjson_mut_val *list = yyjson_mut_arr(l->d);
    for (size_t i = 0; i < inv->n_packages; i++) {
        const struct inv_package *p = &inv->packages[i];
        int rc = 0;
        for (size_t k = 0; rc >= 0 && k < KE_ARRAY_LEN(shown_types); k++)
            if (analysis_lists(l->in, p) && str_eq(str_z(shown_types[k].content), str_z(content)) &&
                str_eq(str_z(shown_types[k].type), str_z(p->p.type->name)))
                rc = add_package(l, list, p, content, shown_types[k].shown, i >= hinted, e);
        if (rc < 0)
            return rc;
        if (l->places.used > 1 << 20)
            arena_done(&l->places);
    }
    return analysis_add_content(l->s, content, l->in->digest, l->d, list, e);
}

int analysis_packages(struct analysis *s, const struct analysis_input *in, size_t hinted,
                      struct err *e)
{
    int rc = 0;
    for (size_t i = 0; rc >= 0 && i < KE_ARRAY_LEN(content_types); i++) {
        struct lister l = {.s = s, .in = in, .d = yyjson_mut_doc_new(NULL)};
        arena_init(&l.scratch, 64 << 20);
        arena_init(&l.places, 256 << 20);
        map_init(&l.directories);
        if (str_eq(str_z(content_types[i]), STR("python")))
            rc = index_directories(&l, e);
        if (rc >= 0)
            rc = l.d ? list_type(&l, content_types[i], hinted, e) : err_no_memory(e);
        map_done(&l.directories);
        arena_done(&l.scratch);
        arena_done(&l.places);
        yyjson_mut_doc_free(l.d);
    }
    return rc;
}
