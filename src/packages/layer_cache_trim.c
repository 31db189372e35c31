/* layer_cache_trim.c - keeps the cache below its limit: what was longest not used goes first. */
#include "base/auto.h"
#include "base/vec.h"
#include "packages/layer_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <time.h>

enum { RECORDS_MAX = 4 << 20, EVERY_S = 600 };

struct kept {
    int64_t used; /* nanoseconds */
    uint64_t size;
    char name[100]; /* "ab/<hex>...klr" */
};

struct trim {
    int root;
    VEC(struct kept) files;
    uint64_t total;
    bool failed;
};

bool layer_cache_limit(str text, uint64_t *out)
{
    static const char units[] = "KMGT";
    unsigned shift = 0;
    if (str_ends(text, STR("B")))
        text = str_sub(text, 0, text.n - 1);
    if (str_ends(text, STR("i")))
        text = str_sub(text, 0, text.n - 1);
    const char *unit = text.n ? strchr(units, text.p[text.n - 1] & ~0x20) : NULL;
    if (unit && *unit) {
        shift = 10 * (unsigned)(unit - units + 1);
        text = str_sub(text, 0, text.n - 1);
    }
    uint64_t n;
    if (!str_to_u64(text, &n) || n == 0 || n > UINT64_MAX >> shift)
        return false;
    *out = n << shift;
    return true;
}

static void add(struct trim *t, const char *dir, int fd, const char *name)
{
    struct stat st;
    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
        t->files.n >= RECORDS_MAX)
        return;
    struct kept *k = vec_push(&t->files);
    if (!k) {
        t->failed = true;
        return;
    }
    k->used = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    k->size = (uint64_t)st.st_blocks * 512;
    int n = snprintf(k->name, sizeof k->name, "%s/%s", dir, name);
    if (n < 0 || (size_t)n >= sizeof k->name)
        t->files.n--;
    else
        t->total += k->size;
}

static void look_into(struct trim *t, const char *dir)
{
    int fd = openat(t->root, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *f; (f = readdir(d)) && !t->failed;)
        if (f->d_name[0] != '.')
            add(t, dir, fd, f->d_name);
    closedir(d);
}

static int by_use(const void *a, const void *b)
{
    const struct kept *x = a, *y = b;
    return x->used != y->used ? (x->used < y->used ? -1 : 1) : strcmp(x->name, y->name);
}

static void trim_files(struct trim *t, uint64_t max)
{
    for (unsigned i = 0; i < 256 && !t->failed; i++) {
        char dir[3];
        snprintf(dir, sizeof dir, "%02x", i);
        look_into(t, dir);
    }
    if (t->failed || t->total <= max || !t->files.n)
        return;
    qsort(t->files.p, t->files.n, sizeof *t->files.p, by_use);
    for (size_t i = 0; i < t->files.n && t->total > max - max / 10; i++) {
        unlinkat(t->root, t->files.p[i].name, 0);
        t->total -= t->files.p[i].size;
    }
}

/* Not at every scan: looking through the whole cache takes longer than many of them. */
static bool due(int root, uint64_t written, uint64_t max)
{
    struct stat st;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t age = fstatat(root, ".trimmed", &st, AT_SYMLINK_NOFOLLOW) < 0
                      ? INT64_MAX
                      : now.tv_sec - (int64_t)st.st_mtim.tv_sec;
    if (age >= 0 && age < EVERY_S && written <= max / 32)
        return false;
    int fd autoclose = openat(root, ".trimmed", O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd >= 0)
        futimens(fd, NULL);
    return true;
}

void layer_cache_trim(const char *data_dir, uint64_t written, uint64_t max)
{
    char path[PATH_MAX];
    struct trim t = {0};
    if (!data_dir || !written)
        return;
    int n = snprintf(path, sizeof path, "%s/cache/layers", data_dir);
    if (n < 0 || (size_t)n >= sizeof path)
        return;
    int root autoclose = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    t.root = root;
    if (root >= 0 && due(root, written, max))
        trim_files(&t, max);
    vec_done(&t.files);
}
