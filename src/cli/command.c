/* command.c - the dispatcher, option tables, and what every command shares. */
#include "cli/command.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

const struct command *command_find(const char *name)
{
    for (size_t i = 0; commands[i]; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

int command_main(int argc, char **argv)
{
    str self = argc ? str_basename(str_z(argv[0])) : (str){NULL, 0};
    if (str_eq(self, STR("anchore-manager")))
        return command_manager.run(argc, argv);
    if (str_eq(self, STR("anchore-engine"))) {
        char words[][8] = {"service", "start", "--all"};
        char *start[] = {argv[0], words[0], words[1], words[2], NULL};
        return command_manager.run(4, start);
    }
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        int code = command_help.run(1, argv);
        return argc < 2 ? EXIT_USAGE : code;
    }
    const char *name = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
    const struct command *c = command_find(name);
    if (!c)
        return failf(EXIT_USAGE, "there is no command \"%s\"; `kellet help` lists them", argv[1]);
    return c->run(argc - 1, argv + 1);
}

int failf(int code, const char *fmt, ...)
{
    char text[4096];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    auto_buf line; /* names out of images must not reach the terminal raw */
    buf_init(&line, 1 << 16);
    text_clean(str_z(text), &line);
    fprintf(stderr, "kellet: %.*s\n", (int)line.n, line.p);
    return code;
}

int fail(int code, const struct err *e)
{
    return failf(code, "%s", e->text);
}

static int option_set(const struct option_spec *o, const char *value)
{
    switch (o->kind) {
    case OPT_FLAG:
        *(bool *)o->out = true;
        return 0;
    case OPT_TEXT:
        *(const char **)o->out = value;
        return 0;
    case OPT_NUMBER: {
        uint64_t n;
        if (!str_to_u64(str_z(value), &n) || n > UINT32_MAX)
            return failf(-1, "--%s takes a whole number, not \"%s\"", o->name, value);
        *(unsigned *)o->out = (unsigned)n;
        return 0;
    }
    case OPT_LIST: {
        struct option_list *list = o->out;
        if (list->n == KE_ARRAY_LEN(list->items))
            return failf(-1, "--%s was given more than %zu times", o->name,
                         KE_ARRAY_LEN(list->items));
        list->items[list->n++] = value;
        return 0;
    }
    }
    return -1;
}

static const struct option_spec *option_find(const struct option_spec *specs, str name, char letter)
{
    for (; specs->name; specs++)
        if (letter ? specs->letter == letter : str_eq(str_z(specs->name), name))
            return specs;
    return NULL;
}

/* One argument that starts with '-'. Returns 0, or -1 after having printed the problem. */
static int option_take(const struct command *c, const struct option_spec *specs, int argc,
                       char **argv, int *at)
{
    str text = str_z(argv[*at]);
    bool is_long = str_starts(text, STR("--"));
    str name = str_from(text, is_long ? 2 : 1);
    str value = {NULL, 0};
    ptrdiff_t equals = is_long ? str_index(name, '=') : -1;
    if (equals >= 0) {
        value = str_from(name, (size_t)equals + 1);
        name = str_sub(name, 0, (size_t)equals);
    }
    const struct option_spec *o = option_find(specs, name, is_long ? 0 : text.p[1]);
    if (!o)
        return failf(-1, "%s: there is no option %s; `kellet %s --help` lists them", c->name,
                     argv[*at], c->name);
    if (!is_long && text.n > 2)
        value = str_from(text, 2);
    if (o->kind == OPT_FLAG)
        return value.p ? failf(-1, "--%s takes no value", o->name) : option_set(o, NULL);
    if (!value.p) {
        if (*at + 1 >= argc)
            return failf(-1, "--%s needs a value: %s", o->name, o->value);
        value = str_z(argv[++*at]);
    }
    return option_set(o, value.p);
}

int options_parse(const struct command *c, const struct option_spec *specs, int argc, char **argv)
{
    int kept = 0;
    for (int i = 1; i < argc; i++) {
        str text = str_z(argv[i]);
        if (str_eq(text, STR("--"))) {
            while (++i < argc)
                argv[++kept] = argv[i];
            break;
        }
        if (str_eq(text, STR("--help")) || str_eq(text, STR("-h"))) {
            command_help_print(c);
            return -2;
        }
        if (text.n < 2 || text.p[0] != '-')
            argv[++kept] = argv[i];
        else if (option_take(c, specs, argc, argv, &i) < 0)
            return -1;
    }
    return kept;
}

int data_dir(const char *option, char *out, size_t size, struct err *e)
{
    const char *env = getenv("KELLET_DATA"), *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    int n;
    if (option && *option)
        n = snprintf(out, size, "%s", option);
    else if (env && *env)
        n = snprintf(out, size, "%s", env);
    else if (geteuid() == 0)
        n = snprintf(out, size, "/var/lib/kellet");
    else if (xdg && *xdg)
        n = snprintf(out, size, "%s/kellet", xdg);
    else if (home && *home)
        n = snprintf(out, size, "%s/.local/share/kellet", home);
    else
        return err_set(e, ERR_USAGE, "no home directory is known: give --data DIR or KELLET_DATA");
    if (n < 0 || (size_t)n >= size)
        return err_set(e, ERR_LIMIT, "the data directory's path is too long");
    return 0;
}

bool wants_color(int fd)
{
    const char *no = getenv("NO_COLOR"), *force = getenv("CLICOLOR_FORCE"), *term = getenv("TERM");
    if (no && *no)
        return false;
    if (force && *force && strcmp(force, "0") != 0)
        return true;
    return isatty(fd) && term && strcmp(term, "dumb") != 0;
}

unsigned terminal_width(int fd)
{
    struct winsize size;
    if (!isatty(fd))
        return 0;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col)
        return size.ws_col;
    return 80;
}
