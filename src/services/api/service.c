/* service.c - the external API: its operations come from the parts that answer them. */
#include "services/api/images.h"
#include "services/api/operations.h"
#include "services/api/policy_engine.h"
#include "services/archive.h"
#include "services/discovery.h"

static const struct operation *const operations[] = {
    /* clang-format off */
    account_operations,
    user_operations,
    oauth_operations,
    event_operations,
    subscription_operations,
    policy_operations,
    policy_trial_operations,
    check_operations,
    misc_operations,
    image_operations,
    image_add_operations,
    image_delete_operations,
    summary_operations,
    registry_operations,
    repository_operations,
    archive_operations,
    content_operations,
    import_operations,
    discovery_operations,
    vulnerability_operations,
    query_operations,
    feed_operations,
    import_archive_operations,
    notification_operations,
    history_operations,
    vex_operations,
    NULL,
    /* clang-format on */
};

const struct service_ops service_apiext = {
    .id = SERVICE_APIEXT,
    .operations = operations,
};
