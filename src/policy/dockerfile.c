#include "policy/dockerfile.h"

#include "base/buf.h"
#include "base/vec.h"

#include <stdlib.h>

enum { HEREDOCS_MAX = 16, HEREDOC_SEARCH_MAX = 64 << 20 };

typedef VEC(struct dockerfile_instruction) instructions;

struct dockerfile_reader {
    struct arena *arena;
    enum dockerfile_reading how;
    str rest;
    char escape;
    size_t budget; /* bytes that may still be searched for ends of here-documents */
    struct buf joined;
    instructions list;
};

static bool blank(char c)
{
    return ke_isspace(c);
}

static str first_word(str s)
{
    size_t n = 0;
    while (n < s.n && !blank(s.p[n]))
        n++;
    return str_sub(s, 0, n);
}

/* "# escape=`": only before anything else of the file. */
static void read_directives(struct dockerfile_reader *r)
{
    str rest = r->rest, line;
    while (str_line(&rest, &line)) {
        line = str_trim(line);
        if (!str_starts(line, STR("#")))
            return;
        line = str_trim(str_from(line, 1));
        ptrdiff_t eq = str_index(line, '=');
        if (eq < 0)
            return;
        str name = str_trim(str_sub(line, 0, (size_t)eq));
        str value = str_trim(str_from(line, (size_t)eq + 1));
        if (str_eq_nocase(name, STR("escape")) &&
            (str_eq(value, STR("`")) || str_eq(value, STR("\\"))))
            r->escape = value.p[0];
    }
}

static void join(struct dockerfile_reader *r, str piece)
{
    piece = str_trim(piece);
    if (!piece.n)
        return;
    if (r->joined.n)
        buf_add_char(&r->joined, ' ');
    buf_add_str(&r->joined, piece);
}

/* The words after "<<" or "<<-", unquoted: up to HEREDOCS_MAX. */
static size_t heredoc_words(str s, str out[HEREDOCS_MAX])
{
    size_t n = 0;
    for (ptrdiff_t at; n < HEREDOCS_MAX && (at = str_find(s, STR("<<"))) >= 0;) {
        bool digits_before = true; /* "3<<X" names a descriptor; "a<<X" is a shift */
        for (ptrdiff_t i = at - 1; i >= 0 && !blank(s.p[i]); i--)
            digits_before = digits_before && ke_isdigit(s.p[i]);
        s = str_from(s, (size_t)at + 2);
        if (str_starts(s, STR("<"))) { /* "<<<" is a here-string of the shell */
            s = str_from(s, 1);
            continue;
        }
        if (str_starts(s, STR("-")))
            s = str_from(s, 1);
        str word = first_word(s);
        s = str_from(s, word.n);
        if (word.n > 2 && (word.p[0] == '"' || word.p[0] == '\'') &&
            word.p[word.n - 1] == word.p[0])
            word = str_sub(word, 1, word.n - 1);
        if (digits_before && word.n && (ke_isalnum(word.p[0]) || word.p[0] == '_'))
            out[n++] = word;
    }
    return n;
}

static bool takes_heredocs(str line)
{
    str word = first_word(line);
    return str_eq_nocase(word, STR("RUN")) || str_eq_nocase(word, STR("COPY")) ||
           str_eq_nocase(word, STR("ADD"));
}

/* The text up to and with the line that ends the here-document; false when there is none. */
static bool heredoc_body(struct dockerfile_reader *r, str word, str *body)
{
    str rest = r->rest, piece;
    while (r->budget && str_line(&rest, &piece)) {
        r->budget -= piece.n < r->budget ? piece.n + 1 : r->budget;
        if (str_eq(str_trim(piece), word)) {
            *body = str_sub(r->rest, 0, r->rest.n - rest.n);
            r->rest = rest;
            return true;
        }
    }
    return false;
}

/* The bodies that follow an instruction, with their last lines. One without end is no
 * here-document: then nothing is taken. */
static void read_heredocs(struct dockerfile_reader *r)
{
    str words[HEREDOCS_MAX], body, piece;
    str line = arena_dup(r->arena, buf_view(&r->joined));
    size_t n = heredoc_words(line, words);
    for (size_t i = 0; i < n && heredoc_body(r, words[i], &body); i++)
        while (str_line(&body, &piece))
            join(r, piece);
}

/* The instruction that begins with `line`, in r->joined. */
static void read_joined(struct dockerfile_reader *r, str line)
{
    buf_clear(&r->joined);
    for (bool more = true; more;) {
        line = str_trim(line);
        bool comment = str_starts(line, STR("#"));
        more = comment || !line.n || line.p[line.n - 1] == r->escape;
        if (!comment && line.n)
            join(r, line.p[line.n - 1] == r->escape ? str_sub(line, 0, line.n - 1) : line);
        more = more && str_line(&r->rest, &line);
    }
    if (takes_heredocs(buf_view(&r->joined)) && str_contains(buf_view(&r->joined), STR("<<")))
        read_heredocs(r);
}

