/* writer.h - indented JSON, member by member, in the order they are added. Errors stick in the
 * buffer; the caller looks once at the end. */
#ifndef KELLET_REPORT_WRITER_H
#define KELLET_REPORT_WRITER_H

#include "base/buf.h"

struct writer {
    struct buf *out;
    int depth;
    bool first; /* nothing has been added to the open object or array yet */
};

void writer_init(struct writer *w, struct buf *out);
/* key NULL: an element of an array, or the outermost value. bracket: '{' or '['. */
void writer_open(struct writer *w, const char *key, char bracket);
void writer_close(struct writer *w, char bracket); /* '}' or ']' */
void writer_str(struct writer *w, const char *key, str s);
/* Leaves the member out when s is empty. */
void writer_str_some(struct writer *w, const char *key, str s);
void writer_int(struct writer *w, const char *key, int64_t v);
void writer_bool(struct writer *w, const char *key, bool v);
void writer_null(struct writer *w, const char *key);
/* A number already in JSON form. */
void writer_number(struct writer *w, const char *key, const char *text);
void writer_strs(struct writer *w, const char *key, const str *items, size_t n);
/* Unix seconds as "2026-11-23T22:00:00Z"; null when t is 0. */
void writer_time(struct writer *w, const char *key, int64_t t);

/* "2026-11-23T22:00:00Z" with NUL. */
enum { TIME_TEXT = 32 };
const char *time_format(int64_t t, char text[TIME_TEXT]);

#endif
