/* peek.h - is a stream a tar archive? Looks at its first block without losing it. */
#ifndef KELLET_FEEDS_PEEK_H
#define KELLET_FEEDS_PEEK_H

#include "codec/stream.h"

/* *out shows all of `below` (borrowed), the first block included. *is_tar by the "ustar" magic. */
int stream_peek_tar(struct stream *below, struct stream **out, bool *is_tar, struct err *e);

#endif
