/* platform.c - os-release to family and platform name; the facts are in distro_table.c. */
#include "vulndb/distro_table.h"

enum { VERSION_MAX = 40 };

const struct distro_family *distro_find(str id)
{
    id = str_trim(id);
    for (const struct distro_alias *a = distro_aliases; a->name; a++)
        if (str_eq_nocase(id, str_z(a->name)))
            id = str_z(a->id);
    for (const struct distro_family *f = distro_families; f->id; f++)
        if (str_eq_nocase(id, str_z(f->id)))
            return f;
    return NULL;
}

const struct distro_family *distro_resolve(str id, str id_like)
{
    const struct distro_family *f = distro_find(id);
    while (!f && id_like.n) {
        str word = str_split(&id_like, ' ');
        if (word.n)
            f = distro_find(word);
    }
    return f;
}

str distro_codename_version(const struct distro_family *f, str codename)
{
    str name = str_trim(codename);
    name = str_split(&name, '/'); /* "trixie/sid" */
    if (f && name.n)
        for (const struct distro_codename *c = distro_codenames; c->id; c++)
            if (str_eq(str_z(c->id), str_z(f->id)) && str_eq_nocase(name, str_z(c->codename)))
                return str_z(c->version);
    return STR("");
}

str distro_version_cut(str version, int parts)
{
    version = str_trim(version);
    if (version.n > 1 && version.p[0] == 'v' && ke_isdigit(version.p[1]))
        version = str_from(version, 1);
    if (version.n == 0 || !ke_isdigit(version.p[0]))
        return STR("");
    size_t n = 0;
    for (int dots = 0; n < version.n && n < VERSION_MAX; n++) {
        char c = version.p[n];
        if (c == '.' && ++dots == parts)
            break;
        if (!ke_isalnum(c) && c != '.' && c != '-')
            break;
    }
    while (n && !ke_isalnum(version.p[n - 1]))
        n--;
    return str_sub(version, 0, n);
}

static bool is_family(const struct distro_family *f, const char *id)
{
    return strcmp(f->id, id) == 0;
}

static bool is_edge(str version)
{
    return str_contains(version, STR("_alpha")) || str_eq(version, STR("edge"));
}

/* "22.03 (LTS-SP3)" or "LTS-SP3" -> "LTS-SP3". */
static str service_pack(str text)
{
    ptrdiff_t at = str_find(text, STR("LTS"));
    if (at < 0)
        return STR("");
    size_t n = (size_t)at;
    while (n < text.n && (ke_isalnum(text.p[n]) || text.p[n] == '-'))
        n++;
    return str_sub(text, (size_t)at, n);
}

/* The version part of the platform's name; empty when nothing is known. */
static str release_of(const struct distro_family *f, str version_id, str codename)
{
    if ((is_family(f, "alpine") || is_family(f, "postmarketos")) && is_edge(str_trim(version_id)))
        return STR("edge");
    str version = distro_version_cut(version_id, f->version_parts);
    if (is_family(f, "amzn") && str_starts(version, STR("201"))) /* 2018.03 is Amazon Linux 1 */
        return STR("1");
    if (version.n)
        return version;
    version = distro_codename_version(f, version_id.n ? version_id : codename);
    if (!version.n)
        version = distro_codename_version(f, codename);
    if (!version.n && (is_family(f, "debian") || is_family(f, "raspbian")))
        return STR("unstable");
    return version;
}

void platform_name(const struct distro_family *f, str version_id, str codename, struct buf *out)
{
    buf_add_str(out, str_z(f->id));
    if (f->version_parts == 0)
        return;
    str version = release_of(f, version_id, codename);
    if (!version.n)
        return;
    buf_add_char(out, ':');
    buf_add_str(out, version);
    if (!is_family(f, "openeuler") || str_contains(version, STR("-")))
        return;
    str pack = service_pack(version_id);
    if (!pack.n)
        pack = service_pack(codename);
    if (pack.n) {
        buf_add_char(out, '-');
        buf_add_str(out, pack);
    }
}

bool platform_claims_from(const struct distro_family *f, str version_id, str codename,
                          struct buf *out)
{
    const struct distro_family *parent = f->claims_from ? distro_find(str_z(f->claims_from)) : NULL;
    if (!parent)
        return false;
    bool translated = false;
    str version = f->version_parts ? release_of(f, version_id, codename) : STR("");
    for (const struct distro_release *r = distro_releases; r->id; r++) {
        if (!is_family(f, r->id))
            continue;
        translated = true;
        if (!str_eq(version, str_z(r->version)))
            continue;
        buf_add_str(out, str_z(parent->id));
        buf_add_char(out, ':');
        buf_add_str(out, str_z(r->parent_version));
        return true;
    }
    if (translated || (parent->version_parts && !version.n && !codename.n))
        return false;
    platform_name(parent, version_id, codename, out);
    return true;
}
