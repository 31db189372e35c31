#include "services/policy_engine/vuln_diff.h"

#include "base/arena.h"
#include "base/map.h"

enum { KEYS_MAX = 256 << 20 };

static const struct {
    const char *told, *row; /* names of a member in entries and in rows */
    bool identity;
} members[] = {
    {"CVE_ID", "vuln", true},
    {"Severity", "severity", false},
    {"Vulnerable_Package", "package", false},
    {"Fix_Available", "fix", false},
    {"URL", "url", false},
    {"Package_Name", "package_name", true},
    {"Package_Version", "package_version", true},
    {"Package_Type", "package_type", false},
    {"Feed", "feed", false},
    {"Feed_Group", "feed_group", true},
    {"path", "package_path", false}, /* kept for older engines; neither told nor compared */
};
enum { MEMBERS = KE_ARRAY_LEN(members), TOLD = MEMBERS - 1 };

int vuln_diff_keep(yyjson_val *rows, struct buf *out, struct err *e)
{
    size_t i, n, kept = 0;
    yyjson_val *row;
    buf_add_char(out, '[');
    yyjson_arr_foreach(rows, i, n, row)
    {
        if (yyjson_is_true(json_get(row, "will_not_fix")) ||
            yyjson_is_true(json_get(row, "shadowed")))
            continue;
        buf_add_str(out, kept++ ? STR(",\n{") : STR("\n{"));
        for (size_t k = 0; k < MEMBERS; k++) {
            buf_addf(out, k ? ", \"%s\": " : "\"%s\": ", members[k].told);
            json_put_string(out, json_str(row, members[k].row));
        }
        buf_add_char(out, '}');
    }
    buf_add_str(out, STR("\n]\n"));
    return buf_check(out, "the findings of an image", e);
}

/* What makes an entry the same one (all false), or all that is told of it. */
static str key_of(struct arena *a, yyjson_val *entry, bool all)
{
    auto_buf b;
    buf_init(&b, 1 << 20);
    for (size_t k = 0; k < TOLD; k++)
        if (all || members[k].identity) {
            buf_add_str(&b, json_str(entry, members[k].told));
            buf_add_char(&b, '\n');
        }
    return buf_ok(&b) ? arena_dup(a, buf_view(&b)) : (str){0};
}

/* All that is told of entries; several places of a package make the same. */
static int index_told(yyjson_val *list, struct arena *a, struct map *out, struct err *e)
{
    size_t i, n;
    yyjson_val *entry;
    yyjson_arr_foreach(list, i, n, entry)
    {
        str key = key_of(a, entry, true);
        if (!key.p || !map_put(out, key, entry))
            return err_no_memory(e);
    }
    return 0;
}

/* Of the entries that are the same one, the last that `other` does not have as it is, or the last.
 */
static int index_entries(yyjson_val *list, const struct map *other, struct arena *a,
                         struct map *out, struct err *e)
{
    size_t i, n;
    yyjson_val *entry;
    yyjson_arr_foreach(list, i, n, entry)
    {
        str key = key_of(a, entry, false), told = key_of(a, entry, true);
        void **slot = key.p && told.p ? map_slot(out, key) : NULL;
        if (!slot)
            return err_no_memory(e);
        if (!*slot || !map_get(other, told))
            *slot = entry;
    }
    return 0;
}

enum list { ADDED, REMOVED, UPDATED };
struct comparing {
    struct arena a;
    struct map before, now;           /* by what makes an entry the same one */
    struct map before_told, now_told; /* by all that is told */
    struct map told;                  /* in the list that is written */
    struct buf *out;
    size_t n, omitted;
    bool was;
};

/* was NULL: nothing is said of it. */
static void put_was(struct comparing *c, yyjson_val *was, yyjson_val *entry)
{
    bool first = true;
    buf_add_str(c->out, STR(", \"was\": {"));
    for (size_t k = 0; k < TOLD; k++) {
        str old = json_str(was, members[k].told);
        if (str_eq(old, json_str(entry, members[k].told)))
            continue;
        buf_addf(c->out, first ? "\"%s\": " : ", \"%s\": ", members[k].told);
        json_put_string(c->out, old);
        first = false;
    }
    buf_add_char(c->out, '}');
}

