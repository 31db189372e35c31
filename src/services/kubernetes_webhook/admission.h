/* admission.h - POST /admission (ValidatingAdmissionWebhook) and /admission/mutate: an
 * AdmissionReview judged, or its images pinned to their digests. With /namespace/KEY/VALUE behind
 * it, reviews come from namespaces that have this label: what a review itself does not tell, and
 * the namespaceSelector of the webhook's configuration does.
 *
 * A review is judged on a thread of its own while its request is parked, so that the answer comes
 * in time whatever the store and the policy engine do: what is not known by then is answered by
 * the setting onError. */
#ifndef KELLET_SERVICES_KUBERNETES_WEBHOOK_ADMISSION_H
#define KELLET_SERVICES_KUBERNETES_WEBHOOK_ADMISSION_H

#include "services/kubernetes_webhook/hook.h"

int admission_post(struct call *c);
int admission_post_mutate(struct call *c);
/* A caller who has shown who he is asks about his own account only. */
bool admission_may_ask(const struct call *c, str account);

/* What hook_new() is given. */
void admission_judge(void *job);
void admission_drop(void *job);

#endif
