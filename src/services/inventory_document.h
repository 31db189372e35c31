/* inventory_document.h - an image's inventory as bytes: what the analyzer stores and the policy
 * engine matches, again and again, without looking at the image.
 *
 * Document bucket "image_content_data", key: the image's digest, part "inventory", account: the
 * image's; earlier versions wrote bucket "inventory", key: the digest. Format 3, integers as LEB128
 * varints:
 *     "KLI" version(1 byte)
 *     the inventory's own strings; then, each after its count: tags, layers (with size), packages
 *     (with type, owner, purl, evidence: path and layer), problems (layer + 1), unsupported
 *     ecosystems
 * A string is 0 (empty), 2 * length + 1 and its bytes (its first use), or 2 * how many uses of
 * strings ago it was used last. Format 2 (read, not written) had a table: after the version the
 * number of strings, each one's length, all their bytes; then the same records with indexes into
 * the table, where 0 is the empty string. The same inventory
 * always gives the same bytes. Progress and cache counters are not kept. */
#ifndef KELLET_SERVICES_INVENTORY_DOCUMENT_H
#define KELLET_SERVICES_INVENTORY_DOCUMENT_H

#include "base/buf.h"
#include "packages/inventory.h"
#include "store/documents.h"

#define INVENTORY_BUCKET "inventory"
#define INVENTORY_PART   "inventory"
enum { INVENTORY_DOCUMENT_MAX = 256 << 20 };

/* Appends. ERR_LIMIT when the buffer's maximum does not do. */
int inventory_document_write(const struct inventory *inv, struct buf *out, struct err *e);

/* Appends the document of an image. ERR_NOT_FOUND. */
int inventory_document_get(struct documents *d, struct db_tx *tx, str account, str digest,
                           struct buf *out, struct err *e);

/* On success *out must be freed by inventory_free(). Nothing of `bytes` is borrowed. Every count
 * and index is checked: ERR_FORMAT; ERR_UNSUPPORTED for another version or a package type that this
 * build lacks. */
int inventory_document_read(str bytes, struct inventory **out, struct err *e);

#endif
