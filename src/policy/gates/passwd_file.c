#include "policy/gates/gates.h"
#include "policy/passwd.h"

static const struct gate_param user_params[] = {
    {.name = "user_names",
     .alias = "usernameblacklist",
     .type = PARAM_LIST,
     .required = true,
     .example = "daemon,ftp",
     .description = "Names of users, separated by commas."},
    {NULL},
};
static const struct gate_param uid_params[] = {
    {.name = "user_ids",
     .alias = "useridblacklist",
     .type = PARAM_NUMBERS,
     .required = true,
     .example = "0,1",
     .description = "Numbers of users, separated by commas."},
    {NULL},
};
static const struct gate_param gid_params[] = {
    {.name = "group_ids",
     .type = PARAM_NUMBERS,
     .required = true,
     .example = "999,20",
     .description = "Numbers of groups, separated by commas."},
    {NULL},
};
static const struct gate_param shell_params[] = {
    {.name = "shells",
     .type = PARAM_LIST,
     .required = true,
     .example = "/bin/bash,/bin/zsh",
     .description = "Paths of shells, separated by commas."},
    {NULL},
};
static const struct gate_param entry_params[] = {
    {.name = "entry",
     .type = PARAM_STRING,
     .required = true,
     .example = "ftp:x:14:50:FTP User:/var/ftp:/sbin/nologin",
     .description = "The whole line."},
    {NULL},
};

static int entries_of(struct firing *f, const struct passwd_entry **list, struct err *e)
{
    const struct policy_retrieved *file =
        gate_retrieved(gate_subject(f)->image, STR("/etc/passwd"));
    return file ? passwd_parse(file->content, gate_arena(f), list, e) : 0;
}

static int content_not_available(struct firing *f, void *state, struct err *e)
{
    const struct passwd_entry *list;
    int n = entries_of(f, &list, e);
    if (n == 0)
        gate_fire(f, GATE_NO_ID,
                  "Cannot locate /etc/passwd in image stored files archive: check analyzer "
                  "settings.");
    return n < 0 ? n : 0;
}

static int usernames(struct firing *f, void *state, struct err *e)
{
    const struct rule_value *wanted = &gate_params(f)->values[0];
    const struct passwd_entry *list;
    int n = entries_of(f, &list, e);
    for (int i = 0; i < n; i++)
        if (gate_text_listed(wanted, list[i].name))
            gate_fire(f, GATE_NO_ID,
                      "Blacklisted user '%.*s' found in image's /etc/passwd: pentry=%.*s",
                      GATE_ARG(list[i].name), GATE_ARG(list[i].line));
    return n < 0 ? n : 0;
}

static int userids(struct firing *f, void *state, struct err *e)
{
    const struct rule_value *wanted = &gate_params(f)->values[0];
    const struct passwd_entry *list;
    int n = entries_of(f, &list, e);
    for (int i = 0; i < n; i++)
        if (list[i].uid >= 0 && gate_number_listed(wanted, list[i].uid))
            gate_fire(f, GATE_NO_ID,
                      "Blacklisted uid '%lld' found in image's /etc/passwd: pentry=%.*s",
                      (long long)list[i].uid, GATE_ARG(list[i].line));
    return n < 0 ? n : 0;
}

static int groupids(struct firing *f, void *state, struct err *e)
{
    const struct rule_value *wanted = &gate_params(f)->values[0];
    const struct passwd_entry *list;
    int n = entries_of(f, &list, e);
    for (int i = 0; i < n; i++)
        if (list[i].gid >= 0 && gate_number_listed(wanted, list[i].gid))
            gate_fire(f, GATE_NO_ID,
                      "Blacklisted gid '%lld' found in image's /etc/passwd: pentry=%.*s",
                      (long long)list[i].gid, GATE_ARG(list[i].line));
    return n < 0 ? n : 0;
}

static int shells(struct firing *f, void *state, struct err *e)
{
    const struct rule_value *wanted = &gate_params(f)->values[0];
    const struct passwd_entry *list;
    int n = entries_of(f, &list, e);
    for (int i = 0; i < n; i++)
        if (list[i].shell.p && gate_text_listed(wanted, list[i].shell))
            gate_fire(f, GATE_NO_ID,
                      "Blacklisted shell '%.*s' found in image's /etc/passwd: pentry=%.*s",
                      GATE_ARG(list[i].shell), GATE_ARG(list[i].line));
    return n < 0 ? n : 0;
}

static int full_entry(struct firing *f, void *state, struct err *e)
{
    str wanted = str_trim(gate_params(f)->values[0].text);
    const struct passwd_entry *list;
    int n = entries_of(f, &list, e);
    for (int i = 0; i < n; i++)
        if (str_eq(list[i].line, wanted))
            gate_fire(f, GATE_NO_ID,
                      "Blacklisted pentry '%.*s' found in image's /etc/passwd: pentry=%.*s",
                      GATE_ARG(list[i].line), GATE_ARG(list[i].line));
    return n < 0 ? n : 0;
}

static const struct gate_trigger triggers[] = {
    {.name = "content_not_available",
     .description = "Fires when the analysis did not keep /etc/passwd.",
     .needs = PART_RETRIEVED,
     .fire = content_not_available},
    {.name = "blacklist_usernames",
     .description = "Fires for users with one of these names.",
     .params = user_params,
     .needs = PART_RETRIEVED,
     .fire = usernames},
    {.name = "blacklist_userids",
     .description = "Fires for users with one of these numbers.",
     .params = uid_params,
     .needs = PART_RETRIEVED,
     .fire = userids},
    {.name = "blacklist_groupids",
     .description = "Fires for users with one of these group numbers.",
     .params = gid_params,
     .needs = PART_RETRIEVED,
     .fire = groupids},
    {.name = "blacklist_shells",
     .description = "Fires for users with one of these shells.",
     .params = shell_params,
     .needs = PART_RETRIEVED,
     .fire = shells},
    {.name = "blacklist_full_entry",
     .description = "Fires for a line that is equal to this one.",
     .params = entry_params,
     .needs = PART_RETRIEVED,
     .fire = full_entry},
    {NULL},
};

const struct gate gate_passwd_file = {
    .name = "passwd_file",
    .description = "Looks at the entries of /etc/passwd.",
    .triggers = triggers,
};
