/* import_source.h - SOURCE "import:PATH": an image that an SBOM describes.
 *
 * PATH is an SBOM in Syft's JSON form that holds the image's manifest and configuration, or a
 * directory with what an import operation of the engine uploads: packages, manifest, image_config
 * (each also NAME.json) and, if there is one, dockerfile. */
#ifndef KELLET_CLI_IMPORT_SOURCE_H
#define KELLET_CLI_IMPORT_SOURCE_H

#include "base/buf.h"
#include "packages/inventory.h"

bool import_source_is(const char *source);
/* *out must be freed; the Dockerfile is appended, if there is one. 0, or an exit code after having
 * printed why not. */
int import_source_read(const char *source, struct inventory **out, struct buf *dockerfile);

#endif
