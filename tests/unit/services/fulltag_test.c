#include "unit.h"

#include "services/fulltag.h"

#define HEX "e0c2bd719f9fadc326618e0b1b7aa9c7a8f5e3210d9237073d728b8dfa189dbd"

static const struct {
    const char *in, *registry, *repo, *tag, *digest, *fulltag, *pull;
} names[] = {
    {"alpine", "docker.io", "alpine", "latest", NULL, "docker.io/alpine:latest",
     "docker.io/alpine:latest"},
    {"alpine:3.10", "docker.io", "alpine", "3.10", NULL, "docker.io/alpine:3.10",
     "docker.io/alpine:3.10"},
    {"library/alpine:latest", "docker.io", "library/alpine", "latest", NULL,
     "docker.io/library/alpine:latest", "docker.io/library/alpine:latest"},
    {"docker.io/library/alpine", "docker.io", "library/alpine", "latest", NULL,
     "docker.io/library/alpine:latest", "docker.io/library/alpine:latest"},
    {"docker.io/alpine:latest", "docker.io", "alpine", "latest", NULL, "docker.io/alpine:latest",
     "docker.io/alpine:latest"},
    {"127.0.0.1:5000/bench/kitchen:v1", "127.0.0.1:5000", "bench/kitchen", "v1", NULL,
     "127.0.0.1:5000/bench/kitchen:v1", "127.0.0.1:5000/bench/kitchen:v1"},
    {"localhost/a", "localhost", "a", "latest", NULL, "localhost/a:latest", "localhost/a:latest"},
    {"reg:5000/a/b/c", "reg:5000", "a/b/c", "latest", NULL, "reg:5000/a/b/c:latest",
     "reg:5000/a/b/c:latest"},
    {"team/app", "docker.io", "team/app", "latest", NULL, "docker.io/team/app:latest",
     "docker.io/team/app:latest"},
    {"reg.example/A/b:T", "reg.example", "A/b", "T", NULL, "reg.example/A/b:T",
     "reg.example/A/b:T"},
    {"reg.example/a@sha256:" HEX, "reg.example", "a", NULL, "sha256:" HEX, NULL,
     "reg.example/a@sha256:" HEX},
    {"reg.example/a:t@sha256:" HEX, "reg.example", "a", "t", "sha256:" HEX, "reg.example/a:t",
     "reg.example/a@sha256:" HEX},
    {"x@sha256:abc", "docker.io", "x", NULL, "sha256:abc", NULL, "docker.io/x@sha256:abc"},
};

static const struct {
    const char *in, *text;
} bad[] = {
    {"a b", "bad character(s) [' '] in dockerimage string input (a b)"},
    {"a b c", "bad character(s) [' ', ' '] in dockerimage string input (a b c)"},
    {"x:v1;id", "bad character(s) [';'] in dockerimage string input (x:v1;id)"},
    {"", "no repository, tag or digest in dockerimage string input ()"},
    {"reg.example/", "no repository, tag or digest in dockerimage string input (reg.example/)"},
    {"a:", "no repository, tag or digest in dockerimage string input (a:)"},
    {"a@", "no repository, tag or digest in dockerimage string input (a@)"},
};

static void check(const char *what, str got, const char *want)
{
    if (!want && got.p)
        fail_msg("%s: got \"%.*s\", want none", what, STR_ARG(got));
    if (want)
        assert_str(got, str_z(want));
}

static void names_are_taken_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < KE_ARRAY_LEN(names); i++) {
        struct arena a;
        struct fulltag t;
        struct err e = {0};
        arena_init(&a, 1 << 20);
        assert_ok(fulltag_parse(str_z(names[i].in), &a, &t, &e));
        check("registry", t.registry, names[i].registry);
        check("repo", t.repo, names[i].repo);
        check("tag", t.tag, names[i].tag);
        check("digest", t.digest, names[i].digest);
        check("fulltag", t.fulltag, names[i].fulltag);
        check("pull", t.pull, names[i].pull);
        arena_done(&a);
    }
}

static void bad_names_are_refused(void **state)
{
    char many[2000];

    (void)state;
    for (size_t i = 0; i < KE_ARRAY_LEN(bad); i++) {
        struct arena a;
        struct fulltag t;
        struct err e = {0};
        arena_init(&a, 1 << 20);
        assert_int_equal(fulltag_parse(str_z(bad[i].in), &a, &t, &e), ERR_USAGE);
        assert_str(str_z(e.text), str_z(bad[i].text));
        arena_done(&a);
    }
    struct arena a;
    struct fulltag t;
    arena_init(&a, 1 << 20);
    memset(many, ' ', sizeof many);
    assert_int_equal(fulltag_parse((str){many, sizeof many}, &a, &t, NULL), ERR_USAGE);
    memset(many, 'a', sizeof many);
    assert_int_equal(fulltag_parse((str){many, sizeof many}, &a, &t, NULL), ERR_USAGE);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_taken_apart),
        cmocka_unit_test(bad_names_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
