/* The router: which route a path finds, what becomes of parameters and bodies, and the answers that
 * it gives itself. Requests come in as another service's: credentials are checked end to end. */
#include "unit.h"

#include "services/router.h"
#include "services/router_table.h"

/* What the handlers saw: "route name=value ... |body". */
static struct buf seen;

static int show(struct call *c)
{
    buf_clear(&seen);
    buf_addf(&seen, "%s", c->route);
    for (size_t i = 0; i < c->n_params; i++)
        buf_addf(&seen, " %.*s=%.*s", STR_ARG(c->params[i].name), STR_ARG(c->params[i].value));
    if (c->body) {
        buf_add_str(&seen, STR(" |"));
        schema_repr(c->body, &seen);
    }
    return call_send_text(c, 200, "application/json", STR("{}\n"));
}

static int fail_not_found(struct call *c)
{
    return err_set(c->err, ERR_NOT_FOUND, "there is no such thing");
}

static int fail_badly(struct call *c)
{
    return err_set(c->err, ERR_IO, "the disk's secret");
}

static int forget(struct call *c)
{
    return 0;
}

static int resume(struct call *c)
{
    return call_send_text(c, 200, "application/json", STR("\"resumed\"\n"));
}

static int park(struct call *c)
{
    return call_park(c, 1000, resume);
}

static const struct route queue_routes[] = {
    {"GET", "/queues/{queuename}", show, 0},
    {"POST", "/queues/{queuename}", show, 0},
    {"GET", "/queues/{queuename}/qlen", show, 0},
    {"GET", "/queues/all/qlen", show, 0},
    {"POST", "/raw/{bucket}/{id...}", show, ROUTE_RAW},
    {"GET", "/fail", fail_not_found, 0},
    {"GET", "/badly", fail_badly, 0},
    {"GET", "/forget", forget, 0},
    {"GET", "/park", park, 0},
    {0},
};
static const struct service_ops queue_ops = {.id = SERVICE_SIMPLEQUEUE, .routes = queue_routes};

static const struct operation some_operations[] = {
    {"list_images", show, 0},
    {"delete_images_async", show, 0},
    {"add_image", show, 0},
    {"get_registry", show, 0},
    {"create_account", show, 0},
    {"list_events", show, 0},
    {"import_image_archive", show, 0},
    {"get_oauth_token", show, 0},
    {"get_image_content_by_type", show, 0},
    {"get_image_content_by_type_files", show, 0},
    {"import_image_manifest", show, ROUTE_RAW},
    {0},
};
static const struct operation *const operations[] = {some_operations, NULL};
static const struct service_ops api_ops = {.id = SERVICE_APIEXT, .operations = operations};

static struct config config;
static struct engine engine = {.config = &config};

struct row {
    const char *method, *path, *type, *body;
    int status;
    const char *says; /* what the handler saw for 200, else a part of the answer */
};

static void check_rows(enum service_id id, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct err e = {0};
        int status = 0;
        auto_buf body;
        buf_init(&body, 1 << 20);
        buf_clear(&seen);
        const struct service_request rq = {id, rows[i].method, rows[i].path,
                                           .body = str_z(rows[i].body),
                                           .content_type = rows[i].type};
        assert_ok(router_dispatch(&engine, id, &rq, &status, &body, &e));
        str got = status == 200 && seen.n ? buf_view(&seen) : buf_view(&body);
        if (status != rows[i].status || !str_contains(got, str_z(rows[i].says)))
            fail_msg("%s %s: %d %.*s", rows[i].method, rows[i].path, status, STR_ARG(got));
    }
}

