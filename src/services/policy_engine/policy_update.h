/* policy_update.h - the verdicts on subscribed tags follow their images' findings: when newer data
 * changed anything about a package of an image that a tag with an active subscription policy_eval
 * points at, or when an image's packages were judged for the first time (it may have been evaluated
 * before, by older data), or when the account's VEX documents changed, the tag is evaluated again
 * (changes.h, consumer "policy_eval"), which tells of another verdict (evaluations.h). Others are
 * not looked at, and a verdict that stays is not written. */
#ifndef KELLET_SERVICES_POLICY_ENGINE_POLICY_UPDATE_H
#define KELLET_SERVICES_POLICY_ENGINE_POLICY_UPDATE_H

#include "services/engine.h"

/* One round of the watcher. */
int policy_update_run(struct engine *en, struct err *e);

/* Evaluates an image as `tag`, which stores the verdict where it differs from the last, and tells.
 * ERR_IO: it cannot be evaluated. */
int policy_update_evaluate(struct engine *en, str account, str digest, str tag, struct err *e);

#endif
