#include "services/config_internal.h"

#include "base/auto.h"
#include "base/fs.h"
#include "codec/yaml.h"

#include <yaml.h>

enum { CONFIG_FILE_MAX = 4 << 20, CONFIG_KEY_DEPTH = 24, CONFIG_KEYS_MAX = 100000 };

/* ---- variables ---------------------------------------------------------------------------------
 */

const char *config_variable(struct config_loader *l, const char *name)
{
    const char *v = getenv(name);
    return v ? v : map_get(&l->variables, str_z(name));
}

static str unquote(str s)
{
    if (s.n >= 2 && (s.p[0] == '"' || s.p[0] == '\'') && s.p[s.n - 1] == s.p[0])
        return str_sub(s, 1, s.n - 1);
    return s;
}

static int variables_load(struct config_loader *l, struct err *e)
{
    const char *path = getenv("ANCHORE_ENV_FILE");
    if (!path || !*path)
        return 0;
    auto_buf text;
    buf_init(&text, CONFIG_FILE_MAX);
    if (fs_read(path, &text, e) < 0) {
        config_problem(l, true, NULL, "ANCHORE_ENV_FILE: %s", e->text);
        return 0;
    }
    str rest = buf_view(&text), line;
    for (unsigned n = 1; str_line(&rest, &line); n++) {
        line = str_trim(line);
        if (!line.n || line.p[0] == '#')
            continue;
        ptrdiff_t equals = str_index(line, '=');
        if (equals <= 0) {
            config_problem(l, false, NULL, "%s:%u: not of the form KEY=VALUE", path, n);
            continue;
        }
        str key = arena_dup(&l->c->arena, str_trim(str_sub(line, 0, (size_t)equals)));
        str value = arena_dup(&l->c->arena, unquote(str_trim(str_from(line, (size_t)equals + 1))));
        if (str_starts(key, STR("ANCHORE")) &&
            (!value.p || !map_put(&l->variables, key, (void *)value.p)))
            return err_no_memory(e);
    }
    return 0;
}

/* The name in "${NAME}" at s, when it begins with ANCHORE; empty: it is not one. */
static str variable_at(str s)
{
    if (!str_starts(s, STR("${ANCHORE")))
        return (str){NULL, 0};
    size_t i = 2;
    while (i < s.n && (ke_isalnum(s.p[i]) || s.p[i] == '_'))
        i++;
    return i < s.n && s.p[i] == '}' ? str_sub(s, 2, i) : (str){NULL, 0};
}

static int substitute(struct config_loader *l, str from, struct buf *out, struct err *e)
{
    for (size_t i = 0; i < from.n;) {
        str name = from.p[i] == '$' ? variable_at(str_from(from, i)) : (str){NULL, 0};
        char z[256];
        const char *value = NULL;
        if (name.n && name.n < sizeof z) {
            memcpy(z, name.p, name.n);
            z[name.n] = '\0';
            value = config_variable(l, z);
        }
        if (value) {
            buf_add_str(out, str_z(value));
            i += name.n + 3;
        } else {
            buf_add_char(out, from.p[i++]);
        }
    }
    return buf_check(out, "the configuration", e);
}

/* ---- lines of keys -----------------------------------------------------------------------------
 */

struct key_frame {
    bool mapping, has_key;
    size_t path_n; /* of the collection's own path */
    unsigned item;
};

struct key_walk {
    struct config_loader *l;
    struct buf path;
    struct key_frame frames[CONFIG_KEY_DEPTH];
    size_t depth;
};

