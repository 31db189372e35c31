#include "services/auth_parts.h"

#include "base/auto.h"
#include "codec/json.h"
#include "net/base64.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <sodium.h>
#include <stdio.h>
#include <time.h>

#define ISSUER "anchore-engine"
enum { TOKEN_MAX = 8192, SIGNATURE_MAX = 2048 };

struct tokens {
    char *secret; /* HS256 */
    size_t secret_n;
    EVP_PKEY *private_key, *public_key; /* RS256: the pair wins */
};

static int read_key(const char *path, bool private_one, EVP_PKEY **out, struct err *e)
{
    BIO *in = BIO_new_file(path, "r");
    if (!in)
        return err_set(e, ERR_USAGE, "keys: %s cannot be read", path);
    *out = private_one ? PEM_read_bio_PrivateKey(in, NULL, NULL, (void *)"")
                       : PEM_read_bio_PUBKEY(in, NULL, NULL, NULL);
    BIO_free(in);
    if (!*out || EVP_PKEY_base_id(*out) != EVP_PKEY_RSA)
        return err_set(e, ERR_USAGE, "keys: %s holds no RSA %s key in PEM form", path,
                       private_one ? "private" : "public");
    return 0;
}

int tokens_open(const struct config *c, const unsigned char fallback[32], struct tokens **out,
                struct err *e)
{
    *out = NULL;
    if (!c->oauth_enabled)
        return 0;
    bool pair = c->key_private_path || c->key_public_path;
    bool secret = c->key_secret && *c->key_secret;
    if (!pair && !secret && c->file)
        return err_set(e, ERR_USAGE,
                       "user_authentication.oauth.enabled needs keys.secret or a pair of "
                       "keys.public_key_path and keys.private_key_path");
    struct tokens *t = calloc(1, sizeof *t);
    if (!t)
        return err_no_memory(e);
    int rc = 0;
    if (pair) {
        if (c->key_private_path)
            rc = read_key(c->key_private_path, true, &t->private_key, e);
        if (rc == 0 && c->key_public_path)
            rc = read_key(c->key_public_path, false, &t->public_key, e);
    } else {
        t->secret_n = secret ? strlen(c->key_secret) : 32;
        t->secret = malloc(t->secret_n);
        if (t->secret)
            memcpy(t->secret, secret ? c->key_secret : (const char *)fallback, t->secret_n);
        rc = t->secret ? 0 : err_no_memory(e);
    }
    if (rc < 0) {
        tokens_close(t);
        return rc;
    }
    *out = t;
    return 0;
}

void tokens_close(struct tokens *t)
{
    if (!t)
        return;
    if (t->secret)
        sodium_memzero(t->secret, t->secret_n);
    free(t->secret);
    EVP_PKEY_free(t->private_key);
    EVP_PKEY_free(t->public_key);
    free(t);
}

/* ---- base64url --------------------------------------------------------------------------------
 */
static void put_url64(struct buf *out, const void *p, size_t n)
{
    auto_buf text;
    buf_init(&text, TOKEN_MAX);
    base64_encode((str){p, n}, &text);
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c != '=')
            buf_add_char(out, c == '+' ? '-' : c == '/' ? '_' : c);
    }
    if (!buf_ok(&text))
        out->failed = true;
}

static int get_url64(str s, struct buf *out, struct err *e)
{
    auto_buf text;
    buf_init(&text, TOKEN_MAX);
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!ke_isalnum(c) && c != '-' && c != '_')
            return err_set(e, ERR_FORMAT, "not base64url");
        buf_add_char(&text, c == '-' ? '+' : c == '_' ? '/' : c);
    }
    return base64_decode(buf_view(&text), out, e);
}

/* ---- signatures -------------------------------------------------------------------------------
 */
static int sign(struct tokens *t, str text, unsigned char *out, size_t *n, struct err *e)
{
    if (t->secret) {
        unsigned len = 0;
        if (!HMAC(EVP_sha256(), t->secret, (int)t->secret_n, (const unsigned char *)text.p, text.n,
                  out, &len))
            return err_set(e, ERR_IO, "HMAC failed");
        *n = len;
        return 0;
    }
    if (!t->private_key)
        return err_set(e, ERR_UNSUPPORTED, "tokens need keys.private_key_path");
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    *n = SIGNATURE_MAX;
    bool ok = ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, t->private_key) == 1 &&
              EVP_DigestSign(ctx, out, n, (const unsigned char *)text.p, text.n) == 1;
    EVP_MD_CTX_free(ctx);
    return ok ? 0 : err_set(e, ERR_IO, "RSA signature failed");
}

