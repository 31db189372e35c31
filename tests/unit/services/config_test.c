#include "unit.h"

#include "services/config_internal.h"

#include <stdio.h>
#include <sys/stat.h>

static char dir[] = "/tmp/kellet-config-XXXXXX";

static struct config *load(const char *yaml, const struct config_problem **p, size_t *n)
{
    struct err e = {0};
    char path[200];
    snprintf(path, sizeof path, "%s/config.yaml", dir);
    if (yaml)
        assert_ok(fs_write_atomic(path, str_z(yaml), 0600, &e));
    struct config *c = NULL;
    const struct config_options o = {.directory = yaml ? dir : NULL, .data_dir = "/data"};
    if (config_load(&o, &c, p, n, &e) < 0)
        fail_msg("%s", e.text);
    return c;
}

static const struct config_problem *find(const struct config_problem *p, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++)
        if (str_contains(p[i].text, str_z(text)))
            return &p[i];
    for (size_t i = 0; i < n; i++)
        print_message("%u: %.*s\n", p[i].line, STR_ARG(p[i].text));
    fail_msg("no problem says \"%s\"", text);
    return NULL;
}

static void clear_environment(void)
{
    static const char *const names[] = {
        "ANCHORE_ENGINE_SERVICES", "KELLET_SERVICES",   "ANCHORE_CONFIG_DIR",
        "ANCHORE_ADMIN_PASSWORD",  "ANCHORE_ENV_FILE",  "ANCHORE_DB_HOST",
        "ANCHORE_DB_PASSWORD",     "ANCHORE_LOG_LEVEL", "KELLET_DB",
        "KELLET_CONFIG_YAML",      "ANCHORE_X",         "KELLET_DOCUMENT_CACHE_MAX",
        "KELLET_POLICY_CACHE_MAX"};
    for (size_t i = 0; i < KE_ARRAY_LEN(names); i++)
        unsetenv(names[i]);
}

static void no_file(void **state)
{
    clear_environment();
    setenv("ANCHORE_ADMIN_PASSWORD", "0012", 1);
    setenv("ANCHORE_LOG_LEVEL", "DEBUG", 1);
    const struct config_problem *p;
    size_t n;
    struct config *c = load(NULL, &p, &n);
    assert_int_equal(n, 0);
    assert_string_equal(c->admin_password, "0012");
    assert_string_equal(c->log_level, "DEBUG");
    assert_string_equal(c->database_url, "sqlite:/data/kellet.db");
    assert_int_equal(strlen(c->host_id), 36);
    static const uint16_t ports[] = {8082, 8228, 8083, 8087, 8084, 8338};
    for (int i = 0; i < SERVICE_COUNT; i++) {
        assert_true(c->services[i].selected);
        assert_int_equal(c->services[i].port, ports[i]);
    }
    assert_false(c->services[SERVICE_KUBERNETES_WEBHOOK].require_auth);
    config_free(c);
    setenv("KELLET_SERVICES", "apiext anchore-worker nonsense", 1);
    setenv("ANCHORE_DB_HOST", "db.example", 1);
    setenv("ANCHORE_DB_PASSWORD", "a@b/c", 1);
    c = load(NULL, &p, &n);
    assert_false(find(p, n, "nonsense")->fatal);
    assert_true(c->services[SERVICE_APIEXT].selected && c->services[SERVICE_ANALYZER].selected);
    assert_false(c->services[SERVICE_CATALOG].selected);
    assert_string_equal(c->database_url,
                        "postgresql://postgres:a%40b%2Fc@db.example:5432/postgres");
    config_free(c);
}

#define HEAD                                                                                       \
    "credentials:\n"                                                                               \
    "  database:\n"                                                                                \
    "    db_connect: 'postgresql+pg8000://me:p:w@x@host:5433/db'\n"                                \
    "    db_connect_args:\n"                                                                       \
    "      timeout: 20\n"                                                                          \
    "      ssl: True\n"                                                                            \
    "    db_pool_size: 30\n"

