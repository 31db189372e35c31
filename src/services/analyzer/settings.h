/* settings.h - analyzer_config.yaml: which files are kept, which lines are looked for.
 *
 * Malware is looked for when malware.clamav.enabled is true, by the clamd at clamd_socket
 * ("unix:/run/clamav/clamd.ctl") in files of at most stream_max_length bytes (25 MiB). Without
 * the file: /etc/passwd is kept, five expressions for secrets are looked for in files of at
 * most 10,000 bytes, and nothing else.
 *
 * digests: [md5, sha1] has these computed of every file too, for packages.verify. */
#ifndef KELLET_SERVICES_ANALYZER_SETTINGS_H
#define KELLET_SERVICES_ANALYZER_SETTINGS_H

#include "packages/image_facts.h"
#include "services/config.h"

#define HINTS_FILE "/anchore_hints.json"

struct analyzer_settings {
    struct arena arena;
    struct facts_wanted facts; /* rules: secrets first, then content; retrieve: the hints file last,
                                  when hints are enabled */
    size_t n_secrets;
    size_t n_retrieve; /* without the hints file */
    const char *clamd; /* where it is (net/clamd.h); NULL: malware is not looked for */
    bool hints;
    bool owned_left_out; /* language packages that a distro package installed are not listed */
};

/* ERR_FORMAT and ERR_USAGE name the file and what is wrong with it. */
int analyzer_settings_load(const struct config *c, struct analyzer_settings **out, struct err *e);
void analyzer_settings_free(struct analyzer_settings *s);

#endif
