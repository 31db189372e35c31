/* vuln_update.h - tells subscribers what became different about the findings of their tags' images.
 *
 * For each tag with an active subscription vuln_update the store has the findings that its owner
 * knows of (table vuln_scan, bucket "vulnerability_scan"). They are written down before the
 * subscription becomes active (subscribe.h), or when its first image is analysed: then what its
 * report said first, or says now when nobody has asked for one. They are compared with the image's
 * report when data changed anything about one of its packages (changes.h, consumer "vuln_update")
 * or the index saw it for the first time, and when the tag points at another image, which is
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
/* What is known now of the image becomes what the owner of a tag (subscribed.h: scan_key) knows of.
 * `anew`: whatever that was before; else only where nothing was. An image that has no report is
 * left to the watcher. What is written stays for ten minutes without an active subscription. */
int vuln_update_begin(struct engine *en, struct vuln_reports *reports, str account, str scan_key,
                      str digest, bool anew, struct err *e);

#endif
