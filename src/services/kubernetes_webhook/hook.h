/* hook.h - what the webhook's service keeps: the settings that are in force, threads that judge,
 * and threads that ask for analyses of images which nobody has added. */
#ifndef KELLET_SERVICES_KUBERNETES_WEBHOOK_HOOK_H
#define KELLET_SERVICES_KUBERNETES_WEBHOOK_HOOK_H

#include "services/call.h"
#include "services/kubernetes_webhook/cache.h"
#include "services/kubernetes_webhook/pool.h"
#include "services/kubernetes_webhook/refresh.h"
#include "services/kubernetes_webhook/settings.h"

struct hook;

/* Are the settings right, and those of their file? ERR_USAGE. */
int hook_check(const struct config *c, struct err *e);

/* Of en's configuration; ERR_USAGE: the settings are wrong. `judge` and `drop` are given what
 * hook_judge() is. */
int hook_new(struct engine *en, void (*judge)(void *job), void (*drop)(void *job),
             struct hook **out, struct err *e);
void hook_free(struct hook *h); /* NULL is fine */

/* The settings in force, with a use of them. The configFile is read again when it has changed (it
 * is looked at once a second); a bad one changes nothing and is logged. */
struct admission_settings *hook_settings(struct hook *h);
struct verdict_cache *hook_cache(struct hook *h);
struct refresher *hook_refresher(struct hook *h);
/* False: too many wait. */
bool hook_judge(struct hook *h, void *job);
/* Has the API add the image to the account, later: one that is named by its digest alone under the
 * tag "untagged-" and the digest's hex. True also when that was done a minute ago; false: its name
 * is none, or too many wait. */
bool hook_ask_analysis(struct hook *h, str account, str image, str request_id);

#endif
