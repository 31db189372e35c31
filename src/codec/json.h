/* json.h - JSON documents through yyjson, and a pull reader for documents too large to hold.
 *
 * Views (str) point into the document and live as long as it does. Nesting is limited to 512 levels
 * before yyjson sees the text, since its values are walked recursively by callers. */
#ifndef KELLET_CODEC_JSON_H
#define KELLET_CODEC_JSON_H

#include "codec/stream.h"

#include <yyjson.h>

static inline void json_free_(yyjson_doc **doc)
{
    yyjson_doc_free(*doc);
}
#define auto_json yyjson_doc KE_CLEANUP(json_free_)

/* Parses a whole document. `name` is for messages, which give line and column. */
int json_parse(str text, const char *name, yyjson_doc **out, struct err *e);

/* A member of an object as a string; the empty slice when obj is not an object, the member is
 * absent or is not a string. json_has tells apart. */
str json_str(yyjson_val *obj, const char *key);
/* The string itself; empty when v is not a string. */
str json_text(yyjson_val *v);
yyjson_val *json_get(yyjson_val *obj, const char *key);
/* Follows a path of members: json_at(v, "a", "b", NULL). */
yyjson_val *json_at(yyjson_val *v, ...) __attribute__((sentinel));

/* ---- writing: deterministic, members in the order they are added -------------------------------
 */

/* Appends s as a JSON string with quotes; invalid UTF-8 becomes U+FFFD, control characters are
 * escaped. */
void json_put_string(struct buf *b, str s);

/* ---- large documents ---------------------------------------------------------------------------
 */

/* Pulls the elements of one array, or the members of one object, out of a JSON text of any size,
 * each as its own small document. Memory: the largest element. */
struct json_pull;
struct json_pull_limits {
    size_t max_element; /* default 256 MiB */
};
/* `path` names the container by the keys that lead to it ("vulnerabilities" for the NVD and KEV,
 * NULL or "" for the outermost value; levels are separated by "/"). `below` is borrowed. */
int json_pull_open(struct stream *below, const char *path, const char *name,
                   const struct json_pull_limits *limits, struct json_pull **out, struct err *e);
/* The whole text is checked for its end: one cut short after the container is ERR_FORMAT too.
 * 1: *key (empty for arrays) and *text (the element's JSON) are valid until the next call; 0: the
 * end. */
int json_pull_next(struct json_pull *j, str *key, str *text, struct err *e);
/* A string or number that stood beside the container, in the objects around it, and was passed so
 * far (before the container; after the end also what follows it); empty when there was none. */
str json_pull_seen(const struct json_pull *j, const char *key);
void json_pull_close(struct json_pull *j);

#endif
