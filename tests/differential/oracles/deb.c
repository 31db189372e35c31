/* Pairs with a tab on standard input; the order by libdpkg, or ? where it refuses one, on standard
 * output. A warning of libdpkg's is no refusal. */
#define LIBDPKG_VOLATILE_API
#include <dpkg/dpkg.h>
#include <dpkg/dpkg-db.h>
#include <dpkg/version.h>

#include <stdio.h>
#include <string.h>

int main(void)
{
    static char line[1 << 16];
    dpkg_program_init("oracle");
    while (fgets(line, sizeof line, stdin)) {
        struct dpkg_version a, b;
        struct dpkg_error err = DPKG_ERROR_INIT;
        line[strcspn(line, "\n")] = '\0';
        char *tab = strchr(line, '\t');
        *tab = '\0';
        int bad_a = parseversion(&a, line, &err) < 0 && err.type == DPKG_MSG_ERROR;
        err = (struct dpkg_error)DPKG_ERROR_INIT;
        int bad_b = parseversion(&b, tab + 1, &err) < 0 && err.type == DPKG_MSG_ERROR;
        if (bad_a || bad_b) {
            puts("?");
            continue;
        }
        int order = dpkg_version_compare(&a, &b);
        puts(order < 0 ? "<" : order > 0 ? ">" : "=");
    }
    return 0;
}
