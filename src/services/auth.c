#include "services/auth.h"

#include "base/clock.h"
#include "base/text.h"
#include "net/base64.h"
#include "services/account.h"
#include "services/auth_memory.h"
#include "services/auth_parts.h"
#include "services/setting.h"

#include <sodium.h>

#define INTERNAL_PREFIX "kellet-internal."
enum { INTERNAL_WINDOW = 600, HEADER_MAX = 16384, PASSWORD_MAX = 1024 };

struct auth {
    struct engine *engine;
    struct passwords *passwords;
    struct tokens *tokens;         /* NULL: not configured */
    struct identities *identities; /* NULL: a look-up costs no round trip */
    unsigned char internal_key[32];
    char fresh_password[33]; /* empty: none was made */
};

/* ---- what a new database lacks ----------------------------------------------------------------
 */
struct bootstrap {
    struct auth *auth;
    str hash;
    size_t length;
};

static int bootstrap_account(struct engine *en, struct db_tx *tx, str name, str type, str email,
                             struct err *e)
{
    struct account x = {.name = name, .type = type, .state = STR("enabled"), .email = email};
    int rc = account_add(tx, &x, e);
    if (rc == ERR_EXISTS)
        return 0;
    if (rc == 0)
        rc = user_add(tx, name, name,
                      str_eq(type, STR("service")) ? STR("internal") : STR("native"), e);
    return rc < 0 ? rc : 1;
}

static int bootstrap_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct bootstrap *b = ctx;
    struct engine *en = b->auth->engine;
    const char *email = en->config->admin_email;
    int rc =
        bootstrap_account(en, tx, STR("anchore-system"), STR("service"), STR("system@system"), e);
    if (rc < 0)
        return rc;
    rc = bootstrap_account(en, tx, STR("admin"), STR("admin"),
                           str_z(email && *email ? email : "admin@myanchore"), e);
    if (rc <= 0)
        return rc;
    rc = credential_put(tx, STR("admin"), b->hash, b->length, e);
    if (rc == 0)
        rc = account_add_bundles(en, tx, STR("admin"), e);
    return rc < 0 ? rc : 1;
}

static int admin_exists(struct db_tx *tx, void *ctx, struct err *e)
{
    int64_t n = 0;
    int rc = db_query_int(tx, "SELECT COUNT(*) FROM accounts WHERE name = 'admin'", DB0, &n, e);
    return rc < 0 ? rc : n > 0;
}

static void make_password(char out[33])
{
    static const char letters[] = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    for (int i = 0; i < 24; i++)
        out[i] = letters[randombytes_uniform(sizeof letters - 1)];
    out[24] = 0;
}

static int bootstrap(struct auth *a, struct err *e)
{
    struct db *db = a->engine->db;
    int rc = db_run(db, DB_READ, admin_exists, NULL, e);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    const char *configured = a->engine->config->admin_password;
    bool fresh = !configured || !*configured;
    if (fresh)
        make_password(a->fresh_password);
    str password = str_z(fresh ? a->fresh_password : configured);
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct bootstrap b = {.auth = a, .length = password.n};
    rc = auth_hash(a, &arena, password, &b.hash, e);
    if (rc == 0)
        rc = db_run(db, DB_WRITE, bootstrap_run, &b, e);
    arena_done(&arena);
    if (rc != 1)
        a->fresh_password[0] = 0;
    return rc < 0 ? rc : 0;
}

static void on_change(void *ctx, str payload)
{
    (void)payload;
    identities_forget(ctx);
}

static int identities_begin(struct auth *a, struct err *e)
{
    struct db *db = a->engine->db;
    if (db_kind(db) != DB_POSTGRES)
        return 0;
    int rc = identities_open(&a->identities, e);
    return rc < 0 ? rc : db_listen(db, IDENTITY_CHANNEL, on_change, a->identities, e);
}

