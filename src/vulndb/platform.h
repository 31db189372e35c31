/* platform.h - distributions: from os-release to the platform name that claims use.
 *
 * The one table of distro facts: ids and their aliases, how many version components count,
 * codenames, which package scheme and purl namespace belong to them. Sources: os-release(5) and the
 * distributions' own files. */
#ifndef KELLET_VULNDB_PLATFORM_H
#define KELLET_VULNDB_PLATFORM_H

#include "base/buf.h"
#include "base/str.h"

struct distro_family {
    const char *id;   /* canonical: "debian", "alpine", "almalinux", "rhel", "ubuntu", ... */
    const char *name; /* "Debian GNU/Linux" */
    const char *package_type; /* "deb", "apk", "rpm", "alpm", "portage" */
    const char *scheme;       /* "deb", "apk", "rpm-evr" */
    int version_parts; /* 1: major only (debian:12), 2: major.minor (alpine:3.18), 0: rolling */
    const char *claims_from; /* family whose claims apply when it has none of its own (raspbian:
                                debian); NULL */
};

/* By os-release ID (aliases included: "ol", "rocky", "amzn", "sles" ...); NULL when unknown. */
const struct distro_family *distro_find(str id);
/* Tries ID, then each word of ID_LIKE. */
const struct distro_family *distro_resolve(str id, str id_like);

/* Appends "debian:12", "alpine:3.18", "alpine:edge", "wolfi" for a family and a VERSION_ID (which
 * may carry more components), with codename as a fallback ("bookworm" -> 12; "sid" or none ->
 * "unstable"). */
void platform_name(const struct distro_family *f, str version_id, str codename, struct buf *out);
/* Debian and Ubuntu codenames: "bookworm" -> "12"; empty when unknown. */
str distro_codename_version(const struct distro_family *f, str codename);
/* OSV ecosystem of a distro ("Debian:12", "AlmaLinux:8", "Ubuntu:Pro:18.04:LTS", "SUSE:Linux
 * Enterprise Server 15 SP5") -> family and platform name, channel in *channel ("" or "pro", "fips"
 * ...); false when it is not one. */
bool platform_from_osv(str osv_ecosystem, const struct distro_family **f, struct buf *platform,
                       struct buf *channel);

#endif
