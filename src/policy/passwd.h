/* passwd.h - /etc/passwd: passwd(5), seven fields separated by colons. */
#ifndef KELLET_POLICY_PASSWD_H
#define KELLET_POLICY_PASSWD_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum { PASSWD_ENTRIES_MAX = 1000000 };

struct passwd_entry {
    str line; /* without white space around it */
    str name;
    str shell;        /* p NULL: the line has no such field */
    int64_t uid, gid; /* -1: none, or no number */
};

/* In the arena, text borrowed. A name that comes again replaces the earlier line, in its place;
 * blank lines are left out. How many, or a negative code. */
int passwd_parse(str text, struct arena *a, const struct passwd_entry **out, struct err *e);

#endif
