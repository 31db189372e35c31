#include "net/clamd.h"

#include "base/auto.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

enum { WAIT_S = 120 }; /* what clamd may think about one file */

static int send_all(int fd, const void *p, size_t n, struct err *e)
{
    const char *at = p;
    while (n) {
        ssize_t sent = send(fd, at, n, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0) {
            err_errno(e, "cannot talk to clamd");
            return ERR_NET;
        }
        at += sent;
        n -= (size_t)sent;
    }
    return 0;
}

static int connect_to(int family, const void *address, socklen_t n, int *out, struct err *e)
{
    const struct timeval wait = {.tv_sec = WAIT_S};
    int fd autoclose = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(e, "cannot make a socket");
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    if (connect(fd, address, n) < 0) {
        err_errno(e, "clamd does not answer");
        return ERR_NET;
    }
    *out = TAKE_FD(fd);
    return 0;
}

static int connect_unix(str path, int *out, struct err *e)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (!path.n || path.n >= sizeof a.sun_path)
        return err_set(e, ERR_USAGE, "not a path of a socket: %.*s", STR_ARG(path));
    memcpy(a.sun_path, path.p, path.n);
    return connect_to(AF_UNIX, &a, sizeof a, out, e);
}

static int connect_tcp(str where, int *out, struct err *e)
{
    char host[256], port[16];
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    ptrdiff_t colon = str_rindex(where, ':');
    if (colon <= 0)
        return err_set(e, ERR_USAGE, "not HOST:PORT: %.*s", STR_ARG(where));
    str name = str_sub(where, 0, (size_t)colon), number = str_from(where, (size_t)colon + 1);
    if (name.p[0] == '[' && str_ends(name, STR("]")))
        name = str_sub(name, 1, name.n - 1);
    if (name.n >= sizeof host || !number.n || number.n >= sizeof port)
        return err_set(e, ERR_USAGE, "not HOST:PORT: %.*s", STR_ARG(where));
    snprintf(host, sizeof host, "%.*s", STR_ARG(name));
    snprintf(port, sizeof port, "%.*s", STR_ARG(number));
    int r = getaddrinfo(host, port, &hints, &list);
    if (r)
        return err_set(e, ERR_NET, "the host of clamd, %s, is not known: %s", host,
                       gai_strerror(r));
    r = err_set(e, ERR_NET, "the host of clamd, %s, has no address", host);
    for (struct addrinfo *a = list; a && r < 0; a = a->ai_next)
        r = connect_to(a->ai_family, a->ai_addr, a->ai_addrlen, out, e);
    freeaddrinfo(list);
    return r;
}

int clamd_connect(const char *endpoint, int *out, struct err *e)
{
    str all = str_z(endpoint);
    int r = str_starts(all, STR("unix:")) ? connect_unix(str_from(all, 5), out, e)
            : str_starts(all, STR("tcp:"))
                ? connect_tcp(str_from(all, 4), out, e)
                : err_set(e, ERR_USAGE, "not unix:PATH or tcp:HOST:PORT");
    return r < 0 ? err_wrap(e, "%s", endpoint) : 0;
}

/* To its zero byte, or to the end. False: nothing came in time. */
static bool receive(int fd, char text[CLAMD_TEXT])
{
    size_t n = 0;
    while (n < CLAMD_TEXT - 1) {
        ssize_t got = recv(fd, text + n, CLAMD_TEXT - 1 - n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        n += (size_t)got;
        if (memchr(text + n - (size_t)got, '\0', (size_t)got))
            break;
    }
    text[n] = '\0';
    return *text != '\0';
}

int clamd_version(const char *endpoint, char out[CLAMD_TEXT], struct err *e)
{
    int fd autoclose = -1;
    int r = clamd_connect(endpoint, &fd, e);
    if (r == 0)
        r = send_all(fd, "zVERSION", sizeof "zVERSION", e);
    if (r == 0 && !receive(fd, out))
        r = err_set(e, ERR_NET, "%s: clamd does not tell its version", endpoint);
    if (r == 0 && !str_starts(str_z(out), STR("ClamAV ")))
        r = err_set(e, ERR_FORMAT, "%s: what answers there is not clamd", endpoint);
    return r;
}

int clamd_begin(int fd, struct err *e)
{
    return send_all(fd, "zINSTREAM", sizeof "zINSTREAM", e);
}

int clamd_chunk(int fd, const void *p, size_t n, struct err *e)
{
    uint32_t head = htonl((uint32_t)n);
    int r = send_all(fd, &head, sizeof head, e);
    return r < 0 ? r : send_all(fd, p, n, e);
}

/* "stream: OK", "stream: Name FOUND", "... ERROR" */
enum clamd_verdict clamd_verdict(int fd, char text[CLAMD_TEXT])
{
    static const uint32_t last;
    char answer[CLAMD_TEXT];
    send_all(fd, &last, sizeof last, NULL);
    if (!receive(fd, answer)) {
        snprintf(text, CLAMD_TEXT, "clamd gave no verdict");
        return CLAMD_FAILED;
    }
    str said = str_z(answer), found = STR(" FOUND");
    if (str_starts(said, STR("stream: ")))
        said = str_from(said, 8);
    *text = '\0';
    if (str_eq(said, STR("OK")))
        return CLAMD_CLEAN;
    bool bad = str_ends(said, found);
    if (bad)
        said = str_sub(said, 0, said.n - found.n);
    snprintf(text, CLAMD_TEXT, "%.*s", STR_ARG(said));
    return bad ? CLAMD_FOUND : CLAMD_FAILED;
}
