#include "unit.h"

#include "net/base64.h"
#include "services/auth_memory.h"
#include "services/auth_parts.h"

#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

static struct err e;

static const struct config config = {
    .oauth_enabled = true, .key_secret = "a secret of tests", .token_seconds = 60};

/* ---- identities -------------------------------------------------------------------------------
 */
static const struct identity carol = {.username = STR_INIT("carol"),
                                      .account = STR_INIT("team"),
                                      .account_type = STR_INIT("user"),
                                      .account_state = STR_INIT("enabled"),
                                      .uuid = STR_INIT("0123")};

static void identities_are_remembered_for_a_moment(void **state)
{
    struct identities *m = NULL;
    struct identity who = {0};
    struct arena a;
    str credential = {0};
    arena_init(&a, 1 << 20);
    assert_ok(identities_open(&m, &e));
    assert_false(identities_get(m, false, STR("carol"), 5, &a, &who, &credential));
    identities_put(m, false, STR("carol"), 5, identities_turn(m), &carol, STR("3:hash"));
    assert_true(identities_get(m, false, STR("carol"), 5, &a, &who, &credential));
    assert_str(who.username, STR("carol"));
    assert_str(who.account, STR("team"));
    assert_str(who.account_type, STR("user"));
    assert_str(who.account_state, STR("enabled"));
    assert_str(who.uuid, STR("0123"));
    assert_str(credential, STR("3:hash"));
    assert_false(who.internal);
    assert_false(identities_get(m, true, STR("carol"), 5, &a, &who, &credential));
    assert_false(identities_get(m, false, STR("carol2"), 5, &a, &who, &credential));
    assert_true(identities_get(m, false, STR("carol"), 4 + IDENTITY_MS, &a, &who, &credential));
    assert_false(identities_get(m, false, STR("carol"), 5 + IDENTITY_MS, &a, &who, &credential));
    assert_false(identities_get(m, false, STR("carol"), 4, &a, &who, &credential));
    identities_close(m);
    arena_done(&a);
}

/* A row that was read before a change and arrives after it is not remembered. */
static void changed_identities_are_forgotten(void **state)
{
    struct identities *m = NULL;
    struct identity who = {0};
    struct arena a;
    str credential = {0};
    arena_init(&a, 1 << 20);
    assert_ok(identities_open(&m, &e));
    uint64_t turn = identities_turn(m);
    identities_put(m, true, STR("0123"), 5, turn, &carol, (str){0});
    assert_true(identities_get(m, true, STR("0123"), 5, &a, &who, &credential));
    assert_int_equal(credential.n, 0);
    identities_forget(m);
    assert_false(identities_get(m, true, STR("0123"), 5, &a, &who, &credential));
    identities_put(m, true, STR("0123"), 5, turn, &carol, (str){0});
    assert_false(identities_get(m, true, STR("0123"), 5, &a, &who, &credential));
    identities_put(m, true, STR("0123"), 5, identities_turn(m), &carol, (str){0});
    assert_true(identities_get(m, true, STR("0123"), 5, &a, &who, &credential));
    identities_close(m);
    arena_done(&a);
}

/* ---- passwords --------------------------------------------------------------------------------
 */
static void passwords_are_checked(void **state)
{
    struct passwords *p = NULL;
    struct arena a;
    arena_init(&a, 1 << 20);
    assert_ok(passwords_open(&p, &e));
    str hash, other;
    assert_ok(passwords_hash(p, &a, STR("pass:word"), &hash, &e));
    assert_ok(passwords_hash(p, &a, STR("pass:word"), &other, &e));
    assert_true(str_starts(hash, STR("$argon2id$")));
    assert_false(str_eq(hash, other));
    assert_false(passwords_remembered(p, STR("u"), hash, STR("pass:word")));
    assert_int_equal(passwords_check(p, STR("u"), hash, STR("pass:word"), STR("::1"), &e), 1);
    assert_true(passwords_remembered(p, STR("u"), hash, STR("pass:word")));
    assert_true(passwords_remembered(p, STR("u"), (str){0}, STR("pass:word")));
    assert_false(passwords_remembered(p, STR("u"), (str){0}, STR("pass:worD")));
    /* Bound to name, stored hash and password. */
    assert_false(passwords_remembered(p, STR("v"), hash, STR("pass:word")));
    assert_false(passwords_remembered(p, STR("u"), other, STR("pass:word")));
    assert_false(passwords_remembered(p, STR("u"), hash, STR("pass:worD")));
    assert_int_equal(passwords_check(p, STR("u"), hash, STR(""), STR("::1"), &e), 0);
    assert_int_equal(passwords_check(p, STR("u"), (str){0}, STR("x"), STR("::1"), &e), 0);
    assert_int_equal(passwords_check(p, STR("u"), STR("no hash"), STR("x"), STR("::1"), &e), 0);
    passwords_close(p);
    arena_done(&a);
}

