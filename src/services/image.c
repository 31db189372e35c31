#include "services/image.h"

#include "base/vec.h"
#include "codec/digest.h"

const char *const image_state_names[4] = {
    [IMAGE_NOT_ANALYZED] = "not_analyzed",
    [IMAGE_ANALYZING] = "analyzing",
    [IMAGE_ANALYZED] = "analyzed",
    [IMAGE_ANALYSIS_FAILED] = "analysis_failed",
};

int image_state_by_name(str name)
{
    for (int i = 0; i < (int)KE_ARRAY_LEN(image_state_names); i++)
        if (str_eq(name, str_z(image_state_names[i])))
            return i;
    return -1;
}

/* ---- rows --------------------------------------------------------------------------------------
 */

/* An image's row stands once for each of its tags: read in the order of images. */
#define SELECT_IMAGES                                                                              \
    "SELECT i.image_digest, COALESCE(i.parent_digest, i.image_digest), i.image_id, "               \
    "i.analysis_status, i.image_status, i.annotations, COALESCE(i.dockerfile, d.text), "           \
    "i.dockerfile_mode, i.arch, i.distro, i.distro_version, "                                      \
    "i.image_size, i.layer_count, i.created_at, i.last_updated, i.analyzed_at, "                   \
    "t.registry, t.repo, t.tag, t.fulltag, t.created_at, t.last_updated, t.tag_detected_at "       \
    "FROM catalog_image i LEFT JOIN dockerfile d ON d.id = i.dockerfile_id "                       \
    "LEFT JOIN catalog_image_tag t "                                                               \
    "ON t.account = i.account AND t.image_digest = i.image_digest "
enum { COLUMN_TAG = 16 };

struct tag_vec {
    VEC(struct image_tag) v;
};

static str text_of(const struct db_rows *r, int col, struct arena *a)
{
    return db_is_null(r, col) ? (str){0} : arena_dup(a, db_text(r, col));
}

static int64_t count_of(const struct db_rows *r, int col)
{
    return db_is_null(r, col) ? -1 : db_int(r, col);
}

static void read_image(const struct db_rows *r, struct arena *a, str account,
                       struct image_record *out)
{
    *out = (struct image_record){
        .account = account,
        .digest = text_of(r, 0, a),
        .parent_digest = text_of(r, 1, a),
        .id = text_of(r, 2, a),
        .analysis_status = text_of(r, 3, a),
        .image_status = text_of(r, 4, a),
        .annotations = text_of(r, 5, a),
        .dockerfile = text_of(r, 6, a),
        .dockerfile_mode = text_of(r, 7, a),
        .arch = text_of(r, 8, a),
        .distro = text_of(r, 9, a),
        .distro_version = text_of(r, 10, a),
        .size = count_of(r, 11),
        .layers = count_of(r, 12),
        .created = db_int(r, 13),
        .updated = db_int(r, 14),
        .analyzed = db_int(r, 15),
    };
}

static int read_tag(const struct db_rows *r, struct arena *a, struct tag_vec *tags, struct err *e)
{
    if (db_is_null(r, COLUMN_TAG))
        return 0;
    struct image_tag *t = vec_push(&tags->v);
    if (!t)
        return err_no_memory(e);
    *t = (struct image_tag){
        .registry = text_of(r, COLUMN_TAG, a),
        .repo = text_of(r, COLUMN_TAG + 1, a),
        .tag = text_of(r, COLUMN_TAG + 2, a),
        .fulltag = text_of(r, COLUMN_TAG + 3, a),
        .created = db_int(r, COLUMN_TAG + 4),
        .updated = db_int(r, COLUMN_TAG + 5),
        .detected = db_int(r, COLUMN_TAG + 6),
    };
    return 0;
}

static int by_fulltag(const void *a, const void *b)
{
    return str_cmp(((const struct image_tag *)a)->fulltag, ((const struct image_tag *)b)->fulltag);
}

static int take_tags(struct tag_vec *tags, struct arena *a, struct image_record *r, struct err *e)
{
    r->n_tags = tags->v.n;
    r->tags = NULL;
    tags->v.n = 0;
    if (r->n_tags) {
        r->tags = arena_calloc(a, r->n_tags, sizeof *r->tags);
        if (!r->tags)
            return err_no_memory(e);
        memcpy(r->tags, tags->v.p, r->n_tags * sizeof *r->tags);
        qsort(r->tags, r->n_tags, sizeof *r->tags, by_fulltag);
    }
    return a->full ? err_no_memory(e) : 0;
}

/* ---- one ---------------------------------------------------------------------------------------
 */

/* The image to which the rows of `sql` belong, which asks with account and `key`. */
static int read_one(struct db_tx *tx, const char *sql, struct arena *a, str account, str key,
                    struct image_record *out, struct err *e)
{
    struct tag_vec tags = {0};
    auto_rows *rows = NULL;
    bool found = false;

