#include "image/credentials.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Helpers are not run: they are not in an empty search path. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct credentials c;
    setenv("PATH", "/nonexistent", 1);
    memset(&c, 0, sizeof c);
    int rc =
        credentials_from_config((str){(const char *)data, size}, "config", "r.example/a", &c, NULL);
    if (rc == 1 && !c.username[0] && !c.identity_token[0])
        abort();
    return 0;
}
