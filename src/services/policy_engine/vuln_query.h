/* vuln_query.h - questions about vulnerabilities as such: what the data say about an id. */
#ifndef KELLET_SERVICES_POLICY_ENGINE_VULN_QUERY_H
#define KELLET_SERVICES_POLICY_ENGINE_VULN_QUERY_H

#include "codec/json.h"
#include "vulndb/vulndb.h"

struct vuln_query {
    str ids;                      /* separated by "," */
    str namespaces;               /* likewise; empty: any */
    str package, package_version; /* empty: any; as the data write them */
};

/* Appends to the array `out` the API's records: one for each id and namespace ("debian:12",
 * "github:python", "nvdv2:cves"). */
int vuln_query_run(const struct vulndb *db, const struct vuln_query *q, yyjson_mut_doc *doc,
                   yyjson_mut_val *out, struct err *e);

#endif