int auth_open(struct engine *en, struct err *e)
{
    struct auth *a = calloc(1, sizeof *a);
    if (!a)
        return err_no_memory(e);
    a->engine = en;
    int rc = passwords_open(&a->passwords, e);
    if (rc == 0)
        rc = setting_secret(en->db, "internal_key", a->internal_key, e);
    unsigned char token_key[32];
    if (rc == 0)
        rc = setting_secret(en->db, "token_key", token_key, e);
    if (rc == 0)
        rc = tokens_open(en->config, token_key, &a->tokens, e);
    if (rc == 0)
        rc = bootstrap(a, e);
    if (rc == 0)
        rc = identities_begin(a, e);
    if (rc < 0) {
        auth_close(a);
        return err_wrap(e, "while making accounts and credentials ready");
    }
    en->auth = a;
    return 0;
}

void auth_close(struct auth *a)
{
    if (!a)
        return;
    passwords_close(a->passwords);
    tokens_close(a->tokens);
    identities_close(a->identities);
    sodium_memzero(a, sizeof *a);
    free(a);
}

void auth_forget(struct engine *en)
{
    if (en->auth && en->auth->identities)
        identities_forget(en->auth->identities);
}

const char *auth_new_password(const struct auth *a)
{
    return a->fresh_password[0] ? a->fresh_password : NULL;
}

int auth_hash(struct auth *a, struct arena *arena, str password, str *out, struct err *e)
{
    if (password.n == 0 || password.n > PASSWORD_MAX)
        return err_set(e, ERR_USAGE, "a password has 1 to %d bytes", PASSWORD_MAX);
    return passwords_hash(a->passwords, arena, password, out, e);
}

int auth_token(struct auth *a, str user_uuid, struct buf *out, struct err *e)
{
    if (!a->tokens)
        return err_set(e, ERR_UNSUPPORTED, "tokens are not configured");
    return tokens_make(a->tokens, user_uuid, a->engine->config->token_seconds, out, e);
}

/* ---- between services -------------------------------------------------------------------------
 */
static void internal_mac(struct auth *a, str text, char hex[65])
{
    unsigned char mac[32];
    crypto_generichash(mac, sizeof mac, (const unsigned char *)text.p, text.n, a->internal_key,
                       sizeof a->internal_key);
    sodium_bin2hex(hex, 65, mac, sizeof mac);
}

int auth_internal(struct engine *en, struct buf *out, struct err *e)
{
    char now[32], mac[65];
    int n = snprintf(now, sizeof now, "%lld", (long long)time(NULL));
    internal_mac(en->auth, (str){now, (size_t)n}, mac);
    buf_addf(out, "Bearer " INTERNAL_PREFIX "%s.%s", now, mac);
    return buf_check(out, "a credential", e);
}

static bool internal_is_good(struct auth *a, str token)
{
    str rest = str_from(token, sizeof INTERNAL_PREFIX - 1), when = str_split(&rest, '.');
    uint64_t at = 0;
    char mac[65];
    if (!str_to_u64(when, &at) || rest.n != 64)
        return false;
    int64_t off = (int64_t)at - time(NULL);
    if (off > INTERNAL_WINDOW || off < -INTERNAL_WINDOW)
        return false;
    internal_mac(a, when, mac);
    return sodium_memcmp(mac, rest.p, 64) == 0;
}

/* ---- who asks ---------------------------------------------------------------------------------
 */
struct claim { /* what the header says */
    enum { CLAIM_NONE, CLAIM_PASSWORD, CLAIM_TOKEN, CLAIM_INTERNAL } kind;
    str username, password; /* in the call's arena */
    str uuid;
};

struct lookup {
    struct call *c;
    const struct claim *claim;
    str stored; /* credential */
};

static int lookup_run(struct db_tx *tx, void *ctx, struct err *e)
{
    struct lookup *l = ctx;
    struct arena *a = &l->c->arena;
    bool by_name = l->claim->kind == CLAIM_PASSWORD;
    auto_rows *r = NULL;
    int rc = db_query(tx,
                      by_name ? "SELECT u.username, a.name, a.type, a.state, u.uuid, k.value"
                                " FROM account_users u JOIN accounts a ON a.name = u.account_name"
                                " LEFT JOIN user_access_credentials k ON k.username = u.username"
                                " AND k.type = 'password' WHERE u.username = $1"
                              : "SELECT u.username, a.name, a.type, a.state, u.uuid, NULL"
                                " FROM account_users u JOIN accounts a ON a.name = u.account_name"
                                " WHERE u.uuid = $1",
                      DB(DBS(by_name ? l->claim->username : l->claim->uuid)), &r, e);
    if (rc == 0)
        rc = db_next(r, e);
    if (rc != 1)
        return rc;
    str *to[] = {&l->c->who.username,      &l->c->who.account, &l->c->who.account_type,
                 &l->c->who.account_state, &l->c->who.uuid,    &l->stored};
    for (int i = 0; i < 6; i++)
        *to[i] = arena_dup(a, db_text(r, i));
    return a->full ? err_no_memory(e) : 1;
}

