/* The tar walk: every format's way to say a path and a size, sparse files, and lies. */
#include "unit.h"

#include "codec/tar.h"

#include "tar_build.h"

static const char type_letter[] = "fhlcbdpo";

/* Walks the archive and writes one line per entry; the result is tar_next's last answer. */
static int walk(str archive, const struct tar_limits *limits, struct buf *log, struct err *e)
{
    struct stream *below;
    struct tar *t;
    struct tar_entry entry;
    assert_int_equal(stream_from_mem(archive, &below, e), 0);
    assert_int_equal(tar_open(below, limits, &t, e), 0);
    int r;
    while ((r = tar_next(t, &entry, e)) == 1) {
        buf_addf(log, "%c%s %.*s", type_letter[entry.type], entry.unsafe ? "!" : "",
                 STR_ARG(entry.path));
        if (entry.link.n)
            buf_addf(log, " -> %.*s", STR_ARG(entry.link));
        if (entry.type == TAR_FILE) {
            auto_buf content;
            buf_init(&content, 1 << 20);
            r = stream_read_all(tar_content(t), &content, "content", e);
            if (r < 0)
                break;
            assert_int_equal(content.n, entry.size);
            for (size_t i = 0; i < content.n; i++)
                if (content.p[i] == 0)
                    content.p[i] = '.';
            buf_addf(log, " =%.*s", STR_ARG(str_sub(buf_view(&content), 0, 60)));
        }
        buf_add_char(log, '\n');
    }
    tar_close(t);
    stream_close(below);
    return r;
}

static void expect(struct buf *archive, const char *want)
{
    struct err e = {0};
    auto_buf log;
    buf_init(&log, 1 << 20);
    assert_ok(walk(buf_view(archive), NULL, &log, &e));
    assert_str(buf_view(&log), str_z(want));
}

static void plain_entries(void **state)
{
    auto_buf b;
    buf_init(&b, 1 << 20);
    tar_add(&b, '5', "./etc/", NULL, STR(""), 0755);
    tar_file(&b, "./etc/os-release", "ID=x\n");
    tar_add(&b, '2', "etc/link", "../a/b", STR(""), 0777);
    tar_add(&b, '1', "etc/hard", "./etc//os-release", STR(""), 0644);
    tar_file(&b, "/abs/./path//x", "");
    tar_file(&b, "a/../../b", "evil");
    tar_add(&b, '3', "dev/null", NULL, STR(""), 0666);
    tar_end(&b);
    expect(&b, "d etc\n"
               "f etc/os-release =ID=x\n\n"
               "l etc/link -> ../a/b\n"
               "h etc/hard -> etc/os-release\n"
               "f abs/path/x =\n"
               "f! a/../../b =evil\n"
               "c dev/null\n");
}

static void long_names(void **state)
{
    char deep[400];
    memset(deep, 'd', sizeof deep - 1);
    deep[100] = deep[200] = '/';
    deep[sizeof deep - 1] = '\0';
    char record[420];
    snprintf(record, sizeof record, "path=%s", deep);
    const char *records[] = {record, "mtime=1700000000.5", "SCHILY.xattr.user.x=1"};
    auto_buf pax, gnu;
    buf_init(&pax, 1 << 20);
    buf_init(&gnu, 1 << 20);
    tar_pax(&pax, records, KE_ARRAY_LEN(records));
    tar_file(&pax, "short", "1");
    tar_file(&pax, "next", "2");
    tar_end(&pax);
    tar_add(&gnu, 'L', "././@LongLink", NULL, (str){deep, sizeof deep}, 0644);
    tar_file(&gnu, "short", "1");
    tar_file(&gnu, "next", "2");
    tar_end(&gnu);
    char want[600];
    snprintf(want, sizeof want, "f %s =1\nf next =2\n", deep);
    expect(&pax, want);
    expect(&gnu, want);
}

static void ustar_prefix_and_big_sizes(void **state)
{
    char h[512];
    auto_buf b;
    buf_init(&b, 1 << 20);
    tar_header(h, '0', "name", NULL, 0, 0644);
    memcpy(h + 345, "some/prefix", 11);
    memset(h + 124, 0, 12); /* base-256 size */
    h[124] = (char)0x80;
    h[135] = 3;
    tar_seal(h);
    buf_add(&b, h, 512);
    buf_add_str(&b, STR("abc"));
    tar_pad(&b);
    tar_end(&b);
    expect(&b, "f some/prefix/name =abc\n");
}