static void old_file(void **state)
{
    clear_environment();
    setenv("ANCHORE_X", "host-7", 1);
    setenv("ANCHORE_ENGINE_SERVICES", "anchore-catalog policy_engine", 1);
    const struct config_problem *p;
    size_t n;
    struct config *c = load(HEAD "  users:\n"
                                 "    admin: {password: foobar, email: a@b}\n"
                                 "host_id: 'dockerhostid-${ANCHORE_X}'\n"
                                 "feeds: {sync_enabled: False, selective_sync: {enabled: true}}\n"
                                 "services:\n"
                                 "  catalog: {enabled: True, endpoint_hostname: c, listen: 0.0.0.0,"
                                 " port: 8082, cycle_timers: {image_watcher: 10, x: -5, y: 0}}\n"
                                 "  policy_engine: {enabled: False}\n"
                                 "  apiext: {enabled: True, require_auth: True}\n"
                                 "runtime_inventory: {x: 1}\n",
                            &p, &n);
    assert_int_equal(n, 1);
    assert_false(find(p, n, "policy_engine, which the configuration does not enable")->fatal);
    assert_string_equal(c->database_url, "postgresql://me:p%3Aw%40x@host:5433/db?sslmode=require");
    assert_int_equal(c->database_timeout, 20);
    assert_string_equal(c->host_id, "dockerhostid-host-7");
    assert_false(c->feeds_sync_enabled);
    const struct service_config *s = &c->services[SERVICE_CATALOG];
    assert_true(s->selected && !c->services[SERVICE_POLICY_ENGINE].selected);
    assert_int_equal(config_timer(s, "image_watcher", 600, 300, 1000), 300);
    assert_int_equal(config_timer(s, "x", 600, 300, 1000), 5);
    assert_int_equal(config_timer(s, "y", 600, 300, 1000), 0);
    assert_int_equal(config_timer(s, "z", 600, 300, 1000), 600);
    struct err e = {0};
    auto_buf out;
    buf_init(&out, 1 << 20);
    assert_ok(config_print(c, &out, &e));
    assert_false(str_contains(buf_view(&out), STR("p%3Aw")));
    assert_true(str_contains(buf_view(&out), STR("postgresql://me:********@host")));
    config_free(c);
}

static void problems(void **state)
{
    clear_environment();
    const struct config_problem *p;
    size_t n;
    struct config *c = load("log_level: INFO\n"
                            "log_levle: INFO\n"
                            "# ${ANCHORE_IN_COMMENT} ${OTHER}\n"
                            "tmp_dir: ${ANCHORE_MISSING}\n"
                            "metrics:\n"
                            "  enabled: maybe\n"
                            "services:\n"
                            "  apiext:\n"
                            "    enabled: true\n"
                            "    endpoint_hostname: ${OTHER}\n"
                            "    listen: 0.0.0.0\n"
                            "    port: 99999\n"
                            "  catalog:\n"
                            "    port: 8228\n"
                            "    port: 8229\n"
                            "  reports: {anything: 1}\n",
                            &p, &n);
    static const struct {
        const char *text;
        unsigned line;
        bool fatal;
    } want[] = {
        {"unknown key \"log_levle\"", 2, false},
        {"that are unset (${ANCHORE_MISSING})", 4, true},
        {"metrics.enabled must be true or false", 6, true},
        {"services.apiext.port must be a whole number", 12, true},
        {"services.catalog has no \"enabled\"", 13, true},
        {"services.catalog has no endpoint_hostname", 13, true},
        {"\"services.catalog.port\" is there twice (line 14", 15, false},
        {"db_connect is missing", 0, true},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(want); i++) {
        const struct config_problem *found = find(p, n, want[i].text);
        assert_int_equal(found->line, want[i].line);
        assert_int_equal(found->fatal, want[i].fatal);
    }
    assert_int_equal(n, KE_ARRAY_LEN(want) + 1); /* and no listen */
    config_free(c);
    c = load("a: [\n", &p, &n);
    assert_true(p[0].fatal);
    config_free(c);
    c = load("", &p, &n);
    assert_true(n && p[0].fatal);
    config_free(c);
}

/* Where there is no place for a file; a directory that is named wins. */
static void text_in_the_environment(void **state)
{
    clear_environment();
    setenv("ANCHORE_X", "8090", 1);
    setenv("KELLET_CONFIG_YAML",
           "credentials: {database: {db_connect: 'sqlite:'}}\n"
           "services:\n"
           "  catalog: {enabled: true, endpoint_hostname: c, listen: 0.0.0.0, port: ${ANCHORE_X}}\n"
           "nonsense: 1\n",
           1);
    const struct config_problem *p;
    size_t n;
    struct config *c = load(NULL, &p, &n);
    assert_int_equal(c->services[SERVICE_CATALOG].port, 8090);
    assert_false(c->services[SERVICE_APIEXT].selected);
    assert_int_equal(find(p, n, "nonsense")->line, 4);
    config_free(c);
    c = load("credentials: {database: {db_connect: 'sqlite:'}}\n"
             "services:\n"
             "  catalog: {enabled: true, endpoint_hostname: c, listen: 0.0.0.0, port: 8091}\n",
             &p, &n);
    assert_int_equal(c->services[SERVICE_CATALOG].port, 8091);
    config_free(c);
    setenv("KELLET_CONFIG_YAML", "services: [", 1);
    c = load(NULL, &p, &n);
    assert_true(n > 0 && p[0].fatal);
    config_free(c);
    unsetenv("KELLET_CONFIG_YAML");
}

