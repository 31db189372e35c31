#include "services/image_history.h"

#include "base/vec.h"

enum { WHY_MAX = 4000, LISTED_MAX = 1000 };

static const struct {
    char letter;
    const char *name;
} states[] = {
    {'n', "not_analyzed"}, {'a', "analyzing"}, {'d', "analyzed"}, {'f', "analysis_failed"},
    {'A', "active"},       {'X', "deleting"},  {'R', "archived"},
};

static char letter_of(str state)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(states); i++)
        if (str_eq(state, str_z(states[i].name)))
            return states[i].letter;
    return '-';
}

static str state_of(char letter)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(states); i++)
        if (states[i].letter == letter)
            return str_z(states[i].name);
    return STR("");
}

/* ---- writing */

static int host_number(struct db_tx *tx, str name, int64_t *id, struct err *e)
{
    for (int attempt = 0; attempt < 3; attempt++) {
        int rc = db_query_int(tx, "SELECT id FROM host WHERE name = $1", DB(DBS(name)), id, e);
        if (rc == ERR_NOT_FOUND)
            rc = db_query_int(tx,
                              "INSERT INTO host (name) VALUES ($1) ON CONFLICT (name) DO NOTHING"
                              " RETURNING id",
                              DB(DBS(name)), id, e);
        if (rc != ERR_NOT_FOUND)
            return rc;
    }
    return err_set(e, ERR_CONFLICT, "the row of a host comes and goes");
}

int image_history_line(struct db_tx *tx, str from, str to, str owner, str why, struct buf *out,
                       struct err *e)
{
    int64_t host = 0;
    int rc = owner.n ? host_number(tx, owner, &host, e) : 0;
    if (rc < 0)
        return rc;
    buf_addf(out, " %c%c ", letter_of(from), letter_of(to));
    if (host)
        buf_addf(out, "%lld ", (long long)host);
    else
        buf_add_str(out, STR("- "));
    why = str_sub(why.p ? why : STR(""), 0, WHY_MAX);
    for (size_t i = 0; i < why.n; i++)
        buf_add_char(out, why.p[i] == '\n' ? '\v' : why.p[i]);
    buf_add_char(out, '\n');
    return buf_check(out, "why an image's state changes", e);
}

/* ---- reading */

typedef VEC(struct image_transition) transitions;

static int add(transitions *list, const struct image_transition *t, struct err *e)
{
    struct image_transition *slot = vec_push(list);
    if (!slot)
        return err_no_memory(e);
    *slot = *t;
    return 0;
}

static int host_name(struct db_tx *tx, struct arena *a, str number, str *out, struct err *e)
{
    uint64_t id = 0;
    auto_rows *r = NULL;
    *out = STR("");
    if (!str_to_u64(number, &id))
        return 0;
    int rc = db_query(tx, "SELECT name FROM host WHERE id = $1", DB(DBI(id)), &r, e);
    if (rc == 0)
        rc = db_next(r, e);
    if (rc == 1)
        *out = arena_dup(a, db_text(r, 0));
    return rc < 0 ? rc : 0;
}

/* What is no line is skipped. */
static int add_line(struct db_tx *tx, struct arena *a, int64_t created, str line, transitions *list,
                    struct err *e)
{
    struct image_transition t = {0};
    uint64_t since = 0;
    if (!str_starts(line, STR("+")))
        return 0;
    line = str_from(line, 1);
    bool before = str_starts(line, STR("-"));
    str number = str_split(&line, ' '), change = str_split(&line, ' ');
    str host = str_split(&line, ' ');
    if (!str_to_u64(str_from(number, before), &since) || since > INT64_MAX / 2 || change.n != 2)
        return 0;
    t.at = created + (before ? -(int64_t)since : (int64_t)since);
    t.from = state_of(change.p[0]);
    t.to = state_of(change.p[1]);
    char *why = arena_alloc(a, line.n + 1);
    if (!why)
        return err_no_memory(e);
    for (size_t i = 0; i < line.n; i++)
        why[i] = (char)(line.p[i] == '\v' ? '\n' : line.p[i]);
    t.why = (str){why, line.n};
    int rc = host_name(tx, a, host, &t.owner, e);
    return rc < 0 ? rc : add(list, &t, e);
}

static int read_history(struct db_tx *tx, struct arena *a, str account, str digest,
                        transitions *list, struct err *e)
{
    auto_rows *r = NULL;
    int rc = db_query(tx,
                      "SELECT created_at, history FROM catalog_image"
                      " WHERE account = $1 AND image_digest = $2",
                      DB(DBS(account), DBS(digest)), &r, e);
    if (rc == 0)
        rc = db_next(r, e);
    if (rc <= 0)
        return rc;
    int64_t created = db_int(r, 0);
    str rest = arena_dup(a, db_text(r, 1));
    db_rows_close(TAKE(r));
    for (rc = 0; rc == 0 && rest.n;)
        rc = add_line(tx, a, created, str_split(&rest, '\n'), list, e);
    return rc;
}

/* Of builds before. */
static int read_rows(struct db_tx *tx, struct arena *a, str account, str digest, transitions *list,
                     struct err *e)
{
    auto_rows *r = NULL;
    int rc = db_query(tx,
                      "SELECT at, from_state, to_state, host, why FROM image_transition"
                      " WHERE account = $1 AND image_digest = $2 ORDER BY id DESC LIMIT $3",
                      DB(DBS(account), DBS(digest), DBI(LISTED_MAX)), &r, e);
    while (rc >= 0 && (rc = db_next(r, e)) > 0) {
        struct image_transition t = {
            .at = db_int(r, 0),
            .from = arena_dup(a, db_text(r, 1)),
            .to = arena_dup(a, db_text(r, 2)),
            .owner = arena_dup(a, db_text(r, 3)),
            .why = arena_dup(a, db_text(r, 4)),
        };
        rc = add(list, &t, e);
    }
    return rc;
}

/* lines: the oldest first; rows: the newest first. */
static void merge(const transitions *lines, const transitions *rows, struct image_transition *out)
{
    for (size_t i = lines->n, k = 0; i || k < rows->n;) {
        bool line = i && (k == rows->n || lines->p[i - 1].at >= rows->p[k].at);
        *out++ = line ? lines->p[--i] : rows->p[k++];
    }
}

int image_transitions(struct db_tx *tx, struct arena *a, str account, str digest,
                      struct image_transition **out, size_t *n, struct err *e)
{
    transitions lines = {0}, rows = {0};
    int rc = read_history(tx, a, account, digest, &lines, e);
    if (rc >= 0)
        rc = read_rows(tx, a, account, digest, &rows, e);
    *n = rc < 0 ? 0 : lines.n + rows.n;
    *out = *n ? arena_calloc(a, *n, sizeof **out) : NULL;
    if (*out)
        merge(&lines, &rows, *out);
    vec_done(&lines);
    vec_done(&rows);
    return rc < 0 ? rc : a->full ? err_no_memory(e) : 0;
}
