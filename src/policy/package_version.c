#include "policy/package_version.h"

#include "version/version.h"

static const struct version_ops *ops_of(str scheme, str have, str wanted)
{
    const struct version_ops *ops = scheme.n ? version_scheme(scheme) : NULL;
    if (ops && version_comparable(ops, have, wanted))
        return ops;
    const struct version_ops *wider =
        str_eq(scheme, STR("npm")) ? version_scheme(STR("semver")) : NULL;
    return wider && version_comparable(wider, have, wanted) ? wider : NULL;
}

bool package_version_order(str scheme, str version, str full_version, str wanted, int *order)
{
    str have = str_contains(wanted, STR("-")) || !version.n ? full_version : version;
    const struct version_ops *ops = ops_of(scheme, have, wanted);
    *order = ops ? ops->compare(have, wanted) : 0;
    return ops || str_eq(have, wanted);
}
