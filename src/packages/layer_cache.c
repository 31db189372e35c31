#include "packages/layer_cache.h"

#include "base/auto.h"
#include "base/fs.h"
#include "codec/digest.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

/* False for a diff_id that is none: it never becomes part of a path. */
static bool cache_path(const char *data_dir, str diff_id, uint64_t variant, bool dir, char *out,
                       size_t size)
{
    struct sha256 digest;
    char text[SHA256_TEXT];
    if (!data_dir || sha256_parse(diff_id, &digest, NULL) < 0)
        return false;
    const char *hex = sha256_format(&digest, text) + 7;
    char suffix[20] = "";
    if (variant)
        snprintf(suffix, sizeof suffix, "-%016llx", (unsigned long long)variant);
    int n = dir ? snprintf(out, size, "%s/cache/layers/%.2s", data_dir, hex)
                : snprintf(out, size, "%s/cache/layers/%.2s/%s%s.klr", data_dir, hex, hex, suffix);
    return n > 0 && (size_t)n < size;
}

struct layer_record *layer_cache_get(const char *data_dir, str diff_id, uint64_t variant)
{
    char path[PATH_MAX];
    struct layer_record *record = NULL;
    if (!cache_path(data_dir, diff_id, variant, false, path, sizeof path))
        return NULL;
    int fd autoclose = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || layer_record_open(fd, &record, NULL) < 0)
        return NULL;
    futimens(fd, NULL);
    return record;
}

void layer_cache_put(const char *data_dir, str diff_id, uint64_t variant,
                     const struct layer_record *record)
{
    char path[PATH_MAX];
    if (!cache_path(data_dir, diff_id, variant, true, path, sizeof path) ||
        fs_mkdirs(path, NULL) < 0 ||
        !cache_path(data_dir, diff_id, variant, false, path, sizeof path))
        return;
    fs_write_atomic(path, layer_record_bytes(record), 0644, NULL);
}
