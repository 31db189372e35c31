#include "base/text.h"

size_t text_utf8(str s, uint32_t *out)
{
    static const struct {
        uint8_t mask, lead;
        uint32_t min;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (size_t n = 1; n <= KE_ARRAY_LEN(forms) && n <= s.n; n++) {
        uint8_t first = (uint8_t)s.p[0];
        if ((first & forms[n - 1].mask) != forms[n - 1].lead)
            continue;
        uint32_t v = first & (uint8_t)~forms[n - 1].mask;
        for (size_t i = 1; i < n; i++) {
            if (((uint8_t)s.p[i] & 0xc0) != 0x80)
                return 0;
            v = v << 6 | ((uint8_t)s.p[i] & 0x3f);
        }
        if (v < forms[n - 1].min || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
            return 0;
        *out = v;
        return n;
    }
    return 0;
}

static bool is_hidden(uint32_t c)
{
    return c == 0xad || c == 0x61c || c == 0x180e || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
           (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe007f);
}

void text_clean(str s, struct buf *out)
{
    while (s.n) {
        uint32_t c = 0;
        size_t n = text_utf8(s, &c);
        if (!n)
            buf_addf(out, "\\x%02x", (uint8_t)s.p[0]);
        else if (c == '\n' || c == '\t')
            buf_add_str(out, c == '\n' ? STR("\\n") : STR("\\t"));
        else if (c < 0x20 || (c >= 0x7f && c < 0xa0))
            buf_addf(out, "\\x%02x", c);
        else if (is_hidden(c))
            buf_addf(out, "\\u%04x", c);
        else
            buf_add(out, s.p, n);
        s = str_from(s, n ? n : 1);
    }
}

size_t text_width(str clean)
{
    size_t width = 0;
    for (size_t i = 0; i < clean.n; i++)
        width += ((uint8_t)clean.p[i] & 0xc0) != 0x80;
    return width;
}

size_t text_fit(str clean, size_t columns)
{
    size_t i = 0;
    for (; i < clean.n; i++)
        if (((uint8_t)clean.p[i] & 0xc0) != 0x80 && columns-- == 0)
            break;
    return i;
}

bool text_is_utf8(str s)
{
    uint32_t c;
    for (size_t at = 0, n; at < s.n; at += n) {
        n = text_utf8(str_from(s, at), &c);
        if (n == 0 || c == 0)
            return false;
    }
    return true;
}
