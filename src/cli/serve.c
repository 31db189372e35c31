/* serve.c - `kellet serve`: the engine. */
#include "cli/engine_config.h"
#include "services/engine.h"

#include <stdio.h>

static const char *config_dir, *data;
static bool all, check;

static const struct option_spec specs[] = {
    {"all", 0, OPT_FLAG, NULL, "start every service that is enabled (the default)", &all, NULL},
    {"check-config", 0, OPT_FLAG, NULL,
     "print the effective configuration, secrets hidden, and all its problems", &check, NULL},
    {"config", 'c', OPT_TEXT, "DIR", "directory of config.yaml (default: $ANCHORE_CONFIG_DIR)",
     &config_dir, "@dir"},
    {"data", 0, OPT_TEXT, "DIR", "where data is kept (default: $KELLET_DATA)", &data, "@dir"},
    {0},
};

static const struct option_spec *serve_options(void)
{
    return specs;
}

static int config_show(const struct config *c, size_t fatal)
{
    struct err e = {0};
    auto_buf out;
    buf_init(&out, 16 << 20);
    if (config_print(c, &out, &e) < 0)
        return fail(EXIT_CANNOT, &e);
    fwrite(out.p, 1, out.n, stdout);
    for (int i = 0; i < SERVICE_COUNT; i++) {
        const struct service_ops *ops = all_services[i];
        if (!c->services[i].selected || !ops->check || ops->check(c, &e) == 0)
            continue;
        failf(0, "configuration: error: %s", e.text);
        fatal++;
    }
    return fatal ? EXIT_USAGE : EXIT_CLEAN;
}

static int serve_run(int argc, char **argv)
{
    int left = options_parse(&command_serve, specs, argc, argv), code;
    if (left < 0)
        return left == -2 ? EXIT_CLEAN : EXIT_USAGE;
    const struct config_options o = {.directory = config_dir,
                                     .services = (const char *const *)argv + 1,
                                     .n_services = (size_t)left,
                                     .all = all};
    size_t fatal;
    struct config *c = engine_config(&o, data, &code, &fatal);
    if (!c)
        return code;
    if (check)
        code = config_show(c, fatal);
    else if (fatal)
        code = failf(EXIT_USAGE, "invalid configuration: nothing was started");
    else
        code = engine_start(c, false);
    config_free(c);
    return code;
}

const struct command command_serve = {
    .name = "serve",
    .arguments = "[SERVICE...]",
    .summary = "Run the engine: its services behind their HTTP interfaces",
    .details =
        "Without a configuration all services run in this process on a database in the data\n"
        "directory; the API listens on port 8228. With config.yaml (of Anchore Engine 0.2 to\n"
        "1.1) services, ports and database are what it says. SERVICE, else\n"
        "$ANCHORE_ENGINE_SERVICES, else $KELLET_SERVICES chooses among the enabled services, by\n"
        "either of their names: catalog (anchore-catalog), apiext (anchore-api), simplequeue,\n"
        "policy_engine, analyzer (anchore-worker), kubernetes_webhook.\n"
        "\n"
        "The password of the user admin is default_admin_password or $ANCHORE_ADMIN_PASSWORD at\n"
        "the first start; without one it is made up and printed once. SIGTERM stops: work under\n"
        "way is finished or handed back.\n",
    .options = serve_options,
    .run = serve_run,
};
