#include "unit.h"

#include "../net/server.h"
#include "image/registry.h"

#include <pthread.h>

static struct server server;
static bool have_server;
static char empty_config[] = "/tmp/kellet-registry-test-XXXXXX";

#define NEEDS_SERVER                                                                               \
    if (!have_server) {                                                                            \
        printf("skipped: no test server\n");                                                       \
        skip();                                                                                    \
    }

static const char blob_digest[] =
    "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
enum { BLOB_SIZE = 1 << 20 };

static struct registry_options options_of(const char *user, const char *password)
{
    return (struct registry_options){
        .username = user,
        .password = password,
        .docker_config = empty_config,
        .http = {.idle_timeout = 2, .connect_timeout = 2, .retries = 2, .retry_wait_ms = 2}};
}

static struct registry *open_repository(const char *repository, const struct registry_options *o)
{
    char text[256];
    struct reference ref;
    struct registry *r;
    struct err e = {0};
    snprintf(text, sizeof text, "127.0.0.1:%u/%s:1", server.port, repository);
    assert_ok(reference_parse(str_z(text), &ref, &e));
    assert_ok(registry_open(&ref, o, &r, &e));
    return r;
}

static int manifest(const char *repository, const struct registry_options *o, struct buf *body,
                    struct err *e)
{
    char media_type[128];
    struct registry *r = open_repository(repository, o);
    int rc = registry_manifest(r, "1", body, media_type, e);
    if (rc == 0)
        assert_string_equal(media_type, "application/vnd.oci.image.manifest.v1+json");
    registry_close(r);
    return rc;
}

/* Which Authorization headers arrived, one a line. */
static void server_log(const char *key, struct buf *out)
{
    char url[256];
    struct http *h;
    struct http_response rs;
    struct err e = {0};
    snprintf(url, sizeof url, "http://127.0.0.1:%u/log?k=%s", server.port, key);
    assert_ok(http_new(NULL, &h, &e));
    buf_clear(out);
    assert_ok(http_fetch(h, &(struct http_request){.url = url}, &rs, out, &e));
    http_response_done(&rs);
    http_free(h);
}

struct manifest_case {
    const char *repository, *user, *password;
    int rc;
    const char *has;
};

static void manifests(void **state)
{
    static const struct manifest_case cases[] = {
        {"open", NULL, NULL, 0, "oci.image.index"},
        {"open/deep/er", NULL, NULL, 0, "manifest.list.v2"},
        {"basic", "user", "secret", 0, "accept"},
        {"basic", "user", "mistaken", ERR_AUTH, "refused the credentials of user"},
        {"basic", NULL, NULL, ERR_AUTH, "docker login 127.0.0.1"},
        {"anonymous", NULL, NULL, 0, "accept"},
        {"anonymous", "user", "secret", 0, "accept"},
        {"anonymous", "user", "mistaken", ERR_AUTH, "refused the credentials of user"},
        {"private", "user", "secret", 0, "accept"},
        {"private", NULL, NULL, ERR_AUTH, "no such public image"},
        {"ready", NULL, NULL, ERR_AUTH, "no such public image"},
        {"short", NULL, NULL, 0, "accept"},
        {"broken", NULL, NULL, ERR_AUTH, "JSON"},
        {"empty", NULL, NULL, ERR_AUTH, "no usable token"},
        {"evil", NULL, NULL, ERR_AUTH, "no usable token"},
        {"norealm", NULL, NULL, ERR_AUTH, "login"},
        {"nothing", NULL, NULL, ERR_AUTH, "login"},
        {"status403", NULL, NULL, ERR_AUTH, "that's it"},
        {"status404", NULL, NULL, ERR_NOT_FOUND, "manifest unknown"},
        {"status429", NULL, NULL, ERR_NET, "You have reached your limit of pulls"},
        {"status500", NULL, NULL, ERR_NET, "try again later"},
        {"status418", NULL, NULL, ERR_NET, "HTTP 418"},
        {"big", NULL, NULL, ERR_LIMIT, "limit"},
    };
    NEEDS_SERVER
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        const struct manifest_case *c = &cases[i];
        struct registry_options o = options_of(c->user, c->password);
        struct err e = {0};
        auto_buf body;
        buf_init(&body, 16 << 20);
        int rc = manifest(c->repository, &o, &body, &e);
        str text = rc < 0 ? str_z(e.text) : buf_view(&body);
        if (rc != c->rc || !str_contains(text, str_z(c->has)))
            fail_msg("%s: %d %.*s", c->repository, rc, STR_ARG(text));
        if (strstr(e.text, "secret") || strstr(e.text, "mistaken"))
            fail_msg("%s: %s", c->repository, e.text);
    }
}

