/* vex.h - VEX documents: what somebody says of vulnerabilities in products.
 *
 * Sources of the formats: OpenVEX specification 0.2.0; CSAF 2.0, profile 5 (VEX); CycloneDX 1.4 to
 * 1.6, "vulnerabilities". A document is recognised by its content. Statuses are OpenVEX's words:
 * "not_affected", "affected", "fixed", "under_investigation"; the other formats' are put into them.
 *
 * Products are package URLs. One that a document gives without version or qualifiers stands for
 * all; qualifiers that it does not give are not compared. "pkg:oci/..." is the image itself: a
 * version is compared with its digest, else the name with the last part of its repository; the
 * statement is then about the named subcomponents, or about all of its packages when none are.
 * Products that are named in another way (CPEs, names) are counted and match nothing: it is never
 * guessed that something is not affected. */
#ifndef KELLET_POLICY_VEX_H
#define KELLET_POLICY_VEX_H

#include "policy/facts.h"

enum { VEX_BYTES_MAX = 64 << 20, VEX_STATEMENTS_MAX = 500000 };

struct vex;
int vex_new(struct vex **out, struct err *e);
void vex_free(struct vex *v); /* NULL is fine */
/* Adds a document's statements; `name` is for messages. ERR_FORMAT: it is none of the formats, or
 * is broken; ERR_LIMIT. */
int vex_read(struct vex *v, str json, const char *name, struct err *e);
size_t vex_statements(const struct vex *v);
size_t vex_unusable(const struct vex *v); /* products that could not be read as package URLs */

/* Sets vex_status of the findings that statements are about; of several the one with the latest
 * time counts, of those of one time the last. tag: "registry/repo:tag". */
void vex_mark(const struct vex *v, const struct policy_image *image, str tag,
              struct policy_finding *findings, size_t n);

#endif
