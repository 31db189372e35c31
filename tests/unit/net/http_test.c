#include "unit.h"

#include "net/base64.h"
#include "net/http.h"
#include "net/http_fields.h"
#include "net/http_url.h"
#include "server.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>

static struct server server;
static struct http *client;
static struct buf big; /* what /range serves */

static const struct http_options quick = {
    .connect_timeout = 2, .idle_timeout = 1, .retries = 5, .retry_wait_ms = 2};

/* "http://127.0.0.1:PORT" and the path; "@" in it stands for the other port. Static buffers. */
static const char *url_of(const char *path)
{
    static char urls[4][2048];
    static unsigned next;
    char *out = urls[next++ % 4];
    const char *at = strchr(path, '@');
    if (at)
        snprintf(out, 2048, "http://127.0.0.1:%u%.*s%u%s", server.port, (int)(at - path), path,
                 server.other, at + 1);
    else
        snprintf(out, 2048, "http://127.0.0.1:%u%s", server.port, path);
    return out;
}

static bool no_server(void)
{
    if (!client)
        printf("skipped: no test server\n");
    return !client;
}

#define NEEDS_SERVER                                                                               \
    if (no_server())                                                                               \
        skip();

struct fetch_case {
    const char *path, *method, *body, *authorization;
    struct http_header header;
    uint64_t offset, max_body;
    bool no_retry;
    int rc, status;
    const char *has, *has_not; /* in the body, or in the error's text when rc is negative */
};

static void check_case(const struct fetch_case *c)
{
    struct http_request rq = {.method = c->method,
                              .url = url_of(c->path),
                              .headers = &c->header,
                              .n_headers = c->header.name ? 1 : 0,
                              .body = str_z(c->body),
                              .authorization = c->authorization,
                              .offset = c->offset,
                              .max_body = c->max_body,
                              .no_retry = c->no_retry};
    struct http_response rs;
    struct err e = {0};
    auto_buf body;
    buf_init(&body, 4 << 20);
    int rc = http_fetch(client, &rq, &rs, &body, &e);
    if (rc != c->rc || (rc == 0 && rs.status != c->status))
        fail_msg("%s: got %d, status %d (%s); want %d, status %d", c->path, rc, rs.status, e.text,
                 c->rc, c->status);
    str text = rc < 0 ? str_z(e.text) : buf_view(&body);
    if (c->has && !str_contains(text, str_z(c->has)))
        fail_msg("%s: \"%s\" is not in: %.*s", c->path, c->has, STR_ARG(text));
    if (c->has_not && str_contains(text, str_z(c->has_not)))
        fail_msg("%s: \"%s\" is in: %.*s", c->path, c->has_not, STR_ARG(text));
    http_response_done(&rs);
}

static void check_cases(const struct fetch_case *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        check_case(c + i);
}

static void plain_answers(void **state)
{
    static const struct fetch_case cases[] = {
        {.path = "/ok", .status = 200, .has = "hello"},
        {.path = "/ok", .method = "HEAD", .status = 200, .has_not = "hello"},
        {.path = "/chunked", .status = 200, .has = "one two three"},
        {.path = "/gzip", .status = 200, .has = "plain"},
        {.path = "/early-hints", .status = 200, .has = "hello"},
        {.path = "/status?code=404", .status = 404, .has = "the reason"},
        {.path = "/status?code=204", .status = 204},
        {.path = "/echo",
         .method = "POST",
         .body = "a=b",
         .status = 200,
         .has = "\"body\": \"a=b\""},
        {.path = "/echo", .method = "POST", .status = 200, .has = "\"content-length\": \"0\""},
        {.path = "/echo",
         .method = "PUT",
         .body = "xyz",
         .status = 200,
         .has = "\"method\": \"PUT\""},
        {.path = "/echo", .method = "DELETE", .status = 200, .has = "\"method\": \"DELETE\""},
        {.path = "/echo/a/../b", .status = 200, .has = "/echo/a/../b"},
        {.path = "/echo", .status = 200, .has = "kellet/", .has_not = "authorization"},
        {.path = "/echo",
         .authorization = "Basic dTpw",
         .status = 200,
         .has = "\"authorization\": \"Basic dTpw\""},
        {.path = "/echo",
         .header = {"Accept", "text/x, text/y"},
         .status = 200,
         .has = "\"accept\": \"text/x, text/y\""},
    };
    NEEDS_SERVER
    check_cases(cases, KE_ARRAY_LEN(cases));
}

