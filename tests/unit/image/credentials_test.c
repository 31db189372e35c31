#include "unit.h"

#include "image/challenge.h"
#include "image/credential_helper.h"
#include "image/credentials.h"

#include <sys/stat.h>

static char dir[] = "/tmp/kellet-credentials-test-XXXXXX";

static const char *path_in(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void write_file(const char *name, const char *text, unsigned mode)
{
    struct err e = {0};
    assert_ok(fs_write_atomic(path_in(name), str_z(text), mode, &e));
}

/* ---- challenges --------------------------------------------------------------------------------
 */

static void challenges(void **state)
{
    static const struct {
        const char *value, *scheme;
        bool found;
        const char *realm, *service, *scope;
    } cases[] = {
        {"Bearer realm=\"https://a/t\",service=\"s\",scope=\"repository:a/b:pull,push\"", "Bearer",
         true, "https://a/t", "s", "repository:a/b:pull,push"},
        {"bearer REALM=\"r\" , Service = \"s\"", "Bearer", true, "r", "s", ""},
        {"Bearer realm=r,service=s", "Bearer", true, "r", "s", ""},
        {"Basic realm=\"a, Bearer realm=\\\"x\\\"\"", "Bearer", false, "", "", ""},
        {"Basic realm=\"a, \\\"b\\\"\"", "Basic", true, "a, \"b\"", "", ""},
        {"Basic realm=\"b\", Bearer realm=\"t\"", "Bearer", true, "t", "", ""},
        {"Basic realm=\"b\", Bearer realm=\"t\"", "Basic", true, "b", "", ""},
        {"Bearer realm=\"t\", Basic realm=\"b\"", "Bearer", true, "t", "", ""},
        {"Negotiate, Basic realm=\"b\"", "Basic", true, "b", "", ""},
        {"Negotiate YWJj==, Bearer realm=\"t\"", "Bearer", true, "t", "", ""},
        {"Basic", "Basic", true, "", "", ""},
        {"Bearer realm=\"unended", "Bearer", true, "unended", "", ""},
        {"Bearer realm=\"unended\\", "Bearer", true, "unended\\", "", ""},
        {"Bearer realm=", "Bearer", true, "", "", ""},
        {"Bearer =x, realm=\"r\"", "Bearer", false, "", "", ""},
        {", ,, Bearer realm=\"r\",,", "Bearer", true, "r", "", ""},
        {"Bearerish realm=\"r\"", "Bearer", false, "", "", ""},
        {"\"Bearer\" realm=\"r\"", "Bearer", false, "", "", ""},
        {"", "Bearer", false, "", "", ""},
        {"\n\n", "Bearer", false, "", "", ""},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct challenge c;
        if (challenge_parse(str_z(cases[i].value), cases[i].scheme, &c) != cases[i].found)
            fail_msg("%s", cases[i].value);
        if (!cases[i].found)
            continue;
        assert_str(str_z(c.realm), str_z(cases[i].realm));
        assert_str(str_z(c.service), str_z(cases[i].service));
        assert_str(str_z(c.scope), str_z(cases[i].scope));
    }
}

static void overlong_parameter(void **state)
{
    struct challenge c;
    auto_buf b;
    buf_init(&b, 1 << 20);
    buf_add_str(&b, STR("Bearer realm=\""));
    for (int i = 0; i < 100000; i++)
        buf_add_char(&b, 'a');
    buf_add_str(&b, STR("\",service=\"s\""));
    assert_true(challenge_parse(buf_view(&b), "Bearer", &c));
    assert_string_equal(c.realm, "");
    assert_string_equal(c.service, "s");
}

static void challenges_in_several_fields(void **state)
{
    struct http_response rs = {0};
    struct challenge c;
    buf_init(&rs.headers, 1000);
    buf_add_str(&rs.headers, STR("www-authenticate: Basic realm=\"b\"\nx: Bearer realm=\"no\"\n"
                                 "www-authenticate: Bearer realm=\"t\"\n"));
    assert_true(challenge_find(&rs, "Bearer", &c));
    assert_string_equal(c.realm, "t");
    assert_true(challenge_find(&rs, "Basic", &c));
    assert_string_equal(c.realm, "b");
    assert_false(challenge_find(&rs, "Digest", &c));
    http_response_done(&rs);
}

/* ---- keys --------------------------------------------------------------------------------------
 */

static void keys(void **state)
{
    static const struct {
        const char *key, *registry;
        bool match;
    } cases[] = {
        {"r.example", "r.example", true},
        {"r.example", "r.example/a/b", true},
        {"https://r.example", "r.example", true},
        {"http://r.example/", "r.example", true},
        {"https://r.example/v1/", "r.example/a", true},
        {"https://r.example/v2/", "r.example/a", true},
        {"R.Example", "r.example", true},
        {"r.example:5000", "r.example:5000", true},
        {"r.example/a", "r.example/a/b", true},
        {"r.example/a/", "r.example/a/b", true},
        {"r.example/a/b", "r.example/a/b", true},
        {"https://index.docker.io/v1/", "docker.io/library/alpine", true},
        {"docker.io", "docker.io/library/alpine", true},
        {"registry-1.docker.io", "docker.io", true},
        /* Hosts that only look alike get nothing. */
        {"r.example", "r.example.evil", false},
        {"r.example", "evil-r.example", false},
        {"r.example", "x.r.example", false},
        {"x.r.example", "r.example", false},
        {"r.example", "r.example:5000", false},
        {"r.example:5000", "r.example", false},
        {"r.example:5000", "r.example:50001", false},
        {"https://index.docker.io/v1/", "index.docker.io.evil/a", false},
        {"https://index.docker.io/v1/", "docker.io.evil", false},
        {"r.example/a", "r.example/ab", false},
        {"r.example/a", "r.example", false},
        {"r.example/a/b", "r.example/a", false},
        {"", "r.example", false},
        {"/", "r.example", false},
        {"https://", "r.example", false},
        {"r.example", "", false},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++)
        if ((credentials_key_match(str_z(cases[i].key), str_z(cases[i].registry)) > 0) !=
            cases[i].match)
            fail_msg("%s for %s", cases[i].key, cases[i].registry);
}

/* ---- configuration -----------------------------------------------------------------------------
 */

static void configs(void **state)
{
    static const struct {
        const char *text, *registry;
        int rc;
        const char *user, *password, *identity;
    } cases[] = {
        {"{}", "r.example", 0, "", "", ""},
        {"{\"auths\":{}}", "r.example", 0, "", "", ""},
        {"{\"auths\":{\"r.example\":{}}}", "r.example", 0, "", "", ""},
        {"{\"auths\":{\"r.example\":{\"auth\":\"dTpwOnE=\"}}}", "r.example", 1, "u", "p:q", ""},
        {"{\"auths\":{\"r.example\":{\"auth\":\"dTpwAAA=\"}}}", "r.example", 1, "u", "p", ""},
        {"{\"auths\":{\"r.example\":{\"username\":\"u\",\"password\":\"p\"}}}", "r.example", 1, "u",
         "p", ""},
        {"{\"auths\":{\"r.example\":{\"identitytoken\":\"t\"}}}", "r.example", 1, "", "", "t"},
        {"{\"auths\":{\"r.example\":{\"auth\":\"dTpw\",\"identitytoken\":\"t\"}}}", "r.example", 1,
         "u", "p", "t"},
        {"{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"dTpw\"}}}", "docker.io/a/b", 1,
         "u", "p", ""},
        {"{\"auths\":{\"r.example\":{\"auth\":\"dTpw\"},\"r.example/a\":{\"auth\":\"djpx\"}}}",
         "r.example/a/b", 1, "v", "q", ""},
        {"{\"auths\":{\"r.example/a\":{\"auth\":\"djpx\"},\"r.example\":{\"auth\":\"dTpw\"}}}",
         "r.example/c", 1, "u", "p", ""},
        {"{\"auths\":{\"r.example\":{\"auth\":\"!\"}}}", "r.example", ERR_AUTH, "", "", ""},
        {"{\"auths\":{\"r.example\":{\"auth\":\"dXA=\"}}}", "r.example", ERR_AUTH, "", "", ""},
        {"{\"auths\":{\"r.example\":{\"username\":\"u\\n\",\"password\":\"p\"}}}", "r.example",
         ERR_AUTH, NULL, "", ""},
        /* A key file as password: "_json_key:{\n}\n". */
        {"{\"auths\":{\"r.example\":{\"auth\":\"X2pzb25fa2V5OnsKfQo=\"}}}", "r.example", 1,
         "_json_key", "{\n}\n", ""},
        {"{\"auths\":{\"r.example\":{\"auth\":\"dToAcAA=\"}}}", "r.example", ERR_AUTH, "", "", ""},
        {"{\"auths\":{\"r.example\":[]}}", "r.example", 0, "", "", ""},
        {"{\"auths\":[\"r.example\"]}", "r.example", 0, "", "", ""},
        {"[]", "r.example", 0, "", "", ""},
        {"{\"credHelpers\":{\"r.example\":\"../../bin/sh\"}}", "r.example", ERR_AUTH, "", "", ""},
        {"{\"credsStore\":\"a b\"}", "r.example", ERR_AUTH, "", "", ""},
        {"{\"credsStore\":\"no-such-helper-x\"}", "r.example", ERR_AUTH, "", "", ""},
        {"{", "r.example", ERR_FORMAT, "", "", ""},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct credentials c = {0};
        struct err e = {0};
        int rc = credentials_from_config(str_z(cases[i].text), "config", cases[i].registry, &c, &e);
        if (rc != cases[i].rc)
            fail_msg("%s: %d %s", cases[i].text, rc, e.text);
        if (rc < 0)
            continue;
        assert_str(str_z(c.username), str_z(cases[i].user));
        assert_str(str_z(c.password), str_z(cases[i].password));
        assert_str(str_z(c.identity_token), str_z(cases[i].identity));
    }
}

/* ---- helpers -----------------------------------------------------------------------------------
 */

static void helpers(void **state)
{
    static const struct {
        const char *name, *script, *config;
        int rc;
        const char *user, *password, *identity;
    } cases[] = {
        {"k-good",
         "#!/bin/sh\nread s\necho \"{\\\"ServerURL\\\":\\\"$s\\\",\\\"Username\\\":\\\"$1 "
         "$s\\\",\\\"Secret\\\":\\\"p\\\"}\"\n",
         "{\"credHelpers\":{\"r.example\":\"k-good\"}}", 1, "get r.example", "p", ""},
        {"k-token", "#!/bin/sh\necho '{\"Username\":\"<token>\",\"Secret\":\"t\"}'\n",
         "{\"credsStore\":\"k-token\"}", 1, "", "", "t"},
        {"k-none", "#!/bin/sh\necho credentials not found in native keychain\nexit 1\n",
         "{\"credsStore\":\"k-none\"}", 0, "", "", ""},
        {"k-none", NULL,
         "{\"credsStore\":\"k-none\",\"auths\":{\"r.example\":{\"auth\":\"dTpw\"}}}", 1, "u", "p",
         ""},
        {"k-fails", "#!/bin/sh\necho the keychain is locked\nexit 1\n",
         "{\"credsStore\":\"k-fails\"}", ERR_AUTH, "", "", ""},
        {"k-words", "#!/bin/sh\necho hello\n", "{\"credsStore\":\"k-words\"}", ERR_AUTH, "", "",
         ""},
        {"k-flood", "#!/bin/sh\nwhile :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done\n",
         "{\"credsStore\":\"k-flood\"}", ERR_AUTH, "", "", ""},
        /* Goes away without reading: no SIGPIPE. */
        {"k-deaf", "#!/bin/sh\nexec <&-\necho '{\"Username\":\"u\",\"Secret\":\"p\"}'\n",
         "{\"credsStore\":\"k-deaf\"}", 1, "u", "p", ""},
        /* The more exact one wins. */
        {"k-good", NULL, "{\"credsStore\":\"k-fails\",\"credHelpers\":{\"r.example\":\"k-good\"}}",
         1, "get r.example", "p", ""},
    };
    char path[512];
    snprintf(path, sizeof path, "%s:/usr/bin:/bin", dir);
    setenv("PATH", path, 1);
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct credentials c = {0};
        struct err e = {0};
        char name[64];
        snprintf(name, sizeof name, "docker-credential-%s", cases[i].name);
        if (cases[i].script)
            write_file(name, cases[i].script, 0755);
        int rc = credentials_from_config(str_z(cases[i].config), "config", "r.example", &c, &e);
        if (rc != cases[i].rc)
            fail_msg("%s: %d %s", cases[i].config, rc, e.text);
        if (rc < 0)
            continue;
        assert_str(str_z(c.username), str_z(cases[i].user));
        assert_str(str_z(c.password), str_z(cases[i].password));
        assert_str(str_z(c.identity_token), str_z(cases[i].identity));
    }
}

