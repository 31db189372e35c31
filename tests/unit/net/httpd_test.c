#include "unit.h"

#include "net/http.h"
#include "net/httpd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <poll.h>
#include <sys/socket.h>
#include <zlib.h>

/* ---- the server under test -------------------------------------------------------------------
 */

static struct httpd *server;
static struct http *client;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct httpd_request *parked[4];
static size_t n_parked;
static int released, last_status, n_done, n_freed;

static void reply_z(struct httpd_request *rq, int status, const char *text)
{
    auto_buf b;
    buf_init(&b, 4096);
    buf_add_str(&b, str_z(text));
    httpd_reply(rq, status, "text/plain", &b, true);
}

static void say_deferred(void *ctx, struct httpd_request *rq)
{
    reply_z(rq, 200, "deferred");
}

static void block(void *ctx, struct httpd_request *rq)
{
    while (!__atomic_load_n(&released, __ATOMIC_ACQUIRE) && !httpd_gone(rq))
        usleep(2000);
    reply_z(rq, 200, httpd_gone(rq) ? "gone" : "unblocked");
}

static void forget(void *ctx, struct httpd_request *rq)
{
}

static void unlist(struct httpd_request *rq)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n_parked; i++) {
        if (parked[i] == rq)
            parked[i] = parked[--n_parked];
    }
    pthread_mutex_unlock(&lock);
}

static void woken(void *ctx, struct httpd_request *rq)
{
    unlist(rq);
    reply_z(rq, 200, httpd_gone(rq) ? "gone" : "woken");
}

static void park_again(void *ctx, struct httpd_request *rq)
{
    httpd_park(rq, 20, woken, NULL);
}

static void park(struct httpd_request *rq, uint32_t milliseconds)
{
    pthread_mutex_lock(&lock);
    parked[n_parked++ % 4] = rq;
    pthread_mutex_unlock(&lock);
    httpd_park(rq, milliseconds, woken, NULL);
}

static void wake_all(void)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n_parked; i++)
        httpd_wake(parked[i]);
    pthread_mutex_unlock(&lock);
}

static void echo(struct httpd_request *rq)
{
    auto_buf b;
    buf_init(&b, 64 << 20);
    buf_add_str(&b, httpd_body(rq));
    httpd_reply(rq, 200, "application/octet-stream", &b, true);
}

static void describe(struct httpd_request *rq)
{
    auto_buf b;
    buf_init(&b, 65536);
    buf_addf(&b, "%.*s|%.*s|%.*s|%.*s|%.*s|%d", STR_ARG(httpd_method(rq)), STR_ARG(httpd_path(rq)),
             STR_ARG(httpd_query(rq)), STR_ARG(httpd_peer(rq)),
             STR_ARG(httpd_header_of(rq, "x-Test")), httpd_has_header(rq, "X-TEST"));
    httpd_reply(rq, 200, "text/plain", &b, true);
}

static void count_free(void *p)
{
    (*(int *)p)++;
}

static void send_file(struct httpd_request *rq)
{
    int fd;
    assert_int_equal(fs_temp_fd(&fd, NULL), 0);
    assert_int_equal(fs_write_all(fd, "0123456789", 10, NULL), 0);
    httpd_reply_fd(rq, 200, "text/plain", fd, str_eq(httpd_query(rq), STR("long")) ? 11 : 10);
}

static void handle(void *ctx, struct httpd_request *rq)
{
    str path = httpd_path(rq);
    httpd_set_data(rq, &n_freed, count_free);
    if (str_eq(path, STR("/echo")))
        echo(rq);
    else if (str_eq(path, STR("/defer")))
        httpd_defer(rq, say_deferred, NULL);
    else if (str_eq(path, STR("/block")))
        httpd_defer(rq, block, NULL);
    else if (str_eq(path, STR("/forget-later")))
        httpd_defer(rq, forget, NULL);
    else if (str_eq(path, STR("/park")))
        park(rq, 60000);
    else if (str_eq(path, STR("/park-short")))
        park(rq, 50);
    else if (str_eq(path, STR("/park-twice")))
        httpd_park(rq, 20, park_again, NULL);
    else if (str_eq(path, STR("/woken-before"))) {
        httpd_wake(rq);
        httpd_park(rq, 60000, woken, NULL);
    } else if (str_eq(path, STR("/file")))
        send_file(rq);
    else if (str_eq(path, STR("/split"))) {
        httpd_add_header(rq, "X-Good", "yes");
        httpd_add_header(rq, "X-Bad", "a\r\nX-Evil: 1");
        httpd_add_header(rq, "X-Ba\nd", "a");
        reply_z(rq, 201, "ok");
    } else if (!str_eq(path, STR("/forget")))
        describe(rq);
}

