/* yaml.h - YAML 1.1 text (libyaml's events) as a JSON document, so that drivers read both alike.
 *
 * Plain scalars that look like null, booleans or numbers become strings all the same when
 * `all_strings` is set (versions such as 1.10 must not become 1.1); otherwise core-schema types
 * apply. Limits: depth 128, nodes 4 million, and aliases may expand to at most 1 million nodes (no
 * billion laughs). A second document in the same text is an error.
 *
 * Merge keys ("<<") are applied: members of the mapping itself win over merged ones, and earlier
 * merged mappings over later ones. A key that occurs twice in one mapping is an error unless
 * keep_duplicates. Tags other than !!str are ignored. */
#ifndef KELLET_CODEC_YAML_H
#define KELLET_CODEC_YAML_H

#include "codec/json.h"

struct yaml_options {
    bool all_strings;     /* every scalar but an empty plain one and ~/null is a string */
    bool keep_duplicates; /* a repeated key gives a repeated member, in order */
    size_t max_nodes;     /* 0: 4 million */
};

/* `name` is for messages, which give line and column. The result is freed with yyjson_doc_free. */
int yaml_parse(str text, const char *name, const struct yaml_options *o, yyjson_doc **out,
               struct err *e);

#endif
