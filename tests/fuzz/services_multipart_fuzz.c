/* A content type, a newline, a body. */
#include "services/router_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str body = {(const char *)data, size}, found;
    str type = str_split(&body, '\n');
    if (multipart_find(type, body, STR("f"), &found) &&
        (found.n > body.n ||
         (found.n && (found.p < body.p || found.p + found.n > body.p + body.n))))
        abort();
    return 0;
}
