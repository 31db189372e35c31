/* go.h - Go's build information: where it lies in a program (go_image.c), what it says
 * (go_modules.c). Internal to the Go cataloguer.
 *
 * Format: the Go sources are its only description (debug/buildinfo, runtime/debug): a 32-byte
 * header aligned to 16 bytes in the data segment - 14 bytes of magic, the size of a pointer, flags
 * (1: big endian, 2: strings follow in place, Go 1.18 and later) - then the Go version and the
 * module list, in place or behind pointers to Go strings. */
#ifndef KELLET_PACKAGES_GO_H
#define KELLET_PACKAGES_GO_H

#include "codec/elf.h"
#include "packages/cataloguer.h"

enum {
    GO_HEADER = 32,
    GO_VERSION_MAX = 256,
    GO_MODULES_MAX = 8 << 20, /* bytes of the module list */
    GO_PARTS_MAX = 32,
};

/* A program's contents by address: parts of it, each in a spool. */
struct go_image {
    struct {
        uint64_t address, size, offset; /* offset: in the spool */
        const struct spool *in;
    } parts[GO_PARTS_MAX];
    size_t n;
};

struct go_info {
    str version; /* "go1.22.3" */
    str modules; /* lines, without the sentinels around them */
};

/* Is the build information's magic at p (16 bytes)? */
bool go_magic_is(const uint8_t *p);
/* Adds a part; full images and empty parts are ignored. */
void go_image_add(struct go_image *g, uint64_t address, const struct spool *in, uint64_t offset,
                  uint64_t size);
/* Address of the magic in any part. False when there is none. */
bool go_image_search(const struct go_image *g, uint64_t *address, struct err *e);
/* Parts of a Windows (PE) or macOS (Mach-O) program, the whole of which is in `file`.
 * ERR_FORMAT when it is neither. */
int go_image_foreign(const struct spool *file, struct go_image *out, struct err *e);

/* Reads the strings of a header that holds pointers, in the image. Memory is scratch. */
int go_info_by_pointers(struct cat *c, const struct go_image *g, const uint8_t header[GO_HEADER],
                        struct go_info *out, struct err *e);
/* Reads the strings that follow a header, from a stream that stands behind it. */
int go_info_in_place(struct cat *c, struct stream *in, struct go_info *out, struct err *e);

/* Adds the packages that build information names. */
int go_info_catalogue(struct cat *c, const struct go_info *info, struct err *e);

#endif
