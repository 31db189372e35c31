/* ndb.h - reads `Packages.db`, the package database of rpm's own "ndb" back end (SUSE).
 *
 * Format (rpm 4.14 and later; all numbers little-endian, 32 bits): a header of 32 bytes (magic
 * "RpmP", version 0, generation, number of slot pages, next package number), then slots of 16 bytes
 * (magic "Slot", package number, offset and count in blocks of 16 bytes) up to the end of the slot
 * pages of 4 KiB; a free slot has offset 0. A blob is a head ("BlbS", package number, time stamp,
 * length), the header blob, padding, and a tail of 12 bytes (Adler-32 of head, blob and padding,
 * length, "BlbE").
 *
 * A blob whose checksum is wrong is handed out and reported as damaged. Blobs may not lie on top of
 * each other: together they are never longer than the file. */
#ifndef KELLET_CODEC_NDB_H
#define KELLET_CODEC_NDB_H

#include "codec/rpmdb.h"
#include "codec/spool.h"

/* 0 when all slots were read (sink->lost says what is missing), ERR_FORMAT or ERR_UNSUPPORTED when
 * it is no such database, ERR_NO_MEMORY, or what the sink returned. */
int ndb_read(const struct spool *file, const struct rpmdb_sink *sink, struct err *e);

#endif
