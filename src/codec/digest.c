#include "codec/digest.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/sha256_pair.h"

struct digest_ctx {
    EVP_MD_CTX *md;
    bool paired; /* then in state, not in md */
    struct sha256_state state;
    struct digest_ctx *beside; /* what d's updates compute as well */
    const uint8_t *late;       /* bytes that wait */
    size_t n_late;
};

static EVP_MD *sha256_algorithm, *md5_algorithm;

/* Fetched once: EVP_sha256() would look the provider up again at every start of a digest. */
static void sha256_fetch(void)
{
    sha256_algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
}

static const EVP_MD *sha256_md(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, sha256_fetch);
    return sha256_algorithm;
}

int digest_new(struct digest_ctx **out, struct err *e)
{
    struct digest_ctx *d = calloc(1, sizeof *d);
    if (!d)
        return err_no_memory(e);
    d->md = EVP_MD_CTX_new();
    if (!d->md || !sha256_md() || EVP_DigestInit_ex2(d->md, sha256_md(), NULL) != 1) {
        digest_free(d);
        return err_set(e, ERR_UNSUPPORTED, "the crypto library offers no SHA-256");
    }
    *out = d;
    return 0;
}

int digest_old_new(const char *name, struct digest_ctx **out, struct err *e)
{
    struct digest_ctx *d = calloc(1, sizeof *d);
    if (!d)
        return err_no_memory(e);
    d->md = EVP_MD_CTX_new();
    EVP_MD *algorithm = EVP_MD_fetch(NULL, name, NULL);
    bool good = d->md && algorithm && EVP_DigestInit_ex2(d->md, algorithm, NULL) == 1;
    EVP_MD_free(algorithm); /* the context holds it */
    if (!good) {
        digest_free(d);
        return err_set(e, ERR_UNSUPPORTED, "the crypto library offers no %s", name);
    }
    *out = d;
    return 0;
}

void digest_old_final(struct digest_ctx *d, uint8_t *out, size_t size)
{
    uint8_t all[EVP_MAX_MD_SIZE] = {0};
    EVP_DigestFinal_ex(d->md, all, NULL);
    EVP_DigestInit_ex2(d->md, NULL, NULL);
    memcpy(out, all, size);
}

void digest_beside(struct digest_ctx *d, struct digest_ctx *other)
{
    if (!sha256_pair_available())
        return;
    d->beside = other;
    d->paired = other->paired = true;
    sha256_begin(&d->state);
    sha256_begin(&other->state);
}

void digest_part(struct digest_ctx *d)
{
    d->beside = NULL;
}

static void add_beside(struct digest_ctx *d, const uint8_t *p, size_t n)
{
    struct digest_ctx *o = d->beside;
    size_t taken = sha256_add_beside(&d->state, p, n, &o->state, o->late, o->n_late);
    o->late += taken;
    o->n_late -= taken;
}

void digest_settle(struct digest_ctx *d)
{
    if (d->n_late)
        sha256_add(&d->state, d->late, d->n_late);
    d->n_late = 0;
}

void digest_update(struct digest_ctx *d, const void *p, size_t n)
{
    if (n == 0)
        return;
    digest_settle(d);
    if (d->beside && d->beside->n_late)
        add_beside(d, p, n);
    else if (d->paired)
        sha256_add(&d->state, p, n);
    else
        EVP_DigestUpdate(d->md, p, n);
}

void digest_update_later(struct digest_ctx *d, const void *p, size_t n)
{
    if (!d->paired) {
        digest_update(d, p, n);
        return;
    }
    digest_settle(d);
    d->late = p;
    d->n_late = n;
}

static struct sha256 paired_final(struct digest_ctx *d)
{
    uint8_t padding[2 * SHA256_BLOCK];
    digest_settle(d);
    digest_update(d, padding, sha256_padding(&d->state, padding));
    struct sha256 out = sha256_result(&d->state);
    sha256_begin(&d->state);
    return out;
}

struct sha256 digest_final(struct digest_ctx *d)
{
    struct sha256 out = {{0}};
    if (d->paired)
        return paired_final(d);
    EVP_DigestFinal_ex(d->md, out.b, NULL);
    EVP_DigestInit_ex2(d->md, sha256_md(), NULL);
    return out;
}

void digest_free(struct digest_ctx *d)
{
    if (!d)
        return;
    EVP_MD_CTX_free(d->md);
    free(d);
}

struct sha256 sha256_of(const void *p, size_t n)
{
    struct sha256 out = {{0}};
    if (sha256_md())
        EVP_Digest(p, n, out.b, NULL, sha256_md(), NULL);
    return out;
}

bool sha256_eq(const struct sha256 *a, const struct sha256 *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int sha256_parse(str text, struct sha256 *out, struct err *e)
{
    ptrdiff_t colon = str_index(text, ':');
    if (colon < 0)
        return err_set(e, ERR_FORMAT, "not a digest: \"%.*s\"", STR_ARG(str_sub(text, 0, 100)));
    if (!str_eq(str_sub(text, 0, (size_t)colon), STR("sha256")))
        return err_set(e, ERR_UNSUPPORTED,
                       "digest algorithm \"%.*s\" is not supported, only sha256",
                       STR_ARG(str_sub(text, 0, (size_t)(colon < 40 ? colon : 40))));
    str hex = str_from(text, (size_t)colon + 1);
    for (size_t i = 0; i < 32 && hex.n == 64; i++) {
        int hi = hex_digit(hex.p[2 * i]), lo = hex_digit(hex.p[2 * i + 1]);
        if (hi < 0 || lo < 0)
            break;
        out->b[i] = (uint8_t)(hi << 4 | lo);
        if (i == 31)
            return 0;
    }
    return err_set(e, ERR_FORMAT, "not a sha256 digest: \"%.*s\"", STR_ARG(str_sub(text, 0, 100)));
}

const char *sha256_format(const struct sha256 *d, char text[SHA256_TEXT])
{
    static const char digits[] = "0123456789abcdef";
    memcpy(text, "sha256:", 7);
    for (size_t i = 0; i < 32; i++) {
        text[7 + 2 * i] = digits[d->b[i] >> 4];
        text[8 + 2 * i] = digits[d->b[i] & 15];
    }
    text[SHA256_TEXT - 1] = '\0';
    return text;
}

static void md5_fetch(void)
{
    md5_algorithm = EVP_MD_fetch(NULL, "MD5", NULL);
}

static void put_hex(const uint8_t b[16], char text[MD5_TEXT])
{
    for (size_t i = 0; i < 16; i++)
        snprintf(text + 2 * i, 3, "%02x", b[i]);
}

bool md5_hex(const str *parts, size_t n, char text[MD5_TEXT])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, md5_fetch);
    EVP_MD_CTX *ctx = md5_algorithm ? EVP_MD_CTX_new() : NULL;
    uint8_t md[16];
    bool ok = ctx && EVP_DigestInit_ex(ctx, md5_algorithm, NULL) == 1;
    for (size_t i = 0; ok && i < n; i++)
        ok = !parts[i].n || EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) == 1;
    ok = ok && EVP_DigestFinal_ex(ctx, md, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    if (ok)
        put_hex(md, text);
    return ok;
}

void digest_id(const str *parts, size_t n, char text[MD5_TEXT])
{
    struct sha256 all = {{0}};
    struct digest_ctx *d;
    if (md5_hex(parts, n, text))
        return;
    if (digest_new(&d, NULL) == 0) {
        for (size_t i = 0; i < n; i++)
            digest_update(d, parts[i].p, parts[i].n);
        all = digest_final(d);
        digest_free(d);
    }
    put_hex(all.b, text);
}
