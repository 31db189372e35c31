#include "services/secrets.h"

#include "net/base64.h"
#include "services/setting.h"

#include <sodium.h>

static const char prefix[] = "v1:";
enum { SEALED_MAX = 1 << 20 };

struct secrets {
    unsigned n; /* keys: the first seals */
    unsigned char keys[2][32];
};

int secrets_open(struct engine *en, struct err *e)
{
    struct secrets *s = calloc(1, sizeof *s);
    if (!s)
        return err_no_memory(e);
    const char *configured = en->config->key_secret;
    unsigned char own[32];
    int rc = setting_secret(en->db, "secrets_key", own, e);
    if (rc < 0) {
        free(s);
        return rc;
    }
    if (configured && *configured)
        crypto_generichash(s->keys[s->n++], 32, (const unsigned char *)configured,
                           strlen(configured), (const unsigned char *)"kellet-secrets-1", 16);
    memcpy(s->keys[s->n++], own, 32);
    sodium_memzero(own, sizeof own);
    en->secrets = s;
    return 0;
}

void secrets_close(struct secrets *s)
{
    if (!s)
        return;
    sodium_memzero(s, sizeof *s);
    free(s);
}

static void key_for(const unsigned char key[32], str purpose, unsigned char out[32])
{
    crypto_generichash(out, 32, (const unsigned char *)purpose.p, purpose.n, key, 32);
}

int secrets_seal(struct secrets *s, str purpose, str plain, struct buf *out, struct err *e)
{
    if (plain.n > SEALED_MAX / 2)
        return err_set(e, ERR_LIMIT, "a secret of more than %d bytes", SEALED_MAX / 2);
    unsigned char key[32];
    auto_buf box;
    buf_init(&box, SEALED_MAX);
    size_t n = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + plain.n;
    unsigned char *p = (unsigned char *)buf_reserve(&box, n);
    if (!p)
        return err_no_memory(e);
    randombytes_buf(p, crypto_secretbox_NONCEBYTES);
    key_for(s->keys[0], purpose, key);
    crypto_secretbox_easy(p + crypto_secretbox_NONCEBYTES,
                          (const unsigned char *)(plain.p ? plain.p : ""), plain.n, p, key);
    sodium_memzero(key, sizeof key);
    box.n = n;
    buf_add_str(out, STR("v1:"));
    base64_encode(buf_view(&box), out);
    return buf_check(out, "a sealed secret", e);
}

int secrets_open_text(struct secrets *s, str purpose, str sealed, struct buf *out, struct err *e)
{
    size_t head = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;
    if (!str_starts(sealed, str_z(prefix)))
        return err_set(e, ERR_FORMAT, "not a sealed secret");
    auto_buf box;
    buf_init(&box, SEALED_MAX);
    int rc = base64_decode(str_from(sealed, sizeof prefix - 1), &box, e);
    if (rc < 0)
        return rc;
    if (box.n < head)
        return err_set(e, ERR_FORMAT, "a sealed secret is cut short");
    char *to = buf_reserve(out, box.n - head + 1);
    if (!to)
        return err_no_memory(e);
    const unsigned char *p = (const unsigned char *)box.p;
    for (unsigned i = 0; i < s->n; i++) {
        unsigned char key[32];
        key_for(s->keys[i], purpose, key);
        int bad = crypto_secretbox_open_easy((unsigned char *)to, p + crypto_secretbox_NONCEBYTES,
                                             box.n - crypto_secretbox_NONCEBYTES, p, key);
        sodium_memzero(key, sizeof key);
        if (!bad) {
            out->n += box.n - head;
            return 0;
        }
    }
    return err_set(e, ERR_AUTH, "a stored secret was sealed with another key");
}
