/* golang.c - versions of Go modules (golang.org/x/mod/semver) and of Go itself (go1.22rc1). */
#include "version/schemes.h"
#include "version/semver.h"

SEMVER_SCHEME(golang, SEMVER_GO)

static bool golang_valid(str v)
{
    struct semver s;
    semver_read(v, SEMVER_GO, &s);
    bool short_form = s.components < 3 && !s.pre_number.n;
    return !s.rest.n && s.components && s.components <= 3 && !(short_form && s.has_pre) &&
           !(s.components < 3 && s.has_build) &&
           !(s.notes & ~(unsigned)(SEMVER_PREFIX | SEMVER_GO_TAG));
}

const struct version_ops version_golang = {
    .name = "golang",
    .valid = golang_valid,
    .compare = golang_compare,
    .key = golang_key,
};