static void guessing_is_slowed_for_the_guesser_only(void **state)
{
    struct passwords *p = NULL;
    struct arena a;
    arena_init(&a, 1 << 20);
    assert_ok(passwords_open(&p, &e));
    str hash;
    assert_ok(passwords_hash(p, &a, STR("right"), &hash, &e));
    for (int i = 0; i < 16; i++)
        assert_int_equal(passwords_check(p, STR("u"), hash, STR("wrong"), STR("::1"), &e), 0);
    assert_int_equal(passwords_check(p, STR("u"), hash, STR("right"), STR("::1"), &e), 0);
    assert_int_equal(passwords_check(p, STR("u"), hash, STR("right"), STR("::2"), &e), 1);
    /* What is remembered is not asked for again. */
    assert_int_equal(passwords_check(p, STR("u"), hash, STR("right"), STR("::1"), &e), 1);
    passwords_close(p);
    arena_done(&a);
}

/* ---- tokens -----------------------------------------------------------------------------------
 */
static void url64(struct buf *out, const void *p, size_t n)
{
    auto_buf b;
    buf_init(&b, 4096);
    base64_encode((str){p, n}, &b);
    for (size_t i = 0; i < b.n; i++) {
        if (b.p[i] != '=')
            buf_add_char(out, b.p[i] == '+' ? '-' : b.p[i] == '/' ? '_' : b.p[i]);
    }
}

static void make(struct buf *out, const char *head, const char *claims, const char *key)
{
    unsigned char mac[64];
    unsigned n = 0;
    url64(out, head, strlen(head));
    buf_add_char(out, '.');
    url64(out, claims, strlen(claims));
    HMAC(EVP_sha256(), key, (int)strlen(key), (const unsigned char *)out->p, out->n, mac, &n);
    buf_add_char(out, '.');
    url64(out, mac, n);
}

#define HEAD "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define GOOD "{\"iss\":\"anchore-engine\",\"sub\":\"u1\",\"exp\":99999999999}"

static const struct {
    const char *head, *claims, *key;
    int want;
} made[] = {
    {HEAD, GOOD, "a secret of tests", 1},
    {HEAD, GOOD, "another secret", 0},
    {"{\"alg\":\"none\"}", GOOD, "a secret of tests", 0},
    {"{\"alg\":\"HS512\"}", GOOD, "a secret of tests", 0},
    {"{\"alg\":\"RS256\"}", GOOD, "a secret of tests", 0},
    {"{\"alg\":\"HS256\",\"crit\":[\"x\"]}", GOOD, "a secret of tests", 0},
    {"{}", GOOD, "a secret of tests", 0},
    {"[]", GOOD, "a secret of tests", 0},
    {HEAD, "{\"iss\":\"other\",\"sub\":\"u1\",\"exp\":99999999999}", "a secret of tests", 0},
    {HEAD, "{\"iss\":\"anchore-engine\",\"exp\":99999999999}", "a secret of tests", 0},
    {HEAD, "{\"iss\":\"anchore-engine\",\"sub\":7,\"exp\":99999999999}", "a secret of tests", 0},
    {HEAD, "{\"iss\":\"anchore-engine\",\"sub\":\"u1\"}", "a secret of tests", 0},
    {HEAD, "{\"iss\":\"anchore-engine\",\"sub\":\"u1\",\"exp\":1}", "a secret of tests", 0},
    {HEAD, "{\"iss\":\"anchore-engine\",\"sub\":\"u1\",\"exp\":\"9999999999\"}",
     "a secret of tests", 0},
    {HEAD, "{\"iss\":\"anchore-engine\",\"sub\":\"u1\",\"exp\":99999999999,\"nbf\":99999999990}",
     "a secret of tests", 0},
    {HEAD, "not JSON", "a secret of tests", 0},
};

static void tokens_are_pinned(void **state)
{
    struct tokens *t = NULL;
    unsigned char none[32] = {0};
    assert_ok(tokens_open(&config, none, &t, &e));
    for (size_t i = 0; i < KE_ARRAY_LEN(made); i++) {
        struct arena a;
        auto_buf token;
        str who;
        arena_init(&a, 1 << 20);
        buf_init(&token, 8192);
        make(&token, made[i].head, made[i].claims, made[i].key);
        int got = tokens_check(t, buf_view(&token), &a, &who, &e);
        if (got != made[i].want)
            fail_msg("%s %s: %d", made[i].head, made[i].claims, got);
        if (got)
            assert_str(who, STR("u1"));
        arena_done(&a);
    }
    tokens_close(t);
}

