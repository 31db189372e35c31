/* facts.h - what a policy judges: everything known of one image, in the policy engine's words.
 *
 * Two immutable parts, each made once and shared by all evaluations (of all threads): the image as
 * it was analysed, and its findings for one state of the vulnerability data. Whoever makes a part
 * owns it and everything it points to; evaluations only read. Gates say which parts they need, so
 * that what a bundle does not ask for need not be loaded (policy_bundle_needs()). A part that is
 * needed and not there makes the rules that need it fail (evaluate.h), it never counts as empty. */
#ifndef KELLET_POLICY_FACTS_H
#define KELLET_POLICY_FACTS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum policy_part {
    PART_FILES = 1 << 0,    /* files: path, mode, digest */
    PART_PACKAGES = 1 << 1, /* packages */
    PART_DOCKERFILE = 1 << 2,
    PART_SEARCHES = 1 << 3,  /* content_search, secret_search */
    PART_RETRIEVED = 1 << 4, /* retrieved files */
    PART_MALWARE = 1 << 5,
    PART_MANIFESTS = 1 << 6, /* packages' own lists of files (packages.verify) */
    PART_FINDINGS = 1 << 7,
    PART_HISTORY = 1 << 8,   /* layers, base images, the tag's image before this one */
    PART_FEEDS = 1 << 9,     /* state of the data: feeds */
    PART_PROBLEMS = 1 << 10, /* what the analysis could not see */
    PART_DIGESTS = 1 << 12,  /* of files: MD5 and SHA-1 too */
    PART_UPSTREAM = 1 << 11, /* versions that npm and gem registries know */
};

struct policy_file {
    str path;      /* absolute */
    uint32_t mode; /* st_mode: type and permissions */
    uint64_t size;
    str sha256; /* lower-case hex; empty: none (directories, links) */
    bool directory;
    str md5, sha1; /* the same; empty also where the analysis was not asked for them */
};

/* One file of a package's own list. */
struct policy_manifest_entry {
    str path;      /* absolute */
    str algorithm; /* "md5", "sha1", "sha256"; empty: none stated */
    str digest;    /* lower-case hex */
    uint32_t mode; /* permission bits; 0: not stated */
    uint64_t size; /* 0: not stated */
    bool config, directory;
};

struct policy_package {
    str name;
    str version;      /* without release: "1.0.1" */
    str full_version; /* "1.0.1-3.el7" */
    str type;         /* as the API shows it: "dpkg", "rpm", "APKG", "npm", "java" ... */
    str licence;      /* as the API shows it: several are separated by blanks; empty: unknown */
    str location;     /* "pkgdb" or a path */
    str purl;
    str scheme; /* version scheme (version.h); empty: none is known */
    const struct policy_manifest_entry *manifest; /* PART_MANIFESTS */
    size_t n_manifest;
    str expression; /* the licence as stated, with its operators; empty: as `licence` */
    str group;      /* of a Maven artefact; empty: none is known */
};

struct policy_match { /* lines of one file that one expression matches */
    str path;         /* absolute */
    str name;         /* of the expression; empty: it has none */
    str regex;
};

struct policy_retrieved {
    str path, content;
};

struct policy_malware {
    str scanner, path, signature;
};

struct policy_gap { /* what the analysis could not see */
    str path;       /* absolute; empty: it is about no file */
    str what, detail;
};

/* The image as analysed. */
struct policy_image {
    unsigned have; /* mask of the parts that are filled */
    str id;        /* of the configuration, hex */
    str digest;    /* "sha256:..." of the manifest */
    int64_t size;  /* bytes; -1: not known */
    int64_t n_layers;
    str architecture, os;
    str distro, distro_version;      /* empty: not known */
    str distro_like;                 /* as os-release says, separated by commas */
    int64_t created_us;              /* of the configuration; 0: not known */
    str dockerfile;                  /* text; p NULL: none */
    str dockerfile_mode;             /* "Actual", "Guessed", "Unknown" */
    const struct policy_file *files; /* by path */
    size_t n_files;
    const struct policy_package *packages; /* in the order of the image's content */
    size_t n_packages;
    const struct policy_match *content_search, *secret_search; /* by path, then expression */
    size_t n_content_search, n_secret_search;
    const struct policy_retrieved *retrieved; /* by path */
    size_t n_retrieved;
    bool malware_scanned;
    const struct policy_malware *malware;
    size_t n_malware;
    const struct policy_gap *gaps;
    size_t n_gaps;
    const str *unsupported; /* ecosystems seen that nothing reads */
    size_t n_unsupported;
    struct policy_label { /* of the configuration */
        str name, value;
    } const *labels;
    size_t n_labels;
    const str *layers; /* diff_ids, "sha256:...", lowest first */
    size_t n_diff_ids;
};

