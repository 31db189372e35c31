#include "services/setting.h"

#include <sodium.h>

struct ask {
    const char *name;
    unsigned char *out;
};

static int ask_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct ask *a = ctx;
    unsigned char fresh[32];
    randombytes_buf(fresh, sizeof fresh);
    int64_t rc = db_exec(tx,
                         "INSERT INTO settings (name, value) VALUES ($1, $2)"
                         " ON CONFLICT (name) DO NOTHING",
                         DB(DBZ(a->name), DBB(((str){(char *)fresh, sizeof fresh}))), e);
    if (rc < 0)
        return (int)rc;
    auto_rows *rows = NULL;
    int r = db_query(tx, "SELECT value FROM settings WHERE name = $1", DB(DBZ(a->name)), &rows, e);
    if (r == 0)
        r = db_next(rows, e);
    if (r < 0)
        return r;
    str value = r ? db_blob(rows, 0) : (str){0};
    if (value.n != 32)
        return err_set(e, ERR_FORMAT, "the setting %s in the database is damaged", a->name);
    memcpy(a->out, value.p, 32);
    return 0;
}

int setting_secret(struct db *db, const char *name, unsigned char out[32], struct err *e)
{
    if (sodium_init() < 0)
        return err_set(e, ERR_IO, "libsodium cannot be started");
    struct ask a = {name, out};
    return db_run(db, DB_WRITE, ask_run, &a, e);
}
