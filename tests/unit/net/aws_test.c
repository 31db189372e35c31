#include "server.h"

#include "net/aws_ecr.h"
#include "net/aws_profile.h"
#include "net/aws_source.h"
#include "net/aws_xml.h"

#include <pthread.h>

static struct err e;
static struct server server;
static char dir[64];

/* Whatever AWS variables this machine has do not count. */
static int clean(void **state)
{
    static const char *const names[] = {"AWS_ACCESS_KEY_ID",
                                        "AWS_SECRET_ACCESS_KEY",
                                        "AWS_SESSION_TOKEN",
                                        "AWS_PROFILE",
                                        "AWS_REGION",
                                        "AWS_DEFAULT_REGION",
                                        "AWS_ROLE_ARN",
                                        "AWS_ENDPOINT_URL",
                                        "AWS_ENDPOINT_URL_STS",
                                        "AWS_ENDPOINT_URL_ECR",
                                        "AWS_WEB_IDENTITY_TOKEN_FILE",
                                        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                                        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                                        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                                        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                                        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
                                        "AWS_SHARED_CREDENTIALS_FILE",
                                        "AWS_CONFIG_FILE"};
    for (size_t i = 0; i < KE_ARRAY_LEN(names); i++)
        unsetenv(names[i]);
    setenv("HOME", dir, 1);
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    e = (struct err){0};
    return 0;
}

static const char *at(const char *path)
{
    static char url[8][256];
    static unsigned n;
    char *out = url[n++ % 8];
    snprintf(out, sizeof url[0], "http://127.0.0.1:%u/%s", server.port, path);
    return out;
}

static const char *file(const char *name, const char *text)
{
    static char path[4][128];
    static unsigned n;
    char *out = path[n++ % 4];
    snprintf(out, sizeof path[0], "%s/%s", dir, name);
    assert_ok(fs_write_atomic(out, str_z(text), 0600, &e));
    return out;
}

static unsigned asked(const char *name)
{
    struct http *h;
    struct http_response rs;
    char url[256];
    uint64_t n = 0;
    auto_buf body;
    buf_init(&body, 100);
    assert_ok(http_new(NULL, &h, &e));
    snprintf(url, sizeof url, "http://127.0.0.1:%u/log?k=%s", server.port, name);
    assert_ok(http_fetch(h, &(struct http_request){.url = url}, &rs, &body, &e));
    http_response_done(&rs);
    http_free(h);
    assert_true(str_to_u64(buf_view(&body), &n));
    return (unsigned)n;
}

/* The access key that the provider finds, or NULL with e set. */
static const char *found(const struct aws_provider_options *o, struct aws_keys *keys)
{
    static const struct aws_provider_options none;
    struct aws_provider *p;
    e = (struct err){0};
    if (aws_provider_new(o ? o : &none, &p, &e) < 0)
        return NULL;
    int rc = aws_provider_get(p, keys, &e);
    aws_provider_free(p);
    return rc < 0 ? NULL : keys->access_key;
}

static void expect_refusal(const struct aws_provider_options *o, const char *says)
{
    struct aws_keys keys;
    if (found(o, &keys))
        fail_msg("found %s", keys.access_key);
    assert_int_equal(e.code, ERR_AUTH);
    if (!strstr(e.text, says))
        fail_msg("\"%s\" does not say \"%s\"", e.text, says);
}

/* ---- texts */

static void xml_texts(void **state)
{
    static const struct {
        const char *doc, *name, *text; /* NULL: none */
    } cases[] = {
        {"<a><Code>X</Code></a>", "Code", "X"},
        {"<a><Codes>no</Codes><Code >a &amp; b&#x20ac;&#65;</Code></a>", "Code",
         "a & b\xe2\x82\xac"
         "A"},
        {"<Code></Code>", "Code", ""},
        {"<Code/><Code>later</Code>", "Code", ""},
        {"<Code xmlns=\"x\">y</Code>", "Code", "y"},
        {"<Code>no end", "Code", NULL},
        {"<Code", "Code", NULL},
        {"<Code>&bad;</Code>", "Code", NULL},
        {"<Code>&#0;</Code>", "Code", NULL},
        {"<Code>&amp", "Code", NULL},
        {"<Code><b>x</b></Code>", "Code", NULL},
        {"<Code>0123456789012345678901234567890123456789</Code>", "Code", NULL},
        {"", "Code", NULL},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        char out[40];
        bool there = aws_xml_text(str_z(cases[i].doc), cases[i].name, out, sizeof out);
        assert_int_equal(there, cases[i].text != NULL);
        assert_string_equal(out, cases[i].text ? cases[i].text : "");
    }
}

