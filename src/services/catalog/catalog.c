#include "services/account_cleanup.h"
#include "services/api/images.h"
#include "services/archive.h"
#include "services/catalog/lookup_json.h"
#include "services/catalog/measures.h"
#include "services/catalog/objects.h"
#include "services/catalog/repo.h"
#include "services/catalog/watchers.h"
#include "services/event.h"
#include "services/imports.h"
#include "services/log.h"
#include "services/notification.h"

static void tell_failure(struct call *c, str name, const struct err *why)
{
    const struct event ev = {
        .engine = c->engine,
        .service = SERVICE_CATALOG,
        .type = "system.image_analysis.registry_lookup_failed",
        .account = c->account,
        .resource_id = name,
        .request_id = c->request_id,
        .details = event_details(&c->arena, (const char *const[]){"cause"},
                                 (const str[]){str_z(why->text)}, 1),
    };
    struct err ignored = {0};
    if (event_tell(c->engine, &ev, &ignored) < 0)
        log_warn("catalog", "%s", ignored.text);
}

static int registry_lookup(struct call *c)
{
    struct fulltag name;
    struct catalog_lookup found;
    struct err why = {0};
    str text = call_param(c, "digest");

    if (!text.n)
        text = call_param(c, "tag");
    if (!text.n)
        return call_error(c, 400, "must specify either a tag or a digest");
    int rc = fulltag_parse(text, &c->arena, &name, c->err);
    if (rc < 0)
        return rc;
    rc = catalog_lookup(c->engine, &c->arena, c->account, &name, &found, &why);
    if (rc == 0)
        return lookup_send(c, &name, &found);
    tell_failure(c, text, &why);
    return lookup_send_failure(c, &found, &why);
}

static const struct route routes[] = {
    {"GET", "/registry_lookup", registry_lookup, ROUTE_INTERNAL | ROUTE_SLOW},
    {"POST", "/repo", repo_post, ROUTE_INTERNAL | ROUTE_SLOW},
    {"GET", "/images", images_list, ROUTE_INTERNAL},
    {"DELETE", "/images", images_delete_many, ROUTE_INTERNAL},
    {"GET", "/images/{imageDigest}", images_get, ROUTE_INTERNAL},
    {"DELETE", "/images/{imageDigest}", images_delete_one, ROUTE_INTERNAL},
    {"GET", "/summaries/imagetags", summaries_imagetags, ROUTE_INTERNAL},
    {"GET", "/system/registries", registries_list, ROUTE_INTERNAL},
    {"POST", "/system/registries", registries_create, ROUTE_INTERNAL | ROUTE_SLOW},
    {"GET", "/system/registries/{registry...}", registries_get, ROUTE_INTERNAL},
    {"PUT", "/system/registries/{registry...}", registries_update, ROUTE_INTERNAL | ROUTE_SLOW},
    {"DELETE", "/system/registries/{registry...}", registries_delete, ROUTE_INTERNAL},
    {"GET", "/objects/raw/{bucket}/{archiveid}", objects_get_raw, ROUTE_INTERNAL},
    {"POST", "/objects/raw/{bucket}/{archiveid}", objects_put_raw,
     ROUTE_INTERNAL | ROUTE_RAW | ROUTE_BIG},
    {"GET", "/objects/{bucket}/{archiveid}", objects_get, ROUTE_INTERNAL},
    {"POST", "/objects/{bucket}/{archiveid}", objects_put, ROUTE_INTERNAL | ROUTE_BIG},
    {"DELETE", "/objects/{bucket}/{archiveid}", objects_delete, ROUTE_INTERNAL},
    {"GET", "/archive/{bucket}/{archiveid}", objects_get, ROUTE_INTERNAL},
    {"POST", "/archive/{bucket}/{archiveid}", objects_put, ROUTE_INTERNAL | ROUTE_BIG},
    {"DELETE", "/archive/{bucket}/{archiveid}", objects_delete, ROUTE_INTERNAL},
    {0},
};

enum { DAY = 86400 };

static const struct watcher watchers[] = {
    {.name = "analyzer_queue", .seconds = 5, .min = 1, .max = 7200, .run = analyzer_queue_run},
    {.name = "image_watcher", .seconds = 600, .min = 300, .max = 7 * DAY, .run = image_watcher_run},
    {.name = "repo_watcher", .seconds = 60, .min = 60, .max = 7 * DAY, .run = repo_watcher_run},
    {.name = "image_gc", .seconds = 60, .min = 60, .max = DAY, .run = image_gc_run},
    {.name = "notifications",
     .seconds = 1,
     .min = 1,
     .max = DAY,
     .wake = NOTIFICATION_CHANNEL,
     .run = notifications_run},
    {.name = "account_resource_cleanup",
     .seconds = 30,
     .min = 30,
     .max = 30,
     .run = account_cleanup_run},
    {.name = "archive_tasks", .seconds = 43200, .min = 60, .max = 5 * DAY, .run = archive_watch},
    {.name = "import_gc", .seconds = 60, .min = 60, .max = DAY, .run = import_gc},
    {.name = "policy_eval", .seconds = 3600, .min = 60, .max = 2 * DAY, .run = policy_eval_run},
    {.name = "policy_change", .seconds = 10, .min = 1, .max = DAY, .run = policy_change_run},
    {.name = "documents_sweep", .seconds = 600, .min = 60, .max = DAY, .run = documents_sweep_run},
    {0},
};

const struct service_ops service_catalog = {
    .id = SERVICE_CATALOG,
    .routes = routes,
    .watchers = watchers,
    .start = notifications_start,
    .stop = notifications_stop,
    .metrics = catalog_metrics,
};
