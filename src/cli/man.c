/* man.c - `kellet man`: the manual page, made from the command and option tables (man(7)). */
#include "base/buf.h"
#include "cli/command.h"

enum { PAGE_MAX = 1 << 20 };

static const struct option_spec specs[] = {{0}};

static const struct option_spec *man_options(void)
{
    return specs;
}

/* Text with what roff would act on escaped; `at_start` of a line. */
static void put_text(struct buf *b, const char *text, bool at_start)
{
    for (; *text; text++) {
        if (at_start && (*text == '.' || *text == '\''))
            buf_add_str(b, STR("\\&"));
        if (*text == '\\')
            buf_add_str(b, STR("\\e"));
        else if (*text == '-')
            buf_add_str(b, STR("\\-"));
        else
            buf_add_char(b, *text);
        at_start = *text == '\n';
    }
}

/* Blank lines part paragraphs; lines that are set in stay lines of their own. */
static void put_paragraphs(struct buf *b, const char *text)
{
    bool as_is = false;
    for (str rest = str_z(text), line; str_line(&rest, &line);) {
        bool indented = str_starts(line, STR(" "));
        if (indented != as_is)
            buf_add_str(b, indented ? STR(".nf\n") : STR(".fi\n"));
        as_is = indented;
        auto_buf one;
        buf_init(&one, 4096);
        buf_add_str(&one, line);
        if (line.n)
            put_text(b, buf_z(&one), true);
        buf_add_str(b, line.n ? STR("\n") : STR(".PP\n"));
    }
    if (as_is)
        buf_add_str(b, STR(".fi\n"));
}

static void put_option(struct buf *b, const struct option_spec *o)
{
    buf_add_str(b, STR(".TP\n"));
    if (o->letter)
        buf_addf(b, "\\fB\\-%c\\fR, ", o->letter);
    buf_add_str(b, STR("\\fB\\-\\-"));
    put_text(b, o->name, false);
    buf_add_str(b, STR("\\fR"));
    if (o->value) {
        buf_add_str(b, STR(" \\fI"));
        put_text(b, o->value, false);
        buf_add_str(b, STR("\\fR"));
    }
    buf_add_char(b, '\n');
    put_text(b, o->help, true);
    buf_add_char(b, '\n');
}

static void put_command(struct buf *b, const struct command *c)
{
    buf_addf(b, ".SS kellet %s ", c->name);
    put_text(b, c->arguments, false);
    buf_add_char(b, '\n');
    put_text(b, c->summary, true);
    buf_add_str(b, STR(".\n"));
    if (c->details) {
        buf_add_str(b, STR(".PP\n"));
        put_paragraphs(b, c->details);
    }
    for (const struct option_spec *o = c->options ? c->options() : specs; o->name; o++)
        put_option(b, o);
    for (size_t i = 0; c->subcommands && c->subcommands[i]; i++)
        put_command(b, c->subcommands[i]);
}

static void put_page(struct buf *b)
{
    buf_add_str(b, STR(".TH KELLET 1 \"\" \"kellet " KELLET_VERSION "\" \"User Commands\"\n"
                       ".SH NAME\nkellet \\- container security scanner and engine\n"
                       ".SH SYNOPSIS\n.B kellet\n.I COMMAND\n[OPTIONS] [ARGUMENTS]\n"
                       ".SH DESCRIPTION\nYour image was secure when it was built \\- is it still?\n"
                       ".SH COMMANDS\n"));
    for (size_t i = 0; commands[i]; i++)
        if (!commands[i]->hidden)
            put_command(b, commands[i]);
    buf_add_str(b, STR(".SH EXIT STATUS\n"
                       ".TP\n0\nclean\n.TP\n1\na policy or threshold failed\n.TP\n2\nwrong usage\n"
                       ".TP\n3\nincomplete: something could not be read, and nothing failed\n"
                       ".TP\n4\nvulnerability data are missing or too old\n"
                       ".TP\n5\nit could not be done\n"
                       ".SH ENVIRONMENT\n.TP\nKELLET_DATA\nwhere data and cache are kept\n"
                       ".TP\nKELLET_CACHE_MAX\nsize of the cache of layers (2G)\n"
                       ".TP\nNO_COLOR, CLICOLOR_FORCE\nnever, or always, use colours\n"
                       ".TP\nDOCKER_CONFIG\ndirectory of the registry credentials\n"
                       ".TP\nSOURCE_DATE_EPOCH\nthe time that \\-\\-timestamp prints\n"));
}

static int man_run(int argc, char **argv)
{
    int left = options_parse(&command_man, specs, argc, argv);
    if (left)
        return left == -2 ? EXIT_CLEAN : failf(EXIT_USAGE, "man takes no arguments");
    auto_buf page;
    struct err e = {0};
    buf_init(&page, PAGE_MAX);
    put_page(&page);
    if (buf_check(&page, "the manual page", &e) < 0)
        return fail(EXIT_CANNOT, &e);
    fwrite(page.p, 1, page.n, stdout);
    return EXIT_CLEAN;
}

const struct command command_man = {
    .name = "man",
    .arguments = "",
    .summary = "Print the manual page: kellet man > kellet.1",
    .options = man_options,
    .run = man_run,
    .hidden = true,
};