static void plain_routes(void **state)
{
    static const struct row rows[] = {
        {"GET", "/queues/a", NULL, "", 200, "/queues/{queuename} queuename=a"},
        {"GET", "/v1/queues/a/?x=1&x=2&y", NULL, "", 200, "/queues/{queuename} queuename=a x=2 y="},
        {"GET", "//queues//a%2Fb%20c", NULL, "", 200, "queuename=a/b c"},
        {"GET", "/queues/a?queuename=b", NULL, "", 200, "/queues/{queuename} queuename=a"},
        {"GET", "/queues/a?p=a+b%26&q=%zz", NULL, "", 200, "p=a b& q=%zz"},
        {"GET", "/queues/all/qlen", NULL, "", 200, "/queues/all/qlen"},
        {"GET", "/queues/one/qlen", NULL, "", 200, "/queues/{queuename}/qlen queuename=one"},
        {"POST", "/raw/b/x/y%2Fz", NULL, "{", 200, "bucket=b id=x/y/z"},
        {"POST", "/queues/a", NULL, "{\"a\":[1]}", 200, "|{'a': [1]}"},
        {"POST", "/queues/a", NULL, "", 200, "queuename=a"},
        {"POST", "/queues/a", NULL, "{", 400, "Request body is not valid JSON"},
        {"POST", "/queues/a", "text/plain", "{", 200, "queuename=a"},
        {"HEAD", "/queues/a", NULL, "", 200, "queuename=a"},
        {"GET", "/v2/queues/a", NULL, "", 404, "Not Found"},
        {"GET", "/v10", NULL, "", 404, "Not Found"},
        {"GET", "/queues", NULL, "", 404, "entered the URL manually"},
        {"GET", "/queues/%zz", NULL, "", 404, "Not Found"},
        {"GET", "/queues/%00", NULL, "", 404, "Not Found"},
        {"GET", "/raw/b", NULL, "", 404, "Not Found"},
        {"PUT", "/queues/a", NULL, "", 405, "The method is not allowed for the requested URL."},
        {"OPTIONS", "/queues/a", NULL, "", 200, ""},
        {"GET", "/fail", NULL, "", 404, "\"message\": \"there is no such thing\""},
        {"GET", "/badly", NULL, "", 500, "under request id"},
        {"GET", "/forget", NULL, "", 500, "Internal Server Error"},
        {"GET", "/park", NULL, "", 200, "resumed"},
        {"GET", "/health", NULL, "", 200, "\"ok\""},
        {"GET", "/", NULL, "", 200, "\"v1\""},
        {"GET", "/v1", NULL, "", 200, "\"v1\""},
    };
    struct err e = {0};
    assert_ok(router_new(&engine, &queue_ops, &engine.routers[SERVICE_SIMPLEQUEUE], &e));
    check_rows(SERVICE_SIMPLEQUEUE, rows, KE_ARRAY_LEN(rows));
    router_free(engine.routers[SERVICE_SIMPLEQUEUE]);
    engine.routers[SERVICE_SIMPLEQUEUE] = NULL;
}

static void described_operations(void **state)
{
    static const char json[] = "application/json";
    static const struct row rows[] = {
        {"GET", "/images", NULL, "", 200, "/images image_status=active"},
        {"GET", "/images?history=True&image_status=all", NULL, "", 200,
         "history=True image_status=all"},
        {"GET", "/images?history=maybe", NULL, "", 400,
         "Wrong type, expected 'boolean' for query parameter 'history'"},
        {"GET", "/images?image_status=bogus", NULL, "", 400,
         "'bogus' is not one of ['all', 'active', 'deleting']"},
        {"GET", "/images", json, "{\"tag\":\"x\"}", 200, "|{'tag': 'x'}"},
        {"GET", "/events?page=abc", NULL, "", 400,
         "Wrong type, expected 'integer' for query parameter 'page'"},
        {"GET", "/events?event_type=A", NULL, "", 400, "'A' does not match '^[a-z0-9-_.*]+$'"},
        {"GET", "/events", NULL, "", 200, "page=1 limit=100"},
        {"DELETE", "/images", NULL, "", 400, "Missing query parameter 'imageDigests'"},
        {"DELETE", "/images?imageDigests=a,b&imageDigests=c", NULL, "", 200, "imageDigests=a,b"},
        {"GET", "/registries/http:%2F%2Fa/b", NULL, "", 200, "registry=http://a/b"},
        {"GET", "/images/sha256%3Aab/content/files", NULL, "", 200, "/content/files"},
        {"GET", "/images/sha256%3Aab/content/os", NULL, "", 200, "imageDigest=sha256:ab ctype=os"},
        {"POST", "/accounts", json, "{\"name\":\"abc\"}", 200, "|{'name': 'abc'}"},
        {"POST", "/accounts", json, "{\"name\":\"a\"}", 400, "{1,126}[a-zA-Z0-9]$' - 'name'"},
        {"POST", "/accounts", json, "{\"name\":", 400, "Request body is not valid JSON"},
        {"POST", "/accounts", json, "null", 400, "Request body is not valid JSON"},
        {"POST", "/accounts", json, "", 400, "None is not of type 'object'"},
        {"POST", "/accounts", "", "{}", 415, "Invalid Content-type (), expected JSON data"},
        {"POST", "/accounts", "text/plain", "{}", 415, "Invalid Content-type (text/plain)"},
        {"POST", "/images", "application/json; charset=utf-8", "{\"source\":{\"tag\":{}}}", 400,
         "'pullstring' is a required property - 'source.tag'"},
        {"POST", "/import/images", json, "{}", 400, "Missing formdata parameter 'archive_file'"},
        {"POST", "/import/images", "multipart/form-data; boundary=\"B\"",
         "--B\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\ny\r\n--B\r\n"
         "Content-Disposition: form-data; name=\"archive_file\"; filename=\"f\"\r\n\r\n"
         "a\r\nb\r\n--B--\r\n",
         200, "archive_file=a\r\nb"},
        {"POST", "/oauth/token", "application/x-www-form-urlencoded",
         "grant_type=password&username=a%40b&password=c+d", 200,
         "grant_type=password username=a@b password=c d"},
        {"POST", "/oauth/token", json, "{}", 200, "/oauth/token"},
        {"POST", "/imports/images/x/manifest", json, "{", 200, "operation_id=x"},
        {"GET", "/swagger.json", NULL, "", 200, "\"version\":\"0.1.20\""},
        {"GET", "/v1/swagger.json", NULL, "", 200, "\"swagger\":\"2.0\""},
        {"GET", "/policies", NULL, "", 501, "not implemented"},
    };
    struct err e = {0};
    assert_ok(router_new(&engine, &api_ops, &engine.routers[SERVICE_APIEXT], &e));
    check_rows(SERVICE_APIEXT, rows, KE_ARRAY_LEN(rows));
    router_free(engine.routers[SERVICE_APIEXT]);
    engine.routers[SERVICE_APIEXT] = NULL;
}

