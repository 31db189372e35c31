/* release.c - distro identity: os-release(5), and the files that were there before it. */
#include "packages/release.h"

#include "packages/cataloguer.h"

enum { RELEASE_MAX = 256 << 10 };

/* Everything a parser needs: the text, and memory that lives until the facts are copied. */
struct release_text {
    struct cat *c;
    str text;
    const char *id; /* of the table below */
};

/* ---- shell-like assignments --------------------------------------------------------------------
 */

/* A value as os-release(5) has it: bare, or in quotes with backslash escapes in double ones. False
 * when a quote is not closed. */
static bool shell_value(struct arena *a, str raw, str *out)
{
    raw = str_trim(raw);
    char *p = arena_alloc(a, raw.n + 1);
    size_t n = 0;
    char quote = 0;
    *out = (str){0};
    for (size_t i = 0; p && i < raw.n; i++) {
        char c = raw.p[i];
        if (quote == 0 && (c == '"' || c == '\'')) {
            quote = c;
        } else if (quote && c == quote) {
            quote = 0;
        } else if (c == '\\' && quote != '\'' && i + 1 < raw.n) {
            p[n++] = raw.p[++i];
        } else if (quote == 0 && (c == '#' || ke_isspace(c)) && i && ke_isspace(raw.p[i - 1])) {
            break; /* a comment behind the value */
        } else {
            p[n++] = c;
        }
    }
    if (!p || quote)
        return false;
    *out = str_trim((str){p, n});
    return true;
}

struct assignment {
    str key;
    size_t field; /* offset in struct release_info */
};

static bool read_assignments(struct release_text *t, const struct assignment *known, size_t n,
                             struct release_info *r)
{
    str rest = t->text, line;
    bool whole = true;
    while (str_line(&rest, &line)) {
        line = str_trim(line);
        ptrdiff_t equals = str_index(line, '=');
        if (equals <= 0 || line.p[0] == '#')
            continue;
        str key = str_trim(str_sub(line, 0, (size_t)equals)), value;
        for (size_t i = 0; i < n; i++) {
            if (!str_eq(key, known[i].key))
                continue;
            if (shell_value(cat_scratch(t->c), str_from(line, (size_t)equals + 1), &value))
                *(str *)((char *)r + known[i].field) = value;
            else
                whole = false;
        }
    }
    if (!whole)
        cat_problem(t->c, (str){0}, "parse", "a value's quote is not closed");
    return whole;
}

#define FIELD(name, member)                                                                        \
    {                                                                                              \
        STR_INIT(name), offsetof(struct release_info, member)                                      \
    }

static str lower(struct arena *a, str s)
{
    str copy = arena_dup(a, s);
    for (size_t i = 0; i < copy.n; i++)
        ((char *)copy.p)[i] = s.p[i] == ' ' ? '-' : ke_tolower(s.p[i]);
    return copy;
}

static bool parse_os_release(struct release_text *t, struct release_info *r)
{
    static const struct assignment known[] = {
        FIELD("ID", id),
        FIELD("ID_LIKE", id_like),
        FIELD("VERSION_ID", version_id),
        FIELD("VERSION_CODENAME", codename),
        FIELD("NAME", name),
        FIELD("PRETTY_NAME", pretty_name),
        FIELD("VARIANT_ID", variant_id),
        FIELD("BUILD_ID", build_id),
    };
    bool whole = read_assignments(t, known, KE_ARRAY_LEN(known), r);
    r->id = lower(cat_scratch(t->c), r->id);
    if (r->id.n == 0 && whole)
        cat_problem(t->c, (str){0}, "parse", "no ID in it");
    return true;
}

/* ---- names as people write them ----------------------------------------------------------------
 */

