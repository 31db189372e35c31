#include "net/aws_ecr.h"

#include "base/auto.h"
#include "codec/json.h"
#include "net/base64.h"
#include "net/http_url.h"

enum { ANSWER_MAX = 256 << 10 };

static bool known_suffix(str s)
{
    static const char *const suffixes[] = {"amazonaws.com",  "amazonaws.com.cn", "amazonaws.eu",
                                           "c2s.ic.gov",     "sc2s.sgov.gov",    "cloud.adc-e.uk",
                                           "csp.hci.ic.gov", "localhost"};
    for (size_t i = 0; i < KE_ARRAY_LEN(suffixes); i++)
        if (str_eq_nocase(s, str_z(suffixes[i])))
            return true;
    return false;
}

bool aws_ecr_host_parse(str host, struct aws_ecr_host *out)
{
    str port = host;
    *out = (struct aws_ecr_host){0};
    str rest = str_split(&port, ':');
    str account = str_split(&rest, '.'), dkr = str_split(&rest, '.');
    bool both = str_eq_nocase(dkr, STR("dkr-ecr")) || str_eq_nocase(dkr, STR("dkr-ecr-fips"));
    if (!both) {
        str ecr = str_split(&rest, '.');
        if (!str_eq_nocase(dkr, STR("dkr")) ||
            !(str_eq_nocase(ecr, STR("ecr")) || str_eq_nocase(ecr, STR("ecr-fips"))))
            return false;
    }
    str region = str_split(&rest, '.');
    if (account.n != 12 || !aws_region_ok(region) || !rest.n)
        return false;
    for (size_t i = 0; i < account.n; i++)
        if (!ke_isdigit(account.p[i]))
            return false;
    snprintf(out->account, sizeof out->account, "%.*s", STR_ARG(account));
    snprintf(out->region, sizeof out->region, "%.*s", STR_ARG(region));
    bool local = str_eq_nocase(rest, STR("localhost"));
    out->trusted = both ? str_eq_nocase(rest, STR("on.aws")) : known_suffix(rest);
    if (port.n && !local) /* Amazon's are at the usual port only */
        out->trusted &= str_eq(port, STR("443"));
    return true;
}

/* "AWS:PASSWORD" in base64, and when it ends. */
static int login_read(str answer, int64_t now, struct aws_ecr_login *out, struct err *e)
{
    auto_json *doc = NULL;
    auto_buf plain;
    buf_init(&plain, sizeof out->user + sizeof out->password);
    int rc = json_parse(answer, "ECR's answer", &doc, e);
    if (rc < 0)
        return rc;
    yyjson_val *first =
        yyjson_arr_get_first(json_get(yyjson_doc_get_root(doc), "authorizationData"));
    str token = json_str(first, "authorizationToken");
    yyjson_val *expires = json_get(first, "expiresAt");
    if (!token.n || base64_decode(token, &plain, NULL) < 0)
        return err_set(e, ERR_AUTH, "ECR's answer has no usable token");
    str password = buf_view(&plain), user = str_split(&password, ':');
    bool fits = user.n && user.n < sizeof out->user && password.n &&
                password.n < sizeof out->password && !memchr(plain.p, 0, plain.n);
    if (fits) {
        snprintf(out->user, sizeof out->user, "%.*s", STR_ARG(user));
        memcpy(out->password, password.p, password.n);
        out->password[password.n] = 0;
    }
    explicit_bzero(plain.p, plain.n);
    double at = yyjson_is_num(expires) ? yyjson_get_num(expires) : 0;
    out->expires = at > (double)now && at < 1e11 ? (int64_t)at : now + 3600;
    return fits ? 0 : err_set(e, ERR_AUTH, "ECR's answer has no usable token");
}

int aws_ecr_login(struct aws_provider *p, const struct aws_ecr_host *host,
                  struct aws_ecr_login *out, struct err *e)
{
    static const struct http_header headers[] = {
        {"content-type", "application/x-amz-json-1.1"},
        {"x-amz-target", "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"},
    };
    char url[AWS_ENDPOINT_MAX + 1], request[64], what[128];
    bool own;
    struct http_response rs;
    auto_buf answer;
    *out = (struct aws_ecr_login){0};
    buf_init(&answer, ANSWER_MAX);
    if (!host->trusted)
        return err_set(e, ERR_AUTH,
                       "the registry only looks like one of Amazon's: no token is asked for it");
    int rc = aws_endpoint(aws_provider_endpoints(p), "ecr", host->region, url, &own, e);
    if (rc < 0)
        return rc;
    snprintf(url + strlen(url), 2, "/");
    snprintf(request, sizeof request, "{\"registryIds\":[\"%s\"]}", host->account);
    snprintf(what, sizeof what, "token of ECR (account %s, %s)", host->account, host->region);
    rc = aws_provider_send(p,
                           &(struct aws_request){.service = "ecr",
                                                 .region = host->region,
                                                 .method = "POST",
                                                 .url = url,
                                                 .headers = headers,
                                                 .n_headers = KE_ARRAY_LEN(headers),
                                                 .body = str_z(request),
                                                 .max_body = ANSWER_MAX},
                           &rs, &answer, e);
    rc = aws_expect_ok(rc, &rs, buf_view(&answer), what, e);
    if (rc == 0)
        rc = login_read(buf_view(&answer), (int64_t)time(NULL), out, e);
    http_response_done(&rs);
    if (answer.p)
        explicit_bzero(answer.p, answer.n);
    return rc;
}
