/* setting.h - small values that belong to the database: secrets made at its first start. */
#ifndef KELLET_SERVICES_SETTING_H
#define KELLET_SERVICES_SETTING_H

#include "store/db.h"

/* The 32 random bytes called `name`, made by whichever process asks first. */
int setting_secret(struct db *db, const char *name, unsigned char out[32], struct err *e);

#endif
