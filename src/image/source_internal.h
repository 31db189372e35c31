/* source_internal.h - what source.c and source_blobs.c share. */
#ifndef KELLET_IMAGE_SOURCE_INTERNAL_H
#define KELLET_IMAGE_SOURCE_INTERNAL_H

#include "image/source.h"

/* Waits for all threads (whose pipes nobody reads any more) and frees them. */
void transfers_end(struct source *s);

#endif
