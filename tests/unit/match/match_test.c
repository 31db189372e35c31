/* match_test.c - one row for each rule of matching: remove the rule and its row fails. */
#include "match_fixture.h"

#define V31 "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" /* 9.8 */
#define V2  "AV:N/AC:L/Au:N/C:P/I:P/A:P"                   /* 7.5 */

static const struct match_case cases[] = {
    {.name = "deb: by source name and source version",
     .distro = "debian",
     .version = "12",
     .claims = {{"debian", "CVE-1-1", "debian:12", "openssl", NULL, "3.0.9-2"},
                {"debian", "CVE-1-2", "debian:12", "openssl", NULL, "3.0.9-1"},
                {"debian", "CVE-1-3", "debian:12", "libssl3", NULL, "9"}},
     .packages = {{"deb", "libssl3", "3.0.9-1+b1", "openssl", "3.0.9-1"}},
     .want = "finding libssl3 CVE-1-1 Unknown fixed:3.0.9-2 by debian\n",
     .reason =
         "source package openssl (debian:12) is affected below 3.0.9-2; installed is 3.0.9-1"},
    {.name = "deb: the package is its own source",
     .distro = "debian",
     .version = "12.5",
     .claims = {{"debian", "CVE-1-1", "debian:12", "zlib", NULL, "1:1.3"}},
     .packages = {{"deb", "zlib", "1:1.2"}},
     .want = "finding zlib CVE-1-1 Unknown fixed:1:1.3 by debian\n"},
    {.name = "another release's claims do not count",
     .distro = "debian",
     .version = "12",
     .claims = {{"debian", "CVE-1-1", "debian:11", "a", NULL, "2"},
                {"debian", "CVE-1-2", "debian:12", "b", NULL, "2"}},
     .packages = {{"deb", "a", "1"}},
     .want = ""},
    {.name = "apk: by origin, and the package's own name is no source",
     .distro = "alpine",
     .version = "3.18.4",
     .claims = {{"alpine", "CVE-1-1", "alpine:3.18", "busybox", NULL, "1.36.1-r3", .scheme = "apk"},
                {"alpine", "CVE-1-2", "alpine:3.18", "ssl_client", NULL, "9", .scheme = "apk"}},
     .packages = {{"apk", "ssl_client", "1.36.1-r2", "busybox"}},
     .want = "finding ssl_client CVE-1-1 Unknown fixed:1.36.1-r3 by alpine\n"},
    {.name = "rpm: claims about binaries and about sources, each with its own version",
     .distro = "almalinux",
     .version = "9.3",
     .claims = {{"alma", "CVE-1-1", "almalinux:9", "bash-doc", NULL, "1:5.2", .of = PACKAGE_BINARY,
                 .scheme = "rpm-evr"},
                {"alma", "CVE-1-2", "almalinux:9", "bash", NULL, "1:5.2", .scheme = "rpm-evr"},
                {"alma", "CVE-1-3", "almalinux:9", "bash", NULL, "1:9", .of = PACKAGE_BINARY,
                 .scheme = "rpm-evr"},
                {"alma", "CVE-1-4", "almalinux:9", "bash", NULL, "1:5.1-1", .scheme = "rpm-evr"}},
     .packages = {{"rpm", "bash-doc", "1:5.1-1", "bash", "5.1-1"}},
     .want = "finding bash-doc CVE-1-1 Unknown fixed:1:5.2 by alma\n"
             "finding bash-doc CVE-1-2 Unknown fixed:1:5.2 by alma\n"},
    {.name = "rpm: modules",
     .distro = "almalinux",
     .version = "8",
     .claims = {{"alma", "CVE-1-1", "almalinux:8", "ruby", NULL, "9", .of = PACKAGE_BINARY,
                 .scheme = "rpm-evr", .module = "ruby:2.7"},
                {"alma", "CVE-1-2", "almalinux:8", "ruby", NULL, "9", .of = PACKAGE_BINARY,
                 .scheme = "rpm-evr", .module = "ruby:2"},
                {"alma", "CVE-1-3", "almalinux:8", "ruby", NULL, "9", .of = PACKAGE_BINARY,
                 .scheme = "rpm-evr", .module_none = true},
                {"alma", "CVE-1-4", "almalinux:8", "ruby", NULL, "9", .of = PACKAGE_BINARY,
                 .scheme = "rpm-evr"}},
     .packages = {{"rpm", "ruby", "2.7.8-1", .module = "ruby:2.7:8040020210:522a0ee4"}},
     .want = "finding ruby CVE-1-1 Unknown fixed:9 by alma\n"
             "finding ruby CVE-1-4 Unknown fixed:9 by alma\n"},
    {.name = "rpm: a package outside of modules",
     .distro = "almalinux",
     .version = "8",
     .claims = {{"alma", "CVE-1-1", "almalinux:8", "ruby", NULL, "9", .of = PACKAGE_BINARY,
                 .scheme = "rpm-evr", .module = "ruby:2.7"},
                {"alma", "CVE-1-3", "almalinux:8", "ruby", NULL, "9", .of = PACKAGE_BINARY,
                 .scheme = "rpm-evr", .module_none = true}},
     .packages = {{"rpm", "ruby", "2.7.8-1"}},
     .want = "finding ruby CVE-1-3 Unknown fixed:9 by alma\n"},
    {.name = "architectures, by any of their names; sources and noarch are all",
     .distro = "almalinux",
     .version = "8",
     .claims = {{"alma", "CVE-1-1", "almalinux:8", "a", NULL, "9", .arch = "x86_64,aarch64",
                 .of = PACKAGE_BINARY, .scheme = "rpm-evr"},
                {"alma", "CVE-1-2", "almalinux:8", "a", NULL, "9", .arch = "s390x",
                 .of = PACKAGE_BINARY, .scheme = "rpm-evr"},
                {"alma", "CVE-1-3", "almalinux:8", "a", NULL, "9", .arch = "src",
                 .of = PACKAGE_BINARY, .scheme = "rpm-evr"},
                {"alma", "CVE-1-4", "almalinux:8", "b", NULL, "9", .arch = "s390x",
                 .of = PACKAGE_BINARY, .scheme = "rpm-evr"}},
     .packages = {{"rpm", "a", "1", .arch = "amd64"}, {"rpm", "b", "1", .arch = "noarch"}},
     .want = "finding a CVE-1-1 Unknown fixed:9 by alma\n"
             "finding a CVE-1-3 Unknown fixed:9 by alma\n"
             "finding b CVE-1-4 Unknown fixed:9 by alma\n"},
    {.name = "channels that the package does not come from",
     .distro = "ubuntu",
     .version = "18.04",
     .claims = {{"ubuntu", "CVE-1-1", "ubuntu:18.04", "a", NULL, "2+esm1", .channel = "esm"}},
     .packages = {{"deb", "a", "1"}},
     .want = ""},
    {.name = "a channel's fix that is installed beats the base release",
     .distro = "ubuntu",
     .version = "18.04",
     .claims = {{"ubuntu", "CVE-1-1", "ubuntu:18.04", "a", .state = FIX_NOT_FIXED},
                {"ubuntu", "CVE-1-1", "ubuntu:18.04", "a", NULL, "1+esm1", .channel = "esm"},
                {"ubuntu", "CVE-1-2", "ubuntu:18.04", "a", .state = FIX_NOT_FIXED},
                {"ubuntu", "CVE-1-2", "ubuntu:18.04", "a", NULL, "1+esm3", .channel = "esm"}},
     .packages = {{"deb", "a", "1+esm2"}},
     .want = "finding a CVE-1-2 Unknown fixed:1+esm3 by ubuntu\n"
             "suppressed a CVE-1-1 not-affected\n"},
    {.name = "claims of the parent stand in for a rebuild without its own",
     .distro = "raspbian",
     .version = "12",
     .claims = {{"debian", "CVE-1-1", "debian:12", "a", NULL, "2"}},
     .packages = {{"deb", "a", "1"}},
     .want = "finding a CVE-1-1 Unknown fixed:2 by debian\n"},
    {.name = "a platform without data, packages of another distro, and no distro",
     .distro = "debian",
     .version = "10",
     .claims = {{"debian", "CVE-1-1", "debian:12", "a", NULL, "2"}},
     .packages = {{"deb", "a", "1"}, {"rpm", "b", "1"}},
     .want = "uncovered debian:10\nuncovered rpm packages on debian:10\n"},
    {.name = "no distro",
     .claims = {{"debian", "CVE-1-1", "debian:12", "a", NULL, "2"}},
     .packages = {{"deb", "a", "1"}, {"npm", "b", "1.0.0"}},
     .want = "uncovered deb packages of an unknown distribution\nuncovered npm\n"},
    {.name = "no data at all",
     .distro = "debian",
     .version = "12",
     .packages = {{"deb", "a", "1"}, {"python", "b", "1"}},
     .want = "uncovered PyPI\nuncovered debian:12\n"},
    {.name = "languages: normalised names",
     .claims = {{"osv", "GHSA-1", "PyPI", "zope-interface", NULL, "5.0", .scheme = "pep440"}},
     .packages = {{"python", "Zope.Interface", "4.9"}},
     .want = "finding Zope.Interface GHSA-1 Unknown fixed:5.0 by osv\n",
     .reason = "zope-interface (PyPI) is affected below 5.0; installed is 4.9"},
    {.name = "languages: Maven by group and artifact",
     .claims = {{"osv", "GHSA-1", "Maven", "org.x:lib", NULL, "2", .scheme = "maven"}},
     .packages = {{"java-archive", "lib", "1", .group = "org.x"},
                  {"java-archive", "lib", "1", .group = "org.y"},
                  {"java-archive", "lib", "1"}},
     .want = "finding lib GHSA-1 Unknown fixed:2 by osv\nunmatched lib gap\n"},
    {.name = "languages: Go modules and the standard library",
     .claims = {{"osv", "GO-1", "Go", "example.org/m", NULL, "1.2.0"},
                {"osv", "GO-2", "Go", "stdlib", NULL, "1.21.4"},
                {"osv", "GO-3", "Go", "stdlib", "1.22.0-0", "1.22.0-rc.2"},
                {"osv", "GO-4", "Go", "stdlib", NULL, "1.21.0"}},
     .packages = {{"go-module", "example.org/m", "v1.1.9"},
                  {"go-module", "example.org/main", "(devel)"},
                  {"go-module", "stdlib", "go1.21.3 X:boringcrypto"},
                  {"go-module", "stdlib", "go1.22rc1"},
                  {"go-module", "stdlib", "go1.21"}},
     .want = "finding example.org/m GO-1 Unknown fixed:1.2.0 by osv\n"
             "finding stdlib GO-2 Unknown fixed:1.21.4 by osv\n"
             "finding stdlib GO-2 Unknown fixed:1.21.4 by osv\n"
             "finding stdlib GO-3 Unknown fixed:1.22.0-rc.2 by osv\n"
             "unmatched example.org/main\n"},
    {.name = "versions that are not known, types that no data cover",
     .claims = {{"osv", "GHSA-1", "npm", "a"}},
     .packages = {{"npm", "a", ""}, {"binary", "node", "18.0.0"}},
     .want = "unmatched a gap\nunmatched node gap\n"},
    {.name = "withdrawn and rejected never match",
     .claims = {{"osv", "GHSA-1", "npm", "a"},
                {"osv", "GHSA-2", "npm", "a"},
                {"osv", "GHSA-3", "npm", "a", .state = FIX_WITHDRAWN}},
     .vulns = {{"osv", "GHSA-1", .status = VULN_WITHDRAWN},
               {"osv", "GHSA-2", .status = VULN_REJECTED}},
     .packages = {{"npm", "a", "1.0.0"}},
     .want = ""},
    {.name = "a CVE that the NVD rejected is taken back",
     .distro = "debian",
     .version = "12",
     .claims = {{"debian", "CVE-1-1", "debian:12", "a", NULL, "2"}},
     .vulns = {{"nvd", "CVE-1-1", .status = VULN_REJECTED}},
     .packages = {{"deb", "a", "1"}},
     .want = "suppressed a CVE-1-1 not-affected\n"},
    {.name = "aliases become one finding, called by its CVE; GHSA speaks",
     .claims = {{"osv", "PYSEC-1", "PyPI", "a", NULL, "2", .scheme = "pep440"},
                {"osv", "GHSA-1", "PyPI", "a", NULL, "3", .scheme = "pep440"}},
     .vulns = {{"osv", "PYSEC-1", .same = "GHSA-1", .severity = SEV_LOW},
               {"osv", "GHSA-1", .same = "CVE-1-1", .severity = SEV_HIGH},
               {"nvd", "CVE-1-1", .cvss = V31}},
     .packages = {{"python", "a", "1"}},
     .want = "finding a CVE-1-1 High/osv fixed:3 by osv =GHSA-1,PYSEC-1\n"},
    {.name = "aliases without a CVE go by the GHSA; related is not the same",
     .claims = {{"osv", "PYSEC-1", "PyPI", "a", NULL, "2", .scheme = "pep440"},
                {"osv", "GHSA-1", "PyPI", "a", NULL, "2", .scheme = "pep440"},
                {"osv", "GHSA-2", "PyPI", "a", NULL, "2", .scheme = "pep440"}},
     .vulns = {{"osv", "PYSEC-1", .same = "GHSA-1", .related = "CVE-9-9"},
               {"osv", "GHSA-2", .related = "GHSA-1,CVE-9-9"}},
     .packages = {{"python", "a", "1"}},
     .want = "finding a GHSA-1 Unknown fixed:2 by osv =PYSEC-1\n"
             "finding a GHSA-2 Unknown fixed:2 by osv\n"},
    {.name = "an advisory of a distribution stands for each CVE that it fixes",
     .distro = "almalinux",
     .version = "9",
     .claims = {{"alma", "ALSA-1", "almalinux:9", "a", NULL, "2", .of = PACKAGE_BINARY,
                 .scheme = "rpm-evr"}},
     .vulns = {{"alma", "ALSA-1", .related = "CVE-1-1,CVE-1-2", .severity = SEV_MEDIUM}},
     .packages = {{"rpm", "a", "1"}},
     .want = "finding a CVE-1-1 Medium/alma fixed:2 by alma =ALSA-1\n"
             "finding a CVE-1-2 Medium/alma fixed:2 by alma =ALSA-1\n"},
    {.name = "the vendor goes before others on its platform",
     .distro = "debian",
     .version = "12",
     .claims = {{"osv", "DSA-1", "debian:12", "a", NULL, "5", .severity = SEV_LOW},
                {"debian", "CVE-1-1", "debian:12", "a", NULL, "3", .severity = SEV_HIGH}},
     .vulns = {{"osv", "DSA-1", .same = "CVE-1-1"}},
     .packages = {{"deb", "a", "1"}},
     .want = "finding a CVE-1-1 High/debian fixed:3 by debian =DSA-1\n"},
    {.name = "not affected by the vendor beats affected by others",
     .distro = "debian",
     .version = "12",
     .claims = {{"osv", "DSA-1", "debian:12", "a", NULL, "5"},
                {"debian", "CVE-1-1", "debian:12", "a", .kind = CLAIM_UNAFFECTED,
                 .state = FIX_NOT_AFFECTED, .note = "code not present"}},
     .vulns = {{"osv", "DSA-1", .same = "CVE-1-1"}},
     .packages = {{"deb", "a", "1"}},
     .want = "suppressed a CVE-1-1 not-affected\n",
     .reason = "not affected: code not present"},
    {.name = "not affected by another does not beat affected by the vendor",
     .distro = "debian",
     .version = "12",
     .claims = {{"osv", "DSA-1", "debian:12", "a", .kind = CLAIM_UNAFFECTED,
                 .state = FIX_NOT_AFFECTED},
                {"debian", "CVE-1-1", "debian:12", "a", NULL, "5"}},
     .vulns = {{"osv", "DSA-1", .same = "CVE-1-1"}},
     .packages = {{"deb", "a", "1"}},
     .want = "finding a CVE-1-1 Unknown fixed:5 by debian =DSA-1\n"},
    {.name = "a vendor's fix that is installed beats affected by others",
     .distro = "debian",
     .version = "12",
     .claims = {{"osv", "DSA-1", "debian:12", "a", NULL, "5"},
                {"debian", "CVE-1-1", "debian:12", "a", NULL, "2"}},
     .vulns = {{"osv", "DSA-1", .same = "CVE-1-1"}},
     .packages = {{"deb", "a", "3"}},
     .want = "suppressed a CVE-1-1 not-affected\n",
     .reason = "is fixed in 2; installed is 3"},
    {.name = "not affected alone says nothing",
     .distro = "debian",
     .version = "12",
     .claims = {{"debian", "CVE-1-1", "debian:12", "a", .kind = CLAIM_UNAFFECTED,
                 .state = FIX_NOT_AFFECTED}},
     .packages = {{"deb", "a", "1"}},
     .want = ""},
    {.name = "about the binary beats about the source",
     .distro = "debian",
     .version = "12",
     .claims = {{"debian", "CVE-1-1", "debian:12", "src", NULL, "5"},
                {"debian", "CVE-1-1", "debian:12", "bin", .of = PACKAGE_BINARY,
                 .kind = CLAIM_UNAFFECTED, .state = FIX_NOT_AFFECTED}},
     .packages = {{"deb", "bin", "1", "src"}, {"deb", "other", "1", "src"}},
     .want = "finding other CVE-1-1 Unknown fixed:5 by debian\n"
             "suppressed bin CVE-1-1 not-affected\n"},
    {.name = "severity: the claim's own, its entry's, then others by rank",
     .distro = "debian",
     .version = "12",
     .claims = {{"debian", "CVE-1-1", "debian:12", "a", NULL, "2", .severity = SEV_NEGLIGIBLE},
                {"debian", "CVE-1-2", "debian:12", "a", NULL, "2"},
                {"debian", "CVE-1-3", "debian:12", "a", NULL, "2"},
                {"debian", "CVE-1-4", "debian:12", "a", NULL, "2"},
                {"debian", "CVE-1-5", "debian:12", "a", NULL, "2"}},
     .vulns = {{"debian", "CVE-1-1", .severity = SEV_HIGH},
               {"nvd", "CVE-1-1", .cvss = V31},
               {"debian", "CVE-1-2", .severity = SEV_MEDIUM},
               {"nvd", "CVE-1-2", .cvss = V31},
               {"nvd", "CVE-1-3", .cvss = V31},
               {"osv", "GHSA-3", .same = "CVE-1-3", .severity = SEV_LOW},
               {"nvd", "CVE-1-4", .cvss = V31},
               {"ubuntu", "CVE-1-4", .severity = SEV_LOW},
               {"nvd", "CVE-1-5", .cvss = V2}},
     .packages = {{"deb", "a", "1"}},
     .want = "finding a CVE-1-4 Critical/nvd fixed:2 by debian\n"
             "finding a CVE-1-5 High/nvd fixed:2 by debian\n"
             "finding a CVE-1-2 Medium/debian fixed:2 by debian\n"
             "finding a CVE-1-3 Low/osv fixed:2 by debian =GHSA-3\n"
             "finding a CVE-1-1 Negligible/debian fixed:2 by debian\n"},
    {.name = "known exploitation and EPSS join",
     .claims = {{"osv", "GHSA-1", "npm", "a", NULL, "2.0.0"}},
     .vulns = {{"osv", "GHSA-1", .same = "CVE-1-1"},
               {"kev", "CVE-1-1", .kev = true},
               {"epss", "CVE-1-1", .epss = 123456}},
     .packages = {{"npm", "a", "1.0.0"}},
     .want = "finding a CVE-1-1 Unknown fixed:2.0.0 by osv =GHSA-1 kev epss:123456\n"},
    {.name = "fixes: of the branch that is installed, all of them, in order",
     .claims = {{"osv", "GHSA-1", "npm", "a", "1.0.0", "1.5.0", .lo2 = "2.0.0", .hi2 = "2.3.0"},
                {"osv", "GHSA-2", "npm", "a", NULL, "2.10.0"},
                {"osv", "GHSA-3", "npm", "a", NULL, "2.9.0"},
                {"osv", "GHSA-4", "npm", "a", "1.0.0", "1.5.0", .lo2 = "2.0.0"}},
     .vulns = {{"osv", "GHSA-2", .same = "CVE-2-2"}, {"osv", "GHSA-3", .same = "CVE-2-2"}},
     .packages = {{"npm", "a", "2.1.0"}},
     .want = "finding a CVE-2-2 Unknown fixed:2.9.0,2.10.0 by osv =GHSA-2,GHSA-3\n"
             "finding a GHSA-1 Unknown fixed:2.3.0 by osv\n"
             "finding a GHSA-4 Unknown not-fixed by osv\n",
     .reason = "below 2."},
    {.name = "fix states of vendors are kept",
     .distro = "debian",
     .version = "12",
     .claims = {{"debian", "CVE-1-1", "debian:12", "a", .state = FIX_WONT_FIX, .note = "minor"},
                {"debian", "CVE-1-2", "debian:12", "a", .state = FIX_DEFERRED}},
     .packages = {{"deb", "a", "1"}},
     .want = "finding a CVE-1-1 Unknown wont-fix by debian\n"
             "finding a CVE-1-2 Unknown deferred by debian\n",
     .reason = "in every version; installed is 1 (minor)"},
    {.name = "language packages that a distro package installed, where the vendor tells all",
     .distro = "debian",
     .version = "12",
     .claims = {{"debian", "CVE-9-9", "debian:12", "x", NULL, "2"},
                {"osv", "GHSA-1", "PyPI", "requests", NULL, "3", .scheme = "pep440"}},
     .packages = {{"deb", "python3-requests", "2.28", "requests"},
                  {"python", "requests", "2.28", .owner = "python3-requests"},
                  {"python", "requests", "2.28", .path = "opt/x"}},
     .want = "finding requests GHSA-1 Unknown fixed:3 by osv\n"
             "suppressed requests GHSA-1 owned\n"},
    {.name = "... where the vendor publishes fixes only: those that it names",
     .distro = "alpine",
     .version = "3.18",
     .claims = {{"alpine", "CVE-1-1", "alpine:3.18", "py3-requests", NULL, "2.20-r0",
                 .scheme = "apk"},
                {"osv", "GHSA-1", "PyPI", "requests", NULL, "3", .scheme = "pep440"},
                {"osv", "GHSA-2", "PyPI", "requests", NULL, "3", .scheme = "pep440"}},
     .vulns = {{"osv", "GHSA-1", .same = "CVE-1-1"}},
     .packages = {{"apk", "py3-requests", "2.28-r0"},
                  {"python", "requests", "2.28", .owner = "py3-requests"}},
     .want = "finding requests GHSA-2 Unknown fixed:3 by osv\n"
             "suppressed requests CVE-1-1 owned\n"},
    {.name = "... and where there are no data for the distribution: nothing is taken back",
     .distro = "debian",
     .version = "9",
     .claims = {{"osv", "GHSA-1", "PyPI", "requests", NULL, "3", .scheme = "pep440"}},
     .packages = {{"python", "requests", "2.28", .owner = "python3-requests"}},
     .want = "finding requests GHSA-1 Unknown fixed:3 by osv\n"},
    {.name = "... whose data then are all that is needed",
     .distro = "debian",
     .version = "12",
     .claims = {{"debian", "CVE-1-1", "debian:12", "x", NULL, "2"}},
     .packages = {{"npm", "a", "1.0.0", .owner = "node-a"}, {"python", "b", "", .owner = "b"}},
     .want = ""},
    {.name = "a CVE is itself, whatever advisory holds it together with others",
     .distro = "debian",
     .version = "12",
     .claims = {{"debian", "CVE-1-1", "debian:12", "a", NULL, "2"}},
     .vulns = {{"osv", "GHSA-1", .same = "CVE-1-1,CVE-1-2"}},
     .packages = {{"deb", "a", "1"}},
     .want = "finding a CVE-1-1 Unknown fixed:2 by debian =GHSA-1\n"},
    {.name = "headers of the kernel",
     .distro = "debian",
     .version = "12",
     .claims = {{"debian", "CVE-1-1", "debian:12", "linux", NULL, "6.2"}},
     .packages = {{"deb", "linux-image-6.1", "6.1", "linux"},
                  {"deb", "linux-libc-dev", "6.1", "linux"}},
     .want = "finding linux-image-6.1 CVE-1-1 Unknown fixed:6.2 by debian\n"
             "suppressed linux-libc-dev CVE-1-1 headers\n"},
    {.name = "the same package twice is two findings from one judgement",
     .claims = {{"osv", "GHSA-1", "npm", "a", NULL, "2.0.0"}},
     .packages = {{"npm", "a", "1.0.0", .path = "x"}, {"npm", "a", "1.0.0", .path = "y"}},
     .want = "finding a GHSA-1 Unknown fixed:2.0.0 by osv\n"
             "finding a GHSA-1 Unknown fixed:2.0.0 by osv\n"},
};

