/* import_analysis.h - what the original's analyzer reported of an image, as an inventory.
 *
 * The document (bucket analysis_data of the original, member "analysis" of its archives): a list of
 * one {"image": {"imageId", "imagedata": {"analysis_report", "image_report"}}}, or {"document":
 * that list}. In analysis_report each analyzer has elements, each with a "base": an object of names
 * or paths to texts; where the text is JSON itself, later versions of the original wrote it as a
 * value: both are read. Of packages: pkgs.allinfo (rpm, dpkg, APKG), pkgs.python, npms, gems, java,
 * go, binary; of files: files.allinfo and files.sha256sums; file_content.all and regexp_matches.all
 * (what was kept and found); malware; the history, Dockerfile and layers of image_report. */
#ifndef KELLET_SERVICES_IMPORT_ANALYSIS_H
#define KELLET_SERVICES_IMPORT_ANALYSIS_H

#include "codec/json.h"
#include "packages/inventory.h"
#include "services/analyzer/settings.h"

enum { IMPORT_PACKAGES_MAX = 1000000, IMPORT_FILES_MAX = 2000000 };

struct import_analysis {
    struct inventory *inv;             /* owns all slices */
    struct analyzer_settings settings; /* what had been looked for: rules and retrieved files */
    str dockerfile;                    /* base64, when the user had given one; p NULL: none */
    str malware;                       /* JSON text of the scanners' findings; p NULL: none */
};

/* `manifest` (MAY be empty) gives sizes of layers; `digest` and `id` name the image. ERR_FORMAT for
 * documents that are none, ERR_LIMIT for too large ones; what is odd in single entries becomes one
 * of inv->problems. */
int import_analysis_read(yyjson_val *document, str manifest, str digest, str id,
                         struct import_analysis *out, struct err *e);
/* Also after a failure. */
void import_analysis_done(struct import_analysis *a);

#endif
