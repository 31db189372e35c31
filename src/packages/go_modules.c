/* go_modules.c - the module list of a Go program as packages.
 *
 * Lines: "path", "mod" (the main module), "dep", "=>" (what replaces the module of the line
 * before), "build" (settings). Fields are separated by tabs. */
#include "packages/go.h"

/* What is known about the main module's version besides its own line. */
struct settings {
    str ldflags, revision, time;
};

struct module {
    str path, version;
};

/* ---- versions -----------------------------------------------------------------------------------
 */

/* "v1.2.3" or "1.2": digits and dots at first, and at least one dot. */
static bool release_like(str v)
{
    size_t i = v.n && (v.p[0] == 'v' || v.p[0] == 'V'), digits = 0, dots = 0;
    for (; i < v.n && (ke_isdigit(v.p[i]) || v.p[i] == '.'); i++) {
        digits += ke_isdigit(v.p[i]);
        dots += v.p[i] == '.';
    }
    return digits > 1 && dots > 0 && (i == v.n || v.p[i] == '-' || v.p[i] == '+');
}

/* How likely a variable that -X sets is the program's own version: 0 not at all. */
static int version_variable(str variable, str main_path)
{
    static const char *const names[] = {
        "version", "gitversion", "buildversion",   "appversion", "appvers",
        "gittag",  "tag",        "releaseversion", "versiontag", "release"};
    ptrdiff_t dot = str_rindex(variable, '.');
    if (dot < 0)
        return 0;
    str package = str_sub(variable, 0, (size_t)dot), name = str_from(variable, (size_t)dot + 1);
    bool named = false;
    for (size_t i = 0; i < KE_ARRAY_LEN(names); i++)
        named |= str_eq_nocase(name, str_z(names[i]));
    if (!named)
        return 0;
    if (str_eq(package, STR("main")))
        return 3;
    return main_path.n && str_starts(package, main_path) ? 2 : 1;
}

/* Next word of the linker's flags; quotes around it, or around its value, are taken off. */
static bool flag_next(str *rest, str *word)
{
    *rest = str_trim(*rest);
    if (rest->n == 0)
        return false;
    char quote = rest->p[0];
    if (quote == '\'' || quote == '"') {
        *rest = str_from(*rest, 1);
        *word = str_split(rest, quote);
    } else {
        *word = str_split(rest, ' ');
    }
    return true;
}

static str unquote(str s)
{
    while (s.n && (s.p[0] == '"' || s.p[0] == '\'' || s.p[0] == '\\'))
        s = str_from(s, 1);
    while (s.n && (s.p[s.n - 1] == '"' || s.p[s.n - 1] == '\'' || s.p[s.n - 1] == '\\'))
        s.n--;
    return s;
}

/* The version in "-X main.version=1.2.3", empty when there is none. */
static str version_from_ldflags(str flags, str main_path)
{
    str word, best = {0};
    int best_rank = 0;
    bool after_x = false;
    flags = unquote(flags);
    while (flag_next(&flags, &word)) {
        if (str_eq(word, STR("-X")) || str_eq(word, STR("--X"))) {
            after_x = true;
            continue;
        }
        bool joined = str_starts(word, STR("-X="));
        ptrdiff_t eq = -1;
        if (joined)
            word = unquote(str_from(word, 3));
        if (joined || after_x)
            eq = str_index(word, '=');
        after_x = false;
        if (eq <= 0)
            continue;
        str value = unquote(str_from(word, (size_t)eq + 1));
        int rank = version_variable(unquote(str_sub(word, 0, (size_t)eq)), main_path);
        if (rank > best_rank && release_like(value)) {
            best = value;
            best_rank = rank;
        }
    }
    return best;
}

/* v0.0.0-20230102030405-0123456789ab, as the go command names a commit; the time is in UTC. */
static str pseudo_version(struct arena *a, const struct settings *s)
{
    char time[16] = "";
    size_t n = 0;
    for (size_t i = 0; i < s->time.n && n < 14; i++)
        if (ke_isdigit(s->time.p[i]))
            time[n++] = s->time.p[i];
    str revision = str_sub(s->revision, 0, 12);
    if (n < 14 || revision.n < 12 || !str_ends(s->time, STR("Z")))
        return (str){0};
    return arena_printf(a, "v0.0.0-%s-%.*s", time, STR_ARG(revision));
}

