/* Lists of rpm packages in distroless images: see rpm.h. */
#include "packages/rpm.h"

enum { BAD_LISTED = 16 };

static void bad_line(struct cat *c, str path, uint32_t number, uint32_t *n_bad)
{
    if (++*n_bad <= BAD_LISTED)
        cat_problem(c, path, "parse", "line %u does not describe a package", number);
}

static void bad_lines(struct cat *c, str path, uint32_t n_bad)
{
    if (n_bad > BAD_LISTED)
        cat_problem(c, path, "parse", "%u more lines do not describe packages", n_bad - BAD_LISTED);
}

static str none(str s)
{
    return str_eq(s, STR("(none)")) ? (str){"", 0} : s;
}

static bool full_line(str line, struct rpm_header *h)
{
    enum { NAME, VERSION, INSTALLED, BUILT, VENDOR, EPOCH, SIZE, ARCH, EPOCH_NUMBER, SOURCE, N };
    str f[N];
    for (int i = 0; i < N; i++) {
        if (i && line.n == 0)
            return false;
        f[i] = str_split(&line, '\t');
    }
    ptrdiff_t dash = str_rindex(f[VERSION], '-');
    if (f[NAME].n == 0 || dash <= 0)
        return false;
    *h = (struct rpm_header){
        .name = f[NAME],
        .version = str_sub(f[VERSION], 0, (size_t)dash),
        .release = str_from(f[VERSION], (size_t)dash + 1),
        .arch = none(f[ARCH]),
        .source_rpm = none(f[SOURCE]),
        .vendor = none(f[VENDOR]),
    };
    uint64_t epoch;
    if (none(f[EPOCH]).n == 0)
        return true;
    if (!str_to_u64(f[EPOCH], &epoch) || epoch > UINT32_MAX)
        return false;
    h->has_epoch = true;
    h->epoch = (uint32_t)epoch;
    return true;
}

static bool short_line(str line, struct rpm_header *h)
{
    ptrdiff_t dot = str_rindex(line, '.');
    if (dot <= 0)
        return false;
    str nvr = str_sub(line, 0, (size_t)dot);
    ptrdiff_t release = str_rindex(nvr, '-');
    ptrdiff_t version = release > 0 ? str_rindex(str_sub(nvr, 0, (size_t)release), '-') : -1;
    if (version <= 0)
        return false;
    *h = (struct rpm_header){
        .name = str_sub(nvr, 0, (size_t)version),
        .version = str_sub(nvr, (size_t)version + 1, (size_t)release),
        .release = str_from(nvr, (size_t)release + 1),
        .arch = none(str_from(line, (size_t)dot + 1)),
    };
    return h->version.n > 0;
}

static int manifest(struct cat *c, str path, str text, bool (*parse)(str, struct rpm_header *),
                    struct err *e)
{
    str line;
    uint32_t number = 0, n_bad = 0;
    while (str_line(&text, &line)) {
        struct rpm_header h;
        number++;
        if (line.n == 0)
            continue;
        if (!parse(line, &h)) {
            bad_line(c, path, number, &n_bad);
            continue;
        }
        int r = rpm_package(c, path, &h, e);
        if (r < 0)
            return r;
    }
    bad_lines(c, path, n_bad);
    return 0;
}

int rpm_manifest_full(struct cat *c, str path, str text, struct err *e)
{
    return manifest(c, path, text, full_line, e);
}

int rpm_manifest_short(struct cat *c, str path, str text, struct err *e)
{
    return manifest(c, path, text, short_line, e);
}
