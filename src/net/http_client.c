#include "net/http_client.h"

#include "base/auto.h"
#include "base/fs.h"
#include "net/http_trust.h"

#include <dirent.h>

static char *env_file(const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return strdup(value);
    }
    return NULL;
}

/* Where the system keeps its bundle, when the environment does not say. */
const char *http_system_bundle(const struct http *h)
{
    static const char *const usual[] = {"/etc/ssl/certs/ca-certificates.crt",
                                        "/etc/pki/tls/certs/ca-bundle.crt",
                                        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
                                        "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};
    if (h->system_ca_file)
        return h->system_ca_file;
#if LIBCURL_VERSION_NUM >= 0x074600
    curl_version_info_data *v = h->api->version_info(CURLVERSION_NOW);
    if (v->age >= CURLVERSION_SEVENTH && v->cainfo && fs_is_file(v->cainfo))
        return v->cainfo;
#endif
    for (size_t i = 0; i < KE_ARRAY_LEN(usual); i++)
        if (fs_is_file(usual[i]))
            return usual[i];
    return NULL;
}

/* "4a6481c9.0" is how OpenSSL looks a certificate up. */
static bool is_hash_name(const char *name)
{
    for (int i = 0; i < 8; i++)
        if (!ke_isdigit(name[i]) && (name[i] < 'a' || name[i] > 'f'))
            return false;
    return name[8] == '.' && ke_isdigit(name[9]);
}

/* Does libcurl use OpenSSL and, by default, a directory of hashed names? */
static bool system_has_hashes(const struct http *h)
{
#if LIBCURL_VERSION_NUM >= 0x074600
    curl_version_info_data *v = h->api->version_info(CURLVERSION_NOW);
    if (h->system_ca_file || h->system_ca_dir || v->age < CURLVERSION_SEVENTH || !v->capath ||
        !v->ssl_version || !str_starts(str_z(v->ssl_version), STR("OpenSSL/")))
        return false;
    DIR *dir = opendir(v->capath);
    bool found = false;
    struct dirent *entry;
    while (dir && !found && (entry = readdir(dir)))
        found = is_hash_name(entry->d_name);
    if (dir)
        closedir(dir);
    return found;
#else
    return false;
#endif
}

int http_trust(const struct http *h, void *ssl_ctx, struct err *e)
{
    auto_buf bundle;
    buf_init(&bundle, HTTP_CA_MAX);
    const char *path = http_system_bundle(h), *dir = h->system_ca_dir;
#if LIBCURL_VERSION_NUM >= 0x074600
    curl_version_info_data *v = h->api->version_info(CURLVERSION_NOW);
    if (!dir && v->age >= CURLVERSION_SEVENTH)
        dir = v->capath;
#endif
    int rc = !h->ca.n && path ? fs_read(path, &bundle, e) : 0;
    return rc < 0 ? rc
                  : http_trust_give(h->api, ssl_ctx, buf_view(h->ca.n ? &h->ca : &bundle), dir, e);
}

static int trust_load(struct http *h, struct err *e)
{
    static const char *const files[] = {"SSL_CERT_FILE", "CURL_CA_BUNDLE"};
    static const char *const dirs[] = {"SSL_CERT_DIR"};
    h->system_ca_file = env_file(files, KE_ARRAY_LEN(files));
    h->system_ca_dir = env_file(dirs, KE_ARRAY_LEN(dirs));
    h->hashed_ca = system_has_hashes(h);
    h->shared_trust = http_trust_usable(h->api);
    if (!h->o.ca_file)
        return 0;
    int rc = fs_read(h->o.ca_file, &h->ca, e);
    if (rc < 0) {
        err_wrap(e, "CA certificates");
        return rc;
    }
    if (!str_contains(buf_view(&h->ca), STR("-----BEGIN CERTIFICATE-----")))
        return err_set(e, ERR_FORMAT, "%s has no certificate in PEM form", h->o.ca_file);
    buf_add_char(&h->ca, '\n');
    h->own_ca = h->ca.n;
    const char *bundle = http_system_bundle(h);
    if (bundle && (rc = fs_read(bundle, &h->ca, e)) < 0) {
        err_wrap(e, "CA certificates of the system");
        return rc;
    }
    return buf_check(&h->ca, "the set of CA certificates", e);
}

static int options_copy(struct http *h, const struct http_options *o, struct err *e)
{
    static const struct http_options none;
    h->o = o ? *o : none;
    h->o.ca_file = h->o.unix_socket = h->o.user_agent = NULL;
    if (!o)
        o = &none;
    const char *agent = o->user_agent ? o->user_agent : "kellet/" KELLET_VERSION;
    if (!(h->o.user_agent = strdup(agent)) ||
        (o->ca_file && !(h->o.ca_file = strdup(o->ca_file))) ||
        (o->unix_socket && !(h->o.unix_socket = strdup(o->unix_socket))))
        return err_no_memory(e);
    if (!h->o.connect_timeout)
        h->o.connect_timeout = 15;
    if (!h->o.idle_timeout)
        h->o.idle_timeout = 60;
    if (!h->o.retries)
        h->o.retries = 5;
    if (!h->o.retry_wait_ms)
        h->o.retry_wait_ms = 500;
    return 0;
}

int http_new(const struct http_options *o, struct http **out, struct err *e)
{
    const struct curl_api *api;
    int rc = curl_api_load(&api, e);
    if (rc < 0)
        return rc;
    struct http *h = calloc(1, sizeof *h);
    if (!h)
        return err_no_memory(e);
    h->api = api;
    buf_init(&h->ca, HTTP_CA_MAX);
    pthread_mutex_init(&h->lock, NULL);
    if ((rc = options_copy(h, o, e)) < 0 || (rc = trust_load(h, e)) < 0) {
        http_free(h);
        return rc;
    }
    *out = h;
    return 0;
}

void http_free(struct http *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < h->n_idle; i++)
        h->api->handle_free(h->idle[i].curl);
    pthread_mutex_destroy(&h->lock);
    buf_done(&h->ca);
    free(h->system_ca_file);
    free(h->system_ca_dir);
    free((char *)h->o.ca_file);
    free((char *)h->o.unix_socket);
    free((char *)h->o.user_agent);
    free(h);
}

