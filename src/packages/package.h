/* package.h - what cataloguers find: packages with their evidence, distro identity, problems.
 *
 * Everything here is a record of one layer (struct facts): it depends only on the layer's bytes and
 * the analyzer's version, is cached for ever by diff_id, and is merged with other layers' facts
 * without opening the layer again. */
#ifndef KELLET_PACKAGES_PACKAGE_H
#define KELLET_PACKAGES_PACKAGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"

/* Facts about a type of package; the one table of them is types.c. */
struct package_type {
    const char *name; /* "deb", "apk", "rpm", "npm", "python", "gem", "java-archive", "go-module" */
    const char *purl_type; /* "deb", "apk", "rpm", "npm", "pypi", "gem", "maven", "golang" */
    const char *ecosystem; /* OSV name; NULL for distro packages */
    const char *scheme;    /* version scheme; NULL: the distro's */
};
const struct package_type *package_type_find(str name);
extern const struct package_type package_types[]; /* ended by name == NULL */

struct package {
    const struct package_type *type;
    str name;           /* as the ecosystem writes it; Maven: artifact id; Go: module path */
    str version;        /* full: deb and rpm with epoch ("1:2.3-4") when it is not absent */
    str arch;           /* "" for language packages; rpm: as in the header */
    str source_name;    /* deb Source, apk origin, rpm source name; "" when the same as name is not
                           known */
    str source_version; /* deb: Source's version; rpm: of the SRPM without epoch; "" when the same
                         */
    str group;          /* Maven group id */
    str module;         /* rpm modularity label "name:stream:version:context" */
    str licence;        /* as stated; npm, gem: several are lines (licence.h) */
    str vendor;
    str size; /* when installed, decimal: bytes; deb: KiB; "" when not stated */
    str path; /* evidence: path in the layer, clean; nested archives after ':'
                 ("a.war:WEB-INF/lib/b.jar") */
};

/* Appends the package URL (purl-spec 1.0); distro_id and distro_version only matter to distro
 * packages and may be empty. */
void package_purl(const struct package *p, str distro_id, str distro_version, struct buf *out);

/* os-release fields, or what an older file says. */
struct release_info {
    str path; /* where from */
    str id, id_like, version_id, codename, name, pretty_name, variant_id, build_id;
};

struct problem {
    str path;   /* of the file, "" for the layer as a whole */
    str what;   /* "parse", "limit", "unsupported", "unsafe-path", "unreadable" */
    str detail; /* for people */
};

/* One file that a cataloguer read, also when it holds no package: an upper layer's file hides a
 * lower one. */
struct evidence_file {
    str path;
    const char *cataloguer;
    uint32_t first_package, n_packages; /* run in facts.packages */
};

/* A language package's file that a distro package installed (dpkg's .list, apk's F/R, rpm's file
 * list). */
struct owned_path {
    str path;
    str owner; /* name of the distro package */
};

/* A distro package's licence that stands outside the package database: of the last directory in the
 * path (usr/share/doc/PACKAGE/copyright). */
struct stated_licence {
    str path;
    str licence;
};

/* A link whose target may hold what a cataloguer reads at the link's own path: a symbolic link at
 * (or above) the path of a package database, or a hard link. See links.h. */
struct kept_link {
    str path, target; /* target as it stands in the archive */
    bool hard;
};

struct facts {
    struct arena arena; /* owns every slice below */
    VEC(struct package) packages;
    VEC(struct evidence_file) files;
    VEC(struct release_info) releases;
    VEC(struct owned_path) owned;
    VEC(struct stated_licence) licences;
    VEC(struct problem) problems;
    VEC(struct kept_link) links;
    VEC(str)
    unsupported; /* ecosystems seen that no cataloguer reads ("cargo-lock" ...), each once */
};

void facts_init(struct facts *f, size_t arena_max);
void facts_done(struct facts *f);

#endif
