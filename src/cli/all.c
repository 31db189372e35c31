/* all.c - the list of commands. To add one: one file, one line here, one test. */
#include "cli/command.h"

const struct command *const commands[] = {
    /* clang-format off */
    &command_check,
    &command_completion,
    &command_db,
    &command_explain,
    &command_feeds,
    &command_health,
    &command_help,
    &command_history,
    &command_man,
    &command_manager,
    &command_policy,
    &command_sbom,
    &command_scan,
    &command_serve,
    &command_vercmp,
    &command_version,
    &command_watch,
    NULL,
    /* clang-format on */
};