static void profiles(void **state)
{
    static const char text[] = "# comment\n[default]\naws_access_key_id = A\n"
                               "aws_secret_access_key=S  # said\nregion = eu-west-1\n"
                               "s3 =\n  aws_access_key_id = nested\n[profile  ci]\r\n"
                               "role_arn = arn:aws:iam::1:role/x\r\nSource_Profile=default\r\n"
                               "[ci]\naws_access_key_id = B\n[\nx\n";
    struct aws_profile p = {0};
    aws_profile_parse(str_z(text), "default", true, &p);
    assert_true(p.found);
    assert_string_equal(p.access_key, "A");
    assert_string_equal(p.secret_key, "S");
    assert_string_equal(p.region, "eu-west-1");
    p = (struct aws_profile){0};
    aws_profile_parse(str_z(text), "ci", true, &p);
    assert_string_equal(p.role_arn, "arn:aws:iam::1:role/x");
    assert_string_equal(p.source_profile, "default");
    assert_string_equal(p.access_key, "");
    p = (struct aws_profile){0};
    aws_profile_parse(str_z(text), "ci", false, &p);
    assert_string_equal(p.access_key, "B");
    p = (struct aws_profile){0};
    aws_profile_parse(str_z(text), "other", true, &p);
    assert_false(p.found);
}