    int rc = db_query(tx, sql, DB(DBS(account), DBS(key)), &rows, e);
    while (rc >= 0 && (rc = db_next(rows, e)) > 0) {
        if (!found)
            read_image(rows, a, arena_dup(a, account), out);
        found = true;
        rc = read_tag(rows, a, &tags, e);
    }
    if (rc == 0 && found)
        rc = take_tags(&tags, a, out, e);
    vec_done(&tags.v);
    return rc < 0 ? rc : found;
}

int image_get(struct db_tx *tx, struct arena *a, str account, str digest, struct image_record *out,
              struct err *e)
{
    return read_one(tx, SELECT_IMAGES "WHERE i.account = $1 AND i.image_digest = $2", a, account,
                    digest, out, e);
}

/* The digests with an id; sorting them by date in SQL would keep SQLite from the index of ids. */
static int digests_of_id(struct db_tx *tx, struct arena *a, str account, str id, str *out,
                         size_t max, struct err *e)
{
    auto_rows *rows = NULL;
    size_t n = 0;
    int rc =
        db_query(tx, "SELECT image_digest FROM catalog_image WHERE account = $1 AND image_id = $2",
                 DB(DBS(account), DBS(id)), &rows, e);
    while (rc >= 0 && n < max && (rc = db_next(rows, e)) > 0)
        out[n++] = arena_dup(a, db_text(rows, 0));
    return rc < 0 ? rc : a->full ? err_no_memory(e) : (int)n;
}

int image_get_by_id(struct db_tx *tx, struct arena *a, str account, str id,
                    struct image_record *out, struct err *e)
{
    str digests[32];
    struct image_record r;
    bool found = false;
    int n = digests_of_id(tx, a, account, id, digests, KE_ARRAY_LEN(digests), e);

    if (n == 0)
        return image_get(tx, a, account, id, out, e);
    for (int i = 0; i < n; i++) {
        int rc = image_get(tx, a, account, digests[i], &r, e);
        if (rc < 0)
            return rc;
        if (rc > 0 && (!found || r.created > out->created)) {
            *out = r;
            found = true;
        }
    }
    return n < 0 ? n : found;
}

int image_get_by_tag(struct db_tx *tx, struct arena *a, str account, str fulltag,
                     struct image_record *out, struct err *e)
{
    return read_one(tx,
                    SELECT_IMAGES "WHERE i.account = $1 AND i.image_digest = "
                                  "(SELECT image_digest FROM catalog_image_tag "
                                  "WHERE account = $1 AND fulltag = $2 "
                                  "ORDER BY tag_detected_at DESC, image_digest LIMIT 1)",
                    a, account, fulltag, out, e);
}

const struct image_tag *image_newest_tag(const struct image_record *r)
{
    const struct image_tag *newest = NULL;

    for (size_t i = 0; i < r->n_tags; i++)
        if (!newest || r->tags[i].detected > newest->detected)
            newest = &r->tags[i];
    return newest;
}

int image_status(struct db_tx *tx, str account, str digest, enum image_state *out, struct err *e)
{
    auto_rows *rows = NULL;
    int rc = db_query(
        tx, "SELECT analysis_status FROM catalog_image WHERE account = $1 AND image_digest = $2",
        DB(DBS(account), DBS(digest)), &rows, e);
    if (rc < 0 || (rc = db_next(rows, e)) <= 0)
        return rc;
    int state = image_state_by_name(db_text(rows, 0));
    *out = state < 0 ? IMAGE_NOT_ANALYZED : (enum image_state)state;
    return 1;
}

/* ---- many --------------------------------------------------------------------------------------
 */

static const size_t record_max = (size_t)64 << 20;

struct each {
    int (*fn)(void *ctx, const struct image_record *r, struct err *e);
    void *ctx;
    struct arena arena; /* of the record under way */
    struct image_record record;
    bool open;
    struct tag_vec tags;
};

static int finish(struct each *x, struct err *e)
{
    if (!x->open)
        return 0;
    x->open = false;
    int rc = take_tags(&x->tags, &x->arena, &x->record, e);
    if (rc == 0)
        rc = x->fn(x->ctx, &x->record, e);
    arena_done(&x->arena);
    return rc < 0 ? rc : 0;
}

static int each_row(struct each *x, const struct db_rows *rows, str account, struct err *e)
{
    int rc = 0;

    if (!x->open || !str_eq(x->record.digest, db_text(rows, 0))) {
        rc = finish(x, e);
        read_image(rows, &x->arena, account, &x->record);
        x->open = true;
    }
    return rc < 0 ? rc : read_tag(rows, &x->arena, &x->tags, e);
}

static bool status_wanted(str list, str status)
{
    if (!list.n)
        return str_eq(status, STR("active"));
    while (list.n) {
        str one = str_trim(str_split(&list, ','));
        if (str_eq(one, STR("all")) || str_eq(one, status))
            return true;
    }
    return false;
}

