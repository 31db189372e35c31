/* when.h - times in bundles and messages: microseconds since 1970, UTC. */
#ifndef KELLET_POLICY_WHEN_H
#define KELLET_POLICY_WHEN_H

#include "base/arena.h"

/* A time as allowlist items write it: what the original takes (2030-01-31T00:00:00Z, with ".5" or
 * ":5" before the Z) or RFC 3339 with any offset. A date alone is the beginning of that day. False
 * when it is none of these. */
bool when_parse(str text, int64_t *us);
/* "2020-01-31", "2020-01-31T00:00:00Z"; p NULL when memory is out. Years are kept within 1..9999.
 */
str when_date(struct arena *a, int64_t us);
str when_text(struct arena *a, int64_t us);

#endif