static int add_instruction(struct dockerfile_reader *r, str line, struct err *e)
{
    if (r->list.n >= DOCKERFILE_INSTRUCTIONS_MAX)
        return err_set(e, ERR_LIMIT, "a Dockerfile of more than %d instructions",
                       DOCKERFILE_INSTRUCTIONS_MAX);
    line = arena_dup(r->arena, str_trim(line));
    struct dockerfile_instruction *i = line.p ? vec_push(&r->list) : NULL;
    if (!i)
        return err_no_memory(e);
    str word = first_word(line);
    for (size_t k = 0; k < word.n; k++)
        if (word.p[k] >= 'a' && word.p[k] <= 'z')
            ((char *)word.p)[k] = (char)(word.p[k] - 32);
    *i = (struct dockerfile_instruction){word, str_trim(str_from(line, word.n))};
    return 0;
}

static int read_all(struct dockerfile_reader *r, struct err *e)
{
    str line;
    if (r->how == DOCKERFILE_JOINED)
        read_directives(r);
    while (str_line(&r->rest, &line)) {
        line = str_trim(line);
        if (!line.n || line.p[0] == '#')
            continue;
        if (r->how == DOCKERFILE_JOINED) {
            read_joined(r, line);
            if (buf_check(&r->joined, "an instruction of a Dockerfile", e) < 0)
                return e ? e->code : ERR_LIMIT;
            line = buf_view(&r->joined);
            if (!line.n)
                continue;
        }
        int rc = add_instruction(r, line, e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int dockerfile_parse(str text, enum dockerfile_reading how, struct arena *a,
                     const struct dockerfile_instruction **out, struct err *e)
{
    if (text.n > DOCKERFILE_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "a Dockerfile of %zu bytes is too large", text.n);
    struct dockerfile_reader r = {
        .arena = a, .how = how, .rest = text, .escape = '\\', .budget = HEREDOC_SEARCH_MAX};
    buf_init(&r.joined, DOCKERFILE_BYTES_MAX);
    int rc = read_all(&r, e);
    struct dockerfile_instruction *list = NULL;
    if (!rc && r.list.n) {
        list = arena_calloc(a, r.list.n, sizeof *list);
        if (list)
            memcpy(list, r.list.p, r.list.n * sizeof *list);
        else
            rc = err_no_memory(e);
    }
    *out = list;
    int n = (int)r.list.n;
    buf_done(&r.joined);
    vec_done(&r.list);
    return rc < 0 ? rc : n;
}

/* "alpine:3 AS build" -> image, name. */
static void stage_names(str text, str *image, str *name)
{
    *image = *name = (str){0};
    while (text.n) {
        str word = first_word(text);
        text = str_trim(str_from(text, word.n));
        if (str_starts(word, STR("--")))
            continue;
        if (!image->n)
            *image = word;
        else if (str_eq_nocase(word, STR("as")))
            *name = first_word(text);
    }
}

/* [appuser] -> appuser */
static str user_of(str text)
{
    if (str_starts(text, STR("[")))
        text = str_from(text, 1);
    ptrdiff_t end = str_index(text, ']');
    return end < 0 ? text : str_sub(text, 0, (size_t)end);
}

/* The user at instruction `at` (a FROM): what the stage that it names ends with. Names may be used
 * again, so the nearest one before counts. */
static str stage_user(const struct dockerfile_instruction *list, size_t at)
{
    str wanted, own, image, name;
    for (size_t steps = 0; steps < 64; steps++) { /* chains of stages */
        stage_names(list[at].text, &wanted, &own);
        str user = {0};
        size_t i = at, found = at;
        while (i-- > 0 && found == at) {
            if (str_eq(list[i].keyword, STR("USER")) && !user.n)
                user = user_of(list[i].text);
            if (!str_eq(list[i].keyword, STR("FROM")))
                continue;
            stage_names(list[i].text, &image, &name);
            if (name.n && str_eq_nocase(name, wanted))
                found = i;
            else
                user = (str){0};
        }
        if (found == at)
            return STR("root");
        if (user.n)
            return user;
        at = found;
    }
    return STR("root");
}

str dockerfile_user(const struct dockerfile_instruction *list, size_t n)
{
    for (size_t i = n; i-- > 0;) {
        if (str_eq(list[i].keyword, STR("USER")) && user_of(list[i].text).n)
            return user_of(list[i].text);
        if (str_eq(list[i].keyword, STR("FROM")))
            return stage_user(list, i);
    }
    return STR("root");
}
