#include "net/aws_s3.h"

#include "base/auto.h"
#include "net/aws_xml.h"
#include "net/sigv4.h"

#include <sys/random.h>

enum { SMALL_ANSWER = 256 << 10, LIST_ANSWER = 4 << 20, PARTS_MAX = 10000 };

struct s3 {
    struct aws_provider *provider;
    char region[AWS_REGION_MAX];
    char bucket[64], name[72];
    char base[AWS_ENDPOINT_MAX + 80]; /* of keys: up to and with the slash in front of them */
    char *encryption, *kms_key;
};

const char *s3_name(const struct s3 *s)
{
    return s->name;
}

/* ---- options */

/* Source: S3 user guide, "Bucket naming rules", without those that only new buckets must follow. */
static bool bucket_ok(str b)
{
    for (size_t i = 0; i < b.n; i++)
        if (!ke_isalnum(b.p[i]) && b.p[i] != '-' && b.p[i] != '.' && b.p[i] != '_')
            return false;
    return b.n >= 3 && b.n <= 63 && b.p[0] != '.' && b.p[b.n - 1] != '.';
}

static int base_make(struct s3 *s, const struct s3_options *o, struct err *e)
{
    const struct aws_endpoints endpoints = {.s3 = o->url && *o->url ? o->url : NULL};
    char url[AWS_ENDPOINT_MAX];
    bool own;
    const char *region = o->region && *o->region ? o->region : aws_provider_region(s->provider);
    int rc = aws_endpoint(&endpoints, "s3", region, url, &own, e);
    if (rc < 0)
        return rc;
    if (!*region)
        region = "us-east-1";
    if (!aws_region_ok(str_z(region)))
        return err_set(e, ERR_USAGE, "\"%.60s\" is no region of S3", region);
    snprintf(s->region, sizeof s->region, "%s", region);
    bool path =
        o->style == S3_STYLE_PATH || (o->style == S3_STYLE_AUTO && (own || strchr(s->bucket, '.')));
    if (path) {
        snprintf(s->base, sizeof s->base, "%s/%s/", url, s->bucket);
        return 0;
    }
    str rest = str_z(url);
    size_t n = (size_t)str_find(rest, STR("://")) + 3;
    snprintf(s->base, sizeof s->base, "%.*s%s.%s/", (int)n, url, s->bucket, url + n);
    return 0;
}

int s3_new(const struct s3_options *o, struct s3 **out, struct err *e)
{
    const struct aws_provider_options who = {.access_key = o->access_key,
                                             .secret_key = o->secret_key,
                                             .region = o->region,
                                             .ca_file = o->ca_file};
    if (!o->bucket || !bucket_ok(str_z(o->bucket)))
        return err_set(e, ERR_USAGE, "S3 needs the name of a bucket%s%.80s%s",
                       o->bucket ? ": \"" : "", o->bucket ? o->bucket : "",
                       o->bucket ? "\" is none" : "");
    if (o->encryption && strcmp(o->encryption, "AES256") != 0 &&
        strcmp(o->encryption, "aws:kms") != 0)
        return err_set(e, ERR_USAGE,
                       "\"%.40s\" is no server-side encryption of S3 (AES256, aws:kms)",
                       o->encryption);
    struct s3 *s = calloc(1, sizeof *s);
    if (!s)
        return err_no_memory(e);
    snprintf(s->bucket, sizeof s->bucket, "%s", o->bucket);
    snprintf(s->name, sizeof s->name, "s3://%s", o->bucket);
    int rc = aws_provider_new(&who, &s->provider, e);
    if (rc == 0)
        rc = base_make(s, o, e);
    if (rc == 0 && ((o->encryption && !(s->encryption = strdup(o->encryption))) ||
                    (o->kms_key && *o->kms_key && !(s->kms_key = strdup(o->kms_key)))))
        rc = err_no_memory(e);
    if (rc < 0) {
        s3_free(s);
        return rc;
    }
    *out = s;
    return 0;
}

