/* aws_s3.h - objects in one bucket of S3, or of anything that speaks its protocol.
 *
 * Source: Amazon S3 API reference. Requests are signed with the body's hash, so what arrives is
 * what was sent; what is read the caller checks. Keys may be any UTF-8 text of up to 1,024 bytes.
 * Thread-safe. */
#ifndef KELLET_NET_AWS_S3_H
#define KELLET_NET_AWS_S3_H

#include "net/aws_credentials.h"

enum s3_style {
    S3_STYLE_AUTO, /* PATH with an endpoint of one's own or a bucket with dots, else VIRTUAL */
    S3_STYLE_PATH,
    S3_STYLE_VIRTUAL, /* https://BUCKET.HOST/KEY */
};

enum { S3_PART = 8 << 20, S3_MULTIPART_FROM = 16 << 20, S3_KEY_MAX = 1024 };

struct s3_options {
    const char *access_key, *secret_key; /* NULL: as aws_credentials.h finds them */
    const char *url;                     /* endpoint; NULL: the environment's, else the region's */
    const char *region; /* NULL: the environment's or profile's; us-east-1 with a url */
    const char *bucket;
    enum s3_style style;
    const char *encryption; /* NULL, "AES256", "aws:kms" */
    const char *kms_key;    /* NULL: the account's own for aws:kms */
    const char *ca_file;
};

struct s3;
/* ERR_USAGE: the options make no sense. Asks nobody yet. */
int s3_new(const struct s3_options *o, struct s3 **out, struct err *e);
void s3_free(struct s3 *s); /* NULL is fine */

/* Is the bucket there, and may we write, read and delete (below prefix)? create: make it when it is
 * not there. ERR_AUTH, ERR_NOT_FOUND, ERR_NET say what is wrong. */
int s3_check(struct s3 *s, const char *prefix, bool create, struct err *e);

/* Writes or replaces; from S3_MULTIPART_FROM bytes on in parts. */
int s3_put(struct s3 *s, const char *key, str bytes, struct err *e);
/* Appends to *out. ERR_NOT_FOUND. */
int s3_get(struct s3 *s, const char *key, struct buf *out, struct err *e);
/* One that is not there is deleted already. */
int s3_delete(struct s3 *s, const char *key, struct err *e);
/* Calls fn for at most 1,000 keys below prefix that sort behind `after` ("": from the first), with
 * their last change (seconds since 1970); 1: there are more, 0: these were the last. */
int s3_list(struct s3 *s, const char *prefix, const char *after,
            int (*fn)(void *ctx, const char *key, int64_t modified, struct err *e), void *ctx,
            struct err *e);
/* "s3://BUCKET" for messages. */
const char *s3_name(const struct s3 *s);

#endif
