/* vex_store.h - VEX documents of an account (policy/vex.h), kept in the store (bucket "vex", the
 * key is the document's name) and put to its images' findings when they are judged. */
#ifndef KELLET_SERVICES_POLICY_ENGINE_VEX_STORE_H
#define KELLET_SERVICES_POLICY_ENGINE_VEX_STORE_H

#include "policy/vex.h"
#include "services/engine.h"
#include "services/policy_engine/keeper.h"

#define VEX_BUCKET "vex"
enum { VEX_DOCUMENTS_MAX = 1000, VEX_NAME_MAX = 128 };
/* Selects the state of the account $1's documents: another number whenever one came, changed or
 * went; 0: it has none. */
#define VEX_STATE                                                                                  \
    "(SELECT COALESCE(MAX(last_updated), 0) * 1024 + COUNT(*) FROM document WHERE account = $1"    \
    " AND bucket = '" VEX_BUCKET "')"

/* All documents of an account, read. Ended by kept_drop(&v->kept). */
struct kept_vex {
    struct kept kept;
    struct vex *vex;
};
/* *out NULL: the account has none. `keeper` holds what was read before. A document that cannot be
 * read is an error: what was said of a vulnerability must not be left out in silence. */
int vex_store_get(struct engine *en, struct keeper *keeper, str account, struct kept_vex **out,
                  struct err *e);

#endif
