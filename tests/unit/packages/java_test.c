/* Java archives: what they are, what is in them, and what must not be done with them. */
#include "unit.h"

#include "facts_text.h"
#include "packages/java.h"
#include "zip_build.h"

static void file_names(void **state)
{
    static const struct {
        const char *file, *name, *version;
    } rows[] = {
        {"log4j-1.2-api-2.14.1.jar", "log4j-1.2-api", "2.14.1"},
        {"guava-28.0-jre.jar", "guava", "28.0-jre"},
        {"bcprov-jdk15on-1.60.jar", "bcprov-jdk15on", "1.60"},
        {"kafka_2.13-3.4.0.jar", "kafka_2.13", "3.4.0"},
        {"jackson-datatype-jdk8-2.9.8.jar", "jackson-datatype-jdk8", "2.9.8"},
        {"netty-epoll-4.1.60.Final-linux-x86_64.jar", "netty-epoll", "4.1.60.Final"},
        {"a-1.0-beta-2.jar", "a", "1.0-beta-2"},
        {"a-1.0-SNAPSHOT.war", "a", "1.0-SNAPSHOT"},
        {"a-1.0-20210101.120000-1.jar", "a", "1.0-20210101.120000-1"},
        {"a-2.14.1-shaded.jar", "a", "2.14.1"},
        {"org.eclipse.osgi_3.13.0.v2018.jar", "org.eclipse.osgi", "3.13.0.v2018"},
        {"zstd-jni-1.4.5-6.jar", "zstd-jni", "1.4.5-6"},
        {"app.jar", "app", ""},
        {"-1.0.jar", "-1.0", ""},
        {"a-.jar", "a-", ""},
        {".jar", ".jar", ""},
        {"", "", ""},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        str name, version;
        bool split = java_file_name_split(str_z(rows[i].file), &name, &version);
        assert_str(name, str_z(rows[i].name));
        assert_str(version, str_z(rows[i].version));
        assert_int_equal(split, rows[i].version[0] != 0);
    }
}

static void manifests(void **state)
{
    static const struct {
        const char *text, *title, *version;
    } rows[] = {
        {"Manifest-Version: 1.0\r\nImplementation-Title: a-lo\r\n ng-one\r\n\r\nName: x\r\n"
         "Implementation-Version: 9\r\n",
         "a-long-one", ""},
        {"implementation-title: a\rIMPLEMENTATION-VERSION: 1.0\r", "a", "1.0"},
        {"\n\nImplementation-Version: ${project.version}\nImplementation-Title:\n", "", ""},
        {"\xEF\xBB\xBFImplementation-Title: bom", "bom", ""},
        {"Implementation-Title: first\nImplementation-Title: second\n", "first", ""},
        {" starts with nothing\n: no key\nno colon\nImplementation-Title: a", "a", ""},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        struct arena a;
        struct err e = {0};
        struct java_manifest m = {0};
        arena_init(&a, 1 << 20);
        assert_ok(java_manifest_parse(str_z(rows[i].text), &a, &m, &e));
        assert_str(m.values[JAVA_IMPLEMENTATION_TITLE], str_z(rows[i].title));
        assert_str(m.values[JAVA_IMPLEMENTATION_VERSION], str_z(rows[i].version));
        arena_done(&a);
    }
}

#define MANIFEST(text)                                                                             \
    {                                                                                              \
        .name = STR_INIT("META-INF/MANIFEST.MF"), .content = STR_INIT(text)                        \
    }
#define POM(g, a, v)                                                                               \
    {                                                                                              \
        .name = STR_INIT("META-INF/maven/" g "/" a "/pom.properties"),                             \
        .content = STR_INIT("#made\nversion=" v "\ngroupId=" g "\nartifactId=" a "\n"),            \
        .deflate = true                                                                            \
    }

