#include "watch/tell.h"

#include "base/text.h"
#include "services/call.h"

enum { DIGEST_SHOWN = 19 };

/* ---- for people --------------------------------------------------------------------------------
 */

struct paint {
    struct buf *out;
    bool color;
};

static void put_colored(struct paint *p, const char *code, str text)
{
    if (p->color)
        buf_addf(p->out, "\x1b[%sm", code);
    text_clean(text, p->out);
    if (p->color)
        buf_add_str(p->out, STR("\x1b[0m"));
}

static const char *color_of(enum severity s)
{
    return s == SEV_CRITICAL ? "1;31" : s == SEV_HIGH ? "31" : s == SEV_MEDIUM ? "33" : "0";
}

static void put_fix(struct paint *p, str fix)
{
    if (!fix.n || str_eq(fix, STR("None"))) {
        buf_add_str(p->out, STR("no fix yet"));
    } else if (str_eq(fix, STR("will not be fixed"))) {
        buf_add_str(p->out, fix);
    } else {
        buf_add_str(p->out, STR("fixed in "));
        text_clean(fix, p->out);
    }
}

static void put_package(struct paint *p, yyjson_val *entry)
{
    buf_add_str(p->out, STR("  "));
    text_clean(json_str(entry, "Package_Name"), p->out);
    buf_add_char(p->out, ' ');
    text_clean(json_str(entry, "Package_Version"), p->out);
    buf_add_str(p->out, STR("  "));
}

static bool was_other(const struct item *i, const char *name)
{
    return json_get(i->was, name) && !str_eq(json_str(i->was, name), json_str(i->entry, name));
}

static void put_finding(struct paint *p, const struct item *i)
{
    bool gone = strcmp(i->what, "finding-gone") == 0;
    buf_add_str(p->out, gone ? STR("  - ") : i->was ? STR("  ~ ") : STR("  + "));
    text_clean(json_str(i->entry, "CVE_ID"), p->out);
    buf_add_str(p->out, STR("  "));
    if (was_other(i, "Severity")) {
        text_clean(json_str(i->was, "Severity"), p->out);
        buf_add_str(p->out, STR(" -> "));
    }
    put_colored(p, gone ? "0" : color_of(i->severity), json_str(i->entry, "Severity"));
    put_package(p, i->entry);
    if (gone) {
        buf_add_str(p->out, STR("no longer affected"));
    } else {
        put_fix(p, json_str(i->entry, "Fix_Available"));
        if (was_other(i, "Fix_Available")) {
            buf_add_str(p->out, STR(" (before: "));
            put_fix(p, json_str(i->was, "Fix_Available"));
            buf_add_char(p->out, ')');
        }
    }
    buf_add_char(p->out, '\n');
}

static void put_severities(struct buf *out, yyjson_val *severities)
{
    size_t i, n, start = out->n;
    yyjson_val *key, *v;
    yyjson_obj_foreach(severities, i, n, key, v)
    {
        buf_addf(out, "%s%lld ", out->n > start ? ", " : "", (long long)yyjson_get_sint(v));
        text_clean(json_text(key), out);
    }
    if (out->n == start)
        buf_add_str(out, STR("none"));
}

static void put_other(struct paint *p, const struct item *i, yyjson_val *payload)
{
    yyjson_val *was = json_get(payload, "last_eval"), *is = json_get(payload, "curr_eval");
    str reason = json_str(payload, "reason");
    if (strcmp(i->what, "tag-moved") == 0) {
        buf_add_str(p->out, STR("  > the tag has moved from "));
        text_clean(str_sub(json_text(yyjson_arr_get(was, 0)), 0, DIGEST_SHOWN), p->out);
        buf_add_str(p->out, STR(" to "));
        text_clean(str_sub(json_text(yyjson_arr_get(is, 0)), 0, DIGEST_SHOWN), p->out);
    } else if (strcmp(i->what, "verdict") == 0) {
        buf_add_str(p->out, STR("  > the policy says "));
        put_colored(p, i->worse ? "1;31" : "32", json_str(is, "final_action"));
        buf_add_str(p->out, STR(", before: "));
        text_clean(json_str(was, "final_action"), p->out);
    } else if (strcmp(i->what, "tag-new") == 0) {
        buf_add_str(p->out, STR("  > a new tag; vulnerabilities: "));
        put_severities(p->out, json_get(payload, "severities"));
        if (json_get(payload, "final_action")) {
            buf_add_str(p->out, STR("; policy: "));
            text_clean(json_str(payload, "final_action"), p->out);
        }
    } else {
        static const char *const words[][2] = {
            {"image-gone", "the image is gone"},
            {"image-back", "the image is there again"},
            {"not-checked", "could not be checked"},
            {"checked-again", "can be checked again"},
            {"incomplete", "not all of it could be seen"},
            {"complete", "all of it could be seen again"},
        };
        for (size_t k = 0; k < KE_ARRAY_LEN(words); k++)
            if (strcmp(words[k][0], i->what) == 0)
                buf_addf(p->out, "  ! %s", words[k][1]);
        if (reason.n) {
            buf_add_str(p->out, STR(": "));
            text_clean(reason, p->out);
        }
    }
    buf_add_char(p->out, '\n');
}

