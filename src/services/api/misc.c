#include "services/api/operations.h"

#include "base/auto.h"
#include "codec/json.h"
#include "net/base64.h"

#include <sodium.h>

struct error_code {
    const char *name, *words;
};
static const struct error_code error_codes[] = {
    {"REGISTRY_PERMISSION_DENIED",
     "The registry does not allow access to this image or repository"},
    {"REGISTRY_IMAGE_NOT_FOUND", "The registry has no image with this tag or digest"},
    {"REGISTRY_NOT_ACCESSIBLE", "The registry cannot be reached over the network"},
    {"REGISTRY_NOT_SUPPORTED", "The registry does not speak version 2 of the registry API"},
    {"SKOPEO_UNKNOWN_ERROR", "The registry was asked in vain for another reason: see the message"},
    {"UNKNOWN", "Something unforeseen happened: see the log of the services"},
    {"FEED_SYNC_ALREADY_IN_PROGRESS", "Vulnerability data is being synchronised already"},
    {"OSARCH_MISMATCH", "The image is not there for the platform that is analysed"},
};

static int describe_error_codes(struct call *c)
{
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *a = yyjson_mut_arr(d);
    for (size_t i = 0; i < KE_ARRAY_LEN(error_codes); i++) {
        yyjson_mut_val *o = yyjson_mut_obj(d);
        put_str(d, o, "name", str_z(error_codes[i].name));
        put_str(d, o, "description", str_z(error_codes[i].words));
        yyjson_mut_arr_append(a, o);
    }
    return call_send(c, 200, d, a);
}

/* ---- webhooks ---------------------------------------------------------------------------------
 */
struct hook {
    str url, user, password;
    bool verify;
};

static str replace(struct call *c, str text, str from, str to)
{
    auto_buf out;
    buf_init(&out, 16 << 10);
    ptrdiff_t at;
    while ((at = str_find(text, from)) >= 0) {
        buf_add_str(&out, str_sub(text, 0, (size_t)at));
        buf_add_str(&out, to);
        text = str_from(text, (size_t)at + from.n);
    }
    buf_add_str(&out, text);
    return buf_ok(&out) ? arena_dup(&c->arena, buf_view(&out)) : (str){0};
}

/* A value of the hook's section, or of all webhooks. */
static yyjson_val *setting(yyjson_val *all, yyjson_val *one, const char *key)
{
    yyjson_val *v = json_get(one, key);
    return v ? v : json_get(all, key);
}

static bool is_false(yyjson_val *v)
{
    return yyjson_is_false(v) || str_eq_nocase(json_text(v), STR("false"));
}

static struct hook hook_of(struct call *c, yyjson_val *all, yyjson_val *one)
{
    struct hook h = {
        .url = json_str(one, "url"),
        .user = json_text(setting(all, one, "webhook_user")),
        .password = json_text(setting(all, one, "webhook_pass")),
        .verify = !is_false(setting(all, one, "ssl_verify")),
    };
    h.url = replace(c, h.url, STR("<userId>"), c->account);
    h.url = replace(c, h.url, STR("<notification_type>"), STR("test"));
    return h;
}

