#include "services/import_sbom.h"

#include "base/auto.h"
#include "codec/digest.h"
#include "codec/json.h"
#include "net/base64.h"
#include "packages/licence.h"
#include "packages/squash.h"

#include <stdlib.h>

enum { IMPORT_ARENA_MAX = 512 << 20, IMPORT_PACKAGES_MAX = 1000000, NAMES_MAX = 100 };

static str keep(struct inventory *inv, str s)
{
    return s.n ? arena_dup(&inv->arena, s) : (str){"", 0};
}

/* Texts, or since version 8 of the format objects. */
static str licences_of(struct inventory *inv, const struct package_type *type, yyjson_val *list)
{
    auto_buf lines, words;
    size_t i, n;
    yyjson_val *v;
    buf_init(&lines, 1 << 20);
    buf_init(&words, 1 << 20);
    yyjson_arr_foreach(list, i, n, v)
    {
        str one = yyjson_is_obj(v) ? json_str(v, "value") : json_text(v);
        licence_list_add(&lines, one.n ? one : json_str(v, "spdxExpression"));
    }
    if (type && licence_is_list(type))
        return keep(inv, buf_view(&lines));
    licence_list_join(buf_view(&lines), " ", &words);
    return keep(inv, buf_view(&words));
}

static str relative(str path)
{
    while (path.n && path.p[0] == '/')
        path = str_from(path, 1);
    return path;
}

static str person_of(struct inventory *inv, yyjson_val *m)
{
    str maintainer = json_str(m, "maintainer"), author = json_str(m, "author");
    str mail = json_str(m, "authorEmail");
    if (maintainer.n)
        return keep(inv, maintainer);
    yyjson_val *authors = json_get(m, "authors");
    if (!author.n && yyjson_is_arr(authors))
        author = json_text(yyjson_arr_get_first(authors));
    if (author.n && mail.n)
        return arena_printf(&inv->arena, "%.*s <%.*s>", STR_ARG(author), STR_ARG(mail));
    if (!author.n)
        author = mail.n ? mail : json_str(m, "vendor");
    if (!author.n)
        author = json_str(json_at(m, "manifest", "main", NULL), "Implementation-Vendor");
    return keep(inv, author);
}

static str size_of(struct inventory *inv, yyjson_val *m)
{
    yyjson_val *v = json_get(m, "installedSize");
    if (!v)
        v = json_get(m, "size");
    return yyjson_is_uint(v)
               ? arena_printf(&inv->arena, "%llu", (unsigned long long)yyjson_get_uint(v))
               : (str){"", 0};
}

static void read_sources(struct inventory *inv, struct package *p, yyjson_val *m)
{
    str source = json_str(m, "originPackage");
    if (!source.n)
        source = json_str(m, "source");
    str rpm = json_str(m, "sourceRpm");
    if (rpm.n && str_ends(rpm, STR(".src.rpm"))) {
        rpm = str_sub(rpm, 0, rpm.n - sizeof ".src.rpm" + 1);
        ptrdiff_t release = str_rindex(rpm, '-');
        ptrdiff_t version = release > 0 ? str_rindex(str_sub(rpm, 0, (size_t)release), '-') : -1;
        if (version > 0) {
            source = str_sub(rpm, 0, (size_t)version);
            p->source_version = keep(inv, str_from(rpm, (size_t)version + 1));
        }
    } else {
        p->source_version = keep(inv, json_str(m, "sourceVersion"));
    }
    p->source_name = keep(inv, source);
}

/* Where the modules of a Python package are, when the SBOM says so: a directory of its name. */
static str modules_of(struct inventory *inv, str name, yyjson_val *m)
{
    size_t i, n;
    yyjson_val *v;
    str site = relative(json_str(m, "sitePackagesRootPath"));
    if (!site.n)
        return STR("");
    yyjson_arr_foreach(json_get(m, "topLevelPackages"), i, n, v)
    {
        if (str_eq_nocase(json_text(v), name))
            name = json_text(v);
    }
    return arena_printf(&inv->arena, "%.*s/%.*s", STR_ARG(site), STR_ARG(name));
}