static void ready_token(void **state)
{
    struct registry_options o = options_of(NULL, NULL);
    struct err e = {0};
    auto_buf body;
    NEEDS_SERVER
    buf_init(&body, 1 << 20);
    o.token = "ready";
    assert_ok(manifest("ready", &o, &body, &e));
    o.token = "other";
    assert_int_equal(manifest("ready", &o, &body, &e), ERR_AUTH);
    assert_non_null(strstr(e.text, "refused the token"));
}

/* A token is renewed before it ends, not after a refusal. */
static void token_renewed(void **state)
{
    struct registry_options o = options_of(NULL, NULL);
    struct err e = {0};
    char media_type[128];
    auto_buf body;
    NEEDS_SERVER
    buf_init(&body, 1 << 20);
    struct registry *r = open_repository("short/renewed", &o);
    assert_ok(registry_manifest(r, "1", &body, media_type, &e));
    sleep(2);
    assert_ok(registry_manifest(r, "1", &body, media_type, &e));
    registry_close(r);
    server_log("short/renewed", &body);
    str rest = buf_view(&body), line, first = {0}, second = {0};
    assert_true(str_line(&rest, &line) && str_line(&rest, &first) && str_line(&rest, &second));
    assert_str(line, STR("-"));
    assert_true(str_starts(first, STR("Bearer T")) && str_starts(second, STR("Bearer T")));
    assert_false(str_eq(first, second));
    assert_int_equal(rest.n, 0);
}

/* The registry's realm is somewhere else and not encrypted: 127.0.0.1 may ask so, but the
 * credentials go to the realm only, the token to the registry only. */
static void who_sees_what(void **state)
{
    struct registry_options o = options_of("user", "secret");
    struct err e = {0};
    auto_buf body, log;
    NEEDS_SERVER
    buf_init(&body, 1 << 20);
    buf_init(&log, 1 << 20);
    assert_ok(manifest("private/who", &o, &body, &e));
    server_log("private/who", &log);
    assert_true(str_starts(buf_view(&log), STR("-\nBearer U")));
    assert_true(str_ends(buf_view(&log), STR("-repository:private/who:pull")));
    server_log("token-private", &log);
    assert_true(str_contains(buf_view(&log), STR("Basic dXNlcjpzZWNyZXQ=")));
    /* Nothing is sent before it is asked for. */
    assert_ok(manifest("open/who", &o, &body, &e));
    server_log("open/who", &log);
    assert_str(buf_view(&log), STR("-"));
}

/* Whom the registry redirects to does not get to name a token endpoint. */
static void others_cannot_ask(void **state)
{
    struct registry_options o = options_of("user", "secret");
    struct err e = {0};
    auto_buf body;
    NEEDS_SERVER
    buf_init(&body, 1 << 20);
    assert_int_equal(manifest("moved", &o, &body, &e), ERR_AUTH);
    server_log("elsewhere", &body);
    assert_str(buf_view(&body), STR("-"));
    server_log("token-stolen", &body);
    assert_str(buf_view(&body), STR(""));
}

static void plain_realm(void **state)
{
    struct registry_options o = options_of("user", "secret");
    struct err e = {0};
    auto_buf body;
    NEEDS_SERVER
    buf_init(&body, 1 << 20);
    /* The loopback registry itself was spoken to as https first: its realm must not be worse. */
    assert_int_equal(manifest("plainrealm", &o, &body, &e), ERR_AUTH);
    assert_non_null(strstr(e.text, "unencrypted"));
    o.plain_http = true;
    assert_int_equal(manifest("plainrealm", &o, &body, &e), ERR_NET);
    assert_non_null(strstr(e.text, "tokens.invalid"));
}