static void env_file(void **state)
{
    clear_environment();
    struct err e = {0};
    char path[200];
    snprintf(path, sizeof path, "%s/env", dir);
    assert_ok(fs_write_atomic(path, STR("ANCHORE_X='quoted'\nOTHER=1\nbad line\n"), 0600, &e));
    setenv("ANCHORE_ENV_FILE", path, 1);
    const struct config_problem *p;
    size_t n;
    struct config *c =
        load(HEAD "services: {apiext: {enabled: true}}\nhost_id: ${ANCHORE_X}\n", &p, &n);
    assert_string_equal(c->host_id, "quoted");
    assert_int_equal(n, 1);
    find(p, n, "not of the form KEY=VALUE");
    config_free(c);
    clear_environment();
}

static int setup(void **state)
{
    return mkdtemp(dir) ? 0 : -1;
}

/* One store for all: another one for the archive is told of. */
static void analysis_archive(void **state)
{
    static const struct {
        const char *sections, *says; /* NULL: no problem */
        bool fatal;
    } cases[] = {
        {"analysis_archive: {}", NULL, false},
        {"analysis_archive: {storage_driver: {name: db}}", NULL, false},
        {"analysis_archive: {storage_driver: {name: localfs, config: {archive_data_dir: /a}},"
         "}, object_store: {storage_driver: {name: localfs, config: {archive_data_dir: /a}}}",
         NULL, false},
        {"analysis_archive: {storage_driver: {name: localfs, config: {archive_data_dir: /b}},"
         "}, object_store: {storage_driver: {name: localfs, config: {archive_data_dir: /a}}}",
         "another store than object_store", false},
        {"analysis_archive: {storage_driver: {name: s3, config: {bucket: b, iamauto: true}}}",
         "another store than object_store", false},
        {"analysis_archive: {storage_driver: {name: s3, config: {iamauto: true}}}",
         "needs a bucket", true},
        {"analysis_archive: {storage_driver: {name: tape}}", "no such storage driver", true},
    };
    (void)state;
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        const struct config_problem *p;
        size_t n;
        char text[1000];
        snprintf(text, sizeof text,
                 HEAD "services:\n  catalog: {enabled: True, endpoint_hostname: c, listen: 0.0.0.0,"
                      " port: 8082, %s}\n",
                 cases[i].sections);
        struct config *c = load(text, &p, &n);
        if (cases[i].says)
            assert_int_equal(find(p, n, cases[i].says)->fatal, cases[i].fatal);
        else
            assert_int_equal(n, 0);
        config_free(c);
    }
}

static void policy_cache(void **state)
{
    static const struct {
        const char *setting, *variable;
        uint64_t bytes; /* 0: it is wrong */
    } cases[] = {
        {"", NULL, 512 << 20}, {", cache_max_megabytes: 100", NULL, 100 << 20},
        {"", "50M", 50 << 20}, {", cache_max_megabytes: 100", "1G", 1 << 30},
        {"", "many", 0},       {", cache_max_megabytes: 3", NULL, 0},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        const struct config_problem *p;
        size_t n;
        char text[1000];
        clear_environment();
        if (cases[i].variable)
            setenv("KELLET_POLICY_CACHE_MAX", cases[i].variable, 1);
        snprintf(text, sizeof text,
                 HEAD "services:\n  policy_engine: {enabled: True, endpoint_hostname: p,"
                      " listen: 0.0.0.0, port: 8087%s}\n",
                 cases[i].setting);
        struct config *c = load(text, &p, &n);
        if (cases[i].bytes) {
            assert_int_equal(n, 0);
            assert_int_equal(c->policy_cache_max, cases[i].bytes);
        } else {
            assert_true(n > 0 && p->fatal);
        }
        config_free(c);
    }
    clear_environment();
}

