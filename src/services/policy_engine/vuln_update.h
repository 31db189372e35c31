/* vuln_update.h - tells subscribers what became different about the findings of their tags' images.
 *
 * For each tag with an active subscription vuln_update the store has the findings that its owner
 * knows of (table vuln_scan, bucket "vulnerability_scan"); the first time they are only written
 * down. They are compared with the image's report when data changed anything about one of its
 * packages (changes.h, consumer "vuln_update"), and when the tag points at another image, which is
 * compared with the image before. What differs is one notification and one event, written in the
 * transaction that writes the findings: killed anywhere, nothing is told twice and nothing
 * forgotten. Tags without a subscription cost nothing, images that did not change a look-up. */
#ifndef KELLET_SERVICES_POLICY_ENGINE_VULN_UPDATE_H
#define KELLET_SERVICES_POLICY_ENGINE_VULN_UPDATE_H

#include "services/policy_engine/vuln_report.h"

/* One round of the watcher. *next_us (0 at first) is kept from round to round: when all tags are
 * gone through the next time, changes or not. */
int vuln_update_run(struct engine *en, struct vuln_reports *reports, int64_t *next_us,
                    struct err *e);

#endif
