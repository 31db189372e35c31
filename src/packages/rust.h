/* rust.h - Rust programs: the crates that cargo-auditable records in the section ".dep-v0".
 *
 * Format (cargo-auditable, "the audit data format"): zlib-compressed JSON {"packages": [{"name",
 * "version", "source", "kind" ("runtime" by default, or "build"), "root"}]}. The section is not
 * loaded, so it lies behind the program's segments. Programs built without it say nothing of what
 * is in them. */
#ifndef KELLET_PACKAGES_RUST_H
#define KELLET_PACKAGES_RUST_H

#include "codec/elf.h"
#include "packages/cataloguer.h"

/* `in` stands at offset `at` of the file, `size` bytes before its end. Adds what the section names,
 * if there is one. A tail that is too large to keep is a problem entry. */
int rust_tail(struct cat *c, const struct elf *elf, struct stream *in, uint64_t at, uint64_t size,
              struct err *e);

#endif
