#include "policy/dockerfile.h"
#include "policy/gates/gates.h"

static const char *const instruction_words[] = {
    "ADD",   "ARG",         "COPY",   "CMD",        "ENTRYPOINT", "ENV",  "EXPOSE",
    "FROM",  "HEALTHCHECK", "LABEL",  "MAINTAINER", "ONBUILD",    "USER", "RUN",
    "SHELL", "STOPSIGNAL",  "VOLUME", "WORKDIR",    NULL};

/* The order of their words is a contract too: it is in the specification. */
static const char *const instruction_checks[] = {"=",        "!=", "exists", "not_exists", "like",
                                                 "not_like", "in", "not_in", NULL};
static const enum gate_check check_of[] = {CHECK_EQ,         CHECK_NE,    CHECK_EXISTS,
                                           CHECK_NOT_EXISTS, CHECK_LIKE,  CHECK_NOT_LIKE,
                                           CHECK_IN,         CHECK_NOT_IN};

enum {
    INSTRUCTION_WORD,
    INSTRUCTION_CHECK,
    INSTRUCTION_VALUE,
    INSTRUCTION_ACTUAL,
    INSTRUCTION_JOINED
};
static const struct gate_param instruction_params[] = {
    {.name = "instruction",
     .type = PARAM_ENUM,
     .required = true,
     .choices = instruction_words,
     .example = "from",
     .description = "The instruction to look at."},
    {.name = "check",
     .type = PARAM_ENUM,
     .required = true,
     .choices = instruction_checks,
     .example = "=",
     .description = "How to compare."},
    {.name = "value",
     .type = PARAM_STRING,
     .example = "scratch",
     .description = "What to compare with."},
    {.name = "actual_dockerfile_only",
     .type = PARAM_BOOL,
     .example = "true",
     .description =
         "Only look at a Dockerfile that was given, not at one guessed from the history."},
    {.name = "join_lines",
     .type = PARAM_BOOL,
     .example = "true",
     .own = true,
     .description = "Read continued lines and here-documents as parts of their instruction, as "
                    "Docker does, instead of each line for itself."},
    {NULL},
};

enum { USERS_LIST, USERS_KIND };
static const struct gate_param user_params[] = {
    {.name = "users",
     .type = PARAM_STRING,
     .required = true,
     .example = "root,docker",
     .description = "Names of users, separated by commas."},
    {.name = "type",
     .type = PARAM_ENUM,
     .required = true,
     .choices = gate_list_kinds,
     .example = "blacklist",
     .description = "What the list means, or which kind is meant."},
    {NULL},
};

enum { PORTS_LIST, PORTS_KIND, PORTS_ACTUAL };
static const struct gate_param port_params[] = {
    {.name = "ports",
     .type = PARAM_NUMBERS,
     .required = true,
     .example = "80,8080,8088",
     .description = "Numbers of ports, separated by commas."},
    {.name = "type",
     .type = PARAM_ENUM,
     .required = true,
     .choices = gate_list_kinds,
     .example = "blacklist",
     .description = "What the list means, or which kind is meant."},
    {.name = "actual_dockerfile_only",
     .type = PARAM_BOOL,
     .example = "true",
     .description =
         "Only look at a Dockerfile that was given, not at one guessed from the history."},
    {NULL},
};

static bool is_actual(const struct policy_image *image)
{
    return str_eq_nocase(image->dockerfile_mode, STR("actual"));
}

/* The instructions, or 0: there are none to judge. */
static int instructions_of(struct firing *f, bool actual_only, enum dockerfile_reading how,
                           const struct dockerfile_instruction **list, struct err *e)
{
    const struct policy_image *image = gate_subject(f)->image;
    str mode = image->dockerfile_mode;
    if (!mode.n || str_eq_nocase(mode, STR("unknown")) || (actual_only && !is_actual(image)))
        return 0;
    return dockerfile_parse(image->dockerfile, how, gate_arena(f), list, e);
}

static int instruction_prepare(const struct rule_params *p, struct arena *a, void **state,
                               struct err *e)
{
    int check = p->values[INSTRUCTION_CHECK].choice;
    *state = NULL;
    return check < 0 ? 0
                     : gate_check_prepare(check_of[check], &p->values[INSTRUCTION_VALUE], state, e);
}

