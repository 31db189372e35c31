/* maven.c - Maven versions, as ComparableVersion of Maven 3.9.9 orders them.
 *
 * A version is a list of numbers and words whose last item may be a list again: a hyphen, a change
 * between digits and letters, and a word behind other items each begin one. So the nested lists
 * are one row with marks where the next list begins. Zeros and words that mean "release" do not
 * count at the end of their list. A version that ran out is compared as nothing: less than any
 * number and than unknown words, greater than alpha, beta, milestone, rc and snapshot. */
#include "version/digits.h"
#include "version/schemes.h"

enum maven_rank {
    MAVEN_ALPHA,
    MAVEN_BETA,
    MAVEN_MILESTONE,
    MAVEN_RC,
    MAVEN_SNAPSHOT,
    MAVEN_RELEASE, /* or nothing */
    MAVEN_SP,
    MAVEN_OTHER,
};

/* In the order of different kinds of item; nothing (MAVEN_END) follows rules of its own. */
enum maven_kind { MAVEN_END, MAVEN_WORD, MAVEN_LIST, MAVEN_NUMBER };

struct maven_item {
    enum maven_kind kind;
    enum maven_rank rank; /* of a word */
    str text;
};

/* Gives every item and mark of the text as it stands. */
struct maven_scanner {
    str rest;
    struct maven_item held; /* behind the mark that was just given */
    bool has_held, in_list; /* in_list: the current list has items */
    bool closes;            /* the held item ends its list */
    bool mark_due;
};

/* Gives what is left when lists have lost what does not count. */
struct maven_reader {
    struct maven_scanner scan;
    size_t list, lists; /* number of the current list; how many there are */
    size_t sure;        /* items known to be followed by one that counts */
};

static enum maven_rank maven_word_rank(str word, bool before_digit)
{
    static const struct {
        str word;
        enum maven_rank rank;
    } words[] = {
        {STR_INIT("alpha"), MAVEN_ALPHA},
        {STR_INIT("beta"), MAVEN_BETA},
        {STR_INIT("milestone"), MAVEN_MILESTONE},
        {STR_INIT("rc"), MAVEN_RC},
        {STR_INIT("cr"), MAVEN_RC},
        {STR_INIT("snapshot"), MAVEN_SNAPSHOT},
        {STR_INIT("ga"), MAVEN_RELEASE},
        {STR_INIT("final"), MAVEN_RELEASE},
        {STR_INIT("release"), MAVEN_RELEASE},
        {STR_INIT("sp"), MAVEN_SP},
    };
    if (before_digit && word.n == 1) {
        char c = ke_tolower(*word.p);
        if (c == 'a' || c == 'b' || c == 'm')
            return c == 'a' ? MAVEN_ALPHA : c == 'b' ? MAVEN_BETA : MAVEN_MILESTONE;
    }
    for (size_t i = 0; i < KE_ARRAY_LEN(words); i++)
        if (str_eq_nocase(word, words[i].word))
            return words[i].rank;
    return MAVEN_OTHER;
}

static bool maven_word_char(char c)
{
    return !ke_isdigit(c) && c != '.' && c != '-';
}

/* Takes the next number or word off s->rest. *wraps: it begins a list when there are items. */
static struct maven_item maven_take(struct maven_scanner *s, bool *wraps)
{
    struct maven_item item = {MAVEN_NUMBER, MAVEN_RELEASE, digits_run(s->rest)};
    size_t n = item.text.n;
    if (!n) {
        while (n < s->rest.n && maven_word_char(s->rest.p[n]))
            n++;
        item.kind = n ? MAVEN_WORD : MAVEN_NUMBER; /* nothing between two separators is a zero */
        item.text.n = n;
    }
    bool end = n == s->rest.n;
    char next = end ? '\0' : s->rest.p[n];
    bool separator = next == '.' || next == '-', before_digit = !end && ke_isdigit(next);
    if (item.kind == MAVEN_WORD)
        item.rank = maven_word_rank(item.text, before_digit);
    *wraps = item.kind == MAVEN_WORD && !separator;
    s->closes = !end && next != '.';
    s->rest = str_from(s->rest, n + (separator && !end));
    return item;
}

