#include "services/log.h"

#include "base/buf.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

enum { TEXT_MAX = 8192 };

static const char *const level_names[] = {"ERROR", "WARN", "INFO", "DEBUG", "SPEW"};
static atomic_int wanted = LOG_LEVEL_INFO;
static atomic_bool as_json;

void log_open(const char *level)
{
    int found = level && str_eq_nocase(str_z(level), STR("FATAL")) ? LOG_LEVEL_ERROR : -1;
    for (int i = 0; level && i <= LOG_LEVEL_SPEW; i++) {
        if (str_eq_nocase(str_z(level), str_z(level_names[i])))
            found = i;
    }
    atomic_store(&wanted, found < 0 ? LOG_LEVEL_INFO : found);
    const char *format = getenv("KELLET_LOG_FORMAT");
    atomic_store(&as_json, format && str_eq_nocase(str_z(format), STR("json")));
}

bool log_wants(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&wanted, memory_order_relaxed);
}

/* Bytes from outside can neither end the line nor move the terminal's cursor. */
static void add_escaped(struct buf *b, const char *s, bool json)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (json && (c == '"' || c == '\\'))
            buf_addf(b, "\\%c", c);
        else if (c == '\n' && json)
            buf_add(b, "\\n", 2);
        else if (c < ' ' || c == 0x7f)
            buf_addf(b, json ? "\\u%04x" : "\\x%02x", c);
        else
            buf_add_char(b, *s);
    }
}

static void add_time(struct buf *b)
{
    struct timespec t;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &t);
    gmtime_r(&t.tv_sec, &tm);
    buf_addf(b, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", tm.tm_year + 1900, tm.tm_mon + 1,
             tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, t.tv_nsec / 1000000);
}

static void add_member(struct buf *b, const char *key, const char *value)
{
    if (!value || !*value)
        return;
    buf_addf(b, ",\"%s\":\"", key);
    add_escaped(b, value, true);
    buf_add_char(b, '"');
}

static void format_json(struct buf *b, enum log_level level, const char *service,
                        const char *request_id, const char *text)
{
    buf_add_str(b, STR("{\"time\":\""));
    add_time(b);
    buf_add_char(b, '"');
    add_member(b, "level", level_names[level]);
    add_member(b, "service", service);
    add_member(b, "request_id", request_id);
    add_member(b, "message", text);
}

static void format_words(struct buf *b, enum log_level level, const char *service,
                         const char *request_id, const char *text)
{
    add_time(b);
    buf_addf(b, " %-5s %s", level_names[level], service && *service ? service : "engine");
    if (request_id && *request_id) {
        buf_add_str(b, STR(" ["));
        add_escaped(b, request_id, false);
        buf_add_char(b, ']');
    }
    buf_add_str(b, STR(": "));
    add_escaped(b, text, false);
}

/* One write for a line: lines of several threads and processes don't mix. */
static void write_line(const struct buf *b)
{
    size_t done = 0;
    while (done < b->n) {
        ssize_t n = write(STDERR_FILENO, b->p + done, b->n - done);
        if (n <= 0)
            return;
        done += (size_t)n;
    }
}

void log_line(enum log_level level, const char *service, const char *request_id, const char *fmt,
              ...)
{
    if (!log_wants(level))
        return;
    char text[TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    auto_buf b;
    buf_init(&b, 8 * TEXT_MAX);
    bool json = atomic_load(&as_json);
    if (json)
        format_json(&b, level, service, request_id, text);
    else
        format_words(&b, level, service, request_id, text);
    buf_add_str(&b, json ? STR("}\n") : STR("\n"));
    write_line(&b);
}

void log_numbers(const char *service, const char *key, const char *text, const struct log_number *n,
                 size_t count)
{
    if (!log_wants(LOG_LEVEL_INFO))
        return;
    auto_buf b;
    buf_init(&b, 8 * TEXT_MAX);
    bool json = atomic_load(&as_json);
    if (json) {
        format_json(&b, LOG_LEVEL_INFO, service, NULL, NULL);
        add_member(&b, key, text);
    } else {
        auto_buf words;
        buf_init(&words, TEXT_MAX);
        buf_addf(&words, "%s %s", key, text);
        format_words(&b, LOG_LEVEL_INFO, service, NULL, buf_z(&words));
    }
    for (size_t i = 0; i < count; i++)
        buf_addf(&b, json ? ",\"%s\":%lld" : " %s=%lld", n[i].name, (long long)n[i].value);
    buf_add_str(&b, json ? STR("}\n") : STR("\n"));
    write_line(&b);
}
