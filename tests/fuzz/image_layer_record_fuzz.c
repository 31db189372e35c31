/* A record file that nobody vouches for: as it stands, and with its footer's checksum put right so
 * that the sizes in it are reached. */
#include "base/hash.h"
#include "image/layer_record.h"

#include <sys/mman.h>
#include <unistd.h>

static void look(const void *p, size_t n)
{
    struct layer_record *r;
    int fd = memfd_create("record", MFD_CLOEXEC);
    if (fd < 0 || write(fd, p, n) != (ssize_t)n)
        abort();
    if (layer_record_open(fd, &r, NULL) == 0) {
        str body = layer_record_body(r);
        volatile char last = body.n ? body.p[body.n - 1] : 0;
        (void)last;
        layer_record_hides(r, STR("a/b/c"));
        layer_record_close(r);
    }
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { FOOTER = 64 };
    look(data, size);
    if (size < FOOTER)
        return 0;
    uint8_t *copy = malloc(size);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    uint64_t sum = hash64(copy + size - FOOTER, FOOTER - 8);
    memcpy(copy + size - 8, &sum, sizeof sum);
    look(copy, size);
    free(copy);
    return 0;
}
