/* imports.h - images that come as an SBOM instead of from a registry.
 *
 * An operation collects contents (packages, manifest, image_config, dockerfile, parent_manifest),
 * each known by the SHA-256 of its bytes; POST /images with source.import names those that make the
 * image, which a worker then analyses without a registry. Tables: image_import,
 * image_import_content; documents: bucket "image_content_imports", key "<uuid>/<type>/<digest>". */
#ifndef KELLET_SERVICES_IMPORTS_H
#define KELLET_SERVICES_IMPORTS_H

#include "services/call.h"

#define IMPORT_BUCKET "image_content_imports"
enum { IMPORT_CONTENT_MAX = 100 << 20 };

/* Answers POST /images for body.source.import (checked against the API's description). */
int import_finalize(struct call *c, yyjson_val *manifest);

/* A content of an operation; appended. ERR_NOT_FOUND. */
int import_content(struct db_tx *tx, struct documents *d, str account, str uuid, const char *type,
                   str digest, struct buf *out, struct err *e);

/* One round of the watcher import_gc: operations that are over or expired go, with their contents.
 */
int import_gc(struct engine *en, struct err *e);

#endif