/* The configuration does not get to run just anything. */
static void helper_names(void **state)
{
    char long_name[66] = "";
    memset(long_name, 'a', sizeof long_name - 1);
    const char *const names[] = {"",   "../sh", "a/b", "/bin/sh", ".",
                                 "..", "a b",   "a;b", "$(a)",    long_name};
    for (size_t i = 0; i < KE_ARRAY_LEN(names); i++) {
        struct err e = {0};
        auto_buf out;
        buf_init(&out, 1000);
        assert_int_equal(credential_helper_get(names[i], "r.example", &out, &e), ERR_AUTH);
        if (!strstr(e.text, "not a credential helper's name"))
            fail_msg("%s: %s", names[i], e.text);
    }
}

/* The default registry has a name of its own in credential stores. */
static void helper_for_the_default_registry(void **state)
{
    struct credentials c;
    struct err e = {0};
    assert_int_equal(credentials_from_config(STR("{\"credsStore\":\"k-good\"}"), "config",
                                             "docker.io/a", &c, &e),
                     1);
    assert_string_equal(c.username, "get https://index.docker.io/v1/");
}

/* ---- files -------------------------------------------------------------------------------------
 */

static void files(void **state)
{
    struct credentials c;
    struct err e = {0};
    unsetenv("REGISTRY_AUTH_FILE");
    unsetenv("DOCKER_CONFIG");
    setenv("HOME", dir, 1);
    setenv("XDG_RUNTIME_DIR", dir, 1);
    assert_ok(credentials_find(NULL, "r.example", &c, &e));
    assert_string_equal(c.username, "");

    assert_ok(fs_mkdirs(path_in("containers"), &e));
    write_file("containers/auth.json", "{\"auths\":{\"r.example\":{\"auth\":\"cG9kbWFuOnA=\"}}}",
               0600);
    assert_ok(credentials_find(NULL, "r.example/a", &c, &e));
    assert_string_equal(c.username, "podman");

    assert_ok(fs_mkdirs(path_in(".docker"), &e));
    write_file(".docker/config.json", "{\"auths\":{\"r.example\":{\"auth\":\"ZG9ja2VyOnA=\"}}}",
               0600);
    assert_ok(credentials_find(NULL, "r.example/a", &c, &e));
    assert_string_equal(c.username, "docker");

    write_file("auth", "{\"auths\":{\"r.example\":{\"auth\":\"ZmlsZTpw\"}}}", 0600);
    setenv("REGISTRY_AUTH_FILE", path_in("auth"), 1);
    assert_ok(credentials_find(NULL, "r.example/a", &c, &e));
    assert_string_equal(c.username, "file");

    write_file("auth", "{\"auths\": broken", 0600);
    assert_int_equal(credentials_find(NULL, "r.example/a", &c, &e), ERR_FORMAT);
    assert_non_null(strstr(e.text, "/auth"));
    write_file("auth", "", 0600);
    assert_ok(credentials_find(NULL, "r.example/a", &c, &e));
    assert_string_equal(c.username, "docker");
    unsetenv("REGISTRY_AUTH_FILE");
}

static int start(void **state)
{
    return mkdtemp(dir) ? 0 : -1;
}

static int stop(void **state)
{
    static const char *const names[] = {
        "containers/auth.json",      ".docker/config.json",       "auth",
        "docker-credential-k-good",  "docker-credential-k-token", "docker-credential-k-none",
        "docker-credential-k-fails", "docker-credential-k-words", "docker-credential-k-flood",
        "docker-credential-k-deaf"};
    for (size_t i = 0; i < KE_ARRAY_LEN(names); i++)
        unlink(path_in(names[i]));
    rmdir(path_in("containers"));
    rmdir(path_in(".docker"));
    rmdir(dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(challenges),
        cmocka_unit_test(overlong_parameter),
        cmocka_unit_test(challenges_in_several_fields),
        cmocka_unit_test(keys),
        cmocka_unit_test(configs),
        cmocka_unit_test(helpers),
        cmocka_unit_test(helper_names),
        cmocka_unit_test(helper_for_the_default_registry),
        cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
