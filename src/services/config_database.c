#include "services/config_internal.h"

#include <stdlib.h>

static int hex_digit(char c)
{
    return ke_isdigit(c)                                  ? c - '0'
           : ke_tolower(c) >= 'a' && ke_tolower(c) <= 'f' ? ke_tolower(c) - 'a' + 10
                                                          : -1;
}

/* Percent-decodes what is encoded properly, and encodes all that a URL may not hold. */
static void url_part(struct buf *out, str s)
{
    for (size_t i = 0; i < s.n; i++) {
        int hi = s.p[i] == '%' && i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1;
        int lo = hi >= 0 ? hex_digit(s.p[i + 2]) : -1;
        char c = s.p[i];
        if (lo >= 0) {
            c = (char)(hi << 4 | lo);
            i += 2;
        }
        if (ke_isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~')
            buf_add_char(out, c);
        else
            buf_addf(out, "%%%02X", (unsigned char)c);
    }
}

static const char *sqlite_url(struct arena *a, str url, const char *data_dir)
{
    str path = str_starts(url, STR("sqlite:")) ? str_from(url, 7) : (str){NULL, 0};
    if (str_starts(path, STR("///")))
        path = str_from(path, 3);
    if (!path.n)
        return arena_printf(a, "sqlite:%s/kellet.db", data_dir).p;
    if (path.p[0] == '/')
        return arena_printf(a, "sqlite:%.*s", STR_ARG(path)).p;
    return arena_printf(a, "sqlite:%s/%.*s", data_dir, STR_ARG(path)).p;
}

const char *config_database_url(struct arena *a, str url, const char *data_dir, str query)
{
    if (str_eq(url, STR("sqlite")) || str_starts(url, STR("sqlite:")))
        return sqlite_url(a, url, data_dir);
    ptrdiff_t at = str_find(url, STR("://"));
    str scheme = at > 0 ? str_sub(url, 0, (size_t)at) : (str){NULL, 0};
    str driver = scheme;
    str kind = str_split(&driver, '+');
    if (!str_eq(kind, STR("postgresql")) && !str_eq(kind, STR("postgres")))
        return NULL;
    str rest = str_from(url, (size_t)at + 3);
    auto_buf out;
    buf_init(&out, 16384);
    buf_add_str(&out, STR("postgresql://"));
    ptrdiff_t host = str_rindex(rest, '@');
    if (host >= 0) {
        str password = str_sub(rest, 0, (size_t)host);
        str user = str_split(&password, ':');
        url_part(&out, user);
        if (password.n) {
            buf_add_char(&out, ':');
            url_part(&out, password);
        }
        buf_add_char(&out, '@');
        rest = str_from(rest, (size_t)host + 1);
    }
    buf_add_str(&out, rest);
    if (query.n) {
        buf_add_char(&out, str_index(rest, '?') >= 0 ? '&' : '?');
        buf_add_str(&out, query);
    }
    return buf_ok(&out) ? arena_dup(a, buf_view(&out)).p : NULL;
}

/* libpq's own parameters among db_connect_args. */
static const char *const libpq_args[] = {
    "application_name",
    "connect_timeout",
    "gssencmode",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "options",
    "passfile",
    "sslcert",
    "sslcrl",
    "sslkey",
    "sslmode",
    "sslpassword",
    "sslrootcert",
    "target_session_attrs",
    "tcp_user_timeout",
    "channel_binding",
    "krbsrvname",
    "service",
};

#define DATABASE      "credentials.database"
#define DATABASE_ARGS "credentials.database.db_connect_args"

static void arg_add(struct buf *out, const char *name, str value)
{
    if (out->n)
        buf_add_char(out, '&');
    buf_addf(out, "%s=", name);
    url_part(out, value);
}

static void args_read(struct config_loader *l, struct buf *query)
{
    yyjson_val *args = config_at(l->text, STR(DATABASE_ARGS));
    if (args && !yyjson_is_null(args) && !yyjson_is_obj(args))
        config_problem(l, true, DATABASE_ARGS, "%s must be a mapping", DATABASE_ARGS);
    bool ssl = config_get_bool(l, DATABASE_ARGS ".ssl", false);
    if (ssl && !config_at(args, STR("sslmode")))
        arg_add(query, "sslmode", STR("require"));
    for (size_t i = 0; i < KE_ARRAY_LEN(libpq_args); i++) {
        str v = json_text(config_at(args, str_z(libpq_args[i])));
        if (v.n && strcmp(libpq_args[i], "connect_timeout") != 0)
            arg_add(query, libpq_args[i], v);
    }
    yyjson_obj_iter it = yyjson_obj_iter_with(args);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&it));) {
        str k = json_text(key);
        bool known = str_eq(k, STR("ssl")) || str_eq(k, STR("timeout"));
        for (size_t i = 0; i < KE_ARRAY_LEN(libpq_args) && !known; i++)
            known = str_eq(k, str_z(libpq_args[i]));
        char path[300];
        snprintf(path, sizeof path, DATABASE_ARGS ".%.*s", (int)(k.n > 200 ? 200 : k.n), k.p);
        if (!known)
            config_problem(l, false, path, "%s is no argument of PostgreSQL connections", path);
    }
}

