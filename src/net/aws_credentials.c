#include "net/aws_credentials.h"

#include "base/auto.h"
#include "base/clock.h"
#include "net/aws_source.h"

#include <pthread.h>

enum { MARGIN = 300, FAILURE_SECONDS = 5 };

struct aws_provider {
    struct aws_provider_options o; /* strings owned */
    struct aws_client client;
    struct http *metadata;
    char region[AWS_REGION_MAX];
    pthread_mutex_t lock; /* held while keys are got: single flight */
    struct aws_keys keys;
    bool has_keys;
    int64_t renew_at;  /* as the servers see it; 0: never */
    int64_t failed_at; /* monotonic seconds */
    struct err failure;
};

static int own(const char **s, struct err *e)
{
    if (*s && !(*s = **s ? strdup(*s) : NULL))
        return err_no_memory(e);
    return 0;
}

/* Every string of the options. */
static size_t strings(struct aws_provider_options *o, const char **out[12])
{
    const char **list[] = {&o->access_key,    &o->secret_key,    &o->session_token,
                           &o->profile,       &o->role_arn,      &o->external_id,
                           &o->region,        &o->endpoints.all, &o->endpoints.ecr,
                           &o->endpoints.sts, &o->endpoints.s3,  &o->ca_file};
    memcpy(out, list, sizeof list);
    return KE_ARRAY_LEN(list);
}

static int options_copy(struct aws_provider *p, const struct aws_provider_options *o, struct err *e)
{
    const char **list[12];
    struct aws_provider_options mine = *o;
    size_t n = strings(&mine, list);
    for (size_t i = 0; i < n; i++) {
        if (*list[i] && !**list[i])
            *list[i] = NULL;
        if (own(list[i], e) < 0) {
            while (++i < n)
                *list[i] = NULL;
            p->o = mine;
            return ERR_NO_MEMORY;
        }
    }
    p->o = mine;
    if (!p->o.access_key != !p->o.secret_key)
        return err_set(e, ERR_USAGE, "an AWS access key and its secret key go together");
    return 0;
}

/* The region as the environment or the profile has it. */
static void region_find(struct aws_provider *p)
{
    struct aws_profile *profile autofree = NULL;
    const char *region = p->o.region ? p->o.region : aws_region_environment();
    if (!region && (profile = calloc(1, sizeof *profile)) &&
        aws_profile_read(p->o.profile, profile, NULL) == 0)
        region = profile->region;
    if (region && aws_region_ok(str_z(region)))
        snprintf(p->region, sizeof p->region, "%s", region);
}

int aws_provider_new(const struct aws_provider_options *o, struct aws_provider **out, struct err *e)
{
    const struct http_options api = {
        .ca_file = o->ca_file, .connect_timeout = 5, .idle_timeout = 20};
    const struct http_options near = {.connect_timeout = 1, .idle_timeout = 5};
    struct aws_provider *p = calloc(1, sizeof *p);
    if (!p)
        return err_no_memory(e);
    pthread_mutex_init(&p->lock, NULL);
    int rc = options_copy(p, o, e);
    if (rc == 0)
        rc = http_new(&api, &p->client.http, e);
    if (rc == 0)
        rc = http_new(&near, &p->metadata, e);
    if (rc < 0) {
        aws_provider_free(p);
        return rc;
    }
    region_find(p);
    *out = p;
    return 0;
}

void aws_provider_free(struct aws_provider *p)
{
    const char **list[12];
    if (!p)
        return;
    size_t n = strings(&p->o, list);
    for (size_t i = 0; i < n; i++) {
        char *s = (char *)*list[i];
        if (s)
            explicit_bzero(s, strlen(s));
        free(s);
    }
    http_free(p->client.http);
    http_free(p->metadata);
    pthread_mutex_destroy(&p->lock);
    explicit_bzero(p, sizeof *p);
    free(p);
}

const struct aws_endpoints *aws_provider_endpoints(const struct aws_provider *p)
{
    return &p->o.endpoints;
}

const char *aws_provider_region(const struct aws_provider *p)
{
    return p->region;
}

/* ---- getting keys */