static void test_rules(void **state)
{
    size_t failed = 0;
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct fixture f;
        auto_buf got;
        buf_init(&got, 1 << 20);
        fixture_make(&f, &cases[i]);
        fixture_render(&f, &got);
        if (!str_eq(buf_view(&got), str_z(cases[i].want))) {
            print_error("%s:\ngot:\n%.*swant:\n%s", cases[i].name, STR_ARG(buf_view(&got)),
                        cases[i].want);
            failed++;
        }
        str reason = f.findings->n              ? f.findings->items[0].reason
                     : f.findings->n_suppressed ? f.findings->suppressed[0].reason
                                                : STR("");
        if (cases[i].reason && !str_contains(reason, str_z(cases[i].reason))) {
            print_error("%s: reason \"%.*s\"\n", cases[i].name, STR_ARG(reason));
            failed++;
        }
        fixture_done(&f);
    }
    assert_int_equal(failed, 0);
}

/* The explanation says the same as the findings, for every id that they name. */
static void test_explain_agrees(void **state)
{
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct fixture f;
        struct err e = {0};
        fixture_make(&f, &cases[i]);
        for (size_t k = 0; f.db && k < f.findings->n; k++) {
            auto_buf text;
            buf_init(&text, 1 << 20);
            int rc = match_explain(f.db, &f.inv, f.findings->items[k].id, &text, &e);
            if (rc != 1 || !str_ends(buf_view(&text), STR("\nAFFECTED\n")))
                fail_msg("%s: %d\n%.*s", cases[i].name, rc, STR_ARG(buf_view(&text)));
        }
        for (size_t k = 0; k < f.findings->n_suppressed; k++) {
            auto_buf text;
            buf_init(&text, 1 << 20);
            assert_ok(match_explain(f.db, &f.inv, f.findings->suppressed[k].id, &text, &e));
            if (!str_contains(buf_view(&text), f.findings->suppressed[k].reason))
                fail_msg("%s:\n%.*s", cases[i].name, STR_ARG(buf_view(&text)));
        }
        fixture_done(&f);
    }
}