static void tokens_round_trip(void **state)
{
    static const char *const broken[] = {"", ".", "..", "a.b", "a.b.c", "a.b.c.d", "....", "é.é.é"};
    struct tokens *t = NULL;
    unsigned char none[32] = {0};
    struct arena a;
    str who;
    arena_init(&a, 1 << 20);
    assert_ok(tokens_open(&config, none, &t, &e));
    auto_buf token;
    buf_init(&token, 8192);
    assert_ok(tokens_make(t, STR("0123"), 60, &token, &e));
    assert_int_equal(tokens_check(t, buf_view(&token), &a, &who, &e), 1);
    assert_str(who, STR("0123"));
    for (size_t i = 0; i + 2 < token.n; i++) {
        char was = token.p[i];
        token.p[i] = was == 'A' ? 'B' : 'A';
        assert_int_equal(tokens_check(t, buf_view(&token), &a, &who, &e), 0);
        token.p[i] = was;
    }
    for (size_t i = 0; i < KE_ARRAY_LEN(broken); i++)
        assert_int_equal(tokens_check(t, str_z(broken[i]), &a, &who, &e), 0);
    buf_clear(&token);
    assert_ok(tokens_make(t, STR("0123"), -1, &token, &e));
    assert_int_equal(tokens_check(t, buf_view(&token), &a, &who, &e), 0);
    tokens_close(t);
    arena_done(&a);
}

static void write_key(const char *path, EVP_PKEY *key, bool private_one)
{
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    if (private_one)
        assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
    else
        assert_int_equal(PEM_write_PUBKEY(f, key), 1);
    fclose(f);
}

/* The pair wins over the secret; whoever knows the public key can check tokens, not make them. */
static void tokens_with_a_pair_of_keys(void **state)
{
    char directory[] = "/tmp/kellet-auth-XXXXXX", mine[64], theirs[64];
    assert_non_null(mkdtemp(directory));
    snprintf(mine, sizeof mine, "%s/private.pem", directory);
    snprintf(theirs, sizeof theirs, "%s/public.pem", directory);
    EVP_PKEY *key = EVP_RSA_gen(2048);
    write_key(mine, key, true);
    write_key(theirs, key, false);
    EVP_PKEY_free(key);
    const struct config both = {.oauth_enabled = true,
                                .key_secret = "a secret of tests",
                                .key_private_path = mine,
                                .key_public_path = theirs};
    const struct config checks = {.oauth_enabled = true, .key_public_path = theirs};
    const struct config wrong = {.oauth_enabled = true, .key_private_path = theirs};
    struct tokens *t = NULL, *other = NULL;
    unsigned char none[32] = {0};
    struct arena a;
    str who;
    arena_init(&a, 1 << 20);
    assert_ok(tokens_open(&both, none, &t, &e));
    assert_ok(tokens_open(&checks, none, &other, &e));
    auto_buf token, hmac;
    buf_init(&token, 8192);
    buf_init(&hmac, 8192);
    assert_ok(tokens_make(t, STR("u7"), 60, &token, &e));
    assert_int_equal(tokens_check(t, buf_view(&token), &a, &who, &e), 1);
    assert_str(who, STR("u7"));
    assert_int_equal(tokens_check(other, buf_view(&token), &a, &who, &e), 1);
    make(&hmac, HEAD, GOOD, "a secret of tests");
    assert_int_equal(tokens_check(t, buf_view(&hmac), &a, &who, &e), 0);
    buf_clear(&token);
    assert_int_equal(tokens_make(other, STR("u7"), 60, &token, &e), ERR_UNSUPPORTED);
    tokens_close(t);
    tokens_close(other);
    t = NULL;
    assert_int_equal(tokens_open(&wrong, none, &t, &e), ERR_USAGE);
    unlink(mine);
    unlink(theirs);
    rmdir(directory);
    arena_done(&a);
}

static void tokens_need_keys(void **state)
{
    struct tokens *t = NULL;
    unsigned char own[32] = {1};
    const struct config off = {.oauth_enabled = false};
    const struct config bare = {.oauth_enabled = true};
    const struct config no_key = {.oauth_enabled = true, .file = "config.yaml"};
    const struct config lost = {.oauth_enabled = true, .key_private_path = "/nonexistent/key"};
    assert_ok(tokens_open(&off, own, &t, &e));
    assert_null(t);
    assert_ok(tokens_open(&bare, own, &t, &e));
    assert_non_null(t);
    tokens_close(t);
    t = NULL;
    assert_int_equal(tokens_open(&no_key, own, &t, &e), ERR_USAGE);
    assert_int_equal(tokens_open(&lost, own, &t, &e), ERR_USAGE);
    assert_null(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identities_are_remembered_for_a_moment),
        cmocka_unit_test(changed_identities_are_forgotten),
        cmocka_unit_test(passwords_are_checked),
        cmocka_unit_test(guessing_is_slowed_for_the_guesser_only),
        cmocka_unit_test(tokens_are_pinned),
        cmocka_unit_test(tokens_round_trip),
        cmocka_unit_test(tokens_with_a_pair_of_keys),
        cmocka_unit_test(tokens_need_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
