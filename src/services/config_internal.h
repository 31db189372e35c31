/* config_internal.h - what the files of the configuration share: the text after substitution, its
 * tree and lines, and the list of problems. */
#ifndef KELLET_SERVICES_CONFIG_INTERNAL_H
#define KELLET_SERVICES_CONFIG_INTERNAL_H

#include "base/buf.h"
#include "base/map.h"
#include "base/vec.h"
#include "services/config.h"

/* One key of the file: its path ("services.catalog.port") and line. */
struct config_key {
    str path;
    unsigned line;
};

struct config_loader {
    const struct config_options *options;
    struct config *c;
    VEC(struct config_problem) problems;
    VEC(struct config_key) keys; /* in the order of the file */
    struct map lines;            /* path -> line */
    struct map variables;        /* of ANCHORE_ENV_FILE: name -> const char * */
    yyjson_val *text;            /* the tree with every scalar as text */
    const char *directory;       /* of config.yaml; NULL: no file */
};

/* Adds a problem about `path` (NULL: none), whose line is looked up, or that of what is around it.
 */
void config_problem(struct config_loader *l, bool fatal, const char *path, const char *fmt, ...)
    KE_PRINTF(4, 5);
void config_problem_at(struct config_loader *l, bool fatal, unsigned line, const char *fmt, ...)
    KE_PRINTF(4, 5);

/* ---- config_text.c: file, variables, tree, lines */
int config_text_load(struct config_loader *l, struct err *e);
/* A variable by name: the process environment, then ANCHORE_ENV_FILE; NULL: none. */
const char *config_variable(struct config_loader *l, const char *name);

/* ---- config_read.c: values by dotted path; absent and null give the fallback */
const char *config_get_text(struct config_loader *l, const char *path, const char *fallback);
bool config_get_bool(struct config_loader *l, const char *path, bool fallback);
int64_t config_get_int(struct config_loader *l, const char *path, int64_t fallback, int64_t min,
                       int64_t max);
yyjson_val *config_at(yyjson_val *root, str path);

/* `path` itself when absolute, else below `dir`. */
const char *config_below(struct config_loader *l, const char *dir, const char *path);

/* Is the check of this section ("services") skipped by request? */
bool config_skips(const struct config_loader *l, const char *section);

/* ---- config_database.c */
/* Sets database_url, _connections and _timeout. */
int config_database_read(struct config_loader *l, struct err *e);
/* ---- config_store.c */
/* Where documents are kept, and how AWS and registries are reached. */
void config_store_read(struct config_loader *l);
/* ---- config_service.c */
void config_services_read(struct config_loader *l);

/* ---- config_keys.c */
/* Warns about keys that nobody reads. */
void config_keys_check(struct config_loader *l);

#endif
