#include "image/challenge.h"

static bool is_token(char c)
{
    return ke_isalnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static str take_token(str *s)
{
    size_t n = 0;
    while (n < s->n && is_token(s->p[n]))
        n++;
    str token = str_sub(*s, 0, n);
    *s = str_from(*s, n);
    return token;
}

static void skip(str *s, const char *what)
{
    while (s->n && s->p[0] && strchr(what, s->p[0]))
        *s = str_from(*s, 1);
}

/* A token or a quoted string, unescaped into out ("" when it does not fit). */
static void take_value(str *s, char *out, size_t size)
{
    size_t n = 0;
    bool fits = true;
    bool quoted = s->n && s->p[0] == '"';
    size_t i = quoted ? 1 : 0;
    for (; i < s->n; i++) {
        char c = s->p[i];
        if (quoted ? c == '"' : c == ',' || ke_isspace(c))
            break;
        if (quoted && c == '\\' && i + 1 < s->n)
            c = s->p[++i];
        fits = fits && n + 1 < size && (unsigned char)c >= ' ';
        if (fits)
            out[n++] = c;
    }
    out[fits ? n : 0] = 0;
    *s = str_from(*s, quoted && i < s->n ? i + 1 : i);
}

static char *place_of(struct challenge *c, str name, size_t *size)
{
    const struct {
        const char *name;
        char *at;
        size_t size;
    } places[] = {{"realm", c->realm, sizeof c->realm},
                  {"service", c->service, sizeof c->service},
                  {"scope", c->scope, sizeof c->scope},
                  {"error", c->error, sizeof c->error}};
    for (size_t i = 0; i < KE_ARRAY_LEN(places); i++) {
        if (str_eq_nocase(name, str_z(places[i].name))) {
            *size = places[i].size;
            return places[i].at;
        }
    }
    return NULL;
}

bool challenge_parse(str value, const char *scheme, struct challenge *out)
{
    bool found = false, ours = false;
    char ignored[8];
    memset(out, 0, sizeof *out);
    while (value.n) {
        skip(&value, ", \t");
        str token = take_token(&value);
        skip(&value, " \t");
        if (token.n == 0) { /* not of the grammar: go on behind it */
            size_t before = value.n;
            take_value(&value, ignored, sizeof ignored);
            if (value.n == before)
                value = str_from(value, 1);
            continue;
        }
        if (!value.n || value.p[0] != '=') { /* a scheme begins */
            if (found)
                return true;
            ours = found = str_eq_nocase(token, str_z(scheme));
            continue;
        }
        skip(&value, "= \t");
        size_t size = sizeof ignored;
        char *place = ours ? place_of(out, token, &size) : NULL;
        take_value(&value, place ? place : ignored, place ? size : sizeof ignored);
    }
    return found;
}

bool challenge_find(const struct http_response *rs, const char *scheme, struct challenge *out)
{
    str rest = buf_view(&rs->headers), line;
    while (str_line(&rest, &line)) {
        str value = line, name = str_split(&value, ':');
        if (str_eq_nocase(name, STR("www-authenticate")) && challenge_parse(value, scheme, out))
            return true;
    }
    return false;
}
