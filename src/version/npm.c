/* npm.c - versions of npm packages, as node-semver reads them in its loose mode. */
#include "version/digits.h"
#include "version/schemes.h"
#include "version/semver.h"

SEMVER_SCHEME(npm, SEMVER_NPM)

/* node-semver's own limits: 256 characters, components up to 2^53 - 1. */
static bool npm_valid(str v)
{
    struct semver s;
    semver_read(v, SEMVER_NPM, &s);
    if (v.n > 256 || s.rest.n || s.components != 3 || (s.notes & SEMVER_EMPTY_IDENTIFIER) ||
        (s.notes & SEMVER_TWO_BUILDS))
        return false;
    for (str rest = s.core; rest.n;)
        if (digits_compare(str_split(&rest, '.'), STR("9007199254740991")) > 0)
            return false;
    return true;
}

const struct version_ops version_npm = {
    .name = "npm",
    .valid = npm_valid,
    .compare = npm_compare,
    .key = npm_key,
};
