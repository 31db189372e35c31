#include "services/registry_ecr.h"

#include "base/auto.h"
#include "codec/digest.h"

#include <pthread.h>

enum { ENTRIES_MAX = 128, MARGIN = 3600 };

struct entry {
    struct entry *next;
    struct sha256 key;
    unsigned users; /* of the entry now, under the table's lock */
    uint64_t used;  /* when, in uses of the table */
    pthread_mutex_t lock;
    struct aws_provider *provider;
    struct aws_ecr_login login;
    bool has_login;
    int64_t renew_at;
};

struct registry_ecr {
    pthread_mutex_t lock;
    struct entry *entries;
    size_t n;
    uint64_t uses;
};

int registry_ecr_open(struct engine *en, struct err *e)
{
    struct registry_ecr *t = calloc(1, sizeof *t);
    if (!t)
        return err_no_memory(e);
    pthread_mutex_init(&t->lock, NULL);
    en->ecr = t;
    return 0;
}

static void entry_free(struct entry *x)
{
    aws_provider_free(x->provider);
    pthread_mutex_destroy(&x->lock);
    explicit_bzero(&x->login, sizeof x->login);
    free(x);
}

void registry_ecr_close(struct registry_ecr *t)
{
    if (!t)
        return;
    while (t->entries) {
        struct entry *x = t->entries;
        t->entries = x->next;
        entry_free(x);
    }
    pthread_mutex_destroy(&t->lock);
    free(t);
}

/* ---- who asks */

static bool is_auto(str user, str secret)
{
    return str_eq(user, STR("awsauto")) || str_eq(secret, STR("awsauto"));
}

int registry_ecr_allowed(const struct engine *en, str user, str secret, struct err *e)
{
    if (!is_auto(user, secret) || en->config->allow_awsecr_iam_auto)
        return 0;
    return err_set(e, ERR_AUTH, "'awsauto' is not enabled in service configuration");
}

static int provider_of(const struct engine *en, str user, str secret, struct aws_provider **out,
                       struct err *e)
{
    struct aws_provider_options o = {.endpoints = en->config->aws_endpoints};
    struct arena a;
    int rc = registry_ecr_allowed(en, user, secret, e);
    if (rc < 0)
        return rc;
    arena_init(&a, 64 << 10);
    if (str_eq(user, STR("_iam_role"))) {
        str rest = secret, arn = str_trim(str_split(&rest, ';'));
        o.role_arn = arena_dup(&a, arn).p;
        o.external_id = arena_dup(&a, str_trim(rest)).p;
        if (!str_starts(arn, STR("arn:")))
            rc = err_set(e, ERR_USAGE,
                         "with the user _iam_role the password is a role's ARN (arn:...), perhaps "
                         "with ;EXTERNAL-ID behind it");
    } else if (!is_auto(user, secret)) {
        o.access_key = arena_dup(&a, user).p;
        o.secret_key = arena_dup(&a, secret).p;
        if (!user.n || !secret.n)
            rc = err_set(e, ERR_USAGE,
                         "a registry of type awsecr needs an access key and its secret, _iam_role "
                         "and a role's ARN, or awsauto");
    }
    if (rc == 0)
        rc = a.full ? err_no_memory(e) : aws_provider_new(&o, out, e);
    arena_done(&a);
    return rc;
}

/* ---- the table */

static struct sha256 key_of(str account, str host, str user, str secret)
{
    const str parts[] = {account, host, user, secret};
    auto_buf b;
    buf_init(&b, 64 << 10);
    for (size_t i = 0; i < KE_ARRAY_LEN(parts); i++) {
        buf_add_varint(&b, parts[i].n);
        buf_add_str(&b, parts[i]);
    }
    struct sha256 key = sha256_of(b.p, b.n);
    if (b.p)
        explicit_bzero(b.p, b.n);
    return key;
}

/* The one that was used longest ago goes. */
static void make_room(struct registry_ecr *t)
{
    struct entry **oldest = NULL;
    if (t->n < ENTRIES_MAX)
        return;
    for (struct entry **x = &t->entries; *x; x = &(*x)->next)
        if (!(*x)->users && (!oldest || (*x)->used < (*oldest)->used))
            oldest = x;
    if (!oldest)
        return;
    struct entry *gone = *oldest;
    *oldest = gone->next;
    t->n--;
    entry_free(gone);
}

static struct entry *entry_take(struct registry_ecr *t, const struct sha256 *key)
{
    pthread_mutex_lock(&t->lock);
    struct entry *x = t->entries;
    while (x && !sha256_eq(&x->key, key))
        x = x->next;
    if (!x) {
        make_room(t);
        x = calloc(1, sizeof *x);
        if (x) {
            pthread_mutex_init(&x->lock, NULL);
            x->key = *key;
            x->next = t->entries;
            t->entries = x;
            t->n++;
        }
    }
    if (x) {
        x->users++;
        x->used = ++t->uses;
    }
    pthread_mutex_unlock(&t->lock);
    return x;
}

static void entry_put(struct registry_ecr *t, struct entry *x)
{
    pthread_mutex_lock(&t->lock);
    x->users--;
    pthread_mutex_unlock(&t->lock);
}

static int renew(struct entry *x, const struct aws_ecr_host *host, struct err *e)
{
    struct aws_ecr_login *fresh autofree = malloc(sizeof *fresh);
    int64_t now = (int64_t)time(NULL);
    if (!fresh)
        return err_no_memory(e);
    int rc = aws_ecr_login(x->provider, host, fresh, e);
    if (rc == 0) {
        int64_t life = fresh->expires - now;
        x->login = *fresh;
        x->has_login = true;
        x->renew_at = life > 2 * MARGIN ? fresh->expires - MARGIN : now + life / 2;
    }
    explicit_bzero(fresh, sizeof *fresh);
    return rc < 0 && x->has_login && now < x->login.expires - 60 ? 0 : rc;
}

int registry_ecr_login(struct engine *en, str account, str host, str user, str secret,
                       struct aws_ecr_login *out, struct err *e)
{
    struct aws_ecr_host parsed;
    if (!aws_ecr_host_parse(host, &parsed))
        return err_set(e, ERR_USAGE,
                       "registry %.*s is of type awsecr, but its name has not the form "
                       "ACCOUNT.dkr.ecr.REGION.*",
                       STR_ARG(host));
    int rc = registry_ecr_allowed(en, user, secret, e); /* may have changed since */
    if (rc < 0)
        return rc;
    struct sha256 key = key_of(account, host, user, secret);
    struct entry *x = entry_take(en->ecr, &key);
    if (!x)
        return err_no_memory(e);
    pthread_mutex_lock(&x->lock);
    if (!x->provider)
        rc = provider_of(en, user, secret, &x->provider, e);
    if (rc == 0 && (!x->has_login || (int64_t)time(NULL) >= x->renew_at))
        rc = renew(x, &parsed, e);
    if (rc == 0)
        *out = x->login;
    pthread_mutex_unlock(&x->lock);
    entry_put(en->ecr, x);
    return rc < 0 ? err_wrap(e, "registry %.*s", STR_ARG(host)) : 0;
}
