#include "services/account.h"

#include <sodium.h>

static int copy(struct arena *a, const struct db_rows *r, int col, str *out)
{
    if (db_is_null(r, col)) {
        *out = (str){0};
        return 0;
    }
    *out = arena_dup(a, db_text(r, col));
    return out->p ? 0 : ERR_NO_MEMORY;
}

/* ---- accounts ---------------------------------------------------------------------------------
 */
#define ACCOUNT_COLUMNS "name, type, state, email, created_at, last_updated"

static int account_read(const struct db_rows *r, struct arena *a, struct account *out,
                        struct err *e)
{
    if (copy(a, r, 0, &out->name) || copy(a, r, 1, &out->type) || copy(a, r, 2, &out->state) ||
        copy(a, r, 3, &out->email))
        return err_no_memory(e);
    out->created = db_int(r, 4);
    out->updated = db_int(r, 5);
    return 1;
}

int account_get(struct db_tx *tx, struct arena *a, str name, struct account *out, struct err *e)
{
    auto_rows *r = NULL;
    int rc = db_query(tx, "SELECT " ACCOUNT_COLUMNS " FROM accounts WHERE name = $1", DB(DBS(name)),
                      &r, e);
    if (rc == 0)
        rc = db_next(r, e);
    return rc == 1 ? account_read(r, a, out, e) : rc;
}

int account_list(struct db_tx *tx, struct arena *a, str state, struct account **out, size_t *n,
                 struct err *e)
{
    *out = NULL;
    *n = 0;
    int64_t count = 0;
    int rc = db_query_int(tx, "SELECT COUNT(*) FROM accounts", DB0, &count, e);
    if (rc < 0)
        return rc;
    if (!(*out = arena_calloc(a, (size_t)count + 1, sizeof **out)))
        return err_no_memory(e);
    auto_rows *r = NULL;
    rc = db_query(tx,
                  "SELECT " ACCOUNT_COLUMNS " FROM accounts WHERE type <> 'service'"
                  " AND ($1 = '' OR state = $1) ORDER BY created_at, name",
                  DB(DBS(state)), &r, e);
    while (rc >= 0 && *n < (size_t)count && (rc = db_next(r, e)) == 1) {
        rc = account_read(r, a, &(*out)[*n], e);
        ++*n;
    }
    return rc < 0 ? rc : 0;
}

int account_add(struct db_tx *tx, const struct account *x, struct err *e)
{
    int64_t rc = db_exec(tx,
                         "INSERT INTO accounts (name, type, state, email, created_at, last_updated)"
                         " VALUES ($1, $2, $3, $4, now_us(), now_us()) ON CONFLICT DO NOTHING",
                         DB(DBS(x->name), DBS(x->type), DBS(x->state), DBSN(x->email)), e);
    return rc == 0 ? err_set(e, ERR_EXISTS, "Account already exists") : rc < 0 ? (int)rc : 0;
}

static int changed(struct db_tx *tx, int64_t rows, struct err *e)
{
    return rows < 0 ? (int)rows : db_notify(tx, IDENTITY_CHANNEL, STR(""), e);
}

int account_set_state(struct db_tx *tx, str name, str state, struct err *e)
{
    int64_t rc =
        db_exec(tx, "UPDATE accounts SET state = $2, last_updated = now_us() WHERE name = $1",
                DB(DBS(name), DBS(state)), e);
    return changed(tx, rc, e);
}

/* ---- users ------------------------------------------------------------------------------------
 */
#define USER_COLUMNS "username, account_name, type, source, uuid, created_at, last_updated"

static int user_read(const struct db_rows *r, struct arena *a, struct user *out, struct err *e)
{
    if (copy(a, r, 0, &out->username) || copy(a, r, 1, &out->account) ||
        copy(a, r, 2, &out->type) || copy(a, r, 3, &out->source) || copy(a, r, 4, &out->uuid))
        return err_no_memory(e);
    out->created = db_int(r, 5);
    out->updated = db_int(r, 6);
    return 1;
}

int user_get(struct db_tx *tx, struct arena *a, str username, struct user *out, struct err *e)
{
    auto_rows *r = NULL;
    int rc = db_query(tx, "SELECT " USER_COLUMNS " FROM account_users WHERE username = $1",
                      DB(DBS(username)), &r, e);
    if (rc == 0)
        rc = db_next(r, e);
    return rc == 1 ? user_read(r, a, out, e) : rc;
}

