/* schema.h - checks JSON against the schemas of a Swagger 2.0 document (JSON Schema draft 4 as
 * Swagger restricts it, with x-nullable).
 *
 * Known: $ref (#/definitions/...), type, enum, properties, required, additionalProperties, items,
 * minItems, maxItems, uniqueItems, minLength, maxLength, pattern, x-pattern-too (a text that
 * matches it need not match pattern), minimum, maximum (exclusive too), multipleOf, allOf, anyOf,
 * oneOf, not, format (date-time, int32, int64). Messages are worded as users of the original's API
 * know them
 * ("'version' is a required property", "5 is not of type 'string' - 'tag'"); the first in document
 * order is given. */
#ifndef KELLET_CODEC_SCHEMA_H
#define KELLET_CODEC_SCHEMA_H

#include "codec/json.h"

struct schema_set; /* the definitions of one document, patterns compiled */

/* `doc` is borrowed and must live as long as the set. */
int schema_set_new(yyjson_val *doc, struct schema_set **out, struct err *e);
void schema_set_free(struct schema_set *s);

/* 1: valid; 0: not: `why` holds the message with the path (" - 'a.0.b'") when it is not the root.
 * Negative: the schema itself is broken. */
int schema_check(const struct schema_set *s, yyjson_val *schema, yyjson_val *value,
                 struct err *why);

/* Python's repr of a JSON value, as messages quote it: 'x', 5, None, True, {'a': 1}. Cut at 4 KiB.
 */
void schema_repr(yyjson_val *v, struct buf *out);

#endif
