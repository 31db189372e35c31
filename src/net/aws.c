#include "net/aws.h"

#include "base/auto.h"
#include "base/text.h"
#include "codec/json.h"
#include "net/aws_xml.h"
#include "net/http_fields.h"
#include "net/sigv4.h"

#include <sys/random.h>

enum {
    HEADERS_MAX = 20,
    TRIES = 4,
    WAIT_FIRST_MS = 200,
    WAIT_MAX_MS = 5000,
    RETRY_AFTER_MAX = 20, /* seconds */
    SKEW_MIN = 240,       /* below this our clock is not what is wrong */
};

/* ---- addresses */

bool aws_region_ok(str region)
{
    for (size_t i = 0; i < region.n; i++)
        if (!ke_isdigit(region.p[i]) && region.p[i] != '-' &&
            (region.p[i] < 'a' || region.p[i] > 'z'))
            return false;
    return region.n > 0 && region.n < AWS_REGION_MAX;
}

const char *aws_region_environment(void)
{
    const char *region = getenv("AWS_REGION");
    if (!region || !*region)
        region = getenv("AWS_DEFAULT_REGION");
    return region && *region ? region : NULL;
}

const char *aws_suffix(str region)
{
    static const struct {
        str prefix;
        const char *suffix;
    } partitions[] = {{STR_INIT("cn-"), "amazonaws.com.cn"},
                      {STR_INIT("us-iso-"), "c2s.ic.gov"},
                      {STR_INIT("us-isob-"), "sc2s.sgov.gov"},
                      {STR_INIT("eusc-"), "amazonaws.eu"}};
    for (size_t i = 0; i < KE_ARRAY_LEN(partitions); i++)
        if (str_starts(region, partitions[i].prefix))
            return partitions[i].suffix;
    return "amazonaws.com";
}

static const char *environment_endpoint(const char *service)
{
    char name[64];
    snprintf(name, sizeof name, "AWS_ENDPOINT_URL_%s", service);
    for (char *c = name; *c; c++)
        *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c;
    const char *value = getenv(name);
    if (!value || !*value)
        value = getenv("AWS_ENDPOINT_URL");
    return value && *value ? value : NULL;
}

int aws_endpoint(const struct aws_endpoints *given, const char *service, const char *region,
                 char out[AWS_ENDPOINT_MAX], bool *own, struct err *e)
{
    const char *url = NULL;
    if (given)
        url = strcmp(service, "ecr") == 0   ? given->ecr
              : strcmp(service, "sts") == 0 ? given->sts
              : strcmp(service, "s3") == 0  ? given->s3
                                            : NULL;
    if (!url && given)
        url = given->all;
    if (!url)
        url = environment_endpoint(service);
    str s = str_z(url);
    while (s.n && s.p[s.n - 1] == '/')
        s.n--;
    *own = url;
    if (url && !str_starts(s, STR("http://")) && !str_starts(s, STR("https://")))
        return err_set(e, ERR_USAGE, "the endpoint of %s is no http address: \"%.*s\"", service,
                       STR_ARG(s));
    if (!url && !aws_region_ok(str_z(region)))
        return err_set(e, ERR_USAGE, "no region of AWS is known for %s: set AWS_REGION", service);
    int n = url ? snprintf(out, AWS_ENDPOINT_MAX, "%.*s", STR_ARG(s))
                : snprintf(out, AWS_ENDPOINT_MAX, "https://%s%s.%s.%s",
                           strcmp(service, "ecr") == 0 ? "api." : "", service, region,
                           aws_suffix(str_z(region)));
    return n >= AWS_ENDPOINT_MAX ? err_set(e, ERR_LIMIT, "the endpoint of %s is too long", service)
                                 : 0;
}

/* ---- time */

int64_t aws_now(struct aws_client *c)
{
    return (int64_t)time(NULL) + atomic_load(&c->skew);
}