/* The longest names first where one begins another. */
static const struct {
    str name, id;
} known_names[] = {
    {STR_INIT("AlmaLinux"), STR_INIT("almalinux")},
    {STR_INIT("Alibaba Cloud Linux"), STR_INIT("alinux")},
    {STR_INIT("Aliyun Linux"), STR_INIT("alinux")},
    {STR_INIT("Amazon Linux"), STR_INIT("amzn")},
    {STR_INIT("Anolis OS"), STR_INIT("anolis")},
    {STR_INIT("Arch"), STR_INIT("arch")},
    {STR_INIT("CBL-Mariner"), STR_INIT("mariner")},
    {STR_INIT("CentOS"), STR_INIT("centos")},
    {STR_INIT("Debian"), STR_INIT("debian")},
    {STR_INIT("Derived from Red Hat Enterprise Linux"), STR_INIT("rhel")},
    {STR_INIT("Enterprise Linux Enterprise Linux Server"), STR_INIT("ol")},
    {STR_INIT("Fedora"), STR_INIT("fedora")},
    {STR_INIT("Gentoo"), STR_INIT("gentoo")},
    {STR_INIT("LinuxMint"), STR_INIT("linuxmint")},
    {STR_INIT("Manjaro"), STR_INIT("manjaro")},
    {STR_INIT("Microsoft Azure Linux"), STR_INIT("azurelinux")},
    {STR_INIT("OpenWrt"), STR_INIT("openwrt")},
    {STR_INIT("Oracle Linux"), STR_INIT("ol")},
    {STR_INIT("Red Hat Enterprise Linux"), STR_INIT("rhel")},
    {STR_INIT("RedHatEnterprise"), STR_INIT("rhel")},
    {STR_INIT("Red Hat Linux"), STR_INIT("redhat-linux")},
    {STR_INIT("Rocky Linux"), STR_INIT("rocky")},
    {STR_INIT("SUSE Linux Enterprise Desktop"), STR_INIT("sled")},
    {STR_INIT("SUSE Linux Enterprise"), STR_INIT("sles")},
    {STR_INIT("Scientific Linux"), STR_INIT("scientific")},
    {STR_INIT("Slackware"), STR_INIT("slackware")},
    {STR_INIT("Ubuntu"), STR_INIT("ubuntu")},
    {STR_INIT("VMware Photon"), STR_INIT("photon")},
    {STR_INIT("openEuler"), STR_INIT("openeuler")},
    {STR_INIT("openSUSE"), STR_INIT("opensuse")},
};

/* An unknown name stays visible as an id of its own. */
static str id_of_name(struct arena *a, str name)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(known_names); i++) {
        str known = known_names[i].name;
        if (name.n >= known.n && str_eq_nocase(str_sub(name, 0, known.n), known))
            return lower(a, known_names[i].id);
    }
    return lower(a, name);
}

static bool parse_lsb(struct release_text *t, struct release_info *r)
{
    static const struct assignment known[] = {
        FIELD("DISTRIB_ID", name),
        FIELD("DISTRIB_RELEASE", version_id),
        FIELD("DISTRIB_CODENAME", codename),
        FIELD("DISTRIB_DESCRIPTION", pretty_name),
    };
    read_assignments(t, known, KE_ARRAY_LEN(known), r);
    r->id = id_of_name(cat_scratch(t->c), r->name);
    return r->id.n != 0; /* Fedora's only says LSB_VERSION */
}

/* ---- one line ----------------------------------------------------------------------------------
 */

static str first_line(str text)
{
    str line;
    while (str_line(&text, &line))
        if (str_trim(line).n)
            return str_trim(line);
    return (str){0};
}

/* The first word that begins with a digit, and what stands before it. */
static str number_word(str line, str *before)
{
    *before = line;
    for (size_t i = 0; i < line.n; i++) {
        if (!ke_isdigit(line.p[i]) || (i && !ke_isspace(line.p[i - 1])))
            continue;
        size_t end = i;
        while (end < line.n && !ke_isspace(line.p[end]))
            end++;
        *before = str_trim(str_sub(line, 0, i));
        return str_sub(line, i, end);
    }
    return (str){0};
}

/* "CentOS Linux release 7.9.2009 (Core)", "VMware Photon OS 4.0", "Slackware 14.2". */
static bool parse_line(struct release_text *t, struct release_info *r)
{
    str line = first_line(t->text), name;
    r->pretty_name = line;
    r->version_id = number_word(line, &name);
    if (str_ends(name, STR(" release")))
        name.n -= strlen(" release");
    else if (str_ends(name, STR(" version")))
        name.n -= strlen(" version");
    r->name = name;
    ptrdiff_t open = str_index(line, '('), close = str_index(line, ')');
    if (open >= 0 && close > open)
        r->codename = str_sub(line, (size_t)open + 1, (size_t)close);
    r->id = t->id ? str_z(t->id) : id_of_name(cat_scratch(t->c), name);
    return t->id || line.n;
}

/* "3.18.4" */
static bool parse_number(struct release_text *t, struct release_info *r)
{
    r->id = str_z(t->id);
    r->version_id = first_line(t->text);
    return true;
}

/* "12.5", "bookworm/sid", "trixie" */
static bool parse_debian_version(struct release_text *t, struct release_info *r)
{
    str line = first_line(t->text);
    r->id = STR("debian");
    if (line.n && ke_isdigit(line.p[0]))
        r->version_id = line;
    else
        r->codename = str_split(&line, '/');
    return true;
}