static void wrong_tables_are_refused(void **state)
{
    static const struct route twice[] = {
        {"GET", "/a/{x}", show, 0}, {"GET", "/a/{y}", show, 0}, {0}};
    static const struct service_ops double_ops = {.id = SERVICE_CATALOG, .routes = twice};
    static const struct operation unknown[] = {{"no_such_operation", show, 0}, {0}};
    static const struct operation *const lists[] = {unknown, NULL};
    static const struct service_ops unknown_ops = {.id = SERVICE_APIEXT, .operations = lists};
    struct router *r = NULL;
    struct err e = {0};
    assert_int_equal(router_new(&engine, &double_ops, &r, &e), ERR_USAGE);
    assert_int_equal(router_new(&engine, &unknown_ops, &r, &e), ERR_USAGE);
    assert_true(str_contains(str_z(e.text), STR("no_such_operation")));
}

/* Operations of the API that may be without a handler. */
static const char *const unserved[] = {"import_image_archive", NULL};

static bool may_be_unserved(const char *id)
{
    for (size_t i = 0; unserved[i]; i++) {
        if (strcmp(unserved[i], id) == 0)
            return true;
    }
    return false;
}

static void every_operation_is_served(void **state)
{
    struct router *r = NULL;
    struct err e = {0};
    assert_ok(router_new(&engine, all_services[SERVICE_APIEXT], &r, &e));
    size_t from = 0, missing = 0;
    for (const char *id; (id = router_unbound(r, &from));) {
        if (!may_be_unserved(id)) {
            print_error("no handler: %s\n", id);
            missing++;
        }
    }
    router_free(r);
    assert_int_equal(missing, 0);
}

static void multipart_parts(void **state)
{
    static const struct {
        const char *type, *body, *want; /* NULL: not found */
    } parts[] = {
        {"multipart/form-data; boundary=B",
         "--B\r\nContent-Disposition: form-data; name=f\r\n\r\n\r\n--B--", ""},
        {"multipart/form-data; boundary=B",
         "pre\r\n--B\r\ncontent-disposition: form-data; name=\"f\"\r\nX: y\r\n\r\n1\r\n--B--", "1"},
        {"multipart/form-data; boundary=B",
         "--B\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\n1", NULL},
        {"multipart/form-data; boundary=B", "--B--\r\n", NULL},
        {"multipart/form-data", "--B\r\n", NULL},
        {"multipart/form-data; boundary=", "--\r\n", NULL},
        {"multipart/form-data; boundary=B", "", NULL},
        {"text/plain; boundary=B",
         "--B\r\nContent-Disposition: form-data; name=f\r\n\r\n1\r\n--B--", NULL},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(parts); i++) {
        str out = {0};
        bool found = multipart_find(str_z(parts[i].type), str_z(parts[i].body), STR("f"), &out);
        if (found != (parts[i].want != NULL))
            fail_msg("row %zu: %d", i, found);
        if (found)
            assert_str(out, str_z(parts[i].want));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_routes),
        cmocka_unit_test(described_operations),
        cmocka_unit_test(wrong_tables_are_refused),
        cmocka_unit_test(every_operation_is_served),
        cmocka_unit_test(multipart_parts),
    };
    buf_init(&seen, 1 << 20);
    int r = cmocka_run_group_tests(tests, NULL, NULL);
    buf_done(&seen);
    return r;
}
