/* cache.h - verdicts of the last seconds: a rollout asks about one image again and again.
 *
 * What was found stays good for cacheSeconds of the settings; images that are not known, and
 * failures, are not kept. One that is asked for is looked for again in the second half of its time,
 * by one caller, so that the others never wait. Thread-safe; at most 4,096 verdicts, newer ones
 * take the place of others. Times are a monotonic clock's, in milliseconds. */
#ifndef KELLET_SERVICES_KUBERNETES_WEBHOOK_CACHE_H
#define KELLET_SERVICES_KUBERNETES_WEBHOOK_CACHE_H

#include "services/kubernetes_webhook/verdict.h"

struct verdict_cache;
int verdict_cache_new(struct verdict_cache **out, struct err *e);
void verdict_cache_free(struct verdict_cache *c); /* NULL is fine */

/* now_ms: clock_ms(). */
struct verdict_age {
    int64_t now_ms, keep_ms;
};
/* One that was put at most keep_ms ago; *out in the arena. *due (may be NULL): the caller should
 * have it looked for again; nobody else is told so in the next quarter of keep_ms. */
bool verdict_cache_get(struct verdict_cache *c, const struct admission_selector *s, str image,
                       struct verdict_age age, struct arena *a, struct verdict_answer *out,
                       bool *due);
void verdict_cache_put(struct verdict_cache *c, const struct admission_selector *s, str image,
                       int64_t now_ms, const struct verdict_answer *v);

#endif
