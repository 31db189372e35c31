#include "services/catalog/lookup_json.h"

#include "base/auto.h"

int lookup_send(struct call *c, const struct fulltag *name, const struct catalog_lookup *found)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *o = yyjson_mut_obj(d);

    put_int(d, o, "compressed_size", found->compressed_size);
    put_str(d, o, "digest", found->digest);
    put_str(d, o, "fulltag", name->fulltag);
    put_str(d, o, "imageId", found->image_id);
    put_str(d, o, "manifest", found->manifest);
    put_str(d, o, "parentdigest", found->parent_digest);
    put_str(d, o, "parentmanifest", found->parent_manifest);
    put_str(d, o, "pullstring", name->pull);
    put_str(d, o, "registry", name->registry);
    put_str(d, o, "repo", name->repo);
    put_str(d, o, "tag", name->tag);
    return call_send(c, 200, d, o);
}

int lookup_send_failure(struct call *c, const struct catalog_lookup *found, const struct err *why)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *detail = yyjson_mut_obj(d), *codes = yyjson_mut_arr(d);

    yyjson_mut_arr_add_str(d, codes, found->code);
    yyjson_mut_obj_add_val(d, detail, "error_codes", codes);
    put_str(d, detail, "raw_exception_message",
            arena_printf(&c->arena, "%s, error_code=%s", why->text, found->code));
    return call_error_detail(c, 400, STR("cannot fetch image digest/manifest from registry"), d,
                             detail);
}

static int read_answer(struct call *c, str text, struct catalog_lookup *out)
{
    auto_json *doc = NULL;
    int rc = json_parse(text, "the catalog's answer", &doc, c->err);
    if (rc < 0)
        return rc;
    yyjson_val *root = yyjson_doc_get_root(doc);
    *out = (struct catalog_lookup){
        .digest = arena_dup(&c->arena, json_str(root, "digest")),
        .parent_digest = arena_dup(&c->arena, json_str(root, "parentdigest")),
        .manifest = arena_dup(&c->arena, json_str(root, "manifest")),
        .parent_manifest = arena_dup(&c->arena, json_str(root, "parentmanifest")),
        .image_id = arena_dup(&c->arena, json_str(root, "imageId")),
        .compressed_size = yyjson_get_sint(json_get(root, "compressed_size")),
    };
    if (!out->digest.n)
        return err_set(c->err, ERR_FORMAT, "the catalog's answer names no digest");
    return c->arena.full ? err_no_memory(c->err) : 0;
}

int lookup_ask(struct call *c, const struct fulltag *name, struct catalog_lookup *out)
{
    auto_buf body = {0};
    int status = 0;
    str path = arena_printf(&c->arena, "/registry_lookup?%s=%.*s",
                            name->digest.p ? "digest" : "tag", STR_ARG(name->pull));

    if (!path.p)
        return err_no_memory(c->err);
    buf_init(&body, 64 << 20);
    const struct service_request rq = {.service = SERVICE_CATALOG,
                                       .method = "GET",
                                       .path = path.p,
                                       .account = c->account,
                                       .request_id = c->request_id};
    int rc = service_request(c->engine, &rq, &status, &body, c->err);
    if (rc < 0)
        return rc;
    if (status == 200)
        return read_answer(c, buf_view(&body), out);
    rc = call_send_text(c, status, "application/json", buf_view(&body));
    return rc < 0 ? rc : 1;
}
