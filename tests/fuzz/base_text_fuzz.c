/* Whatever comes in, what comes out is printable and decodes. */
#include "base/text.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_buf out;
    buf_init(&out, 16 * size + 16);
    text_clean((str){(const char *)data, size}, &out);
    if (!buf_ok(&out))
        abort();
    for (str rest = buf_view(&out); rest.n;) {
        uint32_t c = 0;
        size_t n = text_utf8(rest, &c);
        if (!n || c < 0x20 || (c >= 0x7f && c < 0xa0))
            abort();
        rest = str_from(rest, n);
    }
    size_t width = text_width(buf_view(&out));
    if (text_fit(buf_view(&out), width) != out.n)
        abort();
    return 0;
}
