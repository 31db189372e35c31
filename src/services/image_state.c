#include "base/vec.h"
#include "services/image.h"

static int record_transition(struct db_tx *tx, str account, str digest, str from, str to, str owner,
                             str why, struct err *e)
{
    return (int)db_exec(
        tx,
        "INSERT INTO image_transition (account, image_digest, at, what, from_state, "
        "to_state, host, why) VALUES ($1, $2, now_us(), 'analysis', $3, $4, $5, $6)",
        DB(DBS(account), DBS(digest), DBS(from), DBS(to), DBS(owner.p ? owner : STR("")),
           DBS(str_sub(why.p ? why : STR(""), 0, 4000))),
        e);
}

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
    int64_t n =
        db_exec(tx,
                to == IMAGE_ANALYZED
                    ? "UPDATE catalog_image SET analysis_status = $3, last_updated = now_us(), "
                      "analyzed_at = now_us() WHERE account = $1 AND image_digest = $2"
                    : "UPDATE catalog_image SET analysis_status = $3, last_updated = now_us() "
                      "WHERE account = $1 AND image_digest = $2",
                DB(DBS(account), DBS(digest), DBZ(image_state_names[to])), e);
    if (n < 0)
        return (int)n;
    rc = record_transition(tx, account, digest, was, str_z(image_state_names[to]), owner, why, e);
    return rc < 0 ? rc : 0;
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

int image_transitions(struct db_tx *tx, struct arena *a, str account, str digest,
                      struct image_transition **out, size_t *n, struct err *e)
{
    VEC(struct image_transition) list = {0};
    auto_rows *rows = NULL;
    int rc = db_query(tx,
                      "SELECT at, from_state, to_state, host, why FROM image_transition "
                      "WHERE account = $1 AND image_digest = $2 ORDER BY id DESC LIMIT 1000",
                      DB(DBS(account), DBS(digest)), &rows, e);
    while (rc >= 0 && (rc = db_next(rows, e)) > 0) {
        struct image_transition *t = vec_push(&list);
        if (!t) {
            rc = err_no_memory(e);
            break;
        }
        *t = (struct image_transition){
            .at = db_int(rows, 0),
            .from = arena_dup(a, db_text(rows, 1)),
            .to = arena_dup(a, db_text(rows, 2)),
            .owner = arena_dup(a, db_text(rows, 3)),
            .why = arena_dup(a, db_text(rows, 4)),
        };
    }
    *n = list.n;
    *out = rc < 0 || !list.n ? NULL : arena_calloc(a, list.n, sizeof **out);
    if (*out)
        memcpy(*out, list.p, list.n * sizeof **out);
    vec_done(&list);
    return rc < 0 ? rc : a->full ? err_no_memory(e) : 0;
}
