/* config.h - the engine's configuration: config.yaml of 0.2.x and of 1.1, or none at all.
 *
 * Values keep the names and defaults of the original (docs/configuration.md lists every key).
 * Without a file all six services run in this process on SQLite under DATA. The struct is immutable
 * once loaded; secrets in it never reach a log or --check-config's output. */
#ifndef KELLET_SERVICES_CONFIG_H
#define KELLET_SERVICES_CONFIG_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "codec/json.h"
#include "net/aws_s3.h"

/* In this order: of lists, start-up and metrics. */
enum service_id {
    SERVICE_CATALOG,
    SERVICE_APIEXT,
    SERVICE_SIMPLEQUEUE,
    SERVICE_POLICY_ENGINE,
    SERVICE_ANALYZER,
    SERVICE_KUBERNETES_WEBHOOK,
    SERVICE_COUNT
};
struct service_name {
    const char *key;     /* "apiext": configuration, discovery, API */
    const char *process; /* "anchore-api": the other spelling */
    const char *words;   /* "API": for people */
    uint16_t port;       /* by default */
};
extern const struct service_name service_names[SERVICE_COUNT];
/* By either spelling; -1: none. */
int service_by_name(str name);

struct cycle_timer { /* a watcher's interval as configured: seconds; 0: off */
    const char *name;
    int64_t seconds;
};

struct registry_mirror { /* "docker.io": "127.0.0.1:5000/cache" is asked first */
    const char *registry, *mirror;
};

struct service_config {
    bool selected; /* runs in this process */
    bool enabled;
    const char *endpoint_hostname, *listen;
    uint16_t port;
    const char *external_hostname;              /* NULL: endpoint_hostname */
    uint16_t external_port;                     /* 0: port */
    bool external_tls;                          /* scheme that is registered */
    const char *ssl_cert, *ssl_key, *ssl_chain; /* NULL: plain HTTP */
    unsigned max_request_threads;               /* 50 */
    unsigned request_timeout;                   /* seconds, 180 */
    bool require_auth;                          /* kubernetes_webhook: false */
    const char *log_level;
    const struct cycle_timer *timers;
    size_t n_timers;
};

struct config {
    struct arena arena;      /* owns everything */
    const char *file;        /* NULL: none */
    const char *data_dir;    /* vulnerability data, layer cache, SQLite file, host id */
    const char *service_dir; /* bundles, analyzer_config.yaml, host_id.json; default DATA */
    const char *tmp_dir;
    const char *host_id; /* configured, or made at start: a UUID kept for this process's life */
    bool host_id_configured;
    const char *log_level;
    const char *database_url;      /* "sqlite:DATA/kellet.db" or postgresql:// */
    unsigned database_connections; /* per process */
    unsigned database_timeout;
    const char *admin_password; /* NULL: generated at bootstrap */
    const char *admin_email;
    bool metrics_enabled, metrics_auth_disabled;
    bool oauth_enabled;
    int64_t token_seconds; /* 3600 */
    const char *key_secret, *key_public_path, *key_private_path;
    bool internal_ssl_verify;
    unsigned client_connect_timeout, client_read_timeout; /* 0: defaults */
    int64_t max_compressed_image_size_mb;                 /* < 0: off */
    int64_t image_analyze_timeout;                        /* seconds */
    bool allow_awsecr_iam_auto;
    bool fair_share;                            /* queueing between accounts */
    const char *document_driver, *document_dir; /* documents.h */
    struct s3_options document_s3;              /* bucket NULL: none */
    const char *document_prefix;                /* of keys in the bucket */
    bool document_create_bucket;
    struct aws_endpoints aws_endpoints; /* of ECR and STS; NULL: the environment's, AWS's own */
    const struct registry_mirror *mirrors;
    size_t n_mirrors;
    unsigned analyzer_threads;   /* images at a time in one worker; 1 */
    uint64_t layer_cache_max;    /* bytes */
    uint64_t document_cache_max; /* bytes, in memory, of a process: documents_options.cache_bytes */
    uint64_t policy_cache_max;   /* bytes, in memory, of a process: policy_engine/keeper.h */
    bool hints_enabled, owned_package_filtering;
    bool event_notification; /* services.catalog.event_log.notification */
    unsigned event_days; /* services.catalog.event_log.retention_days: older events go; 0: none */
    const char *policy_bundles_dir; /* *.json go into new accounts */
    const char *analyzer_config;    /* path of analyzer_config.yaml; NULL: built in */
    int64_t changes_days;           /* changes of findings are kept; 0: for ever */
    const char *provider;           /* policy_engine.vulnerabilities.provider, as configured */
    bool feeds_sync_enabled, feeds_ssl_verify;
    const char *legacy_feeds_url; /* of the original's feed service, when configured; NULL */
    const char *endpoints[SERVICE_COUNT]; /* "<service>_endpoint" overrides; NULL */
    yyjson_val *webhooks;                 /* the section as it stands; NULL */
    yyjson_val *tree;                     /* everything as it stands, after substitution */
    struct service_config services[SERVICE_COUNT];
};

struct config_problem {
    bool fatal;    /* else a warning */
    unsigned line; /* 0: not about one */
    str text;
};

struct config_options {
    /* Of config.yaml; NULL: the text in $KELLET_CONFIG_YAML, else $ANCHORE_CONFIG_DIR, or none. */
    const char *directory;
    const char *data_dir;        /* DATA */
    const char *const *services; /* arguments; NULL */
    size_t n_services;
    bool all;
    const char *skip_validate; /* "services,credentials,webhooks" */
};

/* Loads and checks; every problem is found, not the first one only. *problems is in the config's
 * arena. Returns 0 also when there are fatal problems: look. */
int config_load(const struct config_options *o, struct config **out,
                const struct config_problem **problems, size_t *n_problems, struct err *e);
void config_free(struct config *c);
/* The effective configuration as YAML, secrets replaced by "********". */
int config_print(const struct config *c, struct buf *out, struct err *e);
/* The timer of a watcher in a service's section, clamped as the original does; `fallback` when
 * absent. 0: off. */
int64_t config_timer(const struct service_config *s, const char *name, int64_t fallback,
                     int64_t min, int64_t max);

/* SQLAlchemy's URL as libpq's (with `query` appended) or "sqlite:PATH", in the arena; NULL: a
 * scheme that is not known. */
const char *config_database_url(struct arena *a, str url, const char *data_dir, str query);

#endif
