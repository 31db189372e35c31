#include "match/query.h"

#include "version/ecosystem.h"

enum {
    SOURCE = 1u << PACKAGE_SOURCE,
    BINARY = 1u << PACKAGE_BINARY,
    LANGUAGE = 1u << PACKAGE_LANGUAGE
};

/* Texts that stand where a version could not be found out. */
static const char *const no_versions[] = {"",        "(devel)", "devel", "unknown",
                                          "UNKNOWN", "none",    "null"};

static bool version_known(str v)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(no_versions); i++)
        if (str_eq(v, str_z(no_versions[i])))
            return false;
    return !str_starts(v, STR("${")) && !str_starts(v, STR("@")) && !str_starts(v, STR("devel "));
}

/* rpm's source package is named without the epoch, which its binaries nearly always share. */
static str with_epoch(str source_version, str version, struct arena *a)
{
    ptrdiff_t colon = str_index(version, ':');
    if (colon < 0 || str_index(source_version, ':') >= 0)
        return source_version;
    return arena_printf(a, "%.*s:%.*s", (int)colon, version.p, STR_ARG(source_version));
}

static int distro_target(const struct match_host *h, const struct package *p, struct arena *a,
                         struct match_target *out, struct err *e)
{
    struct match_query own = {h->platform, STR(""), p->name, p->version, BINARY};
    struct match_query src = {h->platform, STR(""), p->source_name.n ? p->source_name : p->name,
                              p->source_version.n ? p->source_version : p->version, SOURCE};
    if (p->source_version.n && strcmp(p->type->name, "rpm") == 0)
        src.version = with_epoch(src.version, p->version, a);
    if (a->full)
        return err_no_memory(e);
    if (str_eq(own.name, src.name) && str_eq(own.version, src.version)) {
        own.kinds |= SOURCE;
        out->q[out->n++] = own;
        return 0;
    }
    out->q[out->n++] = src;
    out->q[out->n++] = own;
    return 0;
}

/* "1.21" -> "1.21.0", "1.22rc1" -> "1.22.0-rc.1" (as Go's own database writes it), "1.21.3
 * X:boring" -> "1.21.3". */
static str stdlib_version(str v, struct arena *a)
{
    v = str_split(&v, ' ');
    size_t i = 0, dots = 0;
    while (i < v.n && (ke_isdigit(v.p[i]) || v.p[i] == '.'))
        dots += v.p[i++] == '.';
    str number = str_sub(v, 0, i), rest = str_from(v, i);
    if (dots >= 2 && !rest.n)
        return v;
    const char *zeros = dots == 0 ? ".0.0" : dots == 1 ? ".0" : "";
    size_t word = 0;
    while (word < rest.n && ke_isalpha(rest.p[word]))
        word++;
    if (!word || word == rest.n)
        return arena_printf(a, "%.*s%s%.*s", STR_ARG(number), zeros, STR_ARG(rest));
    return arena_printf(a, "%.*s%s-%.*s.%.*s", STR_ARG(number), zeros, (int)word, rest.p,
                        STR_ARG(str_from(rest, word)));
}

static str go_version(const struct package *p, struct arena *a)
{
    str v = p->version;
    if (str_starts(v, STR("go")))
        v = str_from(v, 2);
    else if (str_starts(v, STR("v")))
        v = str_from(v, 1);
    return str_eq(p->name, STR("stdlib")) ? stdlib_version(v, a) : v;
}

static int language_target(const struct package *p, const struct ecosystem *eco, struct arena *a,
                           struct match_target *out, struct err *e)
{
    struct match_query q = {STR(""), str_z(eco->name), p->name, p->version, LANGUAGE};
    if (strcmp(eco->name, "Maven") == 0) {
        if (!p->group.n) {
            out->why_not = "its Maven group id is not known";
            return 0;
        }
        q.name = arena_printf(a, "%.*s:%.*s", STR_ARG(p->group), STR_ARG(p->name));
    } else if (strcmp(eco->name, "Go") == 0) {
        q.version = go_version(p, a);
    }
    if (a->full)
        return err_no_memory(e);
    if (eco->normalise) {
        auto_buf b;
        buf_init(&b, 1 << 20);
        ecosystem_normalise(eco, q.name, &b);
        if (!buf_ok(&b)) {
            out->why_not = "its name is too long";
            return 0;
        }
        if (!str_eq(buf_view(&b), q.name))
            q.name = arena_dup(a, buf_view(&b));
        if (!q.name.p && b.n)
            return err_no_memory(e);
    }
    out->q[out->n++] = q;
    return 0;
}

static str distro_uncovered(const struct match_host *h, const struct package *p, struct arena *a)
{
    if (!h->family)
        return arena_printf(a, "%s packages of an unknown distribution", p->type->name);
    if (!match_host_installs(h, p))
        return arena_printf(a, "%s packages on %.*s", p->type->name, STR_ARG(h->own));
    return h->own;
}

int match_target_of(const struct vulndb *db, const struct match_host *h, const struct package *p,
                    struct arena *a, struct match_target *out, struct err *e)
{
    *out = (struct match_target){0};
    const struct ecosystem *eco =
        p->type->ecosystem ? ecosystem_find(str_z(p->type->ecosystem)) : NULL;
    if (p->type->ecosystem && !eco) {
        out->why_not = "no source of vulnerability data covers its type";
        return 0;
    }
    if (eco && (!db || !vulndb_covers(db, STR(""), str_z(eco->name)))) {
        out->uncovered = str_z(p->type->ecosystem);
        return 0;
    }
    if (!eco && !(match_host_installs(h, p) && h->covered)) {
        out->uncovered = distro_uncovered(h, p, a);
        return out->uncovered.p ? 0 : err_no_memory(e);
    }
    if (!version_known(p->version)) {
        out->expected = eco && strcmp(eco->name, "Go") == 0;
        out->why_not = "its version is not known";
        return 0;
    }
    return eco ? language_target(p, eco, a, out, e) : distro_target(h, p, a, out, e);
}

int match_names_of(const struct package *p, struct arena *a, str *ecosystem,
                   str out[MATCH_QUERIES_MAX], size_t *n, struct err *e)
{
    const struct ecosystem *eco =
        p->type->ecosystem ? ecosystem_find(str_z(p->type->ecosystem)) : NULL;
    const struct match_host nowhere = {0};
    struct match_target t = {0};
    int rc = 0;
    *ecosystem = eco ? str_z(eco->name) : STR("");
    if (eco)
        rc = language_target(p, eco, a, &t, e);
    else if (!p->type->ecosystem)
        rc = distro_target(&nowhere, p, a, &t, e);
    *n = 0;
    for (size_t i = 0; rc >= 0 && i < t.n; i++)
        if (!i || !str_eq(t.q[i].name, out[0]))
            out[(*n)++] = t.q[i].name;
    return rc;
}
