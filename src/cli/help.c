/* help.c - `kellet help [COMMAND]`, and the help text of one command. */
#include "cli/command.h"

#include <stdio.h>

void command_help_print(const struct command *c)
{
    const struct option_spec *specs = c->options ? c->options() : NULL;
    printf("Usage: kellet %s%s%s%s\n\n%s.\n", c->name, specs && specs->name ? " [OPTIONS]" : "",
           *c->arguments ? " " : "", c->arguments, c->summary);
    if (c->details)
        printf("\n%s", c->details);
    if (c->subcommands)
        puts("\nCommands:");
    for (size_t i = 0; c->subcommands && c->subcommands[i]; i++)
        printf("  %-18s %s\n", c->subcommands[i]->name, c->subcommands[i]->summary);
    if (c->subcommands)
        printf("\n`kellet %s COMMAND --help` explains one of them.\n", c->name);
    if (!specs || !specs->name)
        return;
    puts("\nOptions:");
    for (; specs->name; specs++) {
        char left[64];
        snprintf(left, sizeof left, "%c%c%s--%s%s%s", specs->letter ? '-' : ' ',
                 specs->letter ? specs->letter : ' ', specs->letter ? ", " : "  ", specs->name,
                 specs->value ? " " : "", specs->value ? specs->value : "");
        printf("  %-30s %s\n", left, specs->help);
    }
}

static const struct option_spec specs[] = {{0}};

static const struct option_spec *help_options(void)
{
    return specs;
}

static int help_run(int argc, char **argv)
{
    if (argc > 1) {
        const struct command *c = command_find(argv[1]);
        if (!c)
            return failf(EXIT_USAGE, "there is no command \"%s\"; `kellet help` lists them",
                         argv[1]);
        command_help_print(c);
        return EXIT_CLEAN;
    }
    puts("kellet: your image was secure when it was built - is it still?\n\n"
         "Usage: kellet COMMAND [OPTIONS] [ARGUMENTS]\n\nCommands:");
    for (size_t i = 0; commands[i]; i++)
        if (!commands[i]->hidden)
            printf("  %-12s %s\n", commands[i]->name, commands[i]->summary);
    puts("\n`kellet COMMAND --help` explains one of them.");
    return EXIT_CLEAN;
}

const struct command command_help = {
    .name = "help",
    .arguments = "[COMMAND]",
    .summary = "List the commands, or explain one",
    .options = help_options,
    .run = help_run,
};
