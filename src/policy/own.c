#include "policy/own.h"

#include "policy/allowlist.h"
#include "policy/problems.h"

#define problem(c, type, ...)                                                                      \
    do {                                                                                           \
        if (!problems_addf((c)->out, "error", type, __VA_ARGS__) && !(c)->failed)                  \
            (c)->failed = err_no_memory((c)->e);                                                   \
    } while (0)

/* ---- of the bundle ----------------------------------------------------------------------------
 */
static bool read_word(struct checker *c, yyjson_val *bundle, const char *member, const char *no,
                      const char *yes, bool *out)
{
    yyjson_val *v = json_get(bundle, member);
    *out = str_eq(json_text(v), str_z(yes));
    if (!v || yyjson_is_null(v) || *out || str_eq(json_text(v), str_z(no)))
        return true;
    problem(c, "PolicyError", "%s is neither \"%s\" nor \"%s\"", member, no, yes);
    return false;
}

bool check_options(struct checker *c, yyjson_val *bundle, struct bundle_options *out)
{
    enum { EXPIRING_DAYS = 30, EXPIRING_DAYS_MAX = 3650 };
    yyjson_val *report = json_get(bundle, "report_allowlist");
    yyjson_val *days = json_get(bundle, "expiring_days");
    bool counted = yyjson_is_int(days) && yyjson_get_sint(days) >= 0 &&
                   yyjson_get_uint(days) <= EXPIRING_DAYS_MAX;
    bool good = read_word(c, bundle, "on_rule_failure", "closed", "open", &out->fail_open) &
                (int)read_word(c, bundle, "unmatched", "go", "stop", &out->unmatched_stops);
    out->report_allowlist = yyjson_is_true(report);
    out->expiring_us = (counted ? yyjson_get_sint(days) : EXPIRING_DAYS) * (int64_t)86400 * 1000000;
    if (c->lenient)
        return good;
    if (report && !yyjson_is_null(report) && !yyjson_is_bool(report)) {
        problem(c, "PolicyError", "report_allowlist is neither true nor false");
        good = false;
    }
    if (days && !yyjson_is_null(days) && !counted) {
        problem(c, "PolicyError", "expiring_days is no whole number from 0 to %d",
                EXPIRING_DAYS_MAX);
        good = false;
    }
    return good;
}

/* ---- of allowlists' items ---------------------------------------------------------------------
 */
static bool check_texts(struct checker *c, yyjson_val *item, const char *const *names, size_t n)
{
    bool good = true;
    for (size_t i = 0; i < n; i++) {
        yyjson_val *v = json_get(item, names[i]);
        if (!v || yyjson_is_null(v) || yyjson_is_str(v))
            continue;
        problem(c, "ValidationError", "'%s' of an allowlist item is no text", names[i]);
        good = false;
    }
    return good;
}

bool check_item_members(struct checker *c, yyjson_val *item)
{
    static const char *const needed[] = {"gate", "trigger_id"};
    static const char *const own[] = {"vulnerability_id", "package", "version", "purl", "path"};
    bool extended = false, good = check_texts(c, item, own, KE_ARRAY_LEN(own));
    if (c->lenient || !good)
        return good;
    for (size_t i = 0; i < KE_ARRAY_LEN(own); i++)
        extended |= json_str(item, own[i]).n > 0;
    for (size_t i = 0; i < KE_ARRAY_LEN(needed) && !extended; i++) {
        if (json_get(item, needed[i]))
            continue;
        problem(c, "ValidationError", "'%s' is a required property of an allowlist item",
                needed[i]);
        good = false;
    }
    str version = json_str(item, "version"), purl = json_str(item, "purl");
    bool constraint = true;
    if (version.n)
        version_within(version, STR(""), STR(""), STR(""), &constraint);
    if (!constraint)
        problem(c, "ValidationError", "\"%.*s\" is no constraint of versions", STR_ARG(version));
    if (purl.n && !str_starts(purl, STR("pkg:")))
        problem(c, "ValidationError", "\"%.*s\" is no package URL", STR_ARG(purl));
    return good && constraint && (!purl.n || str_starts(purl, STR("pkg:")));
}

/* ---- what looks like a member ------------------------------------------------------------------
 */
enum { MEMBER_MAX = 32 };

/* How many letters have to be put in, taken out or changed; more than `most` is most + 1. */
static size_t letters_apart(str a, str b, size_t most)
{
    size_t row[MEMBER_MAX + 1];
    if (a.n > MEMBER_MAX || b.n > MEMBER_MAX)
        return most + 1;
    for (size_t k = 0; k <= b.n; k++)
        row[k] = k;
    for (size_t i = 0; i < a.n; i++) {
        size_t before = row[0];
        row[0] = i + 1;
        for (size_t k = 0; k < b.n; k++) {
            size_t same = before + (ke_tolower(a.p[i]) != ke_tolower(b.p[k]));
            before = row[k + 1];
            size_t least = row[k] < before ? row[k] + 1 : before + 1;
            row[k + 1] = same < least ? same : least;
        }
    }
    return row[b.n] > most ? most + 1 : row[b.n];
}

