/* distro_table.h - the data behind platform.h, for platform.c and platform_osv.c only. Every table
 * ends with a row of NULLs. */
#ifndef KELLET_VULNDB_DISTRO_TABLE_H
#define KELLET_VULNDB_DISTRO_TABLE_H

#include "vulndb/platform.h"

struct distro_alias {
    const char *name, *id;
};
struct distro_codename {
    const char *id, *codename, *version;
};
/* A derivative's release (after cutting to its version parts) and its parent's. */
struct distro_release {
    const char *id, *version, *parent_version;
};

extern const struct distro_alias distro_aliases[];   /* other os-release IDs */
extern const struct distro_alias distro_osv_names[]; /* first part of OSV ecosystems */
extern const struct distro_codename distro_codenames[];
extern const struct distro_release distro_releases[];

/* The first `parts` components of a version ("3.18.4", 2 -> "3.18"), a leading 'v' dropped and the
 * text cut at the first character that is not [0-9A-Za-z.-]; empty when it starts with no digit. */
str distro_version_cut(str version, int parts);

#endif
