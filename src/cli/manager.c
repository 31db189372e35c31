/* manager.c - `kellet manager`, also as a program named anchore-manager: the commands that
 * containers and jobs made for Anchore Engine call, with their options and exit codes (0 done, 1 no
 * service to start, 2 failed, 5 object storage failed). */
#include "cli/engine_config.h"

#include "base/fs.h"
#include "codec/yaml.h"
#include "services/config_store.h"
#include "store/documents_migrate.h"
#include "store/schema.h"

#include <stdio.h>

enum { MANAGER_FAILED = 2, MANAGER_STORAGE_FAILED = 5 };

static struct {
    const char *configdir, *db_connect, *skip_validate, *module;
    unsigned retries, timeout, connect_timeout;
    bool debug, json, version, use_ssl, all, no_upgrade, auto_upgrade, dontask, skip_compat;
    bool analysis_archive, from_archive, to_archive, nodelete;
} given;

static const struct option_spec global_specs[] = {
    {"configdir", 0, OPT_TEXT, "DIR", "directory of config.yaml", &given.configdir, "@dir"},
    {"debug", 0, OPT_FLAG, NULL, "accepted", &given.debug, NULL},
    {"json", 0, OPT_FLAG, NULL, "accepted", &given.json, NULL},
    {"version", 0, OPT_FLAG, NULL, "print the version", &given.version, NULL},
    {0},
};
static const struct option_spec start_specs[] = {
    {"all", 0, OPT_FLAG, NULL, "start every service that is enabled", &given.all, NULL},
    {"no-auto-upgrade", 0, OPT_FLAG, NULL, "leave the database as it is", &given.no_upgrade, NULL},
    {"auto-upgrade", 0, OPT_FLAG, NULL, "accepted", &given.auto_upgrade, NULL},
    {"anchore-module", 0, OPT_TEXT, "NAME", "accepted", &given.module, NULL},
    {"skip-config-validate", 0, OPT_TEXT, "LIST", "sections not to check", &given.skip_validate,
     NULL},
    {"skip-db-compat-check", 0, OPT_FLAG, NULL, "accepted", &given.skip_compat, NULL},
    {0},
};
static const struct option_spec list_specs[] = {
    {"anchore-module", 0, OPT_TEXT, "NAME", "accepted", &given.module, NULL},
    {0},
};
static const struct option_spec database_specs[] = {
    {"db-connect", 0, OPT_TEXT, "URL", "the database", &given.db_connect, NULL},
    {"db-use-ssl", 0, OPT_FLAG, NULL, "with TLS", &given.use_ssl, NULL},
    {"db-retries", 0, OPT_NUMBER, "N", "accepted", &given.retries, NULL},
    {"db-timeout", 0, OPT_NUMBER, "SECONDS", "accepted", &given.timeout, NULL},
    {"db-connect-timeout", 0, OPT_NUMBER, "SECONDS", "accepted", &given.connect_timeout, NULL},
    {"dontask", 0, OPT_FLAG, NULL, "do not ask", &given.dontask, NULL},
    {"skip-db-compat-check", 0, OPT_FLAG, NULL, "accepted", &given.skip_compat, NULL},
    {"analysis-archive", 0, OPT_FLAG, NULL, "check the section analysis_archive",
     &given.analysis_archive, NULL},
    {"from-analysis-archive", 0, OPT_FLAG, NULL, "migrate from the section analysis_archive",
     &given.from_archive, NULL},
    {"to-analysis-archive", 0, OPT_FLAG, NULL, "migrate to the section analysis_archive",
     &given.to_archive, NULL},
    {"nodelete", 0, OPT_FLAG, NULL, "leave what was moved where it was, too", &given.nodelete,
     NULL},
    {"anchore-module", 0, OPT_TEXT, "NAME", "accepted", &given.module, NULL},
    {0},
};

static struct config *manager_config(const struct config_options *o, int *code)
{
    struct config_options full = *o;
    if (!full.directory && !getenv("ANCHORE_CONFIG_DIR") && fs_is_file("/config/config.yaml"))
        full.directory = "/config";
    size_t fatal;
    struct config *c = engine_config(&full, NULL, code, &fatal);
    if (c && fatal && !given.db_connect) {
        *code = failf(MANAGER_FAILED, "invalid configuration: nothing was done");
        config_free(c);
        return NULL;
    }
    return c;
}

/* ---- service
 * ------------------------------------------------------------------------------------ */

