#include "match/host.h"

#include "version/ecosystem.h"

/* Distributions whose security data list every known vulnerability, fixed or not: there, silence
 * about a package means something. The others publish fixes only. */
static const char *const lists_unfixed[] = {"arch", "azurelinux", "debian", "rhel", "ubuntu"};

/* Words by which a version shows its channel. */
static const struct {
    const char *channel, *mark;
} channel_marks[] = {
    {"esm", "esm"},   {"pro", "esm"},           {"esm-infra", "esm"},     {"esm-apps", "esm"},
    {"fips", "fips"}, {"fips-updates", "fips"}, {"fips-preview", "fips"},
};

/* Other names of one architecture, by the name that rpm uses. */
static const struct {
    const char *name, *other;
} arch_names[] = {
    {"x86_64", "amd64"},    {"aarch64", "arm64"}, {"armv7hl", "armhf"}, {"armv7hl", "armv7"},
    {"ppc64le", "ppc64el"}, {"i686", "i386"},     {"i686", "x86"},      {"i686", "i586"},
};

static const struct {
    const char *type, *start;
} kernel_headers[] = {
    {"apk", "linux-headers"},     {"deb", "linux-headers-"}, {"deb", "linux-kbuild-"},
    {"deb", "linux-libc-dev"},    {"rpm", "kernel-headers"}, {"rpm", "kernel-cross-headers"},
    {"rpm", "linux-glibc-devel"},
};

static bool word_in(const char *const *words, size_t n, const char *word)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(words[i], word) == 0)
            return true;
    return false;
}

static int keep_name(struct buf *b, struct arena *a, str *out, struct err *e)
{
    if (buf_check(b, "the distribution's name", e) < 0)
        return ERR_LIMIT;
    *out = arena_dup(a, buf_view(b));
    return out->p ? 0 : err_no_memory(e);
}

static bool is_covered(const struct vulndb *db, str platform)
{
    return db && vulndb_covers(db, platform, STR(""));
}

int match_host_resolve(const struct vulndb *db, const struct release_info *r, struct arena *a,
                       struct match_host *out, struct err *e)
{
    *out = (struct match_host){.family = distro_resolve(r->id, r->id_like)};
    const struct distro_family *f = out->family;
    if (!f)
        return 0;
    auto_buf name;
    buf_init(&name, 4096);
    platform_name(f, r->version_id, r->codename, &name);
    int rc = keep_name(&name, a, &out->own, e);
    out->platform = out->own;
    out->covered = rc >= 0 && is_covered(db, out->platform);
    buf_clear(&name);
    if (rc >= 0 && !out->covered && platform_claims_from(f, r->version_id, r->codename, &name) &&
        is_covered(db, buf_view(&name))) {
        rc = keep_name(&name, a, &out->platform, e);
        out->covered = true;
        f = distro_find(str_z(f->claims_from));
    }
    out->lists_unfixed = f && word_in(lists_unfixed, KE_ARRAY_LEN(lists_unfixed), f->id);
    return rc;
}

bool match_host_installs(const struct match_host *h, const struct package *p)
{
    return h->family && strcmp(h->family->package_type, p->type->name) == 0;
}

static str arch_canonical(str arch)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(arch_names); i++)
        if (str_eq(arch, str_z(arch_names[i].other)))
            return str_z(arch_names[i].name);
    return arch;
}

static bool arch_allowed(str package, str claim)
{
    if (!claim.n || !package.n || str_eq(package, STR("noarch")) || str_eq(package, STR("all")))
        return true;
    while (claim.n) {
        str one = str_trim(str_split(&claim, ','));
        if (str_eq(one, STR("src")) || str_eq(one, STR("noarch")) || str_eq(one, STR("all")) ||
            str_eq(arch_canonical(one), arch_canonical(package)))
            return true;
    }
    return false;
}

static bool module_allowed(str package, str claim)
{
    return str_starts(package, claim) && (package.n == claim.n || package.p[claim.n] == ':');
}

static bool channel_shown(str version, str channel)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(channel_marks); i++)
        if (str_eq_nocase(channel, str_z(channel_marks[i].channel)) &&
            str_contains(version, str_z(channel_marks[i].mark)))
            return true;
    return false;
}

bool match_from_channel(str version)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(channel_marks); i++)
        if (str_contains(version, str_z(channel_marks[i].mark)))
            return true;
    return false;
}

const char *match_passed_over(const struct package *p, const struct claim *c)
{
    if (c->state == FIX_WITHDRAWN)
        return "the advisory was withdrawn";
    if (!arch_allowed(p->arch, c->arch))
        return "it is about another architecture";
    if (c->module_none && p->module.n)
        return "it is about the package outside of modules";
    if (c->module.n && !module_allowed(p->module, c->module))
        return "it is about another module or stream";
    if (c->channel.n && !channel_shown(p->version, c->channel))
        return "it is about a channel that this package does not come from";
    return NULL;
}

bool match_is_kernel_headers(const struct package *p, const struct claim *c)
{
    str source = p->source_name.n ? p->source_name : p->name;
    if (c->package_kind != PACKAGE_SOURCE ||
        !(str_starts(source, STR("linux")) || str_starts(source, STR("kernel"))))
        return false;
    for (size_t i = 0; i < KE_ARRAY_LEN(kernel_headers); i++)
        if (strcmp(p->type->name, kernel_headers[i].type) == 0 &&
            str_starts(p->name, str_z(kernel_headers[i].start)))
            return true;
    return false;
}
