/* nuget.c - versions of NuGet packages: one to four components, labels without regard to case. */
#include "version/schemes.h"
#include "version/semver.h"

SEMVER_SCHEME(nuget, SEMVER_NUGET)

static bool nuget_valid(str v)
{
    struct semver s;
    semver_read(str_trim(v), SEMVER_NUGET, &s);
    return !s.rest.n && s.components && s.components <= 4 &&
           !(s.notes & ~(unsigned)(SEMVER_ZERO | SEMVER_PRE_ZERO));
}

static bool nuget_comparable(str a, str b)
{
    return semver_readable(SEMVER_NUGET, a) && semver_readable(SEMVER_NUGET, b);
}

const struct version_ops version_nuget = {
    .name = "nuget",
    .valid = nuget_valid,
    .compare = nuget_compare,
    .key = nuget_key,
    .comparable = nuget_comparable,
};
