/* source_internal.h - what source.c and source_blobs.c share. */
#ifndef KELLET_IMAGE_SOURCE_INTERNAL_H
#define KELLET_IMAGE_SOURCE_INTERNAL_H

#include "image/source.h"

/* Starts a thread that writes an engine's export into a pipe; *fd is the end to read. */
int transfer_start_export(struct source *s, const char *socket, const char *image, int *fd,
                          struct err *e);
/* Waits for all threads (whose pipes nobody reads any more) and frees them. */
void transfers_end(struct source *s);

#endif
