/* policy_load.h - what an evaluation in the engine needs, from the store and the data, kept in
 * memory for the next one.
 *
 * An image's facts are kept by its analysis, its findings by analysis and generation of the data,
 * bundles and VEX documents by their last change. */
#ifndef KELLET_SERVICES_POLICY_ENGINE_POLICY_LOAD_H
#define KELLET_SERVICES_POLICY_ENGINE_POLICY_LOAD_H

#include "policy/evaluate.h"
#include "services/image.h"
#include "services/policy_engine/keeper.h"
#include "services/policy_engine/policy_facts.h"
#include "services/policy_engine/vex_store.h"
#include "services/policy_engine/vuln_report.h"
#include "services/policy_engine/vulndata.h"

struct policy_loads;
/* max_bytes: of all that is kept of images, findings, bundles and VEX together. */
int policy_loads_new(size_t max_bytes, struct policy_loads **out, struct err *e);
void policy_loads_free(struct policy_loads *l); /* NULL is fine */

/* A compiled bundle that is stored; `updated` names its state. Ended by kept_drop(&b->kept). */
struct kept_bundle {
    struct kept kept;
    struct policy_bundle *bundle;
};
int policy_load_bundle(struct engine *en, struct policy_loads *l, str account, str id,
                       int64_t updated, struct kept_bundle **out, struct err *e);

/* Everything that `needs` (enum policy_part) names, for one evaluation. */
struct policy_load {
    struct arena arena;
    struct policy_subject subject;
    struct vulndata_view *data;
    /* what is held */
    struct kept *image, *findings, *before;
    struct policy_findings marked; /* findings with what VEX documents say of them */
    struct policy_feeds feeds;
    struct policy_lineage lineage;
    struct policy_upstream npm, gem;
    struct upstream_source npm_source, gem_source;
};
/* `image` must be analysed; tag "" none. *out must be ended by policy_load_done() in any case. */
int policy_load_subject(struct engine *en, struct policy_loads *l, struct vuln_reports *reports,
                        const struct image_record *image, str tag, unsigned needs, int64_t now_us,
                        struct policy_load *out, struct err *e);
void policy_load_done(struct policy_load *p);

#endif
