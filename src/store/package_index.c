#include "store/package_index.h"

#include "base/auto.h"
#include "base/buf.h"
#include "base/hash.h"
#include "codec/digest.h"

enum { GROUP_MEAN = 16, GROUP_MAX = 64, PACKAGES_MAX = 1000000, FIELDS = 7 };

static void fields_of(const struct indexed_package *p, str out[FIELDS])
{
    const str f[FIELDS] = {p->type, p->name,      p->version, p->source,
                           p->arch, p->ecosystem, p->distro};
    for (int i = 0; i < FIELDS; i++)
        out[i] = f[i].p ? f[i] : STR("");
}

static int compare(const void *a, const void *b)
{
    str x[FIELDS], y[FIELDS];
    fields_of(*(const struct indexed_package *const *)a, x);
    fields_of(*(const struct indexed_package *const *)b, y);
    int order = 0;
    for (int i = 0; i < FIELDS && !order; i++)
        order = str_cmp(x[i], y[i]);
    return order;
}

static void add_fields(struct buf *b, const struct indexed_package *p)
{
    str f[FIELDS];
    fields_of(p, f);
    for (int i = 0; i < FIELDS; i++) {
        buf_add_varint(b, f[i].n);
        buf_add_str(b, f[i]);
    }
}

/* ---- packages and groups */

static int package_id(struct db_tx *tx, const struct indexed_package *p, int64_t *id, struct err *e)
{
    str f[FIELDS];
    fields_of(p, f);
    const struct db_value v[FIELDS] = {DBS(f[1]), DBS(f[2]), DBS(f[0]), DBS(f[3]),
                                       DBS(f[4]), DBS(f[5]), DBS(f[6])};
    const char *find = "SELECT id FROM package WHERE name = $1 AND version = $2 AND type = $3"
                       " AND source = $4 AND arch = $5 AND ecosystem = $6 AND distro = $7"
                       " {for_share}";
    int rc = db_query_int(tx, find, v, FIELDS, id, e);
    if (rc != ERR_NOT_FOUND)
        return rc;
    rc = db_query_int(tx,
                      "INSERT INTO package (name, version, type, source, arch, ecosystem, distro)"
                      " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING id",
                      v, FIELDS, id, e);
    return rc == ERR_NOT_FOUND ? db_query_int(tx, find, v, FIELDS, id, e) : rc;
}

static int group_fill(struct db_tx *tx, int64_t group, const struct indexed_package *const *p,
                      size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        int64_t id = 0, rc = package_id(tx, p[i], &id, e);
        if (rc == 0)
            rc = db_exec(tx,
                         "INSERT INTO package_group_member (package_id, group_id) VALUES ($1, $2)",
                         DB(DBI(id), DBI(group)), e);
        if (rc < 0)
            return (int)rc;
    }
    return 0;
}

static int group_id(struct db_tx *tx, const struct indexed_package *const *p, size_t n, str packed,
                    int64_t *id, struct err *e)
{
    struct sha256 d = sha256_of(packed.p, packed.n);
    str digest = {(const char *)d.b, sizeof d.b};
    const char *find = "SELECT id FROM package_group WHERE digest = $1 {for_share}";
    int rc = db_query_int(tx, find, DB(DBB(digest)), id, e);
    if (rc != ERR_NOT_FOUND)
        return rc;
    rc = db_query_int(tx,
                      "INSERT INTO package_group (digest) VALUES ($1) ON CONFLICT DO NOTHING"
                      " RETURNING id",
                      DB(DBB(digest)), id, e);
    if (rc == 0)
        return group_fill(tx, *id, p, n, e);
    return rc == ERR_NOT_FOUND ? db_query_int(tx, find, DB(DBB(digest)), id, e) : rc;
}

/* ---- images */

static int put_groups(struct db_tx *tx, int64_t image, const struct indexed_package *const *p,
                      size_t n, struct err *e)
{
    auto_buf packed;
    buf_init(&packed, 64 << 20);
    size_t from = 0;
    for (size_t i = 0; i < n; i++) {
        size_t before = packed.n;
        add_fields(&packed, p[i]);
        if (!buf_ok(&packed))
            return buf_check(&packed, "packages of an image", e);
        bool cut = hash64(packed.p + before, packed.n - before) % GROUP_MEAN == 0;
        if (!cut && i + 1 - from < GROUP_MAX && i + 1 < n)
            continue;
        int64_t group = 0, rc = group_id(tx, p + from, i + 1 - from, buf_view(&packed), &group, e);
        if (rc == 0)
            rc = db_exec(tx, "INSERT INTO package_image_group (group_id, image) VALUES ($1, $2)",
                         DB(DBI(group), DBI(image)), e);
        if (rc < 0)
            return (int)rc;
        from = i + 1;
        buf_clear(&packed);
    }
    return 0;
}