static struct maven_item maven_scan(struct maven_scanner *s)
{
    static const struct maven_item mark = {.kind = MAVEN_LIST};
    struct maven_item item = s->held;
    if (s->mark_due) {
        s->mark_due = s->in_list = false;
        return mark;
    }
    if (!s->has_held) {
        bool wraps;
        if (!s->rest.n)
            return (struct maven_item){.kind = MAVEN_END};
        item = maven_take(s, &wraps);
        if (wraps && s->in_list) {
            s->held = item;
            s->has_held = true;
            s->in_list = false;
            return mark;
        }
    }
    s->has_held = false;
    s->in_list = true;
    s->mark_due = s->closes;
    return item;
}

static bool maven_is_scalar(const struct maven_item *i)
{
    return i->kind == MAVEN_NUMBER || i->kind == MAVEN_WORD;
}

static bool maven_is_null(const struct maven_item *i)
{
    return i->kind == MAVEN_NUMBER ? digits_zero(i->text)
                                   : i->kind == MAVEN_WORD && i->rank == MAVEN_RELEASE;
}

static struct maven_reader maven_open(str v)
{
    struct maven_reader r = {.scan = {.rest = v}};
    struct maven_scanner probe = r.scan;
    size_t list = 1;
    for (struct maven_item i; (i = maven_scan(&probe)).kind != MAVEN_END;) {
        if (i.kind == MAVEN_LIST)
            list++;
        else if (!maven_is_null(&i))
            r.lists = list;
    }
    r.list = 1;
    return r;
}

/* Is an item that counts ahead in this list? If so sets r->sure; if not goes to the list's end. */
static bool maven_look_ahead(struct maven_reader *r)
{
    struct maven_scanner probe = r->scan, before;
    struct maven_item i;
    size_t n = 0;
    do {
        before = probe;
        i = maven_scan(&probe);
        n++;
    } while (maven_is_null(&i));
    if (maven_is_scalar(&i)) {
        r->sure = n;
        return true;
    }
    r->scan = before;
    return false;
}

static struct maven_item maven_next(struct maven_reader *r)
{
    while (r->list <= r->lists) {
        struct maven_item i = maven_scan(&r->scan);
        if (r->sure) {
            r->sure--;
            return i;
        }
        if (i.kind == MAVEN_LIST && r->list++ == r->lists)
            break;
        if (!maven_is_null(&i) || maven_look_ahead(r))
            return i;
    }
    return (struct maven_item){.kind = MAVEN_END};
}

/* An item against nothing. */
static int maven_compare_nothing(const struct maven_item *i)
{
    if (i->kind == MAVEN_NUMBER)
        return !digits_zero(i->text);
    return i->kind == MAVEN_WORD ? (int)i->rank - (int)MAVEN_RELEASE : 0;
}

static int maven_compare_item(const struct maven_item *x, const struct maven_item *y)
{
    if (x->kind == MAVEN_END)
        return -maven_compare_nothing(y);
    if (y->kind == MAVEN_END)
        return maven_compare_nothing(x);
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->kind == MAVEN_NUMBER)
        return digits_compare(x->text, y->text);
    if (x->kind == MAVEN_LIST)
        return 0;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return x->rank == MAVEN_OTHER ? text_compare_nocase(x->text, y->text) : 0;
}

static int maven_compare(str a, str b)
{
    if (str_eq(a, b))
        return 0;
    struct maven_reader left = maven_open(a), right = maven_open(b);
    for (;;) {
        struct maven_item x = maven_next(&left), y = maven_next(&right);
        int order = maven_compare_item(&x, &y);
        if (order || (x.kind == MAVEN_END && y.kind == MAVEN_END))
            return order;
    }
}

static bool maven_valid(str v)
{
    return true;
}

const struct version_ops version_maven = {
    .name = "maven",
    .valid = maven_valid,
    .compare = maven_compare,
};

/* Without the Java release that the artifact was built for: ".jre8", ".JDK11". */
static str maven_any_java(str v)
{
    str bare = v;
    while (bare.n && ke_isdigit(bare.p[bare.n - 1]))
        bare.n--;
    if (bare.n == v.n || bare.n < 4)
        return v;
    bare.n -= 4;
    str word = str_sub(v, bare.n, bare.n + 4);
    return str_eq_nocase(word, STR(".jre")) || str_eq_nocase(word, STR(".jdk")) ? bare : v;
}

static int maven_jre_compare(str a, str b)
{
    return maven_compare(maven_any_java(a), maven_any_java(b));
}

const struct version_ops version_maven_jre = {
    .name = "maven-jre",
    .valid = maven_valid,
    .compare = maven_jre_compare,
};
