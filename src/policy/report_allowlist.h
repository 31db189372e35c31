/* report_allowlist.h - what a bundle that asks for it ("report_allowlist": true) is told of the
 * allowlist items of its mapping: expired, soon to expire, of no use for this image. */
#ifndef KELLET_POLICY_REPORT_ALLOWLIST_H
#define KELLET_POLICY_REPORT_ALLOWLIST_H

#include "policy/bundle_internal.h"

/* Adds problems ("warn") to the verdict, and the moments at which they change to its validity.
 * `used` by the items' index. False: memory. */
bool report_allowlist(const struct policy_bundle *b, const struct compiled_mapping *m,
                      const bool *used, int64_t now_us, struct policy_verdict *v);

#endif
