#include "store/db_driver.h"

#include "base/auto.h"
#include "base/buf.h"
#include "base/hash.h"

static const char *dialect_word(const struct db_driver *d, str word)
{
    for (const char *const(*w)[2] = d->dialect; (*w)[0]; w++)
        if (str_eq(str_z((*w)[0]), word))
            return (*w)[1];
    return NULL;
}

char *db_rewrite(const struct db_driver *d, const char *sql, struct err *e)
{
    auto_buf out;
    buf_init(&out, 1 << 20);
    str rest = str_z(sql);
    while (rest.n) {
        ptrdiff_t at = str_index(rest, '{');
        ptrdiff_t end = at < 0 ? -1 : str_index(rest, '}');
        if (end < at || at < 0) {
            buf_add_str(&out, rest);
            break;
        }
        buf_add_str(&out, str_sub(rest, 0, at));
        str word = str_sub(rest, at + 1, end);
        if (!word.n || word.p[0] < 'a' || word.p[0] > 'z') { /* '{}' in a literal */
            buf_add_char(&out, '{');
            rest = str_from(rest, at + 1);
            continue;
        }
        const char *text = dialect_word(d, word);
        if (!text) {
            err_set(e, ERR_USAGE, "statement has an unknown word {%.*s}", STR_ARG(word));
            return NULL;
        }
        buf_add_str(&out, str_z(text));
        rest = str_from(rest, end + 1);
    }
    if (!buf_z(&out)) {
        err_set(e, ERR_LIMIT, "statement is longer than 1 MiB");
        return NULL;
    }
    return TAKE(out.p);
}

static void stmt_free(struct db_conn *c, struct db_stmt *st)
{
    if (!st)
        return;
    c->driver->unprepare(c, st);
    free(st->sql);
    free(st->types);
    free(st->index);
    free(st);
}

static bool stmt_is(const struct db_conn *c, const struct db_stmt *st, uint64_t hash,
                    const char *sql, const struct db_value *v, size_t n)
{
    if (!st || st->hash != hash || strcmp(st->sql, sql) != 0 || st->n_types != n)
        return false;
    for (size_t i = 0; c->driver->typed && i < n; i++)
        if (st->types[i] != v[i].type)
            return false;
    return true;
}

static struct db_stmt *stmt_new(struct db_conn *c, const char *sql, const struct db_value *v,
                                size_t n, struct err *e)
{
    struct db_stmt *st = calloc(1, sizeof *st);
    if (!st)
        return err_no_memory(e), NULL;
    st->sql = strdup(sql);
    st->types = malloc(n + 1);
    st->index = calloc(n + 1, sizeof *st->index);
    st->n_types = n;
    autofree char *text = db_rewrite(c->driver, sql, e);
    if (!st->sql || !st->types || !st->index || !text) {
        if (text)
            err_no_memory(e);
        stmt_free(c, st);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        st->types[i] = v[i].type;
    if (c->driver->prepare(c, text, v, n, st, e) < 0) {
        stmt_free(c, st);
        return NULL;
    }
    return st;
}

int db_stmt_get(struct db_conn *c, const char *sql, const struct db_value *v, size_t n,
                struct db_stmt **out, struct err *e)
{
    if (n > DB_MAX_VALUES)
        return err_set(e, ERR_LIMIT, "statement with %zu values", n);
    uint64_t hash = hash64(sql, strlen(sql));
    for (size_t i = 0; c->driver->typed && i < n; i++)
        hash = (hash ^ v[i].type) * 0x9e3779b97f4a7c15ULL;
    struct db_stmt **a = &c->slots[hash % DB_CACHE_SLOTS],
                   **b = &c->slots[hash % DB_CACHE_SLOTS ^ 1];
    struct db_stmt *st = stmt_is(c, *a, hash, sql, v, n)   ? *a
                         : stmt_is(c, *b, hash, sql, v, n) ? *b
                                                           : NULL;
    if (!st || st->open) {
        bool twin = st != NULL;
        struct err local = {0};
        st = stmt_new(c, sql, v, n, &local);
        if (!st) {
            if (e)
                *e = local;
            return local.code;
        }
        st->hash = hash;
        struct db_stmt **slot = !*a || (*b && (*a)->used <= (*b)->used) ? a : b;
        if (!twin && !(*slot && (*slot)->open)) {
            stmt_free(c, *slot);
            *slot = st;
            st->cached = true;
        }
    }
    st->used = ++c->uses;
    st->open++;
    *out = st;
    return 0;
}

void db_stmt_release(struct db_conn *c, struct db_stmt *st)
{
    st->open--;
    if (!st->cached)
        stmt_free(c, st);
}

void db_stmt_drop_all(struct db_conn *c)
{
    for (size_t i = 0; i < DB_CACHE_SLOTS; i++) {
        stmt_free(c, c->slots[i]);
        c->slots[i] = NULL;
    }
}

int db_script(struct db_tx *tx, const char *sql, struct err *e)
{
    struct err local = {0};
    autofree char *text = db_rewrite(tx->conn->driver, sql, &local);
    int rc = text ? tx->conn->driver->script(tx->conn, text, &local) : local.code;
    if (rc < 0) {
        tx->failed = rc;
        tx->again |= tx->conn->again;
        if (e)
            *e = local;
    }
    return rc;
}

str db_like(struct arena *a, str text, bool stars)
{
    char *p = arena_alloc(a, text.n * 2 + 1);
    if (!p)
        return (str){0};
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '*' && stars)
            c = '%';
        else if (c == '%' || c == '_' || c == '!')
            p[n++] = '!';
        p[n++] = c;
    }
    return (str){p, n};
}
