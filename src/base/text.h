/* text.h - text that came out of images and feeds, made fit for terminals.
 *
 * Control characters (C0, DEL, C1), invalid UTF-8, invisible characters and the marks that reorder
 * text (Unicode bidirectional controls) become visible escapes: \x1b for bytes, \u202e for
 * characters. What remains cannot move a cursor, change colours or forge a line. */
#ifndef KELLET_BASE_TEXT_H
#define KELLET_BASE_TEXT_H

#include "base/buf.h"

/* Appends s in that form. Newlines and tabs are escaped too ("\n", "\t"). */
void text_clean(str s, struct buf *out);
/* Columns that clean text takes on a terminal: one for each character. */
size_t text_width(str clean);
/* Bytes of the longest prefix of clean text that takes at most `columns`. */
size_t text_fit(str clean, size_t columns);
/* Decodes the character at s (s.n > 0): its length 1 to 4 and value, or 0 when it is invalid. */
size_t text_utf8(str s, uint32_t *out);
/* Is all of it UTF-8 without zero bytes: what a database takes as text? */
bool text_is_utf8(str s);

#endif
