/* inventory_scan() with an analyst that was taken over: this file's analyst_main() stands in for
 * the real one, and plays what the case says. */
#include "base/buf.h"
#include "image/channel.h"
#include "image/layer_record.h"
#include "packages/analyst.h"
#include "packages/description.h"
#include "packages/facts_codec.h"
#include "packages/file_list.h"
#include "packages/inventory.h"
#include "packages/zygote.h"
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>

static void (*play)(const struct source *s, int sock); /* of the case; copied by fork */

int analyst_main(const struct source *s, int sock, const struct analyst_options *o)
{
    play(s, sock);
    return 0;
}

/* ---- what analysts do
 * ----------------------------------------------------------------------------------- */

static void say(int sock, enum message_type type, const struct buf *body, int fd)
{
    static struct message m;
    struct err e;
    channel_send(sock, type, body, fd, &e);
    if (type != MSG_DONE)
        channel_receive(sock, &m, &e);
}

static int memory(str content, bool sealed)
{
    int fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (write(fd, content.p, content.n) != (ssize_t)content.n ||
        (sealed && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0))
        _exit(9);
    return fd;
}

static void say_image(int sock, size_t layers, bool sealed)
{
    struct arena a;
    struct description d = {.arena = &a};
    auto_buf body;
    arena_init(&a, 1 << 20);
    buf_init(&body, 1 << 20);
    for (size_t i = 0; i < layers; i++) {
        struct layer_ref *layer = vec_push(&d.layers);
        if (!layer)
            _exit(9);
        *layer = (struct layer_ref){.diff_id = STR("sha256:1")};
    }
    description_encode(&d, &body);
    say(sock, MSG_IMAGE, NULL, memory(buf_view(&body), sealed));
}

static void say_record(int sock, size_t filling)
{
    struct layer_writer *w;
    struct err e;
    struct facts f;
    auto_buf body, question;
    buf_init(&body, filling + 4096);
    buf_init(&question, 4096);
    facts_init(&f, 1 << 20);
    facts_encode(&f, &body);
    for (size_t i = 0; i < filling; i++)
        buf_add_char(&body, 0);
    layer_body_finish(&body, body.n, STR(""), STR(""));
    int fd = memory(STR(""), false);
    if (layer_writer_new(fd, &w, &e) < 0 || layer_writer_finish(w, buf_view(&body), &e) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
        _exit(9);
    message_put_str(&question, STR("sha256:1"));
    buf_add_varint(&question, 0);
    say(sock, MSG_RECORD, &question, fd);
}

static void done(int sock)
{
    say(sock, MSG_DONE, NULL, -1);
}

/* ---- the cases
 * ------------------------------------------------------------------------------------------ */

static void honest(const struct source *s, int sock)
{
    say_record(sock, 0);
    say_image(sock, 1, true);
    done(sock);
}
static void never_ends(const struct source *s, int sock)
{
    signal(SIGTERM, SIG_IGN);
    honest(s, sock);
    for (;;)
        pause();
}
static void hangs_up(const struct source *s, int sock)
{
    signal(SIGTERM, SIG_IGN);
    close(sock);
    for (;;)
        pause();
}
static void crashes(const struct source *s, int sock)
{
    signal(SIGUSR2, SIG_DFL);
    raise(SIGUSR2);
}
static void describes_nothing(const struct source *s, int sock)
{
    done(sock);
}
static void unsealed_image(const struct source *s, int sock)
{
    say_image(sock, 0, false);
    done(sock);
}
static void pipe_for_image(const struct source *s, int sock)
{
    int ends[2];
    if (pipe(ends) == 0)
        say(sock, MSG_IMAGE, NULL, ends[0]);
    done(sock);
}
static void directory_for_image(const struct source *s, int sock)
{
    say(sock, MSG_IMAGE, NULL, s->fd);
    done(sock);
}
static void layer_without_record(const struct source *s, int sock)
{
    say_image(sock, 2, true);
    done(sock);
}
static void record_too_long(const struct source *s, int sock)
{
    say_record(sock, FACTS_BYTES_MAX);
    say_image(sock, 1, true);
    done(sock);
}

static void hostile(bool by_zygote)
{
    static const struct {
        const char *name;
        void (*play)(const struct source *s, int sock);
        int want;
        size_t problems;
        const char *text;
    } cases[] = {
        {"honest", honest, 0, 0, ""},
        {"never ends", never_ends, 0, 0, ""},
        {"hangs up", hangs_up, ERR_IO, 0, "stopped without an answer"},
        {"crashes", crashes, ERR_IO, 0, "stopped by signal"},
        {"describes nothing", describes_nothing, ERR_FORMAT, 0, "described no image"},
        {"unsealed image", unsealed_image, ERR_FORMAT, 0, "described no image"},
        {"pipe for an image", pipe_for_image, ERR_FORMAT, 0, "described no image"},
        {"directory for an image", directory_for_image, ERR_FORMAT, 0, "described no image"},
        {"layers without records", layer_without_record, 0, 2, ""},
        {"record too long", record_too_long, ERR_LIMIT, 0, "larger than the limit"},
    };
    for (size_t i = 0; i < KE_ARRAY_LEN(cases); i++) {
        struct err e = {0};
        struct inventory *inv = NULL;
        struct scan_options o = {.source = "dir:/", .threads = 1};
        play = cases[i].play;
        if (by_zygote && play == record_too_long) /* slow, and nothing of the zygote's */
            continue;
        if (by_zygote)
            assert_ok(zygote_start(&o.zygote, &e));
        alarm(60);
        int r = inventory_scan(&o, &inv, &e);
        alarm(0);
        assert_true(!by_zygote || zygote_alive(o.zygote));
        zygote_stop(o.zygote);
        if (r != cases[i].want || !strstr(e.text, cases[i].text) ||
            (r == 0 && inv->n_problems != cases[i].problems))
            fail_msg("%s: got %d (%s), %zu problems", cases[i].name, r, e.text,
                     r == 0 ? inv->n_problems : 0);
        if (r == 0)
            inventory_free(inv);
    }
}

static void test_hostile(void **state)
{
    hostile(false);
}

static void test_hostile_by_zygote(void **state)
{
    hostile(true);
}

/* ---- a zygote that dies
 * ------------------------------------------------------------------------------- */

static struct zygote *doomed;

static void dies_with_its_zygote(const struct source *s, int sock)
{
    kill(getppid(), SIGKILL);
    for (;;)
        pause();
}

static void test_zygote_dies(void **state)
{
    struct err e = {0};
    struct inventory *inv;
    play = dies_with_its_zygote;
    assert_ok(zygote_start(&doomed, &e));
    struct scan_options o = {.source = "dir:/", .threads = 1, .zygote = doomed};
    alarm(60);
    assert_int_equal(inventory_scan(&o, &inv, &e), ERR_IO);
    alarm(0);
    assert_non_null(strstr(e.text, "the process that starts analysers is gone"));
    assert_false(zygote_alive(doomed));
    zygote_stop(doomed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hostile),
                                       cmocka_unit_test(test_hostile_by_zygote),
                                       cmocka_unit_test(test_zygote_dies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