static uint64_t admit(void *ctx, struct httpd_request *rq)
{
    return str_eq(httpd_query(rq), STR("big")) ? 32 << 20 : 100000;
}

static void done(void *ctx, struct httpd_request *rq, int status, uint64_t sent, uint64_t usec)
{
    __atomic_store_n(&last_status, status, __ATOMIC_RELEASE);
    __atomic_add_fetch(&n_done, 1, __ATOMIC_ACQ_REL);
}

static int setup(void **state)
{
    struct httpd_options o = {.address = "127.0.0.1",
                              .admit = admit,
                              .handle = handle,
                              .done = done,
                              .idle_timeout = 1,
                              .pool_threads = 3};
    struct err e = {0};
    released = n_freed = n_done = 0;
    n_parked = 0;
    assert_ok(httpd_start(&o, &server, &e));
    assert_ok(http_new(&(struct http_options){.retries = 1, .idle_timeout = 10}, &client, &e));
    return 0;
}

static int teardown(void **state)
{
    http_free(client);
    httpd_stop(server);
    server = NULL;
    return 0;
}

/* ---- raw sockets ------------------------------------------------------------------------------
 */

static int dial(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(httpd_port(server)),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval t = {.tv_sec = 10};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void put(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Everything until the server closes. */
static str slurp(int fd)
{
    static char text[1 << 16];
    size_t n = 0;
    ssize_t r;
    while (n < sizeof text - 1 && (r = recv(fd, text + n, sizeof text - 1 - n, 0)) > 0)
        n += (size_t)r;
    text[n] = '\0';
    close(fd);
    return (str){text, n};
}

/* What the server says to the bytes until it closes. */
static str exchange(const char *text)
{
    int fd = dial();
    put(fd, text);
    return slurp(fd);
}

#define assert_has(text, part)                                                                     \
    do {                                                                                           \
        str in_ = (text);                                                                          \
        if (!str_contains(in_, str_z(part)))                                                       \
            fail_msg("\"%s\" is not in: %.*s", part, STR_ARG(in_));                                \
    } while (0)

#define HEAD(line) line " HTTP/1.1\r\nHost: x\r\n"
#define CLOSE      "Connection: close\r\n\r\n"

/* ---- by our client ---------------------------------------------------------------------------
 */

struct fetched {
    int status;
    struct buf body;
    struct http_response rs;
};

static void fetch(struct fetched *f, const char *method, const char *path, str body,
                  const struct http_header *header)
{
    char url[256];
    struct err e = {0};
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", httpd_port(server), path);
    struct http_request rq = {.method = method,
                              .url = url,
                              .body = body,
                              .headers = header,
                              .n_headers = header ? 1 : 0,
                              .no_retry = true};
    buf_init(&f->body, 64 << 20);
    assert_ok(http_fetch(client, &rq, &f->rs, &f->body, &e));
    f->status = f->rs.status;
}

static void fetched_done(struct fetched *f)
{
    buf_done(&f->body);
    http_response_done(&f->rs);
}

static void check(const char *path, int status, const char *text)
{
    struct fetched f;
    fetch(&f, "GET", path, STR(""), NULL);
    assert_int_equal(f.status, status);
    assert_str(buf_view(&f.body), str_z(text));
    fetched_done(&f);
}

/* ---- tests ------------------------------------------------------------------------------------
 */

static void test_views(void **state)
{
    check("/a%2Fb/c%20d?x=%41+b&y", 200, "GET|/a%2Fb/c%20d|x=%41+b&y|127.0.0.1||0");
    struct fetched f;
    fetch(&f, "DELETE", "/", STR(""), &(struct http_header){"x-test", "v"});
    assert_str(buf_view(&f.body), STR("DELETE|/||127.0.0.1|v|1"));
    fetched_done(&f);
    assert_has(exchange(HEAD("GET http://other/p?q") CLOSE), "GET|/p|q|127.0.0.1||0");
    assert_has(exchange(HEAD("OPTIONS *") CLOSE), "OPTIONS|*||127.0.0.1||0");
}

static void test_bad_heads(void **state)
{
    static const char *const bad[] = {
        "GET / HTTP/1.1\r\n\r\n",
        "GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
        HEAD("GET nonsense") "\r\n",
        HEAD("POST /echo") "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        HEAD("POST /echo") "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD("POST /echo") "Content-Length: -1\r\n\r\n",
        HEAD("POST /echo") "Content-Length: 99999999999999999999999\r\n\r\n",
        HEAD("GET /") "Host: y\r\n\r\n",
        HEAD("POST /echo") "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        "\x16\x03\x01\x02",
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(bad); i++) {
        str answer = exchange(bad[i]);
        if (answer.n && !str_starts(answer, STR("HTTP/1.1 4")) &&
            !str_starts(answer, STR("HTTP/1.0 4")))
            fail_msg("%zu: %.*s", i, STR_ARG(answer));
    }
    static char head[200000];
    size_t n = (size_t)snprintf(head, sizeof head, HEAD("GET /") "X-Long: ");
    memset(head + n, 'a', 150000);
    memcpy(head + n + 150000, "\r\n\r\n", 5);
    int fd = dial();
    send(fd, head, strlen(head), MSG_NOSIGNAL);
    str answer = slurp(fd);
    if (answer.n)
        assert_has(answer, " 431 ");
    check("/still-there", 200, "GET|/still-there||127.0.0.1||0");
}

static void test_body_in_pieces(void **state)
{
    int fd = dial();
    put(fd, HEAD("POST /echo") "Content-Length: 6\r\n" CLOSE);
    for (const char *p = "pieces"; *p; p++) {
        usleep(3000);
        send(fd, p, 1, MSG_NOSIGNAL);
    }
    assert_has(slurp(fd), "\r\n\r\npieces");
    assert_has(exchange(HEAD("POST /echo") "Transfer-Encoding: chunked\r\n" CLOSE
                                           "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"),
               "\r\n\r\nabcdefg");
}

static void test_large_body(void **state)
{
    static const size_t sizes[] = {(1 << 20) - 1, 1 << 20, (1 << 20) + 1, 20 << 20};
    char *data = malloc(20 << 20);
    for (size_t i = 0; i < 20 << 20; i++)
        data[i] = (char)(i * 2654435761u >> 13);
    for (size_t i = 0; i < KE_ARRAY_LEN(sizes); i++) {
        struct fetched f;
        fetch(&f, "POST", "/echo?big", (str){data, sizes[i]}, NULL);
        assert_int_equal(f.status, 200);
        assert_true(str_eq(buf_view(&f.body), (str){data, sizes[i]}));
        fetched_done(&f);
    }
    free(data);
}

static void test_too_large(void **state)
{
    /* Before a byte of the body: far too large, or a client that asks first. */
    assert_has(exchange(HEAD("POST /echo") "Content-Length: 100000000000\r\n\r\n"), " 413 ");
    assert_has(
        exchange(HEAD("POST /echo") "Content-Length: 100001\r\nExpect: 100-continue\r\n\r\n"),
        " 413 ");
    /* Dropped first, then answered. */
    char *data = calloc(1, 300000);
    struct fetched f;
    fetch(&f, "POST", "/echo", (str){data, 300000}, &(struct http_header){"Expect", ""});
    assert_int_equal(f.status, 413);
    fetched_done(&f);
    fetch(&f, "POST", "/echo", (str){data, 100000}, NULL);
    assert_int_equal(f.status, 200);
    fetched_done(&f);
    free(data);
    int fd = dial();
    put(fd, HEAD("POST /echo") "Transfer-Encoding: chunked\r\n" CLOSE "186a1\r\n");
    char zeros[0x186a1];
    memset(zeros, '0', sizeof zeros);
    send(fd, zeros, sizeof zeros, MSG_NOSIGNAL);
    put(fd, "\r\n0\r\n\r\n");
    assert_has(slurp(fd), " 413 ");
    /* Without end: the connection is closed. */
    fd = dial();
    put(fd, HEAD("POST /echo") "Transfer-Encoding: chunked\r\n\r\nfffffff\r\n");
    size_t sent = 0;
    ssize_t n;
    while ((n = send(fd, zeros, sizeof zeros, MSG_NOSIGNAL)) > 0)
        sent += (size_t)n;
    assert_in_range(sent, 100000, 64 << 20);
    close(fd);
}

static void test_slow_client(void **state)
{
    int fd = dial();
    put(fd, "GET / HT");
    assert_int_equal(slurp(fd).n, 0); /* closed after idle_timeout */
    fd = dial();
    put(fd, HEAD("POST /echo") "Content-Length: 10\r\n\r\nabc");
    str answer = slurp(fd);
    assert_false(str_contains(answer, STR(" 200 ")));
    check("/x", 200, "GET|/x||127.0.0.1||0");
}

/* A byte now and then is no request. */
static void test_dripping_client(void **state)
{
    static const char *const heads[] = {"GET / HTTP/1.1\r\nX-Slow: ",
                                        HEAD("POST /echo") "Content-Length: 50000\r\n\r\n"};
    for (size_t i = 0; i < KE_ARRAY_LEN(heads); i++) {
        int fd = dial();
        put(fd, heads[i]);
        unsigned sent = 0;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        while (sent < 100 && poll(&p, 1, 200) == 0 && send(fd, "a", 1, MSG_NOSIGNAL) == 1)
            sent++;
        assert_in_range(sent, 2, 99);
        close(fd);
        check("/x", 200, "GET|/x||127.0.0.1||0");
    }
}

/* The server slept while the first answer was made; the time of what follows counts from there. */
static void test_dripping_after_an_answer(void **state)
{
    for (int pause = 0; pause < 2; pause++) {
        char b[4096];
        int fd = dial();
        put(fd, HEAD("GET /defer") "\r\n");
        assert_true(recv(fd, b, sizeof b, 0) > 0);
        usleep(pause * 500000);
        unsigned sent = 0;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        while (sent < 100 && poll(&p, 1, 100) == 0 && send(fd, "a", 1, MSG_NOSIGNAL) == 1)
            sent++;
        assert_in_range(sent, 2, 99);
        assert_int_equal(recv(fd, b, sizeof b, 0) > 0, 0);
        close(fd);
    }
    check("/x", 200, "GET|/x||127.0.0.1||0");
}

static void test_pipelining(void **state)
{
    str answer = exchange(HEAD("GET /1") "\r\n" HEAD("GET /defer") "\r\n" HEAD("POST /echo") //
                          "Content-Length: 2\r\n\r\nhi" HEAD("GET /park-short") "\r\n"       //
                          HEAD("GET /2") CLOSE);
    ptrdiff_t a = str_find(answer, STR("GET|/1|")), b = str_find(answer, STR("deferred")),
              c = str_find(answer, STR("\r\n\r\nhi")), d = str_find(answer, STR("woken")),
              f = str_find(answer, STR("GET|/2|"));
    assert_true(a > 0 && a < b && b < c && c < d && d < f);
}

static void test_header_injection(void **state)
{
    str answer = exchange(HEAD("GET /split") CLOSE);
    assert_has(answer, " 201 ");
    assert_has(answer, "X-Good: yes");
    assert_false(str_contains(answer, STR("Evil")) || str_contains(answer, STR("X-Ba")));
}

static void test_head(void **state)
{
    str answer = exchange(HEAD("HEAD /abc") CLOSE);
    assert_has(answer, "Content-Length: 23");
    assert_true(str_ends(answer, STR("\r\n\r\n")));
    assert_true(str_ends(exchange(HEAD("HEAD /file") CLOSE), STR("\r\n\r\n")));
}

static void test_file(void **state)
{
    check("/file", 200, "0123456789");
    struct fetched f;
    fetch(&f, "GET", "/file?long", STR(""), NULL);
    assert_int_equal(f.status, 500);
    fetched_done(&f);
}

static void gunzip(str in, struct buf *out)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.n};
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    z.next_out = (Bytef *)buf_reserve(out, 1 << 20);
    z.avail_out = 1 << 20;
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    out->n += z.total_out;
    inflateEnd(&z);
}

