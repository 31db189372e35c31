#include "cli/coverage.h"

#include "report/completeness.h"

enum { DAY = 24 * 60 * 60 };

int coverage_check(const struct coverage_args *a)
{
    uint64_t days;
    if (a->max_age && !str_to_u64(str_z(a->max_age), &days))
        return failf(EXIT_USAGE, "--max-data-age takes a number of days, not \"%s\"", a->max_age);
    return 0;
}

static bool data_too_old(const struct findings *f, const char *max_age, int64_t now)
{
    bool old = false;
    uint64_t max_days;
    if (!max_age || !str_to_u64(str_z(max_age), &max_days))
        return false;
    for (size_t i = 0; i < f->n_data; i++) {
        const struct data_source *d = &f->data[i];
        int64_t age = (now - (d->upstream_date ? d->upstream_date : d->loaded)) / DAY;
        if (age <= 0 || (uint64_t)age <= max_days)
            continue;
        failf(0, "the data of %.*s are %lld days old (--max-data-age %llu)", STR_ARG(d->name),
              (long long)age, (unsigned long long)max_days);
        old = true;
    }
    return old;
}

int coverage_exit_code(const struct coverage_args *a, const struct report_input *in)
{
    struct completeness c = completeness_of(in);
    bool old = in->findings && data_too_old(in->findings, a->max_age, in->now);
    if (in->findings && !in->findings->n_data)
        failf(0, "there are no vulnerability data yet: `kellet feeds sync` gets them");
    if (a->allow_incomplete)
        return EXIT_CLEAN;
    if (c.data_missing || old)
        return EXIT_STALE;
    return c.complete ? EXIT_CLEAN : EXIT_INCOMPLETE;
}