static void put_entry(struct comparing *c, yyjson_val *entry, yyjson_val *was)
{
    if (c->n++ >= VULN_DIFF_TOLD) {
        c->omitted++;
        return;
    }
    buf_add_str(c->out, c->n > 1 ? STR(", {") : STR("{"));
    for (size_t k = 0; k < TOLD; k++) {
        buf_addf(c->out, k ? ", \"%s\": " : "\"%s\": ", members[k].told);
        json_put_string(c->out, json_str(entry, members[k].told));
    }
    if (was)
        put_was(c, was, entry);
    buf_add_char(c->out, '}');
}

/* The entries of `list` that belong to one kind of difference; each once. */
static int put_list(struct comparing *c, yyjson_val *list, enum list which, size_t *count,
                    struct err *e)
{
    static const char *const names[] = {"added", "removed", "updated"};
    size_t i, n;
    yyjson_val *entry;
    c->n = 0;
    map_done(&c->told);
    map_init(&c->told);
    buf_addf(c->out, "%s\"%s\": [", which == ADDED ? "{" : ", ", names[which]);
    yyjson_arr_foreach(list, i, n, entry)
    {
        str key = key_of(&c->a, entry, false), told = key_of(&c->a, entry, true);
        if (!key.p || !told.p)
            return err_no_memory(e);
        yyjson_val *other = map_get(which == REMOVED ? &c->now : &c->before, key);
        bool differs = which == UPDATED ? other && !map_get(&c->before_told, told) : !other;
        if (!differs || map_get(&c->told, told))
            continue;
        if (!map_put(&c->told, told, entry))
            return err_no_memory(e);
        put_entry(c, entry, c->was && which == UPDATED ? other : NULL);
    }
    buf_add_char(c->out, ']');
    *count = c->n;
    return 0;
}

static int index_both(struct comparing *c, yyjson_val *before, yyjson_val *now, struct err *e)
{
    int rc = index_told(before, &c->a, &c->before_told, e);
    if (rc == 0)
        rc = index_told(now, &c->a, &c->now_told, e);
    if (rc == 0)
        rc = index_entries(before, &c->now_told, &c->a, &c->before, e);
    return rc ? rc : index_entries(now, &c->before_told, &c->a, &c->now, e);
}

static int compare(yyjson_val *before, yyjson_val *now, bool was, struct buf *out,
                   struct vuln_diff *counts, struct err *e)
{
    struct comparing c = {.out = out, .was = was};
    struct map *const maps[] = {&c.before, &c.now, &c.before_told, &c.now_told, &c.told};
    arena_init(&c.a, KEYS_MAX);
    for (size_t i = 0; i < KE_ARRAY_LEN(maps); i++)
        map_init(maps[i]);
    int rc = index_both(&c, before, now, e);
    if (rc == 0)
        rc = put_list(&c, now, ADDED, &counts->added, e);
    if (rc == 0)
        rc = put_list(&c, before, REMOVED, &counts->removed, e);
    if (rc == 0)
        rc = put_list(&c, now, UPDATED, &counts->updated, e);
    if (c.omitted)
        buf_addf(out, ", \"omitted\": %zu", c.omitted);
    buf_add_char(out, '}');
    for (size_t i = 0; i < KE_ARRAY_LEN(maps); i++)
        map_done(maps[i]);
    arena_done(&c.a);
    return rc < 0 ? rc : buf_check(out, "what differs", e);
}

int vuln_diff(yyjson_val *before, yyjson_val *now, struct buf *out, struct vuln_diff *counts,
              struct err *e)
{
    return compare(before, now, false, out, counts, e);
}

int vuln_diff_was(yyjson_val *before, yyjson_val *now, struct buf *out, struct vuln_diff *counts,
                  struct err *e)
{
    return compare(before, now, true, out, counts, e);
}
