/* osv.c - OSV records: AlmaLinux, Rocky, Ubuntu, GitHub, PyPA, Go, Bitnami, osv.dev's archives ...
 */
#include "feeds/osv.h"

#include "base/auto.h"
#include "base/hash.h"
#include "feeds/drivers.h"
#include "feeds/sync.h"
#include "version/ecosystem.h"
#include "version/version.h"
#include "vulndb/platform.h"

#include <stdlib.h>

enum { RECORD_MEMORY = 256 << 20, MODULES_MAX = 8 };

static bool osv_wants(str path)
{
    str name = str_basename(path);
    if (feed_path_hidden(path))
        return false;
    if (str_ends(name, STR(".yaml")) || str_ends(name, STR(".yml")))
        return true;
    /* The Go database's own indexes are no records. */
    return str_ends(name, STR(".json")) && !str_eq(str_basename(str_dirname(path)), STR("index"));
}

struct osv_state {
    int64_t newest;
    struct feed_strings strings;
    struct map seen; /* "id hash": archives per ecosystem repeat records */
};

static struct osv_state *osv_state_of(void **state, struct err *e)
{
    if (*state)
        return *state;
    struct osv_state *s = calloc(1, sizeof *s);
    if (!s) {
        err_no_memory(e);
        return NULL;
    }
    feed_strings_init(&s->strings);
    map_init(&s->seen);
    return *state = s;
}

/* 1: the same record came before; 0: it is new; or a negative code. */
static int osv_seen(struct osv_state *s, yyjson_val *root, struct err *e)
{
    size_t n;
    char *text autofree = yyjson_val_write(root, YYJSON_WRITE_ALLOW_INVALID_UNICODE, &n);
    if (!text)
        return err_no_memory(e);
    auto_buf key;
    buf_init(&key, 8192);
    buf_addf(&key, "%.*s %016llx", STR_ARG(json_str(root, "id")),
             (unsigned long long)hash64(text, n));
    str kept = feed_intern(&s->strings, buf_view(&key));
    void **slot = kept.p ? map_slot(&s->seen, kept) : NULL;
    if (!slot)
        return err_no_memory(e);
    if (*slot)
        return 1;
    *slot = s;
    return 0;
}

/* One record on its way. */
struct osv_record {
    const struct feed_input *in;
    struct claim_sink *sink;
    struct arena arena;
    yyjson_val *root;
    str id;
    bool withdrawn;
    str modules[MODULES_MAX]; /* named in the summary of rpm advisories */
    size_t n_modules;
};

/* ---- the vulnerability --------------------------------------------------------------------------
 */

static const struct {
    const char *type;
    bool v2;
} vector_types[] = {{"CVSS_V4", false}, {"CVSS_V3", false}, {"CVSS_V2", true}};
enum { TYPE_V3 = 1 };

/* The newest vector of a severity list, *v3 the one of version 3; *word is a vendor's word in it
 * ("Ubuntu": "medium"). */
static str best_vector(yyjson_val *list, bool *v2, str *v3, str *word)
{
    str best = STR("");
    size_t best_type = KE_ARRAY_LEN(vector_types), i, n;
    yyjson_val *s;
    yyjson_arr_foreach(list, i, n, s)
    {
        str type = json_str(s, "type"), score = str_trim(json_str(s, "score"));
        bool is_vector = false;
        for (size_t k = 0; k < KE_ARRAY_LEN(vector_types); k++)
            if (str_eq(type, str_z(vector_types[k].type))) {
                is_vector = true;
                if (v3 && !v3->n && k == TYPE_V3 && cvss_score10(score) >= 0)
                    *v3 = score;
                if (k < best_type && cvss_score10(score) >= 0) {
                    best_type = k;
                    best = score;
                    *v2 = vector_types[k].v2;
                }
            }
        if (!is_vector && word && severity_from_word(score) != SEV_UNKNOWN)
            *word = score;
    }
    return best;
}

/* The word that rpm advisories put before their title: "Important: kernel security update". */
static str word_of_title(str title)
{
    ptrdiff_t colon = str_index(title, ':');
    str word = colon > 0 ? str_sub(title, 0, (size_t)colon) : STR("");
    return severity_from_word(word) != SEV_UNKNOWN ? word : STR("");
}

