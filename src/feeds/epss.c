/* epss.c - FIRST's exploit prediction scores: "cve,epss[,percentile]" lines, since 2022 below a
 * comment with the model's version and the date of the scores. */
#include "feeds/common.h"
#include "feeds/drivers.h"
#include "feeds/sync.h"

enum { LINE_LONGEST = 4096 };

static bool epss_wants(str path)
{
    str name = str_basename(path);
    return str_ends(name, STR(".csv")) && str_starts(name, STR("epss"));
}

/* "0.00043" -> 430. A number from 0 to 1, rounded; false on anything else. */
static bool millionths(str s, int32_t *out)
{
    char text[40], *end;
    if (!s.n || s.n >= sizeof text || !ke_isdigit(s.p[0]))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!ke_isdigit(s.p[i]) && !memchr(".eE+-", s.p[i], 5))
            return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    double d = strtod(text, &end);
    if (end != text + s.n || !(d >= 0 && d <= 1))
        return false;
    *out = (int32_t)(d * 1000000 + 0.5);
    return true;
}

struct epss_reader {
    const struct feed_input *in;
    struct claim_sink *sink;
    uint64_t line;
    bool headed, has_percentile;
    int64_t date;
    char version[64];
};

static int epss_fail(const struct epss_reader *r, const char *what, struct err *e)
{
    return err_set(e, ERR_FORMAT, "%s:%llu: %s", feed_name(r->in), (unsigned long long)r->line,
                   what);
}

/* "#model_version:v2025.03.14,score_date:2025-03-14T00:00:00+0000" */
static void epss_comment(struct epss_reader *r, str line)
{
    line = str_from(line, 1);
    while (line.n) {
        str field = str_split(&line, ',');
        str name = str_trim(str_split(&field, ':'));
        if (str_eq(name, STR("score_date")))
            r->date = feed_date(field);
        if (str_eq(name, STR("model_version")))
            snprintf(r->version, sizeof r->version, "%.*s", STR_ARG(str_trim(field)));
    }
}

/* Old files carry their date only in their name: epss_scores-2021-04-14.csv.gz */
static int64_t date_in_name(str path)
{
    str name = str_basename(path);
    for (size_t i = 0; i + 10 <= name.n; i++)
        if (ke_isdigit(name.p[i]))
            return feed_date(str_sub(name, i, i + 10));
    return 0;
}

static int epss_line(struct epss_reader *r, str line, struct err *e)
{
    r->line++;
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    if (!line.n)
        return 0;
    if (line.p[0] == '#') {
        epss_comment(r, line);
        return 0;
    }
    if (!r->headed) {
        r->headed = true;
        r->has_percentile = str_eq(line, STR("cve,epss,percentile"));
        if (!r->has_percentile && !str_eq(line, STR("cve,epss")))
            return epss_fail(r, "the header is not \"cve,epss,percentile\" or \"cve,epss\"", e);
        return 0;
    }
    struct vuln v = vuln_empty();
    v.id = str_trim(str_split(&line, ','));
    str score = str_trim(str_split(&line, ','));
    if (!feed_is_cve(v.id))
        return epss_fail(r, "the line does not begin with a CVE id", e);
    if (!millionths(score, &v.epss_score))
        return epss_fail(r, "the score is not a number from 0 to 1", e);
    if (r->has_percentile && !millionths(str_trim(line), &v.epss_percentile))
        return epss_fail(r, "the percentile is not a number from 0 to 1", e);
    r->sink->record(r->sink, 1);
    return r->sink->vuln(r->sink, &v, e);
}

/* Hands out the lines of a stream of any length, one at a time. */
static int epss_lines(struct epss_reader *r, struct err *e)
{
    auto_buf carry; /* a line that began in an earlier view */
    buf_init(&carry, LINE_LONGEST);
    for (;;) {
        const uint8_t *p;
        int64_t n = stream_view(r->in->in, &p, e);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return carry.n ? epss_line(r, buf_view(&carry), e) : 0;
        const uint8_t *end = memchr(p, '\n', (size_t)n);
        size_t used = end ? (size_t)(end - p) : (size_t)n;
        if (carry.n || !end) {
            buf_add(&carry, p, used);
            if (!buf_ok(&carry))
                return err_set(e, ERR_LIMIT, "%s:%llu: the line is longer than %d bytes",
                               feed_name(r->in), (unsigned long long)r->line + 1, LINE_LONGEST);
        }
        int code = 0;
        if (end)
            code = epss_line(r, carry.n ? buf_view(&carry) : (str){(const char *)p, used}, e);
        if (code < 0)
            return code;
        if (end)
            buf_clear(&carry);
        stream_consume(r->in->in, used + (end ? 1 : 0));
    }
}

static int epss_read(void **state, const struct feed_input *in, struct claim_sink *sink,
                     struct err *e)
{
    struct epss_reader r = {.in = in, .sink = sink};
    int code = epss_lines(&r, e);
    if (code < 0)
        return code;
    if (!r.headed)
        return err_set(e, ERR_FORMAT, "%s: is empty, not scores", feed_name(in));
    sink->dated(sink, r.date ? r.date : date_in_name(in->path), str_z(r.version));
    return 0;
}

const struct feed_ops feed_epss = {
    .name = "epss",
    .summary = "FIRST's exploit prediction scores",
    .licence = "free with attribution to FIRST",
    .wants = epss_wants,
    .read = epss_read,
    .sync = &feed_sync_epss,
};