static int given_keys(const struct aws_provider *p, struct aws_keys *out, struct err *e)
{
    const struct aws_provider_options *o = &p->o;
    const char *token = o->session_token ? o->session_token : "";
    if (strlen(o->access_key) >= sizeof out->access_key ||
        strlen(o->secret_key) >= sizeof out->secret_key ||
        strlen(token) >= sizeof out->session_token)
        return err_set(e, ERR_USAGE, "the AWS keys are longer than any");
    snprintf(out->access_key, sizeof out->access_key, "%s", o->access_key);
    snprintf(out->secret_key, sizeof out->secret_key, "%s", o->secret_key);
    snprintf(out->session_token, sizeof out->session_token, "%s", token);
    return 0;
}

static int find(struct aws_provider *p, struct aws_keys *out, struct err *e)
{
    struct aws_search s = {.sts = {&p->client, &p->o.endpoints, p->region},
                           .metadata = p->metadata,
                           .profile = p->o.profile};
    buf_init(&s.tried, 2048);
    *out = (struct aws_keys){0};
    int rc = p->o.access_key ? given_keys(p, out, e) : aws_search_run(&s, out, e);
    buf_done(&s.tried);
    if (rc == 0 && p->o.role_arn) {
        struct aws_keys *base autofree = malloc(sizeof *base);
        if (!base)
            return err_no_memory(e);
        *base = *out;
        *out = (struct aws_keys){0};
        rc = aws_sts_assume(&s.sts, base, p->o.role_arn, p->o.external_id, NULL, out, e);
        explicit_bzero(base, sizeof *base);
    }
    return rc;
}

static void keep(struct aws_provider *p, const struct aws_keys *keys)
{
    int64_t now = aws_now(&p->client), life = keys->expires - now;
    p->keys = *keys;
    p->has_keys = true;
    p->failure.code = 0;
    p->renew_at = !keys->expires      ? 0
                  : life > 2 * MARGIN ? keys->expires - MARGIN
                                      : now + (life > 0 ? life / 2 : 0);
}

static int renew(struct aws_provider *p, struct err *e)
{
    bool valid = p->has_keys && (!p->keys.expires || aws_now(&p->client) < p->keys.expires - 5);
    if (p->failure.code && clock_s() - p->failed_at < FAILURE_SECONDS)
        return valid ? 0 : err_set(e, p->failure.code, "%s", p->failure.text);
    struct aws_keys *fresh autofree = calloc(1, sizeof *fresh);
    if (!fresh)
        return err_no_memory(e);
    struct err why = {0};
    int rc = find(p, fresh, &why);
    if (rc == 0 && fresh->expires && fresh->expires <= aws_now(&p->client))
        rc = err_set(&why, ERR_AUTH, "the AWS credentials that were found have expired");
    if (rc == 0) {
        keep(p, fresh);
    } else {
        p->failure = why;
        p->failure.code = rc;
        p->failed_at = clock_s();
    }
    explicit_bzero(fresh, sizeof *fresh);
    return rc == 0 || valid ? 0 : err_set(e, rc, "%s", why.text);
}

int aws_provider_get(struct aws_provider *p, struct aws_keys *out, struct err *e)
{
    int rc = 0;
    pthread_mutex_lock(&p->lock);
    if (!p->has_keys || (p->renew_at && aws_now(&p->client) >= p->renew_at))
        rc = renew(p, e);
    if (rc == 0)
        *out = p->keys;
    pthread_mutex_unlock(&p->lock);
    return rc;
}

void aws_provider_refused(struct aws_provider *p, const struct aws_keys *keys)
{
    pthread_mutex_lock(&p->lock);
    if (p->has_keys && strcmp(p->keys.access_key, keys->access_key) == 0 &&
        strcmp(p->keys.session_token, keys->session_token) == 0)
        p->has_keys = false;
    pthread_mutex_unlock(&p->lock);
}

int aws_provider_send(struct aws_provider *p, const struct aws_request *rq,
                      struct http_response *rs, struct buf *body, struct err *e)
{
    struct aws_keys *keys autofree = calloc(1, sizeof *keys);
    size_t start = body->n;
    *rs = (struct http_response){0};
    if (!keys)
        return err_no_memory(e);
    for (bool again = false;; again = true) {
        struct aws_error x = {0};
        int rc = aws_provider_get(p, keys, e);
        if (rc == 0)
            rc = aws_send(&p->client, keys, rq, rs, body, e);
        if (rc == 0 && rs->status >= 400)
            aws_error_read(rs, str_from(buf_view(body), start), &x);
        if (rc < 0 || again || !aws_error_is_keys(&x)) {
            explicit_bzero(keys, sizeof *keys);
            return rc;
        }
        aws_provider_refused(p, keys);
        http_response_done(rs);
        body->n = start;
    }
}