static int key_note(struct key_walk *w, const yaml_event_t *ev, struct key_frame *f, struct err *e)
{
    str key = {(const char *)ev->data.scalar.value, ev->data.scalar.length};
    w->path.n = f->path_n;
    if (f->path_n)
        buf_add_char(&w->path, '.');
    buf_add_str(&w->path, key);
    unsigned line = (unsigned)ev->start_mark.line + 1;
    str path = arena_dup(&w->l->c->arena, buf_view(&w->path));
    struct config_key *k = vec_push(&w->l->keys);
    void **slot = map_slot(&w->l->lines, path);
    if (!path.p || !k || !slot)
        return err_no_memory(e);
    if (w->l->keys.n > CONFIG_KEYS_MAX)
        return err_set(e, ERR_LIMIT, "the configuration has more than %d keys", CONFIG_KEYS_MAX);
    if (*slot)
        config_problem_at(w->l, false, line, "\"%.*s\" is there twice (line %u too); this one wins",
                          STR_ARG(path), (unsigned)(uintptr_t)*slot);
    *slot = (void *)(uintptr_t)line;
    *k = (struct config_key){path, line};
    f->has_key = true;
    return 0;
}

static void unset_check(struct key_walk *w, const yaml_event_t *ev)
{
    str s = {(const char *)ev->data.scalar.value, ev->data.scalar.length};
    for (ptrdiff_t at; (at = str_find(s, STR("${ANCHORE"))) >= 0;) {
        s = str_from(s, (size_t)at);
        ptrdiff_t end = str_index(s, '}');
        if (end < 0)
            return;
        config_problem_at(w->l, true, (unsigned)ev->start_mark.line + 1,
                          "variable overrides found in configuration file that are unset (%.*s)",
                          (int)end + 1, s.p);
        s = str_from(s, (size_t)end);
    }
}

static int key_event(struct key_walk *w, const yaml_event_t *ev, struct err *e)
{
    struct key_frame *f = w->depth ? &w->frames[w->depth - 1] : NULL;
    bool starts = ev->type == YAML_MAPPING_START_EVENT || ev->type == YAML_SEQUENCE_START_EVENT;
    if (ev->type == YAML_MAPPING_END_EVENT || ev->type == YAML_SEQUENCE_END_EVENT) {
        w->depth--;
        return 0;
    }
    if (ev->type == YAML_SCALAR_EVENT)
        unset_check(w, ev);
    if (ev->type == YAML_SCALAR_EVENT && f && f->mapping && !f->has_key)
        return key_note(w, ev, f, e);
    if (!starts && ev->type != YAML_SCALAR_EVENT && ev->type != YAML_ALIAS_EVENT)
        return 0;
    if (f && f->mapping) {
        f->has_key = false;
    } else if (f) {
        w->path.n = f->path_n;
        buf_addf(&w->path, ".%u", f->item++);
    }
    if (!starts)
        return 0;
    if (w->depth == CONFIG_KEY_DEPTH)
        return err_set(e, ERR_LIMIT, "line %zu: the configuration is nested too deeply",
                       ev->start_mark.line + 1);
    w->frames[w->depth++] = (struct key_frame){.mapping = ev->type == YAML_MAPPING_START_EVENT,
                                               .path_n = w->depth ? w->path.n : 0};
    return 0;
}

static int keys_walk(struct config_loader *l, str text, struct err *e)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return err_no_memory(e);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.p, text.n);
    struct key_walk w = {.l = l};
    buf_init(&w.path, 1 << 16);
    int r = 0;
    for (bool end = false; r == 0 && !end;) {
        yaml_event_t ev;
        if (!yaml_parser_parse(&parser, &ev)) {
            r = err_set(e, ERR_FORMAT, "the configuration cannot be read twice");
            break;
        }
        end = ev.type == YAML_STREAM_END_EVENT;
        r = key_event(&w, &ev, e);
        yaml_event_delete(&ev);
    }
    buf_done(&w.path);
    yaml_parser_delete(&parser);
    return r;
}

/* ---- the tree ----------------------------------------------------------------------------------
 */

/* A copy in which the last of repeated keys is the only one. */
static yyjson_mut_val *copy_last(yyjson_mut_doc *d, yyjson_val *v)
{
    if (!yyjson_is_obj(v))
        return yyjson_val_mut_copy(d, v);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_obj_iter it = yyjson_obj_iter_with(v);
    for (yyjson_val *key; o && (key = yyjson_obj_iter_next(&it));) {
        yyjson_mut_val *k = yyjson_mut_strncpy(d, yyjson_get_str(key), yyjson_get_len(key));
        yyjson_mut_val *own = copy_last(d, yyjson_obj_iter_get_val(key));
        if (!k || !own || !yyjson_mut_obj_put(o, k, own))
            return NULL;
    }
    return o;
}

