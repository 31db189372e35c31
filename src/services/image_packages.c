#include "services/image_packages.h"

#include "base/auto.h"
#include "store/package_index.h"

#include <stdlib.h>

static str index_type(const struct package *p)
{
    static const char *const types[][2] = {
        {"deb", "dpkg"},
        {"apk", "APKG"},
        {"java-archive", "java"},
        {"go-module", "go"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(types); i++)
        if (str_eq(str_z(p->type->name), str_z(types[i][0])))
            return str_z(types[i][1]);
    return str_z(p->type->name);
}

int image_packages_put(struct db_tx *tx, str account, str digest, const struct inventory *inv,
                       struct err *e)
{
    autofree struct indexed_package *list = calloc(inv->n_packages + 1, sizeof *list);
    char distro[300];
    if (!list)
        return err_no_memory(e);
    snprintf(distro, sizeof distro, "%.*s:%.*s", STR_ARG(inv->release.id),
             STR_ARG(inv->release.version_id));
    for (size_t i = 0; i < inv->n_packages; i++) {
        const struct package *p = &inv->packages[i].p;
        list[i] = (struct indexed_package){
            .name = p->name,
            .version = p->version,
            .type = index_type(p),
            .source = p->source_name,
            .arch = p->arch,
            .ecosystem = str_z(p->type->ecosystem ? p->type->ecosystem : ""),
            .distro = str_z(p->type->ecosystem || !inv->release.id.n ? "" : distro),
        };
    }
    return package_index_put(tx, account, digest, list, inv->n_packages, e);
}
