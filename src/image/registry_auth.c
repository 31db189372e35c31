#include "image/registry_auth.h"

#include "base/auto.h"
#include "codec/json.h"
#include "net/aws_ecr.h"
#include "net/base64.h"
#include "net/http_url.h"

enum {
    TOKEN_ANSWER_MAX = 1 << 20,
    TOKEN_MAX = 64 << 10,
    TOKEN_LIFE_DEFAULT = 60, /* seconds; distribution specification */
    TOKEN_LIFE_MAX = 24 * 3600,
    TOKEN_MARGIN = 10,
};

static int64_t now_s(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return ts.tv_sec;
}

int registry_auth_init(struct registry_auth *a, const struct reference *ref,
                       const struct registry_options *o, struct http *http, struct err *e)
{
    memset(a, 0, sizeof *a);
    pthread_mutex_init(&a->lock, NULL);
    a->http = http;
    a->plain = o->plain_http;
    a->aws = o->aws;
    if (!(a->host = strdup(ref->registry)) || !(a->repository = strdup(ref->repository)) ||
        (o->docker_config && !(a->docker_config = strdup(o->docker_config))) ||
        (o->ca_file && !(a->ca_file = strdup(o->ca_file))))
        return err_no_memory(e);
    if (o->token) {
        a->fixed = true;
        if (strpbrk(o->token, "\r\n"))
            return err_set(e, ERR_USAGE, "the registry token has line breaks");
        if (asprintf(&a->authorization, "Bearer %s", o->token) < 0) {
            a->authorization = NULL;
            return err_no_memory(e);
        }
    }
    if (o->username) {
        const char *password = o->password ? o->password : "";
        if (strlen(o->username) >= sizeof a->credentials.username ||
            strlen(password) >= sizeof a->credentials.password)
            return err_set(e, ERR_USAGE, "the registry's user name or password is too long");
        a->looked_up = true;
        snprintf(a->credentials.username, sizeof a->credentials.username, "%s", o->username);
        snprintf(a->credentials.password, sizeof a->credentials.password, "%s", password);
    }
    return 0;
}

static void wipe(char **secret)
{
    if (*secret)
        explicit_bzero(*secret, strlen(*secret));
    free(*secret);
    *secret = NULL;
}

void registry_auth_done(struct registry_auth *a)
{
    if (!a->http)
        return;
    wipe(&a->authorization);
    explicit_bzero(&a->credentials, sizeof a->credentials);
    free(a->host);
    free(a->repository);
    free(a->docker_config);
    free(a->ca_file);
    pthread_mutex_destroy(&a->lock);
}

/* A login at one of Amazon's registries, as whoever the environment says that we are. */
static void look_up_aws(struct registry_auth *a)
{
    struct aws_ecr_host host;
    struct aws_provider *p = NULL;
    if (!aws_ecr_host_parse(str_z(a->host), &host) || !host.trusted)
        return;
    struct aws_ecr_login *login autofree = calloc(1, sizeof *login);
    int rc = login ? aws_provider_new(&(struct aws_provider_options){.ca_file = a->ca_file}, &p,
                                      &a->lookup_error)
                   : err_no_memory(&a->lookup_error);
    if (rc == 0)
        rc = aws_ecr_login(p, &host, login, &a->lookup_error);
    if (rc == 0) {
        snprintf(a->credentials.username, sizeof a->credentials.username, "%s", login->user);
        snprintf(a->credentials.password, sizeof a->credentials.password, "%s", login->password);
        explicit_bzero(login, sizeof *login);
    }
    aws_provider_free(p);
}

/* Credentials are looked up when they are first asked for: a public image needs none, and a broken
 * helper must not stand in its way. */
static void look_up(struct registry_auth *a)
{
    char name[600];
    if (a->looked_up)
        return;
    a->looked_up = true;
    snprintf(name, sizeof name, "%s/%s", a->host, a->repository);
    if (credentials_find(a->docker_config, name, &a->credentials, &a->lookup_error) < 0)
        memset(&a->credentials, 0, sizeof a->credentials);
    else if (a->aws && !a->credentials.username[0] && !a->credentials.identity_token[0])
        look_up_aws(a);
}

static void set_authorization(struct registry_auth *a, char *value, int64_t expires)
{
    wipe(&a->authorization);
    a->authorization = value;
    a->expires = expires;
    a->generation++;
}

