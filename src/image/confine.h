/* confine.h - gives up everything that parsing an image does not need: seccomp and Landlock.
 *
 * After confine() the process can read and write what it has open, use memory and threads, and
 * (when `root_fd` is given) read below one directory. It can open no other file, no socket, and
 * start no program, nor signal or limit another process. Both are detected at run time: an older
 * kernel gives less, and the result says what there is. */
#ifndef KELLET_IMAGE_CONFINE_H
#define KELLET_IMAGE_CONFINE_H

#include "base/err.h"

#include <stdbool.h>

struct confinement {
    bool seccomp, landlock;
};

/* Irreversible, for the calling process and the threads it starts later; call it while it has one
 * thread. root_fd: a directory to stay readable, or -1. An error only when the kernel offers a
 * means and refuses it. */
int confine(int root_fd, struct confinement *out, struct err *e);

#endif
