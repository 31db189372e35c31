/* zygote.c - the parent's side, then the zygote's own. */
#include "packages/zygote.h"

#include "base/auto.h"
#include "base/fs.h"
#include "codec/digest.h"
#include "image/channel.h"
#include "packages/analyst_order.h"
#include "packages/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { ANALYSTS_MAX = 512, REAP_MS = 50 };

struct zygote {
    pid_t pid;
    int sock;
};

/* ---- the parent
 * ------------------------------------------------------------------------------------------- */

static int order_fd(const struct source *s, const struct analyst_options *o, int *out,
                    struct err *e)
{
    auto_buf order;
    buf_init(&order, ORDER_BYTES_MAX);
    order_encode(s, o, &order);
    int r = buf_check(&order, "the order for the analyser", e);
    if (r < 0)
        return r;
    int fd autoclose = memfd_create("order", MFD_CLOEXEC);
    if (fd < 0)
        return err_errno(e, "cannot write the order for the analyser");
    r = fs_write_all(fd, order.p, order.n, e);
    if (r == 0)
        *out = TAKE_FD(fd);
    return r;
}

static int hand_over(int control, const struct source *s, const struct analyst_options *o, int sock,
                     int progress_fd, struct err *e)
{
    int order autoclose = -1;
    int r = order_fd(s, o, &order, e);
    if (r == 0)
        r = channel_send(control, MSG_HAND, NULL, sock, e);
    if (r == 0)
        r = channel_send(control, MSG_HAND, NULL, progress_fd, e);
    if (r == 0 && s->fd >= 0)
        r = channel_send(control, MSG_HAND, NULL, s->fd, e);
    return r < 0 ? r : channel_send(control, MSG_ORDER, NULL, order, e);
}

int zygote_ask(struct zygote *z, const struct source *s, const struct analyst_options *o, int sock,
               int progress_fd, int *control, struct err *e)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return err_errno(e, "cannot make a socket pair");
    int mine autoclose = ends[0], its KE_UNUSED autoclose = ends[1];
    int r = hand_over(mine, s, o, sock, progress_fd, e);
    if (r == 0 && channel_send(z->sock, MSG_ORDER, NULL, its, NULL) < 0)
        r = err_set(e, ERR_IO, "the process that starts analysers is gone");
    if (r == 0)
        *control = TAKE_FD(mine);
    return r;
}

int zygote_answer(int control, int *status, struct err *e)
{
    struct message *m autofree = malloc(sizeof *m);
    if (!m)
        return err_no_memory(e);
    int r = channel_receive(control, m, e);
    if (r < 0)
        return r;
    if (r == 0)
        return err_set(e, ERR_IO, "the process that starts analysers is gone");
    int received KE_UNUSED autoclose = m->fd;
    if (m->type == MSG_FAIL)
        return message_failure(m, e);
    uint64_t value = cursor_varint(&m->body);
    if (m->type != MSG_ENDED || !cursor_ok(&m->body))
        return err_set(e, ERR_FORMAT, "a malformed message from the process that starts analysers");
    *status = (int)value;
    return 0;
}

bool zygote_alive(const struct zygote *z)
{
    struct pollfd p = {.fd = z->sock};
    return poll(&p, 1, 0) == 0;
}

pid_t zygote_pid(const struct zygote *z)
{
    return z->pid;
}