static str main_version(struct cat *c, const struct module *m, const struct settings *s)
{
    if (m->version.n && !str_eq(m->version, STR("(devel)")))
        return m->version;
    str v = version_from_ldflags(s->ldflags, m->path);
    if (v.n) {
        char first = v.p[0];
        return arena_printf(cat_scratch(c), "v%.*s",
                            STR_ARG(first == 'v' || first == 'V' ? str_from(v, 1) : v));
    }
    v = pseudo_version(cat_scratch(c), s);
    return v.n ? v : STR("(devel)");
}

/* "go1.22.3" as semantic version: "1.22.3"; "go1.21rc2" is "1.21.0-rc.2"; what a vendor or an
 * experiment adds is cut off; "devel go1.23-abcdef ..." is "1.23.0-abcdef". */
static str toolchain_version(struct cat *c, str v)
{
    ptrdiff_t at = str_find(v, STR("go1"));
    if (at < 0)
        return v;
    v = str_from(v, (size_t)at + 2);
    v = str_split(&v, ' ');
    size_t i = 0, dots = 0;
    while (i < v.n && (ke_isdigit(v.p[i]) || v.p[i] == '.'))
        dots += v.p[i++] == '.';
    str numbers = str_sub(v, 0, i), rest = str_from(v, i);
    const char *fill = dots == 1 ? ".0" : "";
    static const char *const before[] = {"rc", "beta"};
    for (size_t k = 0; k < KE_ARRAY_LEN(before); k++)
        if (str_starts(rest, str_z(before[k])))
            return arena_printf(cat_scratch(c), "%.*s%s-%s.%.*s", STR_ARG(numbers), fill, before[k],
                                STR_ARG(str_from(rest, strlen(before[k]))));
    if (at > 0 && str_starts(rest, STR("-")))
        return arena_printf(cat_scratch(c), "%.*s%s%.*s", STR_ARG(numbers), fill, STR_ARG(rest));
    return numbers;
}

/* ---- lines --------------------------------------------------------------------------------------
 */

static int module_add(struct cat *c, const struct module *m, struct err *e)
{
    struct package p = {
        .type = package_type_find(STR("go-module")), .name = m->path, .version = m->version};
    return m->path.n && m->version.n ? cat_package(c, &p, e) : 0;
}

/* "build	-ldflags=..." */
static void setting_note(struct settings *s, str line)
{
    ptrdiff_t eq = str_index(line, '=');
    if (eq < 0)
        return;
    str key = unquote(str_sub(line, 0, (size_t)eq)), value = str_from(line, (size_t)eq + 1);
    if (str_starts(value, STR("`")))
        value = str_sub(value, 1, value.n - 1);
    if (str_eq(key, STR("-ldflags")))
        s->ldflags = value;
    else if (str_eq(key, STR("vcs.revision")))
        s->revision = unquote(value);
    else if (str_eq(key, STR("vcs.time")))
        s->time = unquote(value);
}

/* A replacement by a module of another name or version; one by a directory has no version (or
 * "(devel)"), and then the module that was asked for is the best that is known. */
static void replace(struct module *m, str line)
{
    struct module by = {0};
    by.path = str_split(&line, '\t');
    by.version = str_split(&line, '\t');
    if (by.path.n && str_starts(by.version, STR("v")))
        *m = by;
}

int go_info_catalogue(struct cat *c, const struct go_info *info, struct err *e)
{
    struct module main_module = {0}, waiting = {0};
    bool main_last = false;
    struct settings settings = {0};
    str rest = info->modules, line;
    int r = 0;
    while (r == 0 && str_line(&rest, &line)) {
        str kind = str_split(&line, '\t');
        if (str_eq(kind, STR("=>"))) {
            replace(main_last ? &main_module : &waiting, line);
        } else if (str_eq(kind, STR("dep"))) {
            r = module_add(c, &waiting, e);
            waiting.path = str_split(&line, '\t');
            waiting.version = str_split(&line, '\t');
            main_last = false;
        } else if (str_eq(kind, STR("mod"))) {
            main_module.path = str_split(&line, '\t');
            main_module.version = str_split(&line, '\t');
            main_last = true;
        } else if (str_eq(kind, STR("build"))) {
            setting_note(&settings, line);
        }
    }
    if (r == 0)
        r = module_add(c, &waiting, e);
    if (r == 0 && main_module.path.n) {
        main_module.version = main_version(c, &main_module, &settings);
        r = module_add(c, &main_module, e);
    }
    struct module toolchain = {STR("stdlib"), toolchain_version(c, info->version)};
    return r < 0 ? r : module_add(c, &toolchain, e);
}