static void headers_are_found(void **state)
{
    struct http_request rq = {.url = url_of("/ok")};
    struct http_response rs;
    struct err e = {0};
    NEEDS_SERVER
    assert_ok(http_fetch(client, &rq, &rs, NULL, &e));
    assert_str(http_header(&rs, "X-Thing"), STR("two words"));
    assert_str(http_header(&rs, "content-length"), STR("5"));
    assert_str(http_header(&rs, "x-thin"), STR(""));
    assert_str(str_z(rs.effective_url), str_z(rq.url));
    http_response_done(&rs);
}

static void redirects(void **state)
{
    static const struct fetch_case cases[] = {
        {.path = "/to?u=/ok", .status = 200, .has = "hello"},
        {.path = "/to?u=ok%20", .status = 200},
        {.path = "/far?n=10", .status = 200, .has = "arrived"},
        {.path = "/far?n=11", .rc = ERR_NET, .has = "more than 10 redirects"},
        {.path = "/circle/a", .rc = ERR_NET, .has = "circle"},
        {.path = "/nowhere", .status = 302},
        {.path = "/nowhere?u=ftp://x/y", .rc = ERR_NET, .has = "http"},
        {.path = "/nowhere?u=file:///etc/passwd", .rc = ERR_NET, .has_not = "root"},
        {.path = "/nowhere?u=http://", .rc = ERR_NET},
        {.path = "/to?code=303&u=/echo",
         .method = "POST",
         .body = "a=b",
         .status = 200,
         .has = "\"method\": \"GET\"",
         .has_not = "a=b"},
        {.path = "/to?code=307&u=/echo",
         .method = "POST",
         .body = "a=b",
         .status = 200,
         .has = "\"body\": \"a=b\""},
    };
    NEEDS_SERVER
    check_cases(cases, KE_ARRAY_LEN(cases));
}

static void credentials_stay_at_home(void **state)
{
    static const struct fetch_case cases[] = {
        /* Same origin: kept. */
        {.path = "/to?u=/echo", .authorization = "Bearer secret", .status = 200, .has = "secret"},
        /* Another port, another name for the same machine: dropped. */
        {.path = "/to?u=http://127.0.0.1:@/echo",
         .authorization = "Bearer secret",
         .status = 200,
         .has_not = "secret"},
        {.path = "/to?u=http://localhost:@/echo",
         .authorization = "Bearer secret",
         .status = 200,
         .has_not = "secret"},
        /* Headers of unknown meaning may be secrets too; Accept is not. */
        {.path = "/to?u=http://127.0.0.1:@/echo",
         .header = {"X-Api-Key", "secret"},
         .status = 200,
         .has_not = "secret"},
        {.path = "/to?u=http://127.0.0.1:@/echo",
         .header = {"Cookie", "secret"},
         .status = 200,
         .has_not = "secret"},
        {.path = "/to?u=http://127.0.0.1:@/echo",
         .header = {"Accept", "a/b"},
         .status = 200,
         .has = "a/b"},
        {.path = "/to?u=/echo", .header = {"X-Api-Key", "secret"}, .status = 200, .has = "secret"},
        {.path = "/to?code=307&u=http://127.0.0.1:@/echo",
         .method = "POST",
         .body = "token=secret",
         .rc = ERR_NET,
         .has = "another server",
         .has_not = "secret"},
        {.path = "/to?code=302&u=http://127.0.0.1:@/echo",
         .method = "POST",
         .body = "token=secret",
         .status = 200,
         .has_not = "secret"},
        /* A redirect cannot bring credentials of its own. */
        {.path = "/to?u=http://user:secret@/echo", .rc = ERR_NET, .has_not = "secret"},
    };
    NEEDS_SERVER
    check_cases(cases, KE_ARRAY_LEN(cases));
}

/* There and back: what was dropped stays dropped. */
static void credentials_do_not_come_back(void **state)
{
    char path[1024];
    NEEDS_SERVER
    snprintf(path, sizeof path, "/to?u=http://localhost:%u/to?u=http://127.0.0.1:%u/echo",
             server.other, server.port);
    check_case(&(struct fetch_case){
        .path = path, .authorization = "Bearer secret", .status = 200, .has_not = "secret"});
}

static void user_in_url(void **state)
{
    char url[256];
    struct http_request rq = {.url = url};
    struct http_response rs;
    struct err e = {0};
    auto_buf body;
    NEEDS_SERVER
    buf_init(&body, 65536);
    snprintf(url, sizeof url, "http://me:p%%40ss@127.0.0.1:%u/echo", server.port);
    assert_ok(http_fetch(client, &rq, &rs, &body, &e));
    assert_true(str_contains(buf_view(&body), STR("Basic bWU6cEBzcw==")));
    assert_null(strstr(rs.effective_url, "ss@"));
    http_response_done(&rs);
    snprintf(url, sizeof url, "http://me:p%%40ss@127.0.0.1:%u/malformed?sig=secret", server.port);
    assert_int_equal(http_fetch(client, &rq, &rs, &body, &e), ERR_NET);
    assert_null(strstr(e.text, "ss@"));
    assert_null(strstr(e.text, "secret"));
    http_response_done(&rs);
}

