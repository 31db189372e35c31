/* debian.c - the Debian security tracker: its JSON, joined with the advisory lists. */
#include "feeds/debian.h"

#include "feeds/drivers.h"
#include "feeds/sync.h"
#include "vulndb/platform.h"

#include <stdlib.h>

static bool debian_wants(str path)
{
    if (feed_path_hidden(path))
        return false;
    str name = str_basename(path), dir = str_basename(str_dirname(path));
    ptrdiff_t bang = str_index(dir, '!');
    dir = bang < 0 ? dir : str_from(dir, (size_t)bang + 1);
    if (str_eq(name, STR("list")))
        return str_eq(dir, STR("DSA")) || str_eq(dir, STR("DLA"));
    return str_eq(name, STR("DSA")) || str_eq(name, STR("DLA")) || str_eq(name, STR("json")) ||
           str_eq(name, STR("tracker.json")) || str_eq(name, STR("debian.json"));
}

/* ---- what both halves use -----------------------------------------------------------------------
 */

int debian_release(struct debian *d, str codename, bool *known)
{
    size_t i = 0;
    while (i < d->n_releases && !str_eq(d->releases[i], codename))
        i++;
    if (i == d->n_releases) {
        if (i == DEBIAN_RELEASES)
            return -1;
        const struct distro_family *f = distro_find(STR("debian"));
        str own = feed_intern(&d->strings, codename);
        auto_buf name;
        buf_init(&name, 64);
        if (str_eq(codename, STR("sid")) || distro_codename_version(f, codename).n)
            platform_name(f, STR(""), codename, &name);
        d->releases[i] = own;
        d->platforms[i] = feed_intern(&d->strings, buf_view(&name));
        if (!own.p || !d->platforms[i].p)
            return -1;
        d->n_releases++;
    }
    *known = d->platforms[i].n != 0;
    return (int)i;
}

/* Sends the vulnerability the first time its id is seen. */
static int debian_vuln(struct debian *d, str id, str details, struct claim_sink *sink,
                       struct err *e)
{
    void **slot = map_slot(&d->vulns, id);
    if (!slot)
        return err_no_memory(e);
    if (*slot)
        return 0;
    *slot = d;
    struct vuln v = vuln_empty();
    char url[160];
    snprintf(url, sizeof url, "https://security-tracker.debian.org/tracker/%.*s",
             (int)(id.n > 64 ? 64 : id.n), id.p);
    v.id = id;
    v.details = details;
    v.url = str_z(url);
    return sink->vuln(sink, &v, e);
}

str debian_key(struct debian *d, unsigned release, str package, str cve)
{
    return arena_printf(&d->strings.arena, "%u %.*s %.*s", release, STR_ARG(package), STR_ARG(cve));
}

str debian_version_key(struct debian *d, str key, str version)
{
    return arena_printf(&d->strings.arena, "%.*s %.*s", STR_ARG(key), STR_ARG(version));
}

/* ---- the JSON -----------------------------------------------------------------------------------
 */

/* "low**" and the like: the stars only say that the tracker guessed. */
static enum severity urgency_severity(str urgency)
{
    while (str_ends(urgency, STR("*")))
        urgency.n--;
    if (str_eq(urgency, STR("not yet assigned")) || str_eq(urgency, STR("end-of-life")))
        return SEV_UNKNOWN;
    return severity_from_word(urgency);
}

static enum fix_state open_state(yyjson_val *r, str urgency)
{
    str reason = json_str(r, "nodsa_reason");
    if (str_eq(urgency, STR("end-of-life")))
        return FIX_END_OF_LIFE;
    if (str_eq(reason, STR("ignored")))
        return FIX_WONT_FIX;
    if (reason.n || json_get(r, "nodsa"))
        return FIX_DEFERRED;
    return FIX_NOT_FIXED;
}

/* What a release's entry says; a reason for leaving it out, or NULL. */
static const char *release_row(yyjson_val *r, struct debian_row *row)
{
    str status = json_str(r, "status");
    row->urgency = json_str(r, "urgency");
    row->fixed = json_str(r, "fixed_version");
    row->note = json_str(r, "nodsa");
    row->severity = (uint8_t)urgency_severity(row->urgency);
    row->kind = CLAIM_AFFECTED;
    row->state = FIX_FIXED;
    if (str_eq(status, STR("undetermined")))
        return "undetermined";
    if (str_eq(row->fixed, STR("0"))) {
        row->kind = CLAIM_UNAFFECTED;
        row->state = FIX_NOT_AFFECTED;
        row->fixed = STR("");
        return NULL;
    }
    if (row->fixed.n)
        return NULL;
    if (str_eq(status, STR("resolved")))
        return "resolved without a fixed version";
    if (!str_eq(status, STR("open")))
        return "status that is not known";
    row->state = (uint8_t)open_state(r, row->urgency);
    return NULL;
}