static int service_list(const struct command *c, int argc, char **argv)
{
    for (int i = 0; i < SERVICE_COUNT; i++)
        puts(service_names[i].key);
    return 0;
}

static int service_start(const struct command *c, int argc, char **argv)
{
    const char *chosen = getenv("ANCHORE_ENGINE_SERVICES"), *own = getenv("KELLET_SERVICES");
    if (argc < 2 && !given.all && !(chosen && *chosen) && !(own && *own))
        return failf(MANAGER_FAILED, "No services defined to start: name them, or give --all, or "
                                     "set ANCHORE_ENGINE_SERVICES");
    const struct config_options o = {.directory = given.configdir,
                                     .services = (const char *const *)argv + 1,
                                     .n_services = (size_t)(argc - 1),
                                     .all = given.all,
                                     .skip_validate = given.skip_validate};
    int code;
    struct config *config = manager_config(&o, &code);
    if (!config)
        return code;
    code = engine_start(config, !given.no_upgrade);
    config_free(config);
    return code == EXIT_CANNOT ? MANAGER_FAILED : code;
}

/* ---- databases
 * ---------------------------------------------------------------------------------- */

static int manager_database(struct config **config, struct db **db, struct err *e)
{
    const struct config_options o = {.directory = given.configdir};
    int code;
    *config = manager_config(&o, &code);
    if (!*config)
        return err_set(e, ERR_USAGE, "no configuration");
    char url[4096];
    if (given.db_connect && given.use_ssl) {
        snprintf(url, sizeof url, "%s%csslmode=require", given.db_connect,
                 strchr(given.db_connect, '?') ? '&' : '?');
        return engine_database(*config, url, db, e);
    }
    return engine_database(*config, given.db_connect, db, e);
}

static int db_upgrade(const struct command *c, int argc, char **argv)
{
    struct err e = {0};
    struct config *config = NULL;
    struct db *db = NULL;
    if (!given.dontask) {
        printf("Bring the database to the newest version? (y/n) ");
        fflush(stdout);
        if (getchar() != 'y')
            return failf(MANAGER_FAILED, "nothing was done");
    }
    int r = manager_database(&config, &db, &e);
    if (r == 0)
        r = engine_upgrade(db, &e);
    db_close(db);
    config_free(config);
    return r < 0 ? fail(MANAGER_FAILED, &e) : 0;
}

static int storage_drivers(const struct command *c, int argc, char **argv)
{
    puts("Supported object storage drivers: ['db', 'db2', 'localfs', 's3']");
    return 0;
}

/* The section object_store, archive or, when asked for, analysis_archive of a file. */
static int storage_read(const char *path, bool analysis_archive, struct arena *a,
                        struct store_section *out, struct err *e)
{
    auto_buf text;
    auto_json *doc = NULL;
    buf_init(&text, 1 << 20);
    int r = fs_read(path, &text, e);
    if (r == 0)
        r = yaml_parse(buf_view(&text), path, &(struct yaml_options){.all_strings = true}, &doc, e);
    if (r < 0)
        return r;
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *inner = json_at(root, "services", "catalog", NULL);
    root = inner ? inner : root;
    yyjson_val *section = json_get(root, analysis_archive ? "analysis_archive" : "object_store");
    if (!section && !analysis_archive)
        section = json_get(root, "archive");
    if (!json_str(json_get(section, "storage_driver"), "name").n)
        return err_set(e, ERR_FORMAT, "%s has no storage_driver with a name", path);
    const char *wrong = config_store_section(section, a, out);
    if (wrong)
        return err_set(e, ERR_UNSUPPORTED, "%s: %s", path, wrong);
    if (strcmp(out->driver, "fs") == 0 && !out->dir)
        return err_set(e, ERR_FORMAT, "%s: localfs needs archive_data_dir", path);
    return a->full ? err_no_memory(e) : 0;
}

static struct documents_options storage_options(const struct store_section *s)
{
    return (struct documents_options){.driver = s->driver,
                                      .directory = s->dir,
                                      .s3 = s->s3.bucket ? &s->s3 : NULL,
                                      .s3_prefix = s->prefix,
                                      .s3_check = s->s3.bucket,
                                      .s3_create = s->create_bucket};
}

