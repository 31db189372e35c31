#include "policy/gates/gates.h"

/* The order is the original's: its messages list it. */
const struct gate *const all_gates[] = {
    &gate_always,          &gate_dockerfile,
    &gate_suiddiff,        &gate_imagecheck,
    &gate_pkgdiff,         &gate_anchoresec,
    &gate_pkgcheck,        &gate_dockerfilecheck,
    &gate_filecheck,       &gate_fileparse_passwd,
    &gate_gemcheck,        &gate_metadatacheck,
    &gate_licblacklist,    &gate_npmcheck,
    &gate_pkgblacklist,    &gate_secretcheck,
    &gate_files,           &gate_ruby_gems,
    &gate_metadata,        &gate_licenses,
    &gate_malware,         &gate_npms,
    &gate_packages,        &gate_passwd_file,
    &gate_retrieved_files, &gate_secret_scans,
    &gate_vulnerabilities, NULL,
};
