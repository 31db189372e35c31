#include "codec/digest.h"
#include "services/image.h"

/* The row of a text, which stays until tx ends. */
static int text_id(struct db_tx *tx, str text, int64_t *id, struct err *e)
{
    struct sha256 sum = sha256_of(text.p, text.n);
    str digest = {(const char *)sum.b, sizeof sum.b};
    for (int attempt = 0; attempt < 3; attempt++) {
        int rc = db_query_int(tx, "SELECT id FROM dockerfile WHERE digest = $1 {for_share}",
                              DB(DBB(digest)), id, e);
        if (rc == ERR_NOT_FOUND)
            rc = db_query_int(tx,
                              "INSERT INTO dockerfile (digest, text) VALUES ($1, $2)"
                              " ON CONFLICT (digest) DO NOTHING RETURNING id",
                              DB(DBB(digest), DBS(text)), id, e);
        if (rc != ERR_NOT_FOUND)
            return rc;
    }
    return err_set(e, ERR_CONFLICT, "the text of a Dockerfile comes and goes");
}

/* The text is locked first; the next statement sees who else took or left it meanwhile. */
static int drop_unused(struct db_tx *tx, int64_t id, struct err *e)
{
    int64_t ignored = 0;
    int64_t n = db_query_int(tx, "SELECT id FROM dockerfile WHERE id = $1 {for_update}",
                             DB(DBI(id)), &ignored, e);
    if (n == ERR_NOT_FOUND)
        return 0;
    if (n == 0)
        n = db_exec(tx,
                    "DELETE FROM dockerfile WHERE id = $1 AND NOT EXISTS"
                    " (SELECT 1 FROM catalog_image WHERE dockerfile_id = $1)",
                    DB(DBI(id)), e);
    return n < 0 ? (int)n : 0;
}

static int read_id(struct db_tx *tx, str account, str digest, int64_t *id, struct err *e)
{
    *id = 0;
    int rc = db_query_int(tx,
                          "SELECT COALESCE(dockerfile_id, 0) FROM catalog_image"
                          " WHERE account = $1 AND image_digest = $2 {for_update}",
                          DB(DBS(account), DBS(digest)), id, e);
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

int image_set_guessed(struct db_tx *tx, str account, str digest, str dockerfile, struct err *e)
{
    int64_t before = 0, id = 0;
    int rc = read_id(tx, account, digest, &before, e);
    if (rc == 0)
        rc = text_id(tx, dockerfile, &id, e);
    if (rc < 0 || id == before)
        return rc;
    int64_t n = db_exec(tx,
                        "UPDATE catalog_image SET dockerfile = NULL, dockerfile_id = $3,"
                        " dockerfile_mode = 'Guessed' WHERE account = $1 AND image_digest = $2"
                        " AND (dockerfile_mode IS NULL OR dockerfile_mode <> 'Actual')",
                        DB(DBS(account), DBS(digest), DBI(id)), e);
    if (n < 0)
        return (int)n;
    return drop_unused(tx, n && before ? before : id, e);
}

int image_set_dockerfile(struct db_tx *tx, str account, str digest, str dockerfile, struct err *e)
{
    int64_t before = 0;
    int rc = read_id(tx, account, digest, &before, e);
    if (rc < 0)
        return rc;
    int64_t n = db_exec(tx,
                        "UPDATE catalog_image SET dockerfile = $3, dockerfile_mode = 'Actual',"
                        " dockerfile_id = NULL WHERE account = $1 AND image_digest = $2",
                        DB(DBS(account), DBS(digest), DBS(dockerfile)), e);
    return n < 0 ? (int)n : before ? drop_unused(tx, before, e) : 0;
}

int image_drop_row(struct db_tx *tx, str account, str digest, struct err *e)
{
    int64_t before = 0;
    int rc = read_id(tx, account, digest, &before, e);
    if (rc < 0)
        return rc;
    int64_t n = db_exec(tx, "DELETE FROM catalog_image WHERE account = $1 AND image_digest = $2",
                        DB(DBS(account), DBS(digest)), e);
    return n < 0 ? (int)n : before ? drop_unused(tx, before, e) : 0;
}
