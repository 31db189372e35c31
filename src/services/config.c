#include "services/config_internal.h"

#include "base/auto.h"
#include "base/fs.h"
#include "packages/layer_cache.h"

#include <stdarg.h>
#include <sys/random.h>

enum { CONFIG_MEMORY = 64 << 20, CONFIG_PROBLEMS_MAX = 200 };

/* ---- problems
 * ------------------------------------------------------------------------------------- */

static void problem_add(struct config_loader *l, bool fatal, unsigned line, const char *fmt,
                        va_list ap)
{
    char text[1024];
    vsnprintf(text, sizeof text, fmt, ap);
    for (size_t i = 0; i < l->problems.n; i++)
        if (l->problems.p[i].line == line && str_eq(l->problems.p[i].text, str_z(text)))
            return;
    struct config_problem *p =
        l->problems.n < CONFIG_PROBLEMS_MAX || fatal ? vec_push(&l->problems) : NULL;
    if (p)
        *p = (struct config_problem){fatal, line, arena_dup(&l->c->arena, str_z(text))};
}

void config_problem_at(struct config_loader *l, bool fatal, unsigned line, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    problem_add(l, fatal, line, fmt, ap);
    va_end(ap);
}

void config_problem(struct config_loader *l, bool fatal, const char *path, const char *fmt, ...)
{
    unsigned line = 0;
    for (str p = str_z(path); p.n && !line;) {
        line = (unsigned)(uintptr_t)map_get(&l->lines, p);
        ptrdiff_t dot = str_rindex(p, '.');
        p = str_sub(p, 0, dot > 0 ? (size_t)dot : 0);
    }
    va_list ap;
    va_start(ap, fmt);
    problem_add(l, fatal, line, fmt, ap);
    va_end(ap);
}

bool config_skips(const struct config_loader *l, const char *section)
{
    str rest = str_z(l->options->skip_validate);
    while (rest.n)
        if (str_eq(str_trim(str_split(&rest, ',')), str_z(section)))
            return true;
    return false;
}

/* ---- values
 * --------------------------------------------------------------------------------------- */

static const char *text_or_null(struct config_loader *l, const char *path)
{
    const char *s = config_get_text(l, path, NULL);
    return s && *s && strcmp(s, "null") != 0 ? s : NULL;
}

const char *config_below(struct config_loader *l, const char *dir, const char *path)
{
    if (path[0] == '/')
        return path;
    const char *p = arena_printf(&l->c->arena, "%s/%s", dir, path).p;
    return p ? p : dir;
}

static void general_read(struct config_loader *l)
{
    struct config *c = l->c;
    c->log_level = config_get_text(l, "log_level", "INFO");
    const char *home = text_or_null(l, "service_dir");
    c->service_dir = home ? home : c->data_dir;
    const char *tmp = getenv("TMPDIR");
    c->tmp_dir = config_get_text(l, "tmp_dir", tmp && *tmp ? tmp : "/var/tmp");
    c->host_id = text_or_null(l, "host_id");
    c->host_id_configured = c->host_id;
    c->admin_password = text_or_null(l, "default_admin_password");
    const char *password = config_variable(l, "ANCHORE_ADMIN_PASSWORD");
    if (!c->admin_password && password && *password && strcmp(password, "null") != 0)
        c->admin_password = arena_dup(&c->arena, str_z(password)).p;
    c->admin_email = config_get_text(l, "default_admin_email", "admin@myanchore");
    c->metrics_enabled =
        config_get_bool(l, "metrics.enabled", config_get_bool(l, "metrics.enable", false));
    c->metrics_auth_disabled = config_get_bool(l, "metrics.auth_disabled", false);
    c->internal_ssl_verify = config_get_bool(l, "internal_ssl_verify", true);
    c->allow_awsecr_iam_auto = config_get_bool(l, "allow_awsecr_iam_auto", false);
    int64_t t = config_get_int(l, "global_client_connect_timeout", 0, -1, 86400);
    c->client_connect_timeout = (unsigned)(t < 0 ? 0 : t);
    t = config_get_int(l, "global_client_read_timeout", 0, -1, 86400);
    c->client_read_timeout = (unsigned)(t < 0 ? 0 : t);
    c->max_compressed_image_size_mb =
        config_get_int(l, "max_compressed_image_size_mb", -1, -1, INT32_MAX);
    c->image_analyze_timeout =
        config_get_int(l, "image_analyze_timeout_seconds", 36000, 1, 31536000);
    c->webhooks = config_at(c->tree, STR("webhooks"));
    if (l->directory && !yyjson_is_obj(c->webhooks))
        c->webhooks = NULL;
}

