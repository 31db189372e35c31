#include "base/auto.h"
#include "services/image_history.h"
#include "services/subscription.h"
#include "store/posting.h"

/* ---- asking for it -----------------------------------------------------------------------------
 */

/* Is there a tag that points here now and has an active subscription? 1, 0. */
static int is_wanted(struct db_tx *tx, str account, str digest, struct err *e)
{
    auto_rows *rows = NULL;
    int rc = db_query(tx,
                      "SELECT 1 FROM catalog_image_tag t JOIN subscriptions s "
                      "ON s.account = t.account AND s.subscription_key = t.fulltag "
                      "WHERE t.account = $1 AND t.image_digest = $2 AND s.active = 1 "
                      "AND NOT EXISTS (SELECT 1 FROM catalog_image_tag n WHERE n.account = "
                      "t.account AND n.fulltag = t.fulltag AND n.tag_detected_at > "
                      "t.tag_detected_at) LIMIT 1",
                      DB(DBS(account), DBS(digest)), &rows, e);
    return rc < 0 ? rc : db_next(rows, e);
}

static int end_subscriptions(struct db_tx *tx, str account, str digest, struct err *e)
{
    int64_t n = db_exec(tx,
                        "UPDATE subscriptions SET active = 0 WHERE account = $1 AND active = 1 AND "
                        "subscription_key IN (SELECT t.fulltag FROM catalog_image_tag t WHERE "
                        "t.account = $1 AND t.image_digest = $2 AND NOT EXISTS (SELECT 1 FROM "
                        "catalog_image_tag n WHERE n.account = t.account AND n.fulltag = t.fulltag "
                        "AND n.tag_detected_at > t.tag_detected_at))",
                        DB(DBS(account), DBS(digest)), e);
    return n < 0 ? (int)n : 0;
}

static int mark(struct db_tx *tx, str account, str digest, struct err *e)
{
    auto_buf line;
    buf_init(&line, 1 << 10);
    int rc = image_history_line(tx, STR("active"), STR("deleting"), STR(""),
                                STR("deletion was asked for"), &line, e);
    if (rc < 0)
        return rc;
    int64_t n = db_exec(
        tx,
        "UPDATE catalog_image SET image_status = 'deleting', last_updated = "
        "now_us(), history = " IMAGE_HISTORY("$3") " WHERE account = $1 AND image_digest = $2",
        DB(DBS(account), DBS(digest), DBS(buf_view(&line))), e);
    return n < 0 ? (int)n : 0;
}

int image_delete(struct db_tx *tx, struct arena *a, str account, str digest, bool force,
                 enum image_deletion *out, str *why, struct err *e)
{
    enum image_state state = IMAGE_NOT_ANALYZED;
    int rc = image_status(tx, account, digest, &state, e);

    *why = (str){0};
    *out = IMAGE_DELETE_NOT_FOUND;
    if (rc <= 0)
        return rc;
    *out = IMAGE_DELETE_FAILED;
    rc = force ? 0 : is_wanted(tx, account, digest, e);
    if (rc < 0)
        return rc;
    if (rc > 0)
        *why = STR("cannot delete image that is the latest of its tags, and has active "
                   "subscription");
    else if (!force && state == IMAGE_ANALYZING)
        *why = STR("cannot delete image that is being analyzed");
    if (why->p)
        return 0;
    *out = IMAGE_DELETING;
    rc = force ? end_subscriptions(tx, account, digest, e) : 0;
    return rc < 0 ? rc : mark(tx, account, digest, e);
}

/* ---- doing it ----------------------------------------------------------------------------------
 */

/* Keys are the image's digest, alone or followed by more. */
static const str buckets[] = {
    STR_INIT("analysis_data"),
    STR_INIT("query_data"),
    STR_INIT("image_content_data"),
    STR_INIT("image_summary_data"),
    STR_INIT("manifest_data"),
    STR_INIT("parent_manifest_data"),
    STR_INIT("syft_sbom"),
    STR_INIT("inventory"),
    STR_INIT("image_artifacts"),
    STR_INIT("vulnerability_scan"),
    STR_INIT("vulnerability_report"),
};

static const char *const statements[] = {
    "DELETE FROM policy_eval WHERE account = $1 AND image_digest = $2",
    "DELETE FROM policy_told WHERE account = $1 AND image_digest = $2",
    "DELETE FROM catalog_image_tag WHERE account = $1 AND image_digest = $2",
    "DELETE FROM image_transition WHERE account = $1 AND image_digest = $2",
};

int image_remove(struct db_tx *tx, struct documents *d, str account, str digest, struct err *e)
{
    int64_t n = digest.n ? 0 : err_set(e, ERR_USAGE, "an image without digest");

    for (size_t i = 0; n >= 0 && i < KE_ARRAY_LEN(buckets); i++)
        n = document_delete_prefix(d, tx, account, buckets[i], digest, e);
    if (n >= 0)
        n = posting_delete(tx, account, digest, e);
    for (size_t i = 0; n >= 0 && i < KE_ARRAY_LEN(statements); i++)
        n = db_exec(tx, statements[i], DB(DBS(account), DBS(digest)), e);
    return n < 0 ? (int)n : image_drop_row(tx, account, digest, e);
}
