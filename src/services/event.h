/* event.h - what happened, for users: rows of the table of events.
 *
 * An event is written in the transaction of the thing that it tells of, so that neither exists
 * without the other. */
#ifndef KELLET_SERVICES_EVENT_H
#define KELLET_SERVICES_EVENT_H

#include "services/engine.h"

/* The kinds that /event_types lists; `type` is category.subcategory.name. */
struct event_kind {
    const char *name;  /* of the class as the API names it */
    const char *type;  /* "user.image.analysis.completed" */
    const char *level; /* "info", "error" */
    const char *message;
    const char *resource_type; /* "image_digest", ... */
};
extern const struct event_kind event_kinds[];
extern const size_t n_event_kinds;
const struct event_kind *event_kind_of(str type);

struct event {
    const struct engine *engine; /* gives the source; MAY be NULL */
    enum service_id service;     /* where it happened */
    const char *type;            /* one of event_kinds: level, message and resource type follow */
    str account;                 /* whose event; "admin" for the system's */
    str resource_id;
    str details;    /* JSON text of an object; empty: {} */
    str request_id; /* MAY be empty */
    str message;    /* empty: the kind's */
};

/* Adds the event; ERR_USAGE for a type that is not in event_kinds. */
int event_add(struct db_tx *tx, const struct event *ev, struct err *e);
/* The same in a transaction of its own. */
int event_tell(struct engine *en, const struct event *ev, struct err *e);
/* {"cause": text} and the like: a details object of n names and texts, in the arena. */
str event_details(struct arena *a, const char *const *names, const str *values, size_t n);

#endif