/* Images whose rows the filter's words alone decide on; an empty text is any. */
static int each_of_all(struct db_tx *tx, str account, const struct image_filter *f, struct each *x,
                       struct err *e)
{
    auto_rows *rows = NULL;
    int rc = db_query(tx,
                      SELECT_IMAGES "WHERE i.account = $1 AND ($2 = '' OR i.analysis_status = $2) "
                                    "AND ((i.image_status = 'active' AND $3 = 1) OR "
                                    "(i.image_status = 'deleting' AND $4 = 1)) "
                                    "ORDER BY i.created_at DESC, i.image_digest",
                      DB(DBS(account), DBS(f->analysis_status.p ? f->analysis_status : STR("")),
                         DBI(status_wanted(f->image_status, STR("active"))),
                         DBI(status_wanted(f->image_status, STR("deleting")))),
                      &rows, e);
    while (rc >= 0 && (rc = db_next(rows, e)) > 0)
        rc = each_row(x, rows, account, e);
    return rc < 0 ? rc : finish(x, e);
}

static bool record_wanted(const struct image_record *r, const struct image_filter *f)
{
    return status_wanted(f->image_status, r->image_status) &&
           (!f->analysis_status.n || str_eq(f->analysis_status, r->analysis_status)) &&
           (!f->digest.p || str_eq(f->digest, r->digest));
}

/* Those that a tag led to, where it points now first. */
static int each_that_had_tag(struct db_tx *tx, str account, const struct image_filter *f,
                             struct each *x, struct err *e)
{
    VEC(str) digests = {0};
    struct arena a;
    arena_init(&a, record_max);
    auto_rows *rows = NULL;
    int rc =
        db_query(tx,
                 "SELECT image_digest FROM catalog_image_tag WHERE account = $1 AND fulltag = $2 "
                 "ORDER BY tag_detected_at DESC, image_digest",
                 DB(DBS(account), DBS(f->fulltag)), &rows, e);
    while (rc >= 0 && (rc = db_next(rows, e)) > 0) {
        str *d = vec_push(&digests);
        if (!d || !(*d = arena_dup(&a, db_text(rows, 0))).p)
            rc = err_no_memory(e);
    }
    for (size_t i = 0; rc >= 0 && i < digests.n; i++) {
        rc = image_get(tx, &x->arena, account, digests.p[i], &x->record, e);
        bool fits = rc > 0 && record_wanted(&x->record, f);
        if (fits)
            rc = x->fn(x->ctx, &x->record, e);
        arena_done(&x->arena);
        if (fits && !f->history)
            break;
    }
    vec_done(&digests);
    arena_done(&a);
    return rc < 0 ? rc : 0;
}

/* The newest that fits, nearly always where the tag points now, in one statement; or all. */
static int each_of_tag(struct db_tx *tx, str account, const struct image_filter *f, struct each *x,
                       struct err *e)
{
    if (f->history)
        return each_that_had_tag(tx, account, f, x, e);
    int rc = image_get_by_tag(tx, &x->arena, account, f->fulltag, &x->record, e);
    if (rc > 0 && record_wanted(&x->record, f))
        rc = x->fn(x->ctx, &x->record, e);
    else if (rc > 0) {
        arena_done(&x->arena);
        rc = each_that_had_tag(tx, account, f, x, e);
    }
    return rc < 0 ? rc : 0;
}

static int each_of_digest(struct db_tx *tx, str account, const struct image_filter *f,
                          struct each *x, struct err *e)
{
    int rc = image_get(tx, &x->arena, account, f->digest, &x->record, e);
    if (rc > 0 && record_wanted(&x->record, f))
        rc = x->fn(x->ctx, &x->record, e);
    return rc < 0 ? rc : 0;
}

int image_each(struct db_tx *tx, str account, const struct image_filter *f,
               int (*fn)(void *ctx, const struct image_record *r, struct err *e), void *ctx,
               struct err *e)
{
    struct each x = {.fn = fn, .ctx = ctx};

    arena_init(&x.arena, record_max);
    int rc = f->fulltag.p  ? each_of_tag(tx, account, f, &x, e)
             : f->digest.p ? each_of_digest(tx, account, f, &x, e)
                           : each_of_all(tx, account, f, &x, e);
    vec_done(&x.tags.v);
    arena_done(&x.arena);
    return rc;
}

void image_chain(const str *diff_ids, size_t n, char out[IMAGE_CHAIN])
{
    static const char hex[] = "0123456789abcdef";
    struct sha256 d = sha256_of("", 0);
    for (size_t i = 0; i < n; i++) {
        struct sha256 layer = sha256_of(diff_ids[i].p, diff_ids[i].n);
        unsigned char both[2 * sizeof d.b];
        memcpy(both, d.b, sizeof d.b);
        memcpy(both + sizeof d.b, layer.b, sizeof layer.b);
        d = sha256_of(both, sizeof both);
    }
    for (size_t i = 0; i < sizeof d.b; i++) {
        out[2 * i] = hex[d.b[i] >> 4];
        out[2 * i + 1] = hex[d.b[i] & 15];
    }
    out[2 * sizeof d.b] = '\0';
}
