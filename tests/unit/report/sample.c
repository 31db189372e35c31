#include "sample.h"

#include <stdlib.h>

static const struct package_type deb = {.name = "deb", .purl_type = "deb"};
static const struct package_type npm = {.name = "npm", .purl_type = "npm", .ecosystem = "npm"};
static const struct package_type go = {
    .name = "go-module", .purl_type = "golang", .ecosystem = "Go"};

static const struct layer_ref layers[] = {
    {STR_INIT("sha256:1111111111111111111111111111111111111111111111111111111111111111"),
     STR_INIT("sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
     STR_INIT("application/vnd.oci.image.layer.v1.tar+gzip"), 1234},
    {STR_INIT("sha256:2222222222222222222222222222222222222222222222222222222222222222"),
     STR_INIT(""), STR_INIT(""), 0},
};
static const struct evidence dpkg_status[] = {{STR_INIT("var/lib/dpkg/status"), 0}};
static const struct evidence lodash_files[] = {
    {STR_INIT("app/node_modules/lodash/package.json"), 1},
    {STR_INIT("srv/node_modules/lodash/package.json"), 1},
};
static const struct evidence go_binary[] = {{STR_INIT("usr/bin/tool"), 1}};
static struct inv_package packages[] = {
    {.p = {.type = &deb,
           .name = STR_INIT("libssl3"),
           .version = STR_INIT("3.0.9-1"),
           .arch = STR_INIT("amd64"),
           .source_name = STR_INIT("openssl"),
           .vendor = STR_INIT("A maintainer <a@example.org>")},
     .purl = STR_INIT("pkg:deb/debian/libssl3@3.0.9-1?arch=amd64&distro=debian-12"),
     .evidence = dpkg_status,
     .n_evidence = 1},
    {.p = {.type = &deb,
           .name = STR_INIT("zlib1g"),
           .version = STR_INIT("1:1.2.13.dfsg-1"),
           .arch = STR_INIT("amd64"),
           .source_name = STR_INIT("zlib"),
           .licence = STR_INIT("Zlib")},
     .purl = STR_INIT("pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1?arch=amd64&distro=debian-12"),
     .evidence = dpkg_status,
     .n_evidence = 1},
    {.p = {.type = &go, .name = STR_INIT("example.org/tool"), .version = STR_INIT("(devel)")},
     .purl = STR_INIT("pkg:golang/example.org/tool"),
     .evidence = go_binary,
     .n_evidence = 1},
    {.p = {.type = &npm,
           .name = STR_INIT("evil\x1b[31m\n\"name\xff\xe2\x80\xae"),
           .version = STR_INIT("1.0.0\x07")},
     .purl = STR_INIT("pkg:npm/evil@1.0.0"),
     .evidence = go_binary,
     .n_evidence = 1},
    {.p = {.type = &npm, .name = STR_INIT("lodash"), .version = STR_INIT("4.17.4")},
     .purl = STR_INIT("pkg:npm/lodash@4.17.4"),
     .owner = STR_INIT("node-lodash"),
     .evidence = lodash_files,
     .n_evidence = 2},
    {.p = {.type = &npm,
           .name = STR_INIT("lodash"),
           .version = STR_INIT("4.17.4"),
           .path = STR_INIT("opt/x"),
           .licence = STR_INIT("MIT\nISC")},
     .purl = STR_INIT("pkg:npm/lodash@4.17.4"),
     .evidence = go_binary,
     .n_evidence = 1},
};
static struct inv_problem problems[] = {
    {STR_INIT("app/\x1b]0;title\x07/package.json"), STR_INIT("parse"),
     STR_INIT("unexpected character at line 1"), 1},
};
static const str unsupported[] = {STR_INIT("conda")};
static const str tags[] = {STR_INIT("example/app:1")};

static const str ssl_fixes[] = {STR_INIT("3.0.11-1~deb12u2")};
static const str lodash_fixes[] = {STR_INIT("4.17.5"), STR_INIT("4.17.21")};
static const str lodash_aliases[] = {STR_INIT("GHSA-jf85-cpcp-j695")};
static struct finding findings[] = {
    {.package = 4,
     .id = STR_INIT("CVE-2019-10744"),
     .aliases = lodash_aliases,
     .n_aliases = 1,
     .severity = SEV_CRITICAL,
     .severity_source = STR_INIT("osv"),
     .cvss_score10 = 91,
     .cvss_vector = STR_INIT("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:H"),
     .fix_state = FIX_FIXED,
     .fix_versions = lodash_fixes,
     .n_fix_versions = 2,
     .source = STR_INIT("osv"),
     .platform = STR_INIT("npm"),
     .claimed_package = STR_INIT("lodash"),
     .advisory = STR_INIT("GHSA-jf85-cpcp-j695"),
     .summary = STR_INIT("Prototype pollution"),
     .url = STR_INIT("https://example.org/advisory"),
     .kev = true,
     .epss_score = 12345,
     .reason = STR_INIT("osv says that lodash (npm) is affected below 4.17.5")},
    {.package = 0,
     .id = STR_INIT("CVE-2023-5363"),
     .severity = SEV_HIGH,
     .severity_source = STR_INIT("nvd"),
     .cvss_score10 = -1,
     .fix_state = FIX_FIXED,
     .fix_versions = ssl_fixes,
     .n_fix_versions = 1,
     .source = STR_INIT("debian"),
     .platform = STR_INIT("debian:12"),
     .claimed_package = STR_INIT("openssl"),
     .epss_score = -1,
     .reason = STR_INIT("debian says that source package openssl is affected")},
    {.package = 3,
     .id = STR_INIT("GHSA-xxxx\x1b[2J"),
     .severity = SEV_MEDIUM,
     .cvss_score10 = -1,
     .fix_state = FIX_NOT_FIXED,
     .source = STR_INIT("osv"),
     .platform = STR_INIT("npm"),
     .claimed_package = STR_INIT("evil"),
     .epss_score = -1,
     .reason = STR_INIT("every version")},
    {.package = 1,
     .id = STR_INIT("CVE-2023-45853"),
     .severity = SEV_UNKNOWN,
     .cvss_score10 = -1,
     .fix_state = FIX_WONT_FIX,
     .source = STR_INIT("debian"),
     .platform = STR_INIT("debian:12"),
     .claimed_package = STR_INIT("zlib"),
     .epss_score = -1,
     .reason = STR_INIT("every version")},
};
static struct suppression suppressed[] = {
    {1, STR_INIT("CVE-2020-0001"), STR_INIT("debian"), STR_INIT("debian says not affected"),
     SUPPRESSED_NOT_AFFECTED},
    {4, STR_INIT("CVE-2020-0002"), STR_INIT("osv"), STR_INIT("installed by node-lodash"),
     SUPPRESSED_OWNED},
};
static struct data_source data[] = {
    {STR_INIT("debian"), STR_INIT("sha256:dddd"), STR_INIT(""), 1700000000, 1699990000, 4242},
    {STR_INIT("kev"), STR_INIT("sha256:eeee"), STR_INIT("2023.11.14"), 1700000000, 0, 0},
};
static const str uncovered[] = {STR_INIT("Go")};
static struct unmatched unmatched[] = {{2, STR_INIT("its version is not known"), false}};

static void sample_base(struct sample *s)
{
    *s = (struct sample){0};
    s->inv = (struct inventory){
        .source_kind = STR("oci-dir"),
        .source = STR("example/app:1"),
        .manifest_digest = STR("sha256:9999"),
        .config_digest = STR("sha256:8888"),
        .os = STR("linux"),
        .architecture = STR("amd64"),
        .repo_tags = tags,
        .n_repo_tags = 1,
        .layers = layers,
        .n_layers = 2,
        .created = STR("2023-10-01T00:00:00Z"),
        .release = {.id = STR("debian"),
                    .version_id = STR("12"),
                    .codename = STR("bookworm"),
                    .pretty_name = STR("Debian GNU/Linux 12"),
                    .path = STR("etc/os-release")},
        .packages = packages,
        .n_packages = KE_ARRAY_LEN(packages),
    };
    s->findings.data = data;
    s->findings.n_data = KE_ARRAY_LEN(data);
}

void sample_make(struct sample *s)
{
    sample_base(s);
    s->inv.problems = problems;
    s->inv.n_problems = KE_ARRAY_LEN(problems);
    s->inv.unsupported = unsupported;
    s->inv.n_unsupported = 1;
    s->findings.items = findings;
    s->findings.n = KE_ARRAY_LEN(findings);
    s->findings.suppressed = suppressed;
    s->findings.n_suppressed = KE_ARRAY_LEN(suppressed);
    s->findings.uncovered = uncovered;
    s->findings.n_uncovered = 1;
    s->findings.unmatched = unmatched;
    s->findings.n_unmatched = 1;
}

void sample_make_clean(struct sample *s)
{
    sample_base(s);
    s->inv.n_packages = 2;
}

void sample_make_large(struct sample *s, size_t n)
{
    sample_base(s);
    arena_init(&s->inv.arena, 256 << 20);
    s->inv.packages = arena_calloc(&s->inv.arena, n, sizeof *s->inv.packages);
    s->findings.items = arena_calloc(&s->inv.arena, n, sizeof *s->findings.items);
    if (!s->inv.packages || !s->findings.items)
        abort();
    for (size_t i = 0; i < n; i++) {
        s->inv.packages[i] = packages[1];
        s->inv.packages[i].p.name = arena_printf(&s->inv.arena, "package-%05zu", i);
        s->findings.items[i] = findings[i % KE_ARRAY_LEN(findings)];
        s->findings.items[i].package = (uint32_t)i;
    }
    s->inv.n_packages = s->findings.n = n;
}

void sample_done(struct sample *s)
{
    arena_done(&s->inv.arena);
}
