#include "net/aws_source.h"

#include "base/auto.h"
#include "base/fs.h"
#include "codec/json.h"
#include "net/aws_profile.h"
#include "net/http_url.h"

enum { ANSWER_MAX = 64 << 10, TOKEN_MAX = 20000, PROFILES_MAX = 4, METADATA_TRIES = 2 };

/* A variable that is set to something, or NULL. */
static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static int nothing(struct aws_search *s, const char *why)
{
    if (s->tried.n)
        buf_add_str(&s->tried, STR("; "));
    buf_add_str(&s->tried, str_z(why));
    return 0;
}

static int keys_set(struct aws_keys *out, str access, str secret, str token, struct err *e)
{
    if (access.n >= sizeof out->access_key || secret.n >= sizeof out->secret_key ||
        token.n >= sizeof out->session_token)
        return err_set(e, ERR_AUTH, "the AWS keys are longer than any");
    for (size_t i = 0; i < access.n + token.n; i++) {
        char c = i < access.n ? access.p[i] : token.p[i - access.n];
        if (c <= ' ' || c == 0x7f)
            return err_set(e, ERR_AUTH, "the AWS keys have blanks or control characters in them");
    }
    *out = (struct aws_keys){0};
    memcpy(out->access_key, access.p, access.n);
    memcpy(out->secret_key, secret.p, secret.n);
    memcpy(out->session_token, token.n ? token.p : "", token.n);
    return 1;
}

/* ---- the environment */