struct policy_cvss { /* -1.0: not known */
    double base, exploitability, impact;
};

struct policy_finding {
    str id;             /* as reported: "CVE-2021-1", "GHSA-..." */
    const str *aliases; /* other ids of the same vulnerability */
    size_t n_aliases;
    uint32_t package; /* index in policy_image.packages; UINT32_MAX: none of them */
    str name, version, type, location; /* of the package, as the API shows them */
    str severity;                      /* "Unknown" ... "Critical" */
    str url, feed, group;
    const str *fix_versions;
    size_t n_fix_versions;
    bool will_not_fix;
    int64_t detected_us;            /* when this image was first seen to have it; 0: not known */
    int64_t fix_observed_us;        /* when a fix was first seen in the data; 0: not known */
    struct policy_cvss nvd, vendor; /* v3, the highest of each component */
    bool kev;                       /* known to be exploited */
    double epss, epss_percentile;   /* 0..1; -1.0: not known */
    str vex_status;                 /* OpenVEX words; empty: none */
    uint32_t layer;                 /* index in policy_image.layers; UINT32_MAX: not known */
    bool repeated;                  /* at another place of a package that has it already */
};

/* The image's findings for one state of the data. Wont-fix ones are in; rules decide. */
struct policy_findings {
    const struct policy_finding *items; /* severity (worst first), id, package: stable */
    size_t n;
    const str *uncovered; /* platforms and ecosystems that have packages and no data, named as the
                             report does (match/finding.h) */
    size_t n_uncovered;
};

/* The state of the data themselves. */
struct policy_feeds {
    bool covers_distro; /* there are records for the image's distro (or what it is like) */
    int64_t synced_us;  /* last synchronisation of that group; 0: never */
    int64_t built_us;   /* of the whole database; 0: none */
};

/* What a language's registry knows; NULL where the feed was never synchronised. */
struct policy_upstream {
    /* 1: known; (*versions)[0] is the latest, those from [1] on are all of them in the registry's
     * order (the latest among them). 0: not. */
    int (*lookup)(void *ctx, str name, const str **versions, size_t *n, struct err *e);
    void *ctx;
};

/* Images that this one is built on (layers are a prefix of this one's), nearest first. */
struct policy_ancestor {
    str digest;
    const str *tags; /* all that name it or did, "registry/repo:tag", in order */
    size_t n_tags;
};
struct policy_lineage {
    const struct policy_ancestor *ancestors;
    size_t n_ancestors;
    const struct policy_package
        *before; /* packages of the image that the tag named before; sorted as there */
    size_t n_before;
    bool has_before;
};

/* Signatures of the image that were verified; whoever verifies them fills this. */
struct policy_signature {
    str identity; /* of the key or the signer */
};
struct policy_signatures {
    const struct policy_signature *items;
    size_t n;
};

/* Everything for one evaluation; parts may be NULL (then rules that need them fail). */
struct policy_subject {
    str account;
    str tag; /* "registry/repo:tag" as evaluated */
    const struct policy_image *image;
    const struct policy_findings *findings;
    const struct policy_feeds *feeds;
    const struct policy_lineage *lineage;
    const struct policy_signatures *signatures; /* NULL: nobody looked for any */
    const struct policy_upstream *npm, *gem;    /* NULL: that feed was never synchronised */
    struct policy_annotation {
        str name, value;
    } const *annotations; /* of the catalog's record */
    size_t n_annotations;
    int64_t now_us;       /* microseconds since 1970: the time of the verdict */
    int64_t processor_us; /* that the evaluation may take; 0: a minute */
};

#endif
