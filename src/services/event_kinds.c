#include "services/event.h"

const struct event_kind event_kinds[] = {
    {"image_archived", "system.analysis_archive.image_archived", "info",
     "Analyzed image added to archive", "image_digest"},
    {"image_archive_failed", "system.analysis_archive.image_archive_failed", "error",
     "Analyzed image migration to archive failed", "image_digest"},
    {"archived_image_deleted", "system.analysis_archive.archived_image_deleted", "info",
     "Archived image analysis deleted", "image_digest"},
    {"archived_image_delete_failed", "system.analysis_archive.archived_image_delete_failed",
     "error", "Archived image analysis deletion failed", "image_digest"},
    {"sync.started", "system.feeds.sync.started", "info", "Feeds sync task started", "feeds"},
    {"sync.completed", "system.feeds.sync.completed", "info", "Feeds sync task completed", "feeds"},
    {"sync.failed", "system.feeds.sync.failed", "error", "Feeds sync task failed", "feeds"},
    {"sync.feed_started", "system.feeds.sync.feed_started", "info", "Feed sync started", "feed"},
    {"sync.feed_completed", "system.feeds.sync.feed_completed", "info", "Feed sync completed",
     "feed"},
    {"sync.feed_failed", "system.feeds.sync.feed_failed", "error", "Feed sync failed", "feed"},
    {"sync.group_started", "system.feeds.sync.group_started", "info", "Feed group sync started",
     "feed_group"},
    {"sync.group_completed", "system.feeds.sync.group_completed", "info",
     "Feed group sync completed", "feed_group"},
    {"sync.group_failed", "system.feeds.sync.group_failed", "error", "Feed group sync failed",
     "feed_group"},
    {"registry_lookup_failed", "system.image_analysis.registry_lookup_failed", "error",
     "Referenced image not found in registry", "image_reference"},
    {"failed", "system.image_analysis.failed", "error", "Failed to analyze image", "image_digest"},
    {"completed", "system.image_analysis.completed", "info", "Image successfully analyzed",
     "image_tag"},
    {"catalog_save_failed", "system.image_analysis.catalog_save_failed", "error",
     "Failed to load image analysis from analyzer to catalog", "image_digest"},
    {"policy_engine_load_failed", "system.image_analysis.policy_engine_load_failed", "error",
     "Failed to load image analysis from analyzer to policy engine", "image_digest"},
    {"restored_from_archive", "system.image_analysis.restored_from_archive", "info",
     "Archived image restored to active images", "image_digest"},
    {"restore_from_archive_failed", "system.image_analysis.restore_from_archive_failed", "error",
     "Archived image restore to active images failed", "image_digest"},
    {"manifest_parse_fail", "system.image_analysis.manifest_parse_fail", "error",
     "Failed to parse image manifest for tag", "image_tag"},
    {"list_tags_fail", "system.repository.list_tags_fail", "error",
     "Failed to list tags in repository", "repository"},
    {"state_transition.orphaned", "system.service.state_transition.orphaned", "error",
     "Service orphaned", "service"},
    {"state_transition.down", "system.service.state_transition.down", "error", "Service down",
     "service"},
    {"removed", "system.service.removed", "error", "Service removed", "service"},
    {"authz_plugin_healthcheck_failed", "system.service.authz_plugin_healthcheck_failed", "error",
     "Configured authz plugin failing health check", "service"},
    {"random_wisdom", "system.test.random_wisdom", "info",
     "Unsolicited random wisdom of the moment", "wisdom"},
    {"tag.vulnerabilities.update", "user.checks.tag.vulnerabilities.update", "info",
     "Vulnerability update detected for tagged image", "image_tag"},
    {"tag.policy_evaluation.update", "user.checks.tag.policy_evaluation.update", "info",
     "Policy evaluation update detected for a tagged image", "image_tag"},
    {"analysis.failed", "user.image.analysis.failed", "error", "Failed to analyze image",
     "image_tag"},
    {"analysis.completed", "user.image.analysis.completed", "info", "Image analysis available",
     "image_tag"},
    {"active.updated", "user.policy.active.updated", "info",
     "Active policy bundle updated to a different bundle", "policy_bundle"},
    {"active.content_change", "user.policy.active.content_change", "info",
     "Active policy bundle content changed", "policy_bundle"},
};
const size_t n_event_kinds = sizeof event_kinds / sizeof *event_kinds;

const struct event_kind *event_kind_of(str type)
{
    for (size_t i = 0; i < n_event_kinds; i++) {
        if (str_eq(type, str_z(event_kinds[i].type)))
            return &event_kinds[i];
    }
    return NULL;
}