static int claim_basic(struct call *c, str value, struct claim *out)
{
    auto_buf text;
    buf_init(&text, HEADER_MAX);
    if (base64_decode(value, &text, NULL) < 0)
        return 0;
    str all = buf_view(&text);
    ptrdiff_t colon = str_index(all, ':');
    if (colon <= 0 || !text_is_utf8(str_sub(all, 0, (size_t)colon)) || (size_t)colon > 256 ||
        all.n - (size_t)colon > PASSWORD_MAX)
        return 0;
    all = arena_dup(&c->arena, all);
    if (!all.p)
        return err_no_memory(c->err);
    out->kind = CLAIM_PASSWORD;
    out->username = str_sub(all, 0, (size_t)colon);
    out->password = str_from(all, (size_t)colon + 1);
    return 0;
}

static int claim_bearer(struct call *c, str value, struct claim *out)
{
    struct auth *a = c->engine->auth;
    if (str_starts(value, STR(INTERNAL_PREFIX))) {
        if (internal_is_good(a, value))
            out->kind = CLAIM_INTERNAL;
        return 0;
    }
    if (!a->tokens)
        return 0;
    int rc = tokens_check(a->tokens, value, &c->arena, &out->uuid, c->err);
    if (rc == 1)
        out->kind = CLAIM_TOKEN;
    return rc < 0 ? rc : 0;
}

static int claim_read(struct call *c, struct claim *out)
{
    str rest = str_trim(call_header(c, "Authorization"));
    if (rest.n == 0 || rest.n > HEADER_MAX)
        return 0;
    str scheme = str_split(&rest, ' ');
    rest = str_trim(rest);
    if (str_eq_nocase(scheme, STR("basic")))
        return claim_basic(c, rest, out);
    if (str_eq_nocase(scheme, STR("bearer")) || str_eq_nocase(scheme, STR("jwt")))
        return claim_bearer(c, rest, out);
    return 0;
}

int auth_answer_401(struct call *c)
{
    call_reply_header(c, "WWW-Authenticate", "basic realm=\"Authentication required\"");
    return call_send_text(c, 401, "text/html; charset=utf-8", STR("Unauthorized"));
}

static int answer(int rc)
{
    return rc < 0 ? rc : 1;
}

static int look_up(struct call *c, const struct claim *claim, str *hash)
{
    struct lookup l = {.c = c, .claim = claim};
    struct identities *m = c->engine->auth->identities;
    bool by_uuid = claim->kind == CLAIM_TOKEN;
    str key = by_uuid ? claim->uuid : claim->username;
    int64_t now = clock_ms();
    int rc = 1;
    if (!m || !identities_get(m, by_uuid, key, now, &c->arena, &c->who, &l.stored)) {
        uint64_t turn = m ? identities_turn(m) : 0;
        rc = db_run(c->engine->db, DB_READ, lookup_run, &l, c->err);
        if (m && rc == 1)
            identities_put(m, by_uuid, key, now, turn, &c->who, l.stored);
    }
    struct credential k = {0};
    credential_parse(l.stored, &k);
    *hash = k.hash;
    return rc;
}

static str peer_of(const struct call *c)
{
    return c->rq ? httpd_peer(c->rq) : (str){0};
}

