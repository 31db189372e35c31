/* A bundle of anyone, judged over a small image: a verdict that is consistent, and the same twice.
 */
#include "policy/evaluate.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct policy_file files[] = {
    {.path = STR_INIT("/etc/passwd"), .mode = 0100644, .size = 10},
    {.path = STR_INIT("/usr/bin/su"), .mode = 0104755, .size = 10},
};
static const struct policy_package packages[] = {
    {.name = STR_INIT("musl"),
     .version = STR_INIT("1.1"),
     .full_version = STR_INIT("1.1-r0"),
     .type = STR_INIT("APKG"),
     .licence = STR_INIT("MIT GPL"),
     .location = STR_INIT("pkgdb"),
     .purl = STR_INIT("pkg:apk/alpine/musl@1.1-r0"),
     .scheme = STR_INIT("apk")},
};
static const str fixes[] = {STR_INIT("1.2-r0")}, aliases[] = {STR_INIT("GHSA-1")};
static const struct policy_finding items[] = {
    {.id = STR_INIT("CVE-1"),
     .aliases = aliases,
     .n_aliases = 1,
     .name = STR_INIT("musl"),
     .version = STR_INIT("1.1-r0"),
     .type = STR_INIT("APKG"),
     .location = STR_INIT("pkgdb"),
     .severity = STR_INIT("High"),
     .fix_versions = fixes,
     .n_fix_versions = 1,
     .nvd = {9.8, 3.9, 5.9},
     .vendor = {-1, -1, -1},
     .layer = UINT32_MAX},
};
static const struct policy_findings findings = {.items = items, .n = 1};
static const struct policy_retrieved retrieved[] = {
    {STR_INIT("/etc/passwd"), STR_INIT("root:x:0:0:root:/root:/bin/sh\n\nx:y\n")},
};
static const struct policy_feeds feeds = {.covers_distro = true, .synced_us = 1, .built_us = 1};
static const struct policy_image image = {
    .have = 0xfff,
    .id = STR_INIT("ff"),
    .digest = STR_INIT("sha256:aa"),
    .size = 2048,
    .n_layers = 2,
    .distro = STR_INIT("alpine"),
    .distro_version = STR_INIT("3.18"),
    .dockerfile = STR_INIT("FROM a\nEXPOSE 22\nRUN a \\\n b\nUSER x\n"),
    .dockerfile_mode = STR_INIT("Actual"),
    .files = files,
    .n_files = KE_ARRAY_LEN(files),
    .packages = packages,
    .n_packages = KE_ARRAY_LEN(packages),
    .retrieved = retrieved,
    .n_retrieved = KE_ARRAY_LEN(retrieved),
};

static struct policy_verdict *judge(const struct policy_bundle *b)
{
    struct policy_subject s = {.account = STR("admin"),
                               .tag = STR("docker.io/library/alpine:3.18"),
                               .image = &image,
                               .findings = &findings,
                               .feeds = &feeds,
                               .now_us = 1700000000000000};
    struct policy_verdict *v;
    struct err e = {0};
    return policy_evaluate(b, &s, &v, &e) < 0 ? NULL : v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policy_bundle *b;
    struct err e = {0};
    if (policy_bundle_new((str){(const char *)data, size}, &b, &e) < 0)
        return 0;
    struct policy_verdict *v = judge(b), *again = judge(b);
    if (v && again) {
        if (v->n_rows != again->n_rows || v->final_action != again->final_action)
            abort();
        for (size_t i = 0; i < v->n_rows; i++)
            if (!str_eq(v->rows[i].trigger_id, again->rows[i].trigger_id) ||
                (v->rows[i].allowed && v->rows[i].action != ACTION_GO))
                abort();
    }
    struct arena a;
    struct policy_problems found;
    arena_init(&a, (size_t)256 << 20);
    policy_lint(policy_bundle_json(b), 1700000000000000, &a, &found, &e);
    arena_done(&a);
    policy_verdict_free(v);
    policy_verdict_free(again);
    policy_bundle_free(b);
    return 0;
}
