#include "base/auto.h"
#include "services/image_history.h"

/* The image's analysis status, its row locked until the transaction's end. */
static int lock_status(struct db_tx *tx, str account, str digest, int *state, struct err *e)
{
    auto_rows *rows = NULL;
    int rc = db_query(tx,
                      "SELECT analysis_status FROM catalog_image WHERE account = $1 AND "
                      "image_digest = $2 {for_update}",
                      DB(DBS(account), DBS(digest)), &rows, e);
    if (rc < 0 || (rc = db_next(rows, e)) < 0)
        return rc;
    if (rc == 0)
        return err_set(e, ERR_NOT_FOUND, "image not found in DB");
    *state = image_state_by_name(db_text(rows, 0));
    return 0;
}

int image_set_status(struct db_tx *tx, str account, str digest, unsigned from, enum image_state to,
                     str owner, str why, struct err *e)
{
    int state = -1;
    int rc = lock_status(tx, account, digest, &state, e);
    if (rc < 0)
        return rc;
    str was = str_z(state < 0 ? "" : image_state_names[state]);
    if (from && (state < 0 || !(from & 1u << state)))
        return err_set(e, ERR_CONFLICT, "image %.*s is %.*s: it cannot become %s", STR_ARG(digest),
                       STR_ARG(was), image_state_names[to]);
    auto_buf line;
    buf_init(&line, 64 << 10);
    rc = image_history_line(tx, was, str_z(image_state_names[to]), owner, why, &line, e);
    if (rc < 0)
        return rc;
    int64_t n =
        db_exec(tx,
                "UPDATE catalog_image SET analysis_status = $3, last_updated = now_us(), "
                "analyzed_at = CASE WHEN $4 = 1 THEN now_us() ELSE analyzed_at END, "
                "history = " IMAGE_HISTORY("$5") " WHERE account = $1 AND image_digest = $2",
                DB(DBS(account), DBS(digest), DBZ(image_state_names[to]), DBI(to == IMAGE_ANALYZED),
                   DBS(buf_view(&line))),
                e);
    return n < 0 ? (int)n : 0;
}

static struct db_value count_value(int64_t v)
{
    return v < 0 ? DBNULL : DBI(v);
}

int image_set_facts(struct db_tx *tx, str account, str digest, const struct image_facts *f,
                    struct err *e)
{
    int64_t n = db_exec(tx,
                        "UPDATE catalog_image SET arch = COALESCE($3, arch), "
                        "distro = COALESCE($4, distro), "
                        "distro_version = COALESCE($5, distro_version), "
                        "image_id = COALESCE($6, image_id), image_size = COALESCE($7, image_size), "
                        "layer_count = COALESCE($8, layer_count), last_updated = now_us() "
                        "WHERE account = $1 AND image_digest = $2",
                        DB(DBS(account), DBS(digest), DBSN(f->arch), DBSN(f->distro),
                           DBSN(f->distro_version), DBSN(f->id), count_value(f->size),
                           count_value(f->layers)),
                        e);
    if (n < 0)
        return (int)n;
    if (n == 0)
        return err_set(e, ERR_NOT_FOUND, "image not found in DB");
    if (!f->dockerfile.p && !f->dockerfile_mode.p)
        return 0;
    bool guessed = str_eq(f->dockerfile_mode, STR("Guessed"));
    if (guessed && f->dockerfile.p)
        return image_set_guessed(tx, account, digest, f->dockerfile, e);
    n = db_exec(
        tx,
        "UPDATE catalog_image SET dockerfile = COALESCE($3, dockerfile), "
        "dockerfile_mode = COALESCE($4, dockerfile_mode) "
        "WHERE account = $1 AND image_digest = $2 AND ($5 = 0 OR dockerfile_mode IS NULL "
        "OR dockerfile_mode <> 'Actual')",
        DB(DBS(account), DBS(digest), DBSN(f->dockerfile), DBSN(f->dockerfile_mode), DBI(guessed)),
        e);
    return n < 0 ? (int)n : 0;
}
