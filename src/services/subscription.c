#include "services/subscription.h"

#include "codec/digest.h"

static const char *const tag_types[] = {"policy_eval", "tag_update", "vuln_update",
                                        "analysis_update"};

bool subscription_type_known(str type)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(tag_types); i++) {
        if (str_eq(type, str_z(tag_types[i])))
            return true;
    }
    return str_eq(type, STR("repo_update"));
}

void subscription_id(str account, str key, str type, char out[33])
{
    const str parts[] = {account, STR("+"), key, STR("+"), type};
    digest_id(parts, KE_ARRAY_LEN(parts), out);
}

static int64_t put(struct db_tx *tx, const struct subscription *s, struct err *e)
{
    char id[33];
    subscription_id(s->account, s->key, s->type, id);
    return db_exec(
        tx,
        "INSERT INTO subscriptions (account, subscription_id, subscription_type,"
        " subscription_key, subscription_value, active, created_at_s, last_updated_s)"
        " VALUES ($1, $2, $3, $4, $5, $6, now_us() / 1000000, now_us() / 1000000)"
        " ON CONFLICT DO NOTHING",
        DB(DBS(s->account), DBZ(id), DBS(s->type), DBS(s->key), DBSN(s->value), DBI(s->active)), e);
}

int subscription_add(struct db_tx *tx, const struct subscription *s, struct err *e)
{
    int64_t n = put(tx, s, e);
    return n < 0    ? (int)n
           : n == 0 ? err_set(e, ERR_EXISTS, "subscription already exists in DB")
                    : 0;
}

int subscription_add_tag(struct db_tx *tx, str account, str fulltag, bool autosubscribe,
                         struct err *e)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(tag_types); i++) {
        struct subscription s = {
            .account = account,
            .key = fulltag,
            .type = str_z(tag_types[i]),
            .active = i == 3 || (i == 1 && autosubscribe),
        };
        int64_t n = put(tx, &s, e);
        if (n == 0 && i == 3)
            n = db_exec(tx,
                        "UPDATE subscriptions SET active = 1, last_updated_s = now_us() / 1000000 "
                        "WHERE account = $1 AND subscription_key = $2 AND subscription_type = $3 "
                        "AND active = 0",
                        DB(DBS(account), DBS(fulltag), DBS(s.type)), e);
        if (n < 0)
            return (int)n;
    }
    return 0;
}

int subscription_active(struct db_tx *tx, str account, str key, str type, struct err *e)
{
    int64_t n = 0;
    int rc = db_query_int(tx,
                          "SELECT COUNT(*) FROM subscriptions WHERE account = $1"
                          " AND subscription_key = $2 AND active = 1"
                          " AND (subscription_type = $3 OR ($3 = ''"
                          " AND subscription_type <> 'analysis_update'))",
                          DB(DBS(account), DBS(key), DBS(type)), &n, e);
    return rc < 0 ? rc : n > 0;
}

static bool copy(struct arena *a, const struct db_rows *r, int col, str *out)
{
    *out = db_is_null(r, col) ? (str){0} : arena_dup(a, db_text(r, col));
    return out->p || db_is_null(r, col);
}

#define COLUMNS                                                                                    \
    "subscription_id, account, subscription_key, subscription_type, subscription_value, active,"   \
    " created_at_s, last_updated_s"

static int record_read(const struct db_rows *r, struct arena *a, struct subscription *s,
                       struct err *e)
{
    if (!copy(a, r, 0, &s->id) || !copy(a, r, 1, &s->account) || !copy(a, r, 2, &s->key) ||
        !copy(a, r, 3, &s->type) || !copy(a, r, 4, &s->value))
        return err_no_memory(e);
    s->active = db_int(r, 5) != 0;
    s->created = db_int(r, 6) * 1000000;
    s->updated = db_int(r, 7) * 1000000;
    return 1;
}

int subscription_get(struct db_tx *tx, struct arena *a, str account, str id,
                     struct subscription *out, struct err *e)
{
    auto_rows *r = NULL;
    int rc = db_query(
        tx, "SELECT " COLUMNS " FROM subscriptions WHERE account = $1 AND subscription_id = $2",
        DB(DBS(account), DBS(id)), &r, e);
    if (rc == 0)
        rc = db_next(r, e);
    return rc == 1 ? record_read(r, a, out, e) : rc;
}

int subscription_update(struct db_tx *tx, const struct subscription *s, struct err *e)
{
    int64_t n = db_exec(tx,
                        "UPDATE subscriptions SET subscription_value = $3, active = $4,"
                        " last_updated_s = now_us() / 1000000"
                        " WHERE account = $1 AND subscription_id = $2",
                        DB(DBS(s->account), DBS(s->id), DBSN(s->value), DBI(s->active)), e);
    return n < 0 ? (int)n : 0;
}

int subscription_delete(struct db_tx *tx, str account, str id, struct err *e)
{
    int64_t n = db_exec(tx, "DELETE FROM subscriptions WHERE account = $1 AND subscription_id = $2",
                        DB(DBS(account), DBS(id)), e);
    return n < 0 ? (int)n : 0;
}

int subscription_list(struct db_tx *tx, struct arena *a, str account, str key, str type,
                      bool active_only, struct subscription **out, size_t *n, struct err *e)
{
    static const char where[] =
        " FROM subscriptions WHERE ($1 = '' OR account = $1) AND ($2 = '' OR subscription_key = $2)"
        " AND ($3 = '' OR subscription_type = $3) AND active >= $4";
    char sql[1024];
    int64_t count = 0;
    *n = 0;
    *out = NULL;
    snprintf(sql, sizeof sql, "SELECT COUNT(*)%s", where);
    int rc =
        db_query_int(tx, sql, DB(DBS(account), DBS(key), DBS(type), DBI(active_only)), &count, e);
    if (rc < 0)
        return rc;
    struct subscription *list = arena_calloc(a, (size_t)count + 1, sizeof *list);
    if (!list)
        return err_no_memory(e);
    snprintf(sql, sizeof sql,
             "SELECT " COLUMNS "%s ORDER BY account, created_at_s, subscription_key,"
             " CASE subscription_type WHEN 'policy_eval' THEN 1 WHEN 'tag_update' THEN 2"
             " WHEN 'vuln_update' THEN 3 ELSE 4 END",
             where);
    auto_rows *r = NULL;
    rc = db_query(tx, sql, DB(DBS(account), DBS(key), DBS(type), DBI(active_only)), &r, e);
    while (rc >= 0 && *n < (size_t)count && (rc = db_next(r, e)) == 1) {
        rc = record_read(r, a, &list[*n], e);
        ++*n;
    }
    *out = list;
    return rc < 0 ? rc : 0;
}
