#include "policy/gates/packages.h"

#include "policy/package_version.h"
#include "version/version.h"

#include <sys/stat.h>

static const char *const match_types[] = {"exact", "minimum", NULL};
enum { MATCH_EXACT, MATCH_MINIMUM };
static const char *const verify_checks[] = {"changed", "missing", NULL};
enum { VERIFY_CHANGED, VERIFY_MISSING };

enum { REQUIRED_NAME, REQUIRED_VERSION, REQUIRED_MATCH };
static const struct gate_param required_params[] = {
    {.name = "name",
     .type = PARAM_STRING,
     .required = true,
     .example = "libssl",
     .description = "Name of the package."},
    {.name = "version",
     .type = PARAM_STRING,
     .example = "1.10.3rc3",
     .description = "Version of the package."},
    {.name = "version_match_type",
     .type = PARAM_ENUM,
     .choices = match_types,
     .example = "exact",
     .description = "Whether this version, or this one or a newer one, is asked for."},
    {NULL},
};

enum { VERIFY_PACKAGES, VERIFY_DIRECTORIES, VERIFY_CHECK, VERIFY_DIGESTS };
static const struct gate_param verify_params[] = {
    {.name = "only_packages",
     .type = PARAM_LIST,
     .example = "libssl,openssl",
     .description = "Look only at these packages."},
    {.name = "only_directories",
     .type = PARAM_LIST,
     .example = "/usr,/var/lib",
     .description = "Look only below these directories."},
    {.name = "check",
     .type = PARAM_ENUM,
     .choices = verify_checks,
     .example = "changed",
     .description = "How to compare."},
    {.name = "digests",
     .type = PARAM_BOOL,
     .own = true,
     .needs = PART_DIGESTS,
     .example = "true",
     .description =
         "Compare MD5 and SHA-1 digests too, which dpkg and apk state. The analysis must "
         "have been asked for them."},
    {NULL},
};

enum { DENIED_NAME, DENIED_VERSION };
static const struct gate_param denied_params[] = {
    {.name = "name",
     .type = PARAM_STRING,
     .required = true,
     .example = "openssh-server",
     .description = "Name of the package."},
    {.name = "version",
     .type = PARAM_STRING,
     .example = "1.0.1",
     .description = "Version of the package."},
    {NULL},
};

static const struct policy_package *first_named(const struct policy_image *image, str name)
{
    for (size_t i = 0; i < image->n_packages; i++)
        if (str_eq(image->packages[i].name, name))
            return &image->packages[i];
    return NULL;
}

int package_version_compare(const struct policy_package *p, str wanted, int *out, struct err *e)
{
    const struct version_ops *ops = p->scheme.n ? version_scheme(p->scheme) : NULL;
    if (!ops)
        return err_set(e, ERR_UNSUPPORTED,
                       "how versions of the package %.*s (%.*s) are ordered is not known",
                       STR_ARG(p->name), STR_ARG(p->type));
    if (package_version_order(p->scheme, p->version, p->full_version, wanted, out))
        return 0;
    return err_set(e, ERR_UNSUPPORTED,
                   "the versions \"%.*s\" and \"%.*s\" of the package %.*s have no order as %s",
                   STR_ARG(p->full_version), STR_ARG(wanted), STR_ARG(p->name), ops->name);
}

static int required_package(struct firing *f, void *state, struct err *e)
{
    const struct rule_value *v = gate_params(f)->values;
    str name = v[REQUIRED_NAME].text, version = v[REQUIRED_VERSION].text;
    const struct policy_package *p = first_named(gate_subject(f)->image, name);
    int order = 0;
    if (!p) {
        gate_fire(f, GATE_NO_ID,
                  "Required input package (%.*s%s%.*s) is not present in container image",
                  GATE_ARG(name), version.n ? "," : "", GATE_ARG(version));
        return 0;
    }
    gate_about(f, NULL, p, p->location);
    if (!version.n || str_eq(p->full_version, version))
        return 0;
    if (!v[REQUIRED_MATCH].set || v[REQUIRED_MATCH].choice != MATCH_MINIMUM) {
        gate_fire(f, GATE_NO_ID,
                  "Required input package (%.*s) is present (%.*s), but not at the version "
                  "specified in policy (%.*s)",
                  GATE_ARG(name), GATE_ARG(p->full_version), GATE_ARG(name));
        return 0;
    }
    int rc = package_version_compare(p, version, &order, e);
    if (rc < 0)
        return rc;
    if (order < 0)
        gate_fire(f, GATE_NO_ID,
                  "Required min-version input package (%.*s) is present (%.*s), but is lower "
                  "version than what is specified in policy (%.*s)",
                  GATE_ARG(name), GATE_ARG(p->full_version), GATE_ARG(version));
    return 0;
}

static bool below_any(const struct rule_value *directories, str path)
{
    for (size_t i = 0; i < directories->n; i++)
        if (str_starts(path, directories->list[i]))
            return true;
    return false;
}

