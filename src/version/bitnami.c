/* bitnami.c - versions of Bitnami's builds: Semantic Versioning, where a number behind the last
 * hyphen is the build's revision and does not count (1.2.3-5 = 1.2.3). */
#include "version/digits.h"
#include "version/schemes.h"
#include "version/semver.h"

static str bitnami_bare(str v)
{
    ptrdiff_t dash = str_rindex(v, '-');
    str revision = dash < 0 ? (str){NULL, 0} : str_from(v, (size_t)dash + 1);
    bool counts = !revision.n || digits_run(revision).n != revision.n;
    return counts ? v : str_sub(v, 0, (size_t)dash);
}

static int bitnami_compare(str a, str b)
{
    return semver_compare_as(SEMVER, bitnami_bare(a), bitnami_bare(b));
}

static bool bitnami_key(str v, struct buf *out)
{
    return semver_key_as(SEMVER, bitnami_bare(v), out);
}

static bool bitnami_valid(str v)
{
    return semver_readable(SEMVER, bitnami_bare(v));
}

const struct version_ops version_bitnami = {
    .name = "bitnami",
    .valid = bitnami_valid,
    .compare = bitnami_compare,
    .key = bitnami_key,
};
