/* mhd_api.h - the functions of libmicrohttpd that this room uses, looked up when a server is first
 * started: mhd.start_daemon() is MHD_start_daemon(). */
#ifndef KELLET_NET_MHD_API_H
#define KELLET_NET_MHD_API_H

#include "base/err.h"

#include <microhttpd.h>

/* clang-format off */
#define MHD_FUNCTIONS(X)                                                                           \
    X(add_response_header) X(create_response_from_buffer) \
    X(create_response_from_buffer_with_free_callback) X(create_response_from_buffer_with_free_callback_cls) \
    X(create_response_from_fd64) X(destroy_response) \
    X(get_connection_info) X(get_connection_values_n) \
    X(get_daemon_info) X(lookup_connection_value) \
    X(lookup_connection_value_n) X(queue_response) \
    X(quiesce_daemon) X(resume_connection) \
    X(start_daemon) X(stop_daemon) \
    X(suspend_connection)
/* clang-format on */

struct mhd_api {
#define MHD_POINTER(name) __typeof__(MHD_##name) *name;
    MHD_FUNCTIONS(MHD_POINTER)
#undef MHD_POINTER
};

extern struct mhd_api mhd; /* after mhd_load() */
/* Once per process, thread-safe. ERR_UNSUPPORTED, with what to install. */
int mhd_load(struct err *e);

#endif
