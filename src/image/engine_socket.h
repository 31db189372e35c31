/* engine_socket.h - the local container engine (Docker or podman) through its API socket.
 *
 * GET /images/{name}/json says whether it has the image, GET /images/{name}/get streams it as a
 * docker-archive. Docker Engine API 1.24+; podman serves the same under its compatibility API. */
#ifndef KELLET_IMAGE_ENGINE_SOCKET_H
#define KELLET_IMAGE_ENGINE_SOCKET_H

#include "net/http.h"

enum engine_kind { ENGINE_DOCKER, ENGINE_PODMAN };

/* Finds the socket: $DOCKER_HOST / $CONTAINER_HOST (unix:// only), then the usual places. False
 * when none. */
bool engine_socket_find(enum engine_kind kind, char *path, size_t size);

/* Is the image there? 1 yes (image id "sha256:..." in *id), 0 no, or a negative code. */
int engine_image_exists(const char *socket, const char *name, char id[80], struct err *e);

/* Streams the image into fd as a docker-archive. */
int engine_image_export(const char *socket, const char *name, int fd, struct err *e);

#endif