/* What the analysis knows of the file by the entry's algorithm; the original knew SHA-256 only.
 * ERR_NOT_FOUND: it was not asked for it. */
static int digest_of(const struct policy_manifest_entry *m, const struct policy_file *file,
                     bool all, str *out, struct err *e)
{
    const struct {
        str algorithm, digest;
        bool known;
    } digests[] = {{STR("sha256"), file->sha256, true},
                   {STR("md5"), file->md5, all},
                   {STR("sha1"), file->sha1, all}};
    *out = (str){0};
    for (size_t i = 0; i < KE_ARRAY_LEN(digests); i++) {
        if (!digests[i].known || !str_eq(m->algorithm, digests[i].algorithm))
            continue;
        *out = digests[i].digest;
        if (!out->n && i)
            return err_set(e, ERR_NOT_FOUND,
                           "the analysis did not compute %.*s of files, which packages state: see "
                           "\"digests\" in analyzer_config.yaml",
                           STR_ARG(m->algorithm));
    }
    return 0;
}

static int is_changed(const struct policy_manifest_entry *m, const struct policy_file *file,
                      bool all, struct err *e)
{
    bool regular = S_ISREG(file->mode) || (!(file->mode & S_IFMT) && !file->directory);
    if (m->config)
        return false;
    if (m->mode && (regular || file->directory) && (m->mode & 07777) != (file->mode & 07777))
        return true;
    if (!regular)
        return false;
    str digest;
    int rc = m->digest.n ? digest_of(m, file, all, &digest, e) : 0;
    if (rc < 0)
        return rc;
    if (m->digest.n && digest.n && !str_eq_nocase(m->digest, digest))
        return true;
    return m->size && file->size && m->size != file->size;
}

static int verify(struct firing *f, void *state, struct err *e)
{
    const struct policy_image *image = gate_subject(f)->image;
    const struct rule_value *v = gate_params(f)->values;
    const struct rule_value *only = &v[VERIFY_PACKAGES], *below = &v[VERIFY_DIRECTORIES];
    int check = v[VERIFY_CHECK].set ? v[VERIFY_CHECK].choice : -1;
    if (!image->n_files)
        return err_set(e, ERR_NOT_FOUND, "the image has no list of files to compare with");
    for (size_t i = 0; i < image->n_packages; i++) {
        const struct policy_package *p = &image->packages[i];
        if (only->set && !gate_text_listed(only, p->name))
            continue;
        for (size_t k = 0; k < p->n_manifest; k++) {
            const struct policy_manifest_entry *m = &p->manifest[k];
            if (below->set && !below_any(below, m->path))
                continue;
            const struct policy_file *file = gate_file(image, m->path);
            gate_about(f, NULL, p, m->path);
            int changed = file ? is_changed(m, file, v[VERIFY_DIGESTS].flag, e) : 0;
            if (changed < 0)
                return changed;
            int status = !file ? VERIFY_MISSING : changed ? VERIFY_CHANGED : -1;
            if (status >= 0 && (check < 0 || check == status))
                gate_fire(f, GATE_NO_ID,
                          "VERIFY check against package db for package '%.*s' failed on entry "
                          "'%.*s' with status: '%s'",
                          GATE_ARG(p->name), GATE_ARG(m->path), verify_checks[status]);
        }
    }
    return 0;
}

static int denied(struct firing *f, void *state, struct err *e)
{
    const struct policy_image *image = gate_subject(f)->image;
    const struct rule_value *v = gate_params(f)->values;
    str name = v[DENIED_NAME].text, version = v[DENIED_VERSION].text;
    for (size_t i = 0; i < image->n_packages; i++) {
        const struct policy_package *p = &image->packages[i];
        gate_about(f, NULL, p, p->location);
        if (str_eq(p->name, name) && (!version.n || str_eq(p->version, version)))
            gate_fire(f, GATE_NO_ID, "Package is blacklisted: %.*s%s%.*s", GATE_ARG(name),
                      version.n ? "-" : "", GATE_ARG(version));
    }
    return 0;
}

static const struct gate_trigger triggers[] = {
    {.name = "required_package",
     .description = "Fires when a package is missing, or has another or an older version.",
     .params = required_params,
     .needs = PART_PACKAGES,
     .fire = required_package},
    {.name = "verify",
     .description = "Fires for files that differ from what their package installed.",
     .params = verify_params,
     .needs = PART_PACKAGES | PART_MANIFESTS | PART_FILES,
     .fire = verify},
    {.name = "blacklist",
     .description = "Fires when the named package is there, in any or in one version.",
     .params = denied_params,
     .needs = PART_PACKAGES,
     .fire = denied},
    {.name = "match",
     .description = "Fires for packages that meet all given conditions.",
     .params = package_match_params,
     .needs = PART_PACKAGES,
     .flags = TRIGGER_OWN,
     .prepare = package_match_prepare,
     .fire = package_match},
    {NULL},
};

const struct gate gate_packages = {
    .name = "packages",
    .description = "Looks at installed packages, by name, version and integrity.",
    .triggers = triggers,
};