/* 1: proven; 0: not. */
static int prove(struct call *c, const struct claim *claim)
{
    if (claim->kind == CLAIM_NONE)
        return 0;
    if (claim->kind == CLAIM_INTERNAL) {
        c->who = (struct identity){.username = STR("anchore-system"),
                                   .account = STR("anchore-system"),
                                   .account_type = STR("service"),
                                   .account_state = STR("enabled"),
                                   .internal = true};
        return 1;
    }
    str hash = {0};
    int rc = look_up(c, claim, &hash);
    if (rc < 0 || claim->kind == CLAIM_TOKEN)
        return rc;
    rc = passwords_check(c->engine->auth->passwords, claim->username, rc == 1 ? hash : (str){0},
                         claim->password, peer_of(c), c->err);
    if (rc == 0)
        c->who = (struct identity){0};
    return rc;
}

int auth_identify(struct call *c)
{
    struct claim claim = {0};
    int rc = claim_read(c, &claim);
    if (rc == 0)
        rc = prove(c, &claim);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return answer(auth_answer_401(c));
    if (!str_eq(c->who.account_state, STR("enabled")))
        return answer(call_error(c, 403, "Not authorized. Account %.*s not enabled.",
                                 STR_ARG(c->who.account)));
    str other = str_trim(call_header(c, "x-anchore-account"));
    c->account = c->who.account;
    if (other.n > 256 || !text_is_utf8(other))
        return answer(call_error(c, 400, "x-anchore-account is no name of an account"));
    if (other.n) {
        c->account = arena_dup(&c->arena, other);
        if (!c->account.p)
            return err_no_memory(c->err);
    }
    return 0;
}

bool auth_will_wait(struct call *c)
{
    struct claim claim = {0};
    if (claim_read(c, &claim) < 0 || claim.kind != CLAIM_PASSWORD)
        return false;
    return !passwords_remembered(c->engine->auth->passwords, claim.username, (str){0},
                                 claim.password);
}

int auth_check_password(struct call *c, str username, str password, str *uuid, struct err *e)
{
    struct claim claim = {.kind = CLAIM_PASSWORD, .username = username, .password = password};
    if (username.n > 256 || password.n > PASSWORD_MAX || !text_is_utf8(username))
        return 0;
    struct identity before = c->who;
    int rc = prove(c, &claim);
    *uuid = c->who.uuid;
    if (rc == 1 && !str_eq(c->who.account_state, STR("enabled")))
        rc = 0;
    c->who = before;
    return rc;
}

/* ---- what they may do -------------------------------------------------------------------------
 */
struct system_action {
    const char *action;
    bool names_account; /* the target is the account in the path */
};
/* These concern the whole system. All others concern one account. */
static const struct system_action system_actions[] = {
    {"listAccounts", false},  {"createAccount", false}, {"updateAccount", true},
    {"deleteAccount", true},  {"listServices", false},  {"getService", false},
    {"deleteService", false}, {"updateFeeds", false},
};

static const struct system_action *system_action_of(const char *action)
{
    for (size_t i = 0; i < sizeof system_actions / sizeof *system_actions; i++) {
        if (strcmp(system_actions[i].action, action) == 0)
            return &system_actions[i];
    }
    return NULL;
}

/* A rule for all accounts is the system's. */
static bool is_global_rule(const struct call *c, const char *action)
{
    return strcmp(action, "createArchiveTransitionRule") == 0 && c->body &&
           yyjson_is_true(json_get(c->body, "system_global"));
}

static int refuse(struct call *c, str domain, const char *action, str target)
{
    return answer(call_error(c, 403,
                             "Not authorized. Requires permissions: domain=%.*s action=%s"
                             " target=%.*s",
                             STR_ARG(domain), action, STR_ARG(target)));
}

int auth_authorize(struct call *c, const char *action)
{
    if (str_eq(c->who.account_type, STR("admin")) || str_eq(c->who.account_type, STR("service")))
        return 0;
    str path_account = call_param(c, "accountname");
    const char *what = action && *action ? action : "access";
    const struct system_action *s = system_action_of(what);
    if (s || is_global_rule(c, what))
        return refuse(c, STR("system"), what, s && s->names_account ? path_account : STR("*"));
    if (path_account.p && !str_eq(path_account, c->who.account))
        return refuse(c, path_account, what, STR("*"));
    if (!str_eq(c->account, c->who.account))
        return refuse(c, c->account, what, STR("*"));
    return 0;
}
