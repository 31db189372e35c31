/* image_facts.h - what the engine's analyzer wants to know of an image beyond its packages: every
 * file, contents of some files, lines that match expressions.
 *
 * Collected in the same pass as the packages, kept per layer with the layer's record (so computed
 * once for all images that share a layer, for the same wishes), merged with the layers. */
#ifndef KELLET_PACKAGES_IMAGE_FACTS_H
#define KELLET_PACKAGES_IMAGE_FACTS_H

#include "base/arena.h"
#include "base/str.h"
#include "codec/digest.h"

struct regex;

enum { FACT_RULES_MAX = 256, FACT_RETRIEVE_MAX = 1024 };

struct fact_rule { /* an expression that lines are matched with, from their beginning */
    str name, pattern;
    const struct regex *regex; /* compiled (REGEX_ANCHORED | REGEX_LINES); borrowed */
    uint64_t max_file_size;    /* larger files are not searched */
};

/* What package databases state of their files beside SHA-256: dpkg MD5, apk SHA-1. */
enum fact_digests { FACT_MD5 = 1, FACT_SHA1 = 2 };
enum { MD5_SIZE = 16, SHA1_SIZE = 20 };

struct facts_wanted {
    const struct fact_rule *rules; /* of all searches; matches name a rule by its index */
    size_t n_rules;
    const str *retrieve; /* absolute paths of files whose content is kept */
    size_t n_retrieve;
    uint64_t retrieve_max; /* bytes; larger files are not kept */
    str malware; /* clamd's version, with that of its signatures; empty: not searched for */
    uint64_t malware_max; /* bytes; larger files are a problem of the image */
    unsigned digests;     /* mask of enum fact_digests: of every file, beside SHA-256 */
};

struct fact_match {
    uint32_t rule;
    uint32_t line; /* from 0 */
};

enum fact_file_type { FACT_FILE, FACT_DIR, FACT_SYMLINK, FACT_DEVICE, FACT_FIFO, FACT_OTHER };

struct image_file {
    str path; /* clean, without the leading "/"; "" is the root */
    str link; /* target of symbolic links as it stands; of hard links the other name */
    enum fact_file_type type;
    bool hard_link; /* type FACT_FILE: size, mode and digest are those of the file it names */
    bool has_digest;
    struct sha256 digest; /* of the content */
    unsigned digests;     /* mask of enum fact_digests: which there are */
    uint8_t md5[MD5_SIZE], sha1[SHA1_SIZE];
    uint64_t size;
    uint32_t mode; /* permission bits with set-id and sticky ones */
    uint32_t uid, gid;
    uint32_t layer;
    const struct fact_match *matches; /* by rule, then line */
    size_t n_matches;
    str content; /* of retrieved files; p NULL: not retrieved */
    str malware; /* the signature that was found; p NULL: none */
};

/* A file that a distro package says it installed. */
enum owned_algorithm { OWNED_NO_DIGEST, OWNED_MD5, OWNED_SHA1, OWNED_SHA256 };
enum owned_flags {
    OWNED_THERE = 1,
    OWNED_DIGEST = 2,
    OWNED_MODE = 4, /* mode is stated */
    OWNED_SIZE = 8, /* size is stated */
    OWNED_CONFIG = 16,
    OWNED_DIRECTORY = 32,
};
struct owned_file {
    str path;       /* clean, without the leading "/" */
    unsigned flags; /* enum owned_flags */
    enum owned_algorithm algorithm;
    uint8_t digest[32]; /* as many bytes as the algorithm has */
    uint32_t mode;      /* permission bits */
    uint64_t size;
};

#endif
