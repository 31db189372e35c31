#include "policy/passwd.h"

#include "base/map.h"
#include "base/vec.h"

#include <stdlib.h>

typedef VEC(struct passwd_entry) entries;

static int64_t number_of(str s)
{
    uint64_t v;
    return str_to_u64(str_trim(s), &v) && v <= INT64_MAX ? (int64_t)v : -1;
}

static struct passwd_entry entry_of(str line)
{
    struct passwd_entry x = {.line = line, .uid = -1, .gid = -1};
    str fields[7] = {{0}}, rest = line;
    for (int i = 0; i < 7; i++) {
        ptrdiff_t colon = str_index(rest, ':');
        fields[i] = colon < 0 ? rest : str_sub(rest, 0, (size_t)colon);
        if (colon < 0)
            break;
        rest = str_from(rest, (size_t)colon + 1);
    }
    x.name = fields[0];
    x.uid = number_of(fields[2]);
    x.gid = number_of(fields[3]);
    x.shell = fields[6];
    return x;
}

static int read_lines(str text, entries *list, struct map *names, struct err *e)
{
    str line;
    while (str_line(&text, &line)) {
        line = str_trim(line);
        if (!line.n)
            continue;
        struct passwd_entry x = entry_of(line);
        void **slot = map_slot(names, x.name);
        if (!slot)
            return err_no_memory(e);
        if (*slot) {
            list->p[(uintptr_t)*slot - 1] = x;
            continue;
        }
        if (list->n >= PASSWD_ENTRIES_MAX)
            return err_set(e, ERR_LIMIT, "/etc/passwd has more than %d entries",
                           PASSWD_ENTRIES_MAX);
        struct passwd_entry *item = vec_push(list);
        if (!item)
            return err_no_memory(e);
        *item = x;
        *slot = (void *)(uintptr_t)list->n;
    }
    return 0;
}

int passwd_parse(str text, struct arena *a, const struct passwd_entry **out, struct err *e)
{
    entries list = {0};
    struct map names;
    map_init(&names);
    int rc = read_lines(text, &list, &names, e);
    struct passwd_entry *kept = NULL;
    if (!rc && list.n) {
        kept = arena_calloc(a, list.n, sizeof *kept);
        if (kept)
            memcpy(kept, list.p, list.n * sizeof *kept);
        else
            rc = err_no_memory(e);
    }
    int n = (int)list.n;
    *out = kept;
    map_done(&names);
    vec_done(&list);
    return rc < 0 ? rc : n;
}
