/* config_store.c - where documents are kept (object_store, archive), and how AWS and mirrors of
 * registries are reached. */
#include "services/config_internal.h"

#include "services/config_store.h"

static const char *text_of(yyjson_val *config, const char *key, struct arena *a)
{
    str s = json_str(config, key);
    return s.n && !str_eq(s, STR("null")) ? arena_dup(a, s).p : NULL;
}

static bool flag_of(yyjson_val *config, const char *key)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    str s = json_str(config, key);
    for (size_t i = 0; i < KE_ARRAY_LEN(yes); i++)
        if (str_eq_nocase(s, str_z(yes[i])))
            return true;
    return false;
}

static const char *s3_read(yyjson_val *config, struct arena *a, struct store_section *out)
{
    struct s3_options *s3 = &out->s3;
    const char *style = text_of(config, "addressing_style", a);
    s3->bucket = text_of(config, "bucket", a);
    s3->url = text_of(config, "url", a);
    s3->region = text_of(config, "region", a);
    s3->encryption = text_of(config, "server_side_encryption", a);
    s3->kms_key = text_of(config, "kms_key_id", a);
    s3->access_key = text_of(config, "access_key", a);
    s3->secret_key = text_of(config, "secret_key", a);
    out->prefix = text_of(config, "prefix", a);
    out->create_bucket = flag_of(config, "create_bucket");
    bool automatic = flag_of(config, "iamauto");
    if (automatic)
        s3->access_key = s3->secret_key = NULL;
    if (style && strcmp(style, "path") == 0)
        s3->style = S3_STYLE_PATH;
    else if (style && strcmp(style, "virtual") == 0)
        s3->style = S3_STYLE_VIRTUAL;
    else if (style && strcmp(style, "auto") != 0)
        return "addressing_style is auto, path or virtual";
    if (!s3->bucket)
        return "s3 needs a bucket";
    if (!automatic && !(s3->access_key && s3->secret_key))
        return "s3 needs access_key and secret_key, or iamauto: true";
    if (s3->encryption && strcmp(s3->encryption, "AES256") != 0 &&
        strcmp(s3->encryption, "aws:kms") != 0)
        return "server_side_encryption is AES256 or aws:kms";
    return NULL;
}

const char *config_store_section(yyjson_val *section, struct arena *a, struct store_section *out)
{
    yyjson_val *driver = json_get(section, "storage_driver"), *config = json_get(driver, "config");
    str name = json_str(driver, "name");
    *out = (struct store_section){.driver = "db", .dir = text_of(config, "archive_data_dir", a)};
    if (!name.n || str_eq(name, STR("db")) || str_eq(name, STR("db2")))
        return NULL;
    if (str_eq(name, STR("localfs")) || str_eq(name, STR("fs"))) {
        out->driver = "fs";
        return NULL;
    }
    if (!str_eq(name, STR("s3")))
        return "there is no such storage driver; db, localfs and s3 are there";
    out->driver = "s3";
    return s3_read(config, a, out);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* Archived analyses share most of their documents with the images that are there: all have one
 * store. Who wanted another one is told. */
static void archive_read(struct config_loader *l, const struct store_section *documents)
{
    static const char path[] = "services.catalog.analysis_archive";
    yyjson_val *section = config_at(l->text, str_z(path));
    struct store_section own;
    if (!json_str(json_get(section, "storage_driver"), "name").n)
        return;
    const char *wrong = config_store_section(section, &l->c->arena, &own);
    if (wrong)
        config_problem(l, true, path, "%s.storage_driver: %s", path, wrong);
    else if (!same_text(own.driver, documents->driver) || !same_text(own.dir, documents->dir) ||
             !same_text(own.s3.bucket, documents->s3.bucket) ||
             !same_text(own.prefix, documents->prefix))
        config_problem(l, false, path,
                       "%s names another store than object_store: archived analyses are kept with "
                       "the other documents, of which they share most",
                       path);
}

static void documents_read(struct config_loader *l)
{
    static const char *const sections[] = {"services.catalog.object_store",
                                           "services.catalog.archive"};
    struct config *c = l->c;
    struct store_section found = {.driver = "db"};
    for (int i = 0; i < 2; i++) {
        yyjson_val *section = config_at(l->text, str_z(sections[i]));
        if (!yyjson_is_obj(section))
            continue;
        const char *wrong = config_store_section(section, &c->arena, &found);
        str path = arena_printf(&c->arena, "%s.storage_driver", sections[i]);
        str name = json_str(json_get(section, "storage_driver"), "name");
        if (wrong && path.p)
            config_problem(l, true, path.p, "%s \"%.*s\": %s", path.p, STR_ARG(name), wrong);
        break;
    }
    archive_read(l, &found);
    c->document_driver = found.driver;
    c->document_dir = found.dir;
    c->document_s3 = found.s3;
    c->document_prefix = found.prefix;
    c->document_create_bucket = found.create_bucket;
    if (strcmp(c->document_driver, "fs") == 0 && !c->document_dir)
        c->document_dir = config_below(l, c->data_dir, "documents");
}

/* ---- AWS and registries */

static const char *endpoint(struct config_loader *l, const char *path)
{
    const char *url = config_get_text(l, path, NULL);
    if (!url || !*url)
        return NULL;
    if (!str_starts(str_z(url), STR("http://")) && !str_starts(str_z(url), STR("https://")))
        config_problem(l, true, path, "%s: \"%s\" is no http address", path, url);
    return url;
}

static void mirrors_read(struct config_loader *l)
{
    yyjson_val *section = config_at(l->text, STR("registry_mirrors")), *key;
    if (!section || yyjson_is_null(section))
        return;
    if (!yyjson_is_obj(section)) {
        config_problem(l, true, "registry_mirrors",
                       "registry_mirrors maps registries to others: docker.io: HOST:PORT");
        return;
    }
    struct registry_mirror *list =
        arena_calloc(&l->c->arena, yyjson_obj_size(section) + 1, sizeof *list);
    yyjson_obj_iter it = yyjson_obj_iter_with(section);
    while (list && (key = yyjson_obj_iter_next(&it))) {
        str mirror = json_text(yyjson_obj_iter_get_val(key));
        if (!mirror.n || str_find(mirror, STR("://")) >= 0 || str_ends(mirror, STR("/")))
            config_problem(l, true, "registry_mirrors",
                           "registry_mirrors.%.*s: a mirror is HOST[:PORT][/PREFIX], not \"%.*s\"",
                           STR_ARG(json_text(key)), STR_ARG(mirror));
        else
            list[l->c->n_mirrors++] = (struct registry_mirror){
                arena_dup(&l->c->arena, json_text(key)).p, arena_dup(&l->c->arena, mirror).p};
    }
    l->c->mirrors = list;
}

void config_store_read(struct config_loader *l)
{
    documents_read(l);
    l->c->aws_endpoints = (struct aws_endpoints){.all = endpoint(l, "aws.endpoint_url"),
                                                 .ecr = endpoint(l, "aws.endpoint_url_ecr"),
                                                 .sts = endpoint(l, "aws.endpoint_url_sts")};
    mirrors_read(l);
}
