#include "services/config_internal.h"

#include "base/auto.h"

static const char hidden[] = "********";

static bool is_secret(str key)
{
    static const char *const words[] = {"pass", "secret_key", "access_key", "token_secret"};
    for (size_t i = 0; i < KE_ARRAY_LEN(words); i++)
        if (str_contains(key, str_z(words[i])))
            return true;
    return str_eq(key, STR("secret")) || str_eq(key, STR("auth"));
}

/* A URL's password is hidden wherever it stands. */
static void put_text(struct buf *b, str key, str s)
{
    ptrdiff_t scheme = str_find(s, STR("://"));
    str rest = scheme > 0 ? str_from(s, (size_t)scheme + 3) : (str){NULL, 0};
    ptrdiff_t at = str_rindex(rest, '@'), colon = str_index(rest, ':');
    if (s.n && is_secret(key)) {
        json_put_string(b, str_z(hidden));
    } else if (at > 0 && colon >= 0 && colon < at) {
        auto_buf url;
        buf_init(&url, 1 << 16);
        buf_addf(&url, "%.*s://%.*s:%s%.*s", (int)scheme, s.p, (int)colon, rest.p, hidden,
                 STR_ARG(str_from(rest, (size_t)at)));
        json_put_string(b, buf_view(&url));
    } else {
        json_put_string(b, s);
    }
}

static void indent(struct buf *b, int depth)
{
    for (int i = 0; i < depth; i++)
        buf_add_str(b, STR("  "));
}

static void put_value(struct buf *b, int depth, str key, yyjson_val *v);

static void put_collection(struct buf *b, int depth, str key, yyjson_val *v)
{
    buf_add_char(b, '\n');
    size_t i, max;
    yyjson_val *k, *item;
    if (yyjson_is_arr(v)) {
        yyjson_arr_foreach(v, i, max, item)
        {
            indent(b, depth);
            buf_add_char(b, '-');
            put_value(b, depth + 1, key, item);
        }
        return;
    }
    yyjson_obj_foreach(v, i, max, k, item)
    {
        indent(b, depth);
        json_put_string(b, json_text(k));
        buf_add_char(b, ':');
        put_value(b, depth + 1, json_text(k), item);
    }
}

static void put_value(struct buf *b, int depth, str key, yyjson_val *v)
{
    bool collection = yyjson_is_obj(v) || yyjson_is_arr(v);
    if (collection && yyjson_get_len(v)) {
        put_collection(b, depth, key, v);
        return;
    }
    buf_add_char(b, ' ');
    if (collection) {
        buf_add_str(b, yyjson_is_obj(v) ? STR("{}") : STR("[]"));
    } else if (yyjson_is_str(v)) {
        put_text(b, key, json_text(v));
    } else if (is_secret(key) && !yyjson_is_null(v) && !yyjson_is_bool(v)) {
        json_put_string(b, str_z(hidden));
    } else {
        autofree char *text = yyjson_val_write(v, 0, NULL);
        buf_add_str(b, str_z(text));
    }
    buf_add_char(b, '\n');
}

static void put_line(struct buf *b, int depth, const char *key, const char *value)
{
    indent(b, depth);
    buf_addf(b, "%s: ", key);
    if (value)
        put_text(b, str_z(key), str_z(value));
    else
        buf_add_str(b, STR("null"));
    buf_add_char(b, '\n');
}
static void put_number(struct buf *b, int depth, const char *key, int64_t v)
{
    indent(b, depth);
    buf_addf(b, "%s: %lld\n", key, (long long)v);
}
static void put_flag(struct buf *b, int depth, const char *key, bool v)
{
    indent(b, depth);
    buf_addf(b, "%s: %s\n", key, v ? "true" : "false");
}

static void put_store(struct buf *b, const struct config *c)
{
    const struct s3_options *s3 = &c->document_s3;
    buf_addf(b, "    object_store:\n      storage_driver:\n        name: %s\n",
             strcmp(c->document_driver, "fs") == 0 ? "localfs" : c->document_driver);
    if (c->document_dir || s3->bucket)
        buf_add_str(b, STR("        config:\n"));
    if (c->document_dir)
        put_line(b, 5, "archive_data_dir", c->document_dir);
    if (!s3->bucket)
        return;
    put_line(b, 5, "bucket", s3->bucket);
    put_flag(b, 5, "create_bucket", c->document_create_bucket);
    put_line(b, 5, "prefix", c->document_prefix);
    put_line(b, 5, "region", s3->region);
    put_line(b, 5, "url", s3->url);
    put_flag(b, 5, "iamauto", !s3->access_key);
    if (s3->access_key) {
        put_line(b, 5, "access_key", s3->access_key);
        put_line(b, 5, "secret_key", s3->secret_key);
    }
    put_line(b, 5, "server_side_encryption", s3->encryption);
}

