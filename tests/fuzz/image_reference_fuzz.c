#include "image/reference.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is accepted has a canonical text that means the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reference r, again;
    struct err e;
    char text[1024];
    if (reference_parse((str){(const char *)data, size}, &r, &e) < 0)
        return 0;
    reference_format(&r, text, sizeof text);
    if (reference_parse(str_z(text), &again, &e) < 0 || strcmp(r.registry, again.registry) != 0 ||
        strcmp(r.repository, again.repository) != 0 || strcmp(r.tag, again.tag) != 0 ||
        strcmp(r.digest, again.digest) != 0)
        abort();
    return 0;
}
