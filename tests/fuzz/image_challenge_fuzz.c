#include "image/challenge.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct challenge c;
    str value = {(const char *)data, size};
    challenge_parse(value, "Bearer", &c);
    if (strpbrk(c.realm, "\r\n") || strpbrk(c.scope, "\r\n"))
        abort();
    challenge_parse(value, "Basic", &c);
    return 0;
}
