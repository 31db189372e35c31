/* all.c - the list of version schemes. To add one: one file, one line here, one test. */
#include "version/schemes.h"

const struct version_ops *const version_schemes[] = {
    &version_deb,       &version_apk,           &version_rpm_evr,
    &version_rpmvercmp, &version_alpm,          &version_portage,
    &version_semver,    &version_npm,           &version_golang,
    &version_pep440,    &version_pep440_public, &version_gem,
    &version_maven,     &version_maven_jre,     &version_composer,
    &version_nuget,     &version_pub,           &version_cran,
    &version_hackage,   &version_bitnami,       NULL,
};

const struct version_ops *version_scheme(str name)
{
    for (size_t i = 0; version_schemes[i]; i++)
        if (str_eq(str_z(version_schemes[i]->name), name))
            return version_schemes[i];
    return NULL;
}

bool version_comparable(const struct version_ops *ops, str a, str b)
{
    return ops->comparable ? ops->comparable(a, b) : ops->valid(a) && ops->valid(b);
}
