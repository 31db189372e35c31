/* rpm's databases and lists through the cataloguer. The first byte says which file it is; for a
 * SQLite database with a log the next two are the database's length in pages of 512 bytes. */
#include "packages/cataloguer.h"

static const char *const paths[] = {
    "var/lib/rpm/rpmdb.sqlite",
    "usr/lib/sysimage/rpm/Packages.db",
    "var/lib/rpm/Packages",
    "var/lib/rpmmanifest/container-manifest-2",
    "var/lib/rpmmanifest/container-manifest-1",
    "usr/share/rpm/rpmdb.sqlite",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    size_t which = data[0] % KE_ARRAY_LEN(paths), n_files = 1;
    str content = {(const char *)data + 1, size - 1};
    struct cat_test_file files[2] = {{str_z(paths[which]), content, 0644}};
    if (which + 1 == KE_ARRAY_LEN(paths)) {
        size_t database = 512 * (data[1] + ((size_t)data[2] << 8));
        files[0].content = str_sub(content, 2, 2 + database);
        files[1] = (struct cat_test_file){STR("usr/share/rpm/rpmdb.sqlite-wal"),
                                          str_from(content, 2 + database), 0644};
        n_files = 2;
    }
    struct facts f;
    if (catalogue_files(files, n_files, &f, NULL) == 0 && f.packages.n == 0 && f.problems.n == 0 &&
        which < 3 && size < 100)
        abort(); /* a database of so few bytes is damaged */
    facts_done(&f);
    return 0;
}
