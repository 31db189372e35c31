#include "report/writer.h"

#include "codec/json.h"

#include <time.h>

void writer_init(struct writer *w, struct buf *out)
{
    *w = (struct writer){.out = out, .first = true};
}

static void writer_next(struct writer *w, const char *key)
{
    if (w->depth > 0) {
        buf_add_str(w->out, w->first ? STR("\n") : STR(",\n"));
        for (int i = 0; i < w->depth; i++)
            buf_add_str(w->out, STR("  "));
    }
    w->first = false;
    if (key) {
        json_put_string(w->out, str_z(key));
        buf_add_str(w->out, STR(": "));
    }
}

void writer_open(struct writer *w, const char *key, char bracket)
{
    writer_next(w, key);
    buf_add_char(w->out, bracket);
    w->depth++;
    w->first = true;
}

void writer_close(struct writer *w, char bracket)
{
    bool empty = w->first;
    w->depth--;
    w->first = false;
    if (!empty) {
        buf_add_char(w->out, '\n');
        for (int i = 0; i < w->depth; i++)
            buf_add_str(w->out, STR("  "));
    }
    buf_add_char(w->out, bracket);
}

void writer_str(struct writer *w, const char *key, str s)
{
    writer_next(w, key);
    json_put_string(w->out, s);
}

void writer_str_some(struct writer *w, const char *key, str s)
{
    if (s.n)
        writer_str(w, key, s);
}

void writer_int(struct writer *w, const char *key, int64_t v)
{
    writer_next(w, key);
    buf_addf(w->out, "%lld", (long long)v);
}

void writer_bool(struct writer *w, const char *key, bool v)
{
    writer_number(w, key, v ? "true" : "false");
}

void writer_null(struct writer *w, const char *key)
{
    writer_number(w, key, "null");
}

void writer_number(struct writer *w, const char *key, const char *text)
{
    writer_next(w, key);
    buf_add_str(w->out, str_z(text));
}

void writer_strs(struct writer *w, const char *key, const str *items, size_t n)
{
    writer_open(w, key, '[');
    for (size_t i = 0; i < n; i++)
        writer_str(w, NULL, items[i]);
    writer_close(w, ']');
}

const char *time_format(int64_t t, char text[TIME_TEXT])
{
    time_t seconds = (time_t)t;
    struct tm tm;
    if (!gmtime_r(&seconds, &tm) || !strftime(text, TIME_TEXT, "%Y-%m-%dT%H:%M:%SZ", &tm))
        text[0] = '\0';
    return text;
}

void writer_time(struct writer *w, const char *key, int64_t t)
{
    char text[TIME_TEXT];
    if (t)
        writer_str(w, key, str_z(time_format(t, text)));
    else
        writer_null(w, key);
}