/* The member that it looks like; NULL: it is one, or looks like none. */
static const char *meant(str name, const char *const *known)
{
    const char *best = NULL;
    size_t least = 3;
    for (size_t i = 0; known[i]; i++) {
        str k = str_z(known[i]);
        size_t apart = letters_apart(name, k, 2);
        if (apart == 0 && str_eq(name, k))
            return NULL;
        if (apart < least && apart <= k.n / 4) {
            least = apart;
            best = known[i];
        }
    }
    return !best && str_eq(name, STR("parameters")) ? "params" : best;
}

static const char *const of_bundle[] = {"id",
                                        "version",
                                        "name",
                                        "comment",
                                        "description",
                                        "policies",
                                        "mappings",
                                        "whitelists",
                                        "allowlists",
                                        "unmatched",
                                        "expiring_days",
                                        "whitelisted_images",
                                        "created_at",
                                        "on_rule_failure",
                                        "last_modified",
                                        "allowlisted_images",
                                        "active",
                                        "report_allowlist",
                                        "last_updated",
                                        "blacklisted_images",
                                        "denylisted_images",
                                        NULL};
static const char *const of_policy[] = {"id",       "version",     "name",  "comment",
                                        "comments", "description", "rules", NULL};
static const char *const of_rule[] = {"id",      "gate",        "trigger", "action", "params",
                                      "comment", "description", "name",    NULL};
static const char *const of_item[] = {
    "id",         "gate",        "trigger",    "trigger_id", "vulnerability_id",
    "package",    "version",     "purl",       "path",       "reason",
    "owner",      "created",     "expires_on", "comment",    "notes",
    "created_at", "description", "name",       NULL};
static const char *const of_mapping[] = {
    "id",          "name",      "registry",   "repository",    "image",         "comment",
    "description", "policy_id", "policy_ids", "whitelist_ids", "allowlist_ids", NULL};

struct walk {
    struct policy_problems *out;
    bool failed;
};

static void look(struct walk *w, yyjson_val *thing, const char *const *known, const char *where,
                 size_t i, const char *under, size_t k)
{
    yyjson_val *key, *value;
    size_t at, n;
    char place[96];
    if (under)
        snprintf(place, sizeof place, "%s.%zu.%s.%zu", where, i, under, k);
    else
        snprintf(place, sizeof place, where ? "%s.%zu" : "the bundle", where, i);
    yyjson_obj_foreach(thing, at, n, key, value)
    {
        const char *member = meant(json_text(key), known);
        if (member && !problems_addf(w->out, "warn", "UnknownMember",
                                     "nobody reads \"%.*s\" (in %s): is \"%s\" meant?",
                                     STR_ARG(json_text(key)), place, member))
            w->failed = true;
    }
}

static void look_below(struct walk *w, yyjson_val *list, const char *where,
                       const char *const *known, const char *under, const char *const *known_under)
{
    yyjson_val *thing, *inner;
    size_t i, n, k, m;
    yyjson_arr_foreach(list, i, n, thing)
    {
        look(w, thing, known, where, i, NULL, 0);
        yyjson_arr_foreach(under ? json_get(thing, under) : NULL, k, m, inner)
            look(w, inner, known_under, where, i, under, k);
    }
}

bool lint_members(yyjson_val *bundle, struct policy_problems *out)
{
    static const struct {
        const char *old_name, *new_name;
    } twice[] = {{"whitelists", "allowlists"},
                 {"whitelisted_images", "allowlisted_images"},
                 {"blacklisted_images", "denylisted_images"}};
    struct walk w = {.out = out};
    look(&w, bundle, of_bundle, NULL, 0, NULL, 0);
    look_below(&w, json_get(bundle, "policies"), "policies", of_policy, "rules", of_rule);
    look_below(&w, bundle_member(bundle, "whitelists", "allowlists"), "whitelists", of_policy,
               "items", of_item);
    look_below(&w, json_get(bundle, "mappings"), "mappings", of_mapping, NULL, NULL);
    for (size_t i = 0; i < KE_ARRAY_LEN(twice); i++)
        if (json_get(bundle, twice[i].old_name) && json_get(bundle, twice[i].new_name) &&
            !problems_addf(out, "warn", "UnknownMember",
                           "nobody reads \"%s\" (in the bundle): it has \"%s\"", twice[i].new_name,
                           twice[i].old_name))
            w.failed = true;
    return !w.failed;
}
