#include "cli/engine_config.h"

#include "base/fs.h"
#include "services/engine.h"
#include "store/schema.h"

#include <stdio.h>

static void problem_print(const struct config *c, const struct config_problem *p)
{
    const char *kind = p->fatal ? "error" : "warning";
    if (c->file && p->line)
        failf(0, "%s:%u: %s: %.*s", c->file, p->line, kind, STR_ARG(p->text));
    else
        failf(0, "configuration: %s: %.*s", kind, STR_ARG(p->text));
}

struct config *engine_config(const struct config_options *o, const char *data, int *code,
                             size_t *fatal)
{
    char dir[4096];
    struct err e = {0};
    struct config_options full = *o;
    struct config *c = NULL;
    const struct config_problem *problems;
    size_t n;
    *fatal = 0;
    *code = EXIT_USAGE;
    if (data_dir(data, dir, sizeof dir, &e) < 0) {
        fail(0, &e);
        return NULL;
    }
    full.data_dir = dir;
    if (config_load(&full, &c, &problems, &n, &e) < 0) {
        fail(0, &e);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        problem_print(c, &problems[i]);
        *fatal += problems[i].fatal;
    }
    return c;
}

int engine_database(const struct config *c, const char *url, struct db **out, struct err *e)
{
    struct arena a;
    arena_init(&a, 1 << 16);
    const char *own =
        url ? config_database_url(&a, str_z(url), c->data_dir, (str){NULL, 0}) : c->database_url;
    const struct db_options o = {
        .url = own, .max_connections = 2, .connect_timeout = c->database_timeout};
    int r = own ? fs_mkdirs(c->data_dir, e)
                : err_set(e, ERR_USAGE, "a database is postgresql://... or sqlite:PATH");
    if (r == 0)
        r = db_open(&o, out, e);
    arena_done(&a);
    return r;
}

static void step_print(void *ctx, int step, const char *title)
{
    printf("step %d: %s\n", step, title);
}

int engine_upgrade(struct db *db, struct err *e)
{
    int before = 0, r = schema_version(db, &before, e);
    if (r == 0)
        r = schema_upgrade(db, step_print, NULL, e);
    if (r == 0 && before >= schema_newest())
        printf("the database is at version %d: nothing to do\n", before);
    else if (r == 0)
        printf("the database is at version %d now\n", schema_newest());
    return r;
}

int engine_start(const struct config *c, bool upgrade)
{
    size_t n = 0;
    for (int i = 0; i < SERVICE_COUNT; i++)
        n += c->services[i].selected;
    if (!n)
        return failf(EXIT_FAILED, "No services found in ANCHORE_ENGINE_SERVICES or as enabled in "
                                  "config.yaml to start - exiting");
    struct err e = {0};
    if (engine_serve(c, upgrade, &e) < 0)
        return fail(EXIT_CANNOT, &e);
    return EXIT_CLEAN;
}