static void sparse_formats(void **state)
{
    const char *v00[] = {"GNU.sparse.size=20",   "GNU.sparse.numblocks=2",
                         "GNU.sparse.offset=2",  "GNU.sparse.numbytes=3",
                         "GNU.sparse.offset=10", "GNU.sparse.numbytes=2"};
    const char *v01[] = {"GNU.sparse.size=20", "GNU.sparse.name=real", "GNU.sparse.map=2,3,10,2"};
    const char *v10[] = {"GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.name=real",
                         "GNU.sparse.realsize=20"};
    auto_buf b;
    buf_init(&b, 1 << 20);
    tar_pax(&b, v00, KE_ARRAY_LEN(v00));
    tar_file(&b, "real", "abcde");
    tar_pax(&b, v01, KE_ARRAY_LEN(v01));
    tar_file(&b, "made-up", "abcde");
    char data[517] = "2\n2\n3\n10\n2\n";
    memcpy(data + 512, "abcde", 5);
    tar_pax(&b, v10, KE_ARRAY_LEN(v10));
    tar_add(&b, '0', "made-up", NULL, (str){data, sizeof data}, 0644);
    char h[512];
    tar_header(h, 'S', "real", NULL, 5, 0644);
    memcpy(h + 257, "ustar  ", 8);
    tar_octal(h + 386, 12, 2), tar_octal(h + 398, 12, 3);
    tar_octal(h + 410, 12, 10), tar_octal(h + 422, 12, 2);
    tar_octal(h + 483, 12, 20);
    tar_seal(h);
    buf_add(&b, h, 512);
    buf_add_str(&b, STR("abcde"));
    tar_pad(&b);
    tar_end(&b);
    expect(&b, "f real =..abc.....de........\n"
               "f real =..abc.....de........\n"
               "f real =..abc.....de........\n"
               "f real =..abc.....de........\n");
}

static void expect_error(struct buf *b, int code, const char *part)
{
    struct err e = {0};
    auto_buf log;
    buf_init(&log, 1 << 20);
    int r = walk(buf_view(b), NULL, &log, &e);
    if (r != code || !strstr(e.text, part))
        fail_msg("got %d \"%s\", want %d with \"%s\"", r, e.text, code, part);
}

static void lies_are_errors(void **state)
{
    auto_buf b;
    buf_init(&b, 8 << 20);
    char h[512];
    tar_header(h, '0', "x", NULL, 1, 0644);
    h[0] = 'y';
    buf_add(&b, h, 512);
    expect_error(&b, ERR_FORMAT, "checksum");

    buf_clear(&b);
    tar_header(h, '0', "x", NULL, 0, 0644);
    memcpy(h + 124, "77777777777\0", 12);
    tar_seal(h);
    buf_add(&b, h, 512);
    expect_error(&b, ERR_FORMAT, "truncated");

    buf_clear(&b);
    tar_header(h, 'x', "x", NULL, 0, 0644);
    memcpy(h + 124, "00077777777\0", 12);
    tar_seal(h);
    buf_add(&b, h, 512);
    expect_error(&b, ERR_LIMIT, "extended tar header");

    buf_clear(&b);
    tar_add(&b, 'x', "x", NULL, STR("999 path=x\n"), 0644);
    tar_file(&b, "x", "");
    expect_error(&b, ERR_FORMAT, "malformed");

    buf_clear(&b);
    for (int i = 0; i < 20; i++)
        tar_add(&b, 'L', "l", NULL, STR("name"), 0644);
    expect_error(&b, ERR_LIMIT, "16 extended headers");

    const char *backwards[] = {"GNU.sparse.size=20", "GNU.sparse.map=10,3,2,2"};
    buf_clear(&b);
    tar_pax(&b, backwards, 2);
    tar_file(&b, "x", "abcde");
    expect_error(&b, ERR_FORMAT, "out of order");

    const char *outside[] = {"GNU.sparse.size=20", "GNU.sparse.map=10,30"};
    buf_clear(&b);
    tar_pax(&b, outside, 2);
    tar_file(&b, "x", "abcde");
    expect_error(&b, ERR_FORMAT, "past its size");

    buf_clear(&b);
    char *long_name autofree = malloc(100000);
    memset(long_name, 'n', 100000);
    tar_add(&b, 'L', "l", NULL, (str){long_name, 100000}, 0644);
    tar_file(&b, "x", "");
    expect_error(&b, ERR_LIMIT, "path");
}

static void every_truncation_ends(void **state)
{
    const char *records[] = {"path=long/name", "GNU.sparse.size=9", "GNU.sparse.map=2,3"};
    auto_buf b;
    buf_init(&b, 1 << 20);
    tar_file(&b, "a", "content of a");
    tar_pax(&b, records, KE_ARRAY_LEN(records));
    tar_file(&b, "b", "abc");
    size_t whole = b.n;
    tar_end(&b);
    for (size_t cut = 0; cut < b.n; cut++) {
        struct err e = {0};
        auto_buf log;
        buf_init(&log, 1 << 20);
        int r = walk(str_sub(buf_view(&b), 0, cut), NULL, &log, &e);
        /* whole blocks of padding or end mark may be missing; nothing else */
        bool padding_only = cut >= whole - 512 + 3;
        bool after_a = cut >= 512 + 12 && cut <= 1024;
        if (cut % 512 && !padding_only && !after_a && r != ERR_FORMAT)
            fail_msg("cut at %zu: %d", cut, r);
    }
}

static void entry_limit(void **state)
{
    struct err e = {0};
    auto_buf b, log;
    buf_init(&b, 1 << 20);
    buf_init(&log, 1 << 20);
    for (int i = 0; i < 5; i++)
        tar_file(&b, "f", "");
    struct tar_limits l = {.max_entries = 4};
    assert_int_equal(walk(buf_view(&b), &l, &log, &e), ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_entries),
        cmocka_unit_test(long_names),
        cmocka_unit_test(ustar_prefix_and_big_sizes),
        cmocka_unit_test(sparse_formats),
        cmocka_unit_test(lies_are_errors),
        cmocka_unit_test(every_truncation_ends),
        cmocka_unit_test(entry_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
