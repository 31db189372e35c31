#include "cli/progress.h"

#include "base/clock.h"
#include "cli/command.h"

#include <time.h>
#include <unistd.h>

enum { INTERVAL_MS = 100, RATE_AFTER_MS = 500 };

void progress_init(struct progress *p, bool wanted)
{
    const char *term = getenv("TERM");
    *p = (struct progress){.active = wanted && isatty(STDERR_FILENO) && term &&
                                     strcmp(term, "dumb") != 0};
}

static void mebibytes(uint64_t bytes, struct buf *out)
{
    buf_addf(out, "%.1f", (double)bytes / (1 << 20));
}

void progress_text(const char *phase, uint64_t bytes, uint64_t total, uint32_t done, uint32_t count,
                   uint64_t elapsed_ms, struct buf *out)
{
    buf_addf(out, "%s", phase);
    if (bytes || total) {
        buf_add_char(out, ' ');
        mebibytes(bytes, out);
        if (total) {
            buf_add_str(out, STR(" of "));
            mebibytes(total, out);
        }
        buf_add_str(out, STR(" MiB"));
    }
    if (bytes && elapsed_ms >= RATE_AFTER_MS) {
        buf_add_str(out, STR(", "));
        mebibytes(bytes * 1000 / elapsed_ms, out);
        buf_add_str(out, STR(" MiB/s"));
    }
    if (count)
        buf_addf(out, ", %u of %u layers done", done, count);
}

void progress_show(struct progress *p, const char *phase, uint64_t bytes, uint64_t total,
                   uint32_t done, uint32_t count)
{
    uint64_t now = p->active ? (uint64_t)clock_ms() : 0;
    if (!p->active || (p->shown && now - p->last_ms < INTERVAL_MS))
        return;
    if (!p->phase || strcmp(p->phase, phase) != 0) {
        p->phase = phase;
        p->started_ms = now;
    }
    auto_buf line;
    buf_init(&line, 4096);
    progress_text(phase, bytes, total, done, count, now - p->started_ms, &line);
    unsigned width = terminal_width(STDERR_FILENO);
    if (width > 1 && line.n >= width)
        line.n = width - 1;
    fprintf(stderr, "\r%.*s\x1b[K", (int)line.n, line.p);
    fflush(stderr);
    p->last_ms = now;
    p->shown = true;
}

void progress_clear(struct progress *p)
{
    if (p->shown)
        fputs("\r\x1b[K", stderr);
    p->shown = false;
}

static void update(void *ctx, const char *phase, uint64_t bytes, uint64_t total, uint32_t done,
                   uint32_t count)
{
    progress_show(ctx, phase, bytes, total, done, count);
}

struct scan_progress progress_callback(struct progress *p)
{
    return (struct scan_progress){update, p};
}
