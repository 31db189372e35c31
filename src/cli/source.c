#include "cli/source.h"

#include "base/auto.h"
#include "base/fs.h"
#include "cli/progress.h"
#include "packages/layer_cache.h"

#include <unistd.h>

enum { PATH_SIZE = 4096, PASSWORD_MAX = 8191 };

static const char *hint_for(int code)
{
    switch (code) {
    case ERR_AUTH:
        return "log in with `docker login`, or give --username and --password-stdin, or --token";
    case ERR_NET:
        return "check the network; for a private registry see --ca-cert, --insecure and "
               "--plain-http";
    case ERR_NOT_FOUND:
        return "is the name right? `kellet scan --help` lists the kinds of sources";
    case ERR_UNSUPPORTED:
        return "`kellet scan --help` lists the kinds of sources; --platform picks one of several "
               "images";
    case ERR_MISMATCH:
        return "the bytes are not those that were promised: fetch the image again";
    default:
        return NULL;
    }
}

static int read_password(struct buf *out, struct err *e)
{
    int rc = fs_read_fd(STDIN_FILENO, "the password on standard input", out, e);
    if (rc < 0)
        return rc;
    while (out->n && (out->p[out->n - 1] == '\n' || out->p[out->n - 1] == '\r'))
        out->n--;
    if (!out->n || memchr(out->p, 0, out->n))
        return err_set(e, ERR_USAGE, "--password-stdin: there is no password on standard input");
    return buf_z(out) ? 0 : err_no_memory(e);
}

static int check_args(const struct source_args *a)
{
    if (a->password_stdin && !a->username)
        return failf(EXIT_USAGE, "--password-stdin needs --username");
    if (a->username && !a->password_stdin)
        return failf(EXIT_USAGE, "--username needs --password-stdin (a password given as an "
                                 "argument can be read by everybody on this machine)");
    if (a->username && a->token)
        return failf(EXIT_USAGE, "give --username or --token, not both");
    return 0;
}

int source_registry(const struct source_args *a, struct buf *password, struct registry_options *out)
{
    struct err e = {0};
    buf_init(password, PASSWORD_MAX);
    int code = check_args(a);
    if (code)
        return code;
    if (a->password_stdin && read_password(password, &e) < 0)
        return fail(EXIT_USAGE, &e);
    *out = (struct registry_options){
        .ca_file = a->ca_cert,
        .insecure = a->insecure,
        .plain_http = a->plain_http,
        .username = a->username,
        .password = a->password_stdin ? password->p : NULL,
        .token = a->token,
        .aws = true,
    };
    return 0;
}

int source_cache_max(uint64_t *out)
{
    const char *limit = getenv("KELLET_CACHE_MAX");
    *out = 0;
    if (limit && *limit && !layer_cache_limit(str_z(limit), out))
        return failf(EXIT_USAGE, "KELLET_CACHE_MAX is a size such as 2G or 500M, not %s", limit);
    return 0;
}

int source_scan(const struct source_args *a, const char *source, struct inventory **out)
{
    struct err e = {0};
    char dir[PATH_SIZE];
    struct registry_options registry;
    uint64_t cache_max;
    auto_buf password;
    int code = source_registry(a, &password, &registry);
    if (code)
        return code;
    if (!a->no_cache && data_dir(a->data, dir, sizeof dir, &e) < 0)
        return fail(EXIT_USAGE, &e);
    code = source_cache_max(&cache_max);
    if (code)
        return code;
    struct progress progress;
    struct scan_options o = {
        .source = source,
        .data_dir = a->no_cache ? NULL : dir,
        .cache_max = cache_max,
        .platform = a->platform,
        .threads = a->threads,
        .registry = &registry,
        .facts = a->facts,
    };
    progress_init(&progress, !a->quiet && !a->no_progress);
    o.progress = progress_callback(&progress);
    int rc = inventory_scan(&o, out, &e);
    progress_clear(&progress);
    if (rc >= 0)
        return 0;
    const char *hint = hint_for(e.code);
    if (str_starts(str_z(e.text), STR("cannot scan ")))
        failf(EXIT_CANNOT, "%s", e.text);
    else
        failf(EXIT_CANNOT, "cannot scan %s: %s", source, e.text);
    if (hint)
        failf(EXIT_CANNOT, "%s", hint);
    return e.code == ERR_USAGE ? EXIT_USAGE : EXIT_CANNOT;
}

int source_open_data(const struct source_args *a, struct vulndb **out)
{
    struct err e = {0};
    char dir[PATH_SIZE];
    *out = NULL;
    if (data_dir(a->data, dir, sizeof dir, &e) < 0)
        return fail(EXIT_USAGE, &e);
    int rc = vulndb_open(dir, out, &e);
    if (rc >= 0 || rc == ERR_NOT_FOUND)
        return 0;
    err_wrap(&e, "cannot open the vulnerability data in %s", dir);
    return fail(EXIT_CANNOT, &e);
}
