/* common.h - what the drivers share: whole inputs, documents, dates. */
#ifndef KELLET_FEEDS_COMMON_H
#define KELLET_FEEDS_COMMON_H

#include "base/arena.h"
#include "base/map.h"
#include "codec/json.h"
#include "feeds/feeds.h"

enum { FEED_DOCUMENT_MAX = 256 << 20 };

/* Reads the rest of the input into *out, which the caller initialises (its maximum is the limit).
 */
int feed_read_all(const struct feed_input *in, struct buf *out, struct err *e);

/* The whole input as a document: YAML when its name ends in .yaml or .yml, or when it has neither
 * that nor .json and does not begin like JSON. YAML scalars are all strings (1.10 stays 1.10).
 * keep_duplicates: see yaml.h. */
int feed_read_document(const struct feed_input *in, bool keep_duplicates, yyjson_doc **out,
                       struct err *e);

/* Unix seconds of "2023-03-29T10:00:00.123Z", "2023-03-29T10:00:00+02:00", "2023-03-29 10:00:00",
 * "2023-03-29" or "29 Mar 2023"; UTC unless it says otherwise. 0 when it is none of these. */
int64_t feed_date(str text);

/* Like ERR_FORMAT with "PATH: what" and the element named. */
int feed_bad(const struct feed_input *in, str element, const char *what, struct err *e);

/* The path without a compression suffix (.gz, .zst, .xz, .bz2). */
str feed_plain_path(str path);
/* Is it the name (last component) of a file that is hidden or lies below a hidden directory? */
bool feed_path_hidden(str path);

/* true: the text looks like CVE-YYYY-N... */
bool feed_is_cve(str id);

/* Strings kept for the time of a load, each once. At most 1 GiB. */
struct feed_strings {
    struct arena arena;
    struct map known;
};
void feed_strings_init(struct feed_strings *s);
void feed_strings_done(struct feed_strings *s);
/* The kept copy: the same text gives the same slice. p is NULL when memory is out. */
str feed_intern(struct feed_strings *s, str text);

/* The input's name in messages: its path. */
static inline const char *feed_name(const struct feed_input *in)
{
    return in->path.p;
}

#endif
