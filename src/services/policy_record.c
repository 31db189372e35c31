#include "services/policy_record.h"

#include "services/event.h"

#define COLUMNS                                                                                    \
    "account, policy_id, policy_source, name, description, active, created_at, last_updated"

static int copy(struct arena *a, const struct db_rows *r, int col, str *out)
{
    if (db_is_null(r, col)) {
        *out = (str){0};
        return 0;
    }
    *out = arena_dup(a, db_text(r, col));
    return out->p ? 0 : ERR_NO_MEMORY;
}

static int record_read(const struct db_rows *r, struct arena *a, struct policy_record *out,
                       struct err *e)
{
    if (copy(a, r, 0, &out->account) || copy(a, r, 1, &out->id) || copy(a, r, 2, &out->source) ||
        copy(a, r, 3, &out->name) || copy(a, r, 4, &out->description))
        return err_no_memory(e);
    out->active = db_int(r, 5) != 0;
    out->created = db_int(r, 6);
    out->updated = db_int(r, 7);
    return 1;
}

int policy_get(struct db_tx *tx, struct arena *a, str account, str id, struct policy_record *out,
               struct err *e)
{
    auto_rows *r = NULL;
    int rc =
        db_query(tx, "SELECT " COLUMNS " FROM policy_bundle WHERE account = $1 AND policy_id = $2",
                 DB(DBS(account), DBS(id)), &r, e);
    if (rc == 0)
        rc = db_next(r, e);
    return rc == 1 ? record_read(r, a, out, e) : rc;
}

int policy_get_active(struct db_tx *tx, struct arena *a, str account, struct policy_record *out,
                      struct err *e)
{
    auto_rows *r = NULL;
    int rc = db_query(tx, "SELECT " COLUMNS " FROM policy_bundle WHERE account = $1 AND active = 1",
                      DB(DBS(account)), &r, e);
    if (rc == 0)
        rc = db_next(r, e);
    return rc == 1 ? record_read(r, a, out, e) : rc;
}

int policy_list(struct db_tx *tx, struct arena *a, str account, struct policy_record **out,
                size_t *n, struct err *e)
{
    int64_t count = 0;
    *n = 0;
    *out = NULL;
    int rc = db_query_int(tx, "SELECT COUNT(*) FROM policy_bundle WHERE account = $1",
                          DB(DBS(account)), &count, e);
    if (rc < 0)
        return rc;
    if (!(*out = arena_calloc(a, (size_t)count + 1, sizeof **out)))
        return err_no_memory(e);
    auto_rows *r = NULL;
    rc = db_query(tx,
                  "SELECT " COLUMNS " FROM policy_bundle WHERE account = $1"
                  " ORDER BY created_at, policy_id",
                  DB(DBS(account)), &r, e);
    while (rc >= 0 && *n < (size_t)count && (rc = db_next(r, e)) == 1) {
        rc = record_read(r, a, &(*out)[*n], e);
        ++*n;
    }
    return rc < 0 ? rc : 0;
}

int policy_bundle(struct engine *en, struct db_tx *tx, str account, str id, struct buf *out,
                  struct err *e)
{
    return document_get(en->documents, tx, account, STR(POLICY_BUCKET), id, out, e);
}

int policy_put(struct engine *en, struct db_tx *tx, const struct policy_record *p, str bundle,
               struct err *e)
{
    int64_t rc = db_exec(tx,
                         "INSERT INTO policy_bundle (account, policy_id, policy_source, name,"
                         " description, active, created_at, last_updated)"
                         " VALUES ($1, $2, $3, $4, $5, $6, now_us(), now_us())"
                         " ON CONFLICT (account, policy_id) DO UPDATE SET name = excluded.name,"
                         " description = excluded.description, last_updated = now_us()",
                         DB(DBS(p->account), DBS(p->id), DBS(p->source), DBSN(p->name),
                            DBSN(p->description), DBI(p->active)),
                         e);
    if (rc < 0)
        return (int)rc;
    return document_put(en->documents, tx, p->account, STR(POLICY_BUCKET), p->id, bundle, e);
}

static int tell_activated(struct engine *en, struct db_tx *tx, struct arena *a, str account, str id,
                          str before, str request_id, struct err *e)
{
    static const char *const names[] = {"current_policy_bundle_id", "last_policy_bundle_id"};
    struct event ev = {
        .engine = en,
        .service = SERVICE_CATALOG,
        .type = "user.policy.active.updated",
        .account = account,
        .request_id = request_id,
        .details = event_details(a, names, (const str[]){id, before}, 2),
    };
    return event_add(tx, &ev, e);
}

int policy_activate(struct engine *en, struct db_tx *tx, str account, str id, str request_id,
                    struct err *e)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    struct policy_record before = {0};
    int64_t rc = policy_get_active(tx, &a, account, &before, e);
    bool same = rc == 1 && str_eq(before.id, id);
    if (rc == 1 && !same)
        rc = db_exec(tx,
                     "UPDATE policy_bundle SET active = 0, last_updated = now_us()"
                     " WHERE account = $1 AND active = 1",
                     DB(DBS(account)), e);
    if (rc >= 0 && !same)
        rc = db_exec(tx,
                     "UPDATE policy_bundle SET active = 1, last_updated = now_us()"
                     " WHERE account = $1 AND policy_id = $2",
                     DB(DBS(account), DBS(id)), e);
    /* The bundle that the first start gives to the administrator is no news to anyone. */
    bool first_start = !before.id.n && str_eq(account, STR("admin"));
    if (rc >= 0 && !same && !first_start)
        rc = tell_activated(en, tx, &a, account, id, before.id, request_id, e);
    arena_done(&a);
    return rc < 0 ? (int)rc : 0;
}

int policy_delete(struct engine *en, struct db_tx *tx, str account, str id, struct err *e)
{
    int rc = document_delete(en->documents, tx, account, STR(POLICY_BUCKET), id, e);
    if (rc < 0)
        return rc;
    int64_t n = db_exec(tx, "DELETE FROM policy_bundle WHERE account = $1 AND policy_id = $2",
                        DB(DBS(account), DBS(id)), e);
    return n < 0 ? (int)n : 0;
}
