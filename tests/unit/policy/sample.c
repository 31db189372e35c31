#include "sample.h"

#include <sys/stat.h>

#define S(text) STR_INIT(text)
#define N(list) (sizeof(list) / sizeof *(list))

static const struct policy_file files[] = {
    {S("/bin/su"), S_IFREG | 04755, 100, S("aa11"), false},
    {S("/etc"), S_IFDIR | 0755, 0, {0}, true},
    {S("/etc/app.conf"), S_IFREG | 0640, 10, S("bb22"), false},
    {S("/etc/link"), S_IFLNK | 0777, 3, {0}, false},
    {S("/etc/passwd"), S_IFREG | 0644, 50, S("cc33"), false},
    {S("/usr/lib/libz.so"), S_IFREG | 0755, 7, S("dd44"), false},
    {S("/var/mail"), S_IFDIR | 02775, 0, {0}, true},
};
static const struct policy_manifest_entry zlib_files[] = {
    {S("/etc/app.conf"), S("sha256"), S("0000"), 0, 0, true, false}, /* configuration: may change */
    {S("/etc/gone"), {0}, {0}, 0644, 0, true, false},
    {S("/etc/link"), S("sha256"), S("1111"), 0644, 9, false, false}, /* a link has no digest */
    {S("/usr/lib/libz.so"), S("sha256"), S("DD44"), 0755, 7, false, false},
};
static const struct policy_manifest_entry su_files[] = {
    {S("/bin/su"), S("md5"), S("9999"), 0755, 0, false, false}, /* the bit was added */
    {S("/etc"), {0}, {0}, 0755, 0, false, true},
    {S("/usr/lib/libz.so"), S("md5"), S("1234"), 0755, 7, false, false},
    {S("/var/mail"), {0}, {0}, 0755, 0, false, true},
};
static const struct policy_manifest_entry curl_files[] = {
    {S("/etc/passwd"), S("sha256"), S("ee55"), 0644, 50, false, false},
    {S("/usr/lib/libz.so"), {0}, {0}, 0, 8, false, false},
};
static const struct policy_package packages[] = {
    {S("curl"), S("7.88.1"), S("7.88.1-10+deb12u5"), S("dpkg"), S("curl ISC"), S("pkgdb"),
     S("pkg:deb/debian/curl@7.88.1-10%2Bdeb12u5?arch=amd64"), S("deb"), curl_files, N(curl_files)},
    {S("login"), S("1:4.13"), S("1:4.13-2"), S("dpkg"), S("BSD-3-Clause GPL-2+"), S("pkgdb"),
     S("pkg:deb/debian/login@1:4.13-2"), S("deb"), su_files, N(su_files)},
    {S("zlib1g"), S("1.2.13"), S("1.2.13-1"), S("dpkg"), S("Zlib"), S("pkgdb"),
     S("pkg:deb/debian/zlib1g@1.2.13-1"), S("deb"), zlib_files, N(zlib_files)},
    {S("lodash"), S("4.17.4"), S("4.17.4"), S("npm"), S("MIT"),
     S("/app/node_modules/lodash/package.json"), S("pkg:npm/lodash@4.17.4"), S("npm")},
    {S("left-pad"),
     S("1.0.0"),
     S("1.0.0"),
     S("npm"),
     {0},
     S("/app/node_modules/left-pad/package.json"),
     S("pkg:npm/left-pad@1.0.0"),
     S("npm")},
    {S("rack"), S("2.0.1"), S("2.0.1"), S("gem"), S("(MIT OR Apache-2.0)"), S("/gems/rack.gemspec"),
     S("pkg:gem/rack@2.0.1"), S("gem")},
    {S("app"), S("1"), S("1"), S("binary"), S("Example Proprietary"), S("/app/bin"), {0}, {0}},
};
static const struct policy_match content_search[] = {
    {S("/etc/app.conf"), S("PASSWORD"), S("(?i)password.*")},
    {S("/etc/app.conf"), {0}, S(".*TODO.*")},
};
static const struct policy_match secret_search[] = {
    {S("/etc/app.conf"), S("API_KEY"), S("api.*")},
    {S("/root/id_rsa"), S("PRIV_KEY"), S("BEGIN.*")},
};
static const struct policy_retrieved retrieved[] = {
    {S("/etc/app.conf"), S("SSLEnabled = on\nListen 22\n")},
    {S("/etc/passwd"), S("root:x:0:0:root:/root:/bin/bash\nshort\n\nftp:x:14:50::/:/sbin/nologin\n"
                         "root:x:0:0:root:/root:/bin/sh\nodd:x:a:b::/:/bin/sh\n")},
};
static const struct policy_malware malware[] = {
    {S("clamav"), S("/tmp/eicar"), S("Eicar-Test")},
    {S("clamav"), S("/tmp/unnamed"), {0}},
};
static const struct policy_gap gaps[] = {
    {S("/app/broken.jar"), S("java"), S("truncated")},
};
static const str unsupported[] = {S("conan")};
static const struct policy_label labels[] = {
    {S("maintainer"), S("ops@example.org")},
    {S("empty"), S("")},
};
static const str layers[] = {S("sha256:01"), S("sha256:02"), S("sha256:03")};

