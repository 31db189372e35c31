/* config_store.h - the section object_store (older: archive), also in files of its own, as
 * anchore-manager is given them. */
#ifndef KELLET_SERVICES_CONFIG_STORE_H
#define KELLET_SERVICES_CONFIG_STORE_H

#include "base/arena.h"
#include "codec/json.h"
#include "net/aws_s3.h"

struct store_section {
    const char *driver;   /* "db", "fs", "s3" */
    const char *dir;      /* NULL: not given */
    struct s3_options s3; /* bucket NULL: none */
    const char *prefix;
    bool create_bucket;
};
/* Reads the section, all of whose values are text; strings in the arena. NULL, or what is wrong. */
const char *config_store_section(yyjson_val *section, struct arena *a, struct store_section *out);

#endif
