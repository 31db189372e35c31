/* copyright.c - licences of Debian packages, which dpkg's database does not state:
 * usr/share/doc/PACKAGE/copyright.
 *
 * Machine-readable files (copyright-format 1.0) name them in License fields; the older, free text
 * points at files in /usr/share/common-licenses. */
#include "packages/cataloguer.h"
#include "packages/lines.h"

enum {
    LINE_MAX_BYTES = 4096,
    NAMES_MAX = 64,
    NAME_MAX_BYTES = 80,
};
static const uint64_t file_max = 1u << 20;
static const str doc_dir = STR_INIT("usr/share/doc/");
static const str common = STR_INIT("/usr/share/common-licenses/");

/* The PACKAGE of usr/share/doc/PACKAGE/copyright, or empty. */
static str copyright_package(str path)
{
    if (!str_starts(path, doc_dir) || !str_ends(path, STR("/copyright")))
        return (str){0};
    str dir = str_from(str_dirname(path), doc_dir.n);
    return str_index(dir, '/') < 0 ? dir : (str){0};
}

static bool copyright_wants(str path, uint64_t size, uint32_t mode)
{
    return copyright_package(path).n != 0;
}

struct names {
    str list[NAMES_MAX];
    size_t n;
};

static void names_add(struct names *names, struct arena *a, str name)
{
    name = str_trim(name);
    if (name.n == 0 || name.n > NAME_MAX_BYTES || names->n == NAMES_MAX)
        return;
    for (size_t i = 0; i < names->n; i++)
        if (str_eq(names->list[i], name))
            return;
    str copy = arena_dup(a, name);
    if (copy.p)
        names->list[names->n++] = copy;
}

static bool name_char(char c)
{
    return ke_isalnum(c) || c == '.' || c == '+' || c == '-';
}

static void common_licences(struct names *names, struct arena *a, str line)
{
    ptrdiff_t at;
    while ((at = str_find(line, common)) >= 0) {
        line = str_from(line, (size_t)at + common.n);
        size_t n = 0;
        while (n < line.n && name_char(line.p[n]))
            n++;
        str name = str_sub(line, 0, n);
        while (name.n && (name.p[name.n - 1] == '.' || name.p[name.n - 1] == '-'))
            name.n--;
        names_add(names, a, name);
    }
}

static bool starts_nocase(str s, str prefix)
{
    return s.n >= prefix.n && str_eq_nocase(str_sub(s, 0, prefix.n), prefix);
}

static int copyright_parse(struct cat *c, const struct cat_file *f, struct err *e)
{
    struct arena *a = cat_scratch(c);
    struct names stated = {0}, referred = {0};
    struct lines lines;
    lines_init(&lines, f->content, LINE_MAX_BYTES, file_max);
    str line;
    int r;
    bool machine_readable = false;
    while ((r = lines_next(&lines, &line, e)) > 0) {
        if (starts_nocase(line, STR("Format:")) ||
            starts_nocase(line, STR("Format-Specification:")))
            machine_readable = true;
        else if (starts_nocase(line, STR("License:")))
            names_add(&stated, a, str_from(line, strlen("License:")));
        else
            common_licences(&referred, a, line);
    }
    lines_done(&lines);
    if (r < 0)
        return r;
    const struct names *names = machine_readable && stated.n ? &stated : &referred;
    auto_buf joined;
    buf_init(&joined, NAMES_MAX * (NAME_MAX_BYTES + 10));
    for (size_t i = 0; i < names->n; i++) {
        str name = names->list[i];
        bool choice = names->n > 1 && str_contains(name, STR(" or "));
        buf_addf(&joined, choice ? "%s(%.*s)" : "%s%.*s", i ? " AND " : "", STR_ARG(name));
    }
    return joined.n ? cat_licence(c, buf_view(&joined), e) : 0;
}

const struct cataloguer cataloguer_copyright = {
    .name = "copyright",
    .distro = true,
    .wants = copyright_wants,
    .parse = copyright_parse,
};
