/* completion.c - `kellet completion bash|zsh|fish`, made from the command and option tables. */
#include "base/buf.h"
#include "cli/command.h"

enum { SCRIPT_MAX = 1 << 20 };

static const struct option_spec specs[] = {{0}};

static const struct option_spec *completion_options(void)
{
    return specs;
}

static const struct option_spec *options_of(const struct command *c)
{
    return c->options ? c->options() : specs;
}

/* Text inside '...' of a shell; fish wants \' there, the others '\''. */
static void put_quoted(struct buf *b, const char *text, bool fish)
{
    buf_add_char(b, '\'');
    for (; *text; text++) {
        if (*text == '\'')
            buf_add_str(b, fish ? STR("\\'") : STR("'\\''"));
        else if (*text == '\\' && fish)
            buf_add_str(b, STR("\\\\"));
        else
            buf_add_char(b, *text);
    }
    buf_add_char(b, '\'');
}

static void command_names(struct buf *b)
{
    for (size_t i = 0; commands[i]; i++)
        if (!commands[i]->hidden)
            buf_addf(b, "%s%s", i ? " " : "", commands[i]->name);
}

static void bash_values(struct buf *b, const struct option_spec *o)
{
    buf_addf(b, "        --%s", o->name);
    if (o->letter)
        buf_addf(b, "|-%c", o->letter);
    if (o->complete && strcmp(o->complete, "@dir") == 0)
        buf_add_str(b, STR(") COMPREPLY=($(compgen -d -- \"$cur\")); return ;;\n"));
    else if (!o->complete || o->complete[0] == '@')
        buf_add_str(b, STR(") COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n"));
    else
        buf_addf(b, ") COMPREPLY=($(compgen -W '%s' -- \"$cur\")); return ;;\n", o->complete);
}

/* The last word of "feeds load". */
static const char *last_word(const struct command *c)
{
    const char *blank = strrchr(c->name, ' ');
    return blank ? blank + 1 : c->name;
}

static void bash_command(struct buf *b, const struct command *c)
{
    for (size_t i = 0; c->subcommands && c->subcommands[i]; i++)
        bash_command(b, c->subcommands[i]);
    buf_addf(b, strchr(c->name, ' ') ? "    '%s')\n" : "    '%s '*)\n", c->name);
    if (c->subcommands) {
        buf_add_str(b, STR("        if [ \"$COMP_CWORD\" -eq 2 ]; then\n"
                           "            COMPREPLY=($(compgen -W '"));
        for (size_t i = 0; c->subcommands[i]; i++)
            buf_addf(b, "%s%s", i ? " " : "", last_word(c->subcommands[i]));
        buf_add_str(b, STR("' -- \"$cur\")); return\n        fi\n"));
    }
    buf_add_str(b, STR("        case $prev in\n"));
    for (const struct option_spec *o = options_of(c); o->name; o++)
        if (o->kind != OPT_FLAG)
            bash_values(b, o);
    buf_add_str(b, STR("        esac\n        words='--help"));
    for (const struct option_spec *o = options_of(c); o->name; o++)
        buf_addf(b, " --%s", o->name);
    buf_add_str(b, STR("' ;;\n"));
}

