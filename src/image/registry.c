#include "image/registry.h"

#include "base/auto.h"
#include "base/vec.h"
#include "codec/json.h"
#include "image/fd_sink.h"
#include "image/registry_auth.h"
#include "net/http_fields.h"
#include "net/http_url.h"

enum {
    MANIFEST_MAX = 8 << 20,
    AUTH_TRIES = 3, /* no authorization, a new one, one that ended meanwhile */
};

static const uint64_t BLOB_MAX = 1ull << 40; /* when its size is not known */

static const char accept_manifests[] =
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json, "
    "application/vnd.docker.distribution.manifest.v1+prettyjws;q=0.5, "
    "application/vnd.docker.distribution.manifest.v1+json;q=0.5";

struct registry {
    struct reference ref;
    struct http *http;
    struct registry_auth auth;
    char host[256]; /* of the API */
    pthread_mutex_t lock;
    bool plain;
    bool may_fall_back;      /* plain HTTP when it speaks no TLS */
    struct registry *mirror; /* asked first; NULL: none */
    bool mirror_down;        /* it did not answer once: not asked again */
    struct err mirror_said;  /* the last time that it could not help */
};

static bool host_is_loopback(const char *host_port)
{
    str host = str_z(host_port);
    ptrdiff_t colon = str_rindex(host, ':');
    if (colon > str_rindex(host, ']'))
        host = str_sub(host, 0, (size_t)colon);
    return http_host_is_loopback(host);
}

static int mirror_open(struct registry *r, const struct reference *ref,
                       const struct registry_options *o, struct err *e)
{
    struct reference there = *ref;
    str prefix = str_z(o->mirror), host = str_split(&prefix, '/');
    int a = snprintf(there.registry, sizeof there.registry, "%.*s", STR_ARG(host));
    int b = snprintf(there.repository, sizeof there.repository, "%.*s%s%s", STR_ARG(prefix),
                     prefix.n ? "/" : "", ref->repository);
    if (!host.n || a >= (int)sizeof there.registry || b >= (int)sizeof there.repository)
        return err_set(e, ERR_USAGE, "\"%.100s\" is no mirror", o->mirror);
    struct registry_options own =
        o->mirror_options ? *o->mirror_options : (struct registry_options){0};
    own.mirror = NULL;
    return registry_open(&there, &own, &r->mirror, e);
}

int registry_open(const struct reference *ref, const struct registry_options *o,
                  struct registry **out, struct err *e)
{
    static const struct registry_options none;
    struct registry *r = calloc(1, sizeof *r);
    if (!r)
        return err_no_memory(e);
    if (!o)
        o = &none;
    pthread_mutex_init(&r->lock, NULL);
    r->ref = *ref;
    r->plain = o->plain_http;
    snprintf(r->host, sizeof r->host, "%s", reference_api_host(ref));
    r->may_fall_back = !r->plain && (o->plain_fallback || host_is_loopback(r->host));
    struct http_options http = o->http;
    if (o->ca_file)
        http.ca_file = o->ca_file;
    http.insecure |= o->insecure;
    int rc = http_new(&http, &r->http, e);
    if (rc == 0)
        rc = registry_auth_init(&r->auth, ref, o, r->http, e);
    if (rc == 0 && o->mirror)
        rc = mirror_open(r, ref, o, e);
    if (rc < 0) {
        registry_close(r);
        return rc;
    }
    *out = r;
    return 0;
}