/* 1: *p is filled; 0: a package of a type that is not matched. */
static int read_package(struct inventory *inv, yyjson_val *v, struct package *p)
{
    yyjson_val *m = json_get(v, "metadata"), *at = json_get(v, "locations");
    yyjson_val *first = yyjson_is_arr(at) ? yyjson_arr_get_first(at) : NULL;
    str path = json_str(m, "virtualPath");
    *p = (struct package){
        .type = package_type_find(json_str(v, "type")),
        .name = keep(inv, json_str(v, "name")),
        .version = keep(inv, json_str(v, "version")),
        .arch = keep(inv, json_str(m, "architecture")),
        .group = keep(inv, json_str(json_get(m, "pomProperties"), "groupId")),
        .module = keep(inv, json_str(m, "modularityLabel")),
        .vendor = person_of(inv, m),
        .path = keep(inv, relative(path.n ? path : json_str(first, "path"))),
        .size = size_of(inv, m),
    };
    p->licence = licences_of(inv, p->type, json_get(v, "licenses"));
    read_sources(inv, p, m);
    str modules = p->type && str_eq(str_z(p->type->name), STR("python"))
                      ? modules_of(inv, p->name, m)
                      : STR("");
    if (modules.n)
        p->path = modules;
    return p->type && p->name.n;
}

static int add_package(struct inventory *inv, const struct package *p, yyjson_val *v, struct err *e)
{
    struct evidence *evidence = arena_new(&inv->arena, struct evidence);
    if (!evidence)
        return err_no_memory(e);
    str purl = keep(inv, json_str(v, "purl"));
    if (!purl.n) {
        auto_buf text;
        buf_init(&text, 1 << 16);
        package_purl(p, inv->release.id, inv->release.version_id, &text);
        purl = keep(inv, buf_view(&text));
    }
    evidence->path = p->path;
    inv->packages[inv->n_packages++] =
        (struct inv_package){.p = *p, .purl = purl, .evidence = evidence, .n_evidence = 1};
    return 0;
}

static int read_packages(struct inventory *inv, yyjson_val *root, struct err *e)
{
    size_t i, n, skipped = 0;
    yyjson_val *v, *list = json_get(root, "artifacts"), *distro = json_get(root, "distro");
    str name = json_str(distro, "name");
    size_t count = yyjson_arr_size(list);
    if (count > IMPORT_PACKAGES_MAX)
        return err_set(e, ERR_LIMIT, "more than %d packages", IMPORT_PACKAGES_MAX);
    inv->release.id = keep(inv, str_eq(name, STR("redhat")) ? STR("rhel") : name);
    inv->release.version_id = keep(inv, json_str(distro, "version"));
    inv->release.id_like = keep(inv, json_str(distro, "idLike"));
    inv->packages = arena_calloc(&inv->arena, count + 1, sizeof *inv->packages);
    if (!inv->packages)
        return err_no_memory(e);
    yyjson_arr_foreach(list, i, n, v)
    {
        struct package p;
        int rc = read_package(inv, v, &p) ? add_package(inv, &p, v, e) : (skipped++, 0);
        if (rc < 0)
            return rc;
    }
    int rc = packages_merge(inv->packages, &inv->n_packages, &inv->arena, e);
    qsort(inv->packages, inv->n_packages, sizeof *inv->packages, inv_package_cmp);
    if (rc < 0 || !skipped)
        return rc;
    return inventory_add_problem(inv, "unsupported",
                                 arena_printf(&inv->arena,
                                              "%zu packages of the SBOM are of types that are not "
                                              "known here or have no name",
                                              skipped),
                                 e);
}

static int read_manifest(struct inventory *inv, yyjson_val *manifest, yyjson_val *config,
                         struct err *e)
{
    size_t i, n;
    yyjson_val *v, *list = json_get(manifest, "layers");
    /* inventory_free() frees them */
    struct layer_ref *layers = calloc(yyjson_arr_size(list) + 1, sizeof *layers);
    if (!layers)
        return err_no_memory(e);
    yyjson_val *ids = json_at(config, "rootfs", "diff_ids", NULL);
    yyjson_arr_foreach(list, i, n, v)
    {
        yyjson_val *size = json_get(v, "size");
        layers[i] = (struct layer_ref){
            .diff_id = keep(inv, json_text(yyjson_arr_get(ids, i))),
            .digest = keep(inv, json_str(v, "digest")),
            .media_type = keep(inv, json_str(v, "mediaType")),
            .size = yyjson_is_uint(size) ? yyjson_get_uint(size) : 0,
        };
    }
    inv->layers = layers;
    inv->n_layers = yyjson_arr_size(list);
    inv->config_digest = keep(inv, json_str(json_get(manifest, "config"), "digest"));
    inv->os = keep(inv, json_str(config, "os"));
    inv->architecture = keep(inv, json_str(config, "architecture"));
    inv->variant = keep(inv, json_str(config, "variant"));
    inv->created = keep(inv, json_str(config, "created"));
    return 0;
}