static int from_environment(struct aws_search *s, struct aws_keys *out, struct err *e)
{
    const char *access = variable("AWS_ACCESS_KEY_ID"), *secret = variable("AWS_SECRET_ACCESS_KEY");
    if (!access && !secret)
        return nothing(s, "no AWS_ACCESS_KEY_ID in the environment");
    if (!access || !secret)
        return err_set(e, ERR_AUTH,
                       "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together: %s is not set",
                       access ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
    return keys_set(out, str_z(access), str_z(secret), str_z(variable("AWS_SESSION_TOKEN")), e);
}

/* ---- web identity */

static int read_token(const char *path, struct buf *out, struct err *e)
{
    int rc = fs_read(path, out, e);
    if (rc == ERR_NOT_FOUND || rc == ERR_IO)
        return err_set(e, ERR_AUTH, "the token file %s cannot be read", path);
    while (rc == 0 && out->n && ke_isspace(out->p[out->n - 1]))
        out->n--;
    return rc < 0 ? rc : buf_z(out) ? 0 : err_no_memory(e);
}

static int by_web_identity(struct aws_search *s, const char *file, const char *role,
                           struct aws_keys *out, struct err *e)
{
    auto_buf token;
    buf_init(&token, TOKEN_MAX);
    int rc = read_token(file, &token, e);
    if (rc == 0)
        rc = aws_sts_web_identity(&s->sts, role, variable("AWS_ROLE_SESSION_NAME"),
                                  buf_view(&token), out, e);
    return rc < 0 ? rc : 1;
}

static int from_web_identity(struct aws_search *s, struct aws_keys *out, struct err *e)
{
    const char *file = variable("AWS_WEB_IDENTITY_TOKEN_FILE"), *role = variable("AWS_ROLE_ARN");
    if (!file)
        return nothing(s, "no AWS_WEB_IDENTITY_TOKEN_FILE");
    if (!role)
        return err_set(e, ERR_AUTH, "AWS_WEB_IDENTITY_TOKEN_FILE is set, but not AWS_ROLE_ARN");
    return by_web_identity(s, file, role, out, e);
}

/* ---- JSON documents of keys */

static int keys_from_json(str text, const char *what, struct aws_keys *out, struct err *e)
{
    auto_json *doc = NULL;
    if (json_parse(text, what, &doc, NULL) < 0)
        return err_set(e, ERR_AUTH, "%s did not answer with JSON", what);
    yyjson_val *root = yyjson_doc_get_root(doc);
    str access = json_str(root, "AccessKeyId"), secret = json_str(root, "SecretAccessKey");
    str token = json_str(root, "Token"), expires = json_str(root, "Expiration");
    str code = json_str(root, "Code");
    if (!access.n || !secret.n)
        return err_set(e, ERR_AUTH, "%s gave no keys%s%.*s", what, code.n ? ": " : "",
                       STR_ARG(str_sub(code, 0, 80)));
    int rc = keys_set(out, access, secret, token, e);
    if (rc < 0)
        return rc;
    out->expires = expires.n ? aws_time_parse(expires) : 0;
    return out->expires < 0 ? err_set(e, ERR_AUTH, "%s gave keys with no usable expiration", what)
                            : 1;
}

static int metadata_get(struct aws_search *s, const struct http_request *rq, int *status,
                        struct buf *body, struct err *e)
{
    struct http_request own = *rq;
    int rc = 0;
    own.no_retry = own.no_redirect = true;
    own.max_body = ANSWER_MAX;
    for (int tries = 1; tries <= METADATA_TRIES; tries++) {
        struct http_response rs;
        buf_clear(body);
        rc = http_fetch(s->metadata, &own, &rs, body, e);
        *status = rs.status;
        http_response_done(&rs);
        if (rc == 0 && *status < 500 && *status != 429)
            return 0;
    }
    return rc;
}

/* ---- the container's endpoint */

bool aws_container_url_ok(str url)
{
    if (str_starts(url, STR("https://")))
        return true;
    if (!str_starts(url, STR("http://")))
        return false;
    str rest = str_from(url, 7);
    size_t n = 0;
    while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?' && rest.p[n] != '#')
        n++;
    str host = str_sub(rest, 0, n);
    if (str_index(host, '@') >= 0)
        return false;
    ptrdiff_t colon = str_rindex(host, ':');
    if (colon > str_rindex(host, ']'))
        host = str_sub(host, 0, (size_t)colon);
    return http_host_is_loopback(host) || str_eq(host, STR("169.254.170.2")) ||
           str_eq(host, STR("169.254.170.23")) || str_eq_nocase(host, STR("[fd00:ec2::23]"));
}

/* The Authorization to send; "" for none. */
static int container_token(struct buf *out, struct err *e)
{
    const char *file = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *token = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    int rc = file ? read_token(file, out, e) : 0;
    if (!file && token)
        buf_add_str(out, str_z(token));
    if (rc == 0 && (!buf_z(out) || strpbrk(out->p, "\r\n")))
        rc = err_set(e, ERR_AUTH, "the container's authorization token has line breaks");
    return rc;
}

static int from_container(struct aws_search *s, struct aws_keys *out, struct err *e)
{
    const char *relative = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    char url[2048];
    auto_buf token, body;
    int status;
    buf_init(&token, TOKEN_MAX);
    buf_init(&body, ANSWER_MAX);
    if (!relative && !full)
        return nothing(s, "no AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI");
    if (relative && relative[0] != '/')
        return err_set(e, ERR_AUTH, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with /");
    int n = relative ? snprintf(url, sizeof url, "http://169.254.170.2%s", relative)
                     : snprintf(url, sizeof url, "%s", full);
    if (n >= (int)sizeof url || !aws_container_url_ok(str_z(url)))
        return err_set(e, ERR_AUTH,
                       "AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or lead to this machine "
                       "or to the container agent");
    int rc = container_token(&token, e);
    if (rc < 0)
        return rc;
    rc = metadata_get(s,
                      &(struct http_request){.url = url, .authorization = token.n ? token.p : NULL},
                      &status, &body, e);
    if (rc < 0)
        return err_wrap(e, "credentials of the container");
    if (status != 200)
        return err_set(e, ERR_AUTH, "credentials of the container: the agent answers with HTTP %d",
                       status);
    rc = keys_from_json(buf_view(&body), "the container agent", out, e);
    explicit_bzero(body.p, body.n);
    return rc;
}

/* ---- the machine's metadata */

static const char *metadata_base(void)
{
    const char *given = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    return given ? given : "http://169.254.169.254";
}

/* Keys of a role whose name is told first. */
static int from_role(struct aws_search *s, const char *base, const char *token,
                     struct aws_keys *out, struct err *e)
{
    const struct http_header header = {"X-aws-ec2-metadata-token", token};
    char url[600];
    int status;
    auto_buf body;
    buf_init(&body, ANSWER_MAX);
    int n = snprintf(url, sizeof url, "%s/latest/meta-data/iam/security-credentials/", base);
    struct http_request rq = {.url = url, .headers = &header, .n_headers = 1};
    int rc = metadata_get(s, &rq, &status, &body, e);
    if (rc < 0)
        return err_wrap(e, "metadata of the machine");
    str role = str_trim(buf_view(&body));
    if (status == 404 || (status == 200 && !role.n))
        return nothing(s, "this machine has no role (instance profile)");
    for (size_t i = 0; status == 200 && i < role.n; i++)
        if (!ke_isalnum(role.p[i]) && !strchr("+=,.@-_", role.p[i]))
            status = 0;
    if (status != 200 || role.n > 128)
        return err_set(e, ERR_AUTH, "metadata of the machine: no usable role (HTTP %d)", status);
    snprintf(url + n, sizeof url - (size_t)n, "%.*s", STR_ARG(role));
    rc = metadata_get(s, &rq, &status, &body, e);
    if (rc < 0)
        return err_wrap(e, "metadata of the machine");
    if (status != 200)
        return err_set(e, ERR_AUTH, "metadata of the machine: HTTP %d for the keys of its role",
                       status);
    rc = keys_from_json(buf_view(&body), "the machine's metadata", out, e);
    explicit_bzero(body.p, body.n);
    return rc;
}

static int from_machine(struct aws_search *s, struct aws_keys *out, struct err *e)
{
    static const struct http_header life = {"X-aws-ec2-metadata-token-ttl-seconds", "21600"};
    const char *disabled = variable("AWS_EC2_METADATA_DISABLED");
    char url[400], why[200];
    int status;
    auto_buf body;
    struct err own = {0};
    buf_init(&body, ANSWER_MAX);
    if (disabled && strcasecmp(disabled, "true") == 0)
        return nothing(s, "the machine's metadata are switched off");
    str base = str_z(metadata_base());
    while (base.n && base.p[base.n - 1] == '/')
        base.n--;
    int n = snprintf(url, sizeof url, "%.*s", (int)(base.n < 300 ? base.n : 300), base.p);
    snprintf(url + n, sizeof url - (size_t)n, "/latest/api/token");
    int rc = metadata_get(
        s, &(struct http_request){.method = "PUT", .url = url, .headers = &life, .n_headers = 1},
        &status, &body, &own);
    if (rc < 0 || status != 200) { /* not on EC2 */
        snprintf(why, sizeof why, "no metadata service of EC2 (%.*s)", (int)base.n, base.p);
        return nothing(s, why);
    }
    url[n] = 0;
    const char *token = buf_z(&body);
    if (!token || strpbrk(token, "\r\n"))
        return err_set(e, ERR_AUTH, "metadata of the machine: no usable token");
    return from_role(s, url, token, out, e);
}

/* ---- profiles */

static int from_named(struct aws_search *s, const char *name, int depth, struct aws_keys *out,
                      struct err *e);

static int by_credential_source(struct aws_search *s, const char *source, struct aws_keys *out,
                                struct err *e)
{
    int rc;
    if (strcmp(source, "Environment") == 0)
        rc = from_environment(s, out, e);
    else if (strcmp(source, "EcsContainer") == 0)
        rc = from_container(s, out, e);
    else if (strcmp(source, "Ec2InstanceMetadata") == 0)
        rc = from_machine(s, out, e);
    else
        return err_set(e, ERR_AUTH, "credential_source \"%s\" is not known", source);
    return rc ? rc : err_set(e, ERR_AUTH, "credential_source %s has no keys", source);
}

static int by_role(struct aws_search *s, const struct aws_profile *p, const char *name, int depth,
                   struct aws_keys *out, struct err *e)
{
    int rc;
    struct aws_keys *base autofree = calloc(1, sizeof *base);
    if (!base)
        return err_no_memory(e);
    if (p->web_identity_token_file[0])
        return by_web_identity(s, p->web_identity_token_file, p->role_arn, out, e);
    if (p->credential_source[0])
        rc = by_credential_source(s, p->credential_source, base, e);
    else if (strcmp(p->source_profile, name) == 0 && p->access_key[0])
        rc = keys_set(base, str_z(p->access_key), str_z(p->secret_key), str_z(p->session_token), e);
    else if (p->source_profile[0])
        rc = from_named(s, p->source_profile, depth + 1, base, e);
    else
        rc = err_set(e, ERR_AUTH, "role_arn needs source_profile or credential_source");
    if (rc == 0)
        rc = err_set(e, ERR_AUTH, "source_profile %s has no keys", p->source_profile);
    if (rc > 0)
        rc = aws_sts_assume(&s->sts, base, p->role_arn, p->external_id, NULL, out, e);
    explicit_bzero(base, sizeof *base);
    return rc < 0 ? rc : 1;
}

static int from_named(struct aws_search *s, const char *name, int depth, struct aws_keys *out,
                      struct err *e)
{
    struct aws_profile *p autofree = calloc(1, sizeof *p);
    if (!p)
        return err_no_memory(e);
    if (depth > PROFILES_MAX)
        return err_set(e, ERR_AUTH, "profiles refer to each other in a circle");
    int rc = aws_profile_read(name, p, e);
    if (rc < 0)
        return rc;
    if (p->role_arn[0])
        rc = by_role(s, p, name, depth, out, e);
    else if (p->access_key[0] && p->secret_key[0])
        rc = keys_set(out, str_z(p->access_key), str_z(p->secret_key), str_z(p->session_token), e);
    else if (p->has_sso || p->has_process)
        rc = err_set(e, ERR_AUTH,
                     "it uses %s, which is not supported: put keys into the environment with "
                     "`aws configure export-credentials --format env`",
                     p->has_sso ? "single sign-on" : "credential_process");
    explicit_bzero(p, sizeof *p);
    return rc < 0 ? err_wrap(e, "AWS profile %s", name) : rc;
}

static int from_profile(struct aws_search *s, struct aws_keys *out, struct err *e)
{
    const char *name = aws_profile_name(s->profile);
    char why[200];
    int rc = from_named(s, name, 0, out, e);
    if (rc)
        return rc;
    if (s->profile || variable("AWS_PROFILE"))
        return err_set(e, ERR_AUTH, "AWS profile %s: there are no keys of it in ~/.aws", name);
    snprintf(why, sizeof why, "no profile %s with keys in ~/.aws", name);
    return nothing(s, why);
}

/* ---- the search */

int aws_search_run(struct aws_search *s, struct aws_keys *out, struct err *e)
{
    int (*const places[])(struct aws_search *, struct aws_keys *, struct err *) = {
        from_environment, from_web_identity, from_profile, from_container, from_machine};
    for (size_t i = s->profile ? 2 : 0; i < KE_ARRAY_LEN(places); i++) {
        int rc = places[i](s, out, e);
        if (rc)
            return rc < 0 ? rc : 0;
    }
    return err_set(e, ERR_AUTH, "there are no AWS credentials: %.*s", STR_ARG(buf_view(&s->tried)));
}
