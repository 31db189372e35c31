/* vuln_diff.h - the findings of an image as they are kept to be compared, and what differs between
 * two such lists, as vuln_update tells it.
 *
 * A finding is the same when vulnerability, feed group, package name and version are; it is updated
 * when anything else that is told differs, and told once for all places of its package. Entries
 * have the members CVE_ID, Severity, Vulnerable_Package, Fix_Available, URL, Package_Name,
 * Package_Version, Package_Type, Feed and Feed_Group; where they are kept also "path". */
#ifndef KELLET_SERVICES_POLICY_ENGINE_VULN_DIFF_H
#define KELLET_SERVICES_POLICY_ENGINE_VULN_DIFF_H

#include "codec/json.h"

enum { VULN_DIFF_TOLD = 5000 }; /* entries at most in each list; a member "omitted" has the rest */

/* Appends the JSON array to be kept of a report's rows (vuln_rows.h): those that reports show. */
int vuln_diff_keep(yyjson_val *rows, struct buf *out, struct err *e);

struct vuln_diff {
    size_t added, removed, updated;
};
/* Appends {"added": [...], "removed": [...], "updated": [...]}; both are what vuln_diff_keep() made
 * (NULL: none). vuln_diff_was(): updated entries have a member "was" too, an object of the members
 * that were others before. */
int vuln_diff(yyjson_val *before, yyjson_val *now, struct buf *out, struct vuln_diff *counts,
              struct err *e);
int vuln_diff_was(yyjson_val *before, yyjson_val *now, struct buf *out, struct vuln_diff *counts,
                  struct err *e);

#endif
