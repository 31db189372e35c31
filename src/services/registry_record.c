#include "services/registry_record.h"

#include "base/vec.h"
#include "services/registry_ecr.h"
#include "services/secrets.h"

#define COLUMNS                                                                                    \
    "registry, registry_name, registry_type, registry_user, registry_secret, registry_verify, "    \
    "created_at, last_updated"
/* Nothing is there: the engine's accounts have no part in its host's Docker configuration. */
#define NO_DOCKER_CONFIG "/nonexistent"

static struct db_value verify_value(int verify)
{
    return verify < 0 ? DBNULL : DBI(verify);
}

static int seal(struct engine *en, str password, struct buf *out, struct err *e)
{
    buf_init(out, 64 << 10);
    return secrets_seal(en->secrets, STR("registry"), password, out, e);
}

int registry_record_add(struct engine *en, struct db_tx *tx, const struct registry_record *r,
                        str password, struct err *e)
{
    auto_buf sealed;
    int rc = seal(en, password, &sealed, e);
    if (rc < 0)
        return rc;
    int64_t n = db_exec(tx,
                        "INSERT INTO registries (account, " COLUMNS ") VALUES ($1, $2, $3, $4, $5, "
                        "$6, $7, now_us(), now_us()) ON CONFLICT (account, registry) DO NOTHING",
                        DB(DBS(r->account), DBS(r->registry), DBSN(r->name), DBSN(r->type),
                           DBS(r->user), DBB(buf_view(&sealed)), verify_value(r->verify)),
                        e);
    if (n < 0)
        return (int)n;
    return n ? 0 : err_set(e, ERR_EXISTS, "registry already exists in DB");
}

int registry_record_update(struct engine *en, struct db_tx *tx, const struct registry_record *r,
                           str password, struct err *e)
{
    auto_buf sealed;
    int rc = seal(en, password, &sealed, e);
    if (rc < 0)
        return rc;
    int64_t n = db_exec(tx,
                        "UPDATE registries SET registry_name = $3, registry_type = $4, "
                        "registry_user = $5, registry_secret = $6, registry_verify = $7, "
                        "last_updated = now_us() WHERE account = $1 AND registry = $2",
                        DB(DBS(r->account), DBS(r->registry), DBSN(r->name), DBSN(r->type),
                           DBS(r->user), DBB(buf_view(&sealed)), verify_value(r->verify)),
                        e);
    if (n < 0)
        return (int)n;
    return n ? 0 : err_set(e, ERR_NOT_FOUND, "registry not found in DB");
}

int registry_record_delete(struct db_tx *tx, str account, str registry, struct err *e)
{
    return (int)db_exec(tx, "DELETE FROM registries WHERE account = $1 AND registry = $2",
                        DB(DBS(account), DBS(registry)), e);
}

static void read_row(const struct db_rows *r, struct arena *a, str account,
                     struct registry_record *out)
{
    *out = (struct registry_record){
        .account = account,
        .registry = arena_dup(a, db_text(r, 0)),
        .name = arena_dup(a, db_text(r, 1)),
        .user = arena_dup(a, db_text(r, 3)),
        .sealed = arena_dup(a, db_blob(r, 4)),
        .verify = db_is_null(r, 5) ? -1 : db_int(r, 5) != 0,
        .created = db_int(r, 6),
        .updated = db_int(r, 7),
    };
    if (!db_is_null(r, 2))
        out->type = arena_dup(a, db_text(r, 2));
}

int registry_record_get(struct db_tx *tx, struct arena *a, str account, str registry,
                        struct registry_record *out, struct err *e)
{
    auto_rows *rows = NULL;
    int rc = db_query(tx, "SELECT " COLUMNS " FROM registries WHERE account = $1 AND registry = $2",
                      DB(DBS(account), DBS(registry)), &rows, e);
    if (rc < 0 || (rc = db_next(rows, e)) <= 0)
        return rc;
    read_row(rows, a, arena_dup(a, account), out);
    return a->full ? err_no_memory(e) : 1;
}

int registry_record_list(struct db_tx *tx, struct arena *a, str account,
                         struct registry_record **out, size_t *n, struct err *e)
{
    VEC(struct registry_record) list = {0};
    auto_rows *rows = NULL;
    str owner = arena_dup(a, account);
    int rc = db_query(
        tx, "SELECT " COLUMNS " FROM registries WHERE account = $1 ORDER BY created_at, registry",
        DB(DBS(account)), &rows, e);
    while (rc >= 0 && (rc = db_next(rows, e)) > 0) {
        struct registry_record *r = vec_push(&list);
        if (!r) {
            rc = err_no_memory(e);
            break;
        }
        read_row(rows, a, owner, r);
    }
    *n = list.n;
    *out = rc < 0 || !list.n ? NULL : arena_calloc(a, list.n, sizeof **out);
    if (*out)
        memcpy(*out, list.p, list.n * sizeof **out);
    vec_done(&list);
    return rc < 0 ? rc : a->full ? err_no_memory(e) : 0;
}