void zygote_stop(struct zygote *z)
{
    if (!z)
        return;
    close(z->sock);
    while (waitpid(z->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    free(z);
}

/* ---- the zygote
 * ------------------------------------------------------------------------------------------- */

struct analyst_child {
    pid_t pid;
    int control; /* -1: nobody wants to know any more */
    int handle;  /* of the process; -1: the kernel has none */
    bool killed;
};

struct nursery {
    int sock;
    struct message message;
    size_t n;
    struct analyst_child children[ANALYSTS_MAX];
    struct pollfd polls[1 + 2 * ANALYSTS_MAX];
};

struct handed {
    int sock, progress, source, order;
};

static void handed_close(struct handed *h)
{
    int all[] = {h->sock, h->progress, h->source, h->order};
    for (size_t i = 0; i < KE_ARRAY_LEN(all); i++)
        if (all[i] >= 0)
            close(all[i]);
}

/* All of it was sent before the control itself was. */
static int handed_take(int control, struct message *m, struct handed *h, struct err *e)
{
    int *const places[] = {&h->sock, &h->progress, &h->source};
    if (fcntl(control, F_SETFL, O_NONBLOCK) < 0)
        return err_errno(e, "cannot hear the engine");
    for (size_t i = 0; i <= KE_ARRAY_LEN(places); i++) {
        int r = channel_receive(control, m, e);
        if (r < 0)
            return r;
        if (r == 0 || m->fd < 0)
            break;
        if (m->type == MSG_ORDER && i >= 2) {
            h->order = m->fd;
            return 0;
        }
        if (m->type != MSG_HAND || i == KE_ARRAY_LEN(places)) {
            close(m->fd);
            break;
        }
        *places[i] = m->fd;
    }
    return err_set(e, ERR_FORMAT, "a malformed order for the analyser");
}

/* In the new process. */
static int child_main(struct handed *h, pid_t parent)
{
    struct err e = {0};
    struct analyst_order *order;
    auto_buf bytes, body;
    buf_init(&bytes, ORDER_BYTES_MAX);
    buf_init(&body, MESSAGE_MAX);
    int r = lseek(h->order, 0, SEEK_SET) < 0 ? err_errno(&e, "cannot read the analyser's order")
                                             : fs_read_fd(h->order, "the order", &bytes, &e);
    if (r == 0)
        r = order_decode(buf_view(&bytes), &order, &e);
    if (r == 0) {
        order->source.fd = h->source;
        order->options.progress = mmap(NULL, sizeof *order->options.progress,
                                       PROT_READ | PROT_WRITE, MAP_SHARED, h->progress, 0);
        if (order->options.progress == MAP_FAILED)
            r = err_errno(&e, "cannot share memory with the engine");
    }
    if (r == 0)
        return launch_become(&order->source, h->sock, &order->options, parent);
    message_put_failure(&body, &e);
    channel_send(h->sock, MSG_FAIL, &body, -1, &e);
    return EXIT_FAILURE;
}

static int child_start(struct nursery *n, struct handed *h, pid_t *pid, struct err *e)
{
    if (n->n == ANALYSTS_MAX)
        return err_set(e, ERR_LIMIT, "%d analysers run already", ANALYSTS_MAX);
    pid_t parent = getpid();
    *pid = fork();
    if (*pid < 0)
        return err_errno(e, "cannot start the analyser");
    if (*pid == 0)
        _exit(child_main(h, parent));
    return 0;
}

static void nursery_add(struct nursery *n, int control)
{
    struct err e = {0};
    struct handed h = {-1, -1, -1, -1};
    pid_t pid = -1;
    int r = handed_take(control, &n->message, &h, &e);
    if (r == 0)
        r = child_start(n, &h, &pid, &e);
    handed_close(&h);
    if (r == 0) {
        n->children[n->n++] = (struct analyst_child){
            .pid = pid, .control = control, .handle = (int)syscall(SYS_pidfd_open, pid, 0)};
        return;
    }
    auto_buf body;
    buf_init(&body, MESSAGE_MAX);
    e.code = r;
    message_put_failure(&body, &e);
    channel_send(control, MSG_FAIL, &body, -1, NULL);
    close(control);
}

static bool child_ended(struct analyst_child *c)
{
    int status;
    pid_t got = waitpid(c->pid, &status, WNOHANG);
    if (got == 0 || (got < 0 && errno == EINTR))
        return false;
    if (got > 0 && c->control >= 0) {
        auto_buf body;
        buf_init(&body, 16);
        buf_add_varint(&body, (uint64_t)status);
        channel_send(c->control, MSG_ENDED, &body, -1, NULL);
    }
    if (c->control >= 0)
        close(c->control);
    if (c->handle >= 0)
        close(c->handle);
    return true;
}

/* A control that says anything was shut down (the analyst is to die; its end is still told) or
 * closed. */
static void child_unwanted(struct analyst_child *c, short events)
{
    if (!events || c->control < 0)
        return;
    kill(c->pid, SIGKILL);
    c->killed = true;
    if (events & (POLLHUP | POLLERR)) {
        close(c->control);
        c->control = -1;
    }
}

static bool nursery_wait(struct nursery *n)
{
    int timeout = -1;
    n->polls[0] = (struct pollfd){.fd = n->sock, .events = POLLIN};
    for (size_t i = 0; i < n->n; i++) {
        const struct analyst_child *c = &n->children[i];
        n->polls[1 + 2 * i] = (struct pollfd){.fd = c->control, .events = c->killed ? 0 : POLLIN};
        n->polls[2 + 2 * i] = (struct pollfd){.fd = c->handle, .events = POLLIN};
        if (c->handle < 0)
            timeout = REAP_MS;
    }
    int got = poll(n->polls, 1 + 2 * n->n, timeout);
    return got >= 0 || errno == EINTR;
}

/* Until the parent is gone. */
static void nursery_run(struct nursery *n)
{
    struct err e;
    while (nursery_wait(n)) {
        for (size_t i = n->n; i-- > 0;) {
            child_unwanted(&n->children[i], n->polls[1 + 2 * i].revents);
            if (child_ended(&n->children[i]))
                n->children[i] = n->children[--n->n];
        }
        if (!n->polls[0].revents)
            continue;
        int r = channel_receive(n->sock, &n->message, &e);
        if (r <= 0)
            break;
        if (n->message.fd >= 0)
            nursery_add(n, n->message.fd);
    }
    for (size_t i = 0; i < n->n; i++)
        kill(n->children[i].pid, SIGKILL);
}

static int zygote_main(int sock, pid_t parent)
{
    static const int left_to_the_parent[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    struct nursery *n = calloc(1, sizeof *n);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "kellet-zygote");
    if (!n || getppid() != parent)
        return EXIT_FAILURE;
    for (size_t i = 0; i < KE_ARRAY_LEN(left_to_the_parent); i++)
        signal(left_to_the_parent[i], SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    sha256_of("", 0); /* loads the crypto library once for all analysts */
    n->sock = sock;
    nursery_run(n);
    free(n);
    return EXIT_SUCCESS;
}

int zygote_start(struct zygote **out, struct err *e)
{
    int ends[2];
    struct zygote *z = calloc(1, sizeof *z);
    if (!z)
        return err_no_memory(e);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        free(z);
        return err_errno(e, "cannot make a socket pair");
    }
    fflush(NULL);
    pid_t parent = getpid();
    z->pid = fork();
    if (z->pid == 0) {
        close(ends[0]);
        _exit(zygote_main(ends[1], parent));
    }
    close(ends[1]);
    z->sock = ends[0];
    if (z->pid < 0) {
        close(z->sock);
        free(z);
        return err_errno(e, "cannot start the process that starts analysers");
    }
    *out = z;
    return 0;
}