void s3_free(struct s3 *s)
{
    if (!s)
        return;
    aws_provider_free(s->provider);
    free(s->encryption);
    free(s->kms_key);
    free(s);
}

/* ---- requests */

struct call {
    const char *method, *key; /* key NULL: the bucket itself */
    const char *query;        /* encoded; NULL: none */
    str body;
    const char *type; /* of the body; NULL */
    bool encrypt;     /* say how objects are to be encrypted */
    uint64_t max;
};

static int send(struct s3 *s, const struct call *c, struct http_response *rs, struct buf *answer,
                struct err *e)
{
    struct http_header headers[4];
    size_t n = 0;
    auto_buf url;
    buf_init(&url, 8192);
    *rs = (struct http_response){0};
    buf_add_str(&url, str_z(s->base));
    if (c->key)
        sigv4_encode(str_z(c->key), true, &url);
    if (c->query)
        buf_addf(&url, "?%s", c->query);
    if (c->type)
        headers[n++] = (struct http_header){"content-type", c->type};
    if (c->encrypt && s->encryption)
        headers[n++] = (struct http_header){"x-amz-server-side-encryption", s->encryption};
    if (c->encrypt && s->encryption && s->kms_key)
        headers[n++] =
            (struct http_header){"x-amz-server-side-encryption-aws-kms-key-id", s->kms_key};
    const char *text = buf_z(&url);
    if (!text || (c->key && strlen(c->key) > S3_KEY_MAX))
        return err_set(e, ERR_LIMIT, "a key of S3 has at most %d bytes", S3_KEY_MAX);
    return aws_provider_send(s->provider,
                             &(struct aws_request){.service = "s3",
                                                   .region = s->region,
                                                   .method = c->method,
                                                   .url = text,
                                                   .headers = headers,
                                                   .n_headers = n,
                                                   .body = c->body,
                                                   .max_body = c->max ? c->max : SMALL_ANSWER},
                             rs, answer, e);
}

static int fail(struct s3 *s, int rc, const struct http_response *rs, str answer,
                const struct call *c, struct err *e)
{
    char what[200];
    snprintf(what, sizeof what, "%s%s%.100s", s->name, c->key ? "/" : "", c->key ? c->key : "");
    return rc < 0 ? err_wrap(e, "%s", what) : aws_error_set(rs, answer, what, e);
}

/* A call whose answer is of no interest but for the status. */
static int call(struct s3 *s, const struct call *c, struct err *e)
{
    struct http_response rs;
    auto_buf answer;
    buf_init(&answer, SMALL_ANSWER);
    int rc = send(s, c, &rs, &answer, e);
    if (rc < 0 || rs.status >= 300)
        rc = fail(s, rc, &rs, buf_view(&answer), c, e);
    http_response_done(&rs);
    return rc;
}

int s3_get(struct s3 *s, const char *key, struct buf *out, struct err *e)
{
    const struct call c = {.method = "GET", .key = key, .max = out->max - out->n};
    struct http_response rs;
    size_t start = out->n;
    int rc = send(s, &c, &rs, out, e);
    if (rc < 0 || rs.status != 200) {
        rc = fail(s, rc, &rs, str_from(buf_view(out), start), &c, e);
        out->n = start;
    }
    http_response_done(&rs);
    return rc;
}

