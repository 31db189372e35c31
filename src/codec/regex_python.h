/* regex_python.h - Python's spelling of a regular expression as PCRE2 spells the same thing.
 *
 * Source: Python's library reference, "re" (3.8, which the original ran on), and pcre2pattern(3).
 * What differs: \Z (the very end), {,n}, "[:" inside a set (no POSIX classes there), \uXXXX, flags
 * in the middle (they count for the whole), the flags a, L and u. What only PCRE2 knows stays:
 * nothing that Python takes means something else by it. */
#ifndef KELLET_CODEC_REGEX_PYTHON_H
#define KELLET_CODEC_REGEX_PYTHON_H

#include "base/buf.h"

/* Appends. *ascii: the flag a was there: \d, \w and \s mean ASCII. The buffer's maximum is the
 * limit. */
void regex_from_python(str pattern, struct buf *out, bool *ascii);

#endif
