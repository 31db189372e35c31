#include "policy/gates/registry.h"

static const struct policy_upstream *upstream(const struct policy_subject *s)
{
    return s->npm;
}

static const struct language_registry npm = {
    .type = "npm",
    .label = "NPM",
    .newer = "NPMNOTLATEST ",
    .bad = "NPMBADVERSION",
    .unknown = "NPMNOTOFFICIAL",
    .name = "NPM",
    .upstream = upstream,
};

static int newer_version_in_feed(struct firing *f, void *state, struct err *e)
{
    return registry_newer(f, &npm, e);
}

static int unknown_in_feeds(struct firing *f, void *state, struct err *e)
{
    return registry_unknown(f, &npm, e);
}

static int version_not_in_feeds(struct firing *f, void *state, struct err *e)
{
    return registry_bad_version(f, &npm, e);
}

static int blacklisted_name_version(struct firing *f, void *state, struct err *e)
{
    return registry_denied(f, &npm);
}

static int feed_data_unavailable(struct firing *f, void *state, struct err *e)
{
    return registry_no_data(f, &npm);
}

static const struct gate_trigger triggers[] = {
    {.name = "newer_version_in_feed",
     .description = "Fires when a newer version of an npm package is published.",
     .needs = PART_PACKAGES | PART_UPSTREAM,
     .fire = newer_version_in_feed},
    {.name = "unknown_in_feeds",
     .description = "Fires for an npm package that is not published.",
     .needs = PART_PACKAGES | PART_UPSTREAM,
     .flags = TRIGGER_ONCE,
     .fire = unknown_in_feeds},
    {.name = "version_not_in_feeds",
     .description = "Fires for a version of an npm package that is not published.",
     .needs = PART_PACKAGES | PART_UPSTREAM,
     .flags = TRIGGER_ONCE,
     .fire = version_not_in_feeds},
    {.name = "blacklisted_name_version",
     .description = "Fires when the named npm package is there, in any or in one version.",
     .params = registry_denied_params,
     .needs = PART_PACKAGES,
     .flags = TRIGGER_ONCE,
     .fire = blacklisted_name_version},
    {.name = "feed_data_unavailable",
     .description = "Fires when there is no data about npm packages.",
     .needs = PART_UPSTREAM,
     .fire = feed_data_unavailable},
    {NULL},
};

const struct gate gate_npms = {
    .name = "npms",
    .description = "Looks at npm packages.",
    .triggers = triggers,
};