/* False: memory. */
static bool osv_severity(struct osv_record *o, struct vuln *v)
{
    bool v2 = false;
    str word = STR(""), v3 = STR("");
    str vector = best_vector(json_get(o->root, "severity"), &v2, &v3, &word);
    size_t i, n;
    yyjson_val *affected;
    yyjson_arr_foreach(json_get(o->root, "affected"), i, n, affected)
    {
        if (!vector.n)
            vector = best_vector(json_get(affected, "severity"), &v2, &v3, NULL);
    }
    if (!word.n)
        word = json_str(json_get(o->root, "database_specific"), "severity");
    if (!word.n)
        word = word_of_title(json_str(o->root, "summary"));
    v->cvss_vector = vector;
    v->cvss_score10 = vector.n ? (int16_t)cvss_score10(vector) : -1;
    v->severity = severity_from_word(word);
    if (v->severity == SEV_UNKNOWN && v->cvss_score10 >= 0)
        v->severity = severity_from_score(v->cvss_score10, v2);
    if (v->severity == SEV_UNKNOWN && str_starts(o->id, STR("MAL-")))
        v->severity = SEV_CRITICAL; /* code that attacks its user */
    if (v3.n && !str_eq(v3, vector))
        v->cvss_vector = arena_printf(&o->arena, "%.*s %.*s", STR_ARG(vector), STR_ARG(v3));
    return !v->cvss_vector.n || v->cvss_vector.p;
}

static bool names_a_cve(yyjson_val *list)
{
    size_t i, n;
    yyjson_val *v;
    yyjson_arr_foreach(list, i, n, v)
    {
        if (feed_is_cve(json_text(v)))
            return true;
    }
    return false;
}

static bool names_several_cves(yyjson_val *list)
{
    str first = STR("");
    size_t i, n;
    yyjson_val *v;
    yyjson_arr_foreach(list, i, n, v)
    {
        if (!feed_is_cve(json_text(v)))
            continue;
        if (first.n && !str_eq(first, json_text(v)))
            return true;
        first = json_text(v);
    }
    return false;
}

static int osv_aliases(struct osv_record *o, struct vuln *v, struct err *e)
{
    yyjson_val *lists[] = {json_get(o->root, "aliases"), json_get(o->root, "upstream"),
                           json_get(o->root, "related")};
    enum alias_kind kinds[] = {ALIAS_SAME, ALIAS_UPSTREAM, ALIAS_RELATED};
    for (size_t k = 0; k < 2; k++)
        if (names_several_cves(
                lists[k])) /* what stands for several vulnerabilities is none of them */
            kinds[k] = ALIAS_RELATED;
    size_t room = 0;
    for (size_t k = 0; k < KE_ARRAY_LEN(lists); k++)
        room += yyjson_arr_size(lists[k]);
    struct vuln_alias *made = arena_calloc(&o->arena, room + 1, sizeof *made);
    if (!made)
        return err_no_memory(e);
    for (size_t k = 0; k < KE_ARRAY_LEN(lists); k++) {
        size_t i, n;
        yyjson_val *id;
        yyjson_arr_foreach(lists[k], i, n, id)
        {
            if (json_text(id).n && !str_eq(json_text(id), o->id))
                made[v->n_aliases++] = (struct vuln_alias){json_text(id), kinds[k]};
        }
    }
    v->aliases = made;
    return 0;
}

static str osv_url(yyjson_val *root)
{
    str url = json_str(json_get(root, "database_specific"), "url"), first = STR("");
    size_t i, n;
    yyjson_val *r;
    yyjson_arr_foreach(json_get(root, "references"), i, n, r)
    {
        if (!url.n && str_eq(json_str(r, "type"), STR("ADVISORY")))
            url = json_str(r, "url");
        if (!first.n)
            first = json_str(r, "url");
    }
    return url.n ? url : first;
}

