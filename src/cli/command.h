/* command.h - the command line: one file per command, all listed in all.c, options as tables.
 *
 * Exit codes (design): 0 clean, 1 policy or threshold failed, 2 usage, 3 incomplete, 4
 * vulnerability data missing or too old, 5 could not do it. Errors go to standard error as "kellet:
 * what: why" and say what to do. */
#ifndef KELLET_CLI_COMMAND_H
#define KELLET_CLI_COMMAND_H

#include "base/err.h"
#include "base/str.h"

enum exit_code {
    EXIT_CLEAN = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_INCOMPLETE = 3,
    EXIT_STALE = 4,
    EXIT_CANNOT = 5,
};

enum option_kind { OPT_FLAG, OPT_TEXT, OPT_NUMBER, OPT_LIST };

struct option_list {
    const char *items[64];
    size_t n;
};

struct option_spec {
    const char *name; /* "fail-on": --fail-on VALUE or --fail-on=VALUE */
    char letter;      /* 'o' for -o; 0: none */
    enum option_kind kind;
    const char *value; /* name of the value in help: "SEVERITY" */
    const char *help;
    void *out; /* bool *, const char **, unsigned *, struct option_list * */
    const char
        *complete; /* words for shell completion, blank-separated; "@file", "@dir"; NULL: none */
};

struct command {
    const char *name;
    const char *arguments; /* "SOURCE" */
    const char *summary;   /* one line */
    const char *details;   /* paragraphs for --help and the man page; may be NULL */
    /* Returns the exit code. argv[0] is the command's name. */
    int (*run)(int argc, char **argv);
    /* The option table (ended by name NULL), for help, completion and the man page. */
    const struct option_spec *(*options)(void);
    bool hidden;
    /* MAY. Commands below this one, ended by NULL; their names begin with this one's ("feeds
     * load"). */
    const struct command *const *subcommands;
};
extern const struct command *const commands[]; /* ended by NULL */
extern const struct command command_check;
extern const struct command command_completion;
extern const struct command command_db;
extern const struct command command_explain;
extern const struct command command_feeds;
extern const struct command command_health;
extern const struct command command_help;
extern const struct command command_history;
extern const struct command command_man;
extern const struct command command_manager;
extern const struct command command_policy;
extern const struct command command_sbom;
extern const struct command command_scan;
extern const struct command command_serve;
extern const struct command command_vercmp;
extern const struct command command_version;
extern const struct command command_watch;

/* What main() calls: finds the command and runs it. */
int command_main(int argc, char **argv);
/* The command of that name, or NULL. */
const struct command *command_find(const char *name);
/* Prints a command's help to standard output. */
void command_help_print(const struct command *c);

/* Parses options in any order; what is left (after "--" too) is moved to the front of argv[1..].
 * Returns how many arguments are left, or -1 after having printed the problem, or -2 after having
 * printed --help. */
int options_parse(const struct command *c, const struct option_spec *specs, int argc, char **argv);

/* "kellet: TEXT" to standard error; returns `code`. */
int fail(int code, const struct err *e);
int failf(int code, const char *fmt, ...) KE_PRINTF(2, 3);

/* DATA: --data when given, else $KELLET_DATA, else /var/lib/kellet for root, else
 * $XDG_DATA_HOME/kellet or
 * ~/.local/share/kellet. Writes the path; ERR_USAGE when no home directory is known. */
int data_dir(const char *option, char *out, size_t size, struct err *e);

/* Is fd a terminal that wants colours (NO_COLOR and TERM=dumb honoured, CLICOLOR_FORCE too)? */
bool wants_color(int fd);
/* Columns of the terminal on fd, or 0 when it is none. */
unsigned terminal_width(int fd);

#endif