static void failures_that_pass(void **state)
{
    static const struct fetch_case cases[] = {
        {.path = "/seq?k=s1&codes=500,502,503,504,408,200", .status = 200, .has = "answer 6"},
        {.path = "/seq?k=s2&codes=500,500,500,500,500,500,200", .status = 500, .has = "answer 6"},
        {.path = "/seq?k=s3&codes=501,200", .status = 501},
        {.path = "/seq?k=s4&codes=404,200", .status = 404},
        {.path = "/seq?k=s5&codes=500,200", .no_retry = true, .status = 500},
        {.path = "/seq?k=s6&codes=500,200", .method = "POST", .status = 500},
        {.path = "/seq?k=s7&codes=429,200&after=0", .status = 200},
        {.path = "/seq?k=s8&codes=429,200&date=-5", .status = 200},
        /* More than is sensible to wait: the answer is reported. */
        {.path = "/seq?k=s9&codes=429,200&after=86400", .status = 429},
        {.path = "/seq?k=s10&codes=503,200&date=86400", .status = 503},
        {.path = "/seq?k=s11&codes=503,200&after=soon", .status = 200},
        {.path = "/drop-first?k=d1", .status = 200, .has = "hello"},
    };
    NEEDS_SERVER
    check_cases(cases, KE_ARRAY_LEN(cases));
}

static void retry_after_is_waited_for(void **state)
{
    struct timespec from, to;
    NEEDS_SERVER
    clock_gettime(CLOCK_MONOTONIC, &from);
    check_case(&(struct fetch_case){.path = "/seq?k=w1&codes=429,200&after=1", .status = 200});
    clock_gettime(CLOCK_MONOTONIC, &to);
    assert_true(to.tv_sec - from.tv_sec + (to.tv_nsec - from.tv_nsec) / 1e9 >= 1);
}

static void failures_that_stay(void **state)
{
    static const struct fetch_case cases[] = {
        {.path = "/hang", .no_retry = true, .rc = ERR_NET, .has = "nothing arrived for 1 seconds"},
        {.path = "/hang-body?k=h1", .no_retry = true, .rc = ERR_NET, .has = "nothing arrived"},
        {.path = "/hang-body?k=h2", .rc = ERR_NET, .has = "nothing arrived"},
        {.path = "/truncate?k=t1", .rc = ERR_NET},
        {.path = "/chunked-broken", .rc = ERR_NET},
        {.path = "/endless", .max_body = 1 << 20, .rc = ERR_LIMIT, .has = "limit of 1048576 bytes"},
        {.path = "/announced", .rc = ERR_LIMIT, .has = "announces 1000000000000000 bytes"},
        {.path = "/huge-headers", .rc = ERR_LIMIT, .has = "headers"},
        {.path = "/malformed", .rc = ERR_NET},
        {.path = "/not-http", .no_retry = true, .rc = ERR_NET},
        {.path = "/big-error", .status = 404, .has = "eeee"},
        {.path = "/echo", .header = {"X-A", "b\r\nX-C: d"}, .rc = ERR_USAGE},
    };
    NEEDS_SERVER
    check_cases(cases, KE_ARRAY_LEN(cases));
    /* A slow answer is not a hanging one. */
    check_case(&(struct fetch_case){.path = "/drip", .status = 200, .has = "xxxxxx"});
    /* Waiting is not repeated as often as other tries: 2, and 1 + 5. */
    check_case(&(struct fetch_case){.path = "/count?k=h2", .status = 200, .has = "2"});
    check_case(&(struct fetch_case){.path = "/count?k=t1", .status = 200, .has = "6"});
}

/* What an attempt said of its failure is no part of the body, nor takes the place of what came
 * before. */
static void failures_leave_nothing(void **state)
{
    static const struct {
        const char *path, *body; /* NULL: BIG */
    } cases[] = {
        {"/seq?k=n1&codes=503,429,200&after=0", "answer 3"},
        {"/flaky?k=n2&fail=1", NULL},
        {"/flaky?k=n3&fail=2", NULL},
        {"/flaky?k=n4&fail=2&ranges=no", NULL},
        {"/flaky?k=n5&fail=3", NULL},
    };
    NEEDS_SERVER
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        char url[256];
        struct http_response rs;
        struct err e = {0};
        auto_buf body;
        buf_init(&body, 16 << 20);
        buf_add_str(&body, STR("before "));
        snprintf(url, sizeof url, "http://127.0.0.1:%u%s", server.port, cases[i].path);
        assert_ok(http_fetch(client, &(struct http_request){.url = url}, &rs, &body, &e));
        http_response_done(&rs);
        assert_true(str_starts(buf_view(&body), STR("before ")));
        str got = str_from(buf_view(&body), 7);
        if (!str_eq(got, cases[i].body ? str_z(cases[i].body) : buf_view(&big)))
            fail_msg("%s: %zu bytes of %zu", cases[i].path, got.n, big.n);
    }
}