static int osv_vuln(struct osv_record *o, struct osv_state *s, struct err *e)
{
    struct vuln v = vuln_empty();
    v.id = o->id;
    v.published = feed_date(json_str(o->root, "published"));
    v.modified = feed_date(json_str(o->root, "modified"));
    v.withdrawn = feed_date(json_str(o->root, "withdrawn"));
    v.status = o->withdrawn ? VULN_WITHDRAWN : VULN_ACTIVE;
    v.summary = json_str(o->root, "summary");
    v.details = json_str(o->root, "details");
    v.url = osv_url(o->root);
    if (!osv_severity(o, &v))
        return err_no_memory(e);
    if (v.modified > s->newest)
        s->newest = v.modified;
    int r = osv_aliases(o, &v, e);
    return r < 0 ? r : o->sink->vuln(o->sink, &v, e);
}

/* ---- claims -------------------------------------------------------------------------------------
 */

/* "Moderate: virt:rhel and virt-devel:rhel security update" -> virt:rhel, virt-devel:rhel */
static void osv_modules(struct osv_record *o)
{
    str title = json_str(o->root, "summary");
    str word = word_of_title(title);
    if (word.n)
        title = str_from(title, word.n + 1);
    while (title.n && o->n_modules < MODULES_MAX) {
        str token = str_split(&title, ' ');
        while (str_ends(token, STR(",")) || str_ends(token, STR(".")))
            token.n--;
        ptrdiff_t slash = str_index(token, '/');
        if (slash > 0)
            token = str_sub(token, 0, (size_t)slash);
        ptrdiff_t colon = str_index(token, ':');
        if (colon > 0 && (size_t)colon + 1 < token.n)
            o->modules[o->n_modules++] = token;
    }
}

/* What an affected entry is about. */
struct osv_target {
    const struct distro_family *distro;
    const struct ecosystem *ecosystem;
    struct buf platform, channel, package;
};

static void target_done(struct osv_target *t)
{
    buf_done(&t->platform);
    buf_done(&t->channel);
    buf_done(&t->package);
}

/* A reason for leaving the entry out, or NULL. */
static const char *target_read(yyjson_val *affected, struct osv_target *t)
{
    yyjson_val *package = json_get(affected, "package");
    str name = json_str(package, "name"), ecosystem = str_trim(json_str(package, "ecosystem"));
    buf_init(&t->platform, 256);
    buf_init(&t->channel, 256);
    buf_init(&t->package, 4096);
    if (!package)
        return "affected entry without a package (commits only)";
    if (!name.n || !ecosystem.n)
        return "affected entry without a name or ecosystem";
    if (!platform_from_osv(ecosystem, &t->distro, &t->platform, &t->channel)) {
        t->distro = NULL;
        t->ecosystem = ecosystem_find(ecosystem);
        if (!t->ecosystem)
            return "ecosystem that is not known";
        ecosystem_normalise(t->ecosystem, name, &t->package);
    } else {
        buf_add_str(&t->package, name);
    }
    if (!buf_ok(&t->platform) || !buf_ok(&t->channel) || !buf_ok(&t->package))
        return "name that is too long";
    return NULL;
}

static enum package_kind target_kind(const struct osv_target *t)
{
    if (!t->distro)
        return PACKAGE_LANGUAGE;
    bool binary =
        strcmp(t->distro->package_type, "rpm") == 0 || strcmp(t->distro->package_type, "alpm") == 0;
    return binary ? PACKAGE_BINARY : PACKAGE_SOURCE;
}

/* Sends a claim once for each module it may be about. rpm versions built in a module say so. */
static int send_claim(struct osv_record *o, struct claim *c, const struct osv_target *t,
                      struct err *e)
{
    bool rpm = t->distro && strcmp(t->distro->package_type, "rpm") == 0;
    bool modular = rpm && (str_contains(c->fixed, STR(".module")) ||
                           (c->n_ranges && str_contains(c->ranges[0].hi, STR(".module"))));
    if (modular && o->n_modules) {
        for (size_t i = 0; i < o->n_modules; i++) {
            c->module = o->modules[i];
            int r = o->sink->claim(o->sink, c, e);
            if (r < 0)
                return r;
        }
        return 0;
    }
    c->module_none =
        !modular && c->fixed.n && t->distro &&
        (strcmp(t->distro->id, "almalinux") == 0 || strcmp(t->distro->id, "rocky") == 0);
    return o->sink->claim(o->sink, c, e);
}

