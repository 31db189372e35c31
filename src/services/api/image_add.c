#include "base/auto.h"
#include "services/api/images.h"
#include "services/archive.h"
#include "services/catalog/add.h"
#include "services/catalog/lookup_json.h"
#include "services/image_json.h"
#include "services/imports.h"

struct request {
    struct call *c;
    yyjson_val *body, *source;
    struct catalog_add add;
    bool by_digest;
};

/* ---- refusals ----------------------------------------------------------------------------------
 */

/* 1 after an answer was given. */
static int refuse(struct call *c, const char *message, const char *name, str value,
                  const char *name2, str value2)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *detail = yyjson_mut_obj(d);

    if (name)
        put_str(d, detail, name, value);
    if (name2)
        put_str(d, detail, name2, value2);
    int rc = call_error_detail(c, 400, str_z(message), d, detail);
    return rc < 0 ? rc : 1;
}

static int refuse_plain(struct call *c, const char *message)
{
    return refuse(c, message, NULL, STR(""), NULL, STR(""));
}

static int refuse_request(struct call *c, str why)
{
    return refuse(c, "Could not validate request due to error", "validation_error", why, NULL,
                  STR(""));
}

static int refuse_pull(struct call *c, str pull)
{
    return refuse_request(c,
                          arena_printf(&c->arena, "Error parsing pullstring %.*s", STR_ARG(pull)));
}

/* ---- the body ----------------------------------------------------------------------------------
 */

/* Base64 as Python takes it: what it says otherwise is part of the answer. */
static int check_dockerfile(struct call *c, str text)
{
    size_t n = 0;
    char why[120];

    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] != '=';
    size_t padding = text.n - n, needed = (4 - n % 4) % 4;
    if (n % 4 == 1)
        snprintf(why, sizeof why,
                 "Invalid base64-encoded string: number of data characters (%zu) cannot be 1 more "
                 "than a multiple of 4",
                 n);
    else if (padding < needed)
        snprintf(why, sizeof why, "Incorrect padding");
    else
        return 0;
    int rc = call_error(
        c, 400, "input dockerfile data must be base64 encoded - exception on decode: %s", why);
    return rc < 0 ? rc : 1;
}

static int read_tag(struct request *r, str pull)
{
    if (str_index(pull, '@') >= 0)
        return refuse(r->c, "Must have tag-based pull string", "invalid_value", pull, NULL,
                      STR(""));
    if (fulltag_parse(pull, &r->c->arena, &r->add.name, NULL) < 0)
        return refuse_pull(r->c, pull);
    return 0;
}

static str digest_of(str pull)
{
    if (str_starts(pull, STR("sha256:")))
        return pull;
    ptrdiff_t at = str_index(pull, '@');
    return at < 0 ? (str){0} : str_from(pull, (size_t)at + 1);
}

/* Whatever repository the digest's name has, the image is fetched from the tag's. */
static int read_digest(struct request *r, str pull, yyjson_val *tag, str created)
{
    struct fulltag ignored;
    struct call *c = r->c;

    if (!yyjson_is_str(tag))
        return refuse(c, "Validation error", "validation_error",
                      STR("None is not of type 'string'\n\nFailed validating 'type' in "
                          "schema['properties']['tag']"),
                      NULL, STR(""));
    int rc = read_tag(r, json_text(tag));
    if (rc)
        return rc;
    str digest = digest_of(pull);
    if (!digest.p)
        return refuse(c, "Must have digest-based pull string", "invalid_value", pull, NULL,
                      STR(""));
    if (fulltag_parse(pull, &c->arena, &ignored, NULL) < 0)
        return refuse_pull(c, pull);
    if (created.p && !time_parse(created, &r->add.created))
        return refuse(c, "Invalid formatted date", "Property",
                      STR("source.creation_timestamp_override"), "Value", created);
    r->by_digest = true;
    r->add.name.digest = digest;
    r->add.name.pull = arena_printf(&c->arena, "%.*s/%.*s@%.*s", STR_ARG(r->add.name.registry),
                                    STR_ARG(r->add.name.repo), STR_ARG(digest));
    return c->arena.full ? err_no_memory(c->err) : 0;
}

static str text_or_none(yyjson_val *o, const char *key)
{
    yyjson_val *v = json_get(o, key);
    return yyjson_is_str(v) ? json_text(v) : (str){0};
}

static int read_source(struct request *r)
{
    yyjson_val *tag = json_get(r->source, "tag"), *digest = json_get(r->source, "digest");

    if (yyjson_is_obj(tag)) {
        r->add.dockerfile = text_or_none(tag, "dockerfile");
        return read_tag(r, json_str(tag, "pullstring"));
    }
    if (yyjson_is_obj(digest)) {
        r->add.dockerfile = text_or_none(digest, "dockerfile");
        return read_digest(r, json_str(digest, "pullstring"), json_get(digest, "tag"),
                           text_or_none(digest, "creation_timestamp_override"));
    }
    str archived = json_str(json_get(r->source, "archive"), "digest");
    if (archived.n) {
        int rc = archive_restore_answer(r->c, archived);
        return rc < 0 ? rc : 1;
    }
    yyjson_val *import = json_get(r->source, "import");
    if (yyjson_is_obj(import)) {
        int rc = import_finalize(r->c, import);
        return rc < 0 ? rc : 1;
    }
    return refuse_plain(r->c, "Must include either \"tag\", \"tag\" and \"digest\", or \"source\" "
                              "property in body");
}