bool registry_record_matches(str record, str registry, str repo)
{
    char name[1024];

    if (registry.n + repo.n + 1 >= sizeof name)
        return false;
    snprintf(name, sizeof name, "%.*s/%.*s", STR_ARG(registry), STR_ARG(repo));
    if (str_ends(record, STR("*")))
        return str_starts(str_z(name), str_sub(record, 0, record.n - 1));
    if (str_index(record, '/') >= 0)
        return str_eq(record, str_z(name));
    return str_eq(record, registry);
}

static const char *text_z(struct arena *a, str s)
{
    return arena_dup(a, s).p;
}

struct login {
    struct arena *a;
    str account;
    struct registry_record *list;
    size_t n;
};

static int read_records(struct db_tx *tx, void *ctx, struct err *e)
{
    struct login *l = ctx;
    return registry_record_list(tx, l->a, l->account, &l->list, &l->n, e);
}

static int take_ecr(struct engine *en, struct arena *a, str account, str registry,
                    const struct registry_record *r, str secret, struct registry_options *o,
                    struct err *e)
{
    struct aws_ecr_login login = {0};
    int rc = registry_ecr_login(en, account, registry, r->user, secret, &login, e);
    if (rc < 0)
        return rc;
    o->username = text_z(a, str_z(login.user));
    o->password = text_z(a, str_z(login.password));
    explicit_bzero(&login, sizeof login);
    return 0;
}

static int take_login(struct engine *en, struct arena *a, str account, str registry,
                      const struct registry_record *r, struct registry_options *o, struct err *e)
{
    auto_buf plain;
    buf_init(&plain, 64 << 10);
    int rc = secrets_open_text(en->secrets, STR("registry"), r->sealed, &plain, e);
    if (rc < 0)
        return err_wrap(e, "password of registry %.*s", STR_ARG(r->registry));
    if (str_eq(r->type, STR("awsecr"))) {
        rc = take_ecr(en, a, account, registry, r, buf_view(&plain), o, e);
    } else if (r->user.n) {
        o->username = text_z(a, r->user);
        o->password = text_z(a, buf_view(&plain));
    }
    if (plain.n)
        explicit_bzero(plain.p, plain.n);
    o->insecure = o->plain_fallback = r->verify == 0;
    return rc < 0 ? rc : a->full ? err_no_memory(e) : 1;
}

static const struct registry_record *best_of(const struct login *l, str registry, str repo)
{
    const struct registry_record *best = NULL;
    for (size_t i = 0; i < l->n; i++)
        if (registry_record_matches(l->list[i].registry, registry, repo) &&
            (!best || l->list[i].registry.n > best->registry.n))
            best = &l->list[i];
    return best;
}

static const struct registry_options anonymous = {
    .docker_config = NO_DOCKER_CONFIG,
    .http = {.connect_timeout = 10, .retries = 2},
};

/* The configured mirror of the registry, with its own record's login. */
static int take_mirror(struct engine *en, const struct login *l, str registry, str repo,
                       struct registry_options *o, struct err *e)
{
    const char *mirror = NULL;
    for (size_t i = 0; i < en->config->n_mirrors && !mirror; i++)
        if (str_eq(str_z(en->config->mirrors[i].registry), registry))
            mirror = en->config->mirrors[i].mirror;
    struct registry_options *own = mirror ? arena_new(l->a, struct registry_options) : NULL;
    if (!mirror || !own)
        return mirror ? err_no_memory(e) : 0;
    str prefix = str_z(mirror), host = str_split(&prefix, '/');
    str path =
        arena_printf(l->a, "%.*s%s%.*s", STR_ARG(prefix), prefix.n ? "/" : "", STR_ARG(repo));
    const struct registry_record *r = best_of(l, host, path);
    *own = anonymous;
    int rc = r ? take_login(en, l->a, l->account, host, r, own, e) : 0;
    o->mirror = mirror;
    o->mirror_options = own;
    return rc < 0 ? err_wrap(e, "mirror %s", mirror) : 0;
}

int registry_login(struct engine *en, struct arena *a, str account, str registry, str repo,
                   struct registry_options *o, struct err *e)
{
    struct login l = {.a = a, .account = account};
    *o = anonymous;
    int rc = db_run(en->db, DB_READ, read_records, &l, e);
    if (rc == 0)
        rc = take_mirror(en, &l, registry, repo, o, e);
    if (rc < 0)
        return rc;
    const struct registry_record *best = best_of(&l, registry, repo);
    return best ? take_login(en, a, account, registry, best, o, e) : 0;
}