static const struct match_case explained = {
    .distro = "debian",
    .version = "12",
    .claims = {{"debian", "CVE-1-1", "debian:12", "openssl", NULL, "3.0.9-2"},
               {"debian", "CVE-1-2", "debian:12", "openssl", NULL, "3.0.8-1"},
               {"debian", "CVE-1-3", "debian:12", "openssl", NULL, "9", .arch = "s390x"},
               {"debian", "CVE-1-4", "debian:12", "nginx", NULL, "9"},
               {"osv", "GHSA-4", "npm", "a"}},
    .vulns = {{"nvd", "CVE-1-1", .cvss = V31},
              {"osv", "GHSA-1", .same = "CVE-1-1"},
              {"osv", "GHSA-4", .status = VULN_WITHDRAWN}},
    .packages = {{"deb", "libssl3", "3.0.9-1", "openssl", .arch = "amd64"},
                 {"deb", "other\x1b[31m", "1"},
                 {"npm", "a", "1.0.0"},
                 {"python", "b", "1"}},
};

static void test_explain(void **state)
{
    static const struct {
        const char *id;
        int rc;
        const char *texts[6];
    } rows[] = {
        {"CVE-1-1",
         1,
         {"CVE-1-1 = GHSA-1", "severity by nvd: Critical, 9.8 CVSS:3.1",
          "libssl3 3.0.9-1 (deb, source openssl): AFFECTED",
          "yes: debian, source package openssl on debian:12: affected below 3.0.9-2; covers "
          "3.0.9-1",
          "looked up besides: 2;", "no data: PyPI"}},
        {"GHSA-1", 1, {"CVE-1-1 = GHSA-1", "AFFECTED"}},
        {"CVE-1-2", 0, {"not affected", "no:  debian", "below 3.0.8-1; does not cover 3.0.9-1"}},
        {"CVE-1-3", 0, {"passed over: it is about another architecture"}},
        {"CVE-1-4", 0, {"no claim names a package of this inventory: none for debian:12"}},
        {"GHSA-4", 0, {"a 1.0.0 (npm): not affected", "passed over: it was withdrawn"}},
        {"CVE-0-0", 0, {"no source describes it", "no claim names a package"}},
    };
    struct fixture f;
    fixture_make(&f, &explained);
    for (size_t i = 0; i < KE_ARRAY_LEN(rows); i++) {
        struct err e = {0};
        auto_buf text;
        buf_init(&text, 1 << 20);
        int rc = match_explain(f.db, &f.inv, str_z(rows[i].id), &text, &e);
        if (rc != rows[i].rc)
            fail_msg("%s: %d %s", rows[i].id, rc, e.text);
        for (size_t k = 0; k < KE_ARRAY_LEN(rows[i].texts) && rows[i].texts[k]; k++)
            if (!str_contains(buf_view(&text), str_z(rows[i].texts[k])))
                fail_msg("%s: no \"%s\" in\n%.*s", rows[i].id, rows[i].texts[k],
                         STR_ARG(buf_view(&text)));
        assert_true(str_index(buf_view(&text), '\x1b') < 0);
    }
    fixture_done(&f);
    struct err e = {0};
    auto_buf text;
    buf_init(&text, 4096);
    assert_int_equal(match_explain(NULL, &f.inv, STR("CVE-1-1"), &text, &e), 0);
    assert_true(str_contains(buf_view(&text), STR("no vulnerability data")));
}

/* Findings outlive the database, and name what they rest on. */
static void test_sources(void **state)
{
    struct fixture f;
    fixture_make(&f, &cases[0]);
    vulndb_close(f.db);
    f.db = NULL;
    assert_int_equal(f.findings->n_data, 1);
    assert_str(f.findings->data[0].name, STR("debian"));
    assert_true(str_starts(f.findings->data[0].digest, STR("sha256:")));
    assert_int_equal(f.findings->data[0].upstream_date, 1700000000);
    assert_int_equal(f.findings->data[0].claims, 3);
    assert_str(f.findings->items[0].id, STR("CVE-1-1"));
    assert_str(f.findings->items[0].claimed_package, STR("openssl"));
    assert_str(f.findings->items[0].platform, STR("debian:12"));
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_explain_agrees),
        cmocka_unit_test(test_explain),
        cmocka_unit_test(test_sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
