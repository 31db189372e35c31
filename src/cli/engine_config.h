/* engine_config.h - what the commands that need the engine's configuration share. */
#ifndef KELLET_CLI_ENGINE_CONFIG_H
#define KELLET_CLI_ENGINE_CONFIG_H

#include "cli/command.h"
#include "services/config.h"

/* Loads the configuration and prints its problems, one per line ("FILE:LINE: error: ..."), to
 * standard error. NULL after having printed why: *code is the exit code then. With `report` fatal
 * problems do not stop it: *fatal counts them. */
struct config *engine_config(const struct config_options *o, const char *data, int *code,
                             size_t *fatal);

struct db;
/* Opens the configured database, or the one of `url` (any form that db_connect takes). */
int engine_database(const struct config *c, const char *url, struct db **out, struct err *e);
/* Brings it to the newest schema and says what was done on standard output. */
int engine_upgrade(struct db *db, struct err *e);
/* Serves until the end; the exit code. */
int engine_start(const struct config *c, bool upgrade);

#endif