int package_index_put(struct db_tx *tx, str account, str image_digest,
                      const struct indexed_package *p, size_t n, struct err *e)
{
    if (n > PACKAGES_MAX)
        return err_set(e, ERR_LIMIT, "an image with %zu packages", n);
    autofree const struct indexed_package **sorted = calloc(n + 1, sizeof *sorted);
    if (!sorted)
        return err_no_memory(e);
    for (size_t i = 0; i < n; i++)
        sorted[i] = &p[i];
    qsort(sorted, n, sizeof *sorted, compare);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!kept || compare(&sorted[kept - 1], &sorted[i]) != 0)
            sorted[kept++] = sorted[i];
    int64_t image = 0;
    int64_t rc = db_query_int(
        tx,
        "INSERT INTO package_image (account, image_digest) VALUES ($1, $2) ON CONFLICT"
        " (account, image_digest) DO UPDATE SET image_digest = excluded.image_digest RETURNING id",
        DB(DBS(account), DBS(image_digest)), &image, e);
    if (rc == 0)
        rc = db_exec(tx, "DELETE FROM package_image_group WHERE image = $1", DB(DBI(image)), e);
    return rc < 0 ? (int)rc : put_groups(tx, image, sorted, kept, e);
}

int package_index_delete(struct db_tx *tx, str account, str image_digest, struct err *e)
{
    int64_t image = 0;
    int64_t rc = db_query_int(
        tx, "DELETE FROM package_image WHERE account = $1 AND image_digest = $2 RETURNING id",
        DB(DBS(account), DBS(image_digest)), &image, e);
    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc == 0)
        rc = db_exec(tx, "DELETE FROM package_image_group WHERE image = $1", DB(DBI(image)), e);
    return rc < 0 ? (int)rc : 1;
}

/* ---- what no one has any more */

struct sweeping {
    const char *find, *drop, *drop_members;
    size_t limit;
};

/* The rows are locked first and looked at again by a statement of its own, so that whoever takes
 * one at this moment is seen. */
static int sweep_some(struct db_tx *tx, void *ctx, struct err *e)
{
    const struct sweeping *s = ctx;
    auto_rows *r = NULL;
    int64_t gone = 0;
    int rc = db_query(tx, s->find, DB(DBI(s->limit)), &r, e);
    while (rc >= 0 && (rc = db_next(r, e)) == 1) {
        int64_t id = db_int(r, 0), n = db_exec(tx, s->drop, DB(DBI(id)), e);
        if (n > 0 && s->drop_members) {
            int64_t m = db_exec(tx, s->drop_members, DB(DBI(id)), e);
            n = m < 0 ? m : n;
        }
        gone += n > 0 ? n : 0;
        rc = n < 0 ? (int)n : 0;
    }
    return rc < 0 ? rc : (int)gone;
}

int64_t package_index_sweep(struct db *db, size_t limit, struct err *e)
{
    struct sweeping groups = {
        .find = "SELECT id FROM package_group WHERE NOT EXISTS (SELECT 1 FROM package_image_group"
                " WHERE group_id = package_group.id) LIMIT $1 {skip_locked}",
        .drop = "DELETE FROM package_group WHERE id = $1 AND NOT EXISTS"
                " (SELECT 1 FROM package_image_group WHERE group_id = $1)",
        .drop_members = "DELETE FROM package_group_member WHERE group_id = $1",
        .limit = limit < 100000 ? limit : 100000,
    };
    struct sweeping packages = {
        .find = "SELECT id FROM package WHERE NOT EXISTS (SELECT 1 FROM package_group_member"
                " WHERE package_id = package.id) LIMIT $1 {skip_locked}",
        .drop = "DELETE FROM package WHERE id = $1 AND NOT EXISTS"
                " (SELECT 1 FROM package_group_member WHERE package_id = $1)",
        .limit = groups.limit * GROUP_MEAN,
    };
    int rc = db_run(db, DB_WRITE, sweep_some, &groups, e);
    if (rc <= 0)
        return rc;
    int other = db_run(db, DB_WRITE, sweep_some, &packages, e);
    return other < 0 ? other : rc;
}
