/* alpm.c - pacman's local database: var/lib/pacman/local/NAME-VERSION/desc and files, "%KEY%" lines
 * followed by values and an empty line (pacman, lib/libalpm/be_local.c). */
#include "packages/cataloguer.h"
#include "packages/lines.h"

enum { LINE_MAX_BYTES = 64 << 10, JOINED_MAX = 1000 };
static const uint64_t file_max = 64u << 20;

static const str local = STR_INIT("var/lib/pacman/local/");

static bool alpm_wants(str path, uint64_t size, uint32_t mode)
{
    return str_starts(path, local) &&
           (str_ends(path, STR("/desc")) || str_ends(path, STR("/files")));
}

enum value { NAME, VERSION, BASE, ARCH, PACKAGER, LICENCE, N_VALUES };
static const str value_keys[N_VALUES] = {
    [NAME] = STR_INIT("%NAME%"),         [VERSION] = STR_INIT("%VERSION%"),
    [BASE] = STR_INIT("%BASE%"),         [ARCH] = STR_INIT("%ARCH%"),
    [PACKAGER] = STR_INIT("%PACKAGER%"), [LICENCE] = STR_INIT("%LICENSE%"),
};

/* The values of a key, several joined by " AND ". */
static int alpm_desc(struct cat *c, struct lines *lines, struct err *e)
{
    str line, values[N_VALUES] = {0};
    int r, key = -1;
    bool cut = false;
    while ((r = lines_next(lines, &line, e)) > 0) {
        cut |= lines->cut && key >= 0;
        if (line.n == 0) {
            key = -1;
        } else if (key >= 0) {
            str *v = &values[key];
            if (v->n > JOINED_MAX)
                continue;
            *v = v->n ? arena_printf(cat_scratch(c), "%.*s AND %.*s", STR_ARG(*v), STR_ARG(line))
                      : arena_dup(cat_scratch(c), line);
        } else if (line.p[0] == '%') {
            for (int i = 0; i < N_VALUES; i++)
                if (str_eq(line, value_keys[i]))
                    key = i;
        }
    }
    if (r < 0)
        return r;
    if (cut || lines->limited || lines->unterminated)
        cat_problem(c, (str){0}, "parse", "the file is cut short or a value is too long");
    struct package p = {
        .type = package_type_find(STR("alpm")),
        .name = values[NAME],
        .version = values[VERSION],
        .source_name = values[BASE],
        .arch = values[ARCH],
        .vendor = values[PACKAGER],
        .licence = values[LICENCE],
    };
    if (p.name.n && p.version.n)
        return cat_package(c, &p, e);
    if (!lines->unterminated)
        cat_problem(c, (str){0}, "parse", "no name or no version in it");
    return 0;
}

/* NAME-VERSION-RELEASE, of which the last two hold no '-'. */
static str package_of_dir(str dir)
{
    for (int i = 0; i < 2; i++) {
        ptrdiff_t dash = str_rindex(dir, '-');
        dir = str_sub(dir, 0, dash < 0 ? 0 : (size_t)dash);
    }
    return dir;
}

static int alpm_files(struct cat *c, struct lines *lines, str owner, struct err *e)
{
    str line;
    int r;
    while ((r = lines_next(lines, &line, e)) > 0) {
        if (line.n == 0 || line.p[0] == '%' || lines->cut)
            continue;
        int owned = cat_owned(c, line, owner, e);
        if (owned < 0)
            return owned;
    }
    return r;
}

static int alpm_parse(struct cat *c, const struct cat_file *f, struct err *e)
{
    struct lines lines;
    lines_init(&lines, f->content, LINE_MAX_BYTES, file_max);
    str dir = str_basename(str_dirname(f->path));
    int r = str_ends(f->path, STR("/desc")) ? alpm_desc(c, &lines, e)
                                            : alpm_files(c, &lines, package_of_dir(dir), e);
    lines_done(&lines);
    return r;
}

const struct cataloguer cataloguer_alpm = {
    .name = "alpm",
    .distro = true,
    .wants = alpm_wants,
    .parse = alpm_parse,
};
