#include "unit.h"

#include "base/buf.h"
#include "policy/dockerfile.h"
#include "policy/passwd.h"

/* Instructions as "WORD text", one a line. */
static void reads_as(const char *text, enum dockerfile_reading how, const char *want)
{
    const struct dockerfile_instruction *list;
    struct err e = {0};
    struct arena a;
    auto_buf b;
    arena_init(&a, 1 << 20);
    buf_init(&b, 1 << 20);
    int n = dockerfile_parse(str_z(text), how, &a, &list, &e);
    assert_ok(n);
    for (int i = 0; i < n; i++)
        buf_addf(&b, "%s%.*s %.*s", i ? "\n" : "", STR_ARG(list[i].keyword), STR_ARG(list[i].text));
    assert_str(buf_view(&b), str_z(want));
    arena_done(&a);
}

static void lines_are_joined_as_docker_does(void **state)
{
    static const struct {
        const char *text, *joined, *lines;
    } cases[] = {
        {"", "", ""},
        {"\n # c\n", "", ""},
        {"run a \\\n b\r\nCMD c", "RUN a b\nCMD c", "RUN a \\\nB \nCMD c"},
        {"RUN a \\\n# c\n\n  b", "RUN a b", "RUN a \\\nB "},
        {"RUN a \\", "RUN a", "RUN a \\"},
        {"\\\n", "", "\\ "},
        {"# escape=`\nRUN a `\nb\nRUN c \\\nCMD d", "RUN a b\nRUN c \\\nCMD d",
         "RUN a `\nB \nRUN c \\\nCMD d"},
        {"FROM x\n# escape=`\nRUN a `\nCMD b", "FROM x\nRUN a `\nCMD b", "FROM x\nRUN a `\nCMD b"},
        {"RUN <<A\nx\n y\nA\nCMD z", "RUN <<A x y A\nCMD z", "RUN <<A\nX \nY \nA \nCMD z"},
        {"RUN <<-'A' <<\"B\"\nx\n\tA\ny\nB\nCMD z", "RUN <<-'A' <<\"B\" x A y B\nCMD z", NULL},
        {"RUN <<A\nCMD z", "RUN <<A\nCMD z", NULL},
        {"RUN echo $((1<<A))\nA\nCMD z", "RUN echo $((1<<A))\nA \nCMD z", NULL},
        {"RUN cat <<<A\nA\n", "RUN cat <<<A\nA ", NULL},
        {"ENV x=<<A\nA\n", "ENV x=<<A\nA ", NULL},
        {"USER\tapp", "USER app", "USER app"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        reads_as(cases[i].text, DOCKERFILE_JOINED, cases[i].joined);
        if (cases[i].lines)
            reads_as(cases[i].text, DOCKERFILE_LINES, cases[i].lines);
    }
}

static void the_user_is_the_last_stages(void **state)
{
    static const struct {
        const char *text, *user;
    } cases[] = {
        {"FROM a", "root"},
        {"FROM a\nUSER x", "x"},
        {"FROM a\nUSER x\nUSER y:z", "y:z"},
        {"FROM a\nUSER [x]", "x"},
        {"FROM a\nuser x", "x"},
        {"FROM a AS b\nUSER x\nFROM c", "root"},
        {"FROM a AS b\nUSER x\nFROM b", "x"},
        {"FROM a AS b\nUSER x\nFROM b AS c\nFROM --platform=p C", "x"},
        {"FROM a AS b\nUSER x\nFROM z AS b\nUSER y\nFROM b", "y"},
        {"FROM b AS b\nFROM b AS b\nFROM b", "root"},
        {"USER x", "x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct dockerfile_instruction *list;
        struct err e = {0};
        struct arena a;
        arena_init(&a, 1 << 20);
        int n = dockerfile_parse(str_z(cases[i].text), DOCKERFILE_JOINED, &a, &list, &e);
        assert_ok(n);
        assert_str(dockerfile_user(list, (size_t)n), str_z(cases[i].user));
        arena_done(&a);
    }
}

static void dockerfiles_are_bounded(void **state)
{
    const struct dockerfile_instruction *list;
    struct err e = {0};
    struct arena a;
    auto_buf b;
    arena_init(&a, 64 << 20);
    buf_init(&b, 64 << 20);
    for (int i = 0; i < DOCKERFILE_INSTRUCTIONS_MAX; i++)
        buf_add_str(&b, STR("RUN <<EOF\n")); /* none of them ends */
    assert_int_equal(dockerfile_parse(buf_view(&b), DOCKERFILE_JOINED, &a, &list, &e),
                     DOCKERFILE_INSTRUCTIONS_MAX);
    buf_add_str(&b, STR("RUN x\n"));
    assert_int_equal(dockerfile_parse(buf_view(&b), DOCKERFILE_JOINED, &a, &list, &e), ERR_LIMIT);
    while (b.n <= DOCKERFILE_BYTES_MAX)
        buf_add_str(&b, STR("                                                            \n"));
    assert_int_equal(dockerfile_parse(buf_view(&b), DOCKERFILE_LINES, &a, &list, &e), ERR_LIMIT);
    arena_done(&a);
    arena_init(&a, 4096);
    assert_true(
        dockerfile_parse(str_sub(buf_view(&b), 0, 100000), DOCKERFILE_LINES, &a, &list, &e) < 0);
    arena_done(&a);
}

static void passwd_lines_may_be_short(void **state)
{
    const struct passwd_entry *list;
    struct err e = {0};
    struct arena a;
    arena_init(&a, 1 << 20);
    assert_int_equal(passwd_parse(STR(" a:x:1:2:g:/h:/s \n\nb\na:x:-1:9999999999999999999999:"
                                      ":/:/t\n:x\n"),
                                  &a, &list, &e),
                     3);
    assert_str(list[0].name, STR("a"));
    assert_str(list[0].shell, STR("/t"));
    assert_true(list[0].uid == -1 && list[0].gid == -1);
    assert_str(list[1].line, STR("b"));
    assert_null(list[1].shell.p);
    assert_str(list[2].line, STR(":x"));
    assert_int_equal(passwd_parse(STR(""), &a, &list, &e), 0);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_joined_as_docker_does),
        cmocka_unit_test(the_user_is_the_last_stages),
        cmocka_unit_test(dockerfiles_are_bounded),
        cmocka_unit_test(passwd_lines_may_be_short),
    };
    return cmocka_run_group_tests_name("dockerfile", tests, NULL, NULL);
}
