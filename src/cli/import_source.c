#include "cli/import_source.h"

#include "base/auto.h"
#include "base/fs.h"
#include "cli/policy.h"
#include "codec/digest.h"
#include "services/import_sbom.h"

#include <sys/stat.h>

enum { DOCUMENT_MAX = 100 << 20, PATH_SIZE = 4096 };

bool import_source_is(const char *source)
{
    return str_starts(str_z(source), STR("import:"));
}

/* DIR/NAME or DIR/NAME.json. 0, or an exit code after having printed why not. */
static int read_content(const char *dir, const char *name, struct buf *out)
{
    char path[PATH_SIZE], other[PATH_SIZE];
    struct stat st;
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);
    int m = snprintf(other, sizeof other, "%s/%s.json", dir, name);
    if (n < 0 || m < 0 || (size_t)m >= sizeof other)
        return failf(EXIT_USAGE, "the path %s is too long", dir);
    return policy_file_read(stat(path, &st) != 0 && stat(other, &st) == 0 ? other : path, out);
}

static int read_directory(const char *dir, struct buf *packages, struct buf *manifest,
                          struct buf *config, struct buf *dockerfile)
{
    char path[PATH_SIZE];
    struct stat st;
    int code = read_content(dir, "packages", packages);
    if (!code)
        code = read_content(dir, "manifest", manifest);
    if (!code)
        code = read_content(dir, "image_config", config);
    int n = snprintf(path, sizeof path, "%s/dockerfile", dir);
    if (!code && n > 0 && (size_t)n < sizeof path && stat(path, &st) == 0)
        code = policy_file_read(path, dockerfile);
    return code;
}

static int read_file(const char *path, struct buf *packages, struct buf *manifest,
                     struct buf *config)
{
    struct err e = {0};
    int code = policy_file_read(path, packages);
    if (code || import_sbom_documents(buf_view(packages), manifest, config, &e) == 0)
        return code;
    err_wrap(&e, "%s", path);
    return fail(EXIT_CANNOT, &e);
}

int import_source_read(const char *source, struct inventory **out, struct buf *dockerfile)
{
    const char *path = source + strlen("import:");
    struct err e = {0};
    struct stat st;
    auto_buf packages, manifest, config;
    buf_init(&packages, DOCUMENT_MAX);
    buf_init(&manifest, DOCUMENT_MAX);
    buf_init(&config, DOCUMENT_MAX);
    bool directory = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    int code = directory ? read_directory(path, &packages, &manifest, &config, dockerfile)
                         : read_file(path, &packages, &manifest, &config);
    if (code)
        return code;
    char digest[SHA256_TEXT];
    struct sha256 sum = sha256_of(manifest.p, manifest.n);
    const struct import_sbom in = {
        .packages = buf_view(&packages),
        .manifest = buf_view(&manifest),
        .config = buf_view(&config),
        .digest = str_z(sha256_format(&sum, digest)),
    };
    if (import_sbom_read(&in, out, &e) < 0) {
        err_wrap(&e, "%s", path);
        return fail(EXIT_CANNOT, &e);
    }
    return 0;
}
