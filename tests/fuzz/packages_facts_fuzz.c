/* Facts from bytes that nobody vouches for; what decodes must encode and decode again to the same.
 */
#include "packages/facts_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct facts f, again;
    auto_buf first, second;
    facts_init(&f, 1 << 20);
    facts_init(&again, 1 << 20);
    buf_init(&first, 16 << 20);
    buf_init(&second, 16 << 20);
    if (facts_decode((str){(const char *)data, size}, &f, NULL) == 0) {
        facts_encode(&f, &first);
        if (!buf_ok(&first) || facts_decode(buf_view(&first), &again, NULL) != 0)
            abort();
        facts_encode(&again, &second);
        if (!str_eq(buf_view(&first), buf_view(&second)))
            abort();
    }
    facts_done(&f);
    facts_done(&again);
    return 0;
}
