/* readahead.h - the cut between two threads of one layer: what is below runs on a thread of its
 * own.
 *
 * Below: reading, the digest of the compressed bytes, inflating. Above: the diff_id and the walk.
 * So an image of one big layer uses two processors. Memory: the ring, half a megabyte. */
#ifndef KELLET_IMAGE_READAHEAD_H
#define KELLET_IMAGE_READAHEAD_H

#include "codec/stream.h"

/* `below` is borrowed and belongs to the thread until the result is closed; closing ends the thread
 * (it stops at its next buffer) and waits for it. */
int readahead_open(struct stream *below, struct stream **out, struct err *e);

#endif
