/* policy_document.h - a verdict as the API gives it. */
#ifndef KELLET_SERVICES_POLICY_ENGINE_POLICY_DOCUMENT_H
#define KELLET_SERVICES_POLICY_ENGINE_POLICY_DOCUMENT_H

#include "policy/evaluate.h"

/* "detail" of an entry: {"policy": the bundle, "result": the evaluation}; *result is within it. */
int policy_document_detail(const struct policy_verdict *v, const struct policy_bundle *b,
                           const struct policy_subject *s, yyjson_mut_doc *d,
                           yyjson_mut_val **detail, yyjson_mut_val **result, struct err *e);
/* The whole answer of /images/{digest}/check, appended as the API writes it. tag_source: a member
 * of its own that says where the tag comes from (policy_name.h). */
int policy_document_write(const struct policy_verdict *v, const struct policy_bundle *b,
                          const struct policy_subject *s, str tag_source, struct buf *out,
                          struct err *e);
/* Replaces or adds a member; takes the value. */
void policy_document_set(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, yyjson_mut_val *v);

#endif
