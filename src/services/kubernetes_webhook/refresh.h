/* refresh.h - verdicts that are in use are looked for again before they are too old, on threads of
 * their own: a review of a known image never waits for the store or the policy engine. */
#ifndef KELLET_SERVICES_KUBERNETES_WEBHOOK_REFRESH_H
#define KELLET_SERVICES_KUBERNETES_WEBHOOK_REFRESH_H

#include "services/kubernetes_webhook/cache.h"

struct refresher;
int refresher_new(struct engine *en, struct verdict_cache *cache, struct refresher **out,
                  struct err *e);
void refresher_free(struct refresher *r); /* NULL is fine */

/* Looks for it and puts it into the cache, later. The selector is one of the settings, of which a
 * use is held meanwhile. When too many wait nothing is done: the verdict then grows too old, and
 * whoever needs it looks for it himself. */
void refresher_add(struct refresher *r, struct admission_settings *settings,
                   const struct admission_selector *s, str image);

#endif
