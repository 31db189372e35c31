#include "feeds/osv.h"

#include "version/version.h"

#include <stdlib.h>

enum event_kind { EVENT_INTRODUCED, EVENT_FIXED, EVENT_LAST, EVENT_LIMIT };
struct event {
    enum event_kind kind;
    str version;
    size_t order; /* as written: decides between equals */
};

struct event_order {
    const struct version_ops *ops;
};

static bool is_beginning(str v)
{
    return v.n == 0 || str_eq(v, STR("0"));
}

static int event_compare(const void *a, const void *b, void *ctx)
{
    const struct event *x = a, *y = b;
    const struct event_order *order = ctx;
    bool x0 = is_beginning(x->version), y0 = is_beginning(y->version);
    int c = x0 || y0 ? (int)y0 - (int)x0 : order->ops->compare(x->version, y->version);
    return c ? c : x->order < y->order ? -1 : x->order > y->order;
}

static const struct {
    const char *member;
    enum event_kind kind;
} event_members[] = {
    {"introduced", EVENT_INTRODUCED},
    {"fixed", EVENT_FIXED},
    {"last_affected", EVENT_LAST},
    {"limit", EVENT_LIMIT},
};

/* The events of one range; an event object may carry several. */
static size_t events_read(yyjson_val *events, struct event *out)
{
    size_t count = 0, i, n;
    yyjson_val *ev;
    yyjson_arr_foreach(events, i, n, ev)
    {
        for (size_t k = 0; k < KE_ARRAY_LEN(event_members); k++) {
            yyjson_val *v = json_get(ev, event_members[k].member);
            if (yyjson_is_str(v) && !str_eq(json_text(v), STR("*"))) {
                out[count] = (struct event){event_members[k].kind, json_text(v), count};
                count++;
            }
        }
    }
    return count;
}

/* Walks the sorted events; returns the number of intervals. */
static size_t events_sweep(const struct event *events, size_t n, struct osv_interval *out)
{
    size_t count = 0;
    bool open = false;
    struct osv_interval *last = NULL; /* the last one closed, while nothing was introduced since */
    for (size_t i = 0; i < n; i++) {
        const struct event *ev = &events[i];
        if (ev->kind == EVENT_INTRODUCED) {
            if (!open)
                out[count] = (struct osv_interval){
                    .range.lo = is_beginning(ev->version) ? STR("") : ev->version};
            open = true;
            last = NULL;
        } else if (open) {
            out[count].range.hi = ev->version;
            out[count].range.hi_included = ev->kind == EVENT_LAST;
            out[count].fixed = ev->kind == EVENT_FIXED ? ev->version : STR("");
            last = &out[count++];
            open = false;
        } else if (last && ev->kind == EVENT_FIXED && !last->fixed.n) {
            last->fixed = ev->version;
        }
    }
    return open ? count + 1 : count;
}

/* An interval that ends where it begins, or before, holds nothing. */
static bool interval_empty(const struct osv_interval *v, const struct version_ops *ops)
{
    if (!v->range.hi.n)
        return false;
    if (is_beginning(v->range.hi))
        return !v->range.hi_included;
    if (!v->range.lo.n)
        return false;
    int c = ops->compare(v->range.lo, v->range.hi);
    return c > 0 || (c == 0 && !v->range.hi_included);
}

/* GitHub's "<= 1.2" or "< 1.3" bounds a range that was left open. */
static void apply_last_known(yyjson_val *affected, struct osv_intervals *all)
{
    str text = str_trim(
        json_str(json_get(affected, "database_specific"), "last_known_affected_version_range"));
    bool included = str_starts(text, STR("<="));
    if (!str_starts(text, STR("<")) || all->n == 0 || str_index(text, ',') >= 0)
        return;
    str version = str_trim(str_from(text, included ? 2 : 1));
    struct osv_interval *last = &all->p[all->n - 1];
    for (size_t i = 0; i < all->n; i++)
        if (all->p[i].fixed.n) /* somewhere a fix is known: the bound is about another part */
            return;
    if (version.n && !last->range.hi.n) {
        last->range.hi = version;
        last->range.hi_included = included;
    }
}

