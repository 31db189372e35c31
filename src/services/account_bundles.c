#include "services/account.h"

#include "base/auto.h"
#include "base/fs.h"
#include "codec/json.h"
#include "services/log.h"
#include "services/policy_record.h"

#include <dirent.h>

enum { BUNDLE_MAX = 16 << 20, BUNDLES_MAX = 256 };

static int add_bundle(struct engine *en, struct db_tx *tx, str account, str text, const char *name,
                      struct err *e)
{
    auto_json *doc = NULL;
    int rc = json_parse(text, name, &doc, e);
    if (rc < 0)
        return rc;
    yyjson_val *root = yyjson_doc_get_root(doc);
    struct policy_record p = {
        .account = account,
        .id = json_str(root, "id"),
        .source = STR("local"),
        .name = json_str(root, "name"),
        .description = json_str(root, "description"),
    };
    if (p.id.n == 0 || p.id.n > 512)
        return err_set(e, ERR_FORMAT, "%s: a policy bundle needs an id", name);
    return policy_put(en, tx, &p, text, e);
}

static int add_file(struct engine *en, struct db_tx *tx, str account, const char *path,
                    struct err *e)
{
    auto_buf text;
    buf_init(&text, BUNDLE_MAX);
    int rc = fs_read(path, &text, e);
    return rc < 0 ? rc : add_bundle(en, tx, account, buf_view(&text), path, e);
}

static int only_json(const struct dirent *d)
{
    return str_ends(str_z(d->d_name), STR(".json"));
}

/* A file that is no bundle is told of in the log: it must not keep accounts from being made. */
static int add_directory(struct engine *en, struct db_tx *tx, str account, const char *directory,
                         struct err *e)
{
    struct dirent **list = NULL;
    int n = scandir(directory, &list, only_json, alphasort), rc = 0;
    for (int i = 0; i < n; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", directory, list[i]->d_name);
        free(list[i]);
        struct err why = {0};
        int r = rc < 0 || i >= BUNDLES_MAX ? 0 : add_file(en, tx, account, path, &why);
        if (r == ERR_FORMAT || r == ERR_NOT_FOUND || r == ERR_LIMIT)
            log_warn("apiext", "policy bundle not taken: %s", why.text);
        else if (r < 0) {
            rc = r;
            if (e)
                *e = why;
        }
    }
    free(list);
    return rc;
}

int account_add_bundles(struct engine *en, struct db_tx *tx, str account, struct err *e)
{
    int rc = add_bundle(en, tx, account, str_z(policy_default_bundle), "the default bundle", e);
    const char *directory = en->config->policy_bundles_dir;
    if (rc == 0 && directory && *directory)
        rc = add_directory(en, tx, account, directory, e);
    if (rc == 0)
        rc = policy_activate(en, tx, account, STR(POLICY_DEFAULT_ID), (str){0}, e);
    return rc;
}
