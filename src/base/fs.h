/* fs.h - files of the host: whole reads with a maximum, atomic writes, directories.
 *
 * Only for paths that the user or the configuration gave. Paths that come out of images never reach
 * these. */
#ifndef KELLET_BASE_FS_H
#define KELLET_BASE_FS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* Reads a whole file into *out (initialised by the caller; its max is the limit). */
int fs_read(const char *path, struct buf *out, struct err *e);
int fs_read_fd(int fd, const char *name, struct buf *out, struct err *e);

/* Writes data as path: a temporary file beside it, fsync, rename. Readers see the old or the new
 * file. */
int fs_write_atomic(const char *path, str data, unsigned mode, struct err *e);
/* Makes a directory and its parents (mode 0777 less umask). */
int fs_mkdirs(const char *path, struct err *e);
int fs_write_all(int fd, const void *p, size_t n, struct err *e);

/* An unlinked file for scratch in $TMPDIR (or /var/tmp, or /tmp), open for read and write,
 * close-on-exec. */
int fs_temp_fd(int *out, struct err *e);

bool fs_is_dir(const char *path);
bool fs_is_file(const char *path);

#endif