static void test_gzip(void **state)
{
    static const struct {
        const char *accepts;
        size_t size;
        bool zipped;
    } cases[] = {
        {"gzip", 50000, true},     {"br, GZIP;q=0.5", 50000, true}, {"*", 1024, true},
        {"gzip;q=0", 5000, false}, {"gzip;q=0.0", 5000, false},     {"identity", 5000, false},
        {"gzip", 1023, false},
    };
    char *data = malloc(50000);
    memset(data, 'x', 50000);
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct fetched f;
        str sent = {data, cases[i].size};
        fetch(&f, "POST", "/echo", sent,
              &(struct http_header){"Accept-Encoding", cases[i].accepts});
        assert_str(http_header(&f.rs, "content-encoding"), cases[i].zipped ? STR("gzip") : STR(""));
        auto_buf plain;
        buf_init(&plain, 2 << 20);
        if (cases[i].zipped)
            gunzip(buf_view(&f.body), &plain);
        else
            buf_add_str(&plain, buf_view(&f.body));
        assert_true(str_eq(buf_view(&plain), sent));
        fetched_done(&f);
    }
    free(data);
}

static void test_defer(void **state)
{
    for (int i = 0; i < 50; i++)
        check("/defer", 200, "deferred");
    check("/forget", 500, "no answer was made\n");
    check("/forget-later", 500, "no answer was made\n");
}

