/* Which name an image is judged by, from what the source and the user say. */
#include "unit.h"

#include "services/fulltag.h"
#include "services/policy_engine/policy_name.h"

#define HEX "e0c2bd719f9fadc326618e0b1b7aa9c7a8f5e3210d9237073d728b8dfa189dbd"

static const struct {
    const char *kind, *asked, *tags[3], *option; /* said */
    const char *text, *word;
    bool only_tag;
} cases[] = {
    /* what was written counts, as an engine takes it */
    {"registry", "alpine:3.18", {0}, "", "docker.io/alpine:3.18", "source", false},
    {"registry", "library/alpine", {0}, "", "docker.io/library/alpine:latest", "source", false},
    {"registry", "h:5000/a/b:1", {0}, "", "h:5000/a/b:1", "source", false},
    {"registry", "h:5000/a@sha256:" HEX, {0}, "", "h:5000/a@sha256:" HEX, "source", false},
    {"registry", "alpine@sha256:" HEX, {0}, "", "docker.io/alpine@sha256:" HEX, "source", false},
    {"registry", "h:5000/a:1@sha256:" HEX, {0}, "", "h:5000/a:1", "source", false},
    {"registry", "[::1]:5000/a:1", {0}, "", "[::1]:5000/a:1", "source", false},
    {"registry", "h:5000/a:1", {0}, "team/app:2", "docker.io/team/app:2", "option", false},
    /* archives: the name that was asked for, or the first */
    {"docker-archive", "", {"app:1"}, "", "docker.io/app:1", "archive", false},
    {"docker-archive", "", {"h.example/a:1", "app:1"}, "", "h.example/a:1", "archive", false},
    {"docker-archive",
     "app",
     {"h.example/a:1", "app:latest"},
     "",
     "docker.io/app:latest",
     "source",
     false},
    {"docker-archive",
     "alpine:3.18",
     {"docker.io/library/alpine:3.18"},
     "",
     "docker.io/alpine:3.18",
     "source",
     false},
    {"docker-archive",
     "",
     {"docker.io/library/alpine:3.18"},
     "",
     "docker.io/library/alpine:3.18",
     "archive",
     false},
    {"docker-archive", "", {"a b", "app:1"}, "", "docker.io/app:1", "archive", false},
    {"docker-archive", "", {"a b"}, "", "localhost/image:latest", "none", false},
    {"docker-archive", "", {0}, "", "localhost/image:latest", "none", false},
    {"docker-archive", "", {"app:1"}, "b:2", "docker.io/b:2", "option", false},
    /* layouts: names, or only tags */
    {"oci-dir", "", {"3.18"}, "", "localhost/image:3.18", "layout", true},
    {"oci-dir", "3.18", {"3.18"}, "", "localhost/image:3.18", "layout", true},
    {"oci-dir", "1", {"h.example/a:1"}, "", "h.example/a:1", "layout", false},
    {"oci-dir", "", {"3.18", "h.example/a:1"}, "", "h.example/a:1", "layout", false},
    {"oci-dir", "sha256:" HEX, {0}, "", "localhost/image:latest", "none", false},
    {"oci-archive", "", {"1"}, "", "localhost/image:1", "archive", true},
    {"oci-dir", "", {"a b"}, "", "localhost/image:latest", "none", false},
    /* local engines know images under other names than they are asked for */
    {"podman",
     "alpine:3.18",
     {"docker.io/library/alpine:3.18"},
     "",
     "docker.io/alpine:3.18",
     "source",
     false},
    {"podman", "app:1", {"localhost/app:1"}, "", "localhost/app:1", "engine", false},
    {"docker", "app:1", {"app:1"}, "", "docker.io/app:1", "source", false},
    {"docker", "app@sha256:" HEX, {0}, "", "docker.io/app@sha256:" HEX, "source", false},
    {"docker", "", {0}, "", "localhost/image:latest", "none", false},
    {"docker", "", {"app:1"}, "", "docker.io/app:1", "engine", false},
    {"import", "b:1", {"a:1", "b:1"}, "", "docker.io/b:1", "source", false},
    {"import", "/tmp/x.tar", {"a:1", "b:1"}, "", "docker.io/a:1", "sbom", false},
    {"import", "a", {"h.example/a@sha256:" HEX}, "", "h.example/a@sha256:" HEX, "sbom", false},
    {"import", "/tmp/x.tar", {0}, "", "localhost/image:latest", "none", false},
    {"dir", "", {0}, "", "localhost/image:latest", "none", false},
};

static void test_names(void **state)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct err e = {0};
        struct arena a;
        struct policy_name name;
        str tags[3];
        struct inventory inv = {.source_kind = str_z(cases[i].kind),
                                .asked = str_z(cases[i].asked)};
        for (; inv.n_repo_tags < 3 && cases[i].tags[inv.n_repo_tags]; inv.n_repo_tags++)
            tags[inv.n_repo_tags] = str_z(cases[i].tags[inv.n_repo_tags]);
        inv.repo_tags = tags;
        arena_init(&a, 1 << 20);
        assert_ok(policy_name_of(str_z(cases[i].option), &inv, &a, &name, &e));
        if (!str_eq(name.text, str_z(cases[i].text)) ||
            !str_eq(policy_name_word(&name), str_z(cases[i].word)) ||
            name.only_tag != cases[i].only_tag)
            fail_msg("%zu: %s %s: %.*s (%.*s, %d)", i, cases[i].kind, cases[i].asked,
                     STR_ARG(name.text), STR_ARG(policy_name_word(&name)), name.only_tag);
        assert_true(str_contains(policy_name_reason(&name), STR("only a tag")) == name.only_tag);
        arena_done(&a);
    }
}

/* The name of a reference to a registry is the one that an engine keeps. */
static void test_as_an_engine(void **state)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(cases) && strcmp(cases[i].kind, "registry") == 0; i++) {
        struct err e = {0};
        struct arena a;
        struct fulltag name;
        const char *said = cases[i].option[0] ? cases[i].option : cases[i].asked;
        arena_init(&a, 1 << 20);
        if (said[0] != '[') {
            assert_ok(fulltag_parse(str_z(said), &a, &name, &e));
            assert_str(name.fulltag.p ? name.fulltag : name.pull, str_z(cases[i].text));
        }
        arena_done(&a);
    }
}

static void test_what_users_may_say(void **state)
{
    static const char *const good[] = {"alpine",      "alpine:3.18",   "h:5000/a/b:1",
                                       "localhost/a", "a@sha256:" HEX, "h.example/a:1@sha256:" HEX};
    static const char *const bad[] = {
        "",     "a b",         "http://h/a", "a:",   "a:1:2",    "App:1",
        "h/a/", "a@sha256:12", HEX,          "a:-1", "\xc3\xa4", "[::1]:5/a"};
    for (size_t i = 0; i < KE_ARRAY_LEN(good); i++) {
        struct err e = {0};
        assert_ok(policy_name_check(str_z(good[i]), &e));
    }
    for (size_t i = 0; i < KE_ARRAY_LEN(bad); i++) {
        struct err e = {0};
        if (policy_name_check(str_z(bad[i]), &e) != ERR_USAGE ||
            !strstr(e.text, "a tag looks like registry/repository:tag"))
            fail_msg("\"%s\": %s", bad[i], e.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_as_an_engine),
        cmocka_unit_test(test_what_users_may_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
