/* settings.h - how images are judged at admission: services.kubernetes_webhook.admission.
 *
 * The names are those of the original's admission controller (its CONFIG_FILE_PATH), so that its
 * configuration can be taken as it is; case and "_" in names do not matter. docs/configuration.md
 * describes each. The first selector that fits an image decides whose policy is asked and how
 * strictly. A selector looks at the image's name (resourceType image), the object (resource) or its
 * namespace (namespace): of an object, a key fits by selectorKeyRegex and its value by
 * selectorValueRegex, in labels, then annotations; the key "name" is the name itself. Of a
 * namespace a review tells its name, and one label where it came by /namespace/KEY/VALUE
 * (admission.h). Expressions match anywhere, as Go's do. */
#ifndef KELLET_SERVICES_KUBERNETES_WEBHOOK_SETTINGS_H
#define KELLET_SERVICES_KUBERNETES_WEBHOOK_SETTINGS_H

#include "services/kubernetes_webhook/review.h"

enum admission_mode {
    ADMISSION_POLICY,     /* known, analysed, and its policy says go or warn */
    ADMISSION_ANALYSIS,   /* known and analysed */
    ADMISSION_BREAKGLASS, /* anything; unknown images are asked to be analysed */
};
enum admission_digests { DIGESTS_ANY, DIGESTS_REQUIRED };

struct admission_selector {
    enum { SELECT_IMAGE, SELECT_RESOURCE, SELECT_NAMESPACE } type;
    struct regex *key, *value;
    str key_text;
    str user, account, policy; /* user: whose account; empty account: the user's; policy: empty: the
                                  active one */
    enum admission_mode mode;
};

enum { ADMISSION_SELECTORS_MAX = 256 };
struct admission_settings {
    _Atomic unsigned uses; /* begins with 1 */
    struct arena arena;
    struct admission_selector *selectors;
    size_t n;
    bool request_analysis; /* of unknown images */
    bool default_allow;    /* what no selector fits, kinds that have no images */
    bool error_allow;      /* what could not be found out in time */
    unsigned deadline_ms;  /* 1000 to 9000 */
    unsigned cache_ms;     /* how long a verdict is good; 0: for one review */
    enum admission_digests digests;
    str config_file; /* JSON of the same form that wins over this one; p NULL: none */
};

/* Of the section (NULL: all by default: every image, account admin, its active policy).
 * ERR_USAGE names the key and says what is wrong with it. */
int admission_settings_new(yyjson_val *section, struct admission_settings **out, struct err *e);
struct admission_settings *admission_settings_hold(struct admission_settings *s);
void admission_settings_drop(struct admission_settings *s); /* NULL is fine */

/* The first that fits; NULL: none. ERR_LIMIT of an expression counts as no fit. */
const struct admission_selector *admission_select(const struct admission_settings *s,
                                                  const struct review *r, str image);

#endif