static bool signature_is_good(struct tokens *t, str text, str signature)
{
    if (t->secret) {
        unsigned char want[EVP_MAX_MD_SIZE];
        size_t n = 0;
        return sign(t, text, want, &n, NULL) == 0 && n == signature.n &&
               sodium_memcmp(want, signature.p, n) == 0;
    }
    EVP_PKEY *key = t->public_key ? t->public_key : t->private_key;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestVerify(ctx, (const unsigned char *)signature.p, signature.n,
                               (const unsigned char *)text.p, text.n) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

static const char *algorithm(const struct tokens *t)
{
    return t->secret ? "HS256" : "RS256";
}

int tokens_make(struct tokens *t, str subject, int64_t seconds, struct buf *out, struct err *e)
{
    unsigned char id[16], signature[SIGNATURE_MAX];
    char id_text[33], head[64];
    randombytes_buf(id, sizeof id);
    sodium_bin2hex(id_text, sizeof id_text, id, sizeof id);
    int64_t now = time(NULL);
    auto_buf claims, text;
    buf_init(&claims, TOKEN_MAX);
    buf_init(&text, TOKEN_MAX);
    buf_addf(&claims, "{\"iss\":\"" ISSUER "\",\"sub\":");
    json_put_string(&claims, subject);
    buf_addf(&claims, ",\"exp\":%lld,\"iat\":%lld,\"jti\":\"%s\"}", (long long)(now + seconds),
             (long long)now, id_text);
    int n = snprintf(head, sizeof head, "{\"alg\":\"%s\",\"typ\":\"JWT\"}", algorithm(t));
    put_url64(&text, head, (size_t)n);
    buf_add_char(&text, '.');
    put_url64(&text, claims.p, claims.n);
    size_t signature_n = 0;
    int rc = sign(t, buf_view(&text), signature, &signature_n, e);
    if (rc < 0)
        return rc;
    buf_add_str(out, buf_view(&text));
    buf_add_char(out, '.');
    put_url64(out, signature, signature_n);
    return buf_check(out, "a token", e);
}

static bool header_is_ours(const struct tokens *t, str text)
{
    auto_json *doc = NULL;
    if (json_parse(text, "a token's header", &doc, NULL) < 0)
        return false;
    yyjson_val *root = yyjson_doc_get_root(doc);
    return str_eq(json_str(root, "alg"), str_z(algorithm(t))) && !json_get(root, "crit");
}

static int claims_are_good(str text, struct arena *a, str *subject, struct err *e)
{
    auto_json *doc = NULL;
    if (json_parse(text, "a token's claims", &doc, NULL) < 0)
        return 0;
    yyjson_val *root = yyjson_doc_get_root(doc), *exp = json_get(root, "exp");
    str sub = json_str(root, "sub");
    if (!str_eq(json_str(root, "iss"), STR(ISSUER)) || sub.n == 0 || !yyjson_is_num(exp) ||
        yyjson_get_num(exp) <= (double)time(NULL))
        return 0;
    yyjson_val *from = json_get(root, "nbf");
    if (from && (!yyjson_is_num(from) || yyjson_get_num(from) > (double)time(NULL)))
        return 0;
    *subject = arena_dup(a, sub);
    return subject->p ? 1 : err_no_memory(e);
}

int tokens_check(struct tokens *t, str token, struct arena *a, str *subject, struct err *e)
{
    if (token.n > TOKEN_MAX)
        return 0;
    ptrdiff_t last = str_rindex(token, '.');
    if (last < 0)
        return 0;
    str signed_part = str_sub(token, 0, (size_t)last), rest = signed_part;
    str head = str_split(&rest, '.');
    if (rest.n == 0 || str_index(rest, '.') >= 0)
        return 0;
    auto_buf head_text, claims, signature;
    buf_init(&head_text, TOKEN_MAX);
    buf_init(&claims, TOKEN_MAX);
    buf_init(&signature, SIGNATURE_MAX);
    if (get_url64(head, &head_text, NULL) < 0 || get_url64(rest, &claims, NULL) < 0 ||
        get_url64(str_from(token, (size_t)last + 1), &signature, NULL) < 0)
        return 0;
    if (!header_is_ours(t, buf_view(&head_text)) ||
        !signature_is_good(t, signed_part, buf_view(&signature)))
        return 0;
    return claims_are_good(buf_view(&claims), a, subject, e);
}
