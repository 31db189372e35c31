#include "base/auto.h"
#include "services/api/images.h"

static void put_query(struct buf *b, str value)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < value.n; i++) {
        unsigned char u = (unsigned char)value.p[i];
        if (ke_isalnum((char)u) || (u && strchr("-._~:/@", u)))
            buf_add_char(b, (char)u);
        else
            buf_add(b, (char[]){'%', hex[u >> 4], hex[u & 15]}, 3);
    }
}

static int add_repository(struct call *c)
{
    auto_buf path, body;
    int status = 0;

    buf_init(&path, 64 << 10);
    buf_init(&body, 64 << 20);
    buf_add_str(&path, STR("/repo?regrepo="));
    put_query(&path, call_param(c, "repository"));
    buf_addf(&path, "&autosubscribe=%s&dryrun=%s",
             call_flag(c, "autosubscribe", false) ? "true" : "false",
             call_flag(c, "dryrun", false) ? "true" : "false");
    const char *z = buf_z(&path);
    if (!z)
        return buf_check(&path, "the repository's name", c->err);
    const struct service_request rq = {.service = SERVICE_CATALOG,
                                       .method = "POST",
                                       .path = z,
                                       .account = c->account,
                                       .request_id = c->request_id};
    int rc = service_request(c->engine, &rq, &status, &body, c->err);
    if (rc < 0)
        return rc;
    return call_send_text(c, status, "application/json", buf_view(&body));
}

const struct operation repository_operations[] = {
    {"add_repository", add_repository, ROUTE_SLOW},
    {0},
};