/* Without a file: ANCHORE_DB_HOST and its kin, or KELLET_DB, or SQLite. */
static const char *environment_url(struct config_loader *l)
{
    struct arena *a = &l->c->arena;
    const char *url = getenv("KELLET_DB"), *host = config_variable(l, "ANCHORE_DB_HOST");
    if (url && *url)
        return arena_dup(a, str_z(url)).p;
    if (!host || !*host)
        return "sqlite:";
    const char *names[] = {"ANCHORE_DB_USER", "ANCHORE_DB_PASSWORD", "ANCHORE_DB_PORT",
                           "ANCHORE_DB_NAME"};
    const char *values[] = {"postgres", "", "5432", "postgres"};
    for (size_t i = 0; i < 4; i++) {
        const char *v = config_variable(l, names[i]);
        if (v && *v)
            values[i] = v;
    }
    auto_buf out;
    buf_init(&out, 8192);
    buf_add_str(&out, STR("postgresql://"));
    url_part(&out, str_z(values[0]));
    buf_add_char(&out, ':');
    url_part(&out, str_z(values[1]));
    buf_addf(&out, "@%s:%s/", host, values[2]);
    url_part(&out, str_z(values[3]));
    return buf_ok(&out) ? arena_dup(a, buf_view(&out)).p : NULL;
}

int config_database_read(struct config_loader *l, struct err *e)
{
    struct config *c = l->c;
    const char *url = config_get_text(l, DATABASE ".db_connect", NULL);
    if (!l->directory || (!url && getenv("KELLET_DB")))
        url = environment_url(l);
    else if (!url || !*url)
        config_problem(l, !config_skips(l, "credentials"), DATABASE,
                       DATABASE ".db_connect is missing (\"sqlite:\" is the built-in database)");
    auto_buf query;
    buf_init(&query, 8192);
    args_read(l, &query);
    c->database_url = config_database_url(&c->arena, str_z(url && *url ? url : "sqlite:"),
                                          c->data_dir, buf_view(&query));
    if (!c->database_url)
        config_problem(l, true, DATABASE ".db_connect",
                       DATABASE ".db_connect must begin with postgresql:// or sqlite:");
    int64_t timeout = config_get_int(l, DATABASE_ARGS ".connect_timeout", 10, 0, 86400);
    timeout = config_get_int(l, DATABASE_ARGS ".timeout", timeout, 0, 86400);
    c->database_timeout = (unsigned)(timeout < 1 ? 1 : timeout > 120 ? 120 : timeout);
    /* The original's 30 and 100 more per process do not fit small servers: they are maxima here. */
    int64_t most = config_get_int(l, DATABASE ".db_pool_size", 30, 0, 10000);
    config_get_int(l, DATABASE ".db_pool_max_overflow", 100, -1, 10000);
    unsigned selected = 0;
    for (int i = 0; i < SERVICE_COUNT; i++)
        selected += c->services[i].selected;
    unsigned want = selected > 1 ? 8 : 4;
    c->database_connections = most && most < want ? (unsigned)(most < 2 ? 2 : most) : want;
    return buf_check(&query, DATABASE_ARGS, e);
}