/* A limit of the whole: bytes that arrive do not prolong it, and one that is longer than the time
 * without a byte stands for that. */
static void a_limit_of_the_whole(void **state)
{
    static const struct {
        const char *path;
        uint32_t ms;
        int rc;
    } cases[] = {
        {"/drip", 300, ERR_NET},
        {"/hang?s=4", 300, ERR_NET},
        {"/late?s=2", 30000, 0}, /* idle_timeout is 1 */
    };
    NEEDS_SERVER
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        char url[256];
        struct http_response rs;
        struct err e = {0};
        snprintf(url, sizeof url, "http://127.0.0.1:%u%s", server.port, cases[i].path);
        const struct http_request rq = {.url = url, .timeout_ms = cases[i].ms, .no_retry = true};
        assert_int_equal(http_fetch(client, &rq, &rs, NULL, &e), cases[i].rc);
        http_response_done(&rs);
    }
}

struct sink {
    struct buf b;
    size_t stop_at;
};

static int sink_add(void *ctx, const void *p, size_t n, struct err *e)
{
    struct sink *s = ctx;
    if (s->stop_at && s->b.n + n > s->stop_at)
        return err_set(e, ERR_USAGE, "that is enough");
    buf_add(&s->b, p, n);
    return 0;
}

struct resume_case {
    const char *path;
    uint64_t offset;
    const char *if_range;
    int rc, status;
};

static void check_resume(const struct resume_case *c)
{
    struct sink sink = {0};
    struct http_header header = {"If-Range", c->if_range};
    struct http_request rq = {.url = url_of(c->path),
                              .offset = c->offset,
                              .headers = &header,
                              .n_headers = c->if_range ? 1 : 0,
                              .sink = sink_add,
                              .ctx = &sink};
    struct http_response rs;
    struct err e = {0};
    buf_init(&sink.b, 4 << 20);
    int rc = http_fetch(client, &rq, &rs, NULL, &e);
    if (rc != c->rc || (rc == 0 && rs.status != c->status))
        fail_msg("%s: got %d, status %d (%s)", c->path, rc, rs.status, e.text);
    if (rc == 0 && rs.status < 300)
        assert_true(str_eq(buf_view(&sink.b), str_from(buf_view(&big), c->offset)));
    /* Whatever happened, what was delivered is right. */
    assert_true(str_starts(str_from(buf_view(&big), c->offset), buf_view(&sink.b)));
    http_response_done(&rs);
    buf_done(&sink.b);
}

static void resume(void **state)
{
    static const struct resume_case cases[] = {
        {"/range", 1, NULL, 0, 206},
        {"/range", 1000000, NULL, 0, 206},
        {"/range", 1000000, "\"a\"", 0, 206},
        {"/range", 1000000, "\"older\"", ERR_MISMATCH, 0},
        {"/range", 1 << 20, NULL, 0, 416},
        {"/capped", 0, NULL, 0, 206},
        {"/flaky?k=r1", 0, NULL, 0, 206},
        {"/flaky?k=r2&tag=weak", 0, NULL, 0, 206},
        {"/flaky?k=r3&tag=none", 0, NULL, 0, 206},
        {"/flaky?k=r4&tag=changing", 0, NULL, ERR_MISMATCH, 0},
        {"/flaky?k=r5&ranges=no", 0, NULL, 0, 200},
        {"/flaky?k=r6&ranges=no&tag=none", 0, NULL, 0, 200},
        {"/flaky?k=r7&ranges=no&tag=changing", 0, NULL, ERR_MISMATCH, 0},
        {"/flaky?k=r8&ranges=no&length=no", 0, NULL, 0, 200},
        {"/flaky?k=r9&length=no", 0, NULL, 0, 206},
        /* Nothing says that the second answer is the same thing as the first. */
        {"/flaky?k=r10&ranges=no&length=no&tag=none", 0, NULL, ERR_NET, 0},
        {"/wrong-part?kind=start", 100, NULL, ERR_NET, 0},
        {"/wrong-part?kind=none", 100, NULL, ERR_NET, 0},
        {"/wrong-part?kind=words", 100, NULL, ERR_NET, 0},
        {"/wrong-part?kind=long", 100, NULL, ERR_NET, 0},
        {"/flaky?k=r11&ranges=no", 500000, NULL, 0, 200},
        /* More breaks than tries: progress counts, as long as it is more than a trickle. */
        {"/flaky?k=r12&part=100", 0, NULL, 0, 206},
        {"/flaky?k=r13&part=40", 0, NULL, ERR_NET, 0},
    };
    NEEDS_SERVER
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++)
        check_resume(cases + i);
}