struct blob_case {
    const char *repository, *user;
    uint64_t size;
    int rc;
    const char *has;
};

static void check_blob(const struct blob_case *c)
{
    struct registry_options o = options_of(c->user, "secret");
    struct registry *r = open_repository(c->repository, &o);
    struct err e = {0};
    int fd autoclose = -1;
    auto_buf got;
    buf_init(&got, 4 << 20);
    assert_ok(fs_temp_fd(&fd, &e));
    int rc = registry_blob(r, blob_digest, c->size, fd, &e);
    if (rc != c->rc || (rc < 0 && !strstr(e.text, c->has)))
        fail_msg("%s: %d %s", c->repository, rc, e.text);
    lseek(fd, 0, SEEK_SET);
    assert_ok(fs_read_fd(fd, "blob", &got, &e));
    for (size_t i = 0; i < got.n; i++)
        if ((uint8_t)got.p[i] != i * 7 % 251)
            fail_msg("%s: byte %zu is wrong", c->repository, i);
    if (rc == 0)
        assert_int_equal(got.n, BLOB_SIZE);
    registry_close(r);
}

static void blobs(void **state)
{
    static const struct blob_case cases[] = {
        {"open", NULL, BLOB_SIZE, 0, NULL},
        {"open", NULL, 0, 0, NULL},
        {"open", NULL, BLOB_SIZE - 1, ERR_LIMIT, "limit"},
        {"open", NULL, BLOB_SIZE + 1, ERR_MISMATCH, "promises"},
        {"private", "user", BLOB_SIZE, 0, NULL},
        {"redirected", NULL, BLOB_SIZE, 0, NULL},
        {"flaky", NULL, BLOB_SIZE, 0, NULL},
        /* Each connection breaks off, and each token serves one request. */
        {"expiring", "user", BLOB_SIZE, 0, NULL},
        {"gone", NULL, BLOB_SIZE, ERR_NOT_FOUND, "blob unknown"},
        {"private", NULL, BLOB_SIZE, ERR_AUTH, "login"},
        {"status500", NULL, BLOB_SIZE, ERR_NET, "later"},
    };
    NEEDS_SERVER
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++)
        check_blob(cases + i);
}

static void storage_sees_no_token(void **state)
{
    struct registry_options o = options_of(NULL, NULL);
    struct registry *r;
    struct err e = {0};
    int fd autoclose = -1;
    auto_buf log;
    NEEDS_SERVER
    buf_init(&log, 1 << 20);
    o.token = "ready";
    r = open_repository("redirected/token", &o);
    assert_ok(fs_temp_fd(&fd, &e));
    assert_ok(registry_blob(r, blob_digest, BLOB_SIZE, fd, &e));
    registry_close(r);
    server_log("redirected/token", &log);
    assert_str(buf_view(&log), STR("Bearer ready"));
    server_log("store-redirected", &log);
    assert_false(str_contains(buf_view(&log), STR("Bearer")));
}

static void foreign(void **state)
{
    struct registry_options o = options_of("user", "secret");
    struct registry *r;
    struct err e = {0};
    char url[128];
    int fd autoclose = -1;
    NEEDS_SERVER
    assert_ok(fs_temp_fd(&fd, &e));
    r = open_repository("open", &o);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/store/foreign", server.other);
    assert_ok(registry_foreign_blob(r, url, BLOB_SIZE, fd, &e));
    assert_int_equal(registry_foreign_blob(r, "file:///etc/passwd", 0, fd, &e), ERR_USAGE);
    registry_close(r);
}

static void bad_names(void **state)
{
    static const char *const names[] = {"", "../x", "a/b", "a?b", "a b", "a\nb", "."};
    struct registry_options o = options_of(NULL, NULL);
    struct registry *r;
    struct err e = {0};
    char media_type[128];
    auto_buf body;
    NEEDS_SERVER
    buf_init(&body, 1 << 20);
    r = open_repository("open", &o);
    for (size_t i = 0; i < KE_ARRAY_LEN(names); i++) {
        assert_int_equal(registry_manifest(r, names[i], &body, media_type, &e), ERR_FORMAT);
        assert_int_equal(registry_blob(r, names[i], 0, -1, &e), ERR_FORMAT);
    }
    registry_close(r);
}

