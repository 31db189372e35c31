/* digest.h - SHA-256 over OpenSSL's EVP (fetched once per context), and "sha256:<hex>" text. MD5
 * for ids that the original made with it, never for security. */
#ifndef KELLET_CODEC_DIGEST_H
#define KELLET_CODEC_DIGEST_H

#include "base/err.h"
#include "base/str.h"

struct sha256 {
    uint8_t b[32];
};

struct digest_ctx;
int digest_new(struct digest_ctx **out, struct err *e);
void digest_update(struct digest_ctx *d, const void *p, size_t n);
/* Finishes; the context then starts afresh. */
struct sha256 digest_final(struct digest_ctx *d);
void digest_free(struct digest_ctx *d);

/* From now on `other` is computed beside d, in the time that d takes, where the processor can do
 * two at once (sha256_pair.h): what digest_update_later() gave to other waits for d's updates.
 * Neither has been given a byte yet; both belong to one thread. Undone by digest_part(), which must
 * come before other is freed; d may then have another one. */
void digest_beside(struct digest_ctx *d, struct digest_ctx *other);
void digest_part(struct digest_ctx *d);
/* As digest_update(), but the bytes may be looked at later: they stay as they are until the next
 * call with this context, or digest_settle(). */
void digest_update_later(struct digest_ctx *d, const void *p, size_t n);
void digest_settle(struct digest_ctx *d);

struct sha256 sha256_of(const void *p, size_t n);
bool sha256_eq(const struct sha256 *a, const struct sha256 *b);
/* Parses "sha256:" and 64 lower-case hex digits. Other algorithms are ERR_UNSUPPORTED. */
int sha256_parse(str text, struct sha256 *out, struct err *e);
/* "sha256:<hex>" with NUL: 72 bytes. */
enum { SHA256_TEXT = 72 };
const char *sha256_format(const struct sha256 *d, char text[SHA256_TEXT]);

/* A digest of old, to compare with what somebody states, never for security. `name`: "MD5" or
 * "SHA1". ERR_UNSUPPORTED where the library has none (a FIPS build). */
int digest_old_new(const char *name, struct digest_ctx **out, struct err *e);
/* Finishes; the context then starts afresh. size: of the digest, 16 or 20 bytes. */
void digest_old_final(struct digest_ctx *d, uint8_t *out, size_t size);

/* MD5 of the parts one after the other, as lower-case hex with NUL. False when the library has
 * none (a FIPS build). */
enum { MD5_TEXT = 33 };
bool md5_hex(const str *parts, size_t n, char text[MD5_TEXT]);
/* The same for ids that must be there whatever the library has: without MD5 the first half of the
 * parts' SHA-256. */
void digest_id(const str *parts, size_t n, char text[MD5_TEXT]);

#endif
