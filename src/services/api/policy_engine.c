#include "services/api/policy_engine.h"

/* A dry run goes through all images; a synchronisation of feeds ends when the feeds are there. */
enum { ANSWER_MAX = 512 << 20, SENT_SECONDS = 15 * 60, SYNC_SECONDS = 6 * 3600 };

void policy_engine_escape(struct buf *out, str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (ke_isalnum(c) || memchr("-_.~", c, 4))
            buf_add_char(out, c);
        else
            buf_addf(out, "%%%02X", (unsigned char)c);
    }
}

void policy_engine_param(struct call *c, struct buf *out, const char *name)
{
    str value = call_param(c, name);
    if (!value.p)
        return;
    buf_addf(out, "&%s=", name);
    policy_engine_escape(out, value);
}

static int ask(struct call *c, const char *method, const char *path, str sent, int timeout,
               int *status, struct buf *body)
{
    const struct service_request rq = {
        .service = SERVICE_POLICY_ENGINE,
        .method = method,
        .path = path,
        .account = c->account,
        .body = sent,
        .timeout = timeout,
        .request_id = c->request_id,
    };
    buf_init(body, ANSWER_MAX);
    if (!path)
        return err_set(c->err, ERR_USAGE, "the parameters of the request are too long");
    return service_request(c->engine, &rq, status, body, c->err);
}

int policy_engine_ask(struct call *c, const char *method, const char *path, int *status,
                      struct buf *body)
{
    int timeout = strcmp(method, "POST") == 0 ? SYNC_SECONDS : 0;
    return ask(c, method, path, STR(""), timeout, status, body);
}

int policy_engine_send(struct call *c, const char *path, str body)
{
    auto_buf answer;
    int status = 0;
    int r = ask(c, "POST", path, body, SENT_SECONDS, &status, &answer);
    return r < 0 ? r : call_send_text(c, status, "application/json", buf_view(&answer));
}

int policy_engine_pass(struct call *c, const char *method, const char *path)
{
    auto_buf body;
    int status = 0;
    int r = policy_engine_ask(c, method, path, &status, &body);
    return r < 0 ? r : call_send_text(c, status, "application/json", buf_view(&body));
}
