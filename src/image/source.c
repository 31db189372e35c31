/* source.c - names to sources; source_blobs.c serves their content. */
#include "image/source.h"

#include "base/auto.h"
#include "base/fs.h"
#include "image/engine_socket.h"
#include "image/source_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

/* ---- archives and directories
 * ------------------------------------------------------------------------- */

static int open_archive_fd(struct source *s, int fd, struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_errno(e, "cannot examine %s", s->text);
    if (S_ISDIR(st.st_mode))
        return err_set(e, ERR_USAGE, "%s is a directory: use oci-dir: or dir:", s->text);
    if (isatty(fd))
        return err_set(e, ERR_USAGE, "standard input is a terminal: pipe an image archive into it");
    s->shape = SHAPE_ARCHIVE;
    s->fd = fd;
    s->seekable = S_ISREG(st.st_mode);
    return 0;
}

static void select_image(struct source *s, const char *selector)
{
    s->asked = selector;
    snprintf(s->selector, sizeof s->selector, "%s", selector);
}

/* "FILE" or "FILE:SELECTOR"; a file whose name holds a colon wins. */
static int open_archive(struct source *s, const char *arg, struct err *e)
{
    char path[PATH_MAX];
    if (strcmp(arg, "-") == 0) {
        int fd = dup(STDIN_FILENO);
        return fd < 0 ? err_errno(e, "cannot read standard input") : open_archive_fd(s, fd, e);
    }
    snprintf(path, sizeof path, "%s", arg);
    for (char *colon = path + strlen(path); !fs_is_file(path) && colon > path; colon--) {
        if (*colon != ':')
            continue;
        *colon = '\0';
        if (fs_is_file(path)) {
            select_image(s, arg + (colon - path) + 1);
            break;
        }
        *colon = ':';
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return err_errno(e, "cannot open %s", path);
    int r = open_archive_fd(s, fd, e);
    if (r < 0)
        close(fd);
    return r;
}

static int open_directory(struct source *s, const char *path, struct err *e)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, "cannot open directory %s", path);
    s->shape = SHAPE_DIRECTORY;
    s->fd = fd;
    return 0;
}

static int open_host(struct source *s, const char *path, struct err *e)
{
    s->host = true;
    return open_directory(s, *path ? path : "/", e);
}

/* "DIR", "DIR:TAG" or "DIR@DIGEST" */
static int open_layout(struct source *s, const char *arg, struct err *e)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", arg);
    for (char *cut = path + strlen(path); !fs_is_dir(path) && cut > path; cut--) {
        if (*cut != ':' && *cut != '@')
            continue;
        char saved = *cut;
        *cut = '\0';
        if (fs_is_dir(path)) {
            select_image(s, arg + (cut - path) + 1);
            break;
        }
        *cut = saved;
    }
    int r = open_directory(s, path, e);
    if (r == 0 && faccessat(s->fd, "index.json", R_OK, 0) < 0)
        r = err_errno(e, "%s is not an OCI layout (no index.json)", path);
    s->shape = SHAPE_BLOBS;
    return r;
}

/* ---- registries and engines
 * ----------------------------------------------------------------------------- */

static int open_registry(struct source *s, const char *arg, const struct source_options *o,
                         struct err *e)
{
    struct reference ref;
    int r = reference_parse(str_z(arg), &ref, e);
    if (r < 0)
        return r;
    s->asked = arg;
    reference_format(&ref, s->canonical, sizeof s->canonical);
    snprintf(s->selector, sizeof s->selector, "%s", ref.digest[0] ? ref.digest : ref.tag);
    s->shape = SHAPE_BLOBS;
    return registry_open(&ref, o->registry, &s->registry, e);
}

static int open_engine(struct source *s, const char *arg, enum engine_kind kind, struct err *e)
{
    char socket[256], id[80];
    if (!engine_socket_find(kind, socket, sizeof socket))
        return err_set(e, ERR_NOT_FOUND,
                       "no %s socket was found: is the engine running, and may this user "
                       "use it? (%s names another socket)",
                       s->kind, kind == ENGINE_DOCKER ? "DOCKER_HOST" : "CONTAINER_HOST");
    int r = engine_image_exists(socket, arg, id, e);
    if (r < 0)
        return r;
    if (r == 0)
        return err_set(e, ERR_NOT_FOUND, "%s has no image %s", s->kind, arg);
    str digits = str_z(id);
    str_split(&digits, ':');
    bool by_id = str_starts(str_z(id), str_z(arg)) || str_starts(digits, str_z(arg));
    s->asked = by_id ? NULL : arg;
    s->shape = SHAPE_ARCHIVE;
    snprintf(s->engine_socket, sizeof s->engine_socket, "%s", socket);
    snprintf(s->engine_image, sizeof s->engine_image, "%s", arg);
    return 0;
}

