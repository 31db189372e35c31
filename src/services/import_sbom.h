/* import_sbom.h - an image that somebody describes by an SBOM, as an inventory: what an import
 * operation of the engine uploads, and what `kellet check import:PATH` reads.
 *
 * Formats: packages: Syft's JSON; manifest: of an OCI or Docker image; config: an image's
 * configuration. Nothing is known of files. */
#ifndef KELLET_SERVICES_IMPORT_SBOM_H
#define KELLET_SERVICES_IMPORT_SBOM_H

#include "base/buf.h"
#include "packages/inventory.h"

struct import_sbom {
    str packages, manifest, config; /* JSON texts */
    str digest;                     /* "sha256:..." of the image */
};

/* A package that the SBOM lists more than once is one, with each of its places. What it says of the
 * image's names is in repo_tags. On success *out must be freed (inventory_free()). Packages of
 * types that are not known become one of its problems. ERR_FORMAT, ERR_LIMIT, ERR_NO_MEMORY. */
int import_sbom_read(const struct import_sbom *in, struct inventory **out, struct err *e);

/* Appends the manifest and the configuration that an SBOM of an image holds (Syft's JSON,
 * source.metadata, or source.target before its version 10: base64). ERR_FORMAT: there is none. */
int import_sbom_documents(str packages, struct buf *manifest, struct buf *config, struct err *e);

#endif
