/* bdb.h - reads the `Packages` file of rpm up to 4.16: a Berkeley DB hash database.
 *
 * Format (Berkeley DB 3.0 to 5.3, hash versions 5 to 10): pages of 512 bytes to 64 KiB in the byte
 * order of the machine that wrote them. Page 0 is the metadata page; every other page begins with
 * LSN (8), own number (4), previous and next page (4 each), entries (2), offset of the free area
 * (2), level (1), type (1). A hash page goes on with one 16-bit offset for each item; items fill
 * the page from its end, key and value by turns, the first byte being their kind: in the page (1),
 * duplicates (2), on a chain of overflow pages (3: page number at 4, length at 8), duplicates in a
 * tree of their own (4). With checksums the page header takes 32 bytes instead of 26. rpm's keys
 * are package numbers; number 0 holds the next free number.
 *
 * The pages are swept in the order of the file and each overflow page is used at most once, so the
 * time is linear in the size of the file whatever its links say; memory is three pages, one record
 * and one bit per page. */
#ifndef KELLET_CODEC_BDB_H
#define KELLET_CODEC_BDB_H

#include "codec/rpmdb.h"
#include "codec/spool.h"

/* 0 when the file was swept (sink->lost says what is missing), ERR_FORMAT or ERR_UNSUPPORTED when
 * it is no such database, ERR_NO_MEMORY, or what the sink returned. */
int bdb_read(const struct spool *file, const struct rpmdb_sink *sink, struct err *e);

#endif