void registry_close(struct registry *r)
{
    if (!r)
        return;
    registry_close(r->mirror);
    registry_auth_done(&r->auth);
    http_free(r->http);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static bool is_plain(struct registry *r)
{
    pthread_mutex_lock(&r->lock);
    bool plain = r->plain;
    pthread_mutex_unlock(&r->lock);
    return plain;
}

/* After TLS met a plain server: may plain HTTP be used from now on? */
static bool fall_back(struct registry *r)
{
    if (!r->may_fall_back)
        return false;
    pthread_mutex_lock(&r->lock);
    r->plain = true;
    pthread_mutex_unlock(&r->lock);
    return true;
}

/* ---- the mirror --------------------------------------------------------------------------------
 */

static struct registry *mirror_of(struct registry *r)
{
    pthread_mutex_lock(&r->lock);
    struct registry *m = r->mirror_down ? NULL : r->mirror;
    pthread_mutex_unlock(&r->lock);
    return m;
}

/* The mirror could not help: true when its registry is to be asked. What did not come from the
 * network (a full disk) is no reason. */
static bool mirror_failed(struct registry *r, int rc, const struct err *why)
{
    bool ask = rc == ERR_NET || rc == ERR_AUTH || rc == ERR_NOT_FOUND || rc == ERR_UNSUPPORTED ||
               rc == ERR_MISMATCH;
    pthread_mutex_lock(&r->lock);
    r->mirror_said = *why;
    if (rc == ERR_NET || rc == ERR_AUTH)
        r->mirror_down = true;
    pthread_mutex_unlock(&r->lock);
    return ask;
}

/* Both failed: the text says so. */
static int with_mirror(struct registry *r, int rc, struct err *e)
{
    if (rc >= 0 || !r->mirror || !e)
        return rc;
    pthread_mutex_lock(&r->lock);
    struct err said = r->mirror_said;
    pthread_mutex_unlock(&r->lock);
    size_t n = strlen(e->text);
    if (said.code && n < sizeof e->text)
        snprintf(e->text + n, sizeof e->text - n, "; its mirror %s: %.150s", r->mirror->host,
                 said.text);
    return rc;
}

/* ---- requests ----------------------------------------------------------------------------------
 */

/* One request with the current authorization; ERR_UNSUPPORTED: the server speaks plain HTTP. */
static int request_once(struct registry *r, struct http_request *rq, const char *path,
                        struct http_response *rs, struct buf *body, unsigned *generation,
                        struct err *e)
{
    char *authorization = NULL;
    char url[1024];
    const char *scheme = is_plain(r) ? "http" : "https";
    if (path[0] == '/') /* of the whole registry */
        snprintf(url, sizeof url, "%s://%s/v2%s", scheme, r->host, path);
    else
        snprintf(url, sizeof url, "%s://%s/v2/%s/%s", scheme, r->host, r->ref.repository, path);
    int rc = registry_auth_get(&r->auth, &authorization, generation, e);
    if (rc < 0)
        return rc;
    rq->url = url;
    rq->authorization = authorization;
    rc = http_fetch(r->http, rq, rs, body, e);
    if (authorization)
        explicit_bzero(authorization, strlen(authorization));
    free(authorization);
    rq->url = rq->authorization = NULL;
    return rc;
}

/* Did the registry itself answer, and not somebody it redirected to? Others do not get to say where
 * our credentials are sent. */
static bool is_own_answer(struct registry *r, const struct http_response *rs)
{
    char base[300];
    snprintf(base, sizeof base, "%s://%s/", is_plain(r) ? "http" : "https", r->host);
    return http_same_origin(rs->effective_url, base);
}

/* Sends until the answer is not 401, or nothing more can be done about it. rq->offset is the
 * caller's to move between tries: `again` does that. */
static int request(struct registry *r, struct http_request *rq, const char *path,
                   void (*again)(struct http_request *rq), struct http_response *rs,
                   struct buf *body, struct err *e)
{
    for (int tries = 1;; tries++) {
        unsigned generation = 0;
        struct err why = {0};
        *rs = (struct http_response){0};
        if (body)
            buf_clear(body);
        int rc = request_once(r, rq, path, rs, body, &generation, &why);
        if (rc == ERR_UNSUPPORTED && fall_back(r)) {
            http_response_done(rs);
            continue;
        }
        if (rc == ERR_UNSUPPORTED)
            return err_set(e, ERR_NET,
                           "registry %s speaks plain HTTP, not TLS: allow that for this registry "
                           "if you trust the network (--plain-http)",
                           r->host);
        if (rc < 0)
            return err_set(e, rc, "%s", why.text);
        if (rs->status != 401)
            return 0;
        uint64_t before = rq->offset;
        if (again)
            again(rq);
        if (rq->offset > before)
            tries = 0;
        if (tries >= AUTH_TRIES || !is_own_answer(r, rs))
            return 0;
        rc = registry_auth_answer(&r->auth, rs, generation, e);
        if (rc <= 0)
            return rc;
        http_response_done(rs);
    }
}

/* ---- errors ------------------------------------------------------------------------------------
 */

/* ": CODE message" of the first error in the answer's document, printable and short; or "". */
static void server_said(str body, char *out, size_t size)
{
    auto_json *doc = NULL;
    out[0] = 0;
    if (json_parse(body, "error", &doc, NULL) < 0)
        return;
    yyjson_val *errors = json_get(yyjson_doc_get_root(doc), "errors");
    yyjson_val *first = yyjson_arr_get_first(errors);
    str text = json_str(first, "message");
    if (!text.n)
        text = json_str(first, "code");
    if (!text.n)
        return;
    snprintf(out, size, " (it says: %.*s)", (int)(text.n < 160 ? text.n : 160), text.p);
    for (char *c = out; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
}

static int status_error(struct registry *r, const struct http_response *rs, str body,
                        const char *what, struct err *e)
{
    char said[256];
    str wait = http_header(rs, "retry-after");
    uint64_t seconds;
    if (!is_own_answer(r, rs)) /* a storage host's */
        return http_status_error(rs, what, e);
    server_said(body, said, sizeof said);
    if (rs->status == 429 && http_retry_after_parse(wait, time(NULL), &seconds))
        return err_set(e, ERR_NET,
                       "%s: registry %s limits how much may be pulled%s: log in for a higher limit "
                       "or try again in %llu seconds",
                       what, r->ref.registry, said, (unsigned long long)seconds);
    switch (rs->status) {
    case 401:
    case 403:
        return registry_auth_refused(&r->auth, what, said, e);
    case 404:
        return err_set(e, ERR_NOT_FOUND, "%s: registry %s does not have it%s", what,
                       r->ref.registry, said);
    case 429:
        return err_set(e, ERR_NET,
                       "%s: registry %s limits how much may be pulled%s: log in for a higher limit "
                       "or try again later",
                       what, r->ref.registry, said);
    default:
        if (rs->status >= 500)
            return err_set(e, ERR_NET, "%s: registry %s has a problem (HTTP %d)%s: try again later",
                           what, r->ref.registry, rs->status, said);
        return err_set(e, ERR_NET, "%s: registry %s answered with HTTP %d%s", what, r->ref.registry,
                       rs->status, said);
    }
}

/* ---- manifests ---------------------------------------------------------------------------------
 */

static bool path_part_ok(const char *s)
{
    size_t n = strlen(s);
    for (size_t i = 0; i < n; i++)
        if (!ke_isalnum(s[i]) && !strchr("._-:+", s[i]))
            return false;
    return n > 0 && n < 256 && s[0] != '.';
}

static int manifest_get(struct registry *r, const char *tag_or_digest, struct buf *body,
                        char media_type[128], struct err *e)
{
    char path[300], what[800];
    struct http_response rs;
    const struct http_header accept = {"Accept", accept_manifests};
    struct http_request rq = {.headers = &accept, .n_headers = 1, .max_body = MANIFEST_MAX};
    media_type[0] = 0;
    if (!path_part_ok(tag_or_digest))
        return err_set(e, ERR_FORMAT, "\"%.80s\" is not a tag or digest", tag_or_digest);
    snprintf(path, sizeof path, "manifests/%s", tag_or_digest);
    snprintf(what, sizeof what, "%s%s%s", r->ref.repository, strchr(tag_or_digest, ':') ? "@" : ":",
             tag_or_digest);
    int rc = request(r, &rq, path, NULL, &rs, body, e);
    if (rc == 0 && rs.status != 200)
        rc = status_error(r, &rs, buf_view(body), what, e);
    else if (rc < 0)
        err_wrap(e, "manifest %.19s", tag_or_digest); /* the URL in it tells the rest */
    if (rc == 0) {
        str type = http_header(&rs, "content-type");
        type = str_trim(str_split(&type, ';'));
        snprintf(media_type, 128, "%.*s", (int)(type.n < 127 ? type.n : 127), type.n ? type.p : "");
    }
    http_response_done(&rs);
    return rc;
}

int registry_manifest(struct registry *r, const char *tag_or_digest, struct buf *body,
                      char media_type[128], struct err *e)
{
    struct registry *m = mirror_of(r);
    struct err why = {0};
    size_t start = body->n;
    int rc = m ? manifest_get(m, tag_or_digest, body, media_type, &why) : 0;
    if (m && (rc >= 0 || !mirror_failed(r, rc, &why)))
        return rc < 0 ? err_set(e, rc, "%s", why.text) : rc;
    body->n = start;
    return with_mirror(r, manifest_get(r, tag_or_digest, body, media_type, e), e);
}

static int digest_by_manifest(struct registry *r, const char *name, char out[SHA256_TEXT],
                              struct err *e)
{
    char type[128];
    auto_buf body;
    buf_init(&body, MANIFEST_MAX);
    int rc = registry_manifest(r, name, &body, type, e);
    if (rc < 0)
        return rc;
    struct sha256 sum = sha256_of(body.p, body.n);
    sha256_format(&sum, out);
    return 0;
}

/* 1: *out is the digest; 0: ask for the manifest itself. */
static int digest_by_head(struct registry *r, const char *name, char out[SHA256_TEXT],
                          struct err *e)
{
    char path[300], what[800];
    struct http_response rs;
    struct sha256 sum;
    const struct http_header accept = {"Accept", accept_manifests};
    struct http_request rq = {.method = "HEAD", .headers = &accept, .n_headers = 1};
    auto_buf none;
    buf_init(&none, 64 << 10);
    snprintf(path, sizeof path, "manifests/%s", name);
    snprintf(what, sizeof what, "%s%s%s", r->ref.repository, strchr(name, ':') ? "@" : ":", name);
    int rc = request(r, &rq, path, NULL, &rs, &none, e);
    if (rc < 0)
        err_wrap(e, "manifest %.19s", name);
    else if (rs.status == 401 || rs.status == 403 || rs.status == 404 || rs.status == 429)
        rc = status_error(r, &rs, STR(""), what, e);
    else if (rs.status == 200 &&
             sha256_parse(http_header(&rs, "docker-content-digest"), &sum, NULL) == 0)
        rc = sha256_format(&sum, out) != NULL;
    http_response_done(&rs);
    return rc;
}

int registry_digest(struct registry *r, const char *tag_or_digest, char out[SHA256_TEXT],
                    struct err *e)
{
    if (!path_part_ok(tag_or_digest))
        return err_set(e, ERR_FORMAT, "\"%.80s\" is not a tag or digest", tag_or_digest);
    int rc = r->mirror ? 0 : digest_by_head(r, tag_or_digest, out, e);
    if (rc == 0)
        rc = digest_by_manifest(r, tag_or_digest, out, e);
    return rc < 0 ? rc : 0;
}

/* ---- tags --------------------------------------------------------------------------------------
 */

/* The query of the next page from Link: </v2/NAME/tags/list?QUERY>; rel="next"; empty: the last. */
static str next_page(str link)
{
    ptrdiff_t from = str_index(link, '?'), to = str_index(link, '>');

    if (from < 0 || to <= from || !str_contains(link, STR("next")))
        return STR("");
    return str_sub(link, (size_t)from, (size_t)to);
}

struct tag_list {
    struct arena *a;
    size_t max;
    const char *member; /* "tags", "repositories" */
    const char *path;   /* "tags/list" */
    VEC(str) tags;
};

static int tags_collect(struct tag_list *l, str body, const char *what, struct err *e)
{
    auto_json *doc = NULL;
    yyjson_arr_iter it;
    yyjson_val *v;
    int rc = json_parse(body, what, &doc, e);
    if (rc < 0)
        return rc;
    yyjson_val *tags = json_get(yyjson_doc_get_root(doc), l->member);
    yyjson_arr_iter_init(tags, &it);
    while (tags && (v = yyjson_arr_iter_next(&it))) {
        str tag = json_text(v);
        if (!tag.n)
            continue;
        if (l->tags.n >= l->max)
            return err_set(e, ERR_LIMIT, "%s: more than %zu", what, l->max);
        str *slot = vec_push(&l->tags);
        if (!slot || !(*slot = arena_dup(l->a, tag)).p)
            return err_no_memory(e);
    }
    return 0;
}

static int tags_page(struct registry *r, const char *path, const char *what, struct tag_list *l,
                     char next[300], struct err *e)
{
    struct http_response rs;
    struct http_request rq = {.max_body = 16 << 20};
    auto_buf body;
    buf_init(&body, 16 << 20);
    int rc = request(r, &rq, path, NULL, &rs, &body, e);
    if (rc == 0 && rs.status != 200)
        rc = status_error(r, &rs, buf_view(&body), what, e);
    if (rc == 0)
        rc = tags_collect(l, buf_view(&body), what, e);
    str query = next_page(http_header(&rs, "link"));
    if (rc == 0 && query.n >= 280)
        rc = err_set(e, ERR_FORMAT, "%s: the link to the next page is too long", what);
    next[0] = 0;
    if (rc == 0 && query.n)
        snprintf(next, 300, "%s%.*s", l->path, STR_ARG(query));
    http_response_done(&rs);
    return rc;
}

/* All pages of a list. */
static int list_get(struct registry *r, struct tag_list *l, const char *what, str **out, size_t *n,
                    struct err *e)
{
    char path[300], next[300];
    int rc;
    snprintf(path, sizeof path, "%s?n=1000", l->path);
    for (unsigned pages = 0;; pages++) {
        rc = tags_page(r, path, what, l, next, e);
        if (rc < 0 || !next[0])
            break;
        if (strcmp(next, path) == 0 || pages > l->max / 10) {
            rc = err_set(e, ERR_FORMAT, "%s: the registry's pages go in circles", what);
            break;
        }
        memcpy(path, next, sizeof path);
    }
    *n = l->tags.n;
    *out = NULL;
    if (rc == 0 && l->tags.n) {
        *out = arena_calloc(l->a, l->tags.n, sizeof **out);
        if (*out)
            memcpy(*out, l->tags.p, l->tags.n * sizeof **out);
        else
            rc = err_no_memory(e);
    }
    vec_done(&l->tags);
    return rc;
}

static int tags_get(struct registry *r, struct arena *a, size_t max, str **out, size_t *n,
                    struct err *e)
{
    char what[800];
    struct tag_list l = {.a = a, .max = max, .member = "tags", .path = "tags/list"};
    snprintf(what, sizeof what, "tags of %s", r->ref.repository);
    return list_get(r, &l, what, out, n, e);
}

int registry_repositories(struct registry *r, struct arena *a, size_t max, str **out, size_t *n,
                          struct err *e)
{
    char what[800];
    struct tag_list l = {.a = a, .max = max, .member = "repositories", .path = "/_catalog"};
    snprintf(what, sizeof what, "repositories of %s", r->ref.registry);
    return list_get(r, &l, what, out, n, e);
}

int registry_tags(struct registry *r, struct arena *a, size_t max, str **out, size_t *n,
                  struct err *e)
{
    struct registry *m = mirror_of(r);
    struct err why = {0};
    int rc = m ? tags_get(m, a, max, out, n, &why) : 0;
    if (m && (rc >= 0 || !mirror_failed(r, rc, &why)))
        return rc < 0 ? err_set(e, rc, "%s", why.text) : rc;
    return with_mirror(r, tags_get(r, a, max, out, n, e), e);
}

/* ---- blobs -------------------------------------------------------------------------------------
 */

/* A token that ends while a blob is read: the next request goes on behind what was written. */
static void blob_again(struct http_request *rq)
{
    const struct fd_sink *s = rq->ctx;
    rq->max_body -= s->written - rq->offset;
    rq->offset = s->written;
}

static int length_check(const struct fd_sink *s, uint64_t size, struct err *e)
{
    if (!size || s->written == size)
        return 0;
    return err_set(e, ERR_MISMATCH, "it has %llu bytes, its descriptor promises %llu",
                   (unsigned long long)s->written, (unsigned long long)size);
}

/* sink: what was written already; the rest is asked for. */
static int blob_get(struct registry *r, const char *digest, uint64_t size, struct fd_sink *sink,
                    struct err *e)
{
    char path[300], what[800];
    struct http_response rs;
    struct http_request rq = {.max_body = (size ? size : BLOB_MAX) - sink->written,
                              .offset = sink->written,
                              .sink = fd_sink_write,
                              .ctx = sink};
    auto_buf said;
    buf_init(&said, 64 << 10);
    if (!path_part_ok(digest))
        return err_set(e, ERR_FORMAT, "\"%.80s\" is not a digest", digest);
    snprintf(path, sizeof path, "blobs/%s", digest);
    snprintf(what, sizeof what, "%s@%s", r->ref.repository, digest);
    int rc = request(r, &rq, path, blob_again, &rs, &said, e);
    if (rc == 0 && rs.status != 200 && rs.status != 206)
        rc = status_error(r, &rs, buf_view(&said), what, e);
    else if (rc < 0 || (rc = length_check(sink, size, e)) < 0)
        err_wrap(e, "blob %.19s", digest);
    http_response_done(&rs);
    return rc;
}

/* What the mirror gave counts: it is checked against the digest like everything. */
int registry_blob(struct registry *r, const char *digest, uint64_t size, int fd, struct err *e)
{
    struct fd_sink sink = {.fd = fd};
    struct registry *m = mirror_of(r);
    struct err why = {0};
    int rc = m ? blob_get(m, digest, size, &sink, &why) : 0;
    if (m && (rc >= 0 || (size && sink.written >= size) || !mirror_failed(r, rc, &why)))
        return rc < 0 ? err_set(e, rc, "%s", why.text) : rc;
    return with_mirror(r, blob_get(r, digest, size, &sink, e), e);
}

int registry_foreign_blob(struct registry *r, const char *url, uint64_t size, int fd, struct err *e)
{
    struct http_response rs;
    struct fd_sink sink = {.fd = fd};
    struct http_request rq = {
        .url = url, .max_body = size ? size : BLOB_MAX, .sink = fd_sink_write, .ctx = &sink};
    int rc = http_fetch(r->http, &rq, &rs, NULL, e);
    if (rc == 0 && rs.status != 200 && rs.status != 206)
        rc = http_status_error(&rs, "foreign layer", e);
    else if (rc < 0 || (rc = length_check(&sink, size, e)) < 0)
        err_wrap(e, "foreign layer");
    http_response_done(&rs);
    return rc;
}
