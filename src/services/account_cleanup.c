#include "services/account_cleanup.h"

#include "services/account.h"
#include "services/auth.h"
#include "services/image.h"
#include "services/log.h"

enum { BATCH = 50 };

/* All tables with rows of an account but those of images and documents, which go by their own
 * functions. */
static const char *const tables[] = {
    "subscriptions", "registries",           "policy_eval",  "policy_bundle",     "image_import",
    "archive_image", "archive_rule_history", "archive_rule", "image_transition",  "outbox",
    "vuln_scan",     "queue_item",           "queue_dead",   "catalog_image_tag", "catalog_image",
    "events",        "policy_told",
};

struct cleanup {
    struct engine *engine;
    str account;
};

static int doomed_run(struct db_tx *tx, void *ctx, struct err *e)
{
    char *name = ctx; /* 512 bytes */
    auto_rows *r = NULL;
    int rc = db_query(
        tx, "SELECT name FROM accounts WHERE state = 'deleting' ORDER BY name LIMIT 1", DB0, &r, e);
    if (rc == 0)
        rc = db_next(r, e);
    if (rc == 1)
        snprintf(name, 512, "%.*s", STR_ARG(db_text(r, 0)));
    return rc;
}

/* Removes up to BATCH images: how many there were. */
static int images_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct cleanup *c = ctx;
    struct arena a;
    arena_init(&a, 1 << 20);
    str digests[BATCH];
    int n = 0, rc;
    {
        auto_rows *r = NULL;
        rc = db_query(tx, "SELECT image_digest FROM catalog_image WHERE account = $1 LIMIT $2",
                      DB(DBS(c->account), DBI(BATCH)), &r, e);
        while (rc >= 0 && n < BATCH && (rc = db_next(r, e)) == 1)
            digests[n++] = arena_dup(&a, db_text(r, 0));
    }
    for (int i = 0; rc >= 0 && i < n; i++)
        rc = image_remove(tx, c->engine->documents, c->account, digests[i], e);
    arena_done(&a);
    return rc < 0 ? rc : n;
}

/* Removes the documents of one bucket: 1 when there was one. */
static int bucket_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct cleanup *c = ctx;
    char bucket[512];
    {
        auto_rows *r = NULL;
        int rc = db_query(tx, "SELECT bucket FROM document WHERE account = $1 LIMIT 1",
                          DB(DBS(c->account)), &r, e);
        if (rc == 0)
            rc = db_next(r, e);
        if (rc != 1)
            return rc;
        snprintf(bucket, sizeof bucket, "%.*s", STR_ARG(db_text(r, 0)));
    }
    int64_t n =
        document_delete_prefix(c->engine->documents, tx, c->account, str_z(bucket), STR(""), e);
    return n < 0 ? (int)n : n > 0;
}

static int delete_rows(struct db_tx *tx, const char *sql, str account, struct err *e)
{
    int64_t n = db_exec(tx, sql, DB(DBS(account)), e);
    return n < 0 ? (int)n : 0;
}

static int rest_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct cleanup *c = ctx;
    char sql[128];
    int rc = 0;
    int64_t n = db_exec(tx,
                        "DELETE FROM outbox_delivery WHERE outbox IN (SELECT id FROM outbox"
                        " WHERE account = $1)",
                        DB(DBS(c->account)), e);
    if (n < 0)
        return (int)n;
    for (size_t i = 0; rc == 0 && i < KE_ARRAY_LEN(tables); i++) {
        snprintf(sql, sizeof sql, "DELETE FROM %s WHERE account = $1", tables[i]);
        rc = delete_rows(tx, sql, c->account, e);
    }
    if (rc == 0)
        rc = delete_rows(tx,
                         "DELETE FROM user_access_credentials WHERE username IN"
                         " (SELECT username FROM account_users WHERE account_name = $1)",
                         c->account, e);
    if (rc == 0)
        rc = delete_rows(tx, "DELETE FROM account_users WHERE account_name = $1", c->account, e);
    if (rc == 0)
        rc = delete_rows(tx, "DELETE FROM accounts WHERE name = $1 AND state = 'deleting'",
                         c->account, e);
    return rc < 0 ? rc : db_notify(tx, IDENTITY_CHANNEL, STR(""), e);
}

static int clean(struct engine *en, str account, struct err *e)
{
    struct cleanup c = {en, account};
    int rc = 1;
    while (rc > 0 && !engine_stopping(en))
        rc = db_run(en->db, DB_WRITE, images_run, &c, e);
    while (rc == 0 && !engine_stopping(en) &&
           (rc = db_run(en->db, DB_WRITE, bucket_run, &c, e)) > 0)
        rc = 0;
    if (rc < 0 || engine_stopping(en))
        return rc;
    rc = db_run(en->db, DB_WRITE, rest_run, &c, e);
    auth_forget(en);
    return rc;
}

int account_cleanup_run(struct engine *en, struct err *e)
{
    char name[512];
    int rc;
    while (!engine_stopping(en) && (rc = db_run(en->db, DB_READ, doomed_run, name, e)) != 0) {
        if (rc == 1)
            rc = clean(en, str_z(name), e);
        if (rc < 0)
            return err_wrap(e, "while removing account %s", name);
        log_info("catalog", "account %s is removed", name);
    }
    return 0;
}
