#include "net/http_url.h"

#include "net/http.h"

#include "base/str.h"

#include <arpa/inet.h>

static void url_cleanup(CURLU **u)
{
    const struct curl_api *api;
    if (*u && curl_api_load(&api, NULL) == 0)
        api->url_free(*u);
}
#define auto_url CURLU KE_CLEANUP(url_cleanup)

/* One part as a string in out; false when it does not fit. Absent gives "". */
static bool part(const struct curl_api *api, CURLU *u, CURLUPart which, unsigned flags, char *out,
                 size_t size)
{
    char *text = NULL;
    out[0] = 0;
    if (api->url_get(u, which, &text, flags) != CURLUE_OK)
        return true;
    bool fits = strlen(text) < size;
    if (fits)
        memcpy(out, text, strlen(text) + 1);
    api->free(text);
    return fits;
}

static int take_user(const struct curl_api *api, CURLU *u, struct http_url *out, struct err *e)
{
    char user[512], password[4096];
    if (!part(api, u, CURLUPART_USER, CURLU_URLDECODE, user, sizeof user) ||
        !part(api, u, CURLUPART_PASSWORD, CURLU_URLDECODE, password, sizeof password))
        return err_set(e, ERR_LIMIT, "user or password of a URL is too long");
    if (!user[0] && !password[0])
        return 0;
    if (asprintf(&out->user_pass, "%s:%s", user, password) < 0) {
        out->user_pass = NULL;
        return err_no_memory(e);
    }
    return 0;
}

static int fill(const struct curl_api *api, CURLU *u, struct http_url *out, struct err *e)
{
    char path[512];
    if (!part(api, u, CURLUPART_SCHEME, 0, out->scheme, sizeof out->scheme) ||
        (strcmp(out->scheme, "http") != 0 && strcmp(out->scheme, "https") != 0))
        return err_set(e, ERR_USAGE, "a URL must begin with http:// or https://");
    if (!part(api, u, CURLUPART_HOST, 0, out->host, sizeof out->host) || !out->host[0] ||
        !part(api, u, CURLUPART_PORT, CURLU_DEFAULT_PORT, out->port, sizeof out->port))
        return err_set(e, ERR_USAGE, "a URL has no usable host name");
    for (char *c = out->host; *c; c++)
        *c = ke_tolower(*c);
    int rc = take_user(api, u, out, e);
    if (rc < 0)
        return rc;
    static const CURLUPart dropped[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS,
                                        CURLUPART_FRAGMENT};
    for (size_t i = 0; i < KE_ARRAY_LEN(dropped); i++)
        api->url_set(u, dropped[i], NULL, 0);
    char *text = NULL;
    if (api->url_get(u, CURLUPART_URL, &text, 0) != CURLUE_OK)
        return err_no_memory(e);
    if (strlen(text) > HTTP_URL_MAX)
        rc = err_set(e, ERR_LIMIT, "a URL is longer than %d bytes", HTTP_URL_MAX);
    else if (!(out->text = strdup(text)))
        rc = err_no_memory(e);
    api->free(text);
    if (!part(api, u, CURLUPART_PATH, 0, path, sizeof path))
        snprintf(path, sizeof path, "/...");
    bool usual = strcmp(out->port, strcmp(out->scheme, "https") == 0 ? "443" : "80") == 0;
    snprintf(out->redacted, sizeof out->redacted, "%s://%s%s%s%.220s", out->scheme, out->host,
             usual ? "" : ":", usual ? "" : out->port, path);
    return rc;
}

int http_url_parse(const struct curl_api *api, const char *text, struct http_url *out,
                   struct err *e)
{
    memset(out, 0, sizeof *out);
    if (strlen(text) > HTTP_URL_MAX)
        return err_set(e, ERR_LIMIT, "a URL is longer than %d bytes", HTTP_URL_MAX);
    auto_url *u = api->url_new();
    if (!u)
        return err_no_memory(e);
    /* Not shown in messages: what cannot be parsed may hold a password anywhere. */
    if (api->url_set(u, CURLUPART_URL, text, CURLU_PATH_AS_IS) != CURLUE_OK)
        return err_set(e, ERR_USAGE, "not a URL of the form https://host/path");
    return fill(api, u, out, e);
}

int http_url_resolve(const struct curl_api *api, const struct http_url *base, const char *location,
                     struct http_url *out, struct err *e)
{
    memset(out, 0, sizeof *out);
    if (strlen(location) > HTTP_URL_MAX)
        return err_set(e, ERR_LIMIT, "%s redirects to a URL longer than %d bytes", base->redacted,
                       HTTP_URL_MAX);
    auto_url *u = api->url_new();
    if (!u)
        return err_no_memory(e);
    if (api->url_set(u, CURLUPART_URL, base->text, CURLU_PATH_AS_IS) != CURLUE_OK)
        return err_no_memory(e);
    if (api->url_set(u, CURLUPART_URL, location, CURLU_PATH_AS_IS | CURLU_URLENCODE) != CURLUE_OK)
        return err_set(e, ERR_NET, "%s redirects to something that is not an http URL",
                       base->redacted);
    struct err why = {0};
    int rc = fill(api, u, out, &why);
    if (rc < 0)
        return err_set(e, rc == ERR_USAGE ? ERR_NET : rc, "%s redirects badly: %s", base->redacted,
                       why.text);
    free(TAKE(out->user_pass));
    return 0;
}

void http_url_done(struct http_url *u)
{
    free(u->text);
    free(u->user_pass);
    memset(u, 0, sizeof *u);
}

bool http_url_same_origin(const struct http_url *a, const struct http_url *b)
{
    return strcmp(a->scheme, b->scheme) == 0 && strcmp(a->host, b->host) == 0 &&
           strcmp(a->port, b->port) == 0;
}

bool http_same_origin(const char *a, const char *b)
{
    const struct curl_api *api;
    struct http_url x = {0}, y = {0};
    bool same = curl_api_load(&api, NULL) == 0 && http_url_parse(api, a, &x, NULL) == 0 &&
                http_url_parse(api, b, &y, NULL) == 0 && http_url_same_origin(&x, &y);
    http_url_done(&x);
    http_url_done(&y);
    return same;
}

static bool ipv4(str host, uint32_t *out)
{
    char text[16];
    struct in_addr address;
    if (host.n >= sizeof text)
        return false;
    memcpy(text, host.n ? host.p : "", host.n);
    text[host.n] = 0;
    if (inet_pton(AF_INET, text, &address) != 1)
        return false;
    *out = ntohl(address.s_addr);
    return true;
}

bool http_host_is_loopback(str host)
{
    if (str_eq_nocase(host, STR("localhost")) || str_eq(host, STR("[::1]")) ||
        str_eq(host, STR("::1")))
        return true;
    str tail = str_sub(host, host.n > 10 ? host.n - 10 : host.n, host.n);
    if (str_eq_nocase(tail, STR(".localhost")))
        return true;
    uint32_t address;
    return ipv4(host, &address) && address >> 24 == 127;
}

bool http_host_is_link_local(str host)
{
    uint32_t address;
    return str_eq_nocase(host, STR("[fd00:ec2::254]")) ||
           str_eq_nocase(host, STR("[fd00:ec2::23]")) ||
           (ipv4(host, &address) && address >> 16 == 0xa9fe);
}