int user_list(struct db_tx *tx, struct arena *a, str account, struct user **out, size_t *n,
              struct err *e)
{
    *out = NULL;
    *n = 0;
    int64_t count = 0;
    int rc = db_query_int(tx, "SELECT COUNT(*) FROM account_users WHERE account_name = $1",
                          DB(DBS(account)), &count, e);
    if (rc < 0)
        return rc;
    if (!(*out = arena_calloc(a, (size_t)count + 1, sizeof **out)))
        return err_no_memory(e);
    auto_rows *r = NULL;
    rc = db_query(tx,
                  "SELECT " USER_COLUMNS " FROM account_users WHERE account_name = $1"
                  " ORDER BY created_at, username",
                  DB(DBS(account)), &r, e);
    while (rc >= 0 && *n < (size_t)count && (rc = db_next(r, e)) == 1) {
        rc = user_read(r, a, &(*out)[*n], e);
        ++*n;
    }
    return rc < 0 ? rc : 0;
}

int user_add(struct db_tx *tx, str username, str account, str type, struct err *e)
{
    unsigned char id[16];
    char text[33];
    randombytes_buf(id, sizeof id);
    sodium_bin2hex(text, sizeof text, id, sizeof id);
    int64_t rc = db_exec(tx,
                         "INSERT INTO account_users (username, account_name, type, source, uuid,"
                         " created_at, last_updated)"
                         " VALUES ($1, $2, $3, NULL, $4, now_us(), now_us())"
                         " ON CONFLICT DO NOTHING",
                         DB(DBS(username), DBS(account), DBS(type), DBZ(text)), e);
    return rc == 0 ? err_set(e, ERR_EXISTS, "User already exists") : rc < 0 ? (int)rc : 0;
}

int user_delete(struct db_tx *tx, str username, struct err *e)
{
    int rc = credential_delete(tx, username, e);
    if (rc < 0)
        return rc;
    int64_t n = db_exec(tx, "DELETE FROM account_users WHERE username = $1", DB(DBS(username)), e);
    return n < 0 ? (int)n : 0;
}

/* ---- credentials ------------------------------------------------------------------------------
 */
void credential_parse(str stored, struct credential *out)
{
    str rest = stored, length = str_split(&rest, ':');
    uint64_t n = 0;
    bool ok = str_to_u64(length, &n);
    out->length = ok ? (size_t)n : 0;
    out->hash = ok ? rest : (str){0};
}

int credential_get(struct db_tx *tx, struct arena *a, str username, struct credential *out,
                   struct err *e)
{
    auto_rows *r = NULL;
    int rc = db_query(tx,
                      "SELECT value, created_at FROM user_access_credentials"
                      " WHERE username = $1 AND type = 'password'",
                      DB(DBS(username)), &r, e);
    if (rc == 0)
        rc = db_next(r, e);
    if (rc != 1)
        return rc;
    str stored;
    if (copy(a, r, 0, &stored))
        return err_no_memory(e);
    credential_parse(stored, out);
    out->created = db_int(r, 1);
    return 1;
}

int credential_put(struct db_tx *tx, str username, str hash, size_t length, struct err *e)
{
    auto_buf text;
    buf_init(&text, 1024);
    buf_addf(&text, "%zu:", length);
    buf_add_str(&text, hash);
    int rc = buf_check(&text, "a password's hash", e);
    if (rc < 0)
        return rc;
    int64_t n = db_exec(tx,
                        "INSERT INTO user_access_credentials (username, type, value, created_at)"
                        " VALUES ($1, 'password', $2, now_us()) ON CONFLICT (username, type)"
                        " DO UPDATE SET value = excluded.value, created_at = excluded.created_at",
                        DB(DBS(username), DBS(buf_view(&text))), e);
    return changed(tx, n, e);
}

int credential_delete(struct db_tx *tx, str username, struct err *e)
{
    int64_t n = db_exec(tx, "DELETE FROM user_access_credentials WHERE username = $1",
                        DB(DBS(username)), e);
    return changed(tx, n, e);
}