int aws_expect_ok(int rc, const struct http_response *rs, str body, const char *what, struct err *e)
{
    if (rc < 0) {
        err_wrap(e, "%s", what);
        return rc;
    }
    return rs->status == 200 ? 0 : aws_error_set(rs, body, what, e);
}

int64_t aws_time_parse(str text)
{
    static const char form[] = "0000-00-00T00:00:00";
    int64_t v[6] = {0};
    size_t part = 0;
    if (text.n < sizeof form || text.p[text.n - 1] != 'Z')
        return -1;
    for (size_t i = 0; form[i]; i++) {
        if (form[i] == '0' ? !ke_isdigit(text.p[i]) : text.p[i] != form[i])
            return -1;
        if (form[i] == '0')
            v[part] = v[part] * 10 + (text.p[i] - '0');
        else
            part++;
    }
    struct tm tm = {.tm_year = (int)v[0] - 1900,
                    .tm_mon = (int)v[1] - 1,
                    .tm_mday = (int)v[2],
                    .tm_hour = (int)v[3],
                    .tm_min = (int)v[4],
                    .tm_sec = (int)v[5]};
    return timegm(&tm);
}

/* ---- errors */

static void clean_into(str s, char *out, size_t size)
{
    auto_buf clean;
    buf_init(&clean, 4096);
    text_clean(str_sub(s, 0, size - 1), &clean);
    snprintf(out, size, "%.*s", STR_ARG(buf_view(&clean)));
}

static void error_from_json(str body, struct aws_error *out)
{
    auto_json *doc = NULL;
    if (json_parse(body, "error", &doc, NULL) < 0)
        return;
    yyjson_val *root = yyjson_doc_get_root(doc);
    str code = json_str(root, "__type"), message = json_str(root, "message");
    if (!code.n)
        code = json_str(root, "code");
    if (!message.n)
        message = json_str(root, "Message");
    ptrdiff_t hash = str_rindex(code, '#');
    clean_into(str_from(code, (size_t)(hash + 1)), out->code, sizeof out->code);
    clean_into(message, out->message, sizeof out->message);
}

void aws_error_read(const struct http_response *rs, str body, struct aws_error *out)
{
    char text[300];
    *out = (struct aws_error){0};
    body = str_trim(body);
    if (str_starts(body, STR("{"))) {
        error_from_json(body, out);
    } else {
        aws_xml_text(body, "Code", text, sizeof text);
        clean_into(str_z(text), out->code, sizeof out->code);
        aws_xml_text(body, "Message", text, sizeof text);
        clean_into(str_z(text), out->message, sizeof out->message);
    }
    str type = http_header(rs, "x-amzn-errortype");
    if (!out->code[0] && type.n)
        clean_into(str_split(&type, ':'), out->code, sizeof out->code);
}

static bool one_of(const char *code, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(code, *list) == 0)
            return true;
    return false;
}

static bool is_throttled(int status, const char *code)
{
    static const char *const codes[] = {"Throttling",
                                        "ThrottlingException",
                                        "ThrottledException",
                                        "RequestThrottled",
                                        "RequestThrottledException",
                                        "TooManyRequestsException",
                                        "RequestLimitExceeded",
                                        "BandwidthLimitExceeded",
                                        "PriorRequestNotComplete",
                                        "SlowDown",
                                        NULL};
    return status == 429 || one_of(code, codes);
}

static bool may_pass(int status, const char *code)
{
    static const char *const codes[] = {"RequestTimeout",
                                        "RequestTimeoutException",
                                        "InternalError",
                                        "InternalFailure",
                                        "ServiceUnavailable",
                                        "OperationAborted",
                                        NULL};
    return is_throttled(status, code) || status == 500 || status == 502 || status == 503 ||
           status == 504 || one_of(code, codes);
}

