#include "unit.h"

#include "image/reference.h"

#define HEX16  "0123456789abcdef"
#define HEX64  HEX16 HEX16 HEX16 HEX16
#define HEX128 HEX64 HEX64
#define A50    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void valid(void **state)
{
    static const struct {
        const char *text, *canonical, *api_host;
    } cases[] = {
        {"alpine", "docker.io/library/alpine:latest", "registry-1.docker.io"},
        {"alpine:3.18", "docker.io/library/alpine:3.18", "registry-1.docker.io"},
        {"docker.io/alpine", "docker.io/library/alpine:latest", "registry-1.docker.io"},
        {"index.docker.io/a/b", "docker.io/a/b:latest", "registry-1.docker.io"},
        {"registry-1.docker.io/a/b:1", "docker.io/a/b:1", "registry-1.docker.io"},
        {"DOCKER.IO/a/b:1", "docker.io/a/b:1", "registry-1.docker.io"},
        {"a/b", "docker.io/a/b:latest", "registry-1.docker.io"},
        {"a/b/c:T_1.x-y", "docker.io/a/b/c:T_1.x-y", "registry-1.docker.io"},
        {"localhost/a", "localhost/a:latest", "localhost"},
        {"localhost:5000/a", "localhost:5000/a:latest", "localhost:5000"},
        {"host:1/a:2", "host:1/a:2", "host:1"},
        {"host:65535/a", "host:65535/a:latest", "host:65535"},
        {"Host.Example/a", "host.example/a:latest", "host.example"},
        {"10.0.0.1/a", "10.0.0.1/a:latest", "10.0.0.1"},
        {"[::1]:5000/a/b:x", "[::1]:5000/a/b:x", "[::1]:5000"},
        {"[2001:db8::1]/a", "[2001:db8::1]/a:latest", "[2001:db8::1]"},
        {"xn--n3h.example/a", "xn--n3h.example/a:latest", "xn--n3h.example"},
        {"a@sha256:" HEX64, "docker.io/library/a@sha256:" HEX64, "registry-1.docker.io"},
        {"a:b@sha256:" HEX64, "docker.io/library/a:b@sha256:" HEX64, "registry-1.docker.io"},
        {"h:5/a:b@sha512:" HEX128, "h:5/a:b@sha512:" HEX128, "h:5"},
        {"a__b/c_d/e--f/g---h/i.j/0", "docker.io/a__b/c_d/e--f/g---h/i.j/0:latest",
         "registry-1.docker.io"},
        {"r.example/0a:_tag", "r.example/0a:_tag", "r.example"},
        /* A port needs a path behind it: this is a tag. */
        {"host:5000", "docker.io/library/host:5000", "registry-1.docker.io"},
        {HEX64 "0", "docker.io/library/" HEX64 "0:latest", "registry-1.docker.io"},
    };
    struct err e = {0};
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct reference r, again;
        char text[800], twice[800];
        if (reference_parse(str_z(cases[i].text), &r, &e) < 0)
            fail_msg("%s: %s", cases[i].text, e.text);
        reference_format(&r, text, sizeof text);
        assert_str(str_z(text), str_z(cases[i].canonical));
        assert_str(str_z(reference_api_host(&r)), str_z(cases[i].api_host));
        assert_ok(reference_parse(str_z(text), &again, &e));
        reference_format(&again, twice, sizeof twice);
        assert_str(str_z(twice), str_z(text));
    }
}

