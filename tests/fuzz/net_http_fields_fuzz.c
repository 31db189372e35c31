#include "net/base64.h"
#include "net/http_fields.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    str text = {(const char *)data, size};
    struct http_content_range range;
    uint64_t seconds;
    auto_buf out;
    buf_init(&out, 1 << 20);
    if (http_content_range_parse(text, &range) && range.has_range && range.last < range.first)
        abort();
    http_retry_after_parse(text, 1700000000, &seconds);
    http_etag_is_strong(text);
    if (base64_decode(text, &out, NULL) == 0 && out.n > size)
        abort();
    return 0;
}
