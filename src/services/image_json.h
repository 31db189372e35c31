/* image_json.h - an image's record as the API writes it: members sorted, indented by two blanks.
 *
 * Written as text, not built as a document: lists of ten thousand images are the API's largest
 * answers. */
#ifndef KELLET_SERVICES_IMAGE_JSON_H
#define KELLET_SERVICES_IMAGE_JSON_H

#include "services/call.h"
#include "services/image.h"

/* Appends the object; its first character is not indented, further lines are by `depth` levels
 * more. Failures show in out (buf_ok). */
void image_json_put(struct buf *out, const struct image_record *r, unsigned depth);

/* Answers 200 with an array of this one record. */
int image_json_send(struct call *c, const struct image_record *r);

/* An array of records, written one by one. */
struct image_json_list {
    struct buf *out;
    size_t n;
};
void image_json_begin(struct image_json_list *l, struct call *c);
int image_json_add(void *ctx, const struct image_record *r, struct err *e); /* for image_each() */
int image_json_end(struct image_json_list *l, struct call *c);

#endif
