/* feeds.c - /system/feeds. */
#include "services/api/policy_engine.h"

static int list_feeds(struct call *c)
{
    return policy_engine_pass(c, "GET", "/feeds");
}

static int sync_feeds(struct call *c)
{
    return policy_engine_pass(c, "POST",
                              call_flag(c, "flush", false) ? "/feeds?force_flush=true" : "/feeds");
}

static int feed_path(struct call *c, const char *method, bool toggle)
{
    auto_buf path;
    str group = call_param(c, "group");
    buf_init(&path, 64 << 10);
    buf_add_str(&path, STR("/feeds/"));
    policy_engine_escape(&path, call_param(c, "feed"));
    if (group.p) {
        buf_add_char(&path, '/');
        policy_engine_escape(&path, group);
    }
    if (toggle)
        buf_addf(&path, "?enabled=%s", call_flag(c, "enabled", true) ? "true" : "false");
    return policy_engine_pass(c, method, buf_z(&path));
}

static int toggle(struct call *c)
{
    return feed_path(c, "PUT", true);
}

static int delete (struct call *c)
{
    return feed_path(c, "DELETE", false);
}

const struct operation feed_operations[] = {
    {"get_system_feeds", list_feeds, ROUTE_SLOW},
    {"post_system_feeds", sync_feeds, ROUTE_SLOW},
    {"toggle_feed_enabled", toggle, ROUTE_SLOW},
    {"delete_feed", delete, ROUTE_SLOW},
    {"toggle_group_enabled", toggle, ROUTE_SLOW},
    {"delete_feed_group", delete, ROUTE_SLOW},
    {0},
};
