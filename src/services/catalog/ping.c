#include "base/auto.h"
#include "image/challenge.h"
#include "net/base64.h"
#include "services/catalog/lookup.h"

struct ping {
    struct http *http;
    char base[512]; /* https://host */
    char authorization[8192];
};

static int ask(struct ping *p, const char *url, bool with_login, struct http_response *rs,
               struct err *e)
{
    auto_buf body;
    struct http_request rq = {.url = url,
                              .authorization = with_login ? p->authorization : NULL,
                              .max_body = 64 << 10,
                              .no_retry = true};
    buf_init(&body, 64 << 10);
    return http_fetch(p->http, &rq, rs, &body, e);
}

static void put_query(struct buf *b, const char *name, const char *value)
{
    static const char hex[] = "0123456789ABCDEF";

    if (!value[0])
        return;
    buf_add_char(b, memchr(b->p, '?', b->n) ? '&' : '?');
    buf_addf(b, "%s=", name);
    for (const unsigned char *c = (const unsigned char *)value; *c; c++) {
        if (ke_isalnum((char)*c) || strchr("-._~", *c))
            buf_add_char(b, (char)*c);
        else
            buf_add(b, (char[]){'%', hex[*c >> 4], hex[*c & 15]}, 3);
    }
}

static int check_status(const struct http_response *rs, struct err *e)
{
    if (rs->status == 200)
        return 0;
    return err_set(e, ERR_AUTH, "bad user/password or access denied (HTTP %d)", rs->status);
}

static int login_by_token(struct ping *p, const struct challenge *c, struct err *e)
{
    struct http_response rs;
    auto_buf url;

    buf_init(&url, 8192);
    buf_add_str(&url, str_z(c->realm));
    put_query(&url, "service", c->service);
    const char *z = buf_z(&url);
    if (!z || !str_starts(str_z(z), STR("https://")))
        return err_set(e, ERR_AUTH,
                       "the registry's token service is not reached by https: "
                       "credentials are not sent to it");
    int rc = ask(p, z, true, &rs, e);
    if (rc == 0)
        rc = check_status(&rs, e);
    http_response_done(&rs);
    return rc;
}

static int login(struct ping *p, struct err *e)
{
    struct challenge c;
    struct http_response rs;
    char url[600];

    snprintf(url, sizeof url, "%s/v2/", p->base);
    int rc = ask(p, url, false, &rs, e);
    bool bearer = rc == 0 && rs.status == 401 && challenge_find(&rs, "Bearer", &c);
    bool basic = rc == 0 && !bearer && rs.status == 401 && challenge_find(&rs, "Basic", &c);
    http_response_done(&rs);
    if (rc < 0)
        return rc;
    if (bearer)
        return login_by_token(p, &c, e);
    if (!basic)
        return err_set(e, ERR_AUTH, "could not retrieve an auth URL from response");
    rc = ask(p, url, true, &rs, e);
    if (rc == 0)
        rc = check_status(&rs, e);
    http_response_done(&rs);
    return rc;
}

static int set_login(struct ping *p, str user, str password, struct err *e)
{
    auto_buf plain, coded;
    buf_init(&plain, 4096);
    buf_init(&coded, sizeof p->authorization - 8);
    buf_add_str(&plain, user);
    buf_add_char(&plain, ':');
    buf_add_str(&plain, password);
    base64_encode(buf_view(&plain), &coded);
    if (!buf_ok(&plain) || !buf_ok(&coded))
        return err_set(e, ERR_LIMIT, "user or password is too long");
    snprintf(p->authorization, sizeof p->authorization, "Basic %s", buf_z(&coded));
    explicit_bzero(plain.p, plain.n);
    return 0;
}

int catalog_ping(str registry, str user, str password, bool verify, struct err *e)
{
    struct ping p = {0};
    struct reference ref;
    struct http_options o = {.insecure = !verify, .connect_timeout = 10, .idle_timeout = 20};
    ptrdiff_t slash = str_index(registry, '/');
    str host = slash < 0 ? registry : str_sub(registry, 0, (size_t)slash);
    char text[300];

    snprintf(text, sizeof text, "%.*s/x", STR_ARG(host));
    int rc = reference_parse(str_z(text), &ref, e);
    if (rc == 0)
        rc = set_login(&p, user, password, e);
    if (rc == 0)
        rc = http_new(&o, &p.http, e);
    if (rc == 0) {
        snprintf(p.base, sizeof p.base, "https://%s", reference_api_host(&ref));
        rc = login(&p, e);
    }
    http_free(p.http);
    explicit_bzero(p.authorization, sizeof p.authorization);
    return rc;
}