/* The claim of the intervals that are (or are not) fixed; none when there are none. */
static int claim_part(struct osv_record *o, struct claim c, const struct osv_target *t,
                      const struct osv_intervals *all, bool fixed, bool with_exact, struct err *e)
{
    struct version_range *ranges = arena_calloc(&o->arena, all->n + 1, sizeof *ranges);
    size_t n = 0;
    bool open = false;
    if (!ranges)
        return err_no_memory(e);
    for (size_t i = 0; i < all->n; i++) {
        if ((all->p[i].fixed.n != 0) != fixed)
            continue;
        ranges[n++] = all->p[i].range;
        open |= !all->p[i].range.hi.n;
        c.fixed = all->p[i].fixed;
    }
    if (!with_exact)
        c.n_exact = 0;
    if (!n && !c.n_exact)
        return 0;
    c.ranges = ranges;
    c.n_ranges = n;
    c.state = fixed && n ? FIX_FIXED : open ? FIX_NOT_FIXED : FIX_UNKNOWN;
    if (o->withdrawn)
        c.state = FIX_WITHDRAWN;
    return send_claim(o, &c, t, e);
}

static str osv_symbols(struct osv_record *o, yyjson_val *specific)
{
    size_t n;
    yyjson_val *imports = json_get(specific, "imports");
    if (!yyjson_is_arr(imports))
        return STR("");
    char *json autofree = yyjson_val_write(imports, 0, &n);
    return json ? arena_dup(&o->arena, (str){json, n}) : STR("");
}

static int affected_claims(struct osv_record *o, yyjson_val *affected, const struct osv_target *t,
                           struct err *e)
{
    const char *scheme = t->distro ? t->distro->scheme : osv_scheme(affected, t->ecosystem->scheme);
    yyjson_val *specific = json_get(affected, "ecosystem_specific");
    struct osv_intervals all;
    str *exact;
    size_t n_exact;
    int r = osv_intervals_read(affected, scheme, &o->arena, &all, e);
    if (r == 0)
        r = osv_exact_read(affected, scheme, &all, &o->arena, &exact, &n_exact, e);
    if (r < 0)
        return err_wrap(e, "%s: %.*s", feed_name(o->in), STR_ARG(o->id));
    if (all.git)
        o->sink->drop(o->sink, "range of commits", all.git);
    if (all.unknown)
        o->sink->drop(o->sink, "range of a type that is not known", all.unknown);
    bool v2, listed = yyjson_arr_size(json_get(affected, "versions")) != 0;
    str word = STR(""), vector = best_vector(json_get(affected, "severity"), &v2, NULL, &word);
    struct claim c = {
        .vuln_id = o->id,
        .platform = buf_view(&t->platform),
        .ecosystem = t->distro ? STR("") : str_z(t->ecosystem->name),
        .package = buf_view(&t->package),
        .package_kind = target_kind(t),
        .scheme = scheme,
        .exact = exact,
        .n_exact = n_exact,
        .channel = buf_view(&t->channel),
        .symbols = osv_symbols(o, specific),
    };
    if (!word.n)
        word = json_str(specific, "severity");
    if (!word.n)
        word = json_str(specific, "urgency");
    c.severity_raw = word;
    c.severity = severity_from_word(word);
    if (c.severity == SEV_UNKNOWN && vector.n)
        c.severity = severity_from_score(cvss_score10(vector), v2);
    if (!all.n && !n_exact) {
        if (all.empty || listed || all.bad || all.git || all.unknown) {
            o->sink->drop(o->sink,
                          all.git && !all.empty ? "affected entry with commits only"
                                                : "affected entry without any version",
                          1);
            return 0;
        }
        c.state = o->withdrawn ? FIX_WITHDRAWN : FIX_NOT_FIXED; /* every version */
        return send_claim(o, &c, t, e);
    }
    bool has_fixed = false;
    for (size_t i = 0; i < all.n; i++)
        has_fixed |= all.p[i].fixed.n != 0;
    r = claim_part(o, c, t, &all, true, has_fixed, e);
    return r < 0 ? r : claim_part(o, c, t, &all, false, !has_fixed, e);
}