const struct policy_image sample_image = {
    .have = ~0u,
    .id = S("1234"),
    .digest = S("sha256:5678"),
    .size = 2048,
    .n_layers = 3,
    .architecture = S("amd64"),
    .os = S("linux"),
    .distro = S("debian"),
    .distro_version = S("12"),
    .distro_like = S("debian"),
    .created_us = SAMPLE_NOW - 10 * 86400000000,
    .dockerfile = S("# comment\n"
                    "FROM golang:1.22 AS build\n"
                    "USER builder\n"
                    "RUN apt-get update \\\n"
                    "  # inside\n"
                    "  && sudo true\n"
                    "from debian:12\n"
                    "ENV A=1\n"
                    "RUN <<EOF\n"
                    "curl x | sh\n"
                    "EOF\n"
                    "EXPOSE 80/tcp 443 \\\n"
                    "  8000-8010 53/UDP $PORT\n"
                    "USER\tapp:staff\n"),
    .dockerfile_mode = S("Actual"),
    .files = files,
    .n_files = N(files),
    .packages = packages,
    .n_packages = N(packages),
    .content_search = content_search,
    .n_content_search = N(content_search),
    .secret_search = secret_search,
    .n_secret_search = N(secret_search),
    .retrieved = retrieved,
    .n_retrieved = N(retrieved),
    .malware_scanned = true,
    .malware = malware,
    .n_malware = N(malware),
    .gaps = gaps,
    .n_gaps = N(gaps),
    .unsupported = unsupported,
    .n_unsupported = N(unsupported),
    .labels = labels,
    .n_labels = N(labels),
    .layers = layers,
    .n_diff_ids = N(layers),
};
const struct policy_image sample_scratch = {.have = ~0u, .size = -1, .n_layers = -1};

static int npm_versions(void *ctx, str name, const str **versions, size_t *n, struct err *e)
{
    static const str lodash[] = {S("4.17.21"), S("4.17.20"), S("4.17.21")};
    static const str none[] = {S("1.3.0")};
    *versions = str_eq(name, STR("lodash")) ? lodash : none;
    *n = str_eq(name, STR("lodash")) ? N(lodash) : N(none);
    return str_eq(name, STR("lodash"));
}
static int gem_fails(void *ctx, str name, const str **versions, size_t *n, struct err *e)
{
    return err_set(e, ERR_IO, "the gem data cannot be read");
}
static const struct policy_upstream npm = {npm_versions, NULL}, gem = {gem_fails, NULL};

static const str uncovered[] = {S("CRAN")};
static const struct policy_findings findings = {.uncovered = uncovered, .n_uncovered = 1};
static const struct policy_feeds feeds = {.covers_distro = true,
                                          .synced_us = SAMPLE_NOW - 3 * 86400000000,
                                          .built_us = SAMPLE_NOW - 2 * 86400000000};
static const str debian_tags[] = {S("docker.io/library/debian:12"),
                                  S("docker.io/library/debian:latest")};
static const str scratchy_tags[] = {S("docker.io/library/scratchy:1")};
static const struct policy_ancestor ancestors[] = {
    {S("sha256:b1"), debian_tags, N(debian_tags)},
    {S("sha256:b0"), scratchy_tags, N(scratchy_tags)},
};
static const struct policy_package before[] = {
    {S("curl"), S("7.88.1"), S("7.88.1-10+deb12u4"), S("dpkg")},
    {S("nano"), S("7.2"), S("7.2-1"), S("dpkg")},
    {S("zlib1g"), S("1.2.13"), S("1.2.13-1"), S("dpkg")},
};
static const struct policy_lineage lineage = {.ancestors = ancestors,
                                              .n_ancestors = N(ancestors),
                                              .before = before,
                                              .n_before = N(before),
                                              .has_before = true};
static const struct policy_annotation annotations[] = {{S("team"), S("a")}};

const struct policy_subject sample_subject = {
    .account = S("admin"),
    .tag = S("docker.io/library/app:1"),
    .image = &sample_image,
    .findings = &findings,
    .feeds = &feeds,
    .lineage = &lineage,
    .npm = &npm,
    .gem = &gem,
    .annotations = annotations,
    .n_annotations = N(annotations),
    .now_us = SAMPLE_NOW,
};
static const struct policy_lineage no_lineage = {0};
static const struct policy_findings no_findings = {0};
static const struct policy_feeds no_feeds = {0};
const struct policy_subject sample_scratch_subject = {
    .account = S("admin"),
    .tag = S("docker.io/library/empty:1"),
    .image = &sample_scratch,
    .findings = &no_findings,
    .feeds = &no_feeds,
    .lineage = &no_lineage,
    .now_us = SAMPLE_NOW,
};
