#include "policy/report_allowlist.h"

#include "policy/problems.h"
#include "policy/when.h"

static void until(struct policy_verdict *v, int64_t now_us, int64_t us)
{
    if (us > now_us && us < v->valid_until_us)
        v->valid_until_us = us;
}

static bool note(struct policy_verdict *v, const struct compiled_list *l,
                 const struct allow_item *item, const char *type, const char *what, str when)
{
    str id = json_str(item->json, "id"), owner = json_str(item->json, "owner");
    return problems_addf(&v->problems, "warn", type,
                         "%s%.*s (whitelist_id=%.*s,item_id=%.*s,trigger_id=%.*s%s%.*s)", what,
                         STR_ARG(when), STR_ARG(l->id), STR_ARG(id.n ? id : STR("None")),
                         STR_ARG(item->trigger_id.text), owner.n ? ",owner=" : "", STR_ARG(owner));
}

static bool report_item(const struct policy_bundle *b, const struct compiled_list *l,
                        const struct allow_item *item, bool used, int64_t now_us,
                        struct policy_verdict *v)
{
    bool dated = item->expires_us != INT64_MAX;
    int64_t soon = dated ? item->expires_us - b->options.expiring_us : INT64_MAX;
    str when = dated ? when_text(&v->arena, item->expires_us) : STR("");
    if (dated && item->expires_us <= now_us)
        return note(v, l, item, "AllowlistItemExpired", "An allowlist item has expired at ", when);
    until(v, now_us, soon);
    until(v, now_us, item->expires_us);
    if (soon <= now_us &&
        !note(v, l, item, "AllowlistItemExpiring", "An allowlist item will expire at ", when))
        return false;
    return used || note(v, l, item, "AllowlistItemUnused",
                        "An allowlist item allows nothing in this image", STR(""));
}

bool report_allowlist(const struct policy_bundle *b, const struct compiled_mapping *m,
                      const bool *used, int64_t now_us, struct policy_verdict *v)
{
    for (size_t i = 0; i < m->n_lists; i++) {
        const struct allow_item *items;
        size_t n = allowlist_items(m->lists[i]->list, &items);
        for (size_t k = 0; k < n; k++)
            if (!report_item(b, m->lists[i], &items[k], used[items[k].index], now_us, v))
                return false;
    }
    return true;
}