static int osv_affected(struct osv_record *o, yyjson_val *affected, struct err *e)
{
    struct osv_target t = {0};
    const char *reason = target_read(affected, &t);
    int r = 0;
    if (reason)
        o->sink->drop(o->sink, reason, 1);
    else
        r = affected_claims(o, affected, &t, e);
    target_done(&t);
    return r;
}

/* ---- records ------------------------------------------------------------------------------------
 */

static bool is_record(yyjson_val *root)
{
    return yyjson_is_obj(root) && json_str(root, "id").n && json_str(root, "modified").n &&
           (json_get(root, "affected") || json_get(root, "schema_version") ||
            json_get(root, "details"));
}

/* Bug fixes and enhancements that vendors publish beside security advisories. */
static const char *const other_advisories[] = {
    "ALBA-", "ALEA-",    "RLBA-",    "RLEA-",        "RHBA-",
    "RHEA-", "SUSE-RU-", "SUSE-FU-", "openSUSE-RU-", NULL,
};

static bool is_about_security(const struct osv_record *o)
{
    for (size_t i = 0; other_advisories[i]; i++)
        if (str_starts(o->id, str_z(other_advisories[i])))
            return names_a_cve(json_get(o->root, "aliases")) ||
                   names_a_cve(json_get(o->root, "upstream")) ||
                   names_a_cve(json_get(o->root, "related"));
    return true;
}

static int osv_record_read(const struct feed_input *in, yyjson_val *root, struct osv_state *s,
                           struct claim_sink *sink, struct err *e)
{
    struct osv_record o = {.in = in, .sink = sink, .root = root};
    if (!is_record(root)) {
        sink->drop(sink, "file or element that is no OSV record", 1);
        return 0;
    }
    o.id = json_str(root, "id");
    o.withdrawn = json_str(root, "withdrawn").n != 0;
    yyjson_val *affected = json_get(root, "affected"), *one;
    if (affected && !yyjson_is_null(affected) && !yyjson_is_arr(affected))
        return feed_bad(in, o.id, "affected is not a list", e);
    sink->record(sink, 1);
    const char *reason = NULL;
    int seen = osv_seen(s, root, e);
    if (seen < 0)
        return seen;
    if (seen)
        reason = "affected entry of a record that came before";
    else if (!is_about_security(&o))
        reason = "affected entry of a bug fix or enhancement advisory";
    else if (str_contains(in->path, STR("/unreviewed/")))
        reason = "affected entry of an unreviewed advisory";
    if (reason) {
        sink->drop(sink, reason, yyjson_arr_size(affected));
        return 0;
    }
    arena_init(&o.arena, RECORD_MEMORY);
    osv_modules(&o);
    int r = osv_vuln(&o, s, e);
    size_t i, n;
    yyjson_arr_foreach(affected, i, n, one)
    {
        if (r == 0)
            r = osv_affected(&o, one, e);
    }
    arena_done(&o.arena);
    return r;
}

static int osv_read(void **state, const struct feed_input *in, struct claim_sink *sink,
                    struct err *e)
{
    struct osv_state *s = osv_state_of(state, e);
    auto_json *doc = NULL;
    int r = s ? feed_read_document(in, false, &doc, e) : ERR_NO_MEMORY;
    if (r < 0)
        return r;
    yyjson_val *root = yyjson_doc_get_root(doc), *one;
    if (!yyjson_is_arr(root))
        return osv_record_read(in, root, s, sink, e);
    size_t i, n;
    yyjson_arr_foreach(root, i, n, one)
    {
        r = osv_record_read(in, one, s, sink, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int osv_finish(void **state, struct claim_sink *sink, struct err *e)
{
    struct osv_state *s = *state;
    if (s && sink && s->newest)
        sink->dated(sink, s->newest, STR(""));
    if (s) {
        map_done(&s->seen);
        feed_strings_done(&s->strings);
    }
    free(s);
    *state = NULL;
    return 0;
}

const struct feed_ops feed_osv = {
    .name = "osv",
    .summary = "OSV records of any source: files, directories, archives",
    .licence = "each source's own (osv.dev names them)",
    .wants = osv_wants,
    .read = osv_read,
    .finish = osv_finish,
    .sync = &feed_sync_osv,
};
