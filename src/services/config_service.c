/* config_service.c - the sections of services, and which of them run in this process. */
#include "services/config_internal.h"

#include <stdlib.h>
#include <unistd.h>

static const char *key_path(struct config_loader *l, int id, const char *key)
{
    str s =
        arena_printf(&l->c->arena, "services.%s%s%s", service_names[id].key, *key ? "." : "", key);
    return s.p ? s.p : "";
}
#define TEXT(key, fallback)          config_get_text(l, key_path(l, id, key), fallback)
#define BOOL(key, fallback)          config_get_bool(l, key_path(l, id, key), fallback)
#define INT(key, fallback, min, max) config_get_int(l, key_path(l, id, key), fallback, min, max)

static void timers_read(struct config_loader *l, int id)
{
    struct service_config *s = &l->c->services[id];
    yyjson_val *section = config_at(l->text, str_z(key_path(l, id, "cycle_timers")));
    size_t n = yyjson_is_obj(section) ? yyjson_obj_size(section) : 0;
    struct cycle_timer *timers = arena_calloc(&l->c->arena, n + 1, sizeof *timers);
    if (!timers)
        return;
    yyjson_obj_iter it = yyjson_obj_iter_with(section);
    for (yyjson_val *key; n && (key = yyjson_obj_iter_next(&it));) {
        str path = arena_printf(&l->c->arena, "services.%s.cycle_timers.%.*s",
                                service_names[id].key, STR_ARG(json_text(key)));
        if (!path.p || yyjson_is_null(yyjson_obj_iter_get_val(key)))
            continue;
        int64_t v = config_get_int(l, path.p, INT64_MIN, -31536000, 31536000);
        if (v != INT64_MIN)
            timers[s->n_timers++] = (struct cycle_timer){yyjson_get_str(key), v};
    }
    s->timers = timers;
}

static void tls_read(struct config_loader *l, int id)
{
    struct service_config *s = &l->c->services[id];
    bool enabled = BOOL("ssl_enable", false);
    s->ssl_cert = TEXT("ssl_cert", NULL);
    s->ssl_key = TEXT("ssl_key", NULL);
    s->ssl_chain = TEXT("ssl_chain", NULL);
    const char *name = service_names[id].key;
    if (enabled && (!s->ssl_cert || !s->ssl_key))
        config_problem(l, true, key_path(l, id, "ssl_enable"),
                       "services.%s has ssl_enable without both ssl_cert and ssl_key", name);
    const char *files[] = {s->ssl_cert, s->ssl_key, s->ssl_chain};
    const char *keys[] = {"ssl_cert", "ssl_key", "ssl_chain"};
    for (int i = 0; i < 3 && enabled; i++)
        if (files[i] && access(files[i], R_OK) < 0)
            config_problem(l, true, key_path(l, id, keys[i]),
                           "services.%s.%s: the file %s cannot be read", name, keys[i], files[i]);
    if (!enabled)
        s->ssl_cert = s->ssl_key = s->ssl_chain = NULL;
    /* A balancer in front may speak TLS for us; our own TLS is never registered as plain. */
    s->external_tls = enabled || BOOL("external_tls", false);
}

static void address_read(struct config_loader *l, int id, const char *host)
{
    struct service_config *s = &l->c->services[id];
    const char *keys[] = {"endpoint_hostname", "listen", "port"};
    int there = 0;
    for (int i = 0; i < 3; i++)
        there += TEXT(keys[i], NULL) != NULL;
    for (int i = 0; i < 3 && there && l->directory; i++)
        if (!TEXT(keys[i], NULL))
            config_problem(l, !config_skips(l, "services"), key_path(l, id, ""),
                           "services.%s has no %s (endpoint_hostname, listen and port go together)",
                           service_names[id].key, keys[i]);
    s->endpoint_hostname = TEXT("endpoint_hostname", host);
    s->listen = TEXT("listen", "0.0.0.0");
    s->port = (uint16_t)INT("port", service_names[id].port, 1, 65535);
    s->external_hostname = TEXT("external_hostname", NULL);
    if (s->external_hostname && (!*s->external_hostname || !strcmp(s->external_hostname, "null")))
        s->external_hostname = NULL;
    s->external_port = (uint16_t)INT("external_port", 0, 0, 65535);
}

