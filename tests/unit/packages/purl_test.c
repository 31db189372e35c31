/* Package URLs: the specification's rules, and qualifiers as other tools write them. */
#include "unit.h"

#include "packages/package.h"

static const struct {
    const char *type, *group, *name, *version, *arch, *source, *source_version, *id, *id_version;
    const char *purl;
} rows[] = {
    {"deb", "", "bash", "5.2.15-2+b8", "amd64", "", "5.2.15-2", "debian", "12",
     "pkg:deb/debian/bash@5.2.15-2%2Bb8?arch=amd64&distro=debian-12&upstream=bash%405.2.15-2"},
    {"deb", "", "bsdutils", "1:2.38.1-5", "amd64", "util-linux", "2.38.1-5", "debian", "12",
     "pkg:deb/debian/bsdutils@1:2.38.1-5?arch=amd64&distro=debian-12&upstream=util-linux%"
     "402.38.1-5"},
    {"deb", "", "libc6", "2.36-9", "amd64", "glibc", "", "debian", "12",
     "pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12&upstream=glibc"},
    {"deb", "", "apt", "2.6.1", "amd64", "apt", "", "", "", "pkg:deb/apt@2.6.1?arch=amd64"},
    {"deb", "", "tar", "1~rc1", "", "", "", "debian", "", "pkg:deb/debian/tar@1~rc1?distro=debian"},
    {"apk", "", "busybox-binsh", "1.36.1-r15", "x86_64", "busybox", "", "alpine", "3.18.4",
     "pkg:apk/alpine/busybox-binsh@1.36.1-r15?arch=x86_64&distro=alpine-3.18.4&upstream=busybox"},
    {"rpm", "", "acl", "2.2.53-1.el8", "x86_64", "acl", "2.2.53-1.el8", "rhel", "8.4",
     "pkg:rpm/redhat/acl@2.2.53-1.el8?arch=x86_64&distro=rhel-8.4&"
     "upstream=acl-2.2.53-1.el8.src.rpm"},
    {"rpm", "", "perl-Encode", "4:3.0-1", "x86_64", "perl-Encode", "", "opensuse-leap", "15.4",
     "pkg:rpm/opensuse/perl-Encode@3.0-1?arch=x86_64&distro=opensuse-leap-15.4&epoch=4&"
     "upstream=perl-Encode-3.0-1.src.rpm"},
    {"rpm", "", "gpl", "0:1-1", "", "", "", "", "", "pkg:rpm/gpl@1-1?epoch=0"},
    {"npm", "", "@babel/core", "7.0.0", "", "", "", "debian", "12", "pkg:npm/%40babel/core@7.0.0"},
    {"npm", "", "JSONStream", "1.3.5", "", "", "", "", "", "pkg:npm/JSONStream@1.3.5"},
    {"python", "", "Zope_Interface_", "1.0+local", "", "", "", "", "",
     "pkg:pypi/zope-interface-@1.0%2Blocal"},
    {"gem", "", "nokogiri", "1.2.3", "", "", "", "", "", "pkg:gem/nokogiri@1.2.3"},
    {"java-archive", "org.apache", "batik-anim", "1.9.1", "", "", "", "", "",
     "pkg:maven/org.apache/batik-anim@1.9.1"},
    {"java-archive", "", "b", "", "", "", "", "", "", "pkg:generic/b"},
    {"jenkins-plugin", "org.jenkins-ci", "git", "4", "", "", "", "", "",
     "pkg:maven/org.jenkins-ci/git@4"},
    {"go-module", "", "github.com/BurntSushi/toml", "v1.0.0", "", "", "", "", "",
     "pkg:golang/github.com/BurntSushi/toml@v1.0.0"},
    {"go-module", "", "stdlib", "1.22.3", "", "", "", "", "", "pkg:golang/stdlib@1.22.3"},
    {"binary", "", "a b\xc3\xa9%/", "1", "", "", "", "", "", "pkg:generic/a%20b%C3%A9%25%2F@1"},
};

static void test_purls(void **state)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        struct package p = {
            .type = package_type_find(str_z(rows[i].type)),
            .group = str_z(rows[i].group),
            .name = str_z(rows[i].name),
            .version = str_z(rows[i].version),
            .arch = str_z(rows[i].arch),
            .source_name = str_z(rows[i].source),
            .source_version = str_z(rows[i].source_version),
        };
        assert_non_null(p.type);
        auto_buf out;
        buf_init(&out, 4096);
        package_purl(&p, str_z(rows[i].id), str_z(rows[i].id_version), &out);
        assert_true(buf_ok(&out));
        assert_str(buf_view(&out), str_z(rows[i].purl));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_purls)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
