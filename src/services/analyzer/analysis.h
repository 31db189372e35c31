/* analysis.h - what is kept of an analysed image: the answers of the API in their final form.
 *
 * One document per kind of content in bucket "image_content_data", key "<digest>/<type>": exactly
 * the bytes that a client gets (services/api/content.c). Kinds: os, files, npm, gem, python, java,
 * binary, go, malware; manifest, docker_history, dockerfile; retrieved_files, file_content_search,
 * secret_search; package_files (for policies only); sbom (sent as gzip, kept as text: images share
 * most of it). */
#ifndef KELLET_SERVICES_ANALYZER_ANALYSIS_H
#define KELLET_SERVICES_ANALYZER_ANALYSIS_H

#include "packages/inventory.h"
#include "services/analyzer/settings.h"
#include "services/call.h"

#define CONTENT_BUCKET "image_content_data"
enum { ANALYSIS_DOCUMENTS = 17, ANALYSIS_DOCUMENT_MAX = 512 << 20 };

struct analysis_input {
    str digest;
    struct inventory *inv; /* hinted packages are added to it */
    const struct analyzer_settings *settings;
    str dockerfile;    /* base64, of the user; p NULL: none */
    bool imported;     /* from an SBOM: nothing is known of files */
    str clamd;         /* version of the clamd that was asked; empty: none */
    str clamd_problem; /* why it was not; empty */
};

struct analysis {
    struct arena arena;
    struct {
        const char *type;
        struct buf text;
    } documents[ANALYSIS_DOCUMENTS];
    size_t n_documents;
    str dockerfile, dockerfile_mode; /* base64; "Actual" or "Guessed" */
    int64_t size;                    /* as one tar archive */
    str problems;                    /* JSON text of a list; p NULL: there were none */
};

int analysis_make(const struct analysis_input *in, struct analysis **out, struct err *e);
void analysis_free(struct analysis *s);
/* Everything that is kept of it: the inventory (`document`: inventory_document.h), the documents,
 * the configuration, the package rows. repository: of one of the image's names; empty: none. */
int analysis_put(struct db_tx *tx, struct documents *d, str account, str digest, str repository,
                 const struct inventory *inv, str document, const struct analysis *s,
                 struct err *e);
/* The document of a type, for tests and callers that need one; p NULL: there is none. */
str analysis_document(const struct analysis *s, const char *type);

/* ---- parts -------------------------------------------------------------------------------------
 */
/* Is the package listed? Those that another's package installed are not, when settings say so. */
static inline bool analysis_lists(const struct analysis_input *in, const struct inv_package *p)
{
    return !(in->settings && in->settings->owned_left_out && p->owner.n);
}
/* Packages: os, npm, gem, python, java, binary, go. From index `hinted` on they are hints. */
int analysis_packages(struct analysis *s, const struct analysis_input *in, size_t hinted,
                      struct err *e);
/* The text of files, the largest document. Only reads in->inv->files. */
int analysis_list_files(const struct analysis_input *in, struct buf *b, struct err *e);
/* retrieved_files, file_content_search, secret_search, malware. */
int analysis_files(struct analysis *s, const struct analysis_input *in, struct err *e);
/* package_files: what distro packages say of their files, where that is known. A list of packages
 * {"name", "version", "type", "files": [[path, algorithm, digest, mode, size, flags], ...]} in the
 * inventory's order; flags of enum owned_flags. */
int analysis_package_files(struct analysis *s, const struct analysis_input *in, struct err *e);
/* manifest, docker_history, dockerfile. */
int analysis_metadata(struct analysis *s, const struct analysis_input *in, struct err *e);
int analysis_sbom(struct analysis *s, const struct analysis_input *in, struct err *e);
/* Appends `in` compressed. */
int analysis_gzip(str in, struct buf *out, struct err *e);
/* Adds the packages of the hints file that the image does not have to in->inv. Sets *hinted to the
 * index of the first. A broken file is a problem, not an error. */
int analysis_hints(struct analysis *s, const struct analysis_input *in, size_t *hinted,
                   struct err *e);
/* What formatted printing is too slow for: files come by the ten thousand. At least `digits`
 * digits; radix at most 10. */
void analysis_add_number(struct buf *b, uint64_t v, unsigned radix, unsigned digits);
void analysis_add_hex(struct buf *b, const unsigned char *p, size_t n);
/* A new document to write into; NULL when there are too many. */
struct buf *analysis_begin(struct analysis *s, const char *type);
/* Adds {"content": [...], "content_type": type, "imageDigest": digest} of `list`. */
int analysis_add_content(struct analysis *s, const char *type, str digest, yyjson_mut_doc *d,
                         yyjson_mut_val *list, struct err *e);

#endif