static void bash_script(struct buf *b)
{
    buf_add_str(b, STR("# bash completion for kellet: source <(kellet completion bash)\n"
                       "_kellet() {\n"
                       "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                       "    local words=''\n"
                       "    COMPREPLY=()\n"
                       "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                       "        COMPREPLY=($(compgen -W '"));
    command_names(b);
    buf_add_str(b, STR("' -- \"$cur\")); return\n    fi\n"
                       "    case \"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" in\n"));
    for (size_t i = 0; commands[i]; i++)
        if (!commands[i]->hidden)
            bash_command(b, commands[i]);
    buf_add_str(b, STR("    esac\n"
                       "    case $cur in\n"
                       "    -*) COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")) ;;\n"
                       "    *) COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n"
                       "    esac\n"
                       "}\n"
                       "complete -o filenames -F _kellet kellet\n"));
}

/* One _arguments specification: '--name=[help]:VALUE:action'. */
static void zsh_option(struct buf *b, const struct option_spec *o)
{
    auto_buf spec;
    buf_init(&spec, 4096);
    buf_addf(&spec, "%s--%s%s[", o->kind == OPT_LIST ? "*" : "", o->name,
             o->kind == OPT_FLAG ? "" : "=");
    for (const char *h = o->help; *h; h++) {
        if (*h == '[' || *h == ']' || *h == ':')
            buf_add_char(&spec, '\\');
        buf_add_char(&spec, *h);
    }
    buf_add_char(&spec, ']');
    if (o->kind != OPT_FLAG) {
        buf_addf(&spec, ":%s:", o->value);
        if (!o->complete || strcmp(o->complete, "@file") == 0)
            buf_add_str(&spec, STR("_files"));
        else if (strcmp(o->complete, "@dir") == 0)
            buf_add_str(&spec, STR("_files -/"));
        else
            buf_addf(&spec, "(%s)", o->complete);
    }
    buf_add_str(b, STR(" \\\n            "));
    put_quoted(b, buf_z(&spec), false);
}

static void zsh_names(struct buf *b, const struct command *const *list, const char *indent)
{
    buf_addf(b, "%slocal -a names=(", indent);
    for (size_t i = 0; list[i]; i++) {
        if (list[i]->hidden)
            continue;
        auto_buf name;
        buf_init(&name, 4096);
        buf_addf(&name, "%s:%s", last_word(list[i]), list[i]->summary);
        buf_addf(b, "\n%s    ", indent);
        put_quoted(b, buf_z(&name), false);
    }
    buf_addf(b, ")\n%s_describe command names\n", indent);
}

static void zsh_command(struct buf *b, const struct command *c)
{
    for (size_t i = 0; c->subcommands && c->subcommands[i]; i++)
        zsh_command(b, c->subcommands[i]);
    bool is_sub = strchr(c->name, ' ') != NULL;
    buf_addf(b, is_sub ? "    '%s')\n" : "    '%s '*)\n", c->name);
    if (c->subcommands) {
        zsh_names(b, c->subcommands, "        ");
        buf_add_str(b, STR("        ;;\n"));
        return;
    }
    buf_addf(b,
             "        shift %d words; (( CURRENT -= %d ))\n"
             "        _arguments '--help[explain]'",
             1 + is_sub, 1 + is_sub);
    for (const struct option_spec *o = options_of(c); o->name; o++)
        zsh_option(b, o);
    buf_add_str(b, STR(" \\\n            '*:argument:_files' ;;\n"));
}

static void zsh_script(struct buf *b)
{
    buf_add_str(b, STR("#compdef kellet\n"
                       "# zsh completion for kellet: kellet completion zsh > DIR_OF_FPATH/_kellet\n"
                       "_kellet() {\n    if (( CURRENT == 2 )); then\n"));
    zsh_names(b, commands, "        ");
    buf_add_str(b, STR("        return\n    fi\n    case \"${words[2]} ${words[3]}\" in\n"));
    for (size_t i = 0; commands[i]; i++)
        if (!commands[i]->hidden)
            zsh_command(b, commands[i]);
    buf_add_str(b, STR("    esac\n}\nif [ \"$funcstack[1]\" = _kellet ]; then _kellet \"$@\"; "
                       "else compdef _kellet kellet; fi\n"));
}

/* When a fish rule applies: after "feeds" and "load", or after "feeds" alone. */
static void fish_when(struct buf *b, const char *name)
{
    buf_add_str(b, STR("complete -c kellet -n '"));
    for (str rest = str_z(name); rest.n;) {
        str word = str_split(&rest, ' ');
        buf_addf(b, "__fish_seen_subcommand_from %.*s%s", STR_ARG(word), rest.n ? "; and " : "'");
    }
}

static void fish_option(struct buf *b, const char *command, const struct option_spec *o)
{
    fish_when(b, command);
    buf_addf(b, " -l %s", o->name);
    if (o->letter)
        buf_addf(b, " -s %c", o->letter);
    buf_add_str(b, STR(" -d "));
    put_quoted(b, o->help, true);
    if (o->kind == OPT_FLAG)
        buf_add_char(b, '\n');
    else if (!o->complete || strcmp(o->complete, "@file") == 0)
        buf_add_str(b, STR(" -r -F\n"));
    else if (strcmp(o->complete, "@dir") == 0)
        buf_add_str(b, STR(" -x -a '(__fish_complete_directories)'\n"));
    else
        buf_addf(b, " -x -a '%s'\n", o->complete);
}

static void fish_command(struct buf *b, const struct command *c)
{
    for (const struct option_spec *o = options_of(c); o->name; o++)
        fish_option(b, c->name, o);
    for (size_t i = 0; c->subcommands && c->subcommands[i]; i++) {
        fish_when(b, c->name);
        buf_addf(b, " -f -a %s -d ", last_word(c->subcommands[i]));
        put_quoted(b, c->subcommands[i]->summary, true);
        buf_add_char(b, '\n');
        fish_command(b, c->subcommands[i]);
    }
}

static void fish_script(struct buf *b)
{
    buf_add_str(b, STR("# fish completion for kellet: kellet completion fish | source\n"));
    for (size_t i = 0; commands[i]; i++) {
        if (commands[i]->hidden)
            continue;
        buf_addf(b, "complete -c kellet -n __fish_use_subcommand -f -a %s -d ", commands[i]->name);
        put_quoted(b, commands[i]->summary, true);
        buf_add_char(b, '\n');
        fish_command(b, commands[i]);
    }
}

static int completion_run(int argc, char **argv)
{
    static const struct {
        const char *shell;
        void (*write)(struct buf *b);
    } shells[] = {{"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};
    int left = options_parse(&command_completion, specs, argc, argv);
    if (left < 0)
        return left == -2 ? EXIT_CLEAN : EXIT_USAGE;
    for (size_t i = 0; left == 1 && i < KE_ARRAY_LEN(shells); i++) {
        if (strcmp(argv[1], shells[i].shell) != 0)
            continue;
        auto_buf script;
        struct err e = {0};
        buf_init(&script, SCRIPT_MAX);
        shells[i].write(&script);
        if (buf_check(&script, "the completion script", &e) < 0)
            return fail(EXIT_CANNOT, &e);
        fwrite(script.p, 1, script.n, stdout);
        return EXIT_CLEAN;
    }
    return failf(EXIT_USAGE, "completion takes the name of a shell: bash, zsh or fish");
}

const struct command command_completion = {
    .name = "completion",
    .arguments = "bash|zsh|fish",
    .summary = "Print a script that completes kellet's commands and options",
    .details = "  bash: source <(kellet completion bash)\n"
               "  zsh:  kellet completion zsh > \"${fpath[1]}/_kellet\"\n"
               "  fish: kellet completion fish | source\n",
    .options = completion_options,
    .run = completion_run,
};