/* Parses, and keeps the document in the config's arena. */
static int tree_parse(struct config_loader *l, str text, bool all_strings, yyjson_val **out,
                      struct err *e)
{
    const struct yaml_options o = {
        .all_strings = all_strings, .keep_duplicates = true, .max_nodes = CONFIG_KEYS_MAX * 2};
    auto_json *doc = NULL;
    int r = yaml_parse(text, l->c->file, &o, &doc, e);
    if (r < 0)
        return r;
    yyjson_mut_doc *copy = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = copy ? copy_last(copy, yyjson_doc_get_root(doc)) : NULL;
    size_t n = 0;
    autofree char *json = root ? yyjson_mut_val_write(root, 0, &n) : NULL;
    yyjson_mut_doc_free(copy);
    if (!json)
        return err_no_memory(e);
    size_t room = yyjson_read_max_memory_usage(n, 0);
    void *place = arena_alloc(&l->c->arena, room);
    yyjson_alc alc;
    if (!place || !yyjson_alc_pool_init(&alc, place, room))
        return err_no_memory(e);
    *out = yyjson_doc_get_root(yyjson_read_opts(json, n, 0, &alc, NULL));
    return *out ? 0 : err_no_memory(e);
}

static int yaml_load(struct config_loader *l, str raw, struct err *e)
{
    auto_buf text;
    buf_init(&text, CONFIG_FILE_MAX);
    int r = substitute(l, raw, &text, e);
    if (r < 0)
        return r;
    r = tree_parse(l, buf_view(&text), false, &l->c->tree, e);
    if (r < 0) {
        config_problem(l, true, NULL, "%s", e->text);
        return 0;
    }
    r = tree_parse(l, buf_view(&text), true, &l->text, e);
    if (r == 0)
        r = keys_walk(l, buf_view(&text), e);
    if (r == 0 && !yyjson_is_obj(l->text)) {
        config_problem_at(l, true, 1, "%s is not a mapping of keys", l->c->file);
        l->text = NULL;
        l->c->tree = NULL;
    }
    return r;
}

static int file_load(struct config_loader *l, struct err *e)
{
    auto_buf raw;
    buf_init(&raw, CONFIG_FILE_MAX);
    int r = fs_read(l->c->file, &raw, e);
    return r < 0 ? r : yaml_load(l, buf_view(&raw), e);
}

/* ---- no file: the environment -------------------------------------------------------------------
 */

