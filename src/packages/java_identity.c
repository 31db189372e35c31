/* java_identity.c - what an archive is: its own pom.properties if it has one, else its file's name,
 * else its manifest.
 *
 * Vulnerabilities are known by group and artifact, so the group matters as much as the name; a
 * group that is only guessed would match what it should not, so the guesses are few. */
#include "packages/java.h"

/* ---- the file's name ----------------------------------------------------------------------------
 */

static bool word_in(str word, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq_nocase(word, str_z(list[i])))
            return true;
    return false;
}

/* Letters that may be part of a version: "28.0-jre", "1.0-beta-2", "5.4-M1". */
static bool is_qualifier(str word)
{
    static const char *const words[] = {
        "jre",   "android", "snapshot",   "release", "final",     "ga",
        "alpha", "beta",    "rc",         "cr",      "m",         "b",
        "sp",    "build",   "incubating", "redhat",  "atlassian", "hbase",
        "pre",   "preview", "milestone",  "dev",     "ea",        "patch",
        "jdk",   "rev",     "r",          "cdh",     "hadoop",    "legacy",
    };
    size_t n = word.n;
    while (n && (ke_isdigit(word.p[n - 1]) || word.p[n - 1] == '.'))
        n--;
    return word_in(str_sub(word, 0, n), words, KE_ARRAY_LEN(words));
}

/* Is what stands behind a dash a version, with a classifier perhaps? Words that no version has,
 * followed by numbers again, say that the version comes later: "log4j-1.2-api-2.14.1". */
static bool is_version(str rest, str *version)
{
    str all = rest;
    bool odd = false;
    size_t end = 0;
    if (rest.n == 0 || !ke_isdigit(rest.p[0]))
        return false;
    while (rest.n) {
        str word = str_split(&rest, '-');
        bool number = word.n && ke_isdigit(word.p[0]);
        if (number && odd)
            return false;
        if (!number && !is_qualifier(word))
            odd = true;
        if (!odd)
            end = (size_t)(word.p + word.n - all.p);
    }
    *version = str_sub(all, 0, end);
    return true;
}

bool java_file_name_split(str file, str *name, str *version)
{
    ptrdiff_t dot = str_rindex(file, '.');
    str base = dot > 0 ? str_sub(file, 0, (size_t)dot) : file;
    for (size_t i = 1; i + 1 < base.n; i++) {
        bool osgi = base.p[i] == '_' && str_contains(str_from(base, i), STR(".")) &&
                    str_contains(str_sub(base, 0, i), STR("."));
        if ((base.p[i] == '-' || osgi) && is_version(str_from(base, i + 1), version)) {
            *name = str_sub(base, 0, i);
            return true;
        }
    }
    *name = base;
    *version = (str){0};
    return false;
}

/* ---- the manifest -------------------------------------------------------------------------------
 */

/* The first of several attributes that holds a version: "2.5.6", not "Build 7" or "unknown". */
static str manifest_version(const struct java_manifest *m)
{
    static const enum java_attribute order[] = {JAVA_IMPLEMENTATION_VERSION,
                                                JAVA_SPECIFICATION_VERSION, JAVA_PLUGIN_VERSION,
                                                JAVA_BUNDLE_VERSION};
    for (size_t i = 0; i < KE_ARRAY_LEN(order); i++) {
        str v = m->values[order[i]];
        v = str_split(&v, ' ');
        if (v.n && ke_isdigit(v.p[0]))
            return v;
    }
    return (str){0};
}

static bool is_artifact(str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ke_isalnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_' && s.p[i] != '.')
            return false;
    return s.n > 0;
}

/* Without the directives behind a semicolon. */
static str symbolic_name(const struct java_manifest *m)
{
    str s = m->values[JAVA_BUNDLE_SYMBOLIC_NAME];
    return str_trim(str_split(&s, ';'));
}

static str last_part(str dotted)
{
    ptrdiff_t dot = str_rindex(dotted, '.');
    return dot < 0 ? dotted : str_from(dotted, (size_t)dot + 1);
}

/* A name for an archive whose file's name has no version in it: "catalina.jar", "app.jar". */
static str manifest_name(const struct java_manifest *m, str stem, str version)
{
    const str candidates[] = {stem, last_part(symbolic_name(m)),
                              m->values[JAVA_IMPLEMENTATION_TITLE]};
    for (size_t i = 0; i < KE_ARRAY_LEN(candidates); i++)
        if (is_artifact(candidates[i]) && java_group_of(candidates[i], version).n)
            return candidates[i];
    static const enum java_attribute order[] = {JAVA_IMPLEMENTATION_TITLE, JAVA_BUNDLE_NAME,
                                                JAVA_SHORT_NAME, JAVA_EXTENSION_NAME};
    for (size_t i = 0; i < KE_ARRAY_LEN(order); i++)
        if (is_artifact(m->values[order[i]]) && str_index(m->values[order[i]], '.') < 0)
            return m->values[order[i]];
    return stem;
}

/* "org.example": two parts or more, each a name. */
static bool is_group(str s)
{
    return is_artifact(s) && str_index(s, '.') > 0 && !str_ends(s, STR(".")) &&
           !str_contains(s, STR("..")) && !ke_isdigit(s.p[0]);
}

