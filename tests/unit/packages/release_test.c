/* Distro identity: each file's format, and which of several counts. */
#include "listing.h"

#include "packages/release.h"

/* path, content -> "id|version_id|codename|name" or NULL when it says nothing */
static const struct {
    const char *path, *text, *release;
    size_t problems;
} rows[] = {
    {"etc/os-release",
     "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian "
     "GNU/Linux\"\nVERSION_ID=\"12\"\n"
     "VERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n",
     "debian|12|bookworm|Debian GNU/Linux", 0},
    {"usr/lib/os-release", "ID='ubuntu'\nVERSION_ID='22.04'\nNAME=Ubuntu", "ubuntu|22.04||Ubuntu",
     0},
    {"etc/os-release", "# ID=no\n\n  ID = alpine  \r\nVERSION_ID=3.18.4\t# new\nID_LIKE\n=x\n",
     "alpine|3.18.4||", 0},
    {"etc/os-release", "ID=debian\nID=kali\nNAME=\"A \\\"B\\\" \\$C \\\\ \\`\"\n",
     "kali|||A \"B\" $C \\ `", 0},
    {"etc/os-release", "ID=\"openEuler\"\nVERSION_ID=\"22.03\"\n", "openeuler|22.03||", 0},
    {"etc/os-release", "ID=wolfi\nVERSION_ID=\"20230201", "wolfi|||", 1},
    {"etc/os-release", "NAME=Strange\n", "|||Strange", 1},
    {"etc/os-release", "", "|||", 1},
    {"etc/alpine-release", "3.18.4\n", "alpine|3.18.4||", 0},
    {"etc/alpine-release", "3.19_alpha20230901\n", "alpine|3.19_alpha20230901||", 0},
    {"etc/debian_version", "12.5\n", "debian|12.5||", 0},
    {"etc/debian_version", "bookworm/sid\n", "debian||bookworm|", 0},
    {"etc/debian_version", "\n", "debian|||", 0},
    {"etc/redhat-release", "Red Hat Enterprise Linux Server release 6.10 (Santiago)\n",
     "rhel|6.10|Santiago|Red Hat Enterprise Linux Server", 0},
    {"etc/redhat-release", "CentOS Linux release 7.9.2009 (Core)\n",
     "centos|7.9.2009|Core|CentOS Linux", 0},
    {"etc/redhat-release", "CentOS Stream release 8\n", "centos|8||CentOS Stream", 0},
    {"etc/redhat-release", "Fedora release 36 (Thirty Six)\n", "fedora|36|Thirty Six|Fedora", 0},
    {"etc/redhat-release", "Nobody Linux release 3.1\n", "nobody-linux|3.1||Nobody Linux", 0},
    {"etc/redhat-release", "\n", NULL, 0},
    {"etc/centos-release", "CentOS release 6.10 (Final)\n", "centos|6.10|Final|CentOS", 0},
    {"etc/oracle-release", "Oracle Linux Server release 7.9\n", "ol|7.9||Oracle Linux Server", 0},
    {"etc/rocky-release", "Rocky Linux release 8.5 (Green Obsidian)\n",
     "rocky|8.5|Green Obsidian|Rocky Linux", 0},
    {"etc/almalinux-release", "AlmaLinux release 9.3 (Shamrock Pampas Cat)\n",
     "almalinux|9.3|Shamrock Pampas Cat|AlmaLinux", 0},
    {"etc/system-release", "Amazon Linux release 2 (Karoo)\n", "amzn|2|Karoo|Amazon Linux", 0},
    {"etc/system-release", "Amazon Linux AMI release 2018.03\n", "amzn|2018.03||Amazon Linux AMI",
     0},
    {"etc/SuSE-release", "SUSE Linux Enterprise Server 11 (x86_64)\nVERSION = 11\nPATCHLEVEL = 4\n",
     "sles|11.4||SUSE Linux Enterprise Server", 0},
    {"etc/SuSE-release", "openSUSE 13.1 (x86_64)\nVERSION = 13.1\nCODENAME = Bottle\n",
     "opensuse|13.1|Bottle|openSUSE", 0},
    {"etc/lsb-release",
     "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=12.04\nDISTRIB_CODENAME=precise\n"
     "DISTRIB_DESCRIPTION=\"Ubuntu 12.04.5 LTS\"\n",
     "ubuntu|12.04|precise|Ubuntu", 0},
    {"etc/lsb-release", "LSB_VERSION=base-4.0-amd64\n", NULL, 0},
    {"etc/arch-release", "", "arch|||", 0},
    {"etc/gentoo-release", "Gentoo Base System release 2.14\n", "gentoo|2.14||Gentoo Base System",
     0},
    {"etc/photon-release", "VMware Photon OS 4.0\nPHOTON_BUILD_NUMBER=1526e30ba\n",
     "photon|4.0||VMware Photon OS", 0},
    {"etc/mariner-release", "CBL-Mariner 2.0.20220226\nMARINER_BUILD_NUMBER=x\n",
     "mariner|2.0.20220226||CBL-Mariner", 0},
    {"etc/slackware-version", "Slackware 14.2\n", "slackware|14.2||Slackware", 0},
    {"etc/openwrt_release", "DISTRIB_ID='OpenWrt'\nDISTRIB_RELEASE='23.05.2'\n",
     "openwrt|23.05.2||OpenWrt", 0},
    {"opt/etc/os-release", "ID=debian\n", NULL, 0},
    {"etc/os-releases", "ID=debian\n", NULL, 0},
};