static void instruction_row(struct firing *f, const struct rule_params *p, str line)
{
    const struct rule_value *v = p->values;
    gate_fire(f, GATE_NO_ID,
              "Dockerfile directive '%s' check '%s' matched against '%.*s' for line '%.*s'",
              instruction_words[v[INSTRUCTION_WORD].choice],
              instruction_checks[v[INSTRUCTION_CHECK].choice], GATE_ARG(v[INSTRUCTION_VALUE].text),
              GATE_ARG(line));
}

static int instruction(struct firing *f, void *state, struct err *e)
{
    const struct rule_params *p = gate_params(f);
    const struct rule_value *v = p->values;
    enum gate_check check = check_of[v[INSTRUCTION_CHECK].choice];
    str word = str_z(instruction_words[v[INSTRUCTION_WORD].choice]);
    const struct dockerfile_instruction *list;
    int n = instructions_of(f, v[INSTRUCTION_ACTUAL].flag,
                            v[INSTRUCTION_JOINED].flag ? DOCKERFILE_JOINED : DOCKERFILE_LINES,
                            &list, e);
    bool comparing = check != CHECK_EXISTS && check != CHECK_NOT_EXISTS, found = false;
    for (int i = 0; i < n; i++) {
        if (!str_eq(list[i].keyword, word))
            continue;
        found = true;
        if (comparing && !v[INSTRUCTION_VALUE].text.n)
            continue;
        int holds = gate_check_text(check, list[i].text, v[INSTRUCTION_VALUE].text, state, e);
        if (holds < 0)
            return holds;
        if (holds)
            instruction_row(f, p, list[i].text);
    }
    if (n > 0 && !found && check == CHECK_NOT_EXISTS)
        gate_fire(f, GATE_NO_ID,
                  "Dockerfile directive '%s' not found, matching condition 'not_exists' check",
                  word.p);
    return n < 0 ? n : 0;
}

static int effective_user(struct firing *f, void *state, struct err *e)
{
    const struct rule_value *v = gate_params(f)->values;
    const struct dockerfile_instruction *list;
    const str *users;
    int n = instructions_of(f, false, DOCKERFILE_JOINED, &list, e);
    if (n <= 0)
        return n;
    int n_users = gate_split_list(gate_arena(f), v[USERS_LIST].text, &users, e);
    if (n_users < 0)
        return n_users;
    str user = dockerfile_user(list, (size_t)n);
    bool listed = false;
    for (int i = 0; i < n_users; i++)
        listed = listed || str_eq(users[i], user);
    if (v[USERS_KIND].choice == LIST_ALLOWED && !listed)
        gate_fire(f, GATE_NO_ID,
                  "User %.*s found as effective user, which is not on the allowed list",
                  GATE_ARG(user));
    if (v[USERS_KIND].choice == LIST_DENIED && listed)
        gate_fire(f, GATE_NO_ID,
                  "User %.*s found as effective user, which is explicity not allowed",
                  GATE_ARG(user));
    return 0;
}

struct exposed {
    str token;
    uint64_t lo, hi; /* lo > hi: no number */
    str protocol;    /* "tcp" when none is written, as "" */
};

static struct exposed exposed_of(str token)
{
    struct exposed x = {.token = token, .lo = 1, .hi = 0};
    str rest = token, lo, numbers = str_split(&rest, '/');
    x.protocol = rest;
    lo = str_split(&numbers, '-');
    uint64_t a, b;
    if (str_to_u64(lo, &a)) {
        x.lo = x.hi = a;
        if (numbers.n && str_to_u64(numbers, &b))
            x.hi = b;
    }
    return x;
}

static bool common_protocol(str protocol)
{
    return !protocol.n || str_eq_nocase(protocol, STR("tcp")) ||
           str_eq_nocase(protocol, STR("udp"));
}

/* The first token that exposes this port: "p", then "p/tcp", "p/udp" as the original looked; then
 * a range that it lies in. */
