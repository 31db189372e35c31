/* replay.c - runs a fuzz target over the files of a corpus, whole and cut short at several places.
 */
#include "base/auto.h"
#include "base/fs.h"

#include <dirent.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 16 << 20, CUTS = 64 };

static void replay_once(const char *p, size_t n)
{
    /* a copy of exactly this size, so that a read past its end is seen */
    char *copy autofree = malloc(n ? n : 1);
    if (!copy)
        abort();
    memcpy(copy, p, n);
    LLVMFuzzerTestOneInput((const uint8_t *)copy, n);
}

static void replay_file(const char *path)
{
    struct err e = {0};
    auto_buf input;
    buf_init(&input, INPUT_MAX);
    if (fs_read(path, &input, &e) < 0) {
        fprintf(stderr, "%s\n", e.text);
        exit(1);
    }
    for (size_t i = 0; i <= CUTS; i++)
        replay_once(input.p ? input.p : "", input.n * i / CUTS);
}

int main(int argc, char **argv)
{
    size_t files = 0;
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
    for (struct dirent *d; dir && (d = readdir(dir)) != NULL;) {
        char path[4096];
        if (d->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", argv[1], d->d_name);
        replay_file(path);
        files++;
    }
    if (dir)
        closedir(dir);
    if (!files) {
        fprintf(stderr, "no corpus in %s\n", argc == 2 ? argv[1] : "(no directory given)");
        return 1;
    }
    printf("[       OK ] %zu inputs, each whole and cut %d times\n", files, CUTS);
    return 0;
}
