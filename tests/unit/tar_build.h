/* tar_build.h - builds tar archives in memory for tests, correct by default and broken on request.
 */
#ifndef KELLET_TESTS_TAR_BUILD_H
#define KELLET_TESTS_TAR_BUILD_H

#include "base/buf.h"

static inline void tar_octal(char *field, size_t n, uint64_t v)
{
    for (size_t i = n - 1; i-- > 0; v >>= 3)
        field[i] = (char)('0' + (v & 7));
}

static inline void tar_seal(char h[512])
{
    unsigned sum = 0;
    memset(h + 148, ' ', 8);
    for (size_t i = 0; i < 512; i++)
        sum += (uint8_t)h[i];
    tar_octal(h + 148, 7, sum);
}

static inline void tar_header(char h[512], char type, const char *path, const char *link,
                              uint64_t size, unsigned mode)
{
    memset(h, 0, 512);
    memcpy(h, path, strnlen(path, 100));
    tar_octal(h + 100, 8, mode);
    tar_octal(h + 108, 8, 0);
    tar_octal(h + 116, 8, 0);
    tar_octal(h + 124, 12, size);
    tar_octal(h + 136, 12, 0);
    h[156] = type;
    if (link)
        memcpy(h + 157, link, strnlen(link, 100));
    memcpy(h + 257,
           "ustar\0"
           "00",
           8);
    tar_seal(h);
}

static inline void tar_pad(struct buf *b)
{
    static const char zeros[512];
    buf_add(b, zeros, (512 - b->n % 512) % 512);
}

static inline void tar_add(struct buf *b, char type, const char *path, const char *link,
                           str content, unsigned mode)
{
    char h[512];
    tar_header(h, type, path, link, content.n, mode);
    buf_add(b, h, 512);
    buf_add_str(b, content);
    tar_pad(b);
}

static inline void tar_file(struct buf *b, const char *path, const char *content)
{
    tar_add(b, '0', path, NULL, str_z(content), 0644);
}

/* One pax extended header made of "key=value" records. */
static inline void tar_pax(struct buf *b, const char *const *records, size_t n)
{
    auto_buf body;
    buf_init(&body, 1 << 20);
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(records[i]) + 3, digits = 0;
        do {
            digits = (size_t)snprintf(NULL, 0, "%zu", len);
            len = strlen(records[i]) + 2 + digits;
        } while (digits != (size_t)snprintf(NULL, 0, "%zu", len));
        buf_addf(&body, "%zu %s\n", len, records[i]);
    }
    tar_add(b, 'x', "PaxHeaders/x", NULL, buf_view(&body), 0644);
}

static inline void tar_end(struct buf *b)
{
    static const char zeros[1024];
    buf_add(b, zeros, sizeof zeros);
}

#endif
