#include "net/sigv4.h"

#include "codec/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { HEADERS_MAX = 24, PARAMETERS_MAX = 64, TEXT_MAX = 1 << 20 };

static const char hex_digits[] = "0123456789abcdef";

static void to_hex(const uint8_t b[32], char out[65])
{
    for (int i = 0; i < 32; i++) {
        out[2 * i] = hex_digits[b[i] >> 4];
        out[2 * i + 1] = hex_digits[b[i] & 15];
    }
    out[64] = 0;
}

void sigv4_encode(str s, bool keep_slash, struct buf *out)
{
    static const char upper[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (ke_isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~' ||
            (keep_slash && c == '/'))
            buf_add_char(out, c);
        else
            buf_add(out, (char[]){'%', upper[(uint8_t)c >> 4], upper[c & 15]}, 3);
    }
}

static int hex_value(char c)
{
    c = ke_tolower(c);
    return ke_isdigit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %XX as the byte it stands for; what is no escape stays. */
static void decode(str s, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        int high = s.p[i] == '%' && i + 2 < s.n ? hex_value(s.p[i + 1]) : -1;
        int low = high >= 0 ? hex_value(s.p[i + 2]) : -1;
        if (low >= 0)
            i += 2;
        buf_add_char(out, low >= 0 ? (char)(high << 4 | low) : s.p[i]);
    }
}

/* ---- the path */

/* Without dot segments (RFC 3986 5.2.4) and empty ones. */
static void without_dots(str path, struct buf *out)
{
    bool slash = path.n && path.p[path.n - 1] == '/';
    while (path.n) {
        str part = str_split(&path, '/');
        if (str_eq(part, STR("..")) || str_eq(part, STR("."))) {
            ptrdiff_t at = part.n == 2 ? str_rindex(buf_view(out), '/') : -1;
            out->n = at >= 0 ? (size_t)at : out->n;
        } else if (part.n) {
            buf_add_char(out, '/');
            buf_add_str(out, part);
        }
    }
    if (slash || !out->n) /* "/" after "/a/.." too */
        buf_add_char(out, '/');
}

static void put_path(const struct sigv4_request *rq, struct buf *out)
{
    str path = rq->path.n ? rq->path : STR("/");
    if (rq->s3) {
        buf_add_str(out, path);
        return;
    }
    auto_buf plain;
    buf_init(&plain, TEXT_MAX);
    without_dots(path, &plain);
    sigv4_encode(buf_view(&plain), true, out);
}

/* ---- the query */

struct pair {
    str name, value;
};

static int compare_pairs(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    int c = str_cmp(x->name, y->name);
    return c ? c : str_cmp(x->value, y->value);
}

static str recoded(str s, struct buf *store)
{
    auto_buf plain;
    size_t from = store->n;
    buf_init(&plain, TEXT_MAX);
    decode(s, &plain);
    sigv4_encode(buf_view(&plain), false, store);
    return str_from(buf_view(store), from);
}

static int put_query(str query, struct buf *out, struct err *e)
{
    struct pair pairs[PARAMETERS_MAX];
    size_t n = 0;
    auto_buf store;
    buf_init(&store, TEXT_MAX);
    if (!buf_reserve(&store, query.n * 3 + 1)) /* once: views must stay */
        return err_set(e, ERR_LIMIT, "the query of a signed request is too long");
    while (query.n) {
        str value = str_split(&query, '&'), name = str_split(&value, '=');
        if (!name.n && !value.n)
            continue;
        if (n == PARAMETERS_MAX)
            return err_set(e, ERR_LIMIT, "a signed request has more than %d parameters",
                           PARAMETERS_MAX);
        pairs[n].name = recoded(name, &store);
        pairs[n++].value = recoded(value, &store);
    }
    qsort(pairs, n, sizeof *pairs, compare_pairs);
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_add_char(out, '&');
        buf_add_str(out, pairs[i].name);
        buf_add_char(out, '=');
        buf_add_str(out, pairs[i].value);
    }
    return 0;
}

/* ---- the headers */

struct field {
    str name, value;
    size_t place; /* equal names keep their order */
};

static int compare_fields(const void *a, const void *b)
{
    const struct field *x = a, *y = b;
    for (size_t i = 0; i < x->name.n && i < y->name.n; i++) {
        int c = ke_tolower(x->name.p[i]) - ke_tolower(y->name.p[i]);
        if (c)
            return c;
    }
    if (x->name.n != y->name.n)
        return x->name.n < y->name.n ? -1 : 1;
    return x->place < y->place ? -1 : 1;
}

static void put_value(str value, struct buf *out)
{
    value = str_trim(value);
    for (size_t i = 0; i < value.n; i++) {
        if (!ke_isspace(value.p[i]))
            buf_add_char(out, value.p[i]);
        else if (!ke_isspace(value.p[i - 1]))
            buf_add_char(out, ' ');
    }
}

static void put_fields(struct field *f, size_t n, struct buf *out, struct buf *names)
{
    qsort(f, n, sizeof *f, compare_fields);
    for (size_t i = 0; i < n; i++) {
        bool again = i && str_eq_nocase(f[i].name, f[i - 1].name);
        if (again) {
            out->n--; /* the line goes on */
            buf_add_char(out, ',');
        } else {
            if (i)
                buf_add_char(names, ';');
            for (size_t k = 0; k < f[i].name.n; k++) {
                buf_add_char(names, ke_tolower(f[i].name.p[k]));
                buf_add_char(out, ke_tolower(f[i].name.p[k]));
            }
            buf_add_char(out, ':');
        }
        put_value(f[i].value, out);
        buf_add_char(out, '\n');
    }
}