/* Without a sink nothing has left yet, and the request may begin anew. */
static void start_over(void **state)
{
    static const char *const paths[] = {"/flaky?k=o1&tag=changing", "/flaky?k=o2",
                                        "/flaky?k=o3&tag=changing&ranges=no",
                                        "/flaky?k=o4&tag=none&length=no&ranges=no"};
    struct err e = {0};
    NEEDS_SERVER
    for (size_t i = 0; i < KE_ARRAY_LEN(paths); i++) {
        struct http_request rq = {.url = url_of(paths[i])};
        struct http_response rs;
        auto_buf body;
        buf_init(&body, 4 << 20);
        buf_add_str(&body, STR("before"));
        assert_ok(http_fetch(client, &rq, &rs, &body, &e));
        assert_true(str_starts(buf_view(&body), STR("before")));
        assert_true(str_eq(str_from(buf_view(&body), 6), buf_view(&big)));
        http_response_done(&rs);
    }
}

static void sink_stops(void **state)
{
    struct sink sink = {.stop_at = 100000};
    struct http_request rq = {.url = url_of("/range"), .sink = sink_add, .ctx = &sink};
    struct http_response rs;
    struct err e = {0};
    NEEDS_SERVER
    buf_init(&sink.b, 4 << 20);
    assert_int_equal(http_fetch(client, &rq, &rs, NULL, &e), ERR_USAGE);
    assert_string_equal(e.text, "that is enough");
    http_response_done(&rs);
    buf_done(&sink.b);
}

static int sink_to_nobody(void *ctx, const void *p, size_t n, struct err *e)
{
    return fs_write_all(*(int *)ctx, p, n, e);
}

/* Whoever reads us may be gone: an error, not the end of the process. */
static void broken_pipe(void **state)
{
    int ends[2];
    struct http_request rq = {.url = url_of("/range"), .sink = sink_to_nobody, .ctx = &ends[1]};
    struct http_response rs;
    struct err e = {0};
    NEEDS_SERVER
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(http_fetch(client, &rq, &rs, NULL, &e), ERR_IO);
    http_response_done(&rs);
    close(ends[1]);
}

static int fetch_text(struct http *h, const char *url, struct buf *body, struct err *e)
{
    struct http_request rq = {.url = url, .no_retry = true};
    struct http_response rs;
    int rc = http_fetch(h, &rq, &rs, body, e);
    if (rc == 0 && rs.status != 200)
        rc = http_status_error(&rs, "test", e);
    http_response_done(&rs);
    return rc;
}

static void no_answer(void **state)
{
    static const struct {
        const char *url, *has;
        int rc;
    } cases[] = {
        {"http://127.0.0.1:1/", "127.0.0.1:1", ERR_NET},
        {"http://name.invalid/x?token=secret", "name.invalid", ERR_NET},
        {"gopher://127.0.0.1/", "http", ERR_USAGE},
        {"no url at all", "URL", ERR_USAGE},
        {"http://user:secret@[bad/", "URL", ERR_USAGE},
    };
    struct err e = {0};
    NEEDS_SERVER
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        assert_int_equal(fetch_text(client, cases[i].url, NULL, &e), cases[i].rc);
        if (!strstr(e.text, cases[i].has) || strstr(e.text, "secret"))
            fail_msg("%s: %s", cases[i].url, e.text);
    }
}

/* A listener whose queue is full: the connection is neither made nor refused. */
static void no_connection(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), fill[4];
    struct http_options o = quick;
    struct err e = {0};
    char url[64];
    struct http *h;
    NEEDS_SERVER
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    for (size_t i = 0; i < KE_ARRAY_LEN(fill); i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fill[i], (struct sockaddr *)&address, size);
    }
    o.connect_timeout = 1;
    assert_ok(http_new(&o, &h, &e));
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", ntohs(address.sin_port));
    struct http_response rs;
    assert_int_equal(http_fetch(h, &(struct http_request){.url = url}, &rs, NULL, &e), ERR_NET);
    assert_non_null(strstr(e.text, "no connection within 1 seconds"));
    http_response_done(&rs);
    http_free(h);
    for (size_t i = 0; i < KE_ARRAY_LEN(fill); i++)
        close(fill[i]);
    close(listener);
}