static int storage_try_in(struct db_tx *tx, void *ctx, struct err *e)
{
    struct documents *d = ctx;
    const str account = STR("admin"), bucket = STR("self_check"), key = STR("object");
    auto_buf got;
    buf_init(&got, 4096);
    int r = document_put(d, tx, account, bucket, key, STR("{\"check\": true}"), e);
    if (r >= 0)
        r = document_get(d, tx, account, bucket, key, &got, e);
    if (r >= 0 && !str_eq(buf_view(&got), STR("{\"check\": true}")))
        r = err_set(e, ERR_MISMATCH, "what was read is not what was written");
    return r >= 0 ? document_delete(d, tx, account, bucket, key, e) : r;
}

struct storage {
    struct config *config;
    struct db *db;
    struct documents *documents;
    struct arena arena;
};

static void storage_close(struct storage *s)
{
    documents_close(s->documents);
    db_close(s->db);
    config_free(s->config);
    arena_done(&s->arena);
}

static int storage_open(struct storage *s, const struct documents_options *o, struct err *e)
{
    int r = manager_database(&s->config, &s->db, e);
    if (r >= 0)
        r = schema_upgrade(s->db, NULL, NULL, e);
    return r < 0 ? r : documents_open(s->db, o, &s->documents, e);
}

static int storage_check(const struct command *c, int argc, char **argv)
{
    if (argc != 2)
        return failf(MANAGER_FAILED, "objectstorage check takes one configuration file");
    struct err e = {0};
    struct storage s = {0};
    struct store_section section;
    arena_init(&s.arena, 1 << 20);
    int r = storage_read(argv[1], given.analysis_archive, &s.arena, &section, &e);
    const struct documents_options o =
        r < 0 ? (struct documents_options){0} : storage_options(&section);
    if (r >= 0)
        r = storage_open(&s, &o, &e);
    if (r >= 0)
        r = db_run(s.db, DB_WRITE, storage_try_in, s.documents, &e);
    if (r >= 0)
        printf("the object storage (%s) works: an object was written, read and removed\n",
               section.driver);
    storage_close(&s);
    return r < 0 ? fail(MANAGER_STORAGE_FAILED, &e) : 0;
}

/* ---- moving documents */

static int migrate_tell(void *ctx, const struct documents_migration *m, struct err *e)
{
    if (m->moved % 1000 == 0)
        printf("%llu contents moved\n", (unsigned long long)m->moved);
    return 0;
}

/* Reads from both places, writes to the second. */
static int migrate_options(const struct store_section *from, const struct store_section *to,
                           struct documents_options *out, struct err *e)
{
    bool same = strcmp(from->driver, to->driver) == 0;
    if (same && strcmp(to->driver, "db") != 0)
        return err_set(e, ERR_UNSUPPORTED,
                       "both files name the driver %s: move to db first, or copy the directory or "
                       "bucket with its own tools and change the configuration",
                       to->driver);
    *out = storage_options(to);
    if (!out->directory)
        out->directory = from->dir;
    if (!out->s3 && from->s3.bucket) {
        out->s3 = &from->s3;
        out->s3_prefix = from->prefix;
    }
    out->keep_us = 1;
    return 0;
}

static int migrate_run(struct storage *s, bool sweep, struct documents_migration *m, struct err *e)
{
    int64_t n = documents_elsewhere(s->documents, e);
    if (n < 0)
        return (int)n;
    printf("%lld contents are to be moved\n", (long long)n);
    if (!given.dontask && n) {
        printf("Are all services stopped? (y/n) ");
        fflush(stdout);
        if (getchar() != 'y')
            return err_set(e, ERR_USAGE, "nothing was done");
    }
    int r = documents_migrate(s->documents, m, e);
    for (int64_t gone = 1; r == 0 && sweep && gone > 0;) {
        gone = documents_sweep(s->documents, 10000, e);
        r = gone < 0 ? (int)gone : 0;
    }
    return r;
}

static int storage_migrate(const struct command *c, int argc, char **argv)
{
    if (argc != 3)
        return failf(MANAGER_FAILED, "objectstorage migrate takes two configuration files");
    struct err e = {0};
    struct storage s = {0};
    struct store_section from, to;
    struct documents_options o;
    struct documents_migration m = {.keep = given.nodelete, .progress = migrate_tell};
    arena_init(&s.arena, 1 << 20);
    int r = storage_read(argv[1], given.from_archive, &s.arena, &from, &e);
    if (r >= 0)
        r = storage_read(argv[2], given.to_archive, &s.arena, &to, &e);
    if (r >= 0)
        r = migrate_options(&from, &to, &o, &e);
    if (r >= 0)
        r = storage_open(&s, &o, &e);
    if (r >= 0)
        r = migrate_run(&s, !given.nodelete, &m, &e);
    if (r >= 0)
        printf("%llu contents (%llu bytes) were moved to %s; use its configuration from now on\n",
               (unsigned long long)m.moved, (unsigned long long)m.bytes, to.driver);
    storage_close(&s);
    return r < 0 ? fail(MANAGER_STORAGE_FAILED, &e) : 0;
}

