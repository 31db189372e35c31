/* config_keys.c - the keys that are known: those that something reads, and those of the original
 * (and of what was sold with it) that mean nothing here and are passed over in silence. */
#include "services/config_internal.h"

/* "*" stands for one key, a last "**" for everything below. */
static const char *const known_keys[] = {
    "service_dir",
    "tmp_dir",
    "log_level",
    "host_id",
    "internal_ssl_verify",
    "allow_awsecr_iam_auto",
    "auto_restart_services",
    "global_client_connect_timeout",
    "global_client_read_timeout",
    "server_request_timeout_seconds",
    "image_analyze_timeout_seconds",
    "skopeo_global_timeout",
    "max_compressed_image_size_mb",
    "max_import_content_size_mb",
    "max_source_import_size_mb",
    "document_cache_max_megabytes",
    "grype_db_dir",
    "policy_bundles_dir",
    "default_bundle_file",
    "default_admin_password",
    "default_admin_email",
    "license_file",
    "metrics.enabled",
    "metrics.enable",
    "metrics.auth_disabled",
    "keys.secret",
    "keys.public_key_path",
    "keys.private_key_path",
    "user_authentication.oauth.enabled",
    "user_authentication.oauth.default_token_expiration_seconds",
    "user_authentication.oauth.refresh_token_expiration_seconds",
    "user_authentication.hashed_passwords",
    "user_authentication.sso_require_existing_users",
    "user_authentication.log_saml_assertions",
    "user_authentication.disallow_native_users",
    "webhooks.**",
    "registry_mirrors.**",
    "aws.endpoint_url",
    "aws.endpoint_url_ecr",
    "aws.endpoint_url_sts",
    "feeds.**",
    "credentials.database.db_connect",
    "credentials.database.db_connect_args.**",
    "credentials.database.db_engine_args.**",
    "credentials.database.db_pool_size",
    "credentials.database.db_pool_max_overflow",
    "credentials.database.db_echo",
    "credentials.users.**",
    "credentials.user_config_db_sync",
    "enable_swagger_ui",
    "enable_access_logging",
    "log_to_db",
    "cleanup_images",
    "docker_conn",
    "docker_conn_timeout",
    "loaded_policy_bundle_types",
    "enable_package_db_load",
    "audit.**",
    "runtime_inventory.**",
    "services.*.enabled",
    "services.*.require_auth",
    "services.*.endpoint_hostname",
    "services.*.listen",
    "services.*.port",
    "services.*.external_hostname",
    "services.*.external_port",
    "services.*.external_tls",
    "services.*.ssl_enable",
    "services.*.ssl_cert",
    "services.*.ssl_key",
    "services.*.ssl_chain",
    "services.*.log_level",
    "services.*.log_to_db",
    "services.*.cycle_timer_seconds",
    "services.*.cycle_timers.*",
    "services.*.max_request_threads",
    "services.*.server_request_timeout_seconds",
    "services.*.enable_access_logging",
    "services.*.enable_swagger_ui",
    "services.*.task_handlers_enabled",
    "services.*.debug_thread_stats_dump_interval",
    "services.*.monitor_interval_seconds",
    "services.*.auto_restart",
    "services.apiext.authorization_handler",
    "services.apiext.authorization_handler_config.**",
    "services.apiext.authentication_handler",
    "services.apiext.image_content.**",
    "services.catalog.archive.**",
    "services.catalog.object_store.**",
    "services.catalog.analysis_archive.**",
    "services.catalog.event_log.**",
    "services.catalog.image_gc.**",
    "services.catalog.fair_share_image_analysis_queueing",
    "services.catalog.archive_driver.**",
    "services.catalog.use_db",
    "services.catalog.archive_data_dir",
    "services.catalog.runtime_inventory.**",
    "services.catalog.runtime_compliance.**",
    "services.catalog.integrations.**",
    "services.catalog.down_analyzer_task_requeue",
    "services.kubernetes_webhook.admission.**",
    "services.analyzer.max_threads",
    "services.analyzer.layer_cache_enable",
    "services.analyzer.layer_cache_max_gigabytes",
    "services.analyzer.enable_hints",
    "services.analyzer.enable_owned_package_filtering",
    "services.analyzer.keep_image_analysis_tmpfiles",
    "services.analyzer.analyzer_driver",
    "services.policy_engine.vulnerabilities.**",
    "services.policy_engine.changes_days",
    "services.policy_engine.cache_max_megabytes",
    "services.policy_engine.policy_evaluation_cache_ttl",
    "services.policy_engine.enable_package_db_load",
    "services.policy_engine.enable_images_by_vulnerability_api",
    "services.policy_engine.enable_user_base_image",
    "services.policy_engine.caching.**",
};

/* Services of the products around the original: none of ours, and no mistake. */
static const char *const other_services[] = {
    "feeds",         "rbac_manager", "rbac_authorizer", "reports",
    "notifications", "ui",           "reports_worker",  "component_catalog",
};

/* 2: the key itself; 1: on the way to one; 0: unknown. */
static int key_match(str pattern, str path)
{
    while (pattern.n && path.n) {
        str p = str_split(&pattern, '.'), k = str_split(&path, '.');
        if (str_eq(p, STR("**")))
            return 2;
        if (!str_eq(p, STR("*")) && !str_eq(p, k))
            return 0;
    }
    if (path.n)
        return 0;
    return pattern.n && !str_eq(pattern, STR("**")) ? 1 : 2;
}

static int key_known(str path)
{
    if (str_ends(path, STR("_endpoint")) && str_index(path, '.') < 0)
        return 2;
    int best = 0;
    for (size_t i = 0; i < KE_ARRAY_LEN(known_keys) && best < 2; i++) {
        int m = key_match(str_z(known_keys[i]), path);
        best = m > best ? m : best;
    }
    return best;
}

static bool service_is_other(str name)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(other_services); i++)
        if (str_eq(name, str_z(other_services[i])))
            return true;
    return false;
}

/* The part of path below "services.", when it is one; the service's name goes to *name. */
static bool key_service(str path, str *name)
{
    if (!str_starts(path, STR("services.")))
        return false;
    str rest = str_from(path, 9);
    *name = str_split(&rest, '.');
    return true;
}

void config_keys_check(struct config_loader *l)
{
    str quiet = {NULL, 0}; /* below this nothing more is said */
    for (size_t i = 0; i < l->keys.n; i++) {
        const struct config_key *k = &l->keys.p[i];
        if (quiet.n && str_starts(k->path, quiet) && k->path.n > quiet.n &&
            k->path.p[quiet.n] == '.')
            continue;
        str name;
        if (str_starts(k->path, STR("x-")) && str_index(k->path, '.') < 0) {
            quiet = k->path;
            continue;
        }
        if (key_service(k->path, &name) && service_by_name(name) < 0) {
            if (!service_is_other(name))
                config_problem_at(l, false, k->line, "there is no service \"%.*s\"", STR_ARG(name));
            quiet = k->path;
            continue;
        }
        if (key_known(k->path))
            continue;
        config_problem_at(l, false, k->line, "unknown key \"%.*s\"", STR_ARG(k->path));
        quiet = k->path;
    }
}
