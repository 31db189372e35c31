/* source.h - where images come from, as the unconfined process sees it: names, descriptors,
 * network.
 *
 * A source opens what the user named and hands out descriptors; it parses nothing of an image. What
 * the bytes mean is the analyst's affair (packages/analyst.h), in its own confined process. */
#ifndef KELLET_IMAGE_SOURCE_H
#define KELLET_IMAGE_SOURCE_H

#include "image/manifest.h"
#include "image/registry.h"

enum source_shape {
    SHAPE_BLOBS,   /* content-addressed: registry, OCI layout directory; blobs are asked for one by
                      one */
    SHAPE_ARCHIVE, /* one tar: docker-archive, oci-archive, an engine's export, standard input */
    SHAPE_DIRECTORY, /* a root file system */
};

struct source {
    enum source_shape shape;
    const char *kind; /* "registry", "docker-archive", "oci-archive", "oci-dir", "docker", "podman",
                         "dir", "host" */
    const char *text; /* as the user wrote it; borrowed */
    /* The image's name, or what chooses it within an archive or layout, as the user wrote it: a
     * part of text; NULL: none, or an engine's id of the image. */
    const char *asked;
    char canonical[1024]; /* registries: the full reference */
    char selector[256]; /* tag, digest or ref name inside an archive or layout; "" for the only one
                         */
    int fd;             /* archive or directory; -1 for registries */
    bool seekable;      /* archives */
    bool host;          /* this machine: pseudo file systems and container storage are left out */
    struct platform platform;
    bool platform_asked;
    struct registry *registry;
    char engine_socket[256],
        engine_image[512];      /* docker and podman: exported when blob "" is asked for */
    struct transfer *transfers; /* blobs and exports under way */
};

struct source_options {
    const char *platform; /* NULL: this machine's, and anything when there is only one */
    const struct registry_options *registry;
};

/* text: "[PREFIX:]NAME". Without a prefix: "-" is an archive on standard input; an existing file is
 * an archive; a path to a directory is an OCI layout or a root file system; anything else is a
 * reference, looked for in the local engines first and then in its registry. */
int source_open(const char *text, const struct source_options *o, struct source **out,
                struct err *e);
void source_close(struct source *s);

/* ---- what the broker serves (SHAPE_BLOBS)
 * ------------------------------------------------------------ */

/* Opens the manifest for a tag or digest, or (empty name) the source's own: index.json of a layout,
 * the reference's manifest of a registry. *fd is a file or pipe; owned by the caller. */
int source_manifest(struct source *s, str name, int *fd, char media_type[128], struct err *e);
/* Opens a blob; a pipe is filled by a thread of its own. The empty digest: the whole of an engine's
 * export. ERR_LIMIT when very many are under way. */
int source_blob(struct source *s, str digest, uint64_t size, str urls, int *fd, bool *seekable,
                struct err *e);
/* How the transfer of a blob (or the engine's export: empty digest) ended; waits for it,
 * for some minutes (ERR_LIMIT): whoever asks has read it to the end or closed it. */
int source_blob_status(struct source *s, str digest, struct err *e);

#endif
