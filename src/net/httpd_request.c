#include "net/httpd_internal.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/fs.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

struct httpd_request *httpd_request_new(struct httpd *h, struct MHD_Connection *c, const char *uri)
{
    struct httpd_request *rq = calloc(1, sizeof *rq);
    if (!rq)
        return NULL;
    rq->uri = strdup(uri);
    if (!rq->uri) {
        free(rq);
        return NULL;
    }
    rq->server = h;
    rq->connection = c;
    rq->body_fd = -1;
    buf_init(&rq->body, HTTPD_BODY_IN_MEMORY);
    return rq;
}

void httpd_request_free(struct httpd_request *rq)
{
    if (!rq)
        return;
    if (rq->data_free)
        rq->data_free(rq->data);
    if (rq->response)
        mhd.destroy_response(rq->response);
    for (size_t i = 0; i < rq->n_headers; i++) {
        free(rq->headers[i].name);
        free(rq->headers[i].value);
    }
    if (rq->body_map)
        munmap(rq->body_map, rq->body_size);
    if (rq->body_fd >= 0)
        close(rq->body_fd);
    buf_done(&rq->body);
    free(rq->uri);
    free(rq);
}

/* ---- the head ---------------------------------------------------------------------------------
 */

static void peer_text(struct httpd_request *rq)
{
    const union MHD_ConnectionInfo *info =
        mhd.get_connection_info(rq->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (!info || !info->client_addr)
        return;
    const struct sockaddr *sa = info->client_addr;
    if (sa->sa_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)sa)->sin_addr, rq->peer, sizeof rq->peer);
    } else if (sa->sa_family == AF_INET6) {
        const struct in6_addr *a = &((const struct sockaddr_in6 *)sa)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(a))
            inet_ntop(AF_INET, a->s6_addr + 12, rq->peer, sizeof rq->peer);
        else
            inet_ntop(AF_INET6, a, rq->peer, sizeof rq->peer);
    }
}

struct framing {
    unsigned lengths, codings, hosts;
    bool bad;
    uint64_t length;
};

static enum MHD_Result look_at_header(void *ctx, enum MHD_ValueKind kind, const char *name,
                                      size_t name_n, const char *value, size_t value_n)
{
    struct framing *f = ctx;
    str n = {name, name_n}, v = {value, value_n};
    if (str_eq_nocase(n, STR("content-length"))) {
        f->lengths++;
        f->bad |= !str_to_u64(v, &f->length);
    } else if (str_eq_nocase(n, STR("transfer-encoding"))) {
        f->codings++;
        f->bad |= !str_eq_nocase(v, STR("chunked"));
    } else if (str_eq_nocase(n, STR("host"))) {
        f->hosts++;
    }
    return MHD_YES;
}

/* "http://host/path" is what proxies send; "*" belongs to OPTIONS. */
static bool split_uri(struct httpd_request *rq)
{
    str uri = str_z(rq->uri);
    for (size_t i = 0; i < uri.n; i++) {
        if ((unsigned char)uri.p[i] <= ' ' || uri.p[i] == 0x7f)
            return false;
    }
    ptrdiff_t scheme = str_find(uri, STR("://"));
    if (uri.n && uri.p[0] != '/' && scheme > 0) {
        uri = str_from(uri, (size_t)scheme + 3);
        ptrdiff_t slash = str_index(uri, '/');
        uri = slash < 0 ? STR("/") : str_from(uri, (size_t)slash);
    }
    rq->path = str_split(&uri, '?');
    rq->query = uri;
    return rq->path.n && (rq->path.p[0] == '/' || str_eq(rq->path, STR("*")));
}

int httpd_request_begin(struct httpd_request *rq, const char *method)
{
    struct framing f = {0};
    size_t n = strlen(method);
    if (n >= sizeof rq->method)
        return 501;
    memcpy(rq->method, method, n + 1);
    peer_text(rq);
    mhd.get_connection_values_n(rq->connection, MHD_HEADER_KIND, look_at_header, &f);
    if (f.bad || f.lengths > 1 || f.codings > 1 || f.hosts > 1 || (f.lengths && f.codings) ||
        !split_uri(rq))
        return 400;
    const struct httpd_options *o = &rq->server->o;
    rq->body_max = o->admit ? o->admit(o->ctx, rq) : HTTPD_BODY_IN_MEMORY;
    if (f.lengths && f.length > rq->body_max) {
        bool asks = httpd_has_header(rq, "Expect");
        rq->refused = true;
        if (asks || f.length - rq->body_max > HTTPD_SKIP_MAX)
            return 413;
    }
    return 0;
}

