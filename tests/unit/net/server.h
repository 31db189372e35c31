/* server.h - starts server.py (beside this file) for a test program. */
#ifndef KELLET_TESTS_NET_SERVER_H
#define KELLET_TESTS_NET_SERVER_H

#include "unit.h"

#include <fcntl.h>
#include <sys/wait.h>

struct server {
    pid_t pid;
    int stdin_fd; /* closing it ends the server */
    unsigned port, other, tls;
    char ca[512];
};

/* script: below tests/unit. False, after a line that says so, when there is no python3. */
static inline bool server_start(struct server *s, const char *script)
{
    int in[2], out[2];
    char line[1024] = "", *at = line;
    char path[4096];
    str tests = str_dirname(str_dirname(str_z(test_data_path("x"))));
    snprintf(path, sizeof path, "%.*s/unit/%s", STR_ARG(tests), script);
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
        return false;
    s->pid = fork();
    if (s->pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        execlp("python3", "python3", path, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    s->stdin_fd = in[1];
    while (at < line + sizeof line - 1 && read(out[0], at, 1) == 1 && *at != '\n')
        at++;
    *at = 0;
    close(out[0]);
    str rest = str_z(line);
    uint64_t port = 0, other = 0, tls = 0;
    if (!str_to_u64(str_split(&rest, ' '), &port) || !str_to_u64(str_split(&rest, ' '), &other) ||
        !str_to_u64(str_split(&rest, ' '), &tls)) {
        printf("skipped: python3 is not here, or %s does not start\n", script);
        return false;
    }
    s->port = (unsigned)port;
    s->other = (unsigned)other;
    s->tls = (unsigned)tls;
    snprintf(s->ca, sizeof s->ca, "%.*s", STR_ARG(rest));
    return true;
}

static inline void server_stop(struct server *s)
{
    int status;
    close(s->stdin_fd);
    if (s->pid > 0)
        waitpid(s->pid, &status, 0);
}

#endif