static void test_park_times_out(void **state)
{
    check("/park-short", 200, "woken");
    check("/park-twice", 200, "woken");
    check("/woken-before", 200, "woken");
}

static void wait_for_parked(size_t n)
{
    for (int i = 0; i < 2000; i++) {
        pthread_mutex_lock(&lock);
        bool there = n_parked == n;
        pthread_mutex_unlock(&lock);
        if (there)
            return;
        usleep(1000);
    }
    fail_msg("nothing was parked");
}

static void test_park_and_wake(void **state)
{
    int fds[3];
    for (size_t i = 0; i < 3; i++) {
        fds[i] = dial();
        put(fds[i], HEAD("GET /park") CLOSE);
    }
    wait_for_parked(3);
    check("/defer", 200, "deferred"); /* no thread is held by them */
    wake_all();
    for (size_t i = 0; i < 3; i++)
        assert_has(slurp(fds[i]), "woken");
}

static void wait_for_done(int n)
{
    for (int i = 0; i < 3000 && __atomic_load_n(&n_done, __ATOMIC_ACQUIRE) < n; i++)
        usleep(1000);
    assert_int_equal(__atomic_load_n(&n_done, __ATOMIC_ACQUIRE), n);
}

static void test_client_leaves(void **state)
{
    int fd = dial();
    put(fd, HEAD("GET /block") "\r\n");
    usleep(20000);
    close(fd); /* the handler sees that */
    wait_for_done(1);
    fd = dial();
    put(fd, HEAD("POST /echo") "Content-Length: 10\r\n\r\nabc");
    usleep(20000);
    close(fd);
    wait_for_done(2);
    assert_int_equal(last_status, 0);
    check("/x", 200, "GET|/x||127.0.0.1||0");
    wait_for_done(3);
    assert_int_equal(last_status, 200);
    assert_int_equal(n_freed, 2); /* the second never reached the handler */
}

