#include "report/table_tail.h"

#include "base/text.h"
#include "report/completeness.h"
#include "report/grid.h"
#include "report/words.h"
#include "report/writer.h"

enum { PROBLEMS_SHOWN = 20, DAY = 24 * 60 * 60 };

static void put_types(const struct completeness *c, struct buf *out)
{
    for (size_t i = 0; i < c->n_types; i++)
        buf_addf(out, "%s%zu %s", i ? ", " : "", c->types[i].n, c->types[i].type);
}

void put_nothing_found(const struct report_input *in, struct buf *out)
{
    struct completeness c = completeness_of(in);
    if (c.no_packages) {
        buf_add_str(out, STR("No packages were recognised, so nothing can be said about "
                             "vulnerabilities.\n"));
        return;
    }
    if (!in->findings->n_data) {
        buf_add_str(out, STR("No vulnerability data are loaded: nothing was looked up for "));
        put_types(&c, out);
        buf_add_str(out, STR(" packages. `kellet feeds sync` gets them.\n"));
        return;
    }
    buf_add_str(out, in->not_shown ? STR("No known vulnerabilities with a fix found in ")
                                   : STR("No known vulnerabilities found in "));
    put_types(&c, out);
    buf_add_str(out, STR(" packages"));
    buf_add_str(out,
                c.complete ? STR(".\n") : STR(", but not everything could be seen: see below.\n"));
}

static void put_suppressed(const struct findings *f, struct buf *out)
{
    size_t counts[SUPPRESSED_HEADERS + 1] = {0};
    if (!f->n_suppressed)
        return;
    for (size_t i = 0; i < f->n_suppressed; i++)
        counts[f->suppressed[i].kind]++;
    buf_addf(out, "\nTaken back: %zu matches (", f->n_suppressed);
    bool first = true;
    for (size_t k = 0; k < KE_ARRAY_LEN(counts); k++) {
        if (!counts[k])
            continue;
        buf_addf(out, "%s%zu %s", first ? "" : ", ", counts[k],
                 suppression_name((enum suppression_kind)k));
        first = false;
    }
    buf_add_str(out, STR("); -o json lists them with reasons\n"));
}

static void put_line(struct buf *out, const char *what, str text, const char *tail)
{
    buf_addf(out, "  %s", what);
    text_clean(text, out);
    buf_addf(out, "%s\n", tail);
}

static void put_problems(const struct inventory *inv, struct buf *out)
{
    for (size_t i = 0; i < inv->n_problems && i < PROBLEMS_SHOWN; i++) {
        const struct inv_problem *p = &inv->problems[i];
        buf_add_str(out, STR("  "));
        text_clean(p->path.n ? p->path : STR("(layer)"), out);
        buf_add_str(out, STR(": "));
        text_clean(p->what, out);
        buf_add_str(out, STR(": "));
        text_clean(p->detail, out);
        buf_add_char(out, '\n');
    }
    if (inv->n_problems > PROBLEMS_SHOWN)
        buf_addf(out, "  and %zu more problems: -o json lists them\n",
                 inv->n_problems - PROBLEMS_SHOWN);
}

static void put_gaps(const struct report_input *in, const struct completeness *c, struct buf *out)
{
    const struct inventory *inv = in->inventory;
    const struct findings *f = in->findings;
    if (c->no_packages)
        put_line(out, "no packages were recognised", STR(""), "");
    else if (c->no_distro_packages)
        put_line(out,
                 "the distribution's own packages were not found: its package database is "
                 "missing or not readable",
                 STR(""), "");
    put_problems(inv, out);
    for (size_t i = 0; i < inv->n_unsupported; i++)
        put_line(out, "seen but not read: ", inv->unsupported[i], "");
    if (!f)
        return;
    if (!f->n_data)
        put_line(out, "no vulnerability data are loaded", STR(""), "");
    for (size_t i = 0; i < f->n_uncovered; i++)
        put_line(out, "no vulnerability data for ", f->uncovered[i], "");
    for (size_t i = 0, shown = 0; i < f->n_unmatched && shown < PROBLEMS_SHOWN; i++) {
        if (!f->unmatched[i].gap)
            continue;
        shown++;
        buf_add_str(out, STR("  not looked up: "));
        text_clean(inv->packages[f->unmatched[i].package].p.name, out);
        buf_add_str(out, STR(": "));
        text_clean(f->unmatched[i].why, out);
        buf_add_char(out, '\n');
    }
    if (c->gaps > PROBLEMS_SHOWN)
        buf_addf(out, "  and %zu more packages not looked up\n", c->gaps - PROBLEMS_SHOWN);
}

void put_completeness(const struct report_input *in, const struct report_style *s, struct buf *out)
{
    struct completeness c = completeness_of(in);
    buf_add_char(out, '\n');
    if (c.complete) {
        style_put(s, "32", STR("Complete"), out);
        buf_add_str(out, STR(": everything recognised was read"));
        buf_add_str(out, in->findings ? STR(" and looked up (") : STR(" ("));
        put_types(&c, out);
        buf_add_str(out, STR(").\n"));
    } else {
        style_put(s, "1;33", STR("Incomplete"), out);
        buf_add_str(out, STR(":\n"));
        put_gaps(in, &c, out);
    }
    size_t expected = in->findings ? in->findings->n_unmatched - c.gaps : 0;
    if (expected)
        buf_addf(out, "%zu Go main module%s without a version %s not looked up themselves.\n",
                 expected, expected == 1 ? "" : "s", expected == 1 ? "was" : "were");
}

static void put_age(int64_t date, int64_t now, struct buf *out)
{
    if (!now || now < date)
        return;
    int64_t days = (now - date) / DAY;
    if (days == 0)
        buf_add_str(out, STR(", today"));
    else
        buf_addf(out, ", %lld day%s old", (long long)days, days == 1 ? "" : "s");
}

static void put_data(const struct report_input *in, struct buf *out)
{
    const struct findings *f = in->findings;
    if (!f->n_data)
        return;
    buf_add_str(out, STR("Data:\n"));
    for (size_t i = 0; i < f->n_data; i++) {
        const struct data_source *d = &f->data[i];
        int64_t date = d->upstream_date ? d->upstream_date : d->loaded;
        char text[TIME_TEXT];
        buf_add_str(out, STR("  "));
        text_clean(d->name, out);
        if (d->claims)
            buf_addf(out, ": %llu claims", (unsigned long long)d->claims);
        buf_addf(out, "%s %s %.10s", d->claims ? "," : ":", d->upstream_date ? "of" : "loaded",
                 time_format(date, text));
        put_age(date, in->now, out);
        buf_add_char(out, '\n');
    }
}

void put_tail(const struct report_input *in, const struct report_style *s, struct buf *out)
{
    if (in->not_shown)
        buf_addf(out, "\nLeft out: %zu vulnerabilities without a fix\n", in->not_shown);
    if (in->findings)
        put_suppressed(in->findings, out);
    put_completeness(in, s, out);
    if (in->findings)
        put_data(in, out);
}
