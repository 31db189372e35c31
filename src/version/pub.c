/* pub.c - versions of Dart packages, as pub_semver orders them: build metadata counts too. */
#include "version/schemes.h"
#include "version/semver.h"

SEMVER_SCHEME(pub, SEMVER_PUB)

static bool pub_valid(str v)
{
    struct semver s;
    semver_read(v, SEMVER_PUB, &s);
    return !s.rest.n && s.components == 3 &&
           !(s.notes & ~(unsigned)(SEMVER_ZERO | SEMVER_PRE_ZERO));
}

static bool pub_comparable(str a, str b)
{
    return semver_readable(SEMVER_PUB, a) && semver_readable(SEMVER_PUB, b);
}

const struct version_ops version_pub = {
    .name = "pub",
    .valid = pub_valid,
    .compare = pub_compare,
    .key = pub_key,
    .comparable = pub_comparable,
};
