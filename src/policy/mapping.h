/* mapping.h - which images a mapping or an entry of the lists of images is about.
 *
 * Registry and repository are patterns; the image is named by tag (a pattern), by digest or by id
 * (equal texts). */
#ifndef KELLET_POLICY_MAPPING_H
#define KELLET_POLICY_MAPPING_H

#include "policy/pattern.h"
#include "policy/validate.h"

struct tag_parts {
    str registry, repository, tag; /* tag empty: a reference by digest */
};
/* "registry/repo:tag" by the original's rules: without a host docker.io, without a tag latest,
 * "dockerhub/" is docker.io, nothing else is put in. The empty text stands for any image:
 * docker.io, star/star (sic), star. Views into `text`. */
struct tag_parts tag_parse(str text);

enum image_by { BY_TAG, BY_DIGEST, BY_ID };
struct selector {
    yyjson_val *json;
    struct pattern registry, repository, tag;
    enum image_by by;
    str value;  /* of a digest or id */
    bool known; /* its type is one of the three */
};
int selector_compile(yyjson_val *json, struct arena *a, struct selector *out, struct err *e);
void selector_done(struct selector *s);
/* 1, 0; ERR_USAGE, ERR_LIMIT: a pattern of it can't be compared. */
int selector_match(const struct selector *s, const struct tag_parts *tag,
                   const struct policy_image *image, struct err *e);

#endif
