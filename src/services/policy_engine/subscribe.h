/* subscribe.h - what is known of a tag at the moment when somebody begins to want to hear of it.
 *
 * Whatever becomes different after the answer to an activation is told once. So before the
 * subscription becomes active, the findings (vuln_update), or the verdict (policy_eval), of the
 * tag's image and of the older images that the subscription names are written down; the transaction
 * that makes it active has them compared with what is known by then (subscribed_began()). An image
 * that is not analysed has nothing that could be written down. */
#ifndef KELLET_SERVICES_POLICY_ENGINE_SUBSCRIBE_H
#define KELLET_SERVICES_POLICY_ENGINE_SUBSCRIBE_H

#include "services/policy_engine/vuln_report.h"
#include "services/subscription.h"

/* Of s: account, key, type and value. Types of which nothing is to be known are fine. */
int subscribe_begin(struct engine *en, struct vuln_reports *reports, const struct subscription *s,
                    struct err *e);

#endif
