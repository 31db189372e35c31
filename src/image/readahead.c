#include "image/readahead.h"

#include <pthread.h>
#include <stdlib.h>

enum { SLOTS = 4, SLOT_SIZE = 128 * 1024 };

struct slot {
    size_t n; /* 0: the end, or the failure */
    uint8_t data[SLOT_SIZE];
};

struct readahead {
    struct stream s;
    struct stream *below;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned filled; /* slots written and not yet given back */
    unsigned read_at, write_at;
    bool holding; /* the reader's view is a slot */
    bool stop;
    int result; /* of below, set before the last slot */
    struct err failure;
    struct slot slots[SLOTS];
};

static struct slot *readahead_free_slot(struct readahead *r)
{
    pthread_mutex_lock(&r->lock);
    while (r->filled == SLOTS && !r->stop)
        pthread_cond_wait(&r->changed, &r->lock);
    struct slot *slot = r->stop ? NULL : &r->slots[r->write_at];
    pthread_mutex_unlock(&r->lock);
    return slot;
}

static void readahead_publish(struct readahead *r)
{
    pthread_mutex_lock(&r->lock);
    r->write_at = (r->write_at + 1) % SLOTS;
    r->filled++;
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static void *readahead_run(void *arg)
{
    struct readahead *r = arg;
    bool more = true;
    while (more) {
        struct slot *slot = readahead_free_slot(r);
        if (!slot)
            break;
        int64_t got = stream_read(r->below, slot->data, SLOT_SIZE, &r->failure);
        slot->n = got > 0 ? (size_t)got : 0;
        more = got == SLOT_SIZE;
        if (got < 0)
            r->result = (int)got;
        readahead_publish(r);
        if (got > 0 && !more) { /* a short read is followed by the end or by the failure */
            slot = readahead_free_slot(r);
            if (!slot)
                break;
            const uint8_t *p;
            int64_t rest = stream_view(r->below, &p, &r->failure);
            r->result = rest < 0 ? (int)rest : 0;
            slot->n = 0;
            readahead_publish(r);
        }
    }
    return NULL;
}

static int readahead_fill(struct stream *s, struct err *e)
{
    struct readahead *r = (struct readahead *)s;
    pthread_mutex_lock(&r->lock);
    if (r->holding) {
        r->read_at = (r->read_at + 1) % SLOTS;
        r->filled--;
        r->holding = false;
        pthread_cond_signal(&r->changed);
    }
    while (r->filled == 0)
        pthread_cond_wait(&r->changed, &r->lock);
    struct slot *slot = &r->slots[r->read_at];
    r->holding = true;
    pthread_mutex_unlock(&r->lock);
    s->p = slot->data;
    s->end = slot->data + slot->n;
    if (slot->n)
        return 0;
    s->eof = true;
    if (r->result < 0 && e)
        *e = r->failure;
    return r->result;
}

static void readahead_close(struct stream *s)
{
    struct readahead *r = (struct readahead *)s;
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static const struct stream_ops readahead_ops = {
    .name = "readahead", .fill = readahead_fill, .close = readahead_close};

int readahead_open(struct stream *below, struct stream **out, struct err *e)
{
    struct readahead *r = malloc(sizeof *r);
    if (!r)
        return err_no_memory(e);
    memset(r, 0, offsetof(struct readahead, slots));
    r->s.ops = &readahead_ops;
    r->below = below;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, NULL);
    if (pthread_create(&r->thread, NULL, readahead_run, r) != 0) {
        free(r);
        return err_set(e, ERR_IO, "cannot start a thread");
    }
    *out = &r->s;
    return 0;
}
