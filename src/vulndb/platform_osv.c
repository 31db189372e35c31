/* platform_osv.c - OSV ecosystem strings of distributions. Sources: the OSV schema's list of
 * ecosystems, and the strings that occur in the distributions' own OSV data. */
#include "vulndb/distro_table.h"

static void add_lower(struct buf *b, str s)
{
    for (size_t i = 0; i < s.n && i < 64; i++)
        buf_add_char(b, ke_tolower(s.p[i]) == ' ' ? '-' : ke_tolower(s.p[i]));
}

static bool set_platform(const char *id, str version, const struct distro_family **f,
                         struct buf *platform)
{
    *f = distro_find(str_z(id));
    if (!*f || ((*f)->version_parts && !version.n))
        return false;
    size_t before = platform->n;
    platform_name(*f, version, STR(""), platform);
    return !(*f)->version_parts || platform->n > before + strlen((*f)->id);
}

/* "22.04:LTS", "Pro:18.04:LTS", "Pro:FIPS-updates:20.04:LTS". */
static bool from_ubuntu(str rest, const struct distro_family **f, struct buf *platform,
                        struct buf *channel)
{
    str version = {0}, word = {0};
    while (rest.n) {
        str part = str_split(&rest, ':');
        if (part.n && ke_isdigit(part.p[0]))
            version = part;
        else if (part.n && !str_eq(part, STR("LTS")))
            word = part;
    }
    add_lower(channel, word);
    return set_platform("ubuntu", version, f, platform);
}

/* "enterprise_linux:9::appstream", "rhel_eus:9.4::baseos", "openshift:4.14::el9": the rest of a
 * CPE. */
static bool from_red_hat(str rest, const struct distro_family **f, struct buf *platform,
                         struct buf *channel)
{
    str product = str_split(&rest, ':');
    str version = str_split(&rest, ':');
    if (str_eq(product, STR("enterprise_linux")) || str_starts(product, STR("enterprise_linux_")))
        return set_platform("rhel", version, f, platform);
    *f = distro_find(STR("rhel"));
    str edition = rest.n && rest.p[0] == ':' ? str_from(rest, 1) : rest;
    edition = str_split(&edition, ':');
    bool is_stream = str_starts(product, STR("rhel_"));
    if (!is_stream)
        version = str_starts(edition, STR("el")) ? str_from(edition, 2) : STR("");
    version = distro_version_cut(version, 2);
    if (!*f || !version.n)
        return false;
    add_lower(channel, is_stream ? str_from(product, 5) : product);
    buf_addf(platform, "rhel:%.*s", STR_ARG(version));
    return true;
}

/* The words of SUSE products that are sold as a longer life of the same release. */
static const char *const suse_channels[] = {"LTSS", "ESPOS", "BCL", "TERADATA", NULL};

/* "Linux Enterprise Server 15 SP5", "Linux Enterprise Module for Basesystem 15 SP5",
 * "Linux Enterprise Server 12 SP5-LTSS", "Linux Enterprise Micro 5.5", "Linux Micro 6.0". */
static bool from_suse(str rest, const struct distro_family **f, struct buf *platform,
                      struct buf *channel)
{
    if (!str_starts(rest, STR("Linux ")))
        return false;
    bool micro = str_contains(rest, STR("Micro "));
    if (!micro && !str_starts(rest, STR("Linux Enterprise ")))
        return false;
    for (const char *const *c = suse_channels; *c; c++)
        if (str_contains(rest, str_z(*c))) {
            add_lower(channel, str_z(*c));
            break;
        }
    str version = {0}, pack = {0};
    while (rest.n) {
        str word = str_split(&rest, ' ');
        word = str_split(&word, '-');
        if (word.n && ke_isdigit(word.p[0]) && !version.n)
            version = distro_version_cut(word, 2);
        else if (version.n && str_starts(word, STR("SP")))
            pack = distro_version_cut(str_from(word, 2), 1);
    }
    *f = micro ? distro_find(STR("sle-micro")) : distro_find(STR("sles"));
    if (!*f || !version.n)
        return false;
    buf_addf(platform, "%s:%.*s", (*f)->id, STR_ARG(version));
    if (pack.n)
        buf_addf(platform, ".%.*s", STR_ARG(pack));
    return true;
}

static bool from_opensuse(str rest, const struct distro_family **f, struct buf *platform)
{
    if (str_starts(rest, STR("Tumbleweed")))
        return set_platform("opensuse-tumbleweed", STR(""), f, platform);
    str version = str_from(rest, (size_t)(str_rindex(rest, ' ') + 1));
    if (str_starts(rest, STR("Leap Micro ")))
        return set_platform("opensuse-leap-micro", version, f, platform);
    if (str_starts(rest, STR("Leap ")))
        return set_platform("opensuse-leap", version, f, platform);
    return false;
}

bool platform_from_osv(str osv_ecosystem, const struct distro_family **f, struct buf *platform,
                       struct buf *channel)
{
    str rest = str_trim(osv_ecosystem);
    str name = str_split(&rest, ':');
    const char *id = NULL;
    for (const struct distro_alias *a = distro_osv_names; a->name; a++)
        if (str_eq_nocase(name, str_z(a->name)))
            id = a->id;
    *f = NULL;
    if (!id)
        return false;
    if (strcmp(id, "ubuntu") == 0)
        return from_ubuntu(rest, f, platform, channel);
    if (strcmp(id, "rhel") == 0)
        return from_red_hat(rest, f, platform, channel);
    if (strcmp(id, "sles") == 0)
        return from_suse(rest, f, platform, channel);
    if (strcmp(id, "opensuse-leap") == 0)
        return from_opensuse(rest, f, platform);
    return set_platform(id, str_split(&rest, ':'), f, platform);
}