/* ---- the body ---------------------------------------------------------------------------------
 */

static bool body_to_file(struct httpd_request *rq, const char *p, size_t n)
{
    if (rq->body_fd < 0) {
        if (fs_temp_fd(&rq->body_fd, NULL) < 0) {
            rq->body_fd = -1;
            return false;
        }
        if (fs_write_all(rq->body_fd, rq->body.p, rq->body.n, NULL) < 0)
            return false;
        buf_done(&rq->body);
        buf_init(&rq->body, HTTPD_BODY_IN_MEMORY);
    }
    return fs_write_all(rq->body_fd, p, n, NULL) == 0;
}

bool httpd_request_body(struct httpd_request *rq, const char *p, size_t n)
{
    rq->body_size += n;
    if (rq->body_size > rq->body_max) {
        rq->refused = true;
        return rq->body_size - rq->body_max <= HTTPD_SKIP_MAX;
    }
    if (rq->refused || rq->broken)
        return true;
    if (rq->body_fd >= 0 || rq->body_size > HTTPD_BODY_IN_MEMORY) {
        rq->broken = !body_to_file(rq, p, n);
    } else {
        buf_add(&rq->body, p, n);
        rq->broken = !buf_ok(&rq->body);
    }
    return true;
}

bool httpd_request_body_end(struct httpd_request *rq)
{
    if (rq->broken)
        return false;
    if (rq->body_fd < 0)
        return true;
    void *map = mmap(NULL, rq->body_size, PROT_READ, MAP_PRIVATE, rq->body_fd, 0);
    if (map == MAP_FAILED)
        return false;
    rq->body_map = map;
    return true;
}

/* ---- views ------------------------------------------------------------------------------------
 */

str httpd_method(const struct httpd_request *rq)
{
    return str_z(rq->method);
}

str httpd_path(const struct httpd_request *rq)
{
    return rq->path;
}

str httpd_query(const struct httpd_request *rq)
{
    return rq->query;
}

str httpd_body(const struct httpd_request *rq)
{
    if (rq->body_map)
        return (str){rq->body_map, rq->body_size};
    return buf_view(&rq->body);
}

str httpd_header_of(const struct httpd_request *rq, const char *name)
{
    return str_z(mhd.lookup_connection_value(rq->connection, MHD_HEADER_KIND, name));
}

bool httpd_has_header(const struct httpd_request *rq, const char *name)
{
    return mhd.lookup_connection_value_n(rq->connection, MHD_HEADER_KIND, name, strlen(name), NULL,
                                         NULL) == MHD_YES;
}

str httpd_peer(const struct httpd_request *rq)
{
    return str_z(rq->peer);
}

bool httpd_is_tls(const struct httpd_request *rq)
{
    return rq->server->tls;
}

void httpd_set_data(struct httpd_request *rq, void *data, void (*free_fn)(void *))
{
    rq->data = data;
    rq->data_free = free_fn;
}

void *httpd_data(const struct httpd_request *rq)
{
    return rq->data;
}

bool httpd_gone(const struct httpd_request *rq)
{
    pthread_mutex_lock(&rq->server->lock);
    bool gone = rq->server->draining;
    pthread_mutex_unlock(&rq->server->lock);
    if (gone)
        return true;
    const union MHD_ConnectionInfo *info =
        mhd.get_connection_info(rq->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct pollfd p = {.fd = info ? info->connect_fd : -1, .events = POLLRDHUP};
    return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL));
}

static int hex_digit(char c)
{
    if (ke_isdigit(c))
        return c - '0';
    c = ke_tolower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool httpd_decode(str s, bool query, struct buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%') {
            int high = i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(s.p[i + 2]) : -1;
            if (low < 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && query) {
            c = ' ';
        }
        if (c == '\0')
            return false;
        buf_add_char(out, c);
    }
    return buf_ok(out);
}
