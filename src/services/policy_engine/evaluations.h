/* evaluations.h - evaluations that are kept: a row for each time that the verdict became another,
 * and the newest document of each verdict.
 *
 * The id of a document is the md5 of "policy:account:image:tag:ACTION", so that there are at most
 * three for an image, tag and policy (bucket "policy_evaluations"; its times are 0: a row's are
 * put in when it is read). The newest row's created_at is the last evaluation; it is written at
 * most once in EVALUATION_BUMP_US. */
#ifndef KELLET_SERVICES_POLICY_ENGINE_EVALUATIONS_H
#define KELLET_SERVICES_POLICY_ENGINE_EVALUATIONS_H

#include "codec/json.h"
#include "services/engine.h"

#define EVALUATION_BUCKET "policy_evaluations"
enum { EVALUATION_ID = 33, EVALUATIONS_LISTED = 1000 };
#define EVALUATION_BUMP_US 60000000LL

struct evaluation {
    str account, digest, tag, policy_id;
    str action;      /* "GO", "WARN", "STOP" */
    str result;      /* JSON */
    str annotations; /* of the image, JSON; empty: none */
    str request_id;
    bool active; /* by the account's active bundle, because it is */
};
void evaluation_id(const struct evaluation *ev, char out[EVALUATION_ID]);

/* Adds a row when the action is another than the policy's newest row's, else says that it was
 * evaluated again. A change, also to what the bundle said that was the active one before (table
 * policy_told: of tags that somebody wants to hear about), is an event
 * (user.checks.tag.policy_evaluation.update) and, where an active subscription policy_eval asks for
 * it, a notification in the outbox. */
int evaluation_store(struct engine *en, const struct evaluation *ev, struct err *e);
/* Somebody is about to subscribe: the newest verdict of the active bundle is what he knows. */
int evaluation_known(struct engine *en, str account, str digest, str tag, struct err *e);

struct evaluation_row {
    str policy_id, tag, eval_id, action;
    int64_t created, updated; /* microseconds */
};
/* Newest first, at most EVALUATIONS_LISTED; tag and policy "" any. */
int evaluation_list(struct db_tx *tx, struct arena *a, str account, str digest, str tag, str policy,
                    struct evaluation_row **out, size_t *n, struct err *e);
/* The document with times in seconds. ERR_NOT_FOUND. */
int evaluation_read(struct engine *en, struct db_tx *tx, str account, str eval_id, int64_t created,
                    int64_t updated, yyjson_mut_doc *doc, yyjson_mut_val **out, struct err *e);

#endif