static void hosts_of_ecr(void **state)
{
    static const struct {
        const char *host, *account, *region; /* NULL: it is none */
        bool trusted;
    } cases[] = {
        {"123456789012.dkr.ecr.us-east-1.amazonaws.com", "123456789012", "us-east-1", true},
        {"123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "123456789012", "us-gov-west-1",
         true},
        {"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "123456789012", "cn-north-1", true},
        {"123456789012.dkr-ecr.eu-west-1.on.aws", "123456789012", "eu-west-1", true},
        {"123456789012.dkr.ecr.us-east-1.localhost:5000", "123456789012", "us-east-1", true},
        {"123456789012.dkr.ecr.us-east-1.amazonaws.com:443", "123456789012", "us-east-1", true},
        {"123456789012.dkr.ecr.us-east-1.amazonaws.com:8443", "123456789012", "us-east-1", false},
        {"123456789012.dkr.ecr.us-east-1.amazonaws.com.example", "123456789012", "us-east-1",
         false},
        {"123456789012.dkr.ecr.us-east-1.example", "123456789012", "us-east-1", false},
        {"123456789012.dkr-ecr.us-east-1.amazonaws.com", "123456789012", "us-east-1", false},
        {"12345678901.dkr.ecr.us-east-1.amazonaws.com", NULL, NULL, false},
        {"x23456789012.dkr.ecr.us-east-1.amazonaws.com", NULL, NULL, false},
        {"123456789012.dkr.ecr.us-east-1", NULL, NULL, false},
        {"123456789012.dkr.ecr.US/EAST.amazonaws.com", NULL, NULL, false},
        {"evil.example/123456789012.dkr.ecr.us-east-1.amazonaws.com", NULL, NULL, false},
        {"public.ecr.aws", NULL, NULL, false},
        {"", NULL, NULL, false},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct aws_ecr_host h;
        bool is = aws_ecr_host_parse(str_z(cases[i].host), &h);
        assert_int_equal(is, cases[i].account != NULL);
        if (!is)
            continue;
        assert_string_equal(h.account, cases[i].account);
        assert_string_equal(h.region, cases[i].region);
        assert_int_equal(h.trusted, cases[i].trusted);
    }
}

static void endpoints(void **state)
{
    const struct aws_endpoints given = {.all = "http://all/", .sts = "https://own"};
    char url[AWS_ENDPOINT_MAX];
    bool own;
    assert_ok(aws_endpoint(NULL, "ecr", "eu-west-1", url, &own, &e));
    assert_string_equal(url, "https://api.ecr.eu-west-1.amazonaws.com");
    assert_false(own);
    assert_ok(aws_endpoint(NULL, "sts", "cn-north-1", url, &own, &e));
    assert_string_equal(url, "https://sts.cn-north-1.amazonaws.com.cn");
    assert_int_equal(aws_endpoint(NULL, "sts", "x.example/", url, &own, &e), ERR_USAGE);
    assert_int_equal(aws_endpoint(NULL, "sts", NULL, url, &own, &e), ERR_USAGE);
    setenv("AWS_ENDPOINT_URL", "http://environment", 1);
    setenv("AWS_ENDPOINT_URL_ECR", "http://ecr//", 1);
    assert_ok(aws_endpoint(NULL, "ecr", NULL, url, &own, &e));
    assert_string_equal(url, "http://ecr");
    assert_ok(aws_endpoint(NULL, "s3", NULL, url, &own, &e));
    assert_string_equal(url, "http://environment");
    assert_true(own);
    assert_ok(aws_endpoint(&given, "ecr", NULL, url, &own, &e));
    assert_string_equal(url, "http://all");
    assert_ok(aws_endpoint(&given, "sts", NULL, url, &own, &e));
    assert_string_equal(url, "https://own");
    setenv("AWS_ENDPOINT_URL", "ftp://x", 1);
    assert_int_equal(aws_endpoint(NULL, "s3", NULL, url, &own, &e), ERR_USAGE);
}

static void times_and_addresses(void **state)
{
    assert_int_equal(aws_time_parse(STR("2015-08-30T12:36:00Z")), 1440938160);
    assert_int_equal(aws_time_parse(STR("2015-08-30T12:36:00.123Z")), 1440938160);
    assert_int_equal(aws_time_parse(STR("2015-08-30 12:36:00Z")), -1);
    assert_int_equal(aws_time_parse(STR("2015-08-30T12:36:00")), -1);
    assert_int_equal(aws_time_parse(STR("")), -1);
    assert_true(aws_container_url_ok(STR("http://169.254.170.2/v2/x")));
    assert_true(aws_container_url_ok(STR("http://169.254.170.23/v1/credentials")));
    assert_true(aws_container_url_ok(STR("http://[fd00:ec2::23]/v1")));
    assert_true(aws_container_url_ok(STR("http://localhost:80/")));
    assert_true(aws_container_url_ok(STR("https://agent.example/")));
    assert_false(aws_container_url_ok(STR("http://agent.example/")));
    assert_false(aws_container_url_ok(STR("http://169.254.169.254/")));
    assert_false(aws_container_url_ok(STR("http://localhost@agent.example/")));
    assert_false(aws_container_url_ok(STR("http://agent.example#@localhost/")));
    assert_false(aws_container_url_ok(STR("file:///etc/passwd")));
}

/* ---- places of keys */

static void places_in_order(void **state)
{
    struct aws_keys k;
    setenv("AWS_EC2_METADATA_DISABLED", "", 1);
    setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", at("ec2/"), 1);
    assert_string_equal(found(NULL, &k), "EC2");
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", at("ecs"), 1);
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "wrong", 1);
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file("agent", "agent-token\n"), 1);
    assert_true(str_starts(str_z(found(NULL, &k)), STR("ECS")));
    assert_string_equal(k.session_token, "session");
    assert_true(k.expires > time(NULL) + 3000);
    setenv("AWS_SHARED_CREDENTIALS_FILE",
           file("credentials", "[default]\naws_access_key_id=FILE\naws_secret_access_key=s\n"
                               "[ci]\naws_access_key_id=CI\naws_secret_access_key=s\n"),
           1);
    assert_string_equal(found(NULL, &k), "FILE");
    setenv("AWS_PROFILE", "ci", 1);
    assert_string_equal(found(NULL, &k), "CI");
    setenv("AWS_ENDPOINT_URL_STS", at("sts"), 1);
    setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file("jwt", "the.jwt\n"), 1);
    setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/web", 1);
    assert_string_equal(found(NULL, &k), "WEB");
    assert_string_equal(k.secret_key, "a<b");
    setenv("AWS_ACCESS_KEY_ID", "ENVIRONMENT", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "s", 1);
    assert_string_equal(found(NULL, &k), "ENVIRONMENT");
    const struct aws_provider_options given = {.access_key = "GIVEN", .secret_key = "s"};
    assert_string_equal(found(&given, &k), "GIVEN");
    const struct aws_provider_options named = {.profile = "default"};
    assert_string_equal(found(&named, &k), "FILE");
}