static void put_text(const struct change *c, const struct items *items, bool color, struct buf *out)
{
    struct paint p = {out, color};
    put_colored(&p, "1", c->reference);
    buf_add_char(out, '\n');
    for (size_t i = 0; i < items->n; i++) {
        if (items->list[i].entry)
            put_finding(&p, &items->list[i]);
        else
            put_other(&p, &items->list[i], items->payload);
    }
}

/* ---- for programs ------------------------------------------------------------------------------
 */

static void put_member(struct buf *b, const char *name, str value)
{
    buf_addf(b, ", \"%s\": ", name);
    json_put_string(b, value);
}

static void put_members_of_finding(struct buf *b, const struct item *i)
{
    static const char *const names[][2] = {
        {"vulnerability", "CVE_ID"},
        {"severity", "Severity"},
        {"package", "Package_Name"},
        {"type", "Package_Type"},
        {"version", "Package_Version"},
        {"fix", "Fix_Available"},
        {"url", "URL"},
        {"feed_group", "Feed_Group"},
    };
    for (size_t k = 0; k < KE_ARRAY_LEN(names); k++) {
        str value = json_str(i->entry, names[k][1]);
        if (str_eq(value, STR("None")))
            buf_addf(b, ", \"%s\": null", names[k][0]);
        else
            put_member(b, names[k][0], value);
    }
    if (was_other(i, "Severity"))
        put_member(b, "severity_before", json_str(i->was, "Severity"));
    if (was_other(i, "Fix_Available"))
        put_member(b, "fix_before", json_str(i->was, "Fix_Available"));
}

static void put_members(struct buf *b, const struct item *i, yyjson_val *payload)
{
    yyjson_val *was = json_get(payload, "last_eval"), *is = json_get(payload, "curr_eval");
    yyjson_val *severities = json_get(payload, "severities"), *key, *v;
    size_t k, n;
    if (i->entry) {
        put_members_of_finding(b, i);
    } else if (strcmp(i->what, "tag-moved") == 0) {
        put_member(b, "digest_before", json_text(yyjson_arr_get(was, 0)));
    } else if (strcmp(i->what, "verdict") == 0) {
        put_member(b, "verdict", json_str(is, "final_action"));
        put_member(b, "verdict_before", json_str(was, "final_action"));
    } else if (severities) {
        buf_add_str(b, STR(", \"severities\": {"));
        yyjson_obj_foreach(severities, k, n, key, v)
        {
            buf_add_str(b, k ? STR(", ") : STR(""));
            json_put_string(b, json_text(key));
            buf_addf(b, ": %lld", (long long)yyjson_get_sint(v));
        }
        buf_add_char(b, '}');
        if (json_get(payload, "final_action"))
            put_member(b, "verdict", json_str(payload, "final_action"));
    } else {
        put_member(b, "reason", json_str(payload, "reason"));
    }
}

static void put_lines(const struct change *c, const struct items *items, struct buf *out)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    str time = time_text(&a, c->at_us);
    for (size_t i = 0; i < items->n; i++) {
        buf_addf(out, "{\"id\": \"%.*s-%zu\", \"time\": \"%.*s\", \"change\": \"%s\", \"image\": ",
                 STR_ARG(c->key), i, STR_ARG(time), items->list[i].what);
        json_put_string(out, c->reference);
        put_member(out, "digest", c->image);
        buf_addf(out, ", \"worse\": %s", items->list[i].worse ? "true" : "false");
        put_members(out, &items->list[i], items->payload);
        buf_add_str(out, STR("}\n"));
    }
    arena_done(&a);
}

int tell_change(const struct change *c, const struct tell_style *style, struct buf *out,
                bool *worse, struct err *e)
{
    struct items items;
    *worse = false;
    int rc = change_items(c, style->min, &items, e);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < items.n; i++)
        *worse |= items.list[i].worse;
    if (items.n && style->json)
        put_lines(c, &items, out);
    else if (items.n)
        put_text(c, &items, style->color, out);
    items_done(&items);
    return buf_check(out, "the changes", e);
}
