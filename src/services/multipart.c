#include "services/router_table.h"

/* The value of an attribute of a header: name="value" or name=value; empty: none. */
static str attribute(str header, str name)
{
    str_split(&header, ';');
    while (header.n) {
        str value = str_trim(str_split(&header, ';'));
        str key = str_trim(str_split(&value, '='));
        if (!str_eq_nocase(key, name))
            continue;
        value = str_trim(value);
        if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
            value = str_sub(value, 1, value.n - 1);
        return value;
    }
    return (str){0};
}

/* Takes a part's header lines off *part; true when they name the field. */
static bool is_field(str *part, str name)
{
    bool found = false;
    str line;
    while (str_line(part, &line) && line.n) {
        str value = line;
        str key = str_split(&value, ':');
        if (str_eq_nocase(str_trim(key), STR("content-disposition")))
            found = str_eq(attribute(value, STR("name")), name);
    }
    return found;
}

bool multipart_find(str content_type, str body, str name, str *out)
{
    str boundary = attribute(content_type, STR("boundary"));
    if (!str_starts(content_type, STR("multipart/form-data")) || !boundary.n || boundary.n > 200)
        return false;
    char text[210];
    str mark = {text, (size_t)snprintf(text, sizeof text, "\r\n--%.*s", STR_ARG(boundary))};
    ptrdiff_t at = str_starts(body, str_from(mark, 2)) ? -2 : str_find(body, mark);
    if (at == -1)
        return false;
    body = str_from(body, (size_t)(at + (ptrdiff_t)mark.n));
    while (body.n && !str_starts(body, STR("--"))) {
        ptrdiff_t end = str_find(body, mark);
        if (end < 0)
            return false;
        str part = str_sub(body, 0, (size_t)end), line;
        str_line(&part, &line);
        if (is_field(&part, name)) {
            *out = part.p ? part : STR("");
            return true;
        }
        body = str_from(body, (size_t)end + mark.n);
    }
    return false;
}