static void denied_port(struct firing *f, const struct exposed *list, size_t n, uint64_t port)
{
    static const char *const protocols[] = {"", "tcp", "udp"};
    for (int k = 0; k < 3; k++)
        for (size_t i = 0; i < n; i++)
            if (list[i].lo == port && list[i].hi == port &&
                str_eq_nocase(list[i].protocol, str_z(protocols[k]))) {
                gate_fire(f, GATE_NO_ID,
                          "Dockerfile exposes port (%llu%s%s) which is in policy file DENIEDPORTS "
                          "list",
                          (unsigned long long)port, k ? "/" : "", protocols[k]);
                return;
            }
    for (size_t i = 0; i < n; i++)
        if (list[i].lo < list[i].hi && list[i].lo <= port && port <= list[i].hi &&
            common_protocol(list[i].protocol)) {
            gate_fire(f, GATE_NO_ID,
                      "Dockerfile exposes port (%llu) which is in policy file DENIEDPORTS list",
                      (unsigned long long)port);
            return;
        }
}

static void exposed_line(struct firing *f, const struct rule_value *v, const struct exposed *list,
                         size_t n)
{
    const struct rule_value *ports = &v[PORTS_LIST];
    if (v[PORTS_KIND].choice == LIST_DENIED) {
        for (size_t i = 0; i < ports->n; i++)
            denied_port(f, list, n, (uint64_t)ports->numbers[i]);
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (list[i].lo != list[i].hi || !common_protocol(list[i].protocol) ||
            !gate_number_listed(ports, (int64_t)list[i].lo))
            gate_fire(f, GATE_NO_ID,
                      "Dockerfile exposes port (%.*s) which is not in policy file ALLOWEDPORTS "
                      "list",
                      GATE_ARG(list[i].token));
}

static int exposed_ports(struct firing *f, void *state, struct err *e)
{
    const struct rule_value *v = gate_params(f)->values;
    const struct dockerfile_instruction *list;
    int n = instructions_of(f, v[PORTS_ACTUAL].flag, DOCKERFILE_JOINED, &list, e);
    for (int i = 0; i < n; i++) {
        str text = list[i].text;
        if (!str_eq(list[i].keyword, STR("EXPOSE")) || !text.n)
            continue;
        struct exposed *ports = arena_calloc(gate_arena(f), text.n / 2 + 1, sizeof *ports);
        size_t n_ports = 0;
        if (!ports)
            return err_no_memory(e);
        for (size_t at = 0; at < text.n;) {
            size_t end = at;
            while (end < text.n && !ke_isspace(text.p[end]))
                end++;
            if (end > at)
                ports[n_ports++] = exposed_of(str_sub(text, at, end));
            at = end + 1;
        }
        exposed_line(f, v, ports, n_ports);
    }
    return n < 0 ? n : 0;
}

static int no_dockerfile_provided(struct firing *f, void *state, struct err *e)
{
    if (!is_actual(gate_subject(f)->image))
        gate_fire(f, GATE_NO_ID, "Image was not analyzed with an actual Dockerfile");
    return 0;
}

static const struct gate_trigger triggers[] = {
    {.name = "instruction",
     .description = "Fires when an instruction compares with a value as described.",
     .params = instruction_params,
     .needs = PART_DOCKERFILE,
     .prepare = instruction_prepare,
     .release = gate_regex_release,
     .fire = instruction},
    {.name = "effective_user",
     .description = "Fires when the user that the container runs as is listed (blacklist), or is "
                    "not listed (whitelist).",
     .params = user_params,
     .needs = PART_DOCKERFILE,
     .fire = effective_user},
    {.name = "exposed_ports",
     .description =
         "Fires for exposed ports that are listed (blacklist), or are not listed (whitelist).",
     .params = port_params,
     .needs = PART_DOCKERFILE,
     .fire = exposed_ports},
    {.name = "no_dockerfile_provided",
     .description = "Fires when nobody gave the Dockerfile of the image.",
     .needs = PART_DOCKERFILE,
     .fire = no_dockerfile_provided},
    {NULL},
};

const struct gate gate_dockerfile = {
    .name = "dockerfile",
    .description = "Looks at the instructions that built the image.",
    .triggers = triggers,
};