static void document_cache(void **state)
{
    static const struct {
        const char *file, *variable;
        uint64_t bytes; /* 0: it is wrong */
    } cases[] = {
        {"", NULL, 64 << 20},
        {"document_cache_max_megabytes: 3\n", NULL, 3 << 20},
        {"", "5M", 5 << 20},
        {"document_cache_max_megabytes: 3\n", "1G", 1 << 30},
        {"", "many", 0},
        {"document_cache_max_megabytes: 0\n", NULL, 0},
        {"document_cache_max_megabytes: lots\n", NULL, 0},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        const struct config_problem *p;
        size_t n;
        char text[1000];
        clear_environment();
        if (cases[i].variable)
            setenv("KELLET_DOCUMENT_CACHE_MAX", cases[i].variable, 1);
        snprintf(text, sizeof text,
                 HEAD
                 "%sservices:\n  catalog: {enabled: True, endpoint_hostname: c, listen: 0.0.0.0,"
                 " port: 8082}\n",
                 cases[i].file);
        struct config *c = load(text, &p, &n);
        if (!cases[i].bytes) {
            const char *says = cases[i].variable ? "KELLET_DOCUMENT_CACHE_MAX is a size"
                                                 : "document_cache_max_megabytes";
            assert_true(find(p, n, says)->fatal);
            config_free(c);
            continue;
        }
        assert_int_equal(n, 0);
        assert_int_equal(c->document_cache_max, cases[i].bytes);
        auto_buf out;
        struct err e = {0};
        char line[80];
        buf_init(&out, 1 << 20);
        assert_ok(config_print(c, &out, &e));
        snprintf(line, sizeof line, "\ndocument_cache_max_megabytes: %d\n",
                 (int)(cases[i].bytes >> 20));
        assert_true(str_contains(buf_view(&out), str_z(line)));
        config_free(c);
    }
    clear_environment();
}

static void object_store(void **state)
{
    static const struct {
        const char *driver, *says; /* NULL: no problem */
    } cases[] = {
        {"{name: s3, config: {bucket: b-1, region: r-1, iamauto: True, prefix: p/}}", NULL},
        {"{name: s3, config: {bucket: b-1, access_key: A, secret_key: S, url: 'http://h:1',"
         " addressing_style: virtual, server_side_encryption: 'aws:kms', kms_key_id: k}}",
         NULL},
        {"{name: s3, config: {iamauto: true}}", "needs a bucket"},
        {"{name: s3, config: {bucket: b}}", "access_key and secret_key, or iamauto"},
        {"{name: s3, config: {bucket: b, access_key: A}}", "access_key and secret_key, or iamauto"},
        {"{name: s3, config: {bucket: b, iamauto: true, addressing_style: x}}", "addressing_style"},
        {"{name: s3, config: {bucket: b, iamauto: true, server_side_encryption: x}}", "AES256"},
        {"{name: swift}", "no such storage driver"},
        {"{name: localfs, config: {archive_data_dir: /x}}", NULL},
    };
    clear_environment();
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        const struct config_problem *p;
        size_t n;
        char text[1000];
        snprintf(text, sizeof text,
                 HEAD "services:\n  catalog: {enabled: True, endpoint_hostname: c, listen: 0.0.0.0,"
                      " port: 8082, object_store: {storage_driver: %s}}\n"
                      "registry_mirrors: {docker.io: 'm.example:5000/cache'}\n"
                      "aws: {endpoint_url: 'http://aws.example'}\n",
                 cases[i].driver);
        struct config *c = load(text, &p, &n);
        if (cases[i].says)
            assert_true(find(p, n, cases[i].says)->fatal);
        else
            assert_int_equal(n, 0);
        if (i == 0) {
            assert_string_equal(c->document_driver, "s3");
            assert_string_equal(c->document_s3.bucket, "b-1");
            assert_string_equal(c->document_prefix, "p/");
            assert_null(c->document_s3.access_key);
            assert_int_equal(c->n_mirrors, 1);
            assert_string_equal(c->mirrors[0].mirror, "m.example:5000/cache");
            assert_string_equal(c->aws_endpoints.all, "http://aws.example");
        }
        if (i == 1) {
            assert_string_equal(c->document_s3.secret_key, "S");
            assert_int_equal(c->document_s3.style, S3_STYLE_VIRTUAL);
            auto_buf out;
            struct err e = {0};
            buf_init(&out, 1 << 20);
            assert_ok(config_print(c, &out, &e));
            assert_null(strstr(buf_z(&out), "secret_key: \"S\""));
            assert_non_null(strstr(buf_z(&out), "bucket: \"b-1\""));
        }
        config_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_file),
        cmocka_unit_test(old_file),
        cmocka_unit_test(problems),
        cmocka_unit_test(env_file),
        cmocka_unit_test(text_in_the_environment),
        cmocka_unit_test(object_store),
        cmocka_unit_test(document_cache),
        cmocka_unit_test(policy_cache),
        cmocka_unit_test(analysis_archive),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
