/* auto.h - things that end with their scope: autofree, autoclose, autofile. */
#ifndef KELLET_BASE_AUTO_H
#define KELLET_BASE_AUTO_H

#include "base/compiler.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void auto_free_(void *p)
{
    free(*(void **)p);
}
static inline void auto_close_(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
static inline void auto_fclose_(FILE **f)
{
    if (*f)
        fclose(*f);
}

#define autofree  KE_CLEANUP(auto_free_)
#define autoclose KE_CLEANUP(auto_close_)
#define autofile  KE_CLEANUP(auto_fclose_)
/* TAKE for descriptors: the value, the variable becoming -1. */
#define TAKE_FD(fd)                                                                                \
    ({                                                                                             \
        int ke_take_fd_ = (fd);                                                                    \
        (fd) = -1;                                                                                 \
        ke_take_fd_;                                                                               \
    })

#endif
