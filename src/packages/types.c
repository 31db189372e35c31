/* types.c - the one table of package types. */
#include "packages/package.h"

const struct package_type package_types[] = {
    {.name = "deb", .purl_type = "deb"},
    {.name = "apk", .purl_type = "apk"},
    {.name = "rpm", .purl_type = "rpm"},
    {.name = "alpm", .purl_type = "alpm"},
    {.name = "npm", .purl_type = "npm", .ecosystem = "npm", .scheme = "npm"},
    {.name = "python", .purl_type = "pypi", .ecosystem = "PyPI", .scheme = "pep440"},
    {.name = "gem", .purl_type = "gem", .ecosystem = "RubyGems", .scheme = "gem"},
    {.name = "java-archive", .purl_type = "maven", .ecosystem = "Maven", .scheme = "maven"},
    {.name = "jenkins-plugin", .purl_type = "maven", .ecosystem = "Maven", .scheme = "maven"},
    {.name = "go-module", .purl_type = "golang", .ecosystem = "Go", .scheme = "golang"},
    {.name = "rust-crate", .purl_type = "cargo", .ecosystem = "crates.io", .scheme = "semver"},
    {.name = "binary", .purl_type = "generic", .ecosystem = "binary", .scheme = "semver"},
    {0},
};

const struct package_type *package_type_find(str name)
{
    for (const struct package_type *t = package_types; t->name; t++)
        if (str_eq(str_z(t->name), name))
            return t;
    return NULL;
}
