#include "unit.h"

#include "image/engine_socket.h"

#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static char dir[] = "/tmp/kellet-engine-test-XXXXXX";
static int listener;
static pthread_t thread;

static const struct {
    const char *path, *answer;
} answers[] = {
    {"GET /v1.24/images/alpine:3.18/json ",
     "HTTP/1.1 200 OK\r\nContent-Length: 80\r\nConnection: close\r\n\r\n"
     "{\"Id\":\"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}"},
    {"GET /v1.24/images/bare/json ",
     "HTTP/1.1 200 OK\r\nContent-Length: 13\r\nConnection: close\r\n\r\n{\"Id\":\"01ab\"}"},
    {"GET /v1.24/images/odd/json ",
     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"},
    {"GET /v1.24/images/broken/json ",
     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n{"},
    {"GET /v1.24/images/sick/json ",
     "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
    {"GET /v1.24/images/r.example:5000/a/b@sha256:0/get ",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
     "4\r\ntar1\r\n4\r\ntar2\r\n0\r\n\r\n"},
    {"GET /v1.24/images/cut/get ",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n4\r\ntar1\r\n"},
};
static const char missing[] =
    "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";

static void serve_one(int fd)
{
    char request[4096];
    size_t n = 0;
    ssize_t got;
    while (n < sizeof request - 1 && (got = read(fd, request + n, sizeof request - 1 - n)) > 0) {
        n += (size_t)got;
        request[n] = 0;
        if (strstr(request, "\r\n\r\n"))
            break;
    }
    const char *answer = missing;
    for (size_t i = 0; i < KE_ARRAY_LEN(answers); i++)
        if (str_starts((str){request, n}, str_z(answers[i].path)))
            answer = answers[i].answer;
    if (n)
        fs_write_all(fd, answer, strlen(answer), NULL);
}

static void *serve(void *ctx)
{
    int fd;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        serve_one(fd);
        close(fd);
    }
    return NULL;
}

static const char *socket_path(void)
{
    static char path[100];
    snprintf(path, sizeof path, "%s/podman/podman.sock", dir);
    return path;
}

static void finding(void **state)
{
    char path[256], value[200];
    struct err e = {0};
    unsetenv("DOCKER_HOST");
    unsetenv("CONTAINER_HOST");
    unsetenv("HOME");
    setenv("XDG_RUNTIME_DIR", dir, 1);
    assert_true(engine_socket_find(ENGINE_PODMAN, path, sizeof path));
    assert_string_equal(path, socket_path());

    snprintf(value, sizeof value, "unix://%s", socket_path());
    setenv("DOCKER_HOST", value, 1);
    assert_true(engine_socket_find(ENGINE_DOCKER, path, sizeof path));
    assert_string_equal(path, socket_path());

    /* Only local sockets, only living ones, and what the user named is not replaced. */
    setenv("DOCKER_HOST", "tcp://127.0.0.1:2375", 1);
    assert_false(engine_socket_find(ENGINE_DOCKER, path, sizeof path));
    setenv("CONTAINER_HOST", "unix:///nonexistent.sock", 1);
    assert_false(engine_socket_find(ENGINE_PODMAN, path, sizeof path));
    snprintf(value, sizeof value, "%s/file", dir);
    assert_ok(fs_write_atomic(value, STR("x"), 0600, &e));
    snprintf(value, sizeof value, "unix://%s/file", dir);
    setenv("CONTAINER_HOST", value, 1);
    assert_false(engine_socket_find(ENGINE_PODMAN, path, sizeof path));
    unlink(value + 7);
    char small[8];
    snprintf(value, sizeof value, "unix://%s", socket_path());
    setenv("CONTAINER_HOST", value, 1);
    assert_false(engine_socket_find(ENGINE_PODMAN, small, sizeof small));
}

static void existing(void **state)
{
    static const struct {
        const char *name;
        int rc;
        const char *id;
    } cases[] = {
        {"alpine:3.18", 1,
         "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
        {"bare", 1, "sha256:01ab"},
        {"nothing", 0, NULL},
        {"odd", ERR_FORMAT, NULL},
        {"broken", ERR_FORMAT, NULL},
        {"sick", ERR_NET, NULL},
        {"a/../../containers/x", ERR_USAGE, NULL},
        {"/etc", ERR_USAGE, NULL},
        {"a?b", ERR_USAGE, NULL},
        {"a b", ERR_USAGE, NULL},
        {"", ERR_USAGE, NULL},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        char id[80] = "";
        struct err e = {0};
        int rc = engine_image_exists(socket_path(), cases[i].name, id, &e);
        if (rc != cases[i].rc)
            fail_msg("\"%s\": %d %s", cases[i].name, rc, e.text);
        if (rc == 1)
            assert_string_equal(id, cases[i].id);
    }
}

static void exporting(void **state)
{
    int fd autoclose = -1;
    struct err e = {0};
    auto_buf got;
    buf_init(&got, 1000);
    assert_ok(fs_temp_fd(&fd, &e));
    assert_ok(engine_image_export(socket_path(), "r.example:5000/a/b@sha256:0", fd, &e));
    lseek(fd, 0, SEEK_SET);
    assert_ok(fs_read_fd(fd, "export", &got, &e));
    assert_str(buf_view(&got), STR("tar1tar2"));
    assert_int_equal(engine_image_export(socket_path(), "nothing", fd, &e), ERR_NOT_FOUND);
    assert_int_equal(engine_image_export(socket_path(), "cut", fd, &e), ERR_NET);
    assert_int_equal(engine_image_export("/nonexistent.sock", "x", fd, &e), ERR_NET);
    assert_non_null(strstr(e.text, "/nonexistent.sock"));
}

static int start(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[200];
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/podman", dir);
    mkdir(path, 0700);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_path());
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 8) != 0)
        return -1;
    return pthread_create(&thread, NULL, serve, NULL);
}

static int stop(void **state)
{
    char path[200];
    shutdown(listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(listener);
    unlink(socket_path());
    snprintf(path, sizeof path, "%s/podman", dir);
    rmdir(path);
    rmdir(dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finding),
        cmocka_unit_test(existing),
        cmocka_unit_test(exporting),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
