/* image_query.h - questions about an account's images: which have a package, which a vulnerability.
 */
#ifndef KELLET_SERVICES_POLICY_ENGINE_IMAGE_QUERY_H
#define KELLET_SERVICES_POLICY_ENGINE_IMAGE_QUERY_H

#include "codec/json.h"
#include "services/policy_engine/vuln_report.h"

/* Each appends {"imageDigest", "packages": [{"name", "type", "version"}]} or {"imageDigest",
 * "vulnerable_packages": [{"name", "namespace", "severity", "type", "version"}]} to the array
 * `out`, by digest. Only analysed images that are not being deleted. */

struct package_query {
    str account, name;
    str version, type; /* exact, type as the API shows it; empty: any */
};
int image_query_by_package(struct engine *en, const struct package_query *q, yyjson_mut_doc *doc,
                           yyjson_mut_val *out, struct err *e);

struct vulnerability_query {
    str account, id;
    str namespace, package, severity; /* exact; empty: any */
    bool vendor_only;
};
int image_query_by_vulnerability(struct engine *en, struct vuln_reports *rs,
                                 const struct vulnerability_query *q, yyjson_mut_doc *doc,
                                 yyjson_mut_val *out, struct err *e);

#endif
