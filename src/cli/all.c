/* all.c - the list of commands. To add one: one file, one line here, one test. */
#include "cli/command.h"

const struct command *const commands[] = {
    &command_vercmp,
    &command_version,
    &command_help,
    NULL,
};
