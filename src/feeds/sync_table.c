/* sync_table.c - where the upstreams' files are. */
#include "feeds/sync.h"

static const struct feed_file alpine_files[] = {
    {"https://secdb.alpinelinux.org/{release}/main.json", "{release}/main.json", true},
    {"https://secdb.alpinelinux.org/{release}/community.json", "{release}/community.json", true},
    {"https://gitlab.alpinelinux.org/alpine/security/security-rejections/-/raw/master/main.yaml",
     "rejections/main.yaml", true},
    {"https://gitlab.alpinelinux.org/alpine/security/security-rejections/-/raw/master/"
     "community.yaml",
     "rejections/community.yaml", true},
    {NULL},
};
const struct feed_sync feed_sync_alpine = {
    .files = alpine_files,
    .index_url = "https://secdb.alpinelinux.org/",
};

static const struct feed_file debian_files[] = {
    {"https://security-tracker.debian.org/tracker/data/json", "tracker.json", false},
    {"https://salsa.debian.org/security-tracker-team/security-tracker/raw/master/data/DSA/list",
     "DSA/list", false},
    {"https://salsa.debian.org/security-tracker-team/security-tracker/raw/master/data/DLA/list",
     "DLA/list", false},
    {NULL},
};
const struct feed_sync feed_sync_debian = {.files = debian_files};

static const struct feed_file epss_files[] = {
    {"https://epss.cyentia.com/epss_scores-current.csv.gz", "epss_scores-current.csv.gz", false},
    {NULL},
};
const struct feed_sync feed_sync_epss = {.files = epss_files};

static const struct feed_file kev_files[] = {
    {"https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json",
     "known_exploited_vulnerabilities.json", false},
    {NULL},
};
const struct feed_sync feed_sync_kev = {.files = kev_files};

static const struct feed_file nvd_files[] = {
    {"https://nvd.nist.gov/feeds/json/cve/2.0/nvdcve-2.0-{year}.json.gz",
     "nvdcve-2.0-{year}.json.gz", false},
    {NULL},
};
const struct feed_sync feed_sync_nvd = {.files = nvd_files, .first_year = 2002};

#define OSV(ecosystem, directory)                                                                  \
    {                                                                                              \
        "https://osv-vulnerabilities.storage.googleapis.com/" ecosystem "/all.zip",                \
            directory "/all.zip", false                                                            \
    }
/* Debian and Alpine have feeds of their own. */
static const struct feed_file osv_files[] = {
    OSV("AlmaLinux", "AlmaLinux"),
    OSV("Go", "Go"),
    OSV("Hex", "Hex"),
    OSV("Maven", "Maven"),
    OSV("NuGet", "NuGet"),
    OSV("Packagist", "Packagist"),
    OSV("Pub", "Pub"),
    OSV("PyPI", "PyPI"),
    OSV("Rocky%20Linux", "Rocky-Linux"),
    OSV("RubyGems", "RubyGems"),
    OSV("SUSE", "SUSE"),
    OSV("Ubuntu", "Ubuntu"),
    OSV("crates.io", "crates.io"),
    OSV("npm", "npm"),
    OSV("openSUSE", "openSUSE"),
    {NULL},
};
const struct feed_sync feed_sync_osv = {.files = osv_files};

static const struct feed_file wolfi_files[] = {
    {"https://packages.wolfi.dev/os/security.json", "wolfi/security.json", false},
    {NULL},
};
const struct feed_sync feed_sync_wolfi = {.files = wolfi_files, .on_request = true};
