#include "version/digits.h"

int text_compare_nocase(str a, str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    for (size_t i = 0; i < n; i++) {
        unsigned char x = (unsigned char)ke_tolower(a.p[i]), y = (unsigned char)ke_tolower(b.p[i]);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return (a.n > b.n) - (a.n < b.n);
}

int natural_compare(str a, str b)
{
    while (a.n && b.n) {
        if (ke_isdigit(*a.p) && ke_isdigit(*b.p)) {
            str x = digits_run(a), y = digits_run(b);
            int order = digits_compare(x, y);
            if (order)
                return order;
            a = str_from(a, x.n);
            b = str_from(b, y.n);
            continue;
        }
        unsigned char x = (unsigned char)*a.p, y = (unsigned char)*b.p;
        if (ke_isdigit(*a.p) || ke_isdigit(*b.p)) {
            x = ke_isdigit(*a.p) ? '0' : x;
            y = ke_isdigit(*b.p) ? '0' : y;
        }
        if (x != y)
            return x < y ? -1 : 1;
        a = str_from(a, 1);
        b = str_from(b, 1);
    }
    return (a.n > 0) - (b.n > 0);
}

void key_count(struct buf *out, size_t n, bool down)
{
    const unsigned char flip = down ? 255 : 0;
    for (; n >= 254; n -= 254)
        buf_add_char(out, (char)(255 ^ flip));
    buf_add_char(out, (char)((n + 1) ^ flip));
}

void key_number(struct buf *out, str digits)
{
    digits = digits_strip(digits);
    key_count(out, digits.n, false);
    buf_add_str(out, digits);
}

static void key_text_byte(struct buf *out, char c)
{
    if ((unsigned char)c <= 1) {
        buf_add_char(out, 1);
        c++;
    }
    buf_add_char(out, c);
}

bool key_release(struct buf *out, str dotted)
{
    size_t used = out->n;
    while (dotted.n) {
        str component = str_split(&dotted, '.');
        key_number(out, component);
        if (!digits_zero(component))
            used = out->n;
    }
    if (!buf_ok(out))
        return false;
    out->n = used;
    buf_add_char(out, 0);
    return true;
}

void key_text(struct buf *out, str s)
{
    for (size_t i = 0; i < s.n; i++)
        key_text_byte(out, s.p[i]);
    buf_add_char(out, 0);
}

void key_natural(struct buf *out, str s)
{
    while (s.n) {
        str run = digits_run(s);
        if (run.n) {
            buf_add_char(out, '0');
            key_number(out, run);
        } else {
            key_text_byte(out, *s.p);
        }
        s = str_from(s, run.n ? run.n : 1);
    }
    buf_add_char(out, 0);
}
