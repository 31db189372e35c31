#include "image/broker.h"

#include "base/auto.h"
#include "base/clock.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <time.h>

enum { TICK_MS = 100 };

struct answer {
    struct buf body;
    int fd;
};

static int answer_manifest(struct source *s, struct message *q, struct answer *a, struct err *e)
{
    char media_type[128];
    str name = message_get_str(q);
    int r = source_manifest(s, name, &a->fd, media_type, e);
    if (r == 0)
        message_put_str(&a->body, str_z(media_type));
    return r;
}

static int answer_blob(struct source *s, struct message *q, struct answer *a, struct err *e)
{
    bool seekable;
    str digest = message_get_str(q);
    uint64_t size = cursor_varint(&q->body);
    str urls = message_get_str(q);
    int r = source_blob(s, digest, size, urls, &a->fd, &seekable, e);
    if (r == 0)
        buf_add_varint(&a->body, seekable);
    return r;
}

static int answer_record(const struct broker_events *ev, struct message *q, struct err *e)
{
    str diff_id = message_get_str(q);
    bool keep = cursor_varint(&q->body) == 1;
    if (!cursor_ok(&q->body) || q->fd < 0)
        return err_set(e, ERR_FORMAT, "a malformed message from the analyser");
    return ev->record(ev->ctx, diff_id, keep, q->fd, e);
}

/* The answer to one question; a negative code becomes MSG_FAIL. */
static int answer(struct source *s, const struct broker_events *ev, struct message *q,
                  struct answer *a, struct err *e)
{
    switch (q->type) {
    case MSG_MANIFEST:
        return answer_manifest(s, q, a, e);
    case MSG_BLOB:
        return answer_blob(s, q, a, e);
    case MSG_BLOB_STATUS:
        return source_blob_status(s, message_get_str(q), e);
    case MSG_HAVE:
        buf_add_varint(&a->body, ev->have(ev->ctx, message_get_str(q)));
        return 0;
    case MSG_RECORD:
        return answer_record(ev, q, e);
    case MSG_TEMP:
        return fs_temp_fd(&a->fd, e);
    case MSG_MALWARE:
        return ev->malware ? ev->malware(ev->ctx, &a->fd, e)
                           : err_set(e, ERR_FORMAT, "nobody searches for malware");
    case MSG_IMAGE:
        return q->fd < 0 ? err_set(e, ERR_FORMAT, "a malformed message from the analyser")
                         : ev->image(ev->ctx, q->fd, e);
    default:
        return err_set(e, ERR_FORMAT, "an unknown question from the analyser");
    }
}

static int broker_wait(int sock, uint32_t quiet_s, const struct broker_events *ev, struct err *e)
{
    int64_t since = clock_s();
    uint64_t before = ev->tick(ev->ctx);
    for (;;) {
        struct pollfd p = {.fd = sock, .events = POLLIN};
        int n = poll(&p, 1, TICK_MS);
        if (n < 0 && errno != EINTR)
            return err_errno(e, "cannot wait for the analyser");
        uint64_t progress = ev->tick(ev->ctx);
        if (ev->unwanted && ev->unwanted(ev->ctx))
            return err_set(e, ERR_CONFLICT, "the scan was given up");
        if (n > 0)
            return 0;
        if (progress != before)
            since = clock_s();
        before = progress;
        if (quiet_s && clock_s() - since > quiet_s)
            return err_set(
                e, ERR_LIMIT,
                "the analyser got no further for %u seconds and was ended: please report "
                "it",
                quiet_s);
    }
}

/* One question and its answer. 1: go on, 0: done, or a negative code. */
static int broker_turn(struct source *s, int sock, uint32_t quiet_s, const struct broker_events *ev,
                       struct message *q, struct err *e)
{
    int r = broker_wait(sock, quiet_s, ev, e);
    if (r == 0)
        r = channel_receive(sock, q, e);
    if (r < 0)
        return r;
    if (r == 0)
        return err_set(e, ERR_IO, "the analyser stopped without an answer");
    int received KE_UNUSED autoclose = q->fd;
    if (q->type == MSG_FAIL)
        return message_failure(q, e);
    if (q->type == MSG_DONE)
        return 0;
    struct err problem = {0};
    struct answer a = {.fd = -1};
    buf_init(&a.body, MESSAGE_MAX);
    r = answer(s, ev, q, &a, &problem);
    if (r < 0) {
        problem.code = r;
        buf_clear(&a.body);
        message_put_failure(&a.body, &problem);
    }
    r = channel_send(sock, r < 0 ? MSG_FAIL : MSG_OK, &a.body, a.fd, e);
    if (a.fd >= 0)
        close(a.fd);
    buf_done(&a.body);
    return r < 0 ? r : 1;
}

int broker_serve(struct source *s, int sock, const struct broker_limits *limits,
                 const struct broker_events *ev, struct err *e)
{
    /* an analyst that reads no answers must not hold up who writes them */
    if (fcntl(sock, F_SETFL, O_NONBLOCK) < 0)
        return err_errno(e, "cannot talk to the analyser");
    struct message *q autofree = malloc(sizeof *q);
    if (!q)
        return err_no_memory(e);
    uint32_t fetches = 0;
    for (uint32_t i = 0; i < limits->questions && fetches < limits->fetches; i++) {
        int r = broker_turn(s, sock, limits->quiet_s, ev, q, e);
        if (r != 1)
            return r;
        fetches += q->type == MSG_MANIFEST || q->type == MSG_BLOB;
    }
    return err_set(e, ERR_LIMIT, "the analyser asked too many questions");
}