static void tls(void **state)
{
    struct err e = {0};
    char url[64];
    struct http *h;
    auto_buf body;
    NEEDS_SERVER
    if (!server.tls) {
        printf("skipped: openssl is not here\n");
        skip();
    }
    buf_init(&body, 65536);
    snprintf(url, sizeof url, "https://localhost:%u/ok", server.tls);
    assert_int_equal(fetch_text(client, url, &body, &e), ERR_NET);
    assert_non_null(strstr(e.text, "not trusted"));

    struct http_options o = quick;
    o.ca_file = server.ca;
    assert_ok(http_new(&o, &h, &e));
    assert_ok(fetch_text(h, url, &body, &e));
    assert_str(buf_view(&body), STR("hello"));
    http_free(h);

    o = quick;
    o.insecure = true;
    assert_ok(http_new(&o, &h, &e));
    assert_ok(fetch_text(h, url, &body, &e));
    http_free(h);

    setenv("SSL_CERT_FILE", server.ca, 1);
    assert_ok(http_new(&quick, &h, &e));
    assert_ok(fetch_text(h, url, &body, &e));
    http_free(h);
    unsetenv("SSL_CERT_FILE");

    /* A file that changes is read again, also by who has read it before. */
    char path[] = "/tmp/kellet-ca-XXXXXX";
    int fd = mkstemp(path);
    auto_buf ca;
    buf_init(&ca, 1 << 20);
    assert_true(fd >= 0);
    setenv("SSL_CERT_FILE", path, 1);
    assert_ok(fs_read(server.ca, &ca, &e));
    for (int i = 0; i < 4; i++) {
        str text = i % 2 ? buf_view(&ca) : STR("no certificate\n");
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, text.p, text.n, 0), (ssize_t)text.n);
        assert_ok(http_new(&quick, &h, &e));
        if (i % 2) {
            assert_ok(fetch_text(h, url, &body, &e));
        } else {
            assert_int_equal(fetch_text(h, url, &body, &e), ERR_NET);
            assert_non_null(strstr(e.text, "no CA certificates"));
        }
        http_free(h);
    }
    close(fd);
    unlink(path);
    assert_ok(http_new(&quick, &h, &e));
    assert_int_equal(fetch_text(h, url, &body, &e), ERR_NET);
    assert_non_null(strstr(e.text, "no CA certificates"));
    http_free(h);
    unsetenv("SSL_CERT_FILE");

    /* Plain HTTP where TLS was expected. */
    snprintf(url, sizeof url, "https://localhost:%u/ok", server.port);
    assert_int_equal(fetch_text(client, url, &body, &e), ERR_UNSUPPORTED);
    assert_non_null(strstr(e.text, "plain HTTP"));

    o = quick;
    o.ca_file = "/nonexistent/ca.pem";
    assert_int_equal(http_new(&o, &h, &e), ERR_NOT_FOUND);
    o.ca_file = "/proc/self/status";
    assert_int_equal(http_new(&o, &h, &e), ERR_FORMAT);
}

/* Leading from TLS to a plain server must not carry the credentials along. */
static void downgrade(void **state)
{
    char url[256];
    struct http *h;
    struct http_options o = quick;
    struct http_request rq = {.url = url, .authorization = "Bearer secret"};
    struct http_response rs;
    struct err e = {0};
    auto_buf body;
    NEEDS_SERVER
    if (!server.tls)
        skip();
    buf_init(&body, 65536);
    o.insecure = true;
    assert_ok(http_new(&o, &h, &e));
    snprintf(url, sizeof url, "https://localhost:%u/to?u=http://localhost:%u/echo", server.tls,
             server.port);
    assert_ok(http_fetch(h, &rq, &rs, &body, &e));
    assert_int_equal(rs.status, 200);
    assert_false(str_contains(buf_view(&body), STR("secret")));
    http_response_done(&rs);
    http_free(h);
}

static void proxies(void **state)
{
    struct err e = {0};
    char proxy[64], url[64];
    auto_buf body;
    NEEDS_SERVER
    buf_init(&body, 65536);
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", server.other);
    setenv("http_proxy", proxy, 1);
    assert_ok(fetch_text(client, "http://somewhere.invalid/echo/x", &body, &e));
    assert_true(str_contains(buf_view(&body), STR("\"host\": \"somewhere.invalid\"")));
    /* Nobody's proxy reaches this machine's loopback. */
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    snprintf(url, sizeof url, "http://localhost:%u/ok", server.port);
    assert_ok(fetch_text(client, url, &body, &e));
    setenv("no_proxy", "somewhere.invalid", 1);
    assert_int_equal(fetch_text(client, "http://somewhere.invalid/", &body, &e), ERR_NET);
    assert_non_null(strstr(e.text, "somewhere.invalid"));
    unsetenv("no_proxy");
    unsetenv("http_proxy");
}