static int read_top(struct request *r)
{
    str tag = json_str(r->body, "tag"), digest = json_str(r->body, "digest");

    r->add.dockerfile = text_or_none(r->body, "dockerfile");
    if (digest.n)
        return read_digest(r, digest, json_get(r->body, "tag"),
                           text_or_none(r->body, "created_at"));
    if (tag.n)
        return read_tag(r, tag);
    r->source = NULL;
    return read_source(r);
}

static int read_annotations(struct request *r)
{
    yyjson_val *v = json_get(r->body, "annotations");
    size_t n;

    if (!yyjson_is_obj(v))
        return 0;
    char *text = yyjson_val_write(v, 0, &n);
    if (!text)
        return err_no_memory(r->c->err);
    r->add.annotations = arena_dup(&r->c->arena, (str){text, n});
    free(text);
    return r->add.annotations.p ? 0 : err_no_memory(r->c->err);
}

static int read_body(struct request *r)
{
    struct call *c = r->c;
    bool top = json_str(r->body, "tag").n || json_str(r->body, "digest").n ||
               json_str(r->body, "dockerfile").n;

    if (!yyjson_is_obj(r->body) || !yyjson_obj_size(r->body))
        return refuse_request(c, STR("Invalid request object, must be a valid json object"));
    r->source = json_get(r->body, "source");
    bool source = yyjson_is_obj(r->source) && yyjson_obj_size(r->source);
    if (source && top)
        return refuse_plain(c, "Cannot use both source property and tag, digest, or dockerfile "
                               "property at top level");
    int rc = source ? read_source(r) : read_top(r);
    if (rc == 0 && r->add.dockerfile.p)
        rc = check_dockerfile(c, r->add.dockerfile);
    return rc ? rc : read_annotations(r);
}

/* ---- the work ----------------------------------------------------------------------------------
 */

struct known {
    struct call *c;
    str digest;
    enum image_state state;
    int found;
};

static int look_for(struct db_tx *tx, void *ctx, struct err *e)
{
    struct known *k = ctx;

    k->found = image_status(tx, k->c->account, k->digest, &k->state, e);
    return k->found;
}

static int check_force(struct request *r)
{
    struct known k = {.c = r->c, .digest = r->add.name.digest};

    if (!r->by_digest || !r->add.force)
        return 0;
    int rc = db_run(r->c->engine->db, DB_READ, look_for, &k, r->c->err);
    if (rc < 0)
        return rc;
    if (k.found)
        return 0;
    return refuse_plain(r->c,
                        "image digest must already exist to force re-analyze using tag+digest");
}

static int refuse_size(struct call *c, const struct catalog_lookup *found)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *detail = yyjson_mut_obj(d);

    yyjson_mut_obj_add_real(d, detail, "requested_image_compressed_size_mb",
                            (double)(found->compressed_size / (CATALOG_MB / 100)) / 100);
    put_int(d, detail, "max_compressed_image_size_mb",
            c->engine->config->max_compressed_image_size_mb);
    return call_error_detail(c, 400, str_z(c->err->text), d, detail);
}

struct stored {
    struct call *c;
    const struct fulltag *name;
    struct image_record record;
};

static int read_stored(struct db_tx *tx, void *ctx, struct err *e)
{
    struct stored *s = ctx;
    struct arena *a = &s->c->arena;
    str account = s->c->account;

    if (s->name->digest.p)
        return image_get(tx, a, account, s->name->digest, &s->record, e);
    return image_get_by_tag(tx, a, account, s->name->fulltag, &s->record, e);
}

/* The registry's refusal was sent; when an image is stored under the name, how it stands is added:
 * one that was imported has no registry to be read from again. */
static int refuse_again(struct request *r)
{
    struct call *c = r->c;
    struct stored s = {.c = c, .name = &r->add.name};
    auto_json *doc = NULL;
    str answer = arena_dup(&c->arena, buf_view(&c->answer));

    if (!r->add.force || c->status != 400 || json_parse(answer, "refusal", &doc, NULL) < 0)
        return 0;
    int rc = db_run(c->engine->db, DB_READ, read_stored, &s, c->err);
    if (rc <= 0)
        return rc;
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *detail = yyjson_val_mut_copy(d, json_get(root, "detail"));
    put_str(d, detail, "stored_image",
            arena_printf(&c->arena,
                         "the analysis of %.*s is kept as it is; an image that was imported is "
                         "analysed again by importing it again",
                         STR_ARG(s.record.digest)));
    return call_error_detail(c, 400, json_str(root, "message"), d, detail);
}

static int add(struct request *r)
{
    struct call *c = r->c;
    struct catalog_lookup found;
    struct image_record record;
    int rc = lookup_ask(c, &r->add.name, &found);
    if (rc)
        return rc < 0 ? rc : refuse_again(r);
    rc = catalog_add_found(c->engine, &c->arena, &r->add, &found, &record, c->err);
    if (rc == ERR_LIMIT)
        return refuse_size(c, &found);
    if (rc == ERR_USAGE) {
        rc = refuse(c, c->err->text, "digest", found.digest, "tag", r->add.name.fulltag);
        return rc < 0 ? rc : 0;
    }
    return rc < 0 ? rc : image_json_send(c, &record);
}

static int add_image(struct call *c)
{
    struct request r = {.c = c, .body = c->body};

    r.add = (struct catalog_add){
        .account = c->account,
        .force = call_flag(c, "force", false),
        .autosubscribe = call_flag(c, "autosubscribe", false),
        .watch = true,
        .why = arena_printf(&c->arena, "asked for by %.*s", STR_ARG(c->who.username)),
    };
    int rc = read_body(&r);
    if (rc == 0)
        rc = check_force(&r);
    if (rc)
        return rc < 0 ? rc : 0;
    return add(&r);
}

const struct operation image_add_operations[] = {
    {"add_image", add_image, ROUTE_SLOW},
    {0},
};
