#include "cli/command.h"

#include <stdio.h>

static const struct option_spec specs[] = {{0}};

static const struct option_spec *version_options(void)
{
    return specs;
}

static int version_run(int argc, char **argv)
{
    int left = options_parse(&command_version, specs, argc, argv);
    if (left < 0)
        return left == -2 ? EXIT_CLEAN : EXIT_USAGE;
    puts("kellet " KELLET_VERSION);
    return EXIT_CLEAN;
}

const struct command command_version = {
    .name = "version",
    .arguments = "",
    .summary = "Print the version",
    .options = version_options,
    .run = version_run,
};
