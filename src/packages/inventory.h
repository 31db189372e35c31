/* inventory.h - what a source contains: the squash of its layers' facts.
 *
 * inventory_scan() reads a source (registry, archive, layout, directory, host) through a confined
 * process, or from cached facts, and merges. The result is the same bytes whatever the number of
 * threads. */
#ifndef KELLET_PACKAGES_INVENTORY_H
#define KELLET_PACKAGES_INVENTORY_H

#include "packages/image_facts.h"
#include "packages/package.h"

struct layer_ref {
    str diff_id; /* "sha256:..." of the uncompressed layer; "" for directories */
    str digest;  /* of the blob as stored; "" where it is not known (archives) */
    str media_type;
    uint64_t size; /* of the blob; 0: not known */
};

struct evidence {
    str path;
    uint32_t layer; /* that brought it (origin.h): index in inventory.layers; 0 for directories */
};

struct inv_package {
    struct package p; /* p.path: the first evidence */
    str purl;
    str owner; /* distro package that installed it, at each of its places; "" for none (language
                * packages only) */
    const struct evidence *evidence;
    size_t n_evidence;
    const struct owned_file *files; /* by path; only when facts were wanted, distro packages only */
    size_t n_files;
};

/* What could not be seen. `layer` is -1 when it is not about one layer. */
struct inv_problem {
    str path, what, detail;
    int32_t layer;
};

struct merged_files;

struct inventory {
    struct arena arena;          /* owns every slice, but for those of files that were scanned: */
    struct merged_files *merged; /* file_list.h; NULL: there are none */
    /* the documents as they stand, when facts were wanted and the source has them */
    str manifest_json, config_json;
    /* source */
    str source_kind; /* "registry", "docker-archive", "oci-archive", "oci-dir", "docker", "podman",
                        "dir", "host" */
    str source;      /* as the user wrote it */
    str asked;     /* its part that names the image (source.h); "": none (not kept by documents) */
    str reference; /* canonical, registries only */
    str manifest_digest, config_digest; /* "" where there is none */
    str os, architecture, variant;
    const str *repo_tags; /* what an archive, layout, engine or SBOM calls the image: names, or only
                             a tag ("3.18") */
    size_t n_repo_tags;
    const struct layer_ref *layers;
    size_t n_layers;
    str created; /* of the config, as it stands */
    /* content */
    struct release_info release;  /* of the squash; id "" when the distro is not known */
    struct inv_package *packages; /* sorted by type, name, version, arch, path */
    size_t n_packages;
    struct inv_problem *problems; /* sorted */
    size_t n_problems;
    const str *unsupported; /* sorted */
    size_t n_unsupported;
    struct image_file *files; /* only when wanted: visible from the top, lower layers' first, each
                                 in its archive's order */
    size_t n_files;
    bool has_package_files; /* packages' files were collected */
    uint32_t layers_cached; /* how many came from the cache (not part of reports) */
    bool confined;          /* parsed under seccomp and Landlock (not part of reports) */
};

struct scan_progress {
    /* Called from one thread. totals are 0 while unknown. */
    void (*update)(void *ctx, const char *phase, uint64_t bytes, uint64_t total_bytes,
                   uint32_t layers_done, uint32_t layers_total);
    void *ctx;
    /* MAY: true: the scan is no longer wanted and ends within a second (ERR_CONFLICT). */
    bool (*unwanted)(void *ctx);
};

struct registry_options;
struct zygote;

struct scan_options {
    const char *source;   /* as typed: "alpine:3.18", "oci-dir:DIR[:TAG]", "dir:/x", "-" ... */
    const char *data_dir; /* layer facts are cached in DATA/cache/layers; NULL: no cache */
    uint64_t cache_max;   /* bytes; 0: LAYER_CACHE_MAX */
    const char *platform; /* "os/arch[/variant]"; NULL: this machine's */
    unsigned threads;     /* 0: one per processor */
    const struct registry_options *registry;
    const struct facts_wanted *facts; /* NULL: packages only */
    const char *clamd;                /* where it is (net/clamd.h), when facts->malware is set */
    struct zygote *zygote;            /* zygote.h; NULL: the caller's process has one thread */
    struct scan_progress progress;
    bool no_confine; /* for debuggers */
};

/* On success *out must be freed. A source that cannot be scanned at all is an error; one that could
 * be seen in part is a result with problems. */
int inventory_scan(const struct scan_options *o, struct inventory **out, struct err *e);
void inventory_free(struct inventory *inv);

/* ---- for those who make or fill an inventory */
/* Appends a problem that is about no layer and no file. `what` and `detail` live as long as the
 * inventory. */
int inventory_add_problem(struct inventory *inv, const char *what, str detail, struct err *e);
/* For qsort over inv_package: by type, name, version, path. */
int inv_package_cmp(const void *a, const void *b);

#endif