int s3_delete(struct s3 *s, const char *key, struct err *e)
{
    int rc = call(s, &(struct call){.method = "DELETE", .key = key}, e);
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* ---- large objects */

static int upload_begin(struct s3 *s, const char *key, char id[1024], struct err *e)
{
    const struct call c = {.method = "POST",
                           .key = key,
                           .query = "uploads=",
                           .type = "application/octet-stream",
                           .encrypt = true};
    struct http_response rs;
    auto_buf answer, encoded;
    char plain[512];
    buf_init(&answer, SMALL_ANSWER);
    buf_init(&encoded, 1023);
    int rc = send(s, &c, &rs, &answer, e);
    if (rc < 0 || rs.status != 200)
        rc = fail(s, rc, &rs, buf_view(&answer), &c, e);
    else if (!aws_xml_text(buf_view(&answer), "UploadId", plain, sizeof plain))
        rc = err_set(e, ERR_FORMAT, "%s: the server gave no id for an upload in parts", s->name);
    http_response_done(&rs);
    if (rc < 0)
        return rc;
    sigv4_encode(str_z(plain), false, &encoded);
    snprintf(id, 1024, "%.*s", STR_ARG(buf_view(&encoded)));
    return buf_check(&encoded, "the id of an upload", e);
}

static int upload_part(struct s3 *s, const char *key, const char *id, unsigned number, str bytes,
                       struct buf *list, struct err *e)
{
    char query[1200];
    struct http_response rs;
    auto_buf answer;
    snprintf(query, sizeof query, "partNumber=%u&uploadId=%s", number, id);
    const struct call c = {.method = "PUT", .key = key, .query = query, .body = bytes};
    buf_init(&answer, SMALL_ANSWER);
    int rc = send(s, &c, &rs, &answer, e);
    str etag = rc < 0 ? (str){0} : http_header(&rs, "etag");
    if (rc < 0 || rs.status != 200)
        rc = fail(s, rc, &rs, buf_view(&answer), &c, e);
    else if (!etag.n || etag.n > 200 || memchr(etag.p, '<', etag.n))
        rc = err_set(e, ERR_FORMAT, "%s: the server gave no tag for a part", s->name);
    else
        buf_addf(list, "<Part><PartNumber>%u</PartNumber><ETag>%.*s</ETag></Part>", number,
                 STR_ARG(etag));
    http_response_done(&rs);
    return rc;
}

/* The answer may begin with 200 before the server knows that it failed. */
static int upload_end(struct s3 *s, const char *key, const char *query, struct buf *list,
                      struct err *e)
{
    const struct call c = {.method = "POST",
                           .key = key,
                           .query = query,
                           .body = buf_view(list),
                           .type = "application/xml"};
    struct http_response rs;
    auto_buf answer;
    str ignored;
    buf_init(&answer, SMALL_ANSWER);
    int rc = send(s, &c, &rs, &answer, e);
    if (rc < 0 || rs.status != 200) {
        rc = fail(s, rc, &rs, buf_view(&answer), &c, e);
    } else if (aws_xml_element(buf_view(&answer), "Error", &ignored, NULL)) {
        rs.status = 500;
        rc = fail(s, 0, &rs, buf_view(&answer), &c, e);
    }
    http_response_done(&rs);
    return rc;
}

static int put_in_parts(struct s3 *s, const char *key, str bytes, struct err *e)
{
    char id[1024], query[1100];
    size_t part = bytes.n / PARTS_MAX + 1 > S3_PART ? bytes.n / PARTS_MAX + 1 : S3_PART;
    auto_buf list;
    buf_init(&list, 8 << 20);
    int rc = upload_begin(s, key, id, e);
    if (rc < 0)
        return rc;
    buf_add_str(&list, STR("<CompleteMultipartUpload>"));
    unsigned number = 1;
    for (str rest = bytes; rc == 0 && rest.n; rest = str_from(rest, part))
        rc = upload_part(s, key, id, number++, str_sub(rest, 0, part), &list, e);
    buf_add_str(&list, STR("</CompleteMultipartUpload>"));
    snprintf(query, sizeof query, "uploadId=%s", id);
    if (rc == 0)
        rc = buf_check(&list, "the list of parts", e);
    if (rc == 0)
        rc = upload_end(s, key, query, &list, e);
    if (rc < 0) /* or the parts would be paid for */
        call(s, &(struct call){.method = "DELETE", .key = key, .query = query}, NULL);
    return rc;
}

int s3_put(struct s3 *s, const char *key, str bytes, struct err *e)
{
    if (bytes.n >= S3_MULTIPART_FROM)
        return put_in_parts(s, key, bytes, e);
    return call(s,
                &(struct call){.method = "PUT",
                               .key = key,
                               .body = bytes,
                               .type = "application/octet-stream",
                               .encrypt = true},
                e);
}

/* ---- lists */

static int each(str answer, int (*fn)(void *ctx, const char *key, int64_t modified, struct err *e),
                void *ctx, struct err *e)
{
    str content;
    while (aws_xml_element(answer, "Contents", &content, &answer)) {
        char key[S3_KEY_MAX + 1], modified[64];
        if (!aws_xml_text(content, "Key", key, sizeof key))
            continue;
        aws_xml_text(content, "LastModified", modified, sizeof modified);
        int rc = fn(ctx, key, aws_time_parse(str_z(modified)), e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int s3_list(struct s3 *s, const char *prefix, const char *after,
            int (*fn)(void *ctx, const char *key, int64_t modified, struct err *e), void *ctx,
            struct err *e)
{
    struct http_response rs;
    auto_buf query, answer;
    char more[8];
    buf_init(&query, 8000);
    buf_init(&answer, LIST_ANSWER);
    buf_add_str(&query, STR("list-type=2&prefix="));
    sigv4_encode(str_z(prefix), false, &query);
    if (*after) {
        buf_add_str(&query, STR("&start-after="));
        sigv4_encode(str_z(after), false, &query);
    }
    const struct call c = {.method = "GET", .query = buf_z(&query), .max = LIST_ANSWER};
    int rc = send(s, &c, &rs, &answer, e);
    if (rc < 0 || rs.status != 200)
        rc = fail(s, rc, &rs, buf_view(&answer), &c, e);
    http_response_done(&rs);
    if (rc == 0)
        rc = each(buf_view(&answer), fn, ctx, e);
    if (rc < 0)
        return rc;
    aws_xml_text(buf_view(&answer), "IsTruncated", more, sizeof more);
    return strcmp(more, "true") == 0;
}

/* ---- is it usable */

static int bucket_create(struct s3 *s, struct err *e)
{
    char body[300];
    bool usual = strcmp(s->region, "us-east-1") == 0;
    snprintf(body, sizeof body,
             "<CreateBucketConfiguration><LocationConstraint>%s</LocationConstraint>"
             "</CreateBucketConfiguration>",
             s->region);
    int rc = call(s,
                  &(struct call){.method = "PUT",
                                 .body = usual ? STR("") : str_z(body),
                                 .type = usual ? NULL : "application/xml"},
                  e);
    return rc == ERR_CONFLICT ? 0 : rc; /* another was faster; whether it is ours shows at once */
}

static int try_object(struct s3 *s, const char *key, struct err *e)
{
    const str text = STR("kellet looks whether it can write here");
    auto_buf got;
    buf_init(&got, 4096);
    int rc = s3_put(s, key, text, e);
    if (rc == 0)
        rc = s3_get(s, key, &got, e);
    if (rc == 0 && !str_eq(buf_view(&got), text))
        rc = err_set(e, ERR_MISMATCH, "%s: what was read is not what was written", s->name);
    return rc < 0 ? rc : s3_delete(s, key, e);
}

int s3_check(struct s3 *s, const char *prefix, bool create, struct err *e)
{
    char key[S3_KEY_MAX + 1];
    uint64_t random = 0;
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        return err_errno(e, "random numbers");
    snprintf(key, sizeof key, "%.900s__self_check__%016llx", prefix, (unsigned long long)random);
    int rc = try_object(s, key, e);
    if (rc == ERR_NOT_FOUND && create) {
        rc = bucket_create(s, e);
        if (rc == 0)
            rc = try_object(s, key, e);
    } else if (rc == ERR_NOT_FOUND) {
        return err_set(e, rc, "there is no bucket %s (create_bucket: true makes one)", s->bucket);
    }
    return rc;
}