static bool is_about_time(const struct aws_error *x)
{
    static const char *const codes[] = {"RequestTimeTooSkewed", "RequestExpired",
                                        "RequestInTheFuture", NULL};
    static const char *const perhaps[] = {"InvalidSignatureException", "SignatureDoesNotMatch",
                                          "AuthFailure", "AccessDenied", NULL};
    str said = str_z(x->message);
    return one_of(x->code, codes) ||
           (one_of(x->code, perhaps) &&
            (str_contains(said, STR("xpired")) || str_contains(said, STR("not yet current")) ||
             str_contains(said, STR("skew"))));
}

bool aws_error_is_keys(const struct aws_error *x)
{
    static const char *const codes[] = {"ExpiredToken",
                                        "ExpiredTokenException",
                                        "InvalidToken",
                                        "InvalidClientTokenId",
                                        "UnrecognizedClientException",
                                        "InvalidAccessKeyId",
                                        NULL};
    return one_of(x->code, codes);
}

static int code_of(int status, const struct aws_error *x)
{
    static const char *const refused[] = {"AccessDenied",
                                          "AccessDeniedException",
                                          "SignatureDoesNotMatch",
                                          "InvalidSignatureException",
                                          "RequestTimeTooSkewed",
                                          "InvalidIdentityToken",
                                          "IDPRejectedClaim",
                                          "MissingAuthenticationTokenException",
                                          NULL};
    if (may_pass(status, x->code))
        return ERR_NET;
    if (status == 401 || status == 403 || aws_error_is_keys(x) || one_of(x->code, refused))
        return ERR_AUTH;
    if (status == 404)
        return ERR_NOT_FOUND;
    if (status == 409 || status == 412)
        return ERR_CONFLICT;
    return status >= 500 ? ERR_NET : ERR_USAGE;
}

int aws_error_set(const struct http_response *rs, str body, const char *what, struct err *e)
{
    struct aws_error x;
    aws_error_read(rs, body, &x);
    int rc = code_of(rs->status, &x);
    str url = str_z(rs->effective_url), host = str_split(&url, '?');
    const char *advice = "";
    if (is_throttled(rs->status, x.code))
        advice = " (too many requests: tried several times)";
    else if (is_about_time(&x))
        advice = " (is this machine's clock right?)";
    else if (aws_error_is_keys(&x))
        advice = " (the credentials are wrong or have expired)";
    str bucket_region = http_header(rs, "x-amz-bucket-region");
    if (rs->status == 301 || rs->status == 307 || strcmp(x.code, "PermanentRedirect") == 0 ||
        strcmp(x.code, "AuthorizationHeaderMalformed") == 0)
        return err_set(e, ERR_USAGE, "%s: the bucket is in another region%s%.*s", what,
                       bucket_region.n ? ": " : "", STR_ARG(str_sub(bucket_region, 0, 40)));
    if (!x.code[0])
        return err_set(e, rc, "%s: %.*s answers with HTTP %d%s", what,
                       STR_ARG(str_sub(host, 0, 120)), rs->status, advice);
    return err_set(e, rc, "%s: %s%s%s%s", what, x.code, x.message[0] ? ": " : "", x.message,
                   advice);
}

/* ---- requests */

/* HOST, PATH and QUERY of a URL that we made. */
static int url_parts(const char *url, struct sigv4_request *rq, struct err *e)
{
    str rest = str_z(url);
    ptrdiff_t at = str_find(rest, STR("://"));
    if (at < 0)
        return err_set(e, ERR_USAGE, "\"%.80s\" is no http address", url);
    rest = str_from(rest, (size_t)at + 3);
    size_t n = 0;
    while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?')
        n++;
    rq->host = str_sub(rest, 0, n);
    rest = str_from(rest, n);
    rq->path = str_split(&rest, '?');
    rq->query = rest;
    at = str_rindex(rq->host, '@');
    rq->host = str_from(rq->host, (size_t)(at + 1));
    bool tls = str_starts(str_z(url), STR("https://"));
    if (str_ends(rq->host, tls ? STR(":443") : STR(":80")))
        rq->host.n -= tls ? 4 : 3;
    return 0;
}