static void service_read(struct config_loader *l, int id, const char *host)
{
    struct service_config *s = &l->c->services[id];
    yyjson_val *section = config_at(l->text, str_z(key_path(l, id, "")));
    if (section && !yyjson_is_null(section) && !yyjson_is_obj(section))
        config_problem(l, true, key_path(l, id, ""), "services.%s must be a mapping",
                       service_names[id].key);
    s->enabled = BOOL("enabled", !l->directory);
    if (l->directory && yyjson_is_obj(section) && !TEXT("enabled", NULL))
        config_problem(l, !config_skips(l, "services"), key_path(l, id, ""),
                       "services.%s has no \"enabled\"", service_names[id].key);
    address_read(l, id, host);
    tls_read(l, id);
    s->max_request_threads = (unsigned)INT("max_request_threads", 50, 1, 4096);
    int64_t timeout = config_get_int(l, "server_request_timeout_seconds", 180, 1, 86400);
    s->request_timeout = (unsigned)INT("server_request_timeout_seconds", timeout, 1, 86400);
    s->require_auth = BOOL("require_auth", id != SERVICE_KUBERNETES_WEBHOOK);
    s->log_level = TEXT("log_level", l->c->log_level);
    timers_read(l, id);
}

/* ---- selection
 * ------------------------------------------------------------------------------------ */

static void select_one(struct config_loader *l, str name, const char *from)
{
    int id = service_by_name(name);
    if (id < 0)
        config_problem(l, false, NULL, "%s names \"%.*s\", which is no service", from,
                       STR_ARG(name));
    else if (!l->c->services[id].enabled)
        config_problem(l, false, NULL, "%s names %s, which the configuration does not enable", from,
                       service_names[id].key);
    else
        l->c->services[id].selected = true;
}

static void select_words(struct config_loader *l, const char *words, const char *from)
{
    str rest = str_z(words);
    while (rest.n) {
        size_t i = 0;
        while (i < rest.n && !ke_isspace(rest.p[i]) && rest.p[i] != ',')
            i++;
        if (i)
            select_one(l, str_sub(rest, 0, i), from);
        rest = str_from(rest, i + 1);
    }
}

static bool has_words(const char *s)
{
    return s && str_trim(str_z(s)).n;
}

static void services_select(struct config_loader *l)
{
    const char *engine = getenv("ANCHORE_ENGINE_SERVICES"), *own = getenv("KELLET_SERVICES");
    if (l->options->n_services) {
        for (size_t i = 0; i < l->options->n_services; i++)
            select_one(l, str_z(l->options->services[i]), "the command line");
    } else if (has_words(engine)) {
        select_words(l, engine, "ANCHORE_ENGINE_SERVICES");
    } else if (has_words(own)) {
        select_words(l, own, "KELLET_SERVICES");
    } else {
        for (int i = 0; i < SERVICE_COUNT; i++)
            l->c->services[i].selected = l->c->services[i].enabled;
    }
}

static void ports_check(struct config_loader *l)
{
    const struct service_config *s = l->c->services;
    for (int a = 0; a < SERVICE_COUNT; a++)
        for (int b = a + 1; b < SERVICE_COUNT; b++)
            if (s[a].selected && s[b].selected && s[a].port == s[b].port &&
                strcmp(s[a].listen, s[b].listen) == 0)
                config_problem(l, true, key_path(l, b, "port"),
                               "services.%s and services.%s both listen on port %u in this process",
                               service_names[a].key, service_names[b].key, s[a].port);
}

void config_services_read(struct config_loader *l)
{
    yyjson_val *services = config_at(l->text, STR("services"));
    if (l->directory && (!yyjson_is_obj(services) || !yyjson_obj_size(services)))
        config_problem(l, !config_skips(l, "services"), "services",
                       "the section \"services\" is missing or empty");
    char own[256] = "localhost";
    if (getenv("ANCHORE_DB_HOST") || getenv("KELLET_DB"))
        gethostname(own, sizeof own - 1);
    const char *named = config_variable(l, "ANCHORE_ENDPOINT_HOSTNAME");
    const char *host = arena_dup(&l->c->arena, str_z(named && *named ? named : own)).p;
    for (int i = 0; i < SERVICE_COUNT; i++) {
        service_read(l, i, host ? host : "localhost");
        str path = arena_printf(&l->c->arena, "%s_endpoint", service_names[i].key);
        const char *url = path.p ? config_get_text(l, path.p, NULL) : NULL;
        l->c->endpoints[i] = url && *url ? url : NULL;
    }
    services_select(l);
    ports_check(l);
}