enum { THREADS = 8, ROUNDS = 20 };

static void *many(void *ctx)
{
    size_t *good = ctx;
    for (int i = 0; i < ROUNDS; i++) {
        char url[128];
        struct http_request rq = {.url = url};
        snprintf(url, sizeof url, "http://127.0.0.1:%u/%s", server.port, i % 4 ? "ok" : "to?u=/ok");
        struct http_response rs;
        auto_buf body;
        buf_init(&body, 65536);
        if (http_fetch(client, &rq, &rs, &body, NULL) == 0 && str_eq(buf_view(&body), STR("hello")))
            ++*good;
        http_response_done(&rs);
    }
    return NULL;
}

static void threads(void **state)
{
    pthread_t id[THREADS];
    size_t good[THREADS] = {0};
    NEEDS_SERVER
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&id[i], NULL, many, &good[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(id[i], NULL);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(good[i], ROUNDS);
}

static void status_errors(void **state)
{
    static const struct {
        int status, code;
        const char *has;
    } cases[] = {{401, ERR_AUTH, "credentials"},    {403, ERR_AUTH, "credentials"},
                 {404, ERR_NOT_FOUND, "not found"}, {407, ERR_AUTH, "proxy"},
                 {429, ERR_NET, "in 30 seconds"},   {503, ERR_NET, "later"},
                 {302, ERR_NET, "HTTP 302"}};
    struct err e = {0};
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct http_response rs = {.status = cases[i].status,
                                   .effective_url = "https://h/p?token=secret"};
        buf_init(&rs.headers, 1000);
        buf_add_str(&rs.headers, STR("retry-after: 30\n"));
        assert_int_equal(http_status_error(&rs, "thing", &e), cases[i].code);
        if (!strstr(e.text, cases[i].has) || strstr(e.text, "secret"))
            fail_msg("%d: %s", cases[i].status, e.text);
        http_response_done(&rs);
    }
}

static void content_ranges(void **state)
{
    static const struct {
        const char *text;
        bool ok, has_range, has_total;
        uint64_t first, last, total;
    } cases[] = {
        {"bytes 0-9/10", true, true, true, 0, 9, 10},
        {"Bytes 5-9/*", true, true, false, 5, 9, 0},
        {"bytes */10", true, false, true, 0, 0, 10},
        {"bytes 0-18446744073709551615/*", true, true, false, 0, UINT64_MAX, 0},
        {"bytes */*", false, 0, 0, 0, 0, 0},
        {"bytes 9-0/10", false, 0, 0, 0, 0, 0},
        {"bytes 0-10/10", false, 0, 0, 0, 0, 0},
        {"bytes 0-99999999999999999999/*", false, 0, 0, 0, 0, 0},
        {"bytes -5/10", false, 0, 0, 0, 0, 0},
        {"bytes 0-5", false, 0, 0, 0, 0, 0},
        {"items 0-5/6", false, 0, 0, 0, 0, 0},
        {"bytes", false, 0, 0, 0, 0, 0},
        {"", false, 0, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct http_content_range r;
        if (http_content_range_parse(str_z(cases[i].text), &r) != cases[i].ok)
            fail_msg("%s", cases[i].text);
        if (!cases[i].ok)
            continue;
        assert_int_equal(r.has_range, cases[i].has_range);
        assert_int_equal(r.has_total, cases[i].has_total);
        assert_true(r.first == cases[i].first && r.last == cases[i].last &&
                    r.total == cases[i].total);
    }
}

static void retry_afters(void **state)
{
    static const struct {
        const char *text;
        int64_t now;
        bool ok;
        uint64_t seconds;
    } cases[] = {
        {"0", 0, true, 0},
        {" 120 ", 0, true, 120},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111770, true, 7},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777, true, 0},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 1800000000, true, 0},
        {"Sun, 06 Nov 1994 08:49:37 UTC", 0, false, 0},
        {"Sun, 06 Nox 1994 08:49:37 GMT", 0, false, 0},
        {"-1", 0, false, 0},
        {"1.5", 0, false, 0},
        {"soon", 0, false, 0},
        {"", 0, false, 0},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        uint64_t seconds = 0;
        if (http_retry_after_parse(str_z(cases[i].text), cases[i].now, &seconds) != cases[i].ok ||
            (cases[i].ok && seconds != cases[i].seconds))
            fail_msg("\"%s\": %llu", cases[i].text, (unsigned long long)seconds);
    }
}