static const struct {
    const char *variable, *path;
} environment[] = {
    {"ANCHORE_ADMIN_EMAIL", "default_admin_email"},
    {"ANCHORE_ADMIN_PASSWORD", "default_admin_password"},
    {"ANCHORE_AUTH_PRIVKEY", "keys.private_key_path"},
    {"ANCHORE_AUTH_PUBKEY", "keys.public_key_path"},
    {"ANCHORE_AUTH_SECRET", "keys.secret"},
    {"ANCHORE_DISABLE_METRICS_AUTH", "metrics.auth_disabled"},
    {"ANCHORE_ENABLE_METRICS", "metrics.enabled"},
    {"ANCHORE_ENABLE_PACKAGE_FILTERING", "services.analyzer.enable_owned_package_filtering"},
    {"ANCHORE_EVENTS_NOTIFICATIONS_ENABLED", "services.catalog.event_log.notification.enabled"},
    {"ANCHORE_EXTERNAL_PORT", "services.apiext.external_port"},
    {"ANCHORE_EXTERNAL_TLS", "services.apiext.external_tls"},
    {"ANCHORE_FEEDS_ENABLED", "services.policy_engine.vulnerabilities.sync.enabled"},
    {"ANCHORE_FEEDS_SSL_VERIFY", "services.policy_engine.vulnerabilities.sync.ssl_verify"},
    {"ANCHORE_FEEDS_URL", "feeds.url"},
    {"ANCHORE_FEED_SYNC_INTERVAL_SEC", "services.policy_engine.cycle_timers.feed_sync"},
    {"ANCHORE_GLOBAL_CLIENT_CONNECT_TIMEOUT", "global_client_connect_timeout"},
    {"ANCHORE_GLOBAL_CLIENT_READ_TIMEOUT", "global_client_read_timeout"},
    {"ANCHORE_GLOBAL_SERVER_REQUEST_TIMEOUT_SEC", "server_request_timeout_seconds"},
    {"ANCHORE_HINTS_ENABLED", "services.analyzer.enable_hints"},
    {"ANCHORE_HOST_ID", "host_id"},
    {"ANCHORE_INTERNAL_SSL_VERIFY", "internal_ssl_verify"},
    {"ANCHORE_LOG_LEVEL", "log_level"},
    {"ANCHORE_MAX_COMPRESSED_IMAGE_SIZE_MB", "max_compressed_image_size_mb"},
    {"ANCHORE_OAUTH_ENABLED", "user_authentication.oauth.enabled"},
    {"ANCHORE_OAUTH_TOKEN_EXPIRATION",
     "user_authentication.oauth.default_token_expiration_seconds"},
    {"ANCHORE_SERVICE_DIR", "service_dir"},
    {"ANCHORE_VULNERABILITIES_PROVIDER", "services.policy_engine.vulnerabilities.provider"},
    {"ANCHORE_WEBHOOK_DESTINATION_URL", "webhooks.general.url"},
};

static bool put_path(yyjson_mut_doc *d, yyjson_mut_val *o, str path, const char *value)
{
    for (;;) {
        str key = str_split(&path, '.');
        yyjson_mut_val *at = yyjson_mut_obj_getn(o, key.p, key.n);
        yyjson_mut_val *k = at ? NULL : yyjson_mut_strncpy(d, key.p, key.n);
        if (!path.n)
            return k && yyjson_mut_obj_add(o, k, yyjson_mut_strcpy(d, value));
        if (!at) {
            at = yyjson_mut_obj(d);
            if (!k || !at || !yyjson_mut_obj_add(o, k, at))
                return false;
        }
        o = at;
    }
}

static int environment_load(struct config_loader *l, struct err *e)
{
    yyjson_mut_doc *d = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = d ? yyjson_mut_obj(d) : NULL;
    bool ok = root;
    for (size_t i = 0; ok && i < KE_ARRAY_LEN(environment); i++) {
        const char *v = config_variable(l, environment[i].variable);
        if (v && *v && strcmp(v, "null") != 0)
            ok = put_path(d, root, str_z(environment[i].path), v);
    }
    size_t n = 0;
    autofree char *json = ok ? yyjson_mut_val_write(root, 0, &n) : NULL;
    yyjson_mut_doc_free(d);
    l->c->file = "the environment";
    int r = json ? tree_parse(l, (str){json, n}, true, &l->text, e) : err_no_memory(e);
    l->c->file = NULL;
    l->c->tree = l->text;
    return r;
}

int config_text_load(struct config_loader *l, struct err *e)
{
    int r = variables_load(l, e);
    if (r < 0)
        return r;
    const char *dir = l->options->directory ? l->options->directory : getenv("ANCHORE_CONFIG_DIR");
    const char *yaml = getenv("KELLET_CONFIG_YAML");
    if (!l->options->directory && yaml && *yaml) {
        l->directory = l->c->data_dir;
        l->c->file = "KELLET_CONFIG_YAML";
        return yaml_load(l, str_z(yaml), e);
    }
    if (!dir || !*dir)
        return environment_load(l, e);
    l->directory = arena_dup(&l->c->arena, str_z(dir)).p;
    l->c->file = arena_printf(&l->c->arena, "%s/config.yaml", dir).p;
    return l->directory && l->c->file ? file_load(l, e) : err_no_memory(e);
}
