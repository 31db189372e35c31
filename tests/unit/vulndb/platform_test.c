/* os-release and OSV ecosystem strings to platform names. */
#include "unit.h"

#include "base/buf.h"
#include "vulndb/platform.h"

static void names(void **state)
{
    static const struct {
        const char *id, *version, *codename, *want, *stand_in;
    } rows[] = {
        {"debian", "12", "bookworm", "debian:12", ""},
        {"debian", "12.4", "", "debian:12", ""},
        {"debian", "", "trixie", "debian:13", ""},
        {"debian", "", "trixie/sid", "debian:13", ""},
        {"debian", "", "sid", "debian:unstable", ""},
        {"debian", "", "", "debian:unstable", ""},
        {"ubuntu", "22.04", "jammy", "ubuntu:22.04", ""},
        {"ubuntu", "", "jammy", "ubuntu:22.04", ""},
        {"alpine", "3.18.4", "", "alpine:3.18", ""},
        {"alpine", "v3.18", "", "alpine:3.18", ""},
        {"alpine", "3.21.0_alpha20240807", "", "alpine:edge", ""},
        {"alpine", "", "", "alpine", ""},
        {"wolfi", "20230201", "", "wolfi", ""},
        {"rhel", "9.4", "", "rhel:9", ""},
        {"centos", "7", "", "centos:7", "rhel:7"},
        {"rocky", "9.3", "", "rocky:9", ""},
        {"ol", "8.9", "", "ol:8", ""},
        {"oracle", "8.9", "", "ol:8", ""},
        {"amzn", "2023", "", "amzn:2023", ""},
        {"amzn", "2018.03", "", "amzn:1", ""},
        {"sles", "15.5", "", "sles:15.5", ""},
        {"sles_sap", "15.5", "", "sles:15.5", ""},
        {"opensuse-leap", "15.6", "", "opensuse-leap:15.6", ""},
        {"opensuse-tumbleweed", "20240101", "", "opensuse-tumbleweed", ""},
        {"photon", "5.0", "", "photon:5.0", ""},
        {"mariner", "2.0.20240101", "", "azurelinux:2", ""},
        {"azurelinux", "3.0", "", "azurelinux:3", ""},
        {"arch", "", "", "arch", ""},
        {"manjaro", "", "", "manjaro", "arch"},
        {"openEuler", "22.03", "22.03 (LTS-SP3)", "openeuler:22.03-LTS-SP3", ""},
        {"raspbian", "11", "bullseye", "raspbian:11", "debian:11"},
        {"devuan", "5", "daedalus", "devuan:5", "debian:12"},
        {"devuan", "", "daedalus", "devuan:5", "debian:12"},
        {"devuan", "99", "", "devuan:99", ""},
        {"kali", "2024.1", "kali-rolling", "kali", "debian:unstable"},
        {"linuxmint", "21.3", "virginia", "linuxmint:21", "ubuntu:22.04"},
        {"postmarketos", "v23.12", "", "postmarketos:23.12", "alpine:3.19"},
        {"postmarketos", "edge", "", "postmarketos:edge", "alpine:edge"},
        {"pop", "22.04", "jammy", "pop:22.04", "ubuntu:22.04"},
        {"debian", "12 \"; rm", "", "debian:12", ""},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        const struct distro_family *f = distro_find(str_z(rows[i].id));
        assert_non_null(f);
        auto_buf b, parent;
        buf_init(&b, 1024);
        buf_init(&parent, 1024);
        platform_name(f, str_z(rows[i].version), str_z(rows[i].codename), &b);
        assert_str(buf_view(&b), str_z(rows[i].want));
        bool has =
            platform_claims_from(f, str_z(rows[i].version), str_z(rows[i].codename), &parent);
        assert_str(buf_view(&parent), str_z(rows[i].stand_in));
        assert_int_equal(has, *rows[i].stand_in != 0);
    }
}

