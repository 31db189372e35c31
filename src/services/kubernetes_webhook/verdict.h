/* verdict.h - whether one image may run, as one selector wants it. */
#ifndef KELLET_SERVICES_KUBERNETES_WEBHOOK_VERDICT_H
#define KELLET_SERVICES_KUBERNETES_WEBHOOK_VERDICT_H

#include "services/engine.h"
#include "services/kubernetes_webhook/settings.h"

enum image_verdict {
    VERDICT_GOOD,
    VERDICT_REFUSED,
    VERDICT_UNKNOWN, /* no such image in the account */
};
struct verdict_question {
    struct engine *engine;
    const struct admission_selector *selector;
    str image; /* as written in the object */
    str request_id;
    unsigned timeout; /* seconds that the policy engine may take */
};
struct verdict_answer {
    enum image_verdict verdict;
    str account;
    str text;   /* why not; for people; in the arena */
    str digest; /* of the image's manifest; empty: not known */
};
/* A negative code is of what kept it from finding out: the store, the policy engine, a user or
 * bundle that does not exist. */
int verdict_find(const struct verdict_question *q, struct arena *a, struct verdict_answer *out,
                 struct err *e);

/* The account of a selector: its own, or its user's. ERR_NOT_FOUND. */
int verdict_account(struct engine *en, struct arena *a, const struct admission_selector *s,
                    str *out, struct err *e);
/* Reads what the policy engine answers to GET .../check: *passed when every evaluation in it did.
 * ERR_FORMAT: there is none in it. */
int verdict_read_check(str answer, bool *passed, struct err *e);

#endif
