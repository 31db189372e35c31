#include "packages/launch.h"

#include "base/auto.h"
#include "packages/zygote.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { FAREWELL_MS = 2000 }; /* from its last word to its end */

/* ---- the child
 * -----------------------------------------------------------------------------------------------
 */

/* Whatever else this process has open (connections to registries, the engine's sockets) is no
 * affair of the code that reads images. */
static void keep_only(int a, int b)
{
    unsigned low = (unsigned)(a < b ? a : b), high = (unsigned)(a < b ? b : a);
    if (b < 0)
        low = high = (unsigned)a;
    if (low > 3)
        close_range(3, low - 1, 0);
    if (high > low + 1)
        close_range(low + 1, high - 1, 0);
    close_range(high + 1, ~0u, 0);
}

int launch_become(const struct source *s, int sock, const struct analyst_options *o, pid_t parent)
{
    struct rlimit core = {0, 0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before that */
        return EXIT_FAILURE;
    keep_only(sock, s->fd);
    setrlimit(RLIMIT_CORE, &core); /* a core file would hold the image's bytes */
    signal(SIGPIPE, SIG_IGN);
    return analyst_main(s, sock, o);
}

static int fork_here(const struct source *s, const struct analyst_options *o, int sock, int other,
                     pid_t *child, struct err *e)
{
    fflush(NULL);
    pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        return err_errno(e, "cannot start the analyser");
    if (pid == 0) {
        close(other);
        _exit(launch_become(s, sock, o, parent));
    }
    *child = pid;
    return 0;
}

int launch_begin(struct zygote *z, const struct source *s, const struct analyst_options *o,
                 int progress_fd, struct launch *out, struct err *e)
{
    int ends[2];
    *out = (struct launch){.sock = -1, .control = -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return err_errno(e, "cannot make a socket pair");
    int r = z ? zygote_ask(z, s, o, ends[1], progress_fd, &out->control, e)
              : fork_here(s, o, ends[1], ends[0], &out->child, e);
    close(ends[1]);
    if (r < 0)
        close(ends[0]);
    else
        out->sock = ends[0];
    return r;
}

/* ---- the end
 * ------------------------------------------------------------------------------------------------
 */

int launch_status(int status, struct err *e)
{
    if (!WIFSIGNALED(status))
        return 0;
    return err_set(e, ERR_IO,
                   "the analyser was stopped by signal %d (%s) while reading the image: please "
                   "report it",
                   WTERMSIG(status), strsignal(WTERMSIG(status)));
}

static int end_child(pid_t pid, struct err *e)
{
    int status, handle autoclose = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd ended = {.fd = handle, .events = POLLIN};
    bool killed = poll(&ended, 1, FAREWELL_MS) != 1;
    if (killed)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_errno(e, "cannot wait for the analyser");
    return killed ? 0 : launch_status(status, e);
}

static bool answered(int control)
{
    struct pollfd p = {.fd = control, .events = POLLIN};
    int n;
    do
        n = poll(&p, 1, FAREWELL_MS);
    while (n < 0 && errno == EINTR);
    return n == 1;
}

static int end_control(int control, struct err *e)
{
    int status;
    if (answered(control)) {
        int r = zygote_answer(control, &status, e);
        return r < 0 ? r : launch_status(status, e);
    }
    shutdown(control, SHUT_WR); /* the zygote kills it */
    return answered(control) ? zygote_answer(control, &status, e) : 0;
}

int launch_end(struct launch *l, struct err *e)
{
    int r = l->child ? end_child(l->child, e) : l->control >= 0 ? end_control(l->control, e) : 0;
    if (l->control >= 0)
        close(l->control);
    *l = (struct launch){.sock = -1, .control = -1};
    return r;
}
