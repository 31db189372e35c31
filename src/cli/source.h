/* source.h - what the commands that read an image share: options, progress, errors that say what
 * to do. */
#ifndef KELLET_CLI_SOURCE_H
#define KELLET_CLI_SOURCE_H

#include "cli/command.h"
#include "image/registry.h"
#include "packages/inventory.h"
#include "vulndb/vulndb.h"

struct source_args {
    const char *data, *platform, *username, *token, *ca_cert;
    unsigned threads;
    bool no_cache, no_progress, quiet, password_stdin, insecure, plain_http;
    const struct facts_wanted *facts; /* what is wanted beyond packages; NULL: nothing */
};

/* Rows of an option table for a static struct source_args. */
#define SOURCE_OPTIONS(s)                                                                            \
    {"platform",                                                                                     \
     0,                                                                                              \
     OPT_TEXT,                                                                                       \
     "OS/ARCH",                                                                                      \
     "which image of a multi-platform one (default: this machine's)",                                \
     &(s).platform,                                                                                  \
     "linux/amd64 linux/arm64 linux/arm/v7 linux/386 linux/ppc64le linux/s390x linux/riscv64"},      \
        {"threads",                                                                                  \
         0,                                                                                          \
         OPT_NUMBER,                                                                                 \
         "N",                                                                                        \
         "how many layers to read at once (default: one per processor)",                             \
         &(s).threads,                                                                               \
         NULL},                                                                                      \
        {"data",                                                                                     \
         0,                                                                                          \
         OPT_TEXT,                                                                                   \
         "DIR",                                                                                      \
         "where vulnerability data and cached layers are (or $KELLET_DATA)",                         \
         &(s).data,                                                                                  \
         "@dir"},                                                                                    \
        {"no-cache", 0, OPT_FLAG, NULL, "read every layer afresh", &(s).no_cache, NULL},             \
        {"quiet", 'q', OPT_FLAG, NULL, "print nothing but the report and errors", &(s).quiet, NULL}, \
        {"no-progress", 0, OPT_FLAG, NULL, "show no status line", &(s).no_progress, NULL},           \
        {"username", 0, OPT_TEXT, "NAME", "log in to the registry as NAME", &(s).username, NULL},    \
        {"password-stdin",    0,   OPT_FLAG, NULL, "read the password from standard input",          \
         &(s).password_stdin, NULL},                                                                 \
        {"token",    0,   OPT_TEXT, "TOKEN", "log in to the registry with a bearer token",           \
         &(s).token, NULL},                                                                          \
        {"ca-cert",    0,      OPT_TEXT, "FILE", "trust this certificate authority too (PEM)",       \
         &(s).ca_cert, "@file"},                                                                     \
        {"insecure",    0,   OPT_FLAG, NULL, "accept any certificate of the registry",               \
         &(s).insecure, NULL},                                                                       \
    {                                                                                                \
        "plain-http", 0, OPT_FLAG, NULL, "talk to the registry without TLS", &(s).plain_http, NULL   \
    }

/* The kinds of SOURCE, for --help. */
#define SOURCE_HELP                                                                                \
    "SOURCE is an image in a registry or a local engine (alpine:3.18, host:5000/a/b@sha256:..), "  \
    "or\n"                                                                                         \
    "one of docker-archive:FILE, oci-archive:FILE, oci-dir:DIR[:TAG], docker:NAME, podman:NAME,\n" \
    "dir:DIR (an unpacked file system), host:/ (this machine). Without a prefix an existing "      \
    "file\n"                                                                                       \
    "or directory is recognised by its content.\n"

/* How registries are spoken to. password: made here, and the caller's in any case; borrowed by
 * *out. 0, or an exit code after having printed why not. */
int source_registry(const struct source_args *a, struct buf *password,
                    struct registry_options *out);
/* $KELLET_CACHE_MAX; 0: not set. Likewise. */
int source_cache_max(uint64_t *out);
/* Reads the source. 0, or an exit code after having printed why not. */
int source_scan(const struct source_args *a, const char *source, struct inventory **out);

/* Opens the vulnerability database; *out is NULL (and 0 is returned) when there is none yet. */
int source_open_data(const struct source_args *a, struct vulndb **out);

static inline void inventory_drop(struct inventory **inv)
{
    if (*inv)
        inventory_free(*inv);
}
static inline void vulndb_drop(struct vulndb **db)
{
    if (*db)
        vulndb_close(*db);
}
#define auto_inventory struct inventory *KE_CLEANUP(inventory_drop)
#define auto_vulndb    struct vulndb *KE_CLEANUP(vulndb_drop)

#endif
