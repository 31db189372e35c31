#include "services/webhook.h"

#include "net/aws.h"
#include "net/aws_credentials.h"
#include "net/base64.h"
#include "net/sigv4.h"
#include "services/call.h"

#include <stdlib.h>

static yyjson_val *setting(yyjson_val *all, yyjson_val *one, const char *key)
{
    yyjson_val *v = json_get(one, key);
    return v ? v : json_get(all, key);
}

static bool is_false(yyjson_val *v)
{
    return yyjson_is_false(v) || str_eq_nocase(json_text(v), STR("false"));
}

static int64_t number(yyjson_val *v)
{
    uint64_t n = 0;
    if (yyjson_is_int(v))
        return yyjson_get_sint(v);
    return str_to_u64(json_text(v), &n) && n < 1000000 ? (int64_t)n : 0;
}

int webhook_named(const struct config *c, const char *name, struct webhook *out, struct err *e)
{
    yyjson_val *all = c->webhooks, *one = json_get(all, name);
    str format = json_text(setting(all, one, "format"));
    *out = (struct webhook){
        .name = name,
        .url = json_str(one, "url"),
        .user = json_text(setting(all, one, "webhook_user")),
        .password = json_text(setting(all, one, "webhook_pass")),
        .verify = !is_false(setting(all, one, "ssl_verify")),
        .digest_us = number(setting(all, one, "digest_seconds")) * 1000000,
    };
    if (!out->url.n)
        return 0;
    if (!format.n && str_starts(out->url, STR("arn:")))
        format = STR("sns");
    out->format = webhook_format_named(format);
    if (!out->format)
        return err_set(e, ERR_USAGE,
                       "webhooks.%s.format: \"%.*s\" is none of anchore, slack, cloudevents, sns",
                       name, STR_ARG(format));
    return 1;
}

const char *const webhook_names[WEBHOOKS] = {"policy_eval",     "tag_update",  "vuln_update",
                                             "analysis_update", "repo_update", "event_log",
                                             "general"};

size_t webhooks_for(const struct config *c, str type, struct webhook out[2])
{
    size_t n = 0;
    struct err ignored;
    for (size_t i = 0; i + 1 < WEBHOOKS; i++)
        if (str_eq(str_z(webhook_names[i]), type) &&
            webhook_named(c, webhook_names[i], &out[n], &ignored) == 1)
            n++;
    return n + (webhook_named(c, "general", &out[n], &ignored) == 1);
}

/* ---- sending
 * ----------------------------------------------------------------------------------------- */

static void add_replaced(struct buf *out, str text, const struct notice *n)
{
    const str marks[] = {STR("<userId>"), STR("<notification_type>")};
    while (text.n) {
        bool found = false;
        for (int i = 0; i < 2 && !found; i++) {
            if (!str_starts(text, marks[i]))
                continue;
            sigv4_encode(!i ? n->account : n->url_type.n ? n->url_type : n->type, false, out);
            text = str_from(text, marks[i].n);
            found = true;
        }
        if (!found) {
            buf_add_char(out, text.p[0]);
            text = str_from(text, 1);
        }
    }
}

str webhook_url(struct arena *a, const struct webhook *w, const struct notice *n)
{
    auto_buf url;
    buf_init(&url, 16 << 10);
    add_replaced(&url, w->url, n);
    return buf_ok(&url) ? arena_dup(a, buf_view(&url)) : (str){0};
}

/* arn:aws:sns:REGION:ACCOUNT:NAME */
static bool topic_region(str arn, char out[AWS_REGION_MAX])
{
    str rest = arn, part = {0};
    for (int i = 0; i < 4; i++) {
        part = str_split(&rest, ':');
        if (i == 2 && !str_eq(part, STR("sns")))
            return false;
    }
    if (!aws_region_ok(part) || part.n >= AWS_REGION_MAX)
        return false;
    memcpy(out, part.p, part.n);
    out[part.n] = '\0';
    return true;
}

struct webhook_line {
    const struct webhook *hook;
    struct http *http;         /* NULL for SNS */
    struct aws_provider *keys; /* SNS */
    char region[AWS_REGION_MAX];
};

