#include "image/engine_socket.h"

#include "base/auto.h"
#include "codec/json.h"
#include "image/fd_sink.h"

#include <sys/socket.h>
#include <sys/un.h>

enum { INSPECT_MAX = 8 << 20, ENGINE_IDLE = 300 };

static const uint64_t EXPORT_MAX = 1ull << 40;

/* ---- finding it --------------------------------------------------------------------------------
 */

/* In the order they are tried. "$NAME" at the beginning is replaced by the variable's value. */
static const char *const docker_places[] = {"$XDG_RUNTIME_DIR/docker.sock",
                                            "$HOME/.docker/run/docker.sock", "/var/run/docker.sock",
                                            "/run/docker.sock", NULL};
static const char *const podman_places[] = {"$XDG_RUNTIME_DIR/podman/podman.sock",
                                            "/run/podman/podman.sock", NULL};

static const struct {
    const char *variable;
    const char *const *places;
} engines[] = {
    [ENGINE_DOCKER] = {"DOCKER_HOST", docker_places},
    [ENGINE_PODMAN] = {"CONTAINER_HOST", podman_places},
};

/* Is somebody listening? A socket's file outlives its server. */
static bool is_alive(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return false;
    memcpy(address.sun_path, path, strlen(path));
    int fd autoclose = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
}

static bool expand(const char *place, char *path, size_t size)
{
    char name[64];
    if (place[0] != '$')
        return (size_t)snprintf(path, size, "%s", place) < size;
    str rest = str_z(place + 1), variable = str_split(&rest, '/');
    snprintf(name, sizeof name, "%.*s", STR_ARG(variable));
    const char *value = getenv(name);
    return value && *value && (size_t)snprintf(path, size, "%s/%s", value, rest.p) < size;
}

bool engine_socket_find(enum engine_kind kind, char *path, size_t size)
{
    const char *host = getenv(engines[kind].variable);
    if (host && *host) {
        if (!str_starts(str_z(host), STR("unix://")))
            return false;
        return (size_t)snprintf(path, size, "%s", host + 7) < size && is_alive(path);
    }
    for (const char *const *place = engines[kind].places; *place; place++)
        if (expand(*place, path, size) && is_alive(path))
            return true;
    return false;
}

/* ---- the API -----------------------------------------------------------------------------------
 */

static void http_done(struct http **h)
{
    http_free(*h);
}

/* Names go into the URL's path as they are: "/" and ":" may stand there. */
static int url_of(const char *name, const char *what, char *out, size_t size, struct err *e)
{
    size_t n = strlen(name);
    bool ok = n > 0 && n < 900 && name[0] != '/' && name[0] != '.' && !strstr(name, "..");
    for (size_t i = 0; ok && i < n; i++)
        ok = ke_isalnum(name[i]) || strchr("._-/:@+", name[i]);
    if (!ok)
        return err_set(e, ERR_USAGE, "\"%.100s\" is not an image's name", name);
    snprintf(out, size, "http://localhost/v1.24/images/%s/%s", name, what);
    return 0;
}

static int engine_http(const char *socket_path, struct http **out, struct err *e)
{
    /* An engine packs the whole image before the first byte comes. */
    return http_new(&(struct http_options){.unix_socket = socket_path,
                                           .idle_timeout = ENGINE_IDLE,
                                           .retries = 1},
                    out, e);
}

int engine_image_exists(const char *socket_path, const char *name, char id[80], struct err *e)
{
    char url[1024];
    struct http *h KE_CLEANUP(http_done) = NULL;
    struct http_response rs;
    auto_buf body;
    buf_init(&body, INSPECT_MAX);
    int rc = url_of(name, "json", url, sizeof url, e);
    if (rc < 0 || (rc = engine_http(socket_path, &h, e)) < 0)
        return rc;
    rc = http_fetch(h, &(struct http_request){.url = url, .max_body = INSPECT_MAX}, &rs, &body, e);
    int status = rs.status;
    if (rc == 0 && status != 200 && status != 404)
        rc = http_status_error(&rs, "container engine", e);
    http_response_done(&rs);
    if (rc < 0) {
        err_wrap(e, "%s", socket_path);
        return rc;
    }
    if (status == 404)
        return 0;
    auto_json *doc = NULL;
    if ((rc = json_parse(buf_view(&body), socket_path, &doc, e)) < 0)
        return rc;
    str text = json_str(yyjson_doc_get_root(doc), "Id");
    if (text.n == 0 || text.n > 72)
        return err_set(e, ERR_FORMAT, "%s: the container engine tells no image id", socket_path);
    bool bare = !str_starts(text, STR("sha256:"));
    snprintf(id, 80, "%s%.*s", bare ? "sha256:" : "", STR_ARG(text));
    return 1;
}

int engine_image_export(const char *socket_path, const char *name, int fd, struct err *e)
{
    char url[1024];
    struct http *h KE_CLEANUP(http_done) = NULL;
    struct http_response rs;
    struct fd_sink sink = {.fd = fd};
    int rc = url_of(name, "get", url, sizeof url, e);
    if (rc < 0 || (rc = engine_http(socket_path, &h, e)) < 0)
        return rc;
    rc = http_fetch(h,
                    &(struct http_request){.url = url,
                                           .max_body = EXPORT_MAX,
                                           .no_retry = true,
                                           .sink = fd_sink_write,
                                           .ctx = &sink},
                    &rs, NULL, e);
    if (rc == 0 && rs.status == 404)
        rc = err_set(e, ERR_NOT_FOUND, "the container engine has no image %s", name);
    else if (rc == 0 && rs.status != 200)
        rc = http_status_error(&rs, "container engine", e);
    http_response_done(&rs);
    if (rc < 0)
        err_wrap(e, "%s", socket_path);
    return rc;
}
