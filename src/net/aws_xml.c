#include "net/aws_xml.h"

/* The length of "<name>" or "<name attributes>" at the beginning of s, 0: it is something else;
 * *empty: "<name/>". */
static size_t opening(str s, str name, bool *empty)
{
    *empty = false;
    if (s.n < name.n + 2 || s.p[0] != '<' || !str_eq(str_sub(s, 1, 1 + name.n), name))
        return 0;
    char c = s.p[1 + name.n];
    if (c != '>' && c != '/' && !ke_isspace(c))
        return 0;
    ptrdiff_t end = str_index(s, '>');
    if (end < 0)
        return 0;
    *empty = s.p[end - 1] == '/';
    return (size_t)end + 1;
}

bool aws_xml_element(str doc, const char *name, str *content, str *rest)
{
    str wanted = str_z(name);
    while (doc.n) {
        ptrdiff_t at = str_index(doc, '<');
        bool empty;
        if (at < 0)
            return false;
        doc = str_from(doc, (size_t)at);
        size_t n = opening(doc, wanted, &empty);
        if (!n) {
            doc = str_from(doc, 1);
            continue;
        }
        doc = str_from(doc, n);
        size_t end = 0;
        while (!empty) {
            str left = str_from(doc, end);
            ptrdiff_t next = str_find(left, STR("</"));
            if (next < 0)
                return false;
            left = str_from(left, (size_t)next + 2);
            end += (size_t)next;
            if (str_starts(left, wanted) && left.n > wanted.n && left.p[wanted.n] == '>')
                break;
            end += 2;
        }
        *content = str_sub(doc, 0, end);
        if (rest)
            *rest = str_from(doc, end + (empty ? 0 : wanted.n + 3));
        return true;
    }
    return false;
}

static size_t put_utf8(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | c);
    return n;
}

/* "amp", "#10", "#xA" to bytes; 0: not known. */
static size_t entity(str name, char out[4])
{
    static const struct {
        str name;
        char c;
    } known[] = {{STR_INIT("amp"), '&'},
                 {STR_INIT("lt"), '<'},
                 {STR_INIT("gt"), '>'},
                 {STR_INIT("quot"), '"'},
                 {STR_INIT("apos"), '\''}};
    for (size_t i = 0; i < KE_ARRAY_LEN(known); i++)
        if (str_eq(name, known[i].name))
            return put_utf8((unsigned char)known[i].c, out);
    uint64_t value = 0;
    bool ok = str_starts(name, STR("#x"))
                  ? str_to_u64_hex(str_from(name, 2), &value)
                  : str_starts(name, STR("#")) && str_to_u64(str_from(name, 1), &value);
    if (!ok || !value || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
        return 0;
    return put_utf8((uint32_t)value, out);
}

bool aws_xml_text(str doc, const char *name, char *out, size_t size)
{
    str s;
    size_t n = 0;
    out[0] = 0;
    if (!aws_xml_element(doc, name, &s, NULL) || str_index(s, '<') >= 0)
        return false;
    while (s.n) {
        char bytes[4] = {s.p[0]};
        size_t length = 1, taken = 1;
        if (s.p[0] == '&') {
            ptrdiff_t end = str_index(s, ';');
            length = end > 0 && end < 12 ? entity(str_sub(s, 1, (size_t)end), bytes) : 0;
            taken = (size_t)end + 1;
        }
        if (!length || n + length >= size) {
            out[0] = 0;
            return false;
        }
        memcpy(out + n, bytes, length);
        n += length;
        s = str_from(s, taken);
    }
    out[n] = 0;
    return true;
}
