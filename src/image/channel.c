#include "image/channel.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

void message_put_str(struct buf *b, str s)
{
    buf_add_varint(b, s.n);
    buf_add_str(b, s);
}

str message_get_str(struct message *m)
{
    uint64_t n = cursor_varint(&m->body);
    if (n > MESSAGE_MAX) {
        m->body.failed = true;
        return (str){NULL, 0};
    }
    return cursor_bytes(&m->body, (size_t)n);
}

union fd_control {
    struct cmsghdr align;
    char space[CMSG_SPACE(sizeof(int))];
};

int channel_send(int sock, enum message_type type, const struct buf *body, int fd, struct err *e)
{
    uint32_t head = (uint32_t)type;
    union fd_control control = {0};
    struct iovec parts[2] = {{&head, sizeof head}, {body ? body->p : NULL, body ? body->n : 0}};
    struct msghdr msg = {.msg_iov = parts, .msg_iovlen = 2};
    if (body && (body->failed || body->n > MESSAGE_MAX))
        return err_set(e, ERR_LIMIT, "a message between processes is too long");
    if (fd >= 0) {
        msg.msg_control = control.space;
        msg.msg_controllen = sizeof control.space;
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    for (;;) {
        if (sendmsg(sock, &msg, MSG_NOSIGNAL) >= 0)
            return 0;
        if (errno != EINTR)
            return err_errno(e, "cannot talk to the other process");
    }
}

/* Padding leaves room for more than one descriptor. False when more came: those are closed. */
static bool take_descriptor(struct msghdr *msg, int *fd)
{
    bool one = true;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t at = CMSG_LEN(0); at + sizeof *fd <= c->cmsg_len; at += sizeof *fd) {
            int received;
            memcpy(&received, (const char *)c + at, sizeof received);
            if (*fd < 0) {
                *fd = received;
            } else {
                close(received);
                one = false;
            }
        }
    }
    return one;
}

int channel_receive(int sock, struct message *m, struct err *e)
{
    uint32_t head;
    union fd_control control;
    struct iovec parts[2] = {{&head, sizeof head}, {m->data, sizeof m->data}};
    struct msghdr msg = {.msg_iov = parts,
                         .msg_iovlen = 2,
                         .msg_control = control.space,
                         .msg_controllen = sizeof control.space};
    ssize_t got;
    m->fd = -1;
    do
        got = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got == 0 || (got < 0 && errno == ECONNRESET))
        return 0;
    if (got < 0)
        return err_errno(e, "cannot hear the other process");
    bool one = take_descriptor(&msg, &m->fd);
    if (!one || (size_t)got < sizeof head || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
        head > MSG_LAST) {
        if (m->fd >= 0)
            close(m->fd);
        m->fd = -1;
        return err_set(e, ERR_FORMAT, "a malformed message from the other process");
    }
    m->type = (enum message_type)head;
    m->body = cursor_over(m->data, (size_t)got - sizeof head);
    return 1;
}

void message_put_failure(struct buf *b, const struct err *e)
{
    buf_add_varint(b, (uint64_t)-e->code);
    message_put_str(b, str_z(e->text));
}

int message_failure(struct message *m, struct err *e)
{
    uint64_t code = cursor_varint(&m->body);
    str text = message_get_str(m);
    if (!cursor_ok(&m->body) || code == 0 || code > 100)
        return err_set(e, ERR_FORMAT, "a malformed message from the other process");
    return err_set(e, -(int)code, "%.*s", STR_ARG(text));
}
