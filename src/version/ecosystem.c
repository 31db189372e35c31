/* ecosystem.c - the table of language ecosystems. */
#include "version/ecosystem.h"

static void normalise_lower(str name, struct buf *out)
{
    for (size_t i = 0; i < name.n; i++)
        buf_add_char(out, ke_tolower(name.p[i]));
}

/* PEP 503: lower case, and each run of ". - _" becomes one hyphen. */
static void normalise_python(str name, struct buf *out)
{
    bool in_run = false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool separator = c == '.' || c == '-' || c == '_';
        if (!separator || !in_run)
            buf_add_char(out, separator ? '-' : ke_tolower(c));
        in_run = separator;
    }
}

/* A repository's address: lower case, without scheme, user and ".git". */
static void normalise_address(str name, struct buf *out)
{
    ptrdiff_t scheme = str_find(name, STR("://"));
    if (scheme >= 0)
        name = str_from(name, (size_t)scheme + 3);
    while (str_ends(name, STR("/")))
        name.n--;
    if (name.n > 4 && str_eq_nocase(str_from(name, name.n - 4), STR(".git")))
        name.n -= 4;
    normalise_lower(name, out);
}

/* Where an ecosystem has no scheme of its own here, the nearest stands in: "semver" reads any
 * number of numeric components (NuGet, Bioconductor, Hackage, CRAN, GHC have two to four). */
const struct ecosystem ecosystems[] = {
    {"PyPI", "pep440-public", "pypi", normalise_python},
    {"npm", "npm", "npm", NULL},
    {"Maven", "maven-jre", "maven", NULL},
    {"Go", "golang", "golang", NULL},
    {"RubyGems", "gem", "gem", NULL},
    {"crates.io", "semver", "cargo", NULL},
    {"NuGet", "nuget", "nuget", normalise_lower},
    {"Packagist", "composer", "composer", normalise_lower},
    {"Hex", "semver", "hex", NULL},
    {"Pub", "pub", "pub", NULL},
    {"ConanCenter", "semver", "conan", NULL},
    {"SwiftURL", "semver", "swift", normalise_address},
    {"Hackage", "hackage", "hackage", NULL},
    {"GHC", "hackage", "", NULL},
    {"CRAN", "cran", "cran", NULL},
    {"Bioconductor", "cran", "bioconductor", NULL},
    {"GitHub Actions", "semver", "githubactions", normalise_lower},
    {"Bitnami", "bitnami", "bitnami", normalise_lower},
    {"Julia", "semver", "julia", NULL},
    {"VSCode", "semver", "vscode-extension", normalise_lower},
    {"opam", "deb", "opam", NULL},
    {NULL, NULL, NULL, NULL},
};

const struct ecosystem *ecosystem_find(str osv_name)
{
    ptrdiff_t colon = str_index(osv_name, ':');
    str name = colon < 0 ? osv_name : str_sub(osv_name, 0, (size_t)colon);
    for (const struct ecosystem *e = ecosystems; e->name; e++)
        if (str_eq_nocase(str_z(e->name), name))
            return e;
    return NULL;
}

const struct ecosystem *ecosystem_by_purl_type(str type)
{
    for (const struct ecosystem *e = ecosystems; type.n && e->name; e++)
        if (str_eq_nocase(str_z(e->purl_type), type))
            return e;
    return NULL;
}

void ecosystem_normalise(const struct ecosystem *eco, str name, struct buf *out)
{
    if (eco->normalise)
        eco->normalise(name, out);
    else
        buf_add_str(out, name);
}
