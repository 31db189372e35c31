/* cache.h - verdicts of the last seconds: a rollout asks about one image again and again.
 *
 * What was found stays good for cacheSeconds of the settings; images that are not known, and
 * failures, are not kept. Thread-safe; at most 4,096 verdicts, newer ones take the place of others.
 */
#ifndef KELLET_SERVICES_KUBERNETES_WEBHOOK_CACHE_H
#define KELLET_SERVICES_KUBERNETES_WEBHOOK_CACHE_H

#include "services/kubernetes_webhook/verdict.h"

struct verdict_cache;
int verdict_cache_new(struct verdict_cache **out, struct err *e);
void verdict_cache_free(struct verdict_cache *c); /* NULL is fine */

/* One that was put at `since_ms` (a monotonic clock's) or later; *out in the arena. */
bool verdict_cache_get(struct verdict_cache *c, const struct admission_selector *s, str image,
                       int64_t since_ms, struct arena *a, struct verdict_answer *out);
void verdict_cache_put(struct verdict_cache *c, const struct admission_selector *s, str image,
                       int64_t now_ms, const struct verdict_answer *v);

#endif
