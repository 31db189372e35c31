#include "base/auto.h"
#include "services/analyzer/analysis.h"

enum { HINTS_MAX = 100000 };

static const char *const type_words[][2] = {
    {"rpm", "rpm"},           {"dpkg", "deb"},     {"apkg", "apk"},
    {"python", "python"},     {"npm", "npm"},      {"gem", "gem"},
    {"java", "java-archive"}, {"go", "go-module"}, {"binary", "binary"},
};

static const struct package_type *type_of(str word)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(type_words); i++)
        if (str_eq_nocase(word, str_z(type_words[i][0])))
            return package_type_find(str_z(type_words[i][1]));
    return NULL;
}

static bool of_distro(const struct package_type *t)
{
    return !t->ecosystem;
}

/* A hint only adds: what the image has by itself stays as it is. */
static bool known(const struct inventory *inv, const struct package *p)
{
    for (size_t i = 0; i < inv->n_packages; i++) {
        const struct package *q = &inv->packages[i].p;
        if (q->type != p->type)
            continue;
        if (of_distro(p->type) ? str_eq(q->name, p->name) : str_eq(q->path, p->path))
            return true;
    }
    return false;
}

/* A text, or the first of a list under the plural name. */
static str text_of(yyjson_val *v, const char *one, const char *many)
{
    str s = json_str(v, one);
    if (s.n)
        return s;
    yyjson_val *list = json_get(v, many);
    return yyjson_is_arr(list) ? json_text(yyjson_arr_get_first(list)) : json_text(list);
}

static str default_path(struct arena *a, const struct package *p)
{
    str type = str_z(p->type->name);
    const char *fmt = NULL;
    if (str_eq(type, STR("python")))
        return STR("/virtual/pypkg/site-packages");
    if (str_eq(type, STR("java-archive")))
        fmt = "/virtual/javapkg/%.*s-%.*s.jar";
    else if (str_eq(type, STR("npm")))
        fmt = "/virtual/npmpkg/%.*s-%.*s";
    else if (str_eq(type, STR("gem")))
        fmt = "/virtual/gempkg/%.*s-%.*s";
    return fmt ? arena_printf(a, fmt, STR_ARG(p->name), STR_ARG(p->version)) : STR("/virtual");
}

/* 1: *p is filled; 0: the entry lacks something. */
static int read_hint(struct arena *a, yyjson_val *v, struct package *p)
{
    *p = (struct package){
        .type = type_of(json_str(v, "type")),
        .name = arena_dup(a, json_str(v, "name")),
        .version = arena_dup(a, json_str(v, "version")),
        .arch = arena_dup(a, json_str(v, "arch")),
        .source_name = arena_dup(a, json_str(v, "source")),
        .licence = arena_dup(a, text_of(v, "license", "licenses")),
        .vendor = arena_dup(a, text_of(v, "origin", "origins")),
        .path = arena_dup(a, json_str(v, "location")),
    };
    if (!p->type || !p->name.n || !p->version.n)
        return 0;
    str release = json_str(v, "release");
    if (of_distro(p->type) && release.n)
        p->version = arena_printf(a, "%.*s-%.*s", STR_ARG(p->version), STR_ARG(release));
    if (!p->path.n)
        p->path = default_path(a, p);
    return 1;
}

static int add_hint(struct inventory *inv, const struct package *p, struct err *e)
{
    auto_buf purl;
    buf_init(&purl, 1 << 16);
    struct inv_package *ip = &inv->packages[inv->n_packages];
    struct evidence *evidence = arena_new(&inv->arena, struct evidence);
    if (!evidence)
        return err_no_memory(e);
    package_purl(p, inv->release.id, inv->release.version_id, &purl);
    *evidence = (struct evidence){.path = p->path};
    *ip = (struct inv_package){.p = *p,
                               .purl = arena_dup(&inv->arena, buf_view(&purl)),
                               .evidence = evidence,
                               .n_evidence = 1};
    inv->n_packages++;
    return 0;
}

static int add_hints(struct analysis *s, struct inventory *inv, yyjson_val *list, struct err *e)
{
    size_t i, n, skipped = 0, more = yyjson_arr_size(list);
    yyjson_val *v;
    if (more > HINTS_MAX)
        return err_set(e, ERR_LIMIT, "more than %d hints", HINTS_MAX);
    struct inv_package *all = arena_calloc(&inv->arena, inv->n_packages + more, sizeof *all);
    if (!all)
        return err_no_memory(e);
    memcpy(all, inv->packages, inv->n_packages * sizeof *all);
    inv->packages = all;
    yyjson_arr_foreach(list, i, n, v)
    {
        struct package p;
        if (!read_hint(&inv->arena, v, &p)) {
            skipped++;
            continue;
        }
        if (known(inv, &p))
            continue;
        int rc = add_hint(inv, &p, e);
        if (rc < 0)
            return rc;
    }
    if (skipped)
        s->problems =
            arena_printf(&s->arena, "%zu hints lack a name, a version or a known type", skipped);
    return 0;
}

int analysis_hints(struct analysis *s, const struct analysis_input *in, size_t *hinted,
                   struct err *e)
{
    struct inventory *inv = in->inv;
    *hinted = inv->n_packages;
    if (!in->settings || !in->settings->hints)
        return 0;
    for (size_t i = 0; i < inv->n_files; i++) {
        const struct image_file *f = &inv->files[i];
        if (!f->content.p || !str_eq(f->path, str_from(STR(HINTS_FILE), 1)))
            continue;
        auto_json *doc = NULL;
        struct err why = {0};
        if (json_parse(f->content, HINTS_FILE, &doc, &why) < 0) {
            s->problems = arena_dup(&s->arena, str_z(why.text));
            return 0;
        }
        return add_hints(s, inv, json_get(yyjson_doc_get_root(doc), "packages"), e);
    }
    return 0;
}