static void finds(void **state)
{
    assert_null(distro_find(STR("plan9")));
    assert_null(distro_find(STR("")));
    assert_string_equal(distro_resolve(STR("nobara"), STR("rhel centos fedora"))->id, "rhel");
    assert_string_equal(distro_resolve(STR("x"), STR("  y debian"))->id, "debian");
    assert_null(distro_resolve(STR("x"), STR("y z")));
    for (const struct distro_family *f = distro_families; f->id; f++) {
        assert_ptr_equal(distro_find(str_z(f->id)), f);
        if (f->claims_from)
            assert_non_null(distro_find(str_z(f->claims_from)));
        if (f != distro_families)
            assert_true(strcmp(f[-1].id, f->id) < 0);
    }
}

static void osv(void **state)
{
    static const struct {
        const char *osv, *platform, *channel; /* platform NULL: not a distribution's release */
    } rows[] = {
        {"Debian:12", "debian:12", ""},
        {"Debian", NULL, ""},
        {"Alpine:v3.18", "alpine:3.18", ""},
        {"Alpine:edge", "alpine:edge", ""},
        {"Ubuntu:22.04:LTS", "ubuntu:22.04", ""},
        {"Ubuntu:25.10", "ubuntu:25.10", ""},
        {"Ubuntu:Pro:18.04:LTS", "ubuntu:18.04", "pro"},
        {"Ubuntu:Pro:FIPS-updates:20.04:LTS", "ubuntu:20.04", "fips-updates"},
        {"Ubuntu:Pro:Realtime:22.04:LTS", "ubuntu:22.04", "realtime"},
        {"AlmaLinux:8", "almalinux:8", ""},
        {"AlmaLinux", NULL, ""},
        {"Rocky Linux:9", "rocky:9", ""},
        {"Red Hat:enterprise_linux:9::appstream", "rhel:9", ""},
        {"Red Hat:rhel_eus:9.4::baseos", "rhel:9.4", "eus"},
        {"Red Hat:openshift:4.14::el9", "rhel:9", "openshift"},
        {"Red Hat:openshift:4.14", NULL, "openshift"},
        {"SUSE:Linux Enterprise Server 15 SP5", "sles:15.5", ""},
        {"SUSE:Linux Enterprise Module for Basesystem 15 SP5", "sles:15.5", ""},
        {"SUSE:Linux Enterprise Server 12 SP5-LTSS", "sles:12.5", "ltss"},
        {"SUSE:Linux Enterprise Server 15", "sles:15", ""},
        {"SUSE:Linux Enterprise Micro 5.5", "sle-micro:5.5", ""},
        {"SUSE:Manager Server 4.3", NULL, ""},
        {"openSUSE:Leap 15.6", "opensuse-leap:15.6", ""},
        {"openSUSE:Tumbleweed", "opensuse-tumbleweed", ""},
        {"openSUSE:Leap Micro 5.5", "opensuse-leap-micro:5.5", ""},
        {"Mageia:9", "mageia:9", ""},
        {"openEuler:22.03-LTS", "openeuler:22.03-LTS", ""},
        {"openEuler:22.03-LTS-SP3", "openeuler:22.03-LTS-SP3", ""},
        {"Wolfi", "wolfi", ""},
        {"Chainguard", "chainguard", ""},
        {"Photon OS:5.0", "photon:5.0", ""},
        {"Azure Linux:3", "azurelinux:3", ""},
        {"Echo", "echo", ""},
        {"MinimOS", "minimos", ""},
        {"PyPI", NULL, ""},
        {"Alpine:nonsense", NULL, ""},
        {"", NULL, ""},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        const struct distro_family *f;
        auto_buf platform, channel;
        buf_init(&platform, 1024);
        buf_init(&channel, 1024);
        bool is = platform_from_osv(str_z(rows[i].osv), &f, &platform, &channel);
        if (is != (rows[i].platform != NULL))
            fail_msg("%s: %d", rows[i].osv, is);
        if (!is)
            continue;
        assert_str(buf_view(&platform), str_z(rows[i].platform));
        assert_str(buf_view(&channel), str_z(rows[i].channel));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(finds),
        cmocka_unit_test(osv),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
