/* lines.h - a text file as lines from a stream, whatever its size: package databases have lines of
 * megabytes that nobody wants and may themselves be of any length.
 *
 * A line longer than the maximum is shown cut (`cut` is set) and its rest is skipped. The file as a
 * whole is read up to a limit (`limited` is set, and the lines end there). A last line without "\n"
 * sets `unterminated`. */
#ifndef KELLET_PACKAGES_LINES_H
#define KELLET_PACKAGES_LINES_H

#include "base/buf.h"
#include "codec/stream.h"

struct lines {
    struct stream *in;
    struct buf joined; /* a line that spans views */
    size_t line_max;
    uint64_t left;   /* bytes that may still be read */
    size_t pending;  /* bytes of the view that the last line took */
    uint64_t number; /* of the line shown last, from 1 */
    bool cut, limited, unterminated;
};

/* in is borrowed. */
void lines_init(struct lines *l, struct stream *in, size_t line_max, uint64_t file_max);
void lines_done(struct lines *l);

/* 1 and the next line, without "\n" or "\r\n", valid until the next call; 0 at the end; or the
 * stream's error. */
int lines_next(struct lines *l, str *line, struct err *e);

#endif
