#include "image/credential_helper.h"

#include "base/auto.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

enum { HELPER_MS = 30 * 1000, HELPER_OUTPUT = 64 << 10, HELPER_NAME = 64, SERVER_MAX = 1024 };

extern char **environ;

/* The name comes from a configuration file: it must not lead to another directory. */
static bool name_ok(str name)
{
    if (name.n == 0 || name.n > HELPER_NAME || name.p[0] == '.')
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (!ke_isalnum(name.p[i]) && !strchr("-_.", name.p[i]))
            return false;
    return true;
}

static int spawn(const char *program, int in, int out, pid_t *pid, struct err *e)
{
    char *argv[] = {(char *)(uintptr_t)program, (char *)(uintptr_t) "get", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    posix_spawn_file_actions_adddup2(&actions, in, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    int failed = posix_spawnp(pid, program, &actions, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    if (!failed)
        return 0;
    errno = failed;
    err_errno(e, "cannot run %s", program);
    return ERR_AUTH;
}

/* Until the end of the output or the deadline. */
static int collect(int fd, const char *program, int64_t deadline, struct buf *out, struct err *e)
{
    char piece[4096];
    for (;;) {
        int64_t left = deadline - clock_ms();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int ready = left > 0 ? poll(&p, 1, (int)left) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return err_set(e, ERR_AUTH, "%s did not answer within %d seconds", program,
                           HELPER_MS / 1000);
        ssize_t got = read(fd, piece, sizeof piece);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return 0;
        if (out->n + (size_t)got > HELPER_OUTPUT)
            return err_set(e, ERR_AUTH, "%s wrote more than %d KiB", program, HELPER_OUTPUT >> 10);
        buf_add(out, piece, (size_t)got);
    }
}

/* The exit status; kills the helper when it is still there at the deadline. */
static int reap(pid_t pid, int64_t deadline)
{
    int status = -1;
    for (;;) {
        pid_t done = waitpid(pid, &status, WNOHANG);
        if (done == pid)
            return status;
        if (done < 0 && errno != EINTR)
            return -1;
        if (clock_ms() >= deadline)
            break;
        poll(NULL, 0, 5);
    }
    kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return -1;
}

static int run(const char *program, const char *server, struct buf *out, struct err *e)
{
    int in[2] = {-1, -1}, res[2] = {-1, -1};
    if (pipe2(in, O_CLOEXEC) != 0)
        return err_errno(e, "cannot make a pipe");
    int in_read autoclose = in[0], in_write autoclose = in[1];
    if (pipe2(res, O_CLOEXEC) != 0)
        return err_errno(e, "cannot make a pipe");
    int res_read autoclose = res[0], res_write autoclose = res[1];
    /* Fits into the pipe: written before anybody could be gone, so that no SIGPIPE comes. */
    if (write(in_write, server, strlen(server)) != (ssize_t)strlen(server))
        return err_errno(e, "cannot write to a pipe");
    close(TAKE_FD(in_write));
    pid_t pid;
    int rc = spawn(program, in_read, res_write, &pid, e);
    close(TAKE_FD(res_write));
    if (rc < 0)
        return rc;
    int64_t deadline = clock_ms() + HELPER_MS;
    rc = collect(res_read, program, deadline, out, e);
    int status = reap(pid, rc < 0 ? 0 : deadline);
    if (rc < 0)
        return rc;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 1;
    if (str_contains(buf_view(out), STR("credentials not found")))
        return 0;
    str said = str_trim(buf_view(out));
    return err_set(e, ERR_AUTH, "%s failed%s%.*s", program, said.n ? ": " : "",
                   (int)(said.n < 200 ? said.n : 200), said.n ? said.p : "");
}

int credential_helper_get(const char *name, const char *server, struct buf *out, struct err *e)
{
    char program[HELPER_NAME + 32];
    if (!name_ok(str_z(name)))
        return err_set(e, ERR_AUTH, "\"%.64s\" is not a credential helper's name", name);
    if (strlen(server) > SERVER_MAX)
        return err_set(e, ERR_AUTH, "the registry's name is too long");
    snprintf(program, sizeof program, "docker-credential-%s", name);
    return run(program, server, out, e);
}
