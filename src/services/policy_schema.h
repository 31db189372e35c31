/* policy_schema.h - what the API's description (share/api/swagger.yaml) says of policy bundles. */
#ifndef KELLET_SERVICES_POLICY_SCHEMA_H
#define KELLET_SERVICES_POLICY_SCHEMA_H

#include "policy/bundle.h"

/* policy_lint(), and for what the description alone refuses an error "SchemaError", the first in
 * the bundle, with its place: "'name' is a required property - 'whitelisted_images.0'". */
int policy_schema_lint(yyjson_val *bundle, int64_t now_us, struct arena *a,
                       struct policy_problems *out, struct err *e);

#endif
