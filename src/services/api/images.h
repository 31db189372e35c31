/* images.h - the external API's images: tables of operations, bound by operationId. */
#ifndef KELLET_SERVICES_API_IMAGES_H
#define KELLET_SERVICES_API_IMAGES_H

#include "services/call.h"

extern const struct operation image_operations[];     /* images.c: add, read */
extern const struct operation image_add_operations[]; /* image_add.c */
extern const struct operation image_delete_operations[];
extern const struct operation summary_operations[];
extern const struct operation registry_operations[];
extern const struct operation repository_operations[];

/* The same for the catalog's own routes: they read the parameters tag and digest too. */
int images_list(struct call *c);
int images_get(struct call *c);
int images_delete_one(struct call *c);
int images_delete_many(struct call *c);
int summaries_imagetags(struct call *c);
int registries_list(struct call *c);
int registries_create(struct call *c);
int registries_get(struct call *c);
int registries_update(struct call *c);
int registries_delete(struct call *c);

#endif
