#include "services/policy_engine/vex_store.h"

#include "base/auto.h"
#include "base/vec.h"

enum { NAMES_MAX = 1 << 20 };

struct reading {
    struct engine *en;
    struct keeper *keeper;
    str account;
    int64_t state;
    struct kept_vex *found, *made;
};

static void vex_end(struct kept *k)
{
    struct kept_vex *v = (struct kept_vex *)k;
    vex_free(v->vex);
    free(v);
}

static int read_names(struct db_tx *tx, struct reading *r, struct arena *a, str **out, size_t *n,
                      struct err *e)
{
    auto_rows *rows = NULL;
    *n = 0;
    *out = arena_calloc(a, VEX_DOCUMENTS_MAX, sizeof **out);
    int rc = *out ? db_query(tx,
                             "SELECT key FROM document WHERE account = $1 AND bucket = '" VEX_BUCKET
                             "' ORDER BY key",
                             DB(DBS(r->account)), &rows, e)
                  : err_no_memory(e);
    while (rc >= 0 && (rc = db_next(rows, e)) == 1) {
        if (*n == VEX_DOCUMENTS_MAX)
            return err_set(e, ERR_LIMIT, "more than %d VEX documents", VEX_DOCUMENTS_MAX);
        (*out)[(*n)++] = arena_dup(a, db_text(rows, 0));
    }
    return rc < 0 ? rc : a->full ? err_no_memory(e) : 0;
}

static int read_one(struct db_tx *tx, struct reading *r, str name, struct err *e)
{
    char z[VEX_NAME_MAX + 1];
    auto_buf text;
    buf_init(&text, VEX_BYTES_MAX);
    snprintf(z, sizeof z, "%.*s", STR_ARG(name));
    int rc = document_get(r->en->documents, tx, r->account, STR(VEX_BUCKET), name, &text, e);
    if (rc >= 0)
        rc = vex_read(r->made->vex, buf_view(&text), z, e);
    r->made->kept.bytes += text.n;
    return rc < 0 ? err_wrap(e, "VEX document %s", z) : 0;
}

static int make(struct db_tx *tx, struct reading *r, struct err *e)
{
    struct arena a;
    str *names;
    size_t n = 0;
    arena_init(&a, NAMES_MAX);
    r->made = calloc(1, sizeof *r->made);
    int rc = r->made ? 0 : err_no_memory(e);
    if (rc == 0) {
        r->made->kept = (struct kept){.free = vex_end, .uses = 1, .bytes = 4096};
        rc = vex_new(&r->made->vex, e);
    }
    if (rc == 0)
        rc = read_names(tx, r, &a, &names, &n, e);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = read_one(tx, r, names[i], e);
    arena_done(&a);
    return rc;
}

static int read_state(struct db_tx *tx, void *ctx, struct err *e)
{
    struct reading *r = ctx;
    char key[700];
    kept_drop((struct kept *)TAKE(r->found));
    kept_drop((struct kept *)TAKE(r->made));
    int rc = db_query_int(tx, "SELECT " VEX_STATE, DB(DBS(r->account)), &r->state, e);
    if (rc < 0 || !r->state)
        return rc;
    snprintf(key, sizeof key, "%.*s/%lld", STR_ARG(r->account), (long long)r->state);
    r->found = (struct kept_vex *)keeper_take(r->keeper, str_z(key));
    if (r->found || (rc = make(tx, r, e)) < 0)
        return rc;
    keeper_put(r->keeper, str_z(key), &r->made->kept);
    return 0;
}

int vex_store_get(struct engine *en, struct keeper *keeper, str account, struct kept_vex **out,
                  struct err *e)
{
    struct reading r = {.en = en, .keeper = keeper, .account = account};
    int rc = db_run(en->db, DB_READ, read_state, &r, e);
    *out = rc < 0 ? NULL : r.found ? r.found : r.made;
    if (rc < 0)
        kept_drop((struct kept *)r.made);
    return rc < 0 ? rc : 0;
}
