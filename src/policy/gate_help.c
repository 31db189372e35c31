#include "base/buf.h"
#include "base/text.h"
#include "policy/gate.h"
#include "policy/when.h"

#include <stdio.h>
#include <stdlib.h>

enum { REPR_MAX = 64 << 20 };

static void put_repr(struct buf *out, str s)
{
    char quote = str_index(s, '\'') >= 0 && str_index(s, '"') < 0 ? '"' : '\'';
    buf_add_char(out, quote);
    for (uint32_t c = 0; s.n;) {
        size_t used = text_utf8(s, &c);
        if (!used) {
            used = 1;
            buf_add_str(out, STR("\xef\xbf\xbd"));
        } else if (c == '\\' || c == (unsigned char)quote) {
            buf_addf(out, "\\%c", (int)c);
        } else if (c == '\n' || c == '\r' || c == '\t') {
            buf_add_str(out, c == '\n' ? STR("\\n") : c == '\r' ? STR("\\r") : STR("\\t"));
        } else if (c < ' ' || (c >= 0x7f && c <= 0xa0)) {
            buf_addf(out, "\\x%02x", (unsigned)c);
        } else {
            buf_add(out, s.p, used);
        }
        s = str_from(s, used);
    }
    buf_add_char(out, quote);
}

str gate_list_repr(struct arena *a, const str *list, size_t n)
{
    auto_buf b;
    buf_init(&b, REPR_MAX);
    buf_add_char(&b, '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_add_str(&b, STR(", "));
        put_repr(&b, list[i]);
    }
    buf_add_char(&b, ']');
    if (!buf_ok(&b)) {
        a->full = true;
        return (str){0};
    }
    return arena_dup(a, buf_view(&b));
}

str gate_real(struct arena *a, double v)
{
    char text[40];
    int digits = 0;
    do {
        snprintf(text, sizeof text, "%.*e", digits, v);
    } while (strtod(text, NULL) != v && ++digits < 17);
    const char *e = strchr(text, 'e');
    long exponent = e ? strtol(e + 1, NULL, 10) : 0;
    if (!e || exponent < -4 || exponent >= 16)
        return arena_printf(a, "%s", text);
    long decimals = digits - exponent;
    return arena_printf(a, "%.*f", decimals > 1 ? (int)decimals : 1, v);
}

str gate_date(struct arena *a, int64_t us)
{
    return when_date(a, us);
}

int gate_regex_prepare(const struct rule_params *p, size_t index, void **state, struct err *e)
{
    struct regex *r;
    *state = NULL;
    if (!p->values[index].set)
        return 0;
    int rc = regex_compile(p->values[index].text, REGEX_UTF | REGEX_ANCHORED, &r, e);
    if (rc == 0)
        *state = r;
    return rc;
}

void gate_regex_release(void *state)
{
    regex_free(state);
}