/* A title, then "VERSION = 11" and "PATCHLEVEL = 4" (enterprise products: 11.4). */
static bool parse_suse(struct release_text *t, struct release_info *r)
{
    static const struct assignment known[] = {
        FIELD("VERSION", version_id), FIELD("CODENAME", codename),
        FIELD("PATCHLEVEL", build_id), /* borrowed below */
    };
    struct arena *a = cat_scratch(t->c);
    read_assignments(t, known, KE_ARRAY_LEN(known), r);
    str patch = r->build_id;
    r->build_id = (str){0};
    r->pretty_name = first_line(t->text);
    number_word(r->pretty_name, &r->name);
    r->id = id_of_name(a, r->name);
    if (patch.n && !str_eq(patch, STR("0")) && str_starts(r->id, STR("sle")))
        r->version_id = arena_printf(a, "%.*s.%.*s", STR_ARG(r->version_id), STR_ARG(patch));
    return r->pretty_name.n != 0;
}

/* ---- the files, the one that is believed most first --------------------------------------------
 */

static const struct release_file {
    str path;
    bool (*parse)(struct release_text *t, struct release_info *r);
    const char *id;
} release_files[] = {
    {STR_INIT("etc/os-release"), parse_os_release},
    {STR_INIT("usr/lib/os-release"), parse_os_release},
    {STR_INIT("usr/etc/os-release"), parse_os_release},
    {STR_INIT("etc/initrd-release"), parse_os_release},
    {STR_INIT("etc/oracle-release"), parse_line, "ol"},
    {STR_INIT("etc/enterprise-release"), parse_line, "ol"},
    {STR_INIT("etc/rocky-release"), parse_line, "rocky"},
    {STR_INIT("etc/almalinux-release"), parse_line, "almalinux"},
    {STR_INIT("etc/openEuler-release"), parse_line, "openeuler"},
    {STR_INIT("etc/anolis-release"), parse_line, "anolis"},
    {STR_INIT("etc/sl-release"), parse_line, "scientific"},
    {STR_INIT("etc/centos-release"), parse_line, "centos"},
    {STR_INIT("etc/fedora-release"), parse_line, "fedora"},
    {STR_INIT("etc/SuSE-release"), parse_suse},
    {STR_INIT("etc/photon-release"), parse_line, "photon"},
    {STR_INIT("etc/mariner-release"), parse_line, "mariner"},
    {STR_INIT("etc/azurelinux-release"), parse_line, "azurelinux"},
    {STR_INIT("etc/alpine-release"), parse_number, "alpine"},
    {STR_INIT("etc/arch-release"), parse_line, "arch"},
    {STR_INIT("etc/gentoo-release"), parse_line, "gentoo"},
    {STR_INIT("etc/slackware-version"), parse_line, "slackware"},
    {STR_INIT("etc/openwrt_release"), parse_lsb},
    {STR_INIT("etc/lsb-release"), parse_lsb},
    {STR_INIT("usr/lib/system-release"), parse_line},
    {STR_INIT("etc/system-release"), parse_line},
    {STR_INIT("etc/redhat-release"), parse_line},
    {STR_INIT("etc/debian_version"), parse_debian_version},
};

static size_t release_rank(str path)
{
    size_t i = 0;
    while (i < KE_ARRAY_LEN(release_files) && !str_eq(path, release_files[i].path))
        i++;
    return i;
}

static bool release_wants(str path, uint64_t size, uint32_t mode)
{
    if (!str_starts(path, STR("etc/")) && !str_starts(path, STR("usr/")))
        return false;
    return (str_ends(path, STR("release")) || str_ends(path, STR("version"))) &&
           release_rank(path) < KE_ARRAY_LEN(release_files);
}

static int release_parse(struct cat *c, const struct cat_file *f, struct err *e)
{
    const struct release_file *file = &release_files[release_rank(f->path)];
    struct release_text t = {.c = c, .id = file->id};
    int r = cat_read_all(c, f, RELEASE_MAX, &t.text, e);
    if (r != 0)
        return r < 0 ? r : 0;
    struct release_info info = {0};
    return file->parse(&t, &info) ? cat_release(c, &info, e) : 0;
}

const struct release_info *release_pick(const struct release_info *list, size_t n)
{
    const struct release_info *best = NULL;
    size_t best_rank = 0;
    for (size_t i = 0; i < n; i++) {
        size_t rank = release_rank(list[i].path);
        if (list[i].id.n == 0)
            rank += KE_ARRAY_LEN(release_files) + 1;
        if (!best || rank < best_rank) {
            best = &list[i];
            best_rank = rank;
        }
    }
    return best;
}

bool release_resolve(const struct release_info *list, size_t n, struct release_info *out)
{
    *out = (struct release_info){0};
    const struct release_info *best = release_pick(list, n);
    if (!best)
        return false;
    *out = *best;
    for (size_t i = 0; i < n && best->id.n; i++) {
        if (!str_eq(list[i].id, best->id))
            continue;
        if (out->version_id.n == 0)
            out->version_id = list[i].version_id;
        if (out->codename.n == 0)
            out->codename = list[i].codename;
    }
    return true;
}

const struct cataloguer cataloguer_release = {
    .name = "release",
    .distro = true,
    .wants = release_wants,
    .parse = release_parse,
};
