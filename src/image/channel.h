/* channel.h - messages between the confined process (the analyst) and its parent (the broker).
 *
 * A SOCK_SEQPACKET pair; the analyst asks, the broker answers, one question at a time (a mutex in
 * the analyst keeps its threads apart). Bodies are varint-prefixed strings and varints; a
 * descriptor may travel with a message. Neither side trusts lengths in what it receives. */
#ifndef KELLET_IMAGE_CHANNEL_H
#define KELLET_IMAGE_CHANNEL_H

#include "base/buf.h"
#include "base/cursor.h"

enum message_type {
    MSG_NONE = 0,
    /* questions */
    MSG_MANIFEST, /* text: tag or digest, "" for the source's own -> MSG_OK size, media type + fd */
    MSG_BLOB,     /* digest, size, urls ('\n' between) -> MSG_OK seekable + fd */
    MSG_BLOB_STATUS, /* digest: how did its transfer end? -> MSG_OK, or MSG_FAIL */
    MSG_HAVE,        /* diff_id: are its facts known? -> MSG_OK 0 or 1 */
    MSG_RECORD,      /* diff_id, problems' count + fd of a layer record -> MSG_OK */
    MSG_TEMP,        /* -> MSG_OK + fd of an empty unlinked file */
    MSG_MALWARE,     /* -> MSG_OK + fd that takes files (malware.h) */
    MSG_IMAGE,       /* what the image is (image/description.h) + fd -> MSG_OK */
    MSG_DONE,        /* -> MSG_OK */
    /* answers (MSG_FAIL is also how the analyst gives up) */
    MSG_OK,
    MSG_FAIL, /* code (negated), text */
    /* between an engine and the process that starts its analysts (packages/zygote.h) */
    MSG_HAND,  /* + fd: for the analyst */
    MSG_ORDER, /* + fd: to be started now */
    MSG_ENDED, /* wait status */
    MSG_LAST = MSG_ENDED,
};

enum { MESSAGE_MAX = 32 * 1024 };

struct message {
    enum message_type type;
    struct cursor body; /* views data */
    int fd;             /* -1: none. Owned by the receiver */
    uint8_t data[MESSAGE_MAX];
};

void message_put_str(struct buf *b, str s);
str message_get_str(struct message *m);

/* body may be NULL. ERR_IO when the other end is gone. */
int channel_send(int sock, enum message_type type, const struct buf *body, int fd, struct err *e);
/* 1: received, 0: the other end is gone, or a negative code. */
int channel_receive(int sock, struct message *m, struct err *e);
/* Turns a MSG_FAIL into *e and its code; ERR_FORMAT when the body is not one. */
int message_failure(struct message *m, struct err *e);
void message_put_failure(struct buf *b, const struct err *e);

#endif