/* A server of its own: more connections than the line has places. */
static void test_line_full(void **state)
{
    struct httpd_options o = {
        .address = "127.0.0.1", .handle = handle, .max_connections = 2000, .pool_threads = 1};
    struct err e = {0};
    struct httpd *own;
    assert_ok(httpd_start(&o, &own, &e));
    struct httpd *other = server;
    server = own;
    enum { N = 1024 + 1 + 20 };
    static int fds[N];
    for (size_t i = 0; i < N; i++) {
        fds[i] = dial();
        put(fds[i], HEAD("GET /block") CLOSE);
        if (i == 0)
            usleep(50000); /* the thread has this one */
    }
    str answer = slurp(fds[N - 1]);
    assert_has(answer, " 503 ");
    assert_has(answer, "Retry-After:");
    __atomic_store_n(&released, 1, __ATOMIC_RELEASE);
    int ok = 0;
    for (size_t i = 0; i < N - 1; i++)
        ok += str_contains(slurp(fds[i]), STR("unblocked"));
    assert_int_equal(ok, 1025);
    server = other;
    httpd_stop(own);
}

static void test_drain(void **state)
{
    int fd = dial(), idle = dial();
    put(fd, HEAD("GET /park") "\r\n");
    put(idle, HEAD("GET /") "\r\n");
    wait_for_parked(1);
    wait_for_done(1);
    httpd_drain(server, 5);
    str answer = slurp(fd);
    assert_has(answer, "gone");
    assert_has(answer, "Connection: close");
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(httpd_port(server)),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int refused = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(refused, (struct sockaddr *)&a, sizeof a), -1);
    close(refused);
    close(idle);
}

