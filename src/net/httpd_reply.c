#include "net/httpd_internal.h"

#include "base/auto.h"

#include <sys/stat.h>
#include <zlib.h>

enum { COMPRESS_FROM = 1024 };

static bool is_clean(const char *s)
{
    for (; *s; s++) {
        if (((unsigned char)*s < ' ' && *s != '\t') || *s == 0x7f)
            return false;
    }
    return true;
}

void httpd_add_header(struct httpd_request *rq, const char *name, const char *value)
{
    if (!name || !value || !*name || !is_clean(name) || strpbrk(name, " \t:") || !is_clean(value) ||
        rq->n_headers == HTTPD_HEADERS_MAX)
        return;
    char *n = strdup(name), *v = strdup(value);
    if (!n || !v) {
        free(n);
        free(v);
        return;
    }
    for (char *p = v; *p; p++)
        *p = *p == '\t' ? ' ' : *p;
    rq->headers[rq->n_headers].name = n;
    rq->headers[rq->n_headers++].value = v;
}

/* "gzip", "*", with a weight that is not 0. */
bool httpd_accepts_gzip(const struct httpd_request *rq)
{
    str rest = httpd_header_of(rq, "Accept-Encoding");
    while (rest.n) {
        str params = str_split(&rest, ',');
        str coding = str_trim(str_split(&params, ';'));
        if (!str_eq_nocase(coding, STR("gzip")) && !str_eq(coding, STR("*")))
            continue;
        str q = str_trim(params);
        if (!str_starts(q, STR("q=")) && !str_starts(q, STR("Q=")))
            return true;
        for (size_t i = 2; i < q.n; i++) {
            if (q.p[i] >= '1' && q.p[i] <= '9')
                return true;
        }
        return false;
    }
    return false;
}

int httpd_gzip(str in, struct buf *out, struct err *e)
{
    z_stream z = {0};
    if (in.n > UINT32_MAX / 2)
        return err_set(e, ERR_LIMIT, "%zu bytes are too many to compress", in.n);
    if (deflateInit2(&z, 4, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return err_no_memory(e);
    uLong bound = deflateBound(&z, in.n);
    char *to = buf_reserve(out, bound);
    z.next_in = (Bytef *)in.p;
    z.avail_in = (uInt)in.n;
    z.next_out = (Bytef *)to;
    z.avail_out = (uInt)bound;
    bool ok = to && deflate(&z, Z_FINISH) == Z_STREAM_END;
    out->n += ok ? z.total_out : 0;
    deflateEnd(&z);
    return ok ? 0 : err_no_memory(e);
}

/* Replaces the body by its gzipped form; false: it stays as it is. */
static bool compress_body(struct buf *body)
{
    struct buf out;
    buf_init(&out, SIZE_MAX);
    if (httpd_gzip(buf_view(body), &out, NULL) < 0 || out.n >= body->n) {
        buf_done(&out);
        return false;
    }
    free(body->p);
    char *fitting = realloc(out.p, out.n);
    *body =
        (struct buf){.p = fitting ? fitting : out.p, .n = out.n, .cap = out.n, .max = body->max};
    return true;
}

static void add_headers(struct httpd_request *rq, struct MHD_Response *r, const char *content_type,
                        bool varies, bool compressed)
{
    if (content_type && is_clean(content_type))
        mhd.add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    for (size_t i = 0; i < rq->n_headers; i++)
        mhd.add_response_header(r, rq->headers[i].name, rq->headers[i].value);
    if (varies)
        mhd.add_response_header(r, MHD_HTTP_HEADER_VARY, "Accept-Encoding");
    if (compressed)
        mhd.add_response_header(r, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
    pthread_mutex_lock(&rq->server->lock);
    bool last = rq->server->draining;
    pthread_mutex_unlock(&rq->server->lock);
    if (last)
        mhd.add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close");
}

/* The response is complete: back to the event thread with it. rq may be gone when this returns. */
static void hand_back(struct httpd_request *rq, int status, struct MHD_Response *r)
{
    rq->response = r;
    rq->status = status;
    if (rq->outcome)
        *rq->outcome = HTTPD_ANSWERED;
    rq->outcome = NULL;
    if (rq->suspended)
        mhd.resume_connection(rq->connection);
}

/* For what can't happen but by lack of memory: without a response the connection is closed. */
static void hand_back_nothing(struct httpd_request *rq)
{
    hand_back(rq, 0, NULL);
}

void httpd_reply(struct httpd_request *rq, int status, const char *content_type, struct buf *body,
                 bool compress)
{
    struct buf b = {0};
    if (body) {
        b = *body;
        buf_init(body, b.max);
    }
    bool varies = compress && b.n >= COMPRESS_FROM;
    bool compressed = varies && httpd_accepts_gzip(rq) && compress_body(&b);
    rq->sent = b.n;
    struct MHD_Response *r;
    if (b.n) {
        r = mhd.create_response_from_buffer_with_free_callback(b.n, b.p, free);
    } else {
        free(b.p);
        r = mhd.create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
    }
    if (!r) {
        if (b.n)
            free(b.p);
        hand_back_nothing(rq);
        return;
    }
    add_headers(rq, r, content_type, varies, compressed);
    hand_back(rq, status, r);
}

void httpd_reply_shared(struct httpd_request *rq, int status, const char *content_type, str bytes,
                        bool varies, bool gzipped, void (*release)(void *owner), void *owner)
{
    rq->sent = bytes.n;
    struct MHD_Response *r = mhd.create_response_from_buffer_with_free_callback_cls(
        bytes.n, (void *)(uintptr_t)(bytes.p ? bytes.p : ""), release, owner);
    if (!r) {
        release(owner);
        hand_back_nothing(rq);
        return;
    }
    add_headers(rq, r, content_type, varies, gzipped);
    hand_back(rq, status, r);
}

void httpd_reply_fd(struct httpd_request *rq, int status, const char *content_type, int fd,
                    uint64_t size)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || (S_ISREG(st.st_mode) && (uint64_t)st.st_size < size)) {
        close(fd);
        httpd_reply_text(rq, 500, "the stored file is shorter than it should be\n");
        return;
    }
    if (size == 0) {
        close(fd);
        httpd_reply(rq, status, content_type, NULL, false);
        return;
    }
    struct MHD_Response *r = mhd.create_response_from_fd64(size, fd);
    rq->sent = size;
    if (!r) {
        close(fd);
        hand_back_nothing(rq);
        return;
    }
    add_headers(rq, r, content_type, false, false);
    hand_back(rq, status, r);
}

void httpd_reply_text(struct httpd_request *rq, int status, const char *text)
{
    auto_buf b;
    buf_init(&b, 4096);
    buf_add_str(&b, str_z(text));
    httpd_reply(rq, status, "text/plain; charset=utf-8", &b, false);
}