static int basic_value(const struct credentials *c, char **out, struct err *e)
{
    auto_buf plain, value;
    buf_init(&plain, 16384);
    buf_init(&value, 32768);
    buf_addf(&plain, "%s:%s", c->username, c->password);
    buf_add_str(&value, STR("Basic "));
    base64_encode(buf_view(&plain), &value);
    const char *text = buf_z(&value);
    *out = text ? strdup(text) : NULL;
    if (plain.p)
        explicit_bzero(plain.p, plain.n);
    if (value.p)
        explicit_bzero(value.p, value.n);
    return *out ? 0 : err_no_memory(e);
}

/* ---- tokens ------------------------------------------------------------------------------------
 */

static void add_escaped(struct buf *b, str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (ke_isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~')
            buf_add_char(b, c);
        else
            buf_addf(b, "%%%02X", (unsigned char)c);
    }
}

static void add_field(struct buf *b, const char *name, const char *value)
{
    if (!value[0])
        return;
    if (b->n && b->p[b->n - 1] != '?')
        buf_add_char(b, '&');
    buf_addf(b, "%s=", name);
    add_escaped(b, str_z(value));
}

static void add_scope(const struct registry_auth *a, const struct challenge *c, struct buf *b)
{
    char scope[600];
    snprintf(scope, sizeof scope, "repository:%s:pull", a->repository);
    add_field(b, "service", c->service);
    add_field(b, "scope", c->scope[0] ? c->scope : scope);
}

/* The realm is the registry's word: credentials go there, but not over a worse line. */
static int realm_check(const struct registry_auth *a, const char *realm, struct err *e)
{
    str rest = str_z(realm);
    if (str_starts(rest, STR("https://")))
        return 0;
    if (!str_starts(rest, STR("http://")))
        return err_set(e, ERR_AUTH, "registry %s names no usable token endpoint", a->host);
    rest = str_from(rest, 7);
    size_t n = 0;
    while (n < rest.n && !strchr("/?#", rest.p[n]))
        n++;
    str host = str_sub(rest, 0, n);
    ptrdiff_t at = str_rindex(host, '@');
    host = str_from(host, (size_t)(at + 1));
    ptrdiff_t colon = str_rindex(host, ':');
    if (colon > str_rindex(host, ']'))
        host = str_sub(host, 0, (size_t)colon);
    if (a->plain || http_host_is_loopback(host))
        return 0;
    return err_set(e, ERR_AUTH,
                   "registry %s wants a login at an unencrypted address: refused, since anybody on "
                   "the way could read the credentials",
                   a->host);
}

static int token_accept(struct registry_auth *a, str answer, struct err *e)
{
    auto_json *doc = NULL;
    if (json_parse(answer, "token", &doc, NULL) < 0)
        return err_set(e, ERR_AUTH, "the token endpoint of registry %s did not answer with JSON",
                       a->host);
    yyjson_val *root = yyjson_doc_get_root(doc);
    str token = json_str(root, "token");
    if (!token.n)
        token = json_str(root, "access_token");
    bool ok = token.n && token.n <= TOKEN_MAX;
    for (size_t i = 0; ok && i < token.n; i++)
        ok = token.p[i] > ' ' && token.p[i] < 0x7f;
    if (!ok)
        return err_set(e, ERR_AUTH, "the token endpoint of registry %s gave no usable token",
                       a->host);
    yyjson_val *expires = json_get(root, "expires_in");
    int64_t life = yyjson_is_num(expires) ? (int64_t)yyjson_get_num(expires) : 0;
    if (life <= 0)
        life = TOKEN_LIFE_DEFAULT;
    if (life > TOKEN_LIFE_MAX)
        life = TOKEN_LIFE_MAX;
    char *value;
    if (asprintf(&value, "Bearer %.*s", (int)token.n, token.p) < 0)
        return err_no_memory(e);
    int64_t margin = life > 2 * TOKEN_MARGIN ? TOKEN_MARGIN : life / 4;
    set_authorization(a, value, now_s() + life - margin);
    return 0;
}

static int token_request(struct registry_auth *a, const struct http_request *rq, struct err *e)
{
    struct http_response rs;
    auto_buf body;
    buf_init(&body, TOKEN_ANSWER_MAX);
    int rc = http_fetch(a->http, rq, &rs, &body, e);
    if (rc < 0)
        err_wrap(e, "token for registry %s", a->host);
    else if (rs.status == 401 || rs.status == 403)
        rc = registry_auth_refused(a, a->repository, "", e);
    else if (rs.status != 200)
        rc = http_status_error(&rs, "token endpoint", e);
    else
        rc = token_accept(a, buf_view(&body), e);
    http_response_done(&rs);
    if (body.p)
        explicit_bzero(body.p, body.n);
    return rc;
}