static int range_read(yyjson_val *range, const struct version_ops *ops, struct arena *a,
                      struct osv_intervals *out, struct err *e)
{
    yyjson_val *events = json_get(range, "events");
    size_t room = yyjson_arr_size(events) * KE_ARRAY_LEN(event_members);
    struct event *list = arena_calloc(a, room + 1, sizeof *list);
    struct osv_interval *made = arena_calloc(a, room + 1, sizeof *made);
    if (!list || !made)
        return err_no_memory(e);
    size_t n = events_read(events, list);
    if (!n)
        out->bad = "a range without events";
    struct event_order order = {ops};
    qsort_r(list, n, sizeof *list, event_compare, &order);
    size_t n_made = events_sweep(list, n, made);
    for (size_t i = 0; i < n_made; i++) {
        if (interval_empty(&made[i], ops))
            out->empty++;
        else
            out->p[out->n++] = made[i];
    }
    if (n && !n_made)
        out->empty++;
    return 0;
}

int osv_intervals_read(yyjson_val *affected, const char *scheme, struct arena *a,
                       struct osv_intervals *out, struct err *e)
{
    yyjson_val *ranges = json_get(affected, "ranges"), *range;
    const struct version_ops *ops = version_scheme(str_z(scheme));
    size_t i, n, room = 0;
    *out = (struct osv_intervals){0};
    if (!ops)
        return err_set(e, ERR_UNSUPPORTED, "there is no version scheme \"%s\"", scheme);
    yyjson_arr_foreach(ranges, i, n, range)
    {
        room += yyjson_arr_size(json_get(range, "events")) * KE_ARRAY_LEN(event_members) + 1;
    }
    out->p = arena_calloc(a, room + 1, sizeof *out->p);
    if (!out->p)
        return err_no_memory(e);
    yyjson_arr_foreach(ranges, i, n, range)
    {
        str type = json_str(range, "type");
        if (str_eq(type, STR("GIT"))) {
            out->git++;
        } else if (!str_eq(type, STR("SEMVER")) && !str_eq(type, STR("ECOSYSTEM"))) {
            out->unknown++;
        } else {
            int r = range_read(range, ops, a, out, e);
            if (r < 0)
                return r;
        }
    }
    apply_last_known(affected, out);
    return 0;
}

/* Ecosystems whose own order is that of SEMVER, and who read more of what is installed. */
static const char *const semver_kin[] = {"golang",   "npm",     "nuget", "pub",
                                         "composer", "bitnami", NULL};

const char *osv_scheme(yyjson_val *affected, const char *ecosystem_scheme)
{
    bool semver = false, other = false;
    size_t i, n;
    yyjson_val *range;
    yyjson_arr_foreach(json_get(affected, "ranges"), i, n, range)
    {
        str type = json_str(range, "type");
        semver |= str_eq(type, STR("SEMVER"));
        other |= str_eq(type, STR("ECOSYSTEM"));
    }
    for (const char *const *kin = semver_kin; *kin; kin++)
        other |= strcmp(ecosystem_scheme, *kin) == 0;
    if (!semver || other)
        return ecosystem_scheme;
    return "semver";
}

static bool covered(const struct osv_intervals *in, const struct version_ops *ops, str v)
{
    for (size_t i = 0; i < in->n; i++) {
        const struct version_range *r = &in->p[i].range;
        if (r->lo.n && ops->compare(v, r->lo) < 0)
            continue;
        int c = r->hi.n ? ops->compare(v, r->hi) : -1;
        if (c < 0 || (c == 0 && r->hi_included))
            return true;
    }
    return false;
}

int osv_exact_read(yyjson_val *affected, const char *scheme, const struct osv_intervals *in,
                   struct arena *a, str **out, size_t *n_out, struct err *e)
{
    yyjson_val *versions = json_get(affected, "versions"), *v;
    const struct version_ops *ops = version_scheme(str_z(scheme));
    size_t i, n;
    *n_out = 0;
    *out = arena_calloc(a, yyjson_arr_size(versions) + 1, sizeof **out);
    if (!*out || !ops)
        return err_no_memory(e);
    yyjson_arr_foreach(versions, i, n, v)
    {
        str text = json_text(v);
        if (text.n && !covered(in, ops, text))
            (*out)[(*n_out)++] = text;
    }
    return 0;
}
