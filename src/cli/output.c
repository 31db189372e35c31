#include "cli/output.h"

#include "base/auto.h"
#include "base/fs.h"

#include <time.h>

enum { REPORT_MAX = 1 << 30 };

static int parse_one(const char *text, bool sbom, struct output *out)
{
    str rest = str_z(text), name = str_split(&rest, '=');
    bool has_path = name.n < strlen(text);
    *out = (struct output){report_format_find(name), has_path ? text + name.n + 1 : NULL};
    if (!out->format || !(sbom ? out->format->sbom : out->format->findings)) {
        failf(EXIT_USAGE, "there is no output format \"%.*s\"; there are:", STR_ARG(name));
        for (size_t i = 0; report_formats[i]; i++)
            if (sbom ? report_formats[i]->sbom : report_formats[i]->findings)
                fprintf(stderr, "  %-12s %s\n", report_formats[i]->name,
                        report_formats[i]->summary);
        return EXIT_USAGE;
    }
    if (has_path && !*out->path)
        return failf(EXIT_USAGE, "-o %s: the name of the file is missing", text);
    return 0;
}

int outputs_parse(const struct option_list *list, bool sbom, struct outputs *out)
{
    size_t to_stdout = 0;
    *out = (struct outputs){0};
    for (size_t i = 0; i < list->n && i < OUTPUTS_MAX; i++) {
        int code = parse_one(list->items[i], sbom, &out->items[out->n++]);
        if (code)
            return code;
        to_stdout += !out->items[i].path;
    }
    if (to_stdout > 1)
        return failf(EXIT_USAGE, "only one report can go to standard output; give the others a "
                                 "file: -o json=FILE");
    if (!out->n)
        out->items[out->n++].format = report_format_find(STR("table"));
    return 0;
}

static int write_one(const struct output *o, const struct report_input *in, struct err *e)
{
    struct report_style style = {0};
    if (!o->path)
        style = (struct report_style){wants_color(STDOUT_FILENO), terminal_width(STDOUT_FILENO)};
    auto_buf text;
    buf_init(&text, REPORT_MAX);
    int rc = o->format->write(in, &style, &text, e);
    if (rc < 0)
        return rc;
    if (o->path)
        return fs_write_atomic(o->path, buf_view(&text), 0666, e);
    rc = fs_write_all(STDOUT_FILENO, text.p, text.n, e);
    return rc < 0 ? err_wrap(e, "standard output") : 0;
}

int outputs_write(const struct outputs *o, const struct report_input *in)
{
    for (size_t i = 0; i < o->n; i++) {
        struct err e = {0};
        if (write_one(&o->items[i], in, &e) < 0) {
            err_wrap(&e, "cannot write the %s report", o->items[i].format->name);
            return fail(EXIT_CANNOT, &e);
        }
    }
    return 0;
}

int64_t output_timestamp(void)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    uint64_t given;
    if (epoch && str_to_u64(str_z(epoch), &given) && given <= INT64_MAX)
        return (int64_t)given;
    return (int64_t)time(NULL);
}