/* OAuth2: an identity token is exchanged for an access token. */
static int token_by_identity(struct registry_auth *a, struct err *e)
{
    static const struct http_header type = {"Content-Type", "application/x-www-form-urlencoded"};
    auto_buf form;
    buf_init(&form, 64 << 10);
    add_field(&form, "grant_type", "refresh_token");
    add_field(&form, "client_id", "kellet");
    add_scope(a, &a->bearer, &form);
    add_field(&form, "refresh_token", a->credentials.identity_token);
    int rc = buf_check(&form, "token request", e);
    if (rc < 0)
        return rc;
    rc = token_request(a,
                       &(struct http_request){.method = "POST",
                                              .url = a->bearer.realm,
                                              .headers = &type,
                                              .n_headers = 1,
                                              .body = buf_view(&form),
                                              .max_body = TOKEN_ANSWER_MAX},
                       e);
    explicit_bzero(form.p, form.n);
    return rc;
}

static int token_by_get(struct registry_auth *a, struct err *e)
{
    char *basic = NULL;
    auto_buf url;
    buf_init(&url, 16384);
    buf_add_str(&url, str_z(a->bearer.realm));
    buf_add_char(&url, strchr(a->bearer.realm, '?') ? '&' : '?');
    add_scope(a, &a->bearer, &url);
    const char *text = buf_z(&url);
    if (!text)
        return buf_check(&url, "token request", e);
    int rc = a->credentials.username[0] ? basic_value(&a->credentials, &basic, e) : 0;
    if (rc == 0)
        rc = token_request(a,
                           &(struct http_request){
                               .url = text, .authorization = basic, .max_body = TOKEN_ANSWER_MAX},
                           e);
    wipe(&basic);
    return rc;
}

static int token_get(struct registry_auth *a, struct err *e)
{
    bool secret = a->credentials.username[0] || a->credentials.identity_token[0];
    int rc = secret ? realm_check(a, a->bearer.realm, e) : 0;
    if (rc < 0)
        return rc;
    return a->credentials.identity_token[0] ? token_by_identity(a, e) : token_by_get(a, e);
}

/* ---- requests ----------------------------------------------------------------------------------
 */

int registry_auth_get(struct registry_auth *a, char **out, unsigned *generation, struct err *e)
{
    int rc = 0;
    pthread_mutex_lock(&a->lock);
    if (a->expires && now_s() >= a->expires)
        rc = token_get(a, e);
    *out = NULL;
    if (rc == 0 && a->authorization && !(*out = strdup(a->authorization)))
        rc = err_no_memory(e);
    *generation = a->generation;
    pthread_mutex_unlock(&a->lock);
    return rc;
}

static int answer(struct registry_auth *a, const struct http_response *rs, struct err *e)
{
    struct challenge c;
    char *basic;
    if (a->fixed)
        return 0;
    if (challenge_find(rs, "Bearer", &c) && c.realm[0]) {
        look_up(a);
        a->bearer = c;
        int rc = token_get(a, e);
        return rc < 0 ? rc : 1;
    }
    if (!challenge_find(rs, "Basic", &c))
        return 0;
    look_up(a);
    if (!a->credentials.username[0] || a->authorization)
        return 0;
    int rc = basic_value(&a->credentials, &basic, e);
    if (rc < 0)
        return rc;
    set_authorization(a, basic, 0);
    return 1;
}

int registry_auth_answer(struct registry_auth *a, const struct http_response *rs,
                         unsigned generation, struct err *e)
{
    int rc = 1;
    pthread_mutex_lock(&a->lock);
    if (generation == a->generation) /* else another thread was here already */
        rc = answer(a, rs, e);
    pthread_mutex_unlock(&a->lock);
    return rc;
}

int registry_auth_refused(struct registry_auth *a, const char *what, const char *said,
                          struct err *e)
{
    const struct credentials *c = &a->credentials;
    if (a->fixed)
        return err_set(e, ERR_AUTH, "%s: registry %s refused the token%s", what, a->host, said);
    if (c->username[0] || c->identity_token[0])
        return err_set(e, ERR_AUTH,
                       "%s: registry %s refused the credentials of %s%s: log in again, or check "
                       "that this user may pull the image",
                       what, a->host, c->username[0] ? c->username : "the identity token", said);
    return err_set(e, ERR_AUTH,
                   "%s: registry %s has no such public image%s: check the name, or log in first "
                   "(\"docker login %s\")%s%s",
                   what, a->host, said, a->host, a->lookup_error.code ? "; " : "",
                   a->lookup_error.code ? a->lookup_error.text : "");
}