static void write_config(const char *dir, const char *text)
{
    char path[256];
    struct err e = {0};
    snprintf(path, sizeof path, "%s/config.json", dir);
    assert_ok(fs_write_atomic(path, str_z(text), 0600, &e));
}

static void from_docker_config(void **state)
{
    char dir[] = "/tmp/kellet-registry-test-XXXXXX", text[1024], path[256];
    struct registry_options o = options_of(NULL, NULL);
    struct err e = {0};
    auto_buf body;
    NEEDS_SERVER
    buf_init(&body, 1 << 20);
    assert_non_null(mkdtemp(dir));
    o.docker_config = dir;
    snprintf(text, sizeof text, "{\"auths\":{\"http://127.0.0.1:%u\":{\"auth\":\"%s\"}}}",
             server.port, "dXNlcjpzZWNyZXQ=");
    write_config(dir, text);
    assert_ok(manifest("private", &o, &body, &e));
    assert_ok(manifest("basic", &o, &body, &e));
    snprintf(text, sizeof text, "{\"auths\":{\"127.0.0.1:%u\":{\"identitytoken\":\"%s\"}}}",
             server.port, "identity");
    write_config(dir, text);
    assert_ok(manifest("private", &o, &body, &e));
    snprintf(text, sizeof text, "{\"credHelpers\":{\"127.0.0.1:%u\":\"no-such-helper\"}}",
             server.port);
    write_config(dir, text);
    /* A broken helper is in the way of private images only. */
    assert_ok(manifest("open", &o, &body, &e));
    assert_ok(manifest("anonymous", &o, &body, &e));
    assert_int_equal(manifest("private", &o, &body, &e), ERR_AUTH);
    assert_non_null(strstr(e.text, "docker-credential-no-such-helper"));
    snprintf(path, sizeof path, "%s/config.json", dir);
    unlink(path);
    rmdir(dir);
}

enum { THREADS = 6 };

static struct registry *shared_registry;

static void *read_blob(void *ctx)
{
    int fd autoclose = -1;
    if (fs_temp_fd(&fd, NULL) == 0)
        *(int *)ctx = registry_blob(shared_registry, blob_digest, BLOB_SIZE, fd, NULL);
    return NULL;
}

static size_t lines_of(str text)
{
    str line;
    size_t n = 0;
    while (str_line(&text, &line))
        n++;
    return n;
}

/* All of them meet the 401, and the token is fetched once. */
static void threads(void **state)
{
    struct registry_options o = options_of("user", "secret");
    pthread_t id[THREADS];
    int rc[THREADS];
    auto_buf log;
    NEEDS_SERVER
    o.http.idle_timeout = o.http.connect_timeout =
        60; /* many at once, on a machine that may be busy */
    buf_init(&log, 1 << 20);
    server_log("token-private", &log);
    size_t before = lines_of(buf_view(&log));
    shared_registry = open_repository("private/threads", &o);
    for (int i = 0; i < THREADS; i++) {
        rc[i] = -1;
        assert_int_equal(pthread_create(&id[i], NULL, read_blob, &rc[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(id[i], NULL);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(rc[i], 0);
    registry_close(shared_registry);
    server_log("token-private", &log);
    assert_int_equal(lines_of(buf_view(&log)), before + 1);
}

static int start(void **state)
{
    static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                        "ALL_PROXY",  "no_proxy",    "NO_PROXY"};
    for (size_t i = 0; i < KE_ARRAY_LEN(names); i++)
        unsetenv(names[i]);
    have_server = server_start(&server, "image/registry_server.py");
    return mkdtemp(empty_config) ? 0 : -1;
}

static int stop(void **state)
{
    server_stop(&server);
    rmdir(empty_config);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(manifests),
        cmocka_unit_test(ready_token),
        cmocka_unit_test(token_renewed),
        cmocka_unit_test(who_sees_what),
        cmocka_unit_test(plain_realm),
        cmocka_unit_test(others_cannot_ask),
        cmocka_unit_test(blobs),
        cmocka_unit_test(storage_sees_no_token),
        cmocka_unit_test(foreign),
        cmocka_unit_test(bad_names),
        cmocka_unit_test(from_docker_config),
        cmocka_unit_test(threads),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
