/* policy_scan.h - an image that was just scanned as what a policy judges: the same evaluation as
 * the engine's, without one. */
#ifndef KELLET_SERVICES_POLICY_ENGINE_POLICY_SCAN_H
#define KELLET_SERVICES_POLICY_ENGINE_POLICY_SCAN_H

#include "packages/inventory.h"
#include "policy/vex.h"
#include "services/analyzer/settings.h"
#include "services/policy_engine/policy_facts.h"
#include "services/policy_engine/policy_name.h"
#include "vulndb/vulndb.h"

/* The analyser's settings without a configuration; `file`: analyzer_config.yaml, NULL: built in.
 * hints: packages that the image's own HINTS_FILE names count. scan_options.facts of the scan must
 * be theirs. */
int policy_scan_settings(const char *file, bool hints, struct analyzer_settings **out,
                         struct err *e);

struct policy_scan_options {
    struct inventory *inv; /* borrowed; hinted packages are added */
    const struct analyzer_settings *settings;
    const struct vulndb *db; /* NULL: there are no data */
    str tag;                 /* empty: what the source says (policy_name.h) */
    str dockerfile;          /* text; p NULL: guessed from the history */
    bool imported;           /* inv comes from an SBOM (import_sbom.h): nothing is known of files */
    const struct vex *vex;   /* what is said of the findings; NULL: nothing */
    int64_t now_us;          /* findings are first seen now, or as `kept` says */
    /* MAY. What policy_scan_keep() gave of an earlier scan: nothing is analysed again, settings and
     * dockerfile are not looked at. */
    struct policy_documents kept;
};
struct policy_scan;
int policy_scan_new(const struct policy_scan_options *o, struct policy_scan **out, struct err *e);
void policy_scan_free(struct policy_scan *s); /* NULL is fine */
/* Gives each document (of a kept one: that has changed) that a later evaluation of the image needs;
 * a negative value of fn ends it.
 */
int policy_scan_keep(const struct policy_scan *s,
                     int (*fn)(void *ctx, const char *type, str text, struct err *e), void *ctx,
                     struct err *e);
const struct policy_subject *policy_scan_subject(const struct policy_scan *s);
/* What it is judged as: subject.tag, and where that comes from. */
const struct policy_name *policy_scan_name(const struct policy_scan *s);

#endif