static size_t parts_of(str dotted)
{
    size_t n = 0;
    while (dotted.n) {
        str_split(&dotted, '.');
        n++;
    }
    return n;
}

/* A group that the manifest states: a vendor id, or the bundle's name without the artifact at its
 * end. Artifacts that are named like their bundle, "org.eclipse.sisu.inject", mostly have the group
 * above; with three parts it is as often the name itself ("org.eclipse.jgit"). */
static str manifest_group(const struct java_manifest *m, str artifact)
{
    str stated = m->values[JAVA_GROUP_ID], bundle = symbolic_name(m);
    if (is_artifact(stated))
        return stated;
    if (bundle.n > artifact.n + 1 && str_ends(bundle, artifact) &&
        bundle.p[bundle.n - artifact.n - 1] == '.') {
        str group = str_sub(bundle, 0, bundle.n - artifact.n - 1);
        return is_group(group) ? group : bundle;
    }
    if (is_group(bundle) && str_eq(bundle, artifact) && parts_of(bundle) > 3)
        return str_sub(bundle, 0, (size_t)str_rindex(bundle, '.'));
    stated = m->values[JAVA_IMPLEMENTATION_VENDOR_ID];
    if (is_group(stated))
        return stated;
    return is_group(bundle) ? bundle : (str){0};
}

/* ---- poms ---------------------------------------------------------------------------------------
 */

/* Equal but for the characters that separate words: packagers exchange them. */
static bool same_words(str a, str b)
{
    for (size_t i = 0; i < a.n && a.n == b.n; i++)
        if (a.p[i] != b.p[i] && (ke_isalnum(a.p[i]) || ke_isalnum(b.p[i])))
            return false;
    return a.n == b.n;
}

/* Does the manifest name this project? */
static bool manifest_names(const struct java_manifest *m, const struct java_pom *pom)
{
    str bundle = symbolic_name(m);
    return str_eq(m->values[JAVA_IMPLEMENTATION_TITLE], pom->artifact) ||
           str_eq(bundle, pom->artifact) ||
           (bundle.n == pom->group.n + 1 + pom->artifact.n && str_starts(bundle, pom->group) &&
            str_ends(bundle, pom->artifact));
}

/* May the only pom be the archive's own, when no name says so? Not when it is of another version.
 */
static bool versions_agree(const struct java_archive *a, const struct java_pom *pom, str version)
{
    str stated = version.n ? version : manifest_version(&a->manifest);
    return stated.n == 0 || pom->version.n == 0 || str_starts(stated, pom->version) ||
           str_starts(pom->version, stated);
}

/* How well a pom fits the archive's name: 0 not at all. */
static int pom_fit(const struct java_archive *a, const struct java_pom *pom, str base, str name,
                   str version)
{
    if (pom->artifact.n == 0)
        return 0;
    if (same_words(pom->artifact, name) || same_words(pom->artifact, base))
        return 1000;
    if (pom->version.n && base.n == pom->artifact.n + 1 + pom->version.n &&
        str_starts(base, pom->artifact) && str_ends(base, pom->version))
        return 1000;
    if (manifest_names(&a->manifest, pom))
        return 950;
    if (base.n > pom->artifact.n && str_starts(base, pom->artifact) &&
        !ke_isalnum(base.p[pom->artifact.n]))
        return (int)(pom->artifact.n < 900 ? pom->artifact.n : 900);
    if (a->poms.n > 1)
        return 0;
    return versions_agree(a, pom, version) || str_ends(name, pom->artifact) ||
           str_ends(pom->artifact, name);
}

static struct java_pom *main_pom(struct java_archive *a, str base, str name, str version)
{
    struct java_pom *best = NULL;
    int best_fit = 0;
    for (size_t i = 0; i < a->poms.n; i++) {
        int fit = pom_fit(a, &a->poms.p[i], base, name, version);
        if (fit > best_fit) {
            best = &a->poms.p[i];
            best_fit = fit;
        }
    }
    return best;
}

void java_identify(struct java_archive *a, bool plugin, struct java_identity *out)
{
    const struct java_manifest *m = &a->manifest;
    ptrdiff_t colon = str_rindex(a->path, ':');
    str file = str_basename(str_from(a->path, colon < 0 ? 0 : (size_t)colon + 1));
    ptrdiff_t dot = str_rindex(file, '.');
    str base = dot > 0 ? str_sub(file, 0, (size_t)dot) : file, name, version;
    java_file_name_split(file, &name, &version);
    struct java_pom *pom = main_pom(a, base, name, version);
    *out = (struct java_identity){.name = name, .version = version};
    if (plugin && is_artifact(m->values[JAVA_SHORT_NAME])) {
        str v = m->values[JAVA_PLUGIN_VERSION];
        out->name = m->values[JAVA_SHORT_NAME];
        out->version = str_split(&v, ' ');
    }
    if (pom) {
        pom->is_main = true;
        out->name = pom->artifact;
        out->group = pom->group;
        out->version = pom->version.n ? pom->version : out->version;
    }
    if (out->version.n == 0)
        out->version = manifest_version(m);
    if (!pom && version.n == 0 && !plugin)
        out->name = manifest_name(m, name, out->version);
    if (out->group.n == 0)
        out->group = java_group_of(out->name, out->version);
    if (out->group.n == 0)
        out->group = manifest_group(m, out->name);
}