static void loopback_hosts(void **state)
{
    static const char *const yes[] = {"localhost", "LOCALHOST",   "a.localhost",
                                      "127.0.0.1", "127.255.0.9", "[::1]"};
    static const char *const no[] = {
        "localhost.example", "128.0.0.1", "127.0.0.1.example", "[::2]", "",
        "notlocalhost",      "127.0.0"};
    for (size_t i = 0; i < KE_ARRAY_LEN(yes); i++)
        if (!http_host_is_loopback(str_z(yes[i])))
            fail_msg("%s", yes[i]);
    for (size_t i = 0; i < KE_ARRAY_LEN(no); i++)
        if (http_host_is_loopback(str_z(no[i])))
            fail_msg("%s", no[i]);
}

static void origins(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"http://h/a?b", "http://h:80/c", true},
        {"https://h", "https://H:443/", true},
        {"http://[::1]:5/", "http://[::1]:5/x", true},
        {"http://h/", "https://h/", false},
        {"http://h:1/", "http://h:2/", false},
        {"http://h/", "http://h.example/", false},
        {"http://h@evil/", "http://h/", false},
        {"http://h/", "nonsense of sorts", false},
        {"", "", false},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++)
        if (http_same_origin(cases[i].a, cases[i].b) != cases[i].same)
            fail_msg("%s %s", cases[i].a, cases[i].b);
}

static void base64(void **state)
{
    static const struct {
        const char *plain, *text;
    } cases[] = {{"", ""},
                 {"f", "Zg=="},
                 {"fo", "Zm8="},
                 {"foo", "Zm9v"},
                 {"foob", "Zm9vYg=="},
                 {"fooba", "Zm9vYmE="},
                 {"foobar", "Zm9vYmFy"}};
    static const char *const bad[] = {"Z", "Zg=x", "Z g=", "Zg\001=", "Z=g=", "Zm9v-A=="};
    struct err e = {0};
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        auto_buf out, back;
        buf_init(&out, 100);
        buf_init(&back, 100);
        base64_encode(str_z(cases[i].plain), &out);
        assert_str(buf_view(&out), str_z(cases[i].text));
        assert_ok(base64_decode(buf_view(&out), &back, &e));
        assert_str(buf_view(&back), str_z(cases[i].plain));
    }
    for (size_t i = 0; i < KE_ARRAY_LEN(bad); i++) {
        auto_buf out;
        buf_init(&out, 100);
        if (base64_decode(str_z(bad[i]), &out, &e) != ERR_FORMAT)
            fail_msg("%s", bad[i]);
    }
}

static int start(void **state)
{
    static const char *const proxy_names[] = {"http_proxy", "https_proxy",  "HTTPS_PROXY",
                                              "all_proxy",  "ALL_PROXY",    "no_proxy",
                                              "NO_PROXY",   "SSL_CERT_FILE"};
    struct err e = {0};
    for (size_t i = 0; i < KE_ARRAY_LEN(proxy_names); i++)
        unsetenv(proxy_names[i]);
    buf_init(&big, 2 << 20);
    if (!server_start(&server, "net/server.py"))
        return 0;
    if (http_new(&quick, &client, &e) < 0) {
        printf("skipped: %s\n", e.text);
        return 0;
    }
    return fetch_text(client, url_of("/range"), &big, &e) == 0 && big.n == 1 << 20 ? 0 : -1;
}

static int stop(void **state)
{
    http_free(client);
    buf_done(&big);
    server_stop(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_answers),
        cmocka_unit_test(headers_are_found),
        cmocka_unit_test(redirects),
        cmocka_unit_test(credentials_stay_at_home),
        cmocka_unit_test(credentials_do_not_come_back),
        cmocka_unit_test(user_in_url),
        cmocka_unit_test(failures_that_pass),
        cmocka_unit_test(retry_after_is_waited_for),
        cmocka_unit_test(failures_that_stay),
        cmocka_unit_test(a_limit_of_the_whole),
        cmocka_unit_test(failures_leave_nothing),
        cmocka_unit_test(resume),
        cmocka_unit_test(start_over),
        cmocka_unit_test(sink_stops),
        cmocka_unit_test(broken_pipe),
        cmocka_unit_test(no_answer),
        cmocka_unit_test(no_connection),
        cmocka_unit_test(tls),
        cmocka_unit_test(downgrade),
        cmocka_unit_test(proxies),
        cmocka_unit_test(threads),
        cmocka_unit_test(status_errors),
        cmocka_unit_test(content_ranges),
        cmocka_unit_test(retry_afters),
        cmocka_unit_test(loopback_hosts),
        cmocka_unit_test(origins),
        cmocka_unit_test(base64),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
