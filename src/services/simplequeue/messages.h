/* messages.h - the queues of the original's simplequeue API, kept for clients that use it.
 *
 * The engine's own work is in store/queue.h; these queues hold what others put there. A queue comes
 * to be with its first message. Two differences from the original, both so that nothing is lost: a
 * message for a queue that nobody knows is kept, and a consumer that asks for a visibility timeout
 * gets one on every queue: what it doesn't delete comes again. Without one a message is removed as
 * it is handed out, but from a queue that limits how many are out (feed_sync_tasks). */
#ifndef KELLET_SERVICES_SIMPLEQUEUE_MESSAGES_H
#define KELLET_SERVICES_SIMPLEQUEUE_MESSAGES_H

#include "store/db.h"

struct simplequeue_message {
    int64_t id;
    str queue, payload, data_id, receipt; /* receipt.p NULL: none */
    int64_t visible_at, popped, priority, tries, max_tries, created, updated;
};

enum { SIMPLEQUEUE_NAME_MAX = 128, SIMPLEQUEUE_ID_TEXT = 33 };

/* The names that exist without any message; ended by NULL. */
extern const char *const simplequeue_known[];
/* Letters, digits, '_', '-' and '.'. */
bool simplequeue_name_ok(str queue);
/* The same for equal values, whatever the order of members: 32 hex digits. `sorted` is the
 * payload in the form that json_pretty writes. */
const char *simplequeue_data_id(str sorted, char text[SIMPLEQUEUE_ID_TEXT]);

/* Listeners of channel "simplequeue" are told the queue's name. */
int simplequeue_put(struct db *db, const struct simplequeue_message *m, struct err *e);
/* 1: *out is filled from the arena; 0: nothing to take. visibility in seconds. */
int simplequeue_take(struct db *db, struct arena *a, str queue, int64_t visibility,
                     struct simplequeue_message *out, struct err *e);
/* ERR_NOT_FOUND: no message has this receipt. */
int simplequeue_delete(struct db *db, str queue, str receipt, struct err *e);
/* Not to be seen for so many seconds from now; *until in microseconds. */
int simplequeue_extend(struct db *db, str queue, str receipt, int64_t seconds, int64_t *until,
                       struct err *e);
/* 1: there is one with this data_id. */
int simplequeue_find(struct db *db, struct arena *a, str queue, str data_id,
                     struct simplequeue_message *out, struct err *e);
/* Gives a message another place: ids are the order. ERR_NOT_FOUND, ERR_EXISTS. */
int simplequeue_renumber(struct db *db, str queue, int64_t from, int64_t to, struct err *e);

struct simplequeue_length {
    str queue;
    int64_t n;
};
/* Every queue with its number of messages, also those handed out: of the API and of the engine's
 * own work, by name. */
int simplequeue_lengths(struct db_tx *tx, struct arena *a, struct simplequeue_length **out,
                        size_t *n, struct err *e);
int simplequeue_length_of(struct db *db, str queue, int64_t *out, struct err *e);

#endif
