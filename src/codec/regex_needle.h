/* regex_needle.h - a text that is in everything an expression matches: looking for it first makes
 * searches in much text cheap.
 *
 * Source: Python's library reference, "re". Only what stands outside of groups, sets and
 * alternatives is looked at; where the syntax is not plain enough, nothing is known. */
#ifndef KELLET_CODEC_REGEX_NEEDLE_H
#define KELLET_CODEC_REGEX_NEEDLE_H

#include "base/buf.h"

enum { NEEDLE_MIN = 3 };

/* Replaces what `out` holds by the longest text of at least NEEDLE_MIN bytes that is in each match
 * of the Python expression, upper and lower case aside. False: none is known. */
bool regex_needle(str pattern, struct buf *out);

#endif
