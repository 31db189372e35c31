/* db.c - `kellet db`: the engine's database and its versions. */
#include "cli/engine_config.h"

#include "store/schema.h"

#include <stdio.h>

static const char *config_dir, *data, *url;

static const struct option_spec specs[] = {
    {"config", 'c', OPT_TEXT, "DIR", "directory of config.yaml (default: $ANCHORE_CONFIG_DIR)",
     &config_dir, "@dir"},
    {"data", 0, OPT_TEXT, "DIR", "where data is kept (default: $KELLET_DATA)", &data, "@dir"},
    {"db-connect", 0, OPT_TEXT, "URL", "another database than the configured one", &url, NULL},
    {0},
};

static const struct option_spec *db_options_of(void)
{
    return specs;
}

static int check_run(struct db *db, struct err *e)
{
    int version, r = schema_version(db, &version, e);
    if (r < 0)
        return r;
    printf("version %d of the database, version %d of this program\n", version, schema_newest());
    return version < schema_newest() ? EXIT_FAILED : EXIT_CLEAN;
}

static int sub_run(const struct command *command, int (*run)(struct db *db, struct err *e),
                   int argc, char **argv)
{
    int left = options_parse(command, specs, argc, argv), code;
    if (left < 0)
        return left == -2 ? EXIT_CLEAN : EXIT_USAGE;
    if (left)
        return failf(EXIT_USAGE, "%s takes no arguments", command->name);
    const struct config_options o = {.directory = config_dir};
    size_t fatal;
    struct config *c = engine_config(&o, data, &code, &fatal);
    if (!c)
        return code;
    struct err e = {0};
    struct db *db = NULL;
    int r = fatal && !url ? err_set(&e, ERR_USAGE, "invalid configuration")
                          : engine_database(c, url, &db, &e);
    if (r == 0)
        r = run(db, &e);
    code = r < 0 ? fail(r == ERR_USAGE ? EXIT_USAGE : EXIT_CANNOT, &e) : r;
    db_close(db);
    config_free(c);
    return code;
}

static const struct command command_db_upgrade, command_db_check;

static int db_upgrade_run(int argc, char **argv)
{
    return sub_run(&command_db_upgrade, engine_upgrade, argc, argv);
}

static int db_check_run(int argc, char **argv)
{
    return sub_run(&command_db_check, check_run, argc, argv);
}

static const struct command command_db_upgrade = {
    .name = "db upgrade",
    .arguments = "",
    .summary = "Bring the engine's database to the newest version",
    .details = "Steps only add, so that services of the version before go on meanwhile. A second\n"
               "run does nothing.\n",
    .options = db_options_of,
    .run = db_upgrade_run,
};

static const struct command command_db_check = {
    .name = "db check",
    .arguments = "",
    .summary = "Say which version the engine's database has (exit code 1: an old one)",
    .options = db_options_of,
    .run = db_check_run,
};

static const struct command *const subcommands[] = {&command_db_check, &command_db_upgrade, NULL};

static int db_run_command(int argc, char **argv)
{
    static const struct option_spec none[] = {{0}};
    for (size_t i = 0; argc > 1 && subcommands[i]; i++)
        if (strcmp(subcommands[i]->name + 3, argv[1]) == 0)
            return subcommands[i]->run(argc - 1, argv + 1);
    int left = options_parse(&command_db, none, argc, argv);
    return left == -2 ? EXIT_CLEAN
           : left < 0 ? EXIT_USAGE
                      : failf(EXIT_USAGE, "db: upgrade or check?");
}

const struct command command_db = {
    .name = "db",
    .arguments = "upgrade|check",
    .summary = "The engine's database: its version, upgrades",
    .subcommands = subcommands,
    .run = db_run_command,
};
