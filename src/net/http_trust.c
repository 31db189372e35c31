#include "net/http_trust.h"

#include <pthread.h>
#include <sys/stat.h>

#include "codec/digest.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

struct set {
    struct sha256 key;
    X509_STORE *store;
    uint64_t used; /* when, counted in uses */
};

static struct set sets[HTTP_TRUST_SETS];
static uint64_t uses;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

bool http_trust_usable(const struct curl_api *api)
{
    const curl_version_info_data *v = api->version_info(CURLVERSION_NOW);
    char ours[32];
    snprintf(ours, sizeof ours, "OpenSSL/%u.", OPENSSL_version_major());
    return api->trust && v->ssl_version && str_starts(str_z(v->ssl_version), str_z(ours));
}

/* Of the bytes, and of the directory's name and state. */
static int key_of(str pem, const char *dir, struct sha256 *key, struct err *e)
{
    struct stat st = {0};
    struct digest_ctx *d;
    int rc = digest_new(&d, e);
    if (rc < 0)
        return rc;
    digest_update(d, pem.p, pem.n);
    if (dir && stat(dir, &st) == 0) {
        digest_update(d, dir, strlen(dir) + 1);
        digest_update(d, &st.st_mtim, sizeof st.st_mtim);
    }
    *key = digest_final(d);
    digest_free(d);
    return 0;
}

static size_t add_all(X509_STORE *store, str pem)
{
    size_t n = 0;
    BIO *in = pem.n <= INT_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
    STACK_OF(X509_INFO) *list = in ? PEM_X509_INFO_read_bio(in, NULL, NULL, NULL) : NULL;
    for (int i = 0; i < sk_X509_INFO_num(list); i++) {
        const X509_INFO *x = sk_X509_INFO_value(list, i);
        n += x->x509 && X509_STORE_add_cert(store, x->x509) == 1;
        if (x->crl)
            X509_STORE_add_crl(store, x->crl);
    }
    sk_X509_INFO_pop_free(list, X509_INFO_free);
    BIO_free(in);
    ERR_clear_error();
    return n;
}

static int set_make(str pem, const char *dir, X509_STORE **out, struct err *e)
{
    X509_STORE *store = X509_STORE_new();
    if (!store)
        return err_no_memory(e);
    /* As libcurl has it: a set may consist of an intermediate authority. */
    X509_STORE_set_flags(store, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
    bool hashed = dir && X509_STORE_load_path(store, dir) == 1;
    if (pem.n ? add_all(store, pem) == 0 : !hashed) {
        X509_STORE_free(store);
        return err_set(e, ERR_FORMAT, "there is no certificate in PEM form");
    }
    *out = store;
    return 0;
}

static struct set *find(const struct sha256 *key)
{
    struct set *oldest = sets;
    for (size_t i = 0; i < HTTP_TRUST_SETS; i++) {
        if (sets[i].store && sha256_eq(&sets[i].key, key))
            return &sets[i];
        if (sets[i].used < oldest->used)
            oldest = &sets[i];
    }
    X509_STORE_free(oldest->store);
    *oldest = (struct set){.key = *key};
    return oldest;
}

int http_trust_give(const struct curl_api *api, void *ssl_ctx, str pem, const char *dir,
                    struct err *e)
{
    struct sha256 key;
    int rc = key_of(pem, dir, &key, e);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&lock);
    struct set *s = find(&key);
    if (!s->store)
        rc = set_make(pem, dir, &s->store, e);
    if (rc == 0) {
        s->used = ++uses;
        api->trust(ssl_ctx, s->store);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}