static void put_service(struct buf *b, const struct config *c, int id)
{
    const struct service_config *s = &c->services[id];
    buf_addf(b, "  %s:\n", service_names[id].key);
    put_flag(b, 2, "enabled", s->enabled);
    indent(b, 2);
    buf_addf(b, "# %s in this process\n", s->selected ? "runs" : "does not run");
    put_line(b, 2, "endpoint_hostname", s->endpoint_hostname);
    put_line(b, 2, "listen", s->listen);
    put_number(b, 2, "port", s->port);
    if (s->external_hostname)
        put_line(b, 2, "external_hostname", s->external_hostname);
    if (s->external_port)
        put_number(b, 2, "external_port", s->external_port);
    put_flag(b, 2, "external_tls", s->external_tls);
    put_flag(b, 2, "ssl_enable", s->ssl_cert);
    if (s->ssl_cert) {
        put_line(b, 2, "ssl_cert", s->ssl_cert);
        put_line(b, 2, "ssl_key", s->ssl_key);
        put_line(b, 2, "ssl_chain", s->ssl_chain);
    }
    put_flag(b, 2, "require_auth", s->require_auth);
    put_line(b, 2, "log_level", s->log_level);
    put_number(b, 2, "max_request_threads", s->max_request_threads);
    put_number(b, 2, "server_request_timeout_seconds", s->request_timeout);
    if (s->n_timers)
        buf_add_str(b, STR("    cycle_timers:\n"));
    for (size_t i = 0; i < s->n_timers; i++)
        put_number(b, 3, s->timers[i].name, s->timers[i].seconds);
    if (id == SERVICE_ANALYZER) {
        put_number(b, 2, "max_threads", c->analyzer_threads);
        put_number(b, 2, "layer_cache_max_gigabytes", (int64_t)(c->layer_cache_max >> 30));
        put_flag(b, 2, "enable_hints", c->hints_enabled);
        put_flag(b, 2, "enable_owned_package_filtering", c->owned_package_filtering);
    }
    if (id == SERVICE_CATALOG) {
        put_flag(b, 2, "fair_share_image_analysis_queueing", c->fair_share);
        buf_addf(b, "    event_log: {notification: {enabled: %s}, retention_days: %u}\n",
                 c->event_notification ? "true" : "false", c->event_days);
        put_store(b, c);
    }
    if (id == SERVICE_POLICY_ENGINE) {
        put_number(b, 2, "changes_days", c->changes_days);
        put_number(b, 2, "cache_max_megabytes", (int64_t)(c->policy_cache_max >> 20));
        buf_addf(b, "    vulnerabilities: {sync: {enabled: %s, ssl_verify: %s}}\n",
                 c->feeds_sync_enabled ? "true" : "false", c->feeds_ssl_verify ? "true" : "false");
    }
}

static void put_general(struct buf *b, const struct config *c)
{
    buf_addf(b, "# %s\n", c->file ? c->file : "no configuration file: defaults and environment");
    put_line(b, 0, "service_dir", c->service_dir);
    put_line(b, 0, "tmp_dir", c->tmp_dir);
    put_line(b, 0, "log_level", c->log_level);
    put_line(b, 0, "host_id", c->host_id_configured ? c->host_id : NULL);
    put_flag(b, 0, "internal_ssl_verify", c->internal_ssl_verify);
    put_flag(b, 0, "allow_awsecr_iam_auto", c->allow_awsecr_iam_auto);
    put_number(b, 0, "global_client_connect_timeout", c->client_connect_timeout);
    put_number(b, 0, "global_client_read_timeout", c->client_read_timeout);
    put_number(b, 0, "image_analyze_timeout_seconds", c->image_analyze_timeout);
    put_number(b, 0, "max_compressed_image_size_mb", c->max_compressed_image_size_mb);
    put_number(b, 0, "document_cache_max_megabytes", (int64_t)(c->document_cache_max >> 20));
    put_line(b, 0, "policy_bundles_dir", c->policy_bundles_dir);
    put_line(b, 0, "default_admin_password", c->admin_password);
    put_line(b, 0, "default_admin_email", c->admin_email);
    buf_addf(b, "metrics: {enabled: %s, auth_disabled: %s}\n",
             c->metrics_enabled ? "true" : "false", c->metrics_auth_disabled ? "true" : "false");
    buf_add_str(b, STR("keys:\n"));
    put_line(b, 1, "secret", c->key_secret);
    put_line(b, 1, "public_key_path", c->key_public_path);
    put_line(b, 1, "private_key_path", c->key_private_path);
    buf_addf(b,
             "user_authentication:\n  oauth: {enabled: %s, default_token_expiration_seconds: "
             "%lld}\n",
             c->oauth_enabled ? "true" : "false", (long long)c->token_seconds);
}

int config_print(const struct config *c, struct buf *out, struct err *e)
{
    put_general(out, c);
    buf_add_str(out, STR("credentials:\n  database:\n"));
    put_line(out, 2, "db_connect", c->database_url);
    buf_addf(out, "    db_connect_args: {timeout: %u}\n    db_pool_size: %u\n", c->database_timeout,
             c->database_connections);
    if (c->n_mirrors)
        buf_add_str(out, STR("registry_mirrors:\n"));
    for (size_t i = 0; i < c->n_mirrors; i++)
        put_line(out, 1, c->mirrors[i].registry, c->mirrors[i].mirror);
    if (c->webhooks) {
        buf_add_str(out, STR("webhooks:"));
        put_value(out, 1, STR("webhooks"), c->webhooks);
    }
    for (int i = 0; i < SERVICE_COUNT; i++)
        if (c->endpoints[i]) {
            buf_addf(out, "%s_endpoint: ", service_names[i].key);
            put_text(out, STR(""), str_z(c->endpoints[i]));
            buf_add_char(out, '\n');
        }
    buf_add_str(out, STR("services:\n"));
    for (int i = 0; i < SERVICE_COUNT; i++)
        put_service(out, c, i);
    return buf_check(out, "the configuration", e);
}