static int storage_migrations(const struct command *c, int argc, char **argv)
{
    puts("[]");
    return 0;
}

/* ---- dispatch
 * ----------------------------------------------------------------------------------- */

static const struct manager_command {
    const char *group, *name;
    const struct option_spec *specs;
    int (*run)(const struct command *c, int argc, char **argv);
} manager_commands[] = {
    {"service", "list", list_specs, service_list},
    {"service", "start", start_specs, service_start},
    {"db", "upgrade", database_specs, db_upgrade},
    {"objectstorage", "check", database_specs, storage_check},
    {"objectstorage", "list-drivers", database_specs, storage_drivers},
    {"objectstorage", "migrate", database_specs, storage_migrate},
    {"objectstorage", "list-migrations", database_specs, storage_migrations},
    {"archivestorage", "check", database_specs, storage_check},
    {"archivestorage", "list-drivers", database_specs, storage_drivers},
    {"archivestorage", "migrate", database_specs, storage_migrate},
    {"archivestorage", "list-migrations", database_specs, storage_migrations},
};

/* The index of the first argument from `at` on that is no option of `specs` (nor such an option's
 * value). */
static int skip_options(const struct option_spec *specs, int argc, char **argv, int at)
{
    for (; at < argc && argv[at][0] == '-'; at++) {
        const struct option_spec *o = specs;
        while (o->name && strcmp(o->name, argv[at] + (argv[at][1] == '-' ? 2 : 1)) != 0)
            o++;
        if (o->name && o->kind != OPT_FLAG)
            at++;
    }
    return at < argc ? at : argc;
}

static const struct option_spec *manager_options(void)
{
    return global_specs;
}

static int manager_dispatch(int argc, char **argv)
{
    int group = skip_options(global_specs, argc, argv, 1);
    int left = options_parse(&command_manager, global_specs, group, argv);
    if (left < 0)
        return left == -2 ? 0 : MANAGER_FAILED;
    if (given.version) {
        puts("anchore-manager, version 1.1.0 (kellet " KELLET_VERSION ")");
        return 0;
    }
    int name = group < argc ? skip_options(database_specs, argc, argv, group + 1) : argc;
    if (name >= argc)
        return failf(MANAGER_FAILED, "manager: service start|list, db upgrade, objectstorage "
                                     "list-drivers|list-migrations|check|migrate?");
    for (size_t i = 0; i < KE_ARRAY_LEN(manager_commands); i++) {
        const struct manager_command *m = &manager_commands[i];
        if (strcmp(m->group, argv[group]) != 0 || strcmp(m->name, argv[name]) != 0)
            continue;
        /* The options between group and name belong to the command: its name goes in front. */
        char *word = argv[name];
        memmove(argv + group + 2, argv + group + 1, (size_t)(name - group - 1) * sizeof *argv);
        argv[group + 1] = word;
        struct command c = command_manager;
        c.options = NULL;
        left = options_parse(&c, m->specs, argc - group - 1, argv + group + 1);
        if (left < 0)
            return left == -2 ? 0 : MANAGER_FAILED;
        return m->run(&c, left + 1, argv + group + 1);
    }
    return failf(MANAGER_FAILED, "manager: there is no command \"%s %s\"", argv[group], argv[name]);
}

const struct command command_manager = {
    .name = "manager",
    .arguments = "service start [SERVICE...]|service list|db upgrade|objectstorage check FILE|...",
    .summary = "The commands of anchore-manager, for containers made for it",
    .details =
        "A program named anchore-manager (a link to kellet) takes the same arguments. `service\n"
        "start [SERVICE...] [--all] [--no-auto-upgrade]` serves; `db --db-connect URL upgrade\n"
        "--dontask` upgrades the database; `objectstorage list-drivers` and `objectstorage\n"
        "--db-connect URL check FILE` look at the object storage, `objectstorage migrate FROM TO`\n"
        "moves all documents from the one that the first file names to that of the second.\n"
        "Without --configdir and $ANCHORE_CONFIG_DIR, /config is looked at.\n",
    .options = manager_options,
    .run = manager_dispatch,
};
