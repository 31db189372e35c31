/* health.c - `kellet health`: asks a service of the engine whether it serves, for containers'
 * health checks in images that hold nothing but kellet. */
#include "cli/command.h"

#include "net/http.h"
#include "services/config.h"

#include <stdio.h>

static bool ready, insecure;
static unsigned timeout = 5;

static const struct option_spec specs[] = {
    {"insecure", 0, OPT_FLAG, NULL, "take any certificate", &insecure, NULL},
    {"ready", 0, OPT_FLAG, NULL, "ask /ready (database and data too) instead of /health", &ready,
     NULL},
    {"timeout", 0, OPT_NUMBER, "SECONDS", "wait at most (default 5)", &timeout, NULL},
    {0},
};

static const struct option_spec *health_options(void)
{
    return specs;
}

/* A port, a service's name, or a URL. */
static bool address(const char *what, char *out, size_t size)
{
    const char *path = ready ? "ready" : "health";
    uint64_t port;
    int id = service_by_name(str_z(what));
    if (id >= 0)
        snprintf(out, size, "http://127.0.0.1:%u/%s", service_names[id].port, path);
    else if (str_to_u64(str_z(what), &port) && port > 0 && port < 65536)
        snprintf(out, size, "http://127.0.0.1:%u/%s", (unsigned)port, path);
    else if (str_starts(str_z(what), STR("http://")) || str_starts(str_z(what), STR("https://")))
        snprintf(out, size, "%s%s%s", what, str_ends(str_z(what), STR("/")) ? "" : "/", path);
    else
        return false;
    return true;
}

static int ask(const char *url, struct err *e)
{
    struct http *h = NULL;
    struct http_response rs = {0};
    const struct http_options o = {
        .insecure = insecure, .connect_timeout = timeout, .idle_timeout = timeout};
    const struct http_request rq = {.url = url, .no_retry = true, .max_body = 1 << 16};
    auto_buf body;
    buf_init(&body, 1 << 16);
    int r = http_new(&o, &h, e);
    if (r == 0)
        r = http_fetch(h, &rq, &rs, &body, e);
    if (r == 0 && rs.status != 200)
        r = err_set(e, ERR_NET, "%s answers %d: %.*s", url, rs.status, STR_ARG(buf_view(&body)));
    http_response_done(&rs);
    http_free(h);
    return r;
}

static int health_run(int argc, char **argv)
{
    char url[2048];
    struct err e = {0};
    int left = options_parse(&command_health, specs, argc, argv);
    if (left < 0)
        return left == -2 ? EXIT_CLEAN : EXIT_USAGE;
    const char *what = left ? argv[1] : "apiext";
    if (left > 1 || timeout == 0 || !address(what, url, sizeof url))
        return failf(EXIT_USAGE, "health takes a port, the name of a service, or a URL");
    return ask(url, &e) < 0 ? fail(EXIT_FAILED, &e) : EXIT_CLEAN;
}

const struct command command_health = {
    .name = "health",
    .arguments = "[PORT|SERVICE|URL]",
    .summary = "Ask a service of the engine whether it serves",
    .details =
        "Prints nothing and exits with 0 when it does, with 1 and the reason when not. Without an\n"
        "argument the API on this machine is asked, on port 8228; SERVICE stands for its default\n"
        "port. Meant for health checks of containers.\n",
    .options = health_options,
    .run = health_run,
};