static void invalid(void **state)
{
    static const struct {
        const char *text, *has;
        int code;
    } cases[] = {
        {"", "missing", ERR_USAGE},
        {":tag", "missing", ERR_USAGE},
        {"@sha256:" HEX64, "missing", ERR_USAGE},
        {"host.example/", "missing", ERR_USAGE},
        {"Alpine", "lower case", ERR_USAGE},
        {"UPPER/a", "lower case", ERR_USAGE},
        {"a/Bc", "lower case", ERR_USAGE},
        {"https://r.example/a", "without \"https://\"", ERR_USAGE},
        {"docker://a", "without \"docker://\"", ERR_USAGE},
        {HEX64, "id", ERR_USAGE},
        {"a:", "tag", ERR_USAGE},
        {"a:.x", "tag", ERR_USAGE},
        {"a:-x", "tag", ERR_USAGE},
        {"a:x/y:", "tag", ERR_USAGE},
        {"a:x y", "tag", ERR_USAGE},
        {"a:" A50 A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "longer than 128", ERR_USAGE},
        {"a@", "digest", ERR_USAGE},
        {"a@sha256", "digest", ERR_USAGE},
        {"a@sha256:", "64", ERR_USAGE},
        {"a@sha256:" HEX16, "64", ERR_USAGE},
        {"a@sha256:" HEX64 "0", "64", ERR_USAGE},
        {"a@sha256:" HEX16 HEX16 HEX16 "0123456789ABCDEF", "hex", ERR_USAGE},
        {"a@sha512:" HEX64, "128", ERR_USAGE},
        {"a@md5:" HEX16 HEX16, "md5", ERR_UNSUPPORTED},
        {"a@b@sha256:" HEX64, "digest", ERR_USAGE},
        {"host:0/a", "port", ERR_USAGE},
        {"host:65536/a", "port", ERR_USAGE},
        {"host:5x/a", "port", ERR_USAGE},
        {"host:/a", "port", ERR_USAGE},
        {"-a.example/b", "host name", ERR_USAGE},
        {"a-.example/b", "host name", ERR_USAGE},
        {"a..example/b", "host name", ERR_USAGE},
        {".example/b", "host name", ERR_USAGE},
        {"example./b", "host name", ERR_USAGE},
        {"u@h.example/b", "digest", ERR_USAGE},
        {"h_x.example/b", "host name", ERR_USAGE},
        {"[::1/a", "host name", ERR_USAGE},
        {"[::1]x/a", "host name", ERR_USAGE},
        {"[host]/a", "host name", ERR_USAGE},
        {"[]:5000/a", "host name", ERR_USAGE},
        {"/a", "not a repository", ERR_USAGE},
        {"a/", "not a repository", ERR_USAGE},
        {"a//b", "not a repository", ERR_USAGE},
        {"a/../b", "not a repository", ERR_USAGE},
        {"a/./b", "not a repository", ERR_USAGE},
        {"a..b", "not a repository", ERR_USAGE},
        {"a___b", "not a repository", ERR_USAGE},
        {"a._b", "not a repository", ERR_USAGE},
        {"_a", "not a repository", ERR_USAGE},
        {"a_", "not a repository", ERR_USAGE},
        {"-a", "not a repository", ERR_USAGE},
        {"a b", "not a repository", ERR_USAGE},
        {"a\nb", "not a repository", ERR_USAGE},
        {"a%2fb", "not a repository", ERR_USAGE},
        {"a?b", "not a repository", ERR_USAGE},
        {"a#b", "not a repository", ERR_USAGE},
        {"\xc3\xa4", "not a repository", ERR_USAGE},
        {A50 A50 A50 A50 A50, "longer than 255", ERR_USAGE},
        {A50 A50 A50 A50 A50 A50 A50 A50 A50 A50 A50 A50 A50, "too long", ERR_USAGE},
    };
    struct err e = {0};
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct reference r;
        int rc = reference_parse(str_z(cases[i].text), &r, &e);
        if (rc != cases[i].code || !strstr(e.text, cases[i].has))
            fail_msg("\"%s\": %d %s", cases[i].text, rc, rc < 0 ? e.text : r.repository);
    }
}

/* 255 bytes of registry and repository are the most. */
static void longest(void **state)
{
    struct reference r;
    struct err e = {0};
    char text[300];
    memset(text, 'a', sizeof text);
    memcpy(text, "h.example/", 10);
    assert_ok(reference_parse((str){text, 255}, &r, &e));
    assert_int_equal(strlen(r.registry) + 1 + strlen(r.repository), 255);
    assert_int_equal(reference_parse((str){text, 256}, &r, &e), ERR_USAGE);
    assert_int_equal(r.repository[0], 0);
}

static void embedded_nul(void **state)
{
    struct reference r;
    assert_int_equal(reference_parse(STR("a\0b"), &r, NULL), ERR_USAGE);
    assert_int_equal(reference_parse(STR("a:b\0c"), &r, NULL), ERR_USAGE);
    assert_int_equal(reference_parse(STR("h\0.example/a"), &r, NULL), ERR_USAGE);
}

static void names(void **state)
{
    static const struct {
        const char *name, *asked;
        bool same;
    } cases[] = {
        {"alpine:3.18", "alpine:3.18", true},
        {"alpine:latest", "alpine", true},
        {"alpine:3.18", "alpine", false},
        {"docker.io/library/alpine:3.18", "alpine:3.18", true},
        {"docker.io/library/alpine:latest", "alpine", true},
        {"docker.io/library/alpine:3.18", "library/alpine:3.18", true},
        {"docker.io/library/alpine:3.18", "docker.io/library/alpine:3.18", true},
        {"index.docker.io/library/alpine:3.18", "alpine:3.18", true},
        {"docker.io/team/app:1", "team/app:1", true},
        {"docker.io/team/app:1", "app:1", false},
        {"localhost/app:1", "app:1", false},
        {"h.example/library/alpine:3.18", "alpine:3.18", false},
        {"alpine:3.18", "docker.io/library/alpine:3.18", false},
        {"3.18", "3.18", true},
        {"alpine:latest", "", false},
        {":latest", "", false},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++)
        if (reference_names(str_z(cases[i].name), str_z(cases[i].asked)) != cases[i].same)
            fail_msg("%s, asked for %s", cases[i].name, cases[i].asked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid), cmocka_unit_test(invalid),      cmocka_unit_test(longest),
        cmocka_unit_test(names), cmocka_unit_test(embedded_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
