#include "net/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(str in, struct buf *out)
{
    const uint8_t *p = (const uint8_t *)in.p;
    for (size_t i = 0; i < in.n; i += 3) {
        size_t left = in.n - i;
        uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
                     (left > 2 ? p[i + 2] : 0);
        buf_add_char(out, alphabet[v >> 18]);
        buf_add_char(out, alphabet[v >> 12 & 63]);
        buf_add_char(out, left > 1 ? alphabet[v >> 6 & 63] : '=');
        buf_add_char(out, left > 2 ? alphabet[v & 63] : '=');
    }
}

int base64_decode(str in, struct buf *out, struct err *e)
{
    in = str_trim(in);
    for (int i = 0; i < 2 && in.n && in.p[in.n - 1] == '='; i++)
        in.n--;
    if (in.n % 4 == 1)
        return err_set(e, ERR_FORMAT, "base64 text breaks off");
    uint32_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < in.n; i++) {
        const char *at = in.p[i] ? strchr(alphabet, in.p[i]) : NULL;
        if (!at)
            return err_set(e, ERR_FORMAT, "not base64 (byte %zu)", i);
        bits = bits << 6 | (uint32_t)(at - alphabet);
        have += 6;
        if (have >= 8) {
            have -= 8;
            buf_add_char(out, (char)(bits >> have & 255));
        }
    }
    return buf_check(out, "base64 text", e);
}
