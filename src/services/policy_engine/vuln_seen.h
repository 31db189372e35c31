/* vuln_seen.h - since when an image is known to have a finding, and since when there is a fix.
 *
 * A report carries both in its rows ("detected_at", "fix_observed_at", microseconds); each new
 * report of an image takes them over from the one before. A fix whose versions changed is a new
 * one. */
#ifndef KELLET_SERVICES_POLICY_ENGINE_VULN_SEEN_H
#define KELLET_SERVICES_POLICY_ENGINE_VULN_SEEN_H

#include "codec/json.h"

/* old_rows: JSON text of the rows of the report before; empty or damaged: there was none. */
int vuln_seen_note(str old_rows, int64_t now_us, yyjson_mut_doc *doc, yyjson_mut_val *rows,
                   struct err *e);

#endif
