#include "policy/gates/registry.h"

static const struct policy_upstream *upstream(const struct policy_subject *s)
{
    return s->gem;
}

static const struct language_registry gem = {
    .type = "gem",
    .label = "Gem",
    .newer = "",
    .bad = "GEMBADVERSION",
    .unknown = "GEMNOTOFFICIAL",
    .name = "GEM",
    .upstream = upstream,
};

static int newer_version_found_in_feed(struct firing *f, void *state, struct err *e)
{
    return registry_newer(f, &gem, e);
}

static int not_found_in_feed(struct firing *f, void *state, struct err *e)
{
    return registry_unknown(f, &gem, e);
}

static int version_not_found_in_feed(struct firing *f, void *state, struct err *e)
{
    return registry_bad_version(f, &gem, e);
}

static int blacklist(struct firing *f, void *state, struct err *e)
{
    return registry_denied(f, &gem);
}

static int feed_data_unavailable(struct firing *f, void *state, struct err *e)
{
    return registry_no_data(f, &gem);
}

static const struct gate_trigger triggers[] = {
    {.name = "newer_version_found_in_feed",
     .description = "Fires when a newer version of a gem is published.",
     .needs = PART_PACKAGES | PART_UPSTREAM,
     .fire = newer_version_found_in_feed},
    {.name = "not_found_in_feed",
     .description = "Fires for a gem that is not published.",
     .needs = PART_PACKAGES | PART_UPSTREAM,
     .flags = TRIGGER_ONCE,
     .fire = not_found_in_feed},
    {.name = "version_not_found_in_feed",
     .description = "Fires for a version of a gem that is not published.",
     .needs = PART_PACKAGES | PART_UPSTREAM,
     .flags = TRIGGER_ONCE,
     .fire = version_not_found_in_feed},
    {.name = "blacklist",
     .description = "Fires when the named gem is there, in any or in one version.",
     .params = registry_denied_params,
     .needs = PART_PACKAGES,
     .flags = TRIGGER_ONCE,
     .fire = blacklist},
    {.name = "feed_data_unavailable",
     .description = "Fires when there is no data about gems.",
     .needs = PART_UPSTREAM,
     .fire = feed_data_unavailable},
    {NULL},
};

const struct gate gate_ruby_gems = {
    .name = "ruby_gems",
    .description = "Looks at Ruby gems.",
    .triggers = triggers,
};
