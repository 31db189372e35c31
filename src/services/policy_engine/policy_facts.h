/* policy_facts.h - fills what policies judge (policy/facts.h) from what is kept of an image, or
 * from a scan in memory.
 *
 * An image's facts come from its documents (services/analyzer/analysis.h) and its inventory, its
 * findings from the rows of its vulnerability report (vuln_rows.h). Both own all their text and are
 * immutable once made. */
#ifndef KELLET_SERVICES_POLICY_ENGINE_POLICY_FACTS_H
#define KELLET_SERVICES_POLICY_ENGINE_POLICY_FACTS_H

#include "codec/json.h"
#include "packages/inventory.h"
#include "policy/facts.h"
#include "vulndb/vulndb.h"

/* Parts of struct policy_image that cost memory by themselves: made only when asked for. The
 * others are always there. */
enum { POLICY_LARGE_PARTS = PART_FILES | PART_MANIFESTS };

/* The documents of an image, by their type ("files", "secret_search", "config" ...). */
struct policy_documents {
    int (*read)(void *ctx, const char *type, struct buf *out, struct err *e); /* 1; 0: none */
    void *ctx;
};

struct policy_origin { /* what the image's record says; p NULL where it says nothing */
    str id, digest, architecture, distro, distro_version;
    str dockerfile; /* base64 */
    str dockerfile_mode;
    int64_t size, layers; /* -1: not known */
};

struct policy_image_facts {
    struct arena arena;
    struct policy_image image;
    const uint32_t *package_layers; /* of each package; UINT32_MAX: not known */
};
/* `parts`: which of POLICY_LARGE_PARTS are wanted. A document that is not there leaves its part
 * out. */
int policy_image_facts_new(const struct policy_origin *o, const struct inventory *inv,
                           struct policy_documents docs, unsigned parts,
                           struct policy_image_facts **out, struct err *e);
void policy_image_facts_free(struct policy_image_facts *f); /* NULL is fine */

struct finding_facts {
    struct arena arena;
    struct policy_findings findings;
};
/* rows: of vuln_rows(). `db` (MAY be NULL) says what is covered. */
int finding_facts_new(yyjson_val *rows, const struct policy_image_facts *image,
                      const struct inventory *inv, const struct vulndb *db,
                      struct finding_facts **out, struct err *e);
void finding_facts_free(struct finding_facts *f); /* NULL is fine */

/* Is there anything in the data about the image's distribution, or one that stands in for it? The
 * name of that platform is appended ("debian:12"). */
bool policy_covers_distro(const struct vulndb *db, const struct release_info *r, struct buf *out);

/* What the old feed service's feed "packages" says of a language: source "packages:npm" of the
 * database. `lookup` writes into `arena`; one of these belongs to one evaluation. */
struct upstream_source {
    const struct vulndb *db;
    const char *source;
    struct arena *arena;
};
/* Fills *out and returns true when the database has that source. */
bool upstream_source_open(struct upstream_source *u, struct policy_upstream *out);

#endif