static void auth_read(struct config_loader *l)
{
    struct config *c = l->c;
    c->oauth_enabled = config_get_bool(l, "user_authentication.oauth.enabled", false);
    c->token_seconds = config_get_int(
        l, "user_authentication.oauth.default_token_expiration_seconds", 3600, 1, 31536000);
    c->key_secret = text_or_null(l, "keys.secret");
    c->key_public_path = text_or_null(l, "keys.public_key_path");
    c->key_private_path = text_or_null(l, "keys.private_key_path");
    bool pair = c->key_public_path || c->key_private_path;
    if (pair && !(c->key_public_path && c->key_private_path))
        config_problem(l, true, "keys",
                       "keys.public_key_path and keys.private_key_path go together");
    if (l->directory && c->oauth_enabled && !c->key_secret && !pair)
        config_problem(l, true, "user_authentication.oauth",
                       "oauth is enabled, but neither keys.secret nor a pair of keys is given");
}

/* The variable wins; for KELLET_CACHE_MAX as in scans without an engine. */
static uint64_t cache_limit(struct config_loader *l, const char *variable, uint64_t configured)
{
    const char *text = getenv(variable);
    uint64_t max;
    if (!text || !*text)
        return configured;
    if (layer_cache_limit(str_z(text), &max))
        return max;
    config_problem(l, true, "", "%s is a size such as 2G or 500M, not %s", variable, text);
    return 0;
}

static void caches_read(struct config_loader *l)
{
    int64_t gib = config_get_int(l, "services.analyzer.layer_cache_max_gigabytes", 2, 1, 1 << 20);
    int64_t mib = config_get_int(l, "document_cache_max_megabytes", 64, 1, 1 << 20);
    int64_t policy =
        config_get_int(l, "services.policy_engine.cache_max_megabytes", 512, 16, 1 << 20);
    l->c->policy_cache_max = cache_limit(l, "KELLET_POLICY_CACHE_MAX", (uint64_t)policy << 20);
    l->c->layer_cache_max = cache_limit(l, "KELLET_CACHE_MAX", (uint64_t)gib << 30);
    l->c->document_cache_max = cache_limit(l, "KELLET_DOCUMENT_CACHE_MAX", (uint64_t)mib << 20);
}

#define VULNS "services.policy_engine.vulnerabilities"
static void parts_read(struct config_loader *l)
{
    struct config *c = l->c;
    c->fair_share = config_get_bool(l, "services.catalog.fair_share_image_analysis_queueing", true);
    c->event_notification =
        config_get_bool(l, "services.catalog.event_log.notification.enabled", false);
    c->event_days =
        (unsigned)config_get_int(l, "services.catalog.event_log.retention_days", 365, 0, 36500);
    c->analyzer_threads = (unsigned)config_get_int(l, "services.analyzer.max_threads", 1, 1, 64);
    caches_read(l);
    c->hints_enabled = config_get_bool(l, "services.analyzer.enable_hints", false);
    c->owned_package_filtering =
        config_get_bool(l, "services.analyzer.enable_owned_package_filtering", true);
    c->changes_days = config_get_int(l, "services.policy_engine.changes_days", 365, 0, 36500);
    c->provider = text_or_null(l, VULNS ".provider");
    c->feeds_sync_enabled =
        config_get_bool(l, VULNS ".sync.enabled", config_get_bool(l, "feeds.sync_enabled", true));
    c->feeds_ssl_verify =
        config_get_bool(l, VULNS ".sync.ssl_verify", config_get_bool(l, "feeds.ssl_verify", true));
    c->legacy_feeds_url = text_or_null(l, "feeds.url");
    c->policy_bundles_dir =
        config_below(l, c->service_dir, config_get_text(l, "policy_bundles_dir", "bundles"));
    const char *dirs[] = {c->service_dir, l->directory};
    for (int i = 0; i < 2 && !c->analyzer_config; i++) {
        const char *path = dirs[i] ? config_below(l, dirs[i], "analyzer_config.yaml") : NULL;
        if (path && fs_is_file(path))
            c->analyzer_config = path;
    }
}

