/* import_archive.h - the file in which the original hands an analysed image on: `anchore-manager
 * analyzers exec` (inline scans) writes it, POST /import/images takes it.
 *
 * A gzip-compressed tar archive whose members lie at its root (names as in their index):
 *     archive_manifest   the index: {account, image_digest, metadata: {image_id, image_record: TEXT
 *                        of the catalog's record}, artifacts: [{name, dest: {tarfile_path}}]}
 *     analysis           {"document": [{"image": ...}]}: import_analysis.h
 *     image_manifest     {"document": the manifest, as an object or as text, or null}
 *     syft_sbom          {"document": SBOM of syft} (MAY be absent)
 *     image_content      what the API answers; not read, it follows from the analysis
 * Everything is checked as a stranger's: names, types of members, sizes as they really are.
 * Nothing is written to any file. Other members are passed over. */
#ifndef KELLET_SERVICES_IMPORT_ARCHIVE_H
#define KELLET_SERVICES_IMPORT_ARCHIVE_H

#include "codec/json.h"
#include "services/fulltag.h"

enum {
    IMPORT_MEMBER_MAX = 256 << 20, /* of one member, decompressed */
    IMPORT_ARCHIVE_MAX = 1 << 30,  /* of all of them */
    IMPORT_MEMBERS_MAX = 10000,
    IMPORT_TAGS_MAX = 1000,
};

struct import_tag {
    struct fulltag name;
    int64_t detected; /* microseconds; 0: not said */
};

struct import_archive {
    struct arena arena;        /* owns the slices below */
    yyjson_doc *analysis;      /* the member's document */
    yyjson_doc *sbom;          /* NULL: there is none */
    str digest, parent_digest; /* "sha256:..." */
    str id;                    /* of the configuration, 64 hexadecimal digits; empty: not said */
    str manifest;              /* JSON text; empty: not there */
    str annotations;           /* JSON text of an object; empty: none */
    int64_t size;              /* of the image; -1: not said */
    int64_t created, analyzed; /* microseconds; 0: not said */
    struct import_tag *tags;   /* at least one */
    size_t n_tags;
};

/* ERR_FORMAT for what is no such archive, ERR_LIMIT for what is too large. Memory: the members'
 * sizes and as much again for their values. */
int import_archive_read(str bytes, struct import_archive **out, struct err *e);
void import_archive_free(struct import_archive *a); /* NULL is fine */

#endif