/* Deferred, parked and half-read requests when the server is stopped at once. */
static void test_stop_under_way(void **state)
{
    int fds[4];
    static const char *const texts[] = {HEAD("GET /block") "\r\n", HEAD("GET /park") "\r\n",
                                        HEAD("POST /echo") "Content-Length: 10\r\n\r\nabc",
                                        HEAD("GET /park-short") "\r\n"};
    for (size_t i = 0; i < 4; i++) {
        fds[i] = dial();
        put(fds[i], texts[i]);
    }
    wait_for_parked(2);
    httpd_stop(server);
    server = NULL;
    for (size_t i = 0; i < 4; i++)
        close(fds[i]);
}

static void test_port_taken(void **state)
{
    struct httpd_options o = {.address = "127.0.0.1", .port = httpd_port(server), .handle = handle};
    struct httpd *second = NULL;
    struct err e = {0};
    char port[16];
    snprintf(port, sizeof port, "%u", httpd_port(server));
    assert_int_equal(httpd_start(&o, &second, &e), ERR_IO);
    assert_has(str_z(e.text), port);
    assert_null(second);
}

static void test_dual_stack(void **state)
{
    struct httpd_options o = {.handle = handle};
    struct err e = {0};
    struct httpd *both = NULL;
    assert_ok(httpd_start(&o, &both, &e));
    struct httpd *other = server;
    server = both;
    check("/x", 200, "GET|/x||127.0.0.1||0");
    server = other;
    httpd_stop(both);
}

static void test_decode(void **state)
{
    static const struct {
        const char *in;
        bool query;
        const char *out;
    } cases[] = {
        {"a%2Fb", false, "a/b"},  {"a+b", false, "a+b"},
        {"a+b%2b", true, "a b+"}, {"%e2%82%AC", false, "\xe2\x82\xac"},
        {"%252F", false, "%2F"},  {"%", false, NULL},
        {"%4", false, NULL},      {"%zz", false, NULL},
        {"%00", false, NULL},     {"", true, ""},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        auto_buf b;
        buf_init(&b, 100);
        assert_int_equal(httpd_decode(str_z(cases[i].in), cases[i].query, &b),
                         cases[i].out != NULL);
        if (cases[i].out)
            assert_str(buf_view(&b), str_z(cases[i].out));
    }
}

int main(void)
{
#define SERVED(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
    const struct CMUnitTest tests[] = {
        SERVED(test_views),
        SERVED(test_bad_heads),
        SERVED(test_body_in_pieces),
        SERVED(test_large_body),
        SERVED(test_too_large),
        SERVED(test_slow_client),
        SERVED(test_pipelining),
        SERVED(test_head),
        SERVED(test_header_injection),
        SERVED(test_dripping_client),
        SERVED(test_dripping_after_an_answer),
        SERVED(test_file),
        SERVED(test_gzip),
        SERVED(test_defer),
        SERVED(test_park_times_out),
        SERVED(test_park_and_wake),
        SERVED(test_client_leaves),
        SERVED(test_line_full),
        SERVED(test_drain),
        SERVED(test_stop_under_way),
        SERVED(test_port_taken),
        SERVED(test_dual_stack),
        cmocka_unit_test(test_decode),
    };
    return cmocka_run_group_tests_name("httpd", tests, NULL, NULL);
}
