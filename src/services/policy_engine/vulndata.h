/* vulndata.h - the vulnerability database of a process: open, renewed while requests go on, and the
 * same in every process of the engine.
 *
 * A reader takes the database that is current, uses it as long as it likes and drops it; a newer
 * one that was installed meanwhile is for those who come later. Whether there is a newer one is
 * looked up at most once a second.
 *
 * Sharing: the process that synchronised the feeds puts the shards and then the manifest into the
 * store (documents of account "anchore-system", bucket "vulndata"); the others look at the
 * manifest's digest every few seconds and fetch what they lack. */
#ifndef KELLET_SERVICES_POLICY_ENGINE_VULNDATA_H
#define KELLET_SERVICES_POLICY_ENGINE_VULNDATA_H

#include "services/engine.h"
#include "vulndb/vulndb.h"

#define VULNDATA_ACCOUNT  "anchore-system"
#define VULNDATA_BUCKET   "vulndata"
#define VULNDATA_MANIFEST "manifest.json"
#define VULNDATA_CHANNEL  "vulndata" /* told of each publication (db_notify) */

/* One installed database. */
struct vulndata_view {
    struct vulndb *db;     /* NULL: there is none yet */
    char generation[72];   /* names its content: digest of the manifest; "none" */
    _Atomic unsigned uses; /* internal */
};

int vulndata_open(const char *data_dir, struct vulndata **out, struct err *e);
void vulndata_close(struct vulndata *v); /* NULL is fine; all views were dropped */
/* Never NULL. Safe from any thread. When a new database cannot be opened, the one before stays. */
struct vulndata_view *vulndata_take(struct vulndata *v);
/* Looks at once whether there is a newer one: after an installation by this process. */
void vulndata_refresh(struct vulndata *v);
void vulndata_drop(struct vulndata_view *view); /* NULL is fine */
static inline void vulndata_drop_(struct vulndata_view **view)
{
    vulndata_drop(*view);
}
#define auto_vulndata struct vulndata_view KE_CLEANUP(vulndata_drop_)

/* Puts what is installed here into the store, unless what is there is as new: 1 published, 0 not
 * needed. */
int vulndata_publish(struct engine *en, struct err *e);
/* Are these the data that the store holds? 1, 0. */
int vulndata_is_published(struct engine *en, const struct vulndata_view *view, struct err *e);
/* Are the newest data of the store here? Fetches them when they are not. 1; 0: not yet. */
int vulndata_newest(struct engine *en, struct err *e);
/* Installs here what the store holds, when that is newer: 1 installed, 0 not needed. */
int vulndata_fetch(struct engine *en, struct err *e);

#endif