static yyjson_val *described(yyjson_doc *packages)
{
    yyjson_val *source = json_get(yyjson_doc_get_root(packages), "source");
    yyjson_val *about = json_get(source, "metadata");
    return about ? about : json_get(source, "target");
}

static str asked_name(str text)
{
    static const str schemes[] = {STR_INIT("registry:"), STR_INIT("docker:"), STR_INIT("podman:"),
                                  STR_INIT("containerd:")};
    for (size_t i = 0; i < KE_ARRAY_LEN(schemes); i++)
        if (str_starts(text, schemes[i]))
            return str_from(text, schemes[i].n);
    return text;
}

/* The tags that the image had where the SBOM was made, else its repositories with digests; what was
 * asked for counts when it is one of them. */
static int read_names(struct inventory *inv, yyjson_doc *packages, struct err *e)
{
    yyjson_val *about = described(packages), *v;
    yyjson_val *list = json_get(about, "tags");
    if (!yyjson_arr_size(list))
        list = json_get(about, "repoDigests");
    size_t i, n, count = yyjson_arr_size(list) < NAMES_MAX ? yyjson_arr_size(list) : NAMES_MAX;
    str *names = calloc(count + 1, sizeof *names); /* inventory_free() frees them */
    if (!names)
        return err_no_memory(e);
    inv->repo_tags = names;
    yyjson_arr_foreach(list, i, n, v)
    {
        if (json_text(v).n && inv->n_repo_tags < count)
            names[inv->n_repo_tags++] = keep(inv, json_text(v));
    }
    inv->asked = keep(inv, asked_name(json_str(about, "userInput")));
    return 0;
}

static int read_documents(const struct import_sbom *in, struct inventory *inv, struct err *e)
{
    auto_json *packages = NULL, *manifest = NULL, *config = NULL;
    int rc = json_parse(in->packages, "packages", &packages, e);
    if (rc >= 0)
        rc = json_parse(in->manifest, "manifest", &manifest, e);
    if (rc >= 0)
        rc = json_parse(in->config, "image_config", &config, e);
    if (rc < 0)
        return rc;
    inv->source_kind = STR("import");
    inv->source = inv->reference = keep(inv, in->digest);
    inv->manifest_digest = inv->source;
    inv->manifest_json = keep(inv, in->manifest);
    inv->config_json = keep(inv, in->config);
    rc = read_manifest(inv, yyjson_doc_get_root(manifest), yyjson_doc_get_root(config), e);
    if (rc >= 0)
        rc = read_packages(inv, yyjson_doc_get_root(packages), e);
    if (rc >= 0)
        rc = read_names(inv, packages, e);
    if (rc >= 0 && inv->arena.full)
        rc = err_set(e, ERR_LIMIT, "the import needs more than %d MiB", IMPORT_ARENA_MAX >> 20);
    return rc;
}

int import_sbom_read(const struct import_sbom *in, struct inventory **out, struct err *e)
{
    struct inventory *inv = calloc(1, sizeof *inv);
    if (!inv)
        return err_no_memory(e);
    arena_init(&inv->arena, IMPORT_ARENA_MAX);
    int rc = read_documents(in, inv, e);
    if (rc < 0)
        inventory_free(inv);
    else
        *out = inv;
    return rc < 0 ? rc : 0;
}

/* ---- an SBOM that holds the image's own documents ----------------------------------------------
 */

static int embedded(yyjson_val *about, const char *name, struct buf *out, struct err *e)
{
    str text = json_str(about, name);
    if (!text.n)
        return err_set(
            e, ERR_FORMAT,
            "the SBOM does not hold the image's %s: is it Syft's JSON form, of an image?", name);
    int rc = base64_decode(text, out, e);
    if (rc < 0)
        return err_wrap(e, "the SBOM's %s", name);
    return buf_check(out, name, e);
}

int import_sbom_documents(str packages, struct buf *manifest, struct buf *config, struct err *e)
{
    auto_json *doc = NULL;
    int rc = json_parse(packages, "the SBOM", &doc, e);
    if (rc < 0)
        return rc;
    yyjson_val *about = described(doc);
    rc = embedded(about, "manifest", manifest, e);
    return rc < 0 ? rc : embedded(about, "config", config, e);
}