static void idle_remove(struct http *h, size_t i)
{
    memmove(h->idle + i, h->idle + i + 1, (h->n_idle - i - 1) * sizeof *h->idle);
    h->n_idle--;
}

int http_handle_take(struct http *h, const struct http_url *url, struct http_handle *out,
                     struct err *e)
{
    char origin[sizeof out->origin];
    snprintf(origin, sizeof origin, "%s://%s:%s", url->scheme, url->host, url->port);
    *out = (struct http_handle){0};
    pthread_mutex_lock(&h->lock);
    for (size_t i = h->n_idle; i-- > 0 && !out->curl;) {
        if (strcmp(h->idle[i].origin, origin) == 0) {
            *out = h->idle[i];
            idle_remove(h, i);
        }
    }
    pthread_mutex_unlock(&h->lock);
    if (out->curl) {
        h->api->handle_reset(out->curl);
        return 0;
    }
    memcpy(out->origin, origin, sizeof origin);
    out->curl = h->api->handle_new();
    return out->curl ? 0 : err_no_memory(e);
}

void http_handle_put(struct http *h, struct http_handle *handle)
{
    CURL *surplus = NULL;
    if (!handle->curl)
        return;
    pthread_mutex_lock(&h->lock);
    if (h->n_idle == HTTP_POOL_MAX) {
        surplus = h->idle[0].curl;
        idle_remove(h, 0);
    }
    h->idle[h->n_idle++] = *handle;
    pthread_mutex_unlock(&h->lock);
    handle->curl = NULL;
    if (surplus)
        h->api->handle_free(surplus);
}