static int open_docker(struct source *s, const char *arg, struct err *e)
{
    return open_engine(s, arg, ENGINE_DOCKER, e);
}
static int open_podman(struct source *s, const char *arg, struct err *e)
{
    return open_engine(s, arg, ENGINE_PODMAN, e);
}

/* ---- prefixes
 * ---------------------------------------------------------------------------------------------- */

static const struct {
    const char *prefix, *kind;
    int (*open)(struct source *s, const char *arg, struct err *e);
} prefixes[] = {
    {"docker-archive:", "docker-archive", open_archive},
    {"oci-archive:", "oci-archive", open_archive},
    {"oci-dir:", "oci-dir", open_layout},
    {"oci:", "oci-dir", open_layout}, /* skopeo's word */
    {"docker:", "docker", open_docker},
    {"podman:", "podman", open_podman},
    {"dir:", "dir", open_directory},
    {"host:", "host", open_host},
};

/* A name without prefix that is no path: the local engines, then the registry. */
static int open_reference(struct source *s, const char *text, const struct source_options *o,
                          struct err *e)
{
    static const struct {
        enum engine_kind kind;
        const char *name;
    } engines[] = {{ENGINE_DOCKER, "docker"}, {ENGINE_PODMAN, "podman"}};
    struct reference ref;
    char socket[256];
    int r = reference_parse(str_z(text), &ref, e);
    if (r < 0)
        return r;
    for (size_t i = 0; i < KE_ARRAY_LEN(engines) && !s->platform_asked; i++) {
        struct err ignored;
        if (!engine_socket_find(engines[i].kind, socket, sizeof socket))
            continue;
        s->kind = engines[i].name;
        if (open_engine(s, text, engines[i].kind, &ignored) == 0)
            return 0;
    }
    s->kind = "registry";
    return open_registry(s, text, o, e);
}

static bool looks_like_path(const char *text)
{
    str t = str_z(text);
    return str_starts(t, STR("/")) || str_starts(t, STR("./")) || str_starts(t, STR("../")) ||
           str_eq(t, STR(".")) || str_eq(t, STR("..")) || str_ends(t, STR("/"));
}

static int open_guessed(struct source *s, const char *text, const struct source_options *o,
                        struct err *e)
{
    char layout[PATH_MAX];
    if (strcmp(text, "-") == 0 || fs_is_file(text)) {
        s->kind = "docker-archive";
        return open_archive(s, text, e);
    }
    snprintf(layout, sizeof layout, "%s/oci-layout", text);
    if (fs_is_file(layout)) {
        s->kind = "oci-dir";
        return open_layout(s, text, e);
    }
    if (looks_like_path(text)) {
        s->kind = "dir";
        return open_directory(s, text, e);
    }
    return open_reference(s, text, o, e);
}

static int source_open_text(struct source *s, const char *text, const struct source_options *o,
                            struct err *e)
{
    static const char registry_prefix[] = "registry:";
    for (size_t i = 0; i < KE_ARRAY_LEN(prefixes); i++) {
        size_t n = strlen(prefixes[i].prefix);
        if (strncmp(text, prefixes[i].prefix, n) != 0)
            continue;
        s->kind = prefixes[i].kind;
        if (text[n] == '\0' && !s->host && prefixes[i].open != open_host)
            return err_set(e, ERR_USAGE, "%s names nothing after the prefix", text);
        return prefixes[i].open(s, text + n, e);
    }
    str rest = str_from(str_z(text), sizeof registry_prefix - 1);
    uint64_t port; /* "registry:5000/a" is an image of a host of that name */
    if (strncmp(text, registry_prefix, sizeof registry_prefix - 1) == 0 && strchr(text, '/') &&
        !str_to_u64(str_split(&rest, '/'), &port)) {
        s->kind = "registry";
        return open_registry(s, text + sizeof registry_prefix - 1, o, e);
    }
    return open_guessed(s, text, o, e);
}

int source_open(const char *text, const struct source_options *o, struct source **out,
                struct err *e)
{
    struct source *s = calloc(1, sizeof *s);
    if (!s)
        return err_no_memory(e);
    s->text = text;
    s->fd = -1;
    s->platform = platform_host();
    s->platform_asked = o->platform != NULL;
    int r = 0;
    if (o->platform)
        r = platform_parse(str_z(o->platform), &s->platform, e);
    if (r == 0)
        r = source_open_text(s, text, o, e);
    if (r < 0) {
        source_close(s);
        return r;
    }
    *out = s;
    return 0;
}

void source_close(struct source *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    transfers_end(s);
    registry_close(s->registry);
    free(s);
}