static int send_once(struct aws_client *c, const struct aws_keys *keys,
                     const struct aws_request *rq, struct http_response *rs, struct buf *body,
                     struct err *e)
{
    struct sigv4_request to_sign = {.method = rq->method,
                                    .headers = rq->headers,
                                    .n_headers = rq->n_headers,
                                    .body = rq->body,
                                    .region = rq->region,
                                    .service = rq->service,
                                    .s3 = strcmp(rq->service, "s3") == 0,
                                    .time = aws_now(c)};
    struct sigv4_signed s = {0};
    struct http_header headers[HEADERS_MAX + 3];
    size_t n = 0;
    *rs = (struct http_response){0};
    if (rq->n_headers > HEADERS_MAX)
        return err_set(e, ERR_LIMIT, "too many headers for AWS");
    int rc = url_parts(rq->url, &to_sign, e);
    if (rc == 0 && keys)
        rc = sigv4_sign(
            &to_sign, &(struct sigv4_keys){keys->access_key, keys->secret_key, keys->session_token},
            &s, e);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < rq->n_headers; i++)
        headers[n++] = rq->headers[i];
    for (size_t i = 0; i < s.n_headers; i++)
        headers[n++] = s.headers[i];
    rc = http_fetch(c->http,
                    &(struct http_request){.method = rq->method,
                                           .url = rq->url,
                                           .headers = headers,
                                           .n_headers = n,
                                           .body = rq->body,
                                           .authorization = keys ? s.authorization : NULL,
                                           .max_body = rq->max_body,
                                           .no_retry = true,
                                           .no_redirect = true},
                    rs, body, e);
    explicit_bzero(&s, sizeof s);
    return rc;
}

static void sleep_ms(uint64_t ms)
{
    struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0)
        ;
}

static uint64_t wait_ms(const struct http_response *rs, unsigned tries)
{
    uint64_t wait = (uint64_t)WAIT_FIRST_MS << (tries < 8 ? tries : 8), seconds;
    uint16_t random = 0;
    if (http_retry_after_parse(http_header(rs, "retry-after"), time(NULL), &seconds) && seconds)
        return (seconds < RETRY_AFTER_MAX ? seconds : RETRY_AFTER_MAX) * 1000;
    if (wait > WAIT_MAX_MS)
        wait = WAIT_MAX_MS;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
        random = 0;
    return wait / 2 + wait / 2 * random / 0xffff;
}

/* The server's time, when it says that ours is wrong, and it is: true. */
static bool take_skew(struct aws_client *c, const struct http_response *rs,
                      const struct aws_error *x)
{
    int64_t server, off;
    if (!is_about_time(x) || !http_date_parse(str_trim(http_header(rs, "date")), &server))
        return false;
    off = server - (int64_t)time(NULL);
    int64_t change = off - atomic_load(&c->skew);
    if (change > -SKEW_MIN && change < SKEW_MIN)
        return false;
    atomic_store(&c->skew, off);
    return true;
}

int aws_send(struct aws_client *c, const struct aws_keys *keys, const struct aws_request *rq,
             struct http_response *rs, struct buf *body, struct err *e)
{
    unsigned most = c->tries ? c->tries : TRIES;
    size_t start = body->n;
    bool skewed = false;
    for (unsigned tries = 1;; tries++) {
        struct aws_error x = {0};
        body->n = start;
        int rc = send_once(c, keys, rq, rs, body, e);
        if (rc < 0 && (rc != ERR_NET || tries >= most))
            return rc;
        if (rc == 0 && rs->status < 300)
            return 0;
        if (rc == 0)
            aws_error_read(rs, str_from(buf_view(body), start), &x);
        if (rc == 0 && keys && !skewed && take_skew(c, rs, &x)) {
            skewed = true;
            http_response_done(rs);
            continue;
        }
        if (rc == 0 && (tries >= most || !may_pass(rs->status, x.code)))
            return 0;
        uint64_t wait = wait_ms(rs, tries - 1);
        http_response_done(rs);
        sleep_ms(wait);
    }
}
