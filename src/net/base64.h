/* base64.h - RFC 4648 base64, the standard alphabet with padding. */
#ifndef KELLET_NET_BASE64_H
#define KELLET_NET_BASE64_H

#include "base/buf.h"

/* Appends the encoded text to out. */
void base64_encode(str in, struct buf *out);
/* Appends the decoded bytes to out. Padding may be missing, white space at the ends is skipped;
 * anything else outside of the alphabet is ERR_FORMAT. */
int base64_decode(str in, struct buf *out, struct err *e);

#endif
