/* vuln_rows.h - the findings of an image in the API's words: the rows of /images/{digest}/vuln.
 *
 * A row names its data as the old engine's feeds did: feed "vulnerabilities" with feed_group
 * "debian:12" or "github:python" ("osv:PyPI" for other databases of ecosystems), feed "nvdv2" with
 * feed_group "nvdv2:cves" for what only the NVD's CPEs say. CPEs are looked up only where the
 * database has them (feeds/anchore.h), and not for a CVE that an advisory about the same package
 * names. Missing texts are the string "None".
 *
 * A package has a row for each place where it stands (services/package_places.h), as in the
 * original; beyond 200,000 rows for second and later places, rows of first places say in the member
 * "places_left_out" how many others they stand for, too.
 *
 * Some members are for questions and policies only, and not shown (vuln_row_hidden): "aliases"
 * (other ids of the vulnerability), "shadowed" (true: a row of the NVD's that stands back behind an
 * advisory), "repeated" (true: the row before once more, at another place), "package_group" (of
 * a Maven artefact), "kev" (true: known to be exploited), "epss" and "epss_percentile" (0 to 1),
 * and what a stored report adds: "detected_at" and "fix_observed_at" (microseconds, vuln_seen.h).
 */
#ifndef KELLET_SERVICES_POLICY_ENGINE_VULN_ROWS_H
#define KELLET_SERVICES_POLICY_ENGINE_VULN_ROWS_H

#include "codec/json.h"
#include "packages/inventory.h"
#include "vulndb/vulndb.h"

/* Of a package's type ("deb", "apk", ...): as packages are called in the API ("dpkg", "APKG"). */
const char *package_type_shown(const struct package_type *t);
/* Do packages of this (shown) type belong to the "os" part of reports? */
bool package_type_is_os(str shown);

enum { VULN_ROWS_REPEATED_MAX = 200000 };

/* Names of the members that are not shown, ended by NULL. */
extern const char *const vuln_row_hidden[];

/* What the image's stored content says about its packages: documents of image_content_data, by
 * name. Only language packages are asked for. */
struct content_reader {
    /* The document of a type ("python"): 1 and its JSON appended, 0 none. */
    int (*read)(void *ctx, const char *type, struct buf *out, struct err *e);
    void *ctx;
};

/* An array of rows in `doc`. db may be NULL: no rows. */
int vuln_rows(const struct vulndb *db, const struct inventory *inv, struct content_reader content,
              yyjson_mut_doc *doc, yyjson_mut_val **out, struct err *e);

/* ---- what the NVD's scores are (nvd_scores.c) -------------------------------------------------
 */
struct cvss_parts { /* -1.0: not known */
    double base, exploitability, impact;
};
/* Of a vector "AV:N/..." (v2) or "CVSS:3.x/..." by first.org's formulas. */
struct cvss_parts cvss_parts_v2(str vector);
struct cvss_parts cvss_parts_v3(str vector);
struct nvd_scores {
    struct cvss_parts v2, v3;
    bool any;
};
/* Of the NVD's own entry for a CVE. */
int nvd_scores_of(const struct vulndb *db, str cve, struct arena *scratch, struct nvd_scores *out,
                  struct err *e);

#endif
