/* vercmp.c - `kellet vercmp SCHEME A B | -`: how two versions are ordered. */
#include "cli/command.h"

#include "base/auto.h"
#include "base/fs.h"
#include "version/version.h"

#include <errno.h>

#define VERCMP_LINE_MAX ((size_t)1 << 20)

static const struct option_spec specs[] = {{0}};

static const struct option_spec *vercmp_options(void)
{
    return specs;
}

static const char *vercmp_answer(const struct version_ops *ops, str a, str b)
{
    if (!version_comparable(ops, a, b))
        return "invalid\n";
    int order = ops->compare(a, b);
    return order < 0 ? "<\n" : order > 0 ? ">\n" : "=\n";
}

/* The pairs on standard input, a block at a time. */
struct vercmp_input {
    char *block;
    size_t start, end; /* of what is not yet taken */
    bool ended;
    size_t line;
};

/* The next line; 1, 0 at the end, or an error. */
static int vercmp_line(struct vercmp_input *in, str *line, struct err *e)
{
    for (size_t seen = 0;;) {
        str rest = {in->block + in->start, in->end - in->start};
        char *newline = rest.n > seen ? memchr(rest.p + seen, '\n', rest.n - seen) : NULL;
        if (newline || (in->ended && rest.n)) {
            str_line(&rest, line);
            in->start = in->end - rest.n;
            in->line++;
            return 1;
        }
        if (in->ended)
            return 0;
        seen = rest.n;
        if (seen == VERCMP_LINE_MAX)
            return err_set(e, ERR_LIMIT, "line %zu is longer than %zu bytes", in->line + 1,
                           VERCMP_LINE_MAX);
        memmove(in->block, rest.p, rest.n);
        in->start = 0;
        in->end = rest.n;
        ssize_t n = read(STDIN_FILENO, in->block + in->end, VERCMP_LINE_MAX - in->end);
        if (n < 0 && errno != EINTR)
            return err_errno(e, "cannot read standard input");
        in->ended = n == 0;
        in->end += n > 0 ? (size_t)n : 0;
    }
}

static int vercmp_pairs(const struct version_ops *ops, struct err *e)
{
    autofree char *block = malloc(VERCMP_LINE_MAX);
    if (!block)
        return err_no_memory(e);
    struct vercmp_input in = {.block = block};
    str line;
    int got;
    while ((got = vercmp_line(&in, &line, e)) > 0) {
        ptrdiff_t tab = str_index(line, '\t');
        str b = tab < 0 ? line : str_from(line, (size_t)tab + 1);
        if (tab < 0 || str_index(b, '\t') >= 0)
            return err_set(e, ERR_USAGE, "line %zu is not two versions with a tab between them",
                           in.line);
        if (fputs(vercmp_answer(ops, str_sub(line, 0, (size_t)tab), b), stdout) == EOF)
            return err_errno(e, "cannot write the answers");
    }
    return got;
}

static int vercmp_unknown(const char *name)
{
    char known[512] = "";
    size_t n = 0;
    for (size_t i = 0; version_schemes[i] && n < sizeof known; i++)
        n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "",
                              version_schemes[i]->name);
    return failf(EXIT_USAGE, "there is no version scheme \"%s\"; there are %s", name, known);
}

static int vercmp_run(int argc, char **argv)
{
    /* What follows the scheme is taken as it stands: a version may begin with a dash. */
    int left = options_parse(&command_vercmp, specs, argc > 1 ? 2 : argc, argv);
    if (left < 0)
        return left == -2 ? EXIT_CLEAN : EXIT_USAGE;
    bool pairs = argc == 3 && strcmp(argv[2], "-") == 0;
    if (left == 0 || (argc != 4 && !pairs))
        return failf(EXIT_USAGE, "give a scheme and two versions, or a scheme and \"-\"; "
                                 "`kellet vercmp --help` explains");
    const struct version_ops *ops = version_scheme(str_z(argv[1]));
    if (!ops)
        return vercmp_unknown(argv[1]);
    if (!pairs) {
        fputs(vercmp_answer(ops, str_z(argv[2]), str_z(argv[3])), stdout);
        return EXIT_CLEAN;
    }
    struct err e;
    int result = vercmp_pairs(ops, &e);
    if (fflush(stdout) != 0 && result == 0)
        result = err_errno(&e, "cannot write the answers");
    if (result < 0)
        return fail(result == ERR_USAGE ? EXIT_USAGE : EXIT_CANNOT, &e);
    return EXIT_CLEAN;
}

const struct command command_vercmp = {
    .name = "vercmp",
    .arguments = "SCHEME A B | SCHEME -",
    .summary = "Compare versions as the packaging tools do",
    .details =
        "Prints < when A is older than B, = when they are equal, > when A is newer, and invalid\n"
        "when the question has no meaning in that scheme. With \"-\" reads pairs from standard\n"
        "input, one a line with a tab between the two, and prints one answer a line.\n"
        "\n"
        "Schemes, and whose order they follow:\n"
        "  deb            dpkg\n"
        "  apk            apk-tools 3\n"
        "  rpm-evr        rpm, [epoch:]version[-release]; no epoch is epoch 0\n"
        "  rpmvercmp      rpm, one part of a version\n"
        "  semver         Semantic Versioning 2.0.0; short and longer forms (1.2, 1.2.3.4) are "
        "read "
        "too\n"
        "  npm            node-semver, loose\n"
        "  golang         golang.org/x/mod/semver, with or without \"v\"; also go1.22rc1\n"
        "  pep440         Python, PEP 440\n"
        "  pep440-public  the same without the local part (+cu118)\n"
        "  gem            RubyGems\n"
        "  maven          Maven 3.9.9\n"
        "  maven-jre      the same without .jre8 or .jdk11 at the end\n"
        "  composer       composer/semver 3 (PHP)\n"
        "  nuget          NuGet.Versioning; labels without regard to case\n"
        "  pub            Dart's pub_semver; build metadata counts\n"
        "  cran           R packages: rows of numbers, of which a longer one is greater\n"
        "  hackage        Haskell packages: the same, with dots only\n"
        "  alpm           Arch Linux's libalpm\n"
        "  portage        Gentoo's portage\n"
        "  bitnami        Semantic Versioning without the build's revision (1.2.3-5 is 1.2.3)\n"
        "\n"
        "Invalid is what the scheme's own tool refuses; rpm, alpm and maven refuse nothing. For "
        "apk,\n"
        "versions that apk-tools refuses but Alpine's data hold (6.0.2p1-r3, 1.2_word) are "
        "ordered,\n"
        "and two that differ are never equal. Digits may be of any length, but npm's tool refuses\n"
        "components above 2^53 - 1.\n",
    .options = vercmp_options,
    .run = vercmp_run,
};