static void test_files(void **state)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        struct facts f;
        auto_buf got;
        buf_init(&got, 4096);
        listing_facts(rows[i].path, str_z(rows[i].text), &f);
        if (f.releases.n) {
            const struct release_info *r = &f.releases.p[0];
            buf_addf(&got, "%.*s|%.*s|%.*s|%.*s", STR_ARG(r->id), STR_ARG(r->version_id),
                     STR_ARG(r->codename), STR_ARG(r->name));
            assert_str(r->path, str_z(rows[i].path));
        }
        assert_str(buf_view(&got), str_z(rows[i].release));
        if (f.problems.n != rows[i].problems)
            fail_msg("row %zu: %zu problems", i, f.problems.n);
        facts_done(&f);
    }
}

static const struct {
    struct cat_test_file files[4];
    const char *id, *version, *codename;
} systems[] = {
    {{{STR_INIT("etc/debian_version"), STR_INIT("bookworm/sid\n")},
      {STR_INIT("etc/lsb-release"), STR_INIT("DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=22.04\n")},
      {STR_INIT("usr/lib/os-release"), STR_INIT("ID=ubuntu\nVERSION_ID=22.04\n")}},
     "ubuntu",
     "22.04",
     ""},
    {{{STR_INIT("etc/debian_version"), STR_INIT("bookworm/sid\n")},
      {STR_INIT("etc/lsb-release"), STR_INIT("DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=12.04\n")}},
     "ubuntu",
     "12.04",
     ""},
    {{{STR_INIT("usr/lib/os-release"), STR_INIT("ID=debian\nNAME=Debian\n")},
      {STR_INIT("etc/debian_version"), STR_INIT("trixie/sid\n")}},
     "debian",
     "",
     "trixie"},
    {{{STR_INIT("usr/lib/os-release"), STR_INIT("ID=debian\n")},
      {STR_INIT("etc/debian_version"), STR_INIT("13.1\n")}},
     "debian",
     "13.1",
     ""},
    {{{STR_INIT("usr/lib/os-release"), STR_INIT("ID=a\n")},
      {STR_INIT("etc/os-release"), STR_INIT("ID=b\n")}},
     "b",
     "",
     ""},
    {{{STR_INIT("etc/redhat-release"), STR_INIT("Red Hat Enterprise Linux Server release 6.9\n")},
      {STR_INIT("etc/oracle-release"), STR_INIT("Oracle Linux Server release 6.9\n")}},
     "ol",
     "6.9",
     ""},
    {{{STR_INIT("etc/os-release"), STR_INIT("NAME=x\n")},
      {STR_INIT("etc/alpine-release"), STR_INIT("3.2.0\n")}},
     "alpine",
     "3.2.0",
     ""},
    {{{STR_INIT("etc/os-release"), STR_INIT("NAME=x\n")}}, "", "", ""},
};

static void test_choice(void **state)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(systems); i++) {
        struct err e = {0};
        struct facts f;
        struct release_info r;
        size_t n = 0;
        while (n < 4 && systems[i].files[n].path.n)
            n++;
        assert_ok(catalogue_files(systems[i].files, n, &f, &e));
        assert_true(release_resolve(f.releases.p, f.releases.n, &r));
        assert_str(r.id, str_z(systems[i].id));
        assert_str(r.version_id, str_z(systems[i].version));
        assert_str(r.codename, str_z(systems[i].codename));
        facts_done(&f);
    }
    struct release_info none;
    assert_false(release_resolve(NULL, 0, &none));
    assert_null(release_pick(NULL, 0));
}

static void test_too_large(void **state)
{
    enum { SIZE = 300 << 10 };
    autofree char *text = malloc(SIZE);
    memset(text, '\n', SIZE);
    struct facts f;
    listing_facts("etc/os-release", (str){text, SIZE}, &f);
    assert_int_equal(f.releases.n, 0);
    assert_int_equal(f.problems.n, 1);
    assert_str(f.problems.p[0].what, STR("limit"));
    facts_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
