/* clamd.h - asks ClamAV's daemon about bytes: commands VERSION and INSTREAM of clamd(8), over a
 * socket of the file system or TCP. Every wait has an end. */
#ifndef KELLET_NET_CLAMD_H
#define KELLET_NET_CLAMD_H

#include "base/err.h"
#include "base/str.h"

enum { CLAMD_TEXT = 512, CLAMD_CHUNK_MAX = 64 << 10 };

enum clamd_verdict { CLAMD_CLEAN, CLAMD_FOUND, CLAMD_FAILED };

/* endpoint: "unix:PATH" or "tcp:HOST:PORT" ("tcp:[::1]:3310"). A connected descriptor of the
 * caller. ERR_USAGE: it is none; ERR_NET: nobody answers there. */
int clamd_connect(const char *endpoint, int *out, struct err *e);
/* Of program and signatures: "ClamAV 1.0.7/27390/Tue Sep  3 08:31:26 2024". */
int clamd_version(const char *endpoint, char out[CLAMD_TEXT], struct err *e);

/* One stream a connection: begin, chunks of 1 to CLAMD_CHUNK_MAX bytes, verdict. text: the
 * signature's name of CLAMD_FOUND, the reason of CLAMD_FAILED (clamd's own words), else "". */
int clamd_begin(int fd, struct err *e);
int clamd_chunk(int fd, const void *p, size_t n, struct err *e);
/* After the last chunk, or after a chunk failed: clamd may have said why. */
enum clamd_verdict clamd_verdict(int fd, char text[CLAMD_TEXT]);

#endif
