#include "services/api/operations.h"

#include "base/auto.h"
#include "codec/json.h"
#include "services/webhook.h"

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
/* A notification of this type, of nothing that happened. */
static int test_notice(struct call *c, str type, struct notice *out)
{
    unsigned char id[16];
    char hex[33];
    randombytes_buf(id, sizeof id);
    sodium_bin2hex(hex, sizeof hex, id, sizeof id);
    auto_buf b;
    buf_init(&b, 64 << 10);
    buf_add_str(&b, STR("{\"userId\": "));
    json_put_string(&b, c->account);
    buf_addf(&b, ", \"notificationId\": \"%s\", \"subscription_type\": ", hex);
    json_put_string(&b, type);
    buf_add_str(&b, STR(", \"subscription_key\": \"docker.io/library/test:latest\"}"));
    int64_t now = (int64_t)time(NULL) * 1000000;
    *out = (struct notice){.account = c->account,
                           .email = STR(""),
                           .type = type,
                           .key = STR("docker.io/library/test:latest"),
                           .notification_id = arena_dup(&c->arena, str_z(hex)),
                           .created_us = now,
                           .deadline_us = now + 30000000,
                           .payload = arena_dup(&c->arena, buf_view(&b))};
    return out->payload.p && out->notification_id.p ? 0 : err_no_memory(c->err);
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
    if (!yyjson_is_obj(one) || yyjson_obj_size(one) == 0)
        return call_error(c, 400, "No Webhook Configuration found for type=%.*s",
                          STR_ARG(str_sub(type, 0, 200)));
    struct webhook hook;
    struct notice notice;
    struct err why = {0};
    int rc = webhook_named(c->engine->config, api_z(c, type), &hook, &why);
    if (rc < 0)
        return call_error(c, 400, "%s", why.text);
    if (rc == 0)
        return call_error(c, 400, "Cannot send webhook, no URL configured");
    if ((rc = test_notice(c, what.n ? what : STR("tag_update"), &notice)) < 0)
        return rc;
    notice.url_type = STR("test");
    struct webhook_line *line = NULL;
    rc = webhook_open(&hook, &line, &why);
    if (rc == 0)
        rc = webhook_send(line, &notice, 1, api_z(c, notice.notification_id), &why);
    webhook_close(line);
    if (rc < 0)
        return call_error(c, 500,
                          "failed to post notification to webhook - exception: failed post"
                          " url=%.*s",
                          STR_ARG(webhook_url(&c->arena, &hook, &notice)));
    yyjson_mut_doc *d = call_doc(c);
    return call_send(c, 200, d, yyjson_mut_obj(d));
}

const struct operation misc_operations[] = {
    {"describe_error_codes", describe_error_codes, 0},
    {"test_webhook", test_webhook, ROUTE_SLOW},
    {NULL, NULL, 0},
};
