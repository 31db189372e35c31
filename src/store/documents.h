/* documents.h - what is too large for a row: analysis documents, manifests, bundles, SBOMs.
 *
 * A document is bytes under (account, bucket, key). Bytes are kept once whatever the number of
 * documents that hold them: large ones are cut into chunks by content, so that two images that
 * share base layers share most of their file lists. Each chunk is zstd-compressed and addressed by
 * its SHA-256, which is checked on each read. Documents of one family (document_put_parts()) are
 * kept as what differs from one another. Drivers keep the chunks: the database, a directory,
 * S3 (there a document is one object: chunk_store_s3.h). Which driver holds a chunk is recorded
 * with it, so that after a change of the configuration old documents stay readable as long as the
 * old driver is configured too (the database always is); documents_migrate.h moves them. */
#ifndef KELLET_STORE_DOCUMENTS_H
#define KELLET_STORE_DOCUMENTS_H

#include "base/buf.h"
#include "net/aws_s3.h"
#include "store/db.h"

struct documents;

struct documents_options {
    const char *driver;          /* "db" (default), "fs", "s3" */
    const char *directory;       /* fs; with others too, when chunks are left there */
    const struct s3_options *s3; /* s3; with others too, when chunks are left there */
    const char *s3_prefix;       /* of keys; NULL: "" */
    bool s3_check;               /* write, read and remove an object before anything else */
    bool s3_create;              /* and make the bucket when it is not there */
    size_t cache_bytes;          /* of document_share(); 0: 64 MiB */
    int64_t keep_us; /* how long documents_sweep() leaves what no one names; default an hour */
};
int documents_open(struct db *db, const struct documents_options *o, struct documents **out,
                   struct err *e);
void documents_close(struct documents *d);

/* Writes or replaces. Rows are written in tx, files before tx is committed, so that a crash leaves
 * at most files that no row names, which documents_sweep() removes. */
int document_put(struct documents *d, struct db_tx *tx, str account, str bucket, str key, str bytes,
                 struct err *e);

/* Many small documents under one key cost one row: an image has fifteen of them. A part is read as
 * the document "KEY/NAME"; it comes and goes with the whole, is copied with it, and a document of
 * its own under that key comes before it. The whole has a size (the parts' sum) and a digest (of
 * how it is stored), but no bytes of its own. At most a thousand parts, without '/' in their
 * names. */
struct document_part {
    str name, bytes;
    bool own; /* no other document has such bytes: up to 64 KiB are kept in the row */
};
/* family: any bytes that documents which are much alike have in common (versions of an image: the
 * repository); empty: none. In a database, what a document has for itself is then kept as what
 * differs from an earlier one of its family, which stays as long as it is needed. */
int document_put_parts(struct documents *d, struct db_tx *tx, str account, str bucket, str key,
                       str family, const struct document_part *parts, size_t n, struct err *e);

/* Appends to *out (initialised by the caller, whose max is the limit). ERR_NOT_FOUND; ERR_MISMATCH
 * when a chunk is not what was written. */
int document_get(struct documents *d, struct db_tx *tx, str account, str bucket, str key,
                 struct buf *out, struct err *e);

/* The same as shared bytes that never change and live until the reference is dropped (from any
 * thread): taken from a cache when they were read lately. With a form: what its `make` appends when
 * it is given the document, made once as long as it stays in the cache. */
struct document_ref;
struct document_form {
    int64_t id; /* not 0 */
    int (*make)(str bytes, struct buf *out, struct err *e);
};
int document_share(struct documents *d, struct db_tx *tx, str account, str bucket, str key,
                   size_t max, const struct document_form *form, struct document_ref **out,
                   struct err *e);
str document_ref_bytes(const struct document_ref *r);
void document_ref_drop(struct document_ref *r); /* NULL is fine */

/* 1 when there was one, 0 when not. */
int document_delete(struct documents *d, struct db_tx *tx, str account, str bucket, str key,
                    struct err *e);
/* All documents of a bucket whose key begins with prefix; n deleted. */
int64_t document_delete_prefix(struct documents *d, struct db_tx *tx, str account, str bucket,
                               str prefix, struct err *e);
/* 1: *size (as written) and *digest ("sha256:..."; 72 bytes with NUL) of the bytes; 0: no such
 * document. */
int document_stat(struct documents *d, struct db_tx *tx, str account, str bucket, str key,
                  uint64_t *size, char digest[72], struct err *e);
/* Copies without moving bytes (archives, restored images, other accounts). */
int document_copy(struct documents *d, struct db_tx *tx, str account, str bucket, str key,
                  str to_account, str to_bucket, str to_key, struct err *e);
/* Removes contents and chunks that no document has named for an hour (keep_us), at most `limit` of
 * each. Returns how many. With a keep_us below an hour it waits up to a second for transactions
 * that may have seen a chunk before nobody named it, and leaves chunks for later while one is open:
 * on PostgreSQL the processes that write must have one role. */
int64_t documents_sweep(struct documents *d, size_t limit, struct err *e);

#endif