/* ---- load
 * ----------------------------------------------------------------------------------------- */

static int host_id_make(struct config *c, struct err *e)
{
    unsigned char b[16];
    if (getrandom(b, sizeof b, 0) != sizeof b)
        return err_errno(e, "while making a host id");
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    char text[40];
    size_t n = 0;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[n++] = '-';
        n += (size_t)snprintf(text + n, sizeof text - n, "%02x", b[i]);
    }
    c->host_id = arena_dup(&c->arena, (str){text, n}).p;
    return c->host_id ? 0 : err_no_memory(e);
}

static int problem_order(const void *a, const void *b)
{
    const struct config_problem *x = a, *y = b;
    return x->line < y->line ? -1 : x->line > y->line;
}

static int problems_take(struct config_loader *l, const struct config_problem **out, size_t *n,
                         struct err *e)
{
    struct config_problem *own = arena_calloc(&l->c->arena, l->problems.n + 1, sizeof *own);
    if (!own)
        return err_no_memory(e);
    if (l->problems.n) {
        qsort(l->problems.p, l->problems.n, sizeof *own, problem_order);
        memcpy(own, l->problems.p, l->problems.n * sizeof *own);
    }
    *out = own;
    *n = l->problems.n;
    return 0;
}

static int loader_run(struct config_loader *l, struct err *e)
{
    struct config *c = l->c;
    c->data_dir = arena_dup(&c->arena, str_z(l->options->data_dir)).p;
    if (!c->data_dir)
        return err_set(e, ERR_USAGE, "no data directory is known");
    int r = config_text_load(l, e);
    if (r < 0)
        return r;
    config_keys_check(l);
    general_read(l);
    auth_read(l);
    config_services_read(l);
    config_store_read(l);
    parts_read(l);
    r = config_database_read(l, e);
    if (r < 0)
        return r;
    if (!c->host_id)
        r = host_id_make(c, e);
    return c->arena.full ? err_no_memory(e) : r;
}

int config_load(const struct config_options *o, struct config **out,
                const struct config_problem **problems, size_t *n_problems, struct err *e)
{
    struct config *c = calloc(1, sizeof *c);
    if (!c)
        return err_no_memory(e);
    arena_init(&c->arena, CONFIG_MEMORY);
    struct config_loader l = {.options = o, .c = c};
    map_init(&l.lines);
    map_init(&l.variables);
    int r = loader_run(&l, e);
    if (r == 0)
        r = problems_take(&l, problems, n_problems, e);
    map_done(&l.lines);
    map_done(&l.variables);
    vec_done(&l.keys);
    vec_done(&l.problems);
    if (r < 0) {
        config_free(c);
        return r;
    }
    *out = c;
    return 0;
}

void config_free(struct config *c)
{
    if (!c)
        return;
    arena_done(&c->arena);
    free(c);
}

int64_t config_timer(const struct service_config *s, const char *name, int64_t fallback,
                     int64_t min, int64_t max)
{
    for (size_t i = 0; i < s->n_timers; i++) {
        int64_t v = s->timers[i].seconds;
        if (strcmp(s->timers[i].name, name) != 0)
            continue;
        if (v <= 0)
            return -v;
        return v < min ? min : v > max ? max : v;
    }
    return fallback;
}