static int put_headers(const struct sigv4_request *rq, const struct sigv4_signed *s,
                       struct buf *out, struct buf *names, struct err *e)
{
    struct field fields[HEADERS_MAX + 4];
    size_t n = 0;
    if (rq->n_headers > HEADERS_MAX)
        return err_set(e, ERR_LIMIT, "a signed request has more than %d headers", HEADERS_MAX);
    fields[n++] = (struct field){STR("host"), rq->host, 0};
    for (size_t i = 0; i < s->n_headers; i++, n++)
        fields[n] = (struct field){str_z(s->headers[i].name), str_z(s->headers[i].value), n};
    for (size_t i = 0; i < rq->n_headers; i++, n++)
        fields[n] = (struct field){str_z(rq->headers[i].name), str_z(rq->headers[i].value), n};
    put_fields(fields, n, out, names);
    return 0;
}

/* ---- the whole */

static void prepare(const struct sigv4_request *rq, const struct sigv4_keys *keys,
                    struct sigv4_signed *s)
{
    struct tm tm;
    time_t t = (time_t)rq->time;
    gmtime_r(&t, &tm);
    strftime(s->date, sizeof s->date, "%Y%m%dT%H%M%SZ", &tm);
    if (rq->unsigned_payload) {
        snprintf(s->payload, sizeof s->payload, "UNSIGNED-PAYLOAD");
    } else {
        struct sha256 sum = sha256_of(rq->body.p ? rq->body.p : "", rq->body.n);
        to_hex(sum.b, s->payload);
    }
    s->n_headers = 0;
    s->headers[s->n_headers++] = (struct http_header){"x-amz-date", s->date};
    if (rq->s3)
        s->headers[s->n_headers++] = (struct http_header){"x-amz-content-sha256", s->payload};
    if (keys->session_token && keys->session_token[0])
        s->headers[s->n_headers++] =
            (struct http_header){"x-amz-security-token", keys->session_token};
}

int sigv4_canonical(const struct sigv4_request *rq, const struct sigv4_keys *keys,
                    struct sigv4_signed *s, struct buf *out, struct buf *signed_headers,
                    struct err *e)
{
    prepare(rq, keys, s);
    buf_addf(out, "%s\n", rq->method);
    put_path(rq, out);
    buf_add_char(out, '\n');
    int rc = put_query(rq->query, out, e);
    if (rc < 0)
        return rc;
    buf_add_char(out, '\n');
    rc = put_headers(rq, s, out, signed_headers, e);
    if (rc < 0)
        return rc;
    buf_add_char(out, '\n');
    buf_add_str(out, buf_view(signed_headers));
    buf_addf(out, "\n%s", s->payload);
    rc = buf_check(signed_headers, "the signed headers", e);
    return rc < 0 ? rc : buf_check(out, "a request to be signed", e);
}

static void hmac(const uint8_t *key, size_t n, str text, uint8_t out[32])
{
    unsigned length = 32;
    HMAC(EVP_sha256(), key, (int)n, (const unsigned char *)(text.p ? text.p : ""), text.n, out,
         &length);
}

static int derive(const struct sigv4_request *rq, const char *secret, const char *day,
                  uint8_t key[32], struct err *e)
{
    char first[600];
    int n = snprintf(first, sizeof first, "AWS4%s", secret);
    if (n < 0 || (size_t)n >= sizeof first)
        return err_set(e, ERR_LIMIT, "the secret key is too long");
    hmac((uint8_t *)first, (size_t)n, str_z(day), key);
    hmac(key, 32, str_z(rq->region), key);
    hmac(key, 32, str_z(rq->service), key);
    hmac(key, 32, STR("aws4_request"), key);
    explicit_bzero(first, sizeof first);
    return 0;
}

int sigv4_sign(const struct sigv4_request *rq, const struct sigv4_keys *keys,
               struct sigv4_signed *out, struct err *e)
{
    auto_buf canonical, names;
    char day[9], scope[200], digest[65], text[400];
    uint8_t key[32];
    buf_init(&canonical, TEXT_MAX);
    buf_init(&names, 4096);
    int rc = sigv4_canonical(rq, keys, out, &canonical, &names, e);
    if (rc < 0)
        return rc;
    snprintf(day, sizeof day, "%.8s", out->date);
    snprintf(scope, sizeof scope, "%s/%s/%s/aws4_request", day, rq->region, rq->service);
    struct sha256 sum = sha256_of(canonical.p, canonical.n);
    to_hex(sum.b, digest);
    snprintf(text, sizeof text, "AWS4-HMAC-SHA256\n%s\n%s\n%s", out->date, scope, digest);
    rc = derive(rq, keys->secret_key, day, key, e);
    if (rc < 0)
        return rc;
    hmac(key, 32, str_z(text), key);
    to_hex(key, out->signature);
    int n = snprintf(out->authorization, sizeof out->authorization,
                     "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%.*s, Signature=%s",
                     keys->access_key, scope, STR_ARG(buf_view(&names)), out->signature);
    if (n < 0 || (size_t)n >= sizeof out->authorization)
        return err_set(e, ERR_LIMIT, "the signature of a request is too long");
    return 0;
}
