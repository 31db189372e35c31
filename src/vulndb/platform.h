/* platform.h - distributions: from os-release to the platform name that claims use.
 *
 * The one table of distro facts: ids and their aliases, how many version components count,
 * codenames, which package scheme and purl namespace belong to them. Sources: os-release(5) and the
 * distributions' own files.
 *
 * Canonical ids are those of os-release where a distribution has one: Oracle is "ol", Amazon
 * "amzn", SUSE's enterprise products "sles", Arch "arch", Mariner and Azure Linux "azurelinux".
 *
 * Whose claims apply (claims_from): a rebuild that publishes no data of its own and keeps the
 * versions of its parent uses the parent's: CentOS and Scientific Linux RHEL's, Raspbian, Devuan
 * and Kali Debian's, Mint, Pop!_OS, neon, Zorin and elementary Ubuntu's, postmarketOS Alpine's,
 * Manjaro and EndeavourOS Arch's. AlmaLinux, Rocky and Oracle publish their own data and rebuild
 * with other releases: RHEL's claims are never put in their place. */
#ifndef KELLET_VULNDB_PLATFORM_H
#define KELLET_VULNDB_PLATFORM_H

#include "base/buf.h"
#include "base/str.h"

struct distro_family {
    const char *id;   /* canonical: "debian", "alpine", "almalinux", "rhel", "ubuntu", ... */
    const char *name; /* "Debian GNU/Linux" */
    const char *package_type; /* "deb", "apk", "rpm", "alpm", "portage", "xbps" */
    const char *scheme;       /* "deb", "apk", "rpm-evr" (also for xbps), "alpm", "portage" */
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
 * "unstable"). openEuler's service pack may come in either ("22.03" and "LTS-SP3"). Without a
 * usable version the family's id alone. */
void platform_name(const struct distro_family *f, str version_id, str codename, struct buf *out);
/* The platform whose claims stand in for a distribution that has none of its own, with releases
 * translated (devuan 5 -> "debian:12", linuxmint 21.3 -> "ubuntu:22.04", postmarketos 23.12 ->
 * "alpine:3.19"). False when claims_from is NULL or the release is unknown. */
bool platform_claims_from(const struct distro_family *f, str version_id, str codename,
                          struct buf *out);
/* Debian and Ubuntu codenames: "bookworm" -> "12"; empty when unknown. */
str distro_codename_version(const struct distro_family *f, str codename);
/* OSV ecosystem of a distro ("Debian:12", "AlmaLinux:8", "Ubuntu:Pro:18.04:LTS", "SUSE:Linux
 * Enterprise Server 15 SP5") -> family and platform name, channel in *channel ("" or "pro", "fips"
 * ...); false when it is not one. */
bool platform_from_osv(str osv_ecosystem, const struct distro_family **f, struct buf *platform,
                       struct buf *channel);
/* All families, ended by id == NULL. */
extern const struct distro_family distro_families[];

#endif