static int row_add(struct debian *d, struct debian_row *row, struct err *e)
{
    row->fixed = feed_intern(&d->strings, row->fixed);
    row->note = feed_intern(&d->strings, row->note);
    row->urgency = feed_intern(&d->strings, row->urgency);
    struct debian_row *slot = vec_push(&d->rows);
    if (!slot || !row->fixed.p || !row->note.p || !row->urgency.p)
        return err_no_memory(e);
    *slot = *row;
    return 0;
}

static int tracker_releases(struct debian *d, const struct feed_input *in, str package, str cve,
                            yyjson_val *releases, struct claim_sink *sink, struct err *e)
{
    yyjson_obj_iter it = yyjson_obj_iter_with(releases);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&it));) {
        bool known;
        struct debian_row row = {.cve = cve, .package = package};
        int release = debian_release(d, json_text(key), &known);
        if (release < 0)
            return feed_bad(in, cve, "names more than 64 releases, or memory is out", e);
        d->in_json[release] = true;
        row.release = (uint8_t)release;
        const char *reason = release_row(yyjson_obj_iter_get_val(key), &row);
        if (!reason && !known)
            reason = "release without a number";
        if (reason) {
            sink->drop(sink, reason, 1);
            continue;
        }
        int r = row_add(d, &row, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int tracker_package(struct debian *d, const struct feed_input *in, str name,
                           yyjson_val *cves, struct claim_sink *sink, struct err *e)
{
    if (!name.n)
        return feed_bad(in, STR("a package"), "has no name", e);
    if (!yyjson_is_obj(cves))
        return feed_bad(in, name,
                        "is not an object of vulnerabilities; is this the tracker's JSON?", e);
    str package = feed_intern(&d->strings, name);
    if (!package.p)
        return err_no_memory(e);
    yyjson_obj_iter it = yyjson_obj_iter_with(cves);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&it));) {
        yyjson_val *entry = yyjson_obj_iter_get_val(key);
        yyjson_val *releases = json_get(entry, "releases");
        sink->record(sink, 1);
        if (!json_text(key).n)
            return feed_bad(in, name, "a vulnerability has no id", e);
        if (yyjson_arr_size(releases) == 0 && yyjson_is_arr(releases)) {
            sink->drop(sink, "vulnerability without a release", 1);
            continue;
        }
        if (!yyjson_is_obj(releases))
            return feed_bad(in, json_text(key), "has no releases; is this the tracker's JSON?", e);
        if (str_starts(json_text(key), STR("TEMP-"))) {
            sink->drop(sink, "temporary id", yyjson_obj_size(releases));
            continue;
        }
        str cve = feed_intern(&d->strings, json_text(key));
        if (!cve.p)
            return err_no_memory(e);
        int r = debian_vuln(d, cve, json_str(entry, "description"), sink, e);
        if (r == 0)
            r = tracker_releases(d, in, package, cve, releases, sink, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int debian_read_tracker(struct debian *d, const struct feed_input *in,
                               struct claim_sink *sink, struct err *e)
{
    struct json_pull *j;
    int r = json_pull_open(in->in, NULL, feed_name(in), NULL, &j, e);
    if (r < 0)
        return r;
    str key, text;
    uint64_t n = 0;
    while ((r = json_pull_next(j, &key, &text, e)) == 1) {
        auto_json *doc = NULL;
        r = json_parse(text, feed_name(in), &doc, e);
        if (r == 0)
            r = tracker_package(d, in, key, yyjson_doc_get_root(doc), sink, e);
        if (r < 0)
            break;
        n++;
    }
    json_pull_close(j);
    if (r == 0 && !n)
        r = err_set(e, ERR_FORMAT, "%s: holds no package", feed_name(in));
    return r;
}

/* ---- the driver ---------------------------------------------------------------------------------
 */

static struct debian *debian_of(void **state, struct err *e)
{
    if (*state)
        return *state;
    struct debian *d = calloc(1, sizeof *d);
    if (!d) {
        err_no_memory(e);
        return NULL;
    }
    feed_strings_init(&d->strings);
    map_init(&d->vulns);
    map_init(&d->fixes_of);
    map_init(&d->fixes_at);
    map_init(&d->rows_of);
    return *state = d;
}

static int debian_read(void **state, const struct feed_input *in, struct claim_sink *sink,
                       struct err *e)
{
    struct debian *d = debian_of(state, e);
    if (!d)
        return ERR_NO_MEMORY;
    const uint8_t *p;
    int64_t n = stream_view(in->in, &p, e);
    if (n < 0)
        return (int)n;
    str head = str_trim((str){(const char *)p, (size_t)n});
    if (head.n && head.p[0] == '{')
        return debian_read_tracker(d, in, sink, e);
    if (head.n > 1 && head.p[0] == '[' && ke_isdigit(head.p[1]))
        return debian_read_list(d, in, sink, e);
    if (str_starts(head, STR("CVE-")))
        return err_set(e, ERR_UNSUPPORTED,
                       "%s: the tracker's CVE list is not read; its JSON has the same facts",
                       feed_name(in));
    return err_set(e, ERR_FORMAT, "%s: is neither the tracker's JSON nor an advisory list",
                   feed_name(in));
}

static int emit_row(struct debian *d, const struct debian_row *row, struct claim_sink *sink,
                    struct err *e)
{
    struct version_range range = {.hi = row->fixed};
    struct claim c = {
        .vuln_id = row->cve,
        .platform = d->platforms[row->release],
        .package = row->package,
        .package_kind = PACKAGE_SOURCE,
        .kind = (enum claim_kind)row->kind,
        .state = (enum fix_state)row->state,
        .scheme = "deb",
        .ranges = row->fixed.n ? &range : NULL,
        .n_ranges = row->fixed.n ? 1 : 0,
        .fixed = row->fixed,
        .severity = (enum severity)row->severity,
        .severity_raw = row->urgency,
        .note = row->note,
    };
    str key = debian_key(d, row->release, row->package, row->cve);
    if (!key.p || !map_put(&d->rows_of, key, d))
        return err_no_memory(e);
    uintptr_t i = 0;
    if (d->fixes.n && row->state == FIX_FIXED) {
        str exact = debian_version_key(d, key, row->fixed);
        if (!exact.p)
            return err_no_memory(e);
        i = (uintptr_t)map_get(&d->fixes_at, exact);
    }
    if (i) {
        c.advisory = d->fixes.p[i - 1].advisory;
        c.fix_date = d->fixes.p[i - 1].date;
    }
    return sink->claim(sink, &c, e);
}

/* Rows of the lists that the JSON does not have: releases that left the tracker, or no JSON. */
static int emit_fix(struct debian *d, size_t i, struct claim_sink *sink, struct err *e)
{
    const struct debian_fix *f = &d->fixes.p[i];
    str key = debian_key(d, f->release, f->package, f->cve);
    if (!key.p)
        return err_no_memory(e);
    const char *reason = NULL;
    if (map_get(&d->rows_of, key))
        reason = "advisory row that the tracker has too";
    else if (d->in_json[f->release])
        reason = "advisory row that the tracker does not have";
    else if ((uintptr_t)map_get(&d->fixes_of, key) != i + 1)
        reason = "advisory row replaced by another advisory's";
    if (reason) {
        sink->drop(sink, reason, 1);
        return 0;
    }
    int r = debian_vuln(d, f->cve, STR(""), sink, e);
    struct version_range range = {.hi = f->version};
    struct claim c = {
        .vuln_id = f->cve,
        .platform = d->platforms[f->release],
        .package = f->package,
        .package_kind = PACKAGE_SOURCE,
        .kind = (enum claim_kind)f->kind,
        .state = (enum fix_state)f->state,
        .scheme = "deb",
        .ranges = f->version.n ? &range : NULL,
        .n_ranges = f->version.n ? 1 : 0,
        .fixed = f->version,
        .advisory = str_eq(f->advisory, f->cve) ? STR("") : f->advisory,
        .fix_date = f->date,
    };
    return r < 0 ? r : sink->claim(sink, &c, e);
}

static void debian_free(struct debian *d)
{
    if (!d)
        return;
    map_done(&d->vulns);
    map_done(&d->fixes_of);
    map_done(&d->fixes_at);
    map_done(&d->rows_of);
    vec_done(&d->rows);
    vec_done(&d->fixes);
    feed_strings_done(&d->strings);
    free(d);
}

static int debian_finish(void **state, struct claim_sink *sink, struct err *e)
{
    struct debian *d = *state;
    int r = 0;
    if (d && sink) {
        int64_t newest = 0;
        r = debian_rank_fixes(d, e);
        for (size_t i = 0; i < d->rows.n && r == 0; i++)
            r = emit_row(d, &d->rows.p[i], sink, e);
        for (size_t i = 0; i < d->fixes.n && r == 0; i++) {
            r = emit_fix(d, i, sink, e);
            if (d->fixes.p[i].date > newest)
                newest = d->fixes.p[i].date;
        }
        if (r == 0 && newest)
            sink->dated(sink, newest, STR(""));
    }
    debian_free(d);
    *state = NULL;
    return r;
}

const struct feed_ops feed_debian = {
    .name = "debian",
    .summary = "Debian security tracker, with DSA and DLA advisories",
    .licence = "facts; no licence is stated",
    .wants = debian_wants,
    .read = debian_read,
    .finish = debian_finish,
    .sync = &feed_sync_debian,
};
