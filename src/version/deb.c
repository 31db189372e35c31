/* deb.c - Debian versions: [epoch:]upstream[-revision], as dpkg orders them. */
#include "version/digits.h"
#include "version/schemes.h"

struct deb_parts {
    str epoch, upstream, revision;
};

static struct deb_parts deb_split(str v)
{
    struct deb_parts parts = {0};
    v = str_trim(v);
    str epoch = digits_run(v);
    if (epoch.n && epoch.n < v.n && v.p[epoch.n] == ':') {
        parts.epoch = epoch;
        v = str_from(v, epoch.n + 1);
    }
    ptrdiff_t dash = str_rindex(v, '-');
    parts.upstream = dash < 0 ? v : str_sub(v, 0, (size_t)dash);
    parts.revision = dash < 0 ? (str){NULL, 0} : str_from(v, (size_t)dash + 1);
    return parts;
}

/* Weight of a byte outside numbers; the end of the text and a digit weigh 0. */
static int deb_weight(str s)
{
    if (!s.n || ke_isdigit(*s.p))
        return 0;
    if (*s.p == '~')
        return -1;
    return ke_isalpha(*s.p) ? *s.p : (unsigned char)*s.p + 256;
}

static int deb_compare_part(str a, str b)
{
    while (a.n || b.n) {
        for (int x, y; (x = deb_weight(a)) | (y = deb_weight(b));) {
            if (x != y)
                return x < y ? -1 : 1;
            a = str_from(a, 1);
            b = str_from(b, 1);
        }
        str x = digits_run(a), y = digits_run(b);
        int order = digits_compare(x, y);
        if (order)
            return order;
        a = str_from(a, x.n);
        b = str_from(b, y.n);
    }
    return 0;
}

static int deb_compare(str a, str b)
{
    struct deb_parts x = deb_split(a), y = deb_split(b);
    int order = digits_compare(x.epoch, y.epoch);
    if (!order)
        order = deb_compare_part(x.upstream, y.upstream);
    return order ? order : deb_compare_part(x.revision, y.revision);
}

static bool deb_all(str s, const char *others)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ke_isalnum(s.p[i]) && !(s.p[i] && strchr(others, s.p[i])))
            return false;
    return true;
}

static bool deb_accepts(str v, const char *in_upstream, const char *in_revision)
{
    v = str_trim(v);
    ptrdiff_t colon = str_index(v, ':');
    if (colon >= 0) {
        uint64_t epoch;
        if (!str_to_u64(str_sub(v, 0, (size_t)colon), &epoch) || epoch > INT32_MAX)
            return false;
    }
    struct deb_parts parts = deb_split(v);
    bool no_revision = str_rindex(v, '-') < 0;
    return parts.upstream.n && ke_isdigit(*parts.upstream.p) &&
           deb_all(parts.upstream, in_upstream) && (no_revision || parts.revision.n) &&
           deb_all(parts.revision, in_revision);
}

static bool deb_valid(str v)
{
    return deb_accepts(v, ".-+~:", ".+~");
}

/* dpkg warns of an underscore and compares. */
static bool deb_comparable(str a, str b)
{
    return deb_accepts(a, ".-+~:_", ".+~_") && deb_accepts(b, ".-+~:_", ".+~_");
}

/* Bytes outside numbers: '~', then the end of the run, then letters, then the rest. */
static void deb_key_byte(struct buf *out, char c)
{
    unsigned char byte = (unsigned char)c;
    if (c == '~')
        buf_add_char(out, 1);
    else if (ke_isalpha(c))
        buf_add_char(out, c);
    else if (byte < 0x7f)
        buf_add_char(out, (char)(0x80 + byte));
    else
        buf_add(out, (char[]){(char)0xff, c}, 2);
}

static void deb_key_part(struct buf *out, str s)
{
    static const char run_end = 2;
    do {
        for (; s.n && !ke_isdigit(*s.p); s = str_from(s, 1))
            deb_key_byte(out, *s.p);
        str number = digits_run(s);
        buf_add_char(out, run_end);
        key_number(out, number);
        s = str_from(s, number.n);
    } while (s.n);
    buf_add_char(out, run_end);
}

static bool deb_key(str v, struct buf *out)
{
    struct deb_parts parts = deb_split(v);
    key_number(out, parts.epoch);
    deb_key_part(out, parts.upstream);
    deb_key_part(out, parts.revision);
    return buf_ok(out);
}

const struct version_ops version_deb = {
    .name = "deb",
    .valid = deb_valid,
    .compare = deb_compare,
    .key = deb_key,
    .comparable = deb_comparable,
};