static str test_body(struct call *c, str type)
{
    unsigned char id[16];
    char hex[33];
    randombytes_buf(id, sizeof id);
    sodium_bin2hex(hex, sizeof hex, id, sizeof id);
    str uuid = arena_dup(&c->arena, str_z(hex));
    int64_t now = time(NULL);
    yyjson_mut_doc *d = call_doc(c);
    yyjson_mut_val *o = yyjson_mut_obj(d), *data = yyjson_mut_obj(d), *payload = yyjson_mut_obj(d);
    put_str(d, payload, "userId", c->account);
    put_str(d, payload, "notificationId", uuid);
    put_str(d, payload, "subscription_type", type);
    put_str(d, payload, "subscription_key", STR("docker.io/library/test:latest"));
    put_str(d, data, "notification_user", c->account);
    put_str(d, data, "notification_user_email", STR(""));
    put_str(d, data, "notification_type", type);
    yyjson_mut_obj_add_val(d, data, "notification_payload", payload);
    put_str(d, o, "queueId", type);
    put_str(d, o, "userId", c->account);
    put_str(d, o, "dataId", uuid);
    put_int(d, o, "created_at", now);
    put_int(d, o, "last_updated", now);
    put_str(d, o, "record_state_key", STR("active"));
    put_null(d, o, "record_state_val");
    put_int(d, o, "tries", 0);
    put_int(d, o, "max_tries", now + 30);
    yyjson_mut_obj_add_val(d, o, "data", data);
    auto_buf text;
    buf_init(&text, 1 << 20);
    return json_pretty(o, &text, c->err) < 0 ? (str){0} : arena_dup(&c->arena, buf_view(&text));
}

static int post_hook(struct call *c, const struct hook *h, str body, struct err *why)
{
    struct http_options options = {
        .insecure = !h->verify, .connect_timeout = 2, .idle_timeout = 5, .retries = 1};
    struct http *http = NULL;
    int rc = http_new(&options, &http, why);
    if (rc < 0)
        return rc;
    auto_buf basic, answer;
    buf_init(&basic, 4096);
    buf_init(&answer, 64 << 10);
    if (h->user.n || h->password.n) {
        buf_add_str(&basic, STR("Basic "));
        base64_encode(arena_printf(&c->arena, "%.*s:%.*s", STR_ARG(h->user), STR_ARG(h->password)),
                      &basic);
    }
    static const struct http_header json = {"Content-Type", "application/json"};
    struct http_request rq = {
        .method = "POST",
        .url = api_z(c, h->url),
        .headers = &json,
        .n_headers = 1,
        .body = body,
        .authorization = basic.n ? buf_z(&basic) : NULL,
        .max_body = 64 << 10,
        .no_retry = true,
    };
    struct http_response rs = {0};
    rc = http_fetch(http, &rq, &rs, &answer, why);
    if (rc == 0 && rs.status != 200)
        rc = err_set(why, ERR_NET, "status %d", rs.status);
    http_response_done(&rs);
    http_free(http);
    return rc;
}

static int test_webhook(struct call *c)
{
    yyjson_val *all = c->engine->config->webhooks;
    str type = call_param(c, "webhook_type"), what = call_param(c, "notification_type");
    if (!str_eq(c->who.account_type, STR("admin")))
        return call_error(c, 403, "Not authorized. Requires callers account of type ");
    if (!all || yyjson_obj_size(all) == 0)
        return call_error(c, 400, "Webhooks Configuration not found");
    yyjson_val *one = json_get(all, api_z(c, type));
    if (!one)
        return call_error(c, 500, "'%.*s'", STR_ARG(str_sub(type, 0, 200)));
    if (!yyjson_is_obj(one) || yyjson_obj_size(one) == 0)
        return call_error(c, 400, "No Webhook Configuration found for type=%.*s", STR_ARG(type));
    struct hook h = hook_of(c, all, one);
    if (!h.url.n)
        return call_error(c, 500, "Cannot send webhook, no URL configured");
    str body = test_body(c, what.n ? what : STR("tag_update"));
    if (!body.p)
        return err_no_memory(c->err);
    struct err why = {0};
    if (post_hook(c, &h, body, &why) < 0)
        return call_error(c, 500,
                          "failed to post notification to webhook - exception: failed post"
                          " url=%.*s",
                          STR_ARG(h.url));
    yyjson_mut_doc *d = call_doc(c);
    return call_send(c, 200, d, yyjson_mut_obj(d));
}

const struct operation misc_operations[] = {
    {"describe_error_codes", describe_error_codes, 0},
    {"test_webhook", test_webhook, ROUTE_SLOW},
    {NULL, NULL, 0},
};
