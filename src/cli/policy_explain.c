/* policy_explain.c - `kellet policy explain [GATE [TRIGGER]]`: what rules may say, in words. */
#include "base/buf.h"
#include "cli/policy.h"

#include <stdio.h>

static const struct option_spec specs[] = {{0}};

static const struct option_spec *explain_options(void)
{
    return specs;
}

static const char *const type_words[] = {
    [PARAM_STRING] = "text",
    [PARAM_BOOL] = "true or false",
    [PARAM_INT] = "a whole number",
    [PARAM_FLOAT] = "a number",
    [PARAM_ENUM] = "one of",
    [PARAM_LIST] = "texts, separated by commas",
    [PARAM_NUMBERS] = "numbers, separated by commas",
    [PARAM_LINKED] = "text or number, as the attribute",
};

static void explain_param(const struct gate_param *p)
{
    printf("        %s%s%s: %s", p->name, p->required ? " (required)" : "",
           p->own ? " (kellet's own)" : "", type_words[p->type]);
    for (size_t i = 0; p->choices && p->choices[i]; i++)
        printf("%s%s", i ? ", " : " ", p->choices[i]);
    if (p->example)
        printf("; for example %s", p->example);
    printf("\n            %s\n", p->description ? p->description : "");
}

static void explain_trigger(const struct gate_trigger *t)
{
    printf("    %s%s\n        %s\n", t->name, t->flags & TRIGGER_OWN ? " (kellet's own)" : "",
           t->description ? t->description : "");
    for (size_t i = 0; t->params && t->params[i].name; i++)
        explain_param(&t->params[i]);
}

static void explain_gate(const struct gate *g, const char *only)
{
    printf("%s%s%s\n    %s\n", g->name, g->own ? " (kellet's own)" : "",
           g->state == GATE_EOL ? " (ended: its rules do nothing)" : "",
           g->description ? g->description : "");
    if (g->superceded_by)
        printf("    Use %s instead.\n", g->superceded_by);
    for (size_t i = 0; g->state != GATE_EOL && g->triggers[i].name; i++)
        if (!only || str_eq_nocase(str_z(only), str_z(g->triggers[i].name)))
            explain_trigger(&g->triggers[i]);
}

static int explain_run(int argc, char **argv)
{
    int left = options_parse(&command_policy_explain, specs, argc, argv);
    if (left < 0)
        return left == -2 ? EXIT_CLEAN : EXIT_USAGE;
    if (left > 2)
        return failf(EXIT_USAGE, "policy explain takes a GATE and a TRIGGER at most");
    if (!left) {
        for (size_t i = 0; all_gates[i]; i++)
            if (all_gates[i]->state != GATE_EOL)
                printf("%-24s %s\n", all_gates[i]->name, all_gates[i]->description);
        return EXIT_CLEAN;
    }
    const struct gate *g = gate_find(str_z(argv[1]));
    if (!g)
        return failf(EXIT_USAGE, "there is no gate \"%s\"; `kellet policy explain` lists them",
                     argv[1]);
    if (left == 2 && !trigger_find(g, str_z(argv[2])))
        return failf(EXIT_USAGE, "gate %s has no trigger \"%s\"", g->name, argv[2]);
    explain_gate(g, left == 2 ? trigger_find(g, str_z(argv[2]))->name : NULL);
    return EXIT_CLEAN;
}

const struct command command_policy_explain = {
    .name = "policy explain",
    .arguments = "[GATE [TRIGGER]]",
    .summary = "Say what gates, triggers and parameters mean",
    .details = "Without arguments: all gates, a line each.\n",
    .options = explain_options,
    .run = explain_run,
};