static void identities(void **state)
{
    static const struct {
        const char *path;
        struct zb_member m[3];
        const char *want;
    } rows[] = {
        {"l/a-1.0.jar", {{}}, "a 1.0"},
        {"l/a.jar", {{}}, ""},
        {"l/spring-core-5.3.12.jar", {{}}, "org.springframework:spring-core 5.3.12"},
        {"l/hibernate-core-6.1.0.Final.jar", {{}}, "org.hibernate.orm:hibernate-core 6.1.0.Final"},
        {"l/a-1.0.jar", {POM("g.h", "a", "1.0")}, "g.h:a 1.0"},
        {"l/app.jar", {POM("g.h", "a", "1.0")}, "g.h:a 1.0"},
        {"l/a-1.0.jar",
         {POM("x", "shaded", "3"), POM("g", "a", "1.0")},
         "g:a 1.0; x:shaded 3 @l/a-1.0.jar:META-INF/maven/x/shaded/pom.properties"},
        {"l/a-1.0.jar",
         {POM("x", "shaded", "3")},
         "a 1.0; x:shaded 3 @l/a-1.0.jar:META-INF/maven/x/shaded/pom.properties"},
        {"l/a-b-1.0-all.jar",
         {POM("x", "a", "3"), POM("g", "a-b", "1.0")},
         "g:a-b 1.0; x:a 3 @l/a-b-1.0-all.jar:META-INF/maven/x/a/pom.properties"},
        {"l/a-1.0.jar", {POM("g", "a", "${revision}")}, "g:a 1.0"},
        {"l/a-1.0.jar",
         {{.name = STR_INIT("META-INF/maven/g/a/pom.xml"), .content = STR_INIT("<project/>")}},
         "g:a 1.0"},
        {"l/catalina.jar",
         {MANIFEST("Bundle-SymbolicName: org.apache.tomcat-catalina\nImplementation-Title: Apache "
                   "Tomcat\nImplementation-Version: 9.0.50\n")},
         "org.apache.tomcat:tomcat-catalina 9.0.50"},
        {"l/tool.jar",
         {MANIFEST("Implementation-Title: the-tool\nImplementation-Version: 2.1 (r7)\n")},
         "the-tool 2.1"},
        {"l/x-2.0.jar",
         {MANIFEST("Bundle-SymbolicName: com.example.x;singleton:=true\n")},
         "com.example:x 2.0"},
        {"l/org.example.a.b-1.0.jar",
         {MANIFEST("Bundle-SymbolicName: org.example.a.b\n")},
         "org.example.a:org.example.a.b 1.0"},
        {"l/org.example.a-1.0.jar",
         {MANIFEST("Bundle-SymbolicName: org.example.a\n")},
         "org.example.a:org.example.a 1.0"},
        {"l/x-2.0.jar", {MANIFEST("Implementation-Vendor-Id: com.example\n")}, "com.example:x 2.0"},
        {"p/git.hpi",
         {MANIFEST("Short-Name: git\nPlugin-Version: 4.8.2 (private)\nGroup-Id: "
                   "org.jenkins-ci.plugins\n")},
         "org.jenkins-ci.plugins:git 4.8.2"},
        {"l/guice.jar",
         {MANIFEST("Bundle-SymbolicName: com.google.inject\nBundle-Version: 4.2.3\n"),
          POM("cglib", "cglib", "3.2.12")},
         "com.google.inject:guice 4.2.3; cglib:cglib 3.2.12 "
         "@l/guice.jar:META-INF/maven/cglib/cglib/pom.properties"},
        {"l/some-interceptor-3.0-spec.jar",
         {POM("g", "some-interceptor_3.0_spec", "1.0.1")},
         "g:some-interceptor_3.0_spec 1.0.1"},
        {"l/x.jar",
         {MANIFEST("Implementation-Title: own\n"), POM("a", "other", "2"), POM("g", "own", "1")},
         "g:own 1; a:other 2 @l/x.jar:META-INF/maven/a/other/pom.properties"},
        {"l/WEIRD-1.JAR", {{}}, "WEIRD 1"},
        {"l/a-1.0.jar",
         {{.name = STR_INIT("META-INF/MANIFEST.MF"), .content = STR_INIT("x: y"), .flags = 1}},
         "a 1.0; !unsupported"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        size_t n = 0;
        auto_buf archive, got;
        buf_init(&archive, 1 << 20);
        buf_init(&got, 1 << 16);
        while (n < 3 && rows[i].m[n].name.n)
            n++;
        zb_build(&archive, rows[i].m, n, NULL);
        facts_text_of(rows[i].path, buf_view(&archive), 0, &got);
        if (!str_eq(buf_view(&got), str_z(rows[i].want)))
            fail_msg("row %zu, %s: got \"%s\", want \"%s\"", i, rows[i].path, buf_z(&got),
                     rows[i].want);
    }
}

/* Archives in archives, stored and compressed, behind a shell script; one of them broken. */
static void nested(void **state)
{
    auto_buf inner, middle, outer, got;
    buf_init(&inner, 1 << 20);
    buf_init(&middle, 1 << 20);
    buf_init(&outer, 1 << 20);
    buf_init(&got, 1 << 16);
    static const struct zb_member in_inner[] = {POM("g", "in", "1.0")};
    zb_build(&inner, in_inner, 1, NULL);
    const struct zb_member in_middle[] = {
        {.name = STR("WEB-INF/lib/in-1.0.jar"), .content = buf_view(&inner), .deflate = true},
        {.name = STR("WEB-INF/lib/bad-3.jar"), .content = STR("no archive at all")},
    };
    zb_build(&middle, in_middle, 2, NULL);
    const struct zb_member in_outer[] = {
        {.name = STR("m-2.0.war"), .content = buf_view(&middle)},
        {.name = STR("x-4.jar/"), .content = STR("")},
    };
    zb_build(&outer, in_outer, 2, &(struct zb_options){.leading = STR("#!/bin/sh\nexit\n")});
    facts_text_of("o-9.ear", buf_view(&outer), 0, &got);
    assert_str(buf_view(&got), STR("g:in 1.0 @o-9.ear:m-2.0.war:WEB-INF/lib/in-1.0.jar; "
                                   "bad 3 @o-9.ear:m-2.0.war:WEB-INF/lib/bad-3.jar; "
                                   "m 2.0 @o-9.ear:m-2.0.war; o 9; !parse"));
}

static void nested_deep(void **state)
{
    auto_buf archive, got;
    buf_init(&archive, 1 << 24);
    buf_init(&got, 1 << 20);
    for (int i = 0; i < 100; i++) {
        auto_buf next;
        buf_init(&next, 1 << 24);
        const struct zb_member m[] = {
            {.name = STR("a.jar"), .content = buf_view(&archive), .deflate = i % 2}};
        zb_build(&next, m, i > 0, NULL);
        buf_clear(&archive);
        buf_add_str(&archive, buf_view(&next));
    }
    facts_text_of("deep-1.jar", buf_view(&archive), 0, &got);
    assert_str(buf_view(&got), STR("deep 1; !limit"));
}

/* Inner archives that inflate to gigabytes are refused before they are inflated. */
static void bombs(void **state)
{
    enum { SIZE = 64 << 20 };
    char *zeros = calloc(1, SIZE);
    struct zb_member m[5] = {};
    auto_buf archive, got;
    assert_non_null(zeros);
    buf_init(&archive, 1 << 24);
    buf_init(&got, 1 << 16);
    for (size_t i = 0; i < KE_ARRAY_LEN(m); i++) {
        static const char *const names[] = {"a-1.jar", "b-1.jar", "c-1.jar", "d-1.jar", "e-1.jar"};
        m[i] =
            (struct zb_member){.name = str_z(names[i]), .content = {zeros, SIZE}, .deflate = true};
    }
    zb_build(&archive, m, KE_ARRAY_LEN(m), NULL);
    facts_text_of("bomb-1.war", buf_view(&archive), 0, &got);
    str rest = buf_view(&got);
    size_t limits = 0, parses = 0;
    while (rest.n) {
        str part = str_trim(str_split(&rest, ';'));
        limits += str_eq(part, STR("!limit"));
        parses += str_eq(part, STR("!parse"));
    }
    assert_int_equal(parses, 4); /* 256 MiB of zeros are no archive */
    assert_int_equal(limits, 1);
    free(zeros);
}

/* Names longer than paths are made of their first bytes; the archive behind one is not read. */
static void long_names(void **state)
{
    static char name[60000];
    auto_buf archive, got;
    buf_init(&archive, 1 << 20);
    buf_init(&got, 1 << 20);
    memset(name, 'n', sizeof name);
    memcpy(name + sizeof name - 6, "-1.jar", 6);
    const struct zb_member m[] = {
        {.name = {name, sizeof name}, .content = STR("PK")},
        {.name = {name + sizeof name - 4000, 4000}, .content = STR("PK")}};
    zb_build(&archive, m, 2, NULL);
    facts_text_of("a-1.jar", buf_view(&archive), 0, &got);
    assert_true(str_ends(buf_view(&got), STR("-1.jar; a 1; !limit; !parse")));
}

/* The same small text a million times costs no more than what its file's size allows. */
static void many_texts(void **state)
{
    enum { N = 20000 };
    struct zb_member *m = calloc(N, sizeof *m);
    auto_buf archive, got;
    assert_non_null(m);
    buf_init(&archive, 1 << 24);
    buf_init(&got, 1 << 20);
    for (size_t i = 0; i < N; i++)
        m[i] = (struct zb_member){.name = STR("META-INF/MANIFEST.MF"), .content = STR("A: b\n")};
    zb_build(&archive, m, N, NULL);
    facts_text_of("a-1.jar", buf_view(&archive), 0, &got);
    assert_true(str_starts(buf_view(&got), STR("a 1; !limit; !limit")));
    free(m);
}

static void broken(void **state)
{
    static const struct row {
        const char *path, *content, *want;
    } rows[] = {
        {"a-1.0.jar", "", "a 1.0; !parse"},
        {"app.jar", "PK\3\4 and then nothing", "!parse"},
        {"song.kar", "MThd and notes", ""},
        {"n-1.nar", "PK\3\4 and then nothing", "n 1; !parse"},
        {"opt/app/META-INF/maven/g/a/pom.properties", "groupId=g\nartifactId=a\nversion=1\n",
         "g:a 1"},
        {"opt/app/META-INF/maven/g/a/pom.properties", "groupId=g\n", ""},
        {"opt/app/pom.properties", "groupId=g\nartifactId=a\nversion=1\n", ""},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        auto_buf got;
        buf_init(&got, 1 << 16);
        facts_text_of(rows[i].path, str_z(rows[i].content), 0, &got);
        assert_str(buf_view(&got), str_z(rows[i].want));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_names), cmocka_unit_test(manifests),   cmocka_unit_test(identities),
        cmocka_unit_test(nested),     cmocka_unit_test(nested_deep), cmocka_unit_test(bombs),
        cmocka_unit_test(many_texts), cmocka_unit_test(long_names),  cmocka_unit_test(broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