int webhook_open(const struct webhook *w, struct webhook_line **out, struct err *e)
{
    struct webhook_line *l = calloc(1, sizeof *l);
    if (!l)
        return err_no_memory(e);
    l->hook = w;
    const struct http_options options = {
        .insecure = !w->verify, .connect_timeout = 3, .idle_timeout = 7};
    const struct aws_provider_options who = {.region = l->region};
    int rc;
    if (strcmp(w->format->name, "sns") != 0)
        rc = http_new(&options, &l->http, e);
    else if (topic_region(w->url, l->region))
        rc = aws_provider_new(&who, &l->keys, e);
    else
        rc = err_set(e, ERR_USAGE, "%.*s is no ARN of an SNS topic", STR_ARG(w->url));
    if (rc < 0) {
        webhook_close(l);
        return rc;
    }
    *out = l;
    return 0;
}

void webhook_close(struct webhook_line *l)
{
    if (!l)
        return;
    http_free(l->http);
    aws_provider_free(l->keys);
    free(l);
}

static int post(struct webhook_line *l, const struct notice *first, str body, const char *key,
                struct err *e)
{
    const struct webhook *w = l->hook;
    auto_buf url, pair, basic, answer;
    buf_init(&url, 16 << 10);
    buf_init(&pair, 4096);
    buf_init(&basic, 8192);
    buf_init(&answer, 64 << 10);
    add_replaced(&url, w->url, first);
    if (w->user.n || w->password.n) {
        buf_addf(&pair, "%.*s:%.*s", STR_ARG(w->user), STR_ARG(w->password));
        buf_add_str(&basic, STR("Basic "));
        base64_encode(buf_view(&pair), &basic);
    }
    const struct http_header headers[] = {{"Content-Type", w->format->content_type},
                                          {"Idempotency-Key", key}};
    const struct http_request rq = {
        .method = "POST",
        .url = buf_z(&url),
        .headers = headers,
        .n_headers = KE_ARRAY_LEN(headers),
        .body = body,
        .authorization = basic.n ? buf_z(&basic) : NULL,
        .max_body = 64 << 10,
        .no_retry = true,
    };
    struct http_response rs = {0};
    int rc = http_fetch(l->http, &rq, &rs, &answer, e);
    if (rc == 0 && (rs.status < 200 || rs.status > 299))
        rc = err_set(e, ERR_NET, "the receiver answers %d", rs.status);
    http_response_done(&rs);
    return rc;
}

static int publish(struct webhook_line *l, const struct notice *first, str message, struct err *e)
{
    char url[AWS_ENDPOINT_MAX];
    bool own;
    int rc = aws_endpoint(NULL, "sns", l->region, url, &own, e);
    if (rc < 0)
        return rc;
    auto_buf form, answer;
    buf_init(&form, 1 << 20); /* SNS takes 256 KiB */
    buf_init(&answer, 64 << 10);
    buf_add_str(&form, STR("Action=Publish&Version=2010-03-31&TopicArn="));
    sigv4_encode(l->hook->url, false, &form);
    buf_add_str(&form, STR("&Subject="));
    sigv4_encode(STR("kellet: "), false, &form);
    sigv4_encode(first->type, false, &form);
    buf_add_str(&form, STR("&Message="));
    sigv4_encode(message, false, &form);
    rc = buf_check(&form, "a message for SNS", e);
    static const struct http_header type = {"Content-Type", "application/x-www-form-urlencoded"};
    const struct aws_request rq = {.service = "sns",
                                   .region = l->region,
                                   .method = "POST",
                                   .url = url,
                                   .headers = &type,
                                   .n_headers = 1,
                                   .body = buf_view(&form),
                                   .max_body = 64 << 10};
    struct http_response rs = {0};
    if (rc == 0)
        rc = aws_provider_send(l->keys, &rq, &rs, &answer, e);
    if (rc == 0 && rs.status != 200) {
        aws_error_set(&rs, buf_view(&answer), "publishing to SNS", e);
        rc = ERR_NET;
    }
    http_response_done(&rs);
    return rc;
}

int webhook_send(struct webhook_line *l, const struct notice *list, size_t n, const char *key,
                 struct err *e)
{
    yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = NULL;
    auto_buf body;
    buf_init(&body, WEBHOOK_BODY_MAX);
    int rc = d ? l->hook->format->render(list, n, d, &root, e) : err_no_memory(e);
    if (rc == 0)
        rc = json_pretty(root, &body, e);
    yyjson_mut_doc_free(d);
    if (rc < 0)
        return rc;
    return l->keys ? publish(l, list, buf_view(&body), e) : post(l, list, buf_view(&body), key, e);
}
