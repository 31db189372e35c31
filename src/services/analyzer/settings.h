/* settings.h - analyzer_config.yaml: which files are kept, which lines are looked for.
 *
 * Without the file: /etc/passwd is kept, five expressions for secrets are looked for in files of at
 * most 10,000 bytes, and nothing else. */
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
    str malware;       /* why malware is not looked for; empty: nobody asked */
    bool hints;
    bool owned_left_out; /* language packages that a distro package installed are not listed */
};

/* ERR_FORMAT and ERR_USAGE name the file and what is wrong with it. */
int analyzer_settings_load(const struct config *c, struct analyzer_settings **out, struct err *e);
void analyzer_settings_free(struct analyzer_settings *s);

#endif