static void roles(void **state)
{
    struct aws_keys k;
    struct aws_provider_options o = {.access_key = "A",
                                     .secret_key = "s",
                                     .role_arn = "arn:aws:iam::1:role/r",
                                     .endpoints = {.sts = at("sts")}};
    assert_string_equal(found(&o, &k), "ROLE-A-none");
    o.external_id = "my id/1";
    assert_string_equal(found(&o, &k), "ROLE-A-my id/1");
    o.role_arn = "arn:aws:iam::1:role/denied";
    expect_refusal(&o, "role arn:aws:iam::1:role/denied: AccessDenied: not authorized to perform: "
                       "sts:AssumeRole & more");
    setenv("AWS_ENDPOINT_URL_STS", at("sts"), 1);
    setenv("AWS_CONFIG_FILE",
           file("config", "[default]\nrole_arn=arn:aws:iam::1:role/r\nsource_profile=base\n"
                          "external_id=x\n[profile base]\naws_access_key_id=BASE\n"
                          "aws_secret_access_key=s\n[profile a]\nrole_arn=r\nsource_profile=b\n"
                          "[profile b]\nrole_arn=r\nsource_profile=a\n"
                          "[profile env]\nrole_arn=r\ncredential_source=Environment\n"
                          "[profile sso]\nsso_session=s\n"),
           1);
    assert_string_equal(found(NULL, &k), "ROLE-BASE-x");
    const struct aws_provider_options circle = {.profile = "a"}, sso = {.profile = "sso"},
                                      env = {.profile = "env"}, none = {.profile = "none"};
    expect_refusal(&circle, "circle");
    expect_refusal(&sso, "single sign-on");
    expect_refusal(&none, "none");
    expect_refusal(&env, "credential_source Environment has no keys");
    setenv("AWS_ACCESS_KEY_ID", "ENV", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "s", 1);
    assert_string_equal(found(&env, &k), "ROLE-ENV-none");
}

static void what_is_broken_is_told(void **state)
{
    expect_refusal(NULL, "no AWS_ACCESS_KEY_ID in the environment; no AWS_WEB_IDENTITY_TOKEN_FILE; "
                         "no profile default with keys in ~/.aws; no "
                         "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI; the machine's "
                         "metadata are switched off");
    setenv("AWS_EC2_METADATA_DISABLED", "false", 1);
    setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1", 1);
    expect_refusal(NULL, "no metadata service of EC2 (http://127.0.0.1:1)");
    setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", at("ec2-without"), 1);
    expect_refusal(NULL, "this machine has no role");
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://agent.example/", 1);
    expect_refusal(NULL, "AWS_CONTAINER_CREDENTIALS_FULL_URI must be https");
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", at("ecs"), 1);
    expect_refusal(NULL, "the agent answers with HTTP 403");
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/nonexistent/token", 1);
    expect_refusal(NULL, "the token file /nonexistent/token cannot be read");
    unsetenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", at("ecs-nothing"), 1);
    expect_refusal(NULL, "the container agent gave no keys: NoRole");
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", at("ecs-old"), 1);
    expect_refusal(NULL, "have expired");
    setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file("jwt", "another.jwt"), 1);
    expect_refusal(NULL, "not AWS_ROLE_ARN");
    setenv("AWS_ROLE_ARN", "r", 1);
    setenv("AWS_ENDPOINT_URL_STS", at("sts"), 1);
    expect_refusal(NULL, "InvalidIdentityToken");
    setenv("AWS_ACCESS_KEY_ID", "A", 1);
    expect_refusal(NULL, "AWS_SECRET_ACCESS_KEY is not set");
    setenv("AWS_SECRET_ACCESS_KEY", "s", 1);
    setenv("AWS_SESSION_TOKEN", "two words", 1);
    expect_refusal(NULL, "blanks or control characters");
}

static void *get_in_thread(void *p)
{
    struct aws_keys *k = malloc(sizeof *k);
    struct err own = {0};
    bool ok =
        k && aws_provider_get(p, k, &own) == 0 && str_starts(str_z(k->access_key), STR("ECS"));
    free(k);
    return ok ? p : NULL;
}

static void one_asks_for_all(void **state)
{
    pthread_t threads[16];
    struct aws_provider *p;
    unsigned before = asked("ecs");
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", at("ecs"), 1);
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "agent-token", 1);
    assert_ok(aws_provider_new(&(struct aws_provider_options){0}, &p, &e));
    for (size_t i = 0; i < KE_ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, get_in_thread, p), 0);
    for (size_t i = 0; i < KE_ARRAY_LEN(threads); i++) {
        void *ok;
        pthread_join(threads[i], &ok);
        assert_non_null(ok);
    }
    assert_int_equal(asked("ecs"), before + 1);
    aws_provider_free(p);
}

