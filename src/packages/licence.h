/* licence.h - licences of packages that may list several, among which one chooses: npm packages and
 * gems. package.licence holds them one a line, each as it is stated. */
#ifndef KELLET_PACKAGES_LICENCE_H
#define KELLET_PACKAGES_LICENCE_H

#include "packages/package.h"

/* Do packages of the type list licences? */
bool licence_is_list(const struct package_type *t);
/* One more of a list that is being made; blank ones are left out. */
void licence_list_add(struct buf *list, str stated);
/* All of a list, with `between` between them; appended. */
void licence_list_join(str list, const char *between, struct buf *out);
/* As an expression, "MIT OR GPL-2.0-only": the text itself, or made in `scratch`, which is
 * initialised here and to be ended by the caller. */
str licence_expression(str list, struct buf *scratch);

#endif
