/* schema_steps.h - the steps that make a database, in order. Only for schema.c. */
#ifndef KELLET_STORE_SCHEMA_STEPS_H
#define KELLET_STORE_SCHEMA_STEPS_H

#include <stdbool.h>

struct schema_step {
    const char *title;
    const char *postgres, *postgres_after; /* MAY: before and after sql, on PostgreSQL only */
    const char *sqlite_after;              /* MAY: after sql, on SQLite only */
    const char *sql; /* several statements in db.h's dialect; columns' types as {text}, {blob},
                        {identity}, BIGINT, DOUBLE PRECISION */
    bool breaks;     /* builds that do not know this step cannot use the database any more */
};
/* Version n is made by schema_steps[n - 1]; ended by title NULL. */
extern const struct schema_step schema_steps[];

#endif
