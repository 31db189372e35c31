/* vuln_report.h - the vulnerability report of an image, computed once for each database.
 *
 * A report is named by account, digest, the image's analysis and the database's generation. Reports
 * are kept in memory (the least recently used go, beyond 128 MiB) and as documents of bucket
 * "vulnerability_report", so that the other processes, and this one after a restart, need not
 * compute them again. Answers are kept as text, so that asking again costs a look-up. */
#ifndef KELLET_SERVICES_POLICY_ENGINE_VULN_REPORT_H
#define KELLET_SERVICES_POLICY_ENGINE_VULN_REPORT_H

#include "codec/json.h"
#include "services/engine.h"

enum vuln_kind { VULN_OS, VULN_NON_OS, VULN_ALL, VULN_KINDS };
extern const char *const vuln_kind_names[VULN_KINDS]; /* "os", "non-os", "all" */
int vuln_kind_by_name(str name);                      /* -1: none */

#define VULN_REPORT_BUCKET "vulnerability_report"

struct vuln_reports;
/* max_bytes: of the reports that are kept in memory. */
int vuln_reports_new(size_t max_bytes, struct vuln_reports **out, struct err *e);
void vuln_reports_free(struct vuln_reports *rs); /* NULL is fine */

struct vuln_report;
/* ERR_NOT_FOUND with the API's text when the image is not there or not analysed. `force`: compute
 * it anew. */
int vuln_report_take(struct engine *en, struct vuln_reports *rs, str account, str digest,
                     bool force, struct vuln_report **out, struct err *e);
/* All rows of the report that was computed last since the image's analysis, by whichever data: 1; 0
 * when there is none. */
int vuln_report_last(struct engine *en, str account, str digest, yyjson_doc **out, struct err *e);
void vuln_report_drop(struct vuln_report *r); /* NULL is fine */
static inline void vuln_report_drop_(struct vuln_report **r)
{
    vuln_report_drop(*r);
}
#define auto_report struct vuln_report KE_CLEANUP(vuln_report_drop_)

/* All rows (see vuln_rows.h), those that will not be fixed included. */
yyjson_val *vuln_report_rows(const struct vuln_report *r);
/* The API's answer as text: {"imageDigest", "vulnerabilities", "vulnerability_type"}; a view as
 * long as the report is held. vendor_only: without what the vendor will not fix. */
int vuln_report_text(struct vuln_reports *rs, struct vuln_report *r, enum vuln_kind kind,
                     bool vendor_only, str *out, struct err *e);

#endif