static void old_keys_do_while_they_are_valid(void **state)
{
    struct aws_keys k;
    struct aws_provider *p;
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", at("ecs-short"), 1);
    assert_ok(aws_provider_new(&(struct aws_provider_options){0}, &p, &e));
    assert_ok(aws_provider_get(p, &k, &e));
    int64_t end = k.expires;
    while (time(NULL) < end - 6) { /* in the second half of their life they are renewed, in vain */
        usleep(50000);
        assert_ok(aws_provider_get(p, &k, &e));
        assert_string_equal(k.access_key, "SHORT");
    }
    aws_provider_refused(p, &k);
    while (time(NULL) < end)
        usleep(50000);
    assert_int_equal(aws_provider_get(p, &k, &e), ERR_AUTH);
    aws_provider_free(p);
}

/* ---- calls */

static int login(const char *path, struct aws_ecr_login *out)
{
    struct aws_provider *p;
    struct aws_ecr_host h;
    const struct aws_provider_options o = {
        .access_key = "A", .secret_key = "s", .endpoints = {.ecr = at(path)}};
    e = (struct err){0};
    assert_true(aws_ecr_host_parse(STR("123456789012.dkr.ecr.us-east-1.amazonaws.com"), &h));
    assert_ok(aws_provider_new(&o, &p, &e));
    int rc = aws_ecr_login(p, &h, out, &e);
    aws_provider_free(p);
    return rc;
}

static void logins(void **state)
{
    static const struct {
        const char *path;
        int rc;
        const char *says;
    } cases[] = {
        {"ecr", 0, ""},
        {"ecr-busy", 0, ""},
        {"ecr-expired", 0, ""},
        {"ecr-skew", 0, ""},
        {"ecr-always-busy", ERR_NET, "HTTP 503"},
        {"ecr-denied", ERR_AUTH, "AccessDeniedException: User is not authorized\\n\\x1b[2J"},
        {"ecr-always-skewed", ERR_AUTH, "is this machine's clock right?"},
        {"ecr-moved", ERR_USAGE, ""},
        {"ecr-nonsense", ERR_AUTH, "no usable token"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct aws_ecr_login l;
        int rc = login(cases[i].path, &l);
        if (rc != cases[i].rc || !strstr(e.text, cases[i].says))
            fail_msg("%s: %d \"%s\"", cases[i].path, rc, e.text);
        if (rc == 0) {
            assert_string_equal(l.user, "AWS");
            assert_string_equal(l.password, "the-password");
            assert_true(l.expires > time(NULL) + 43000);
        }
    }
    assert_int_equal(asked("ecr-busy"), 3);
    assert_int_equal(asked("ecr-expired"), 2);
    assert_int_equal(asked("ecr-always-busy"), 4);
    assert_int_equal(asked("ecr-denied"), 1);
    assert_int_equal(asked("stolen"), 0);
}

static void no_token_for_strangers(void **state)
{
    struct aws_provider *p;
    struct aws_ecr_host h;
    struct aws_ecr_login l;
    const struct aws_provider_options o = {
        .access_key = "A", .secret_key = "s", .endpoints = {.ecr = at("ecr")}};
    unsigned before = asked("ecr");
    assert_true(aws_ecr_host_parse(STR("123456789012.dkr.ecr.us-east-1.example"), &h));
    assert_ok(aws_provider_new(&o, &p, &e));
    assert_int_equal(aws_ecr_login(p, &h, &l, &e), ERR_AUTH);
    aws_provider_free(p);
    assert_int_equal(asked("ecr"), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(xml_texts, clean),
        cmocka_unit_test_setup(profiles, clean),
        cmocka_unit_test_setup(hosts_of_ecr, clean),
        cmocka_unit_test_setup(endpoints, clean),
        cmocka_unit_test_setup(times_and_addresses, clean),
        cmocka_unit_test_setup(places_in_order, clean),
        cmocka_unit_test_setup(roles, clean),
        cmocka_unit_test_setup(what_is_broken_is_told, clean),
        cmocka_unit_test_setup(one_asks_for_all, clean),
        cmocka_unit_test_setup(old_keys_do_while_they_are_valid, clean),
        cmocka_unit_test_setup(logins, clean),
        cmocka_unit_test_setup(no_token_for_strangers, clean),
    };
    snprintf(dir, sizeof dir, "/tmp/kellet-aws-XXXXXX");
    if (!mkdtemp(dir) || !server_start(&server, "net/aws_server.py"))
        return 77;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    server_stop(&server);
    static const char *const files[] = {"agent", "credentials", "jwt", "config"};
    for (size_t i = 0; i < KE_ARRAY_LEN(files); i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        unlink(path);
    }
    rmdir(dir);
    return failed;
}
