#include "policy/gates/gates.h"

/* Gates that the original ended: rules for them are taken, and never say anything. */
static int nothing(struct firing *f, void *state, struct err *e)
{
    return 0;
}

#define ENDED(trigger, words)                                                                      \
    {                                                                                              \
        .name = trigger, .description = words, .fire = nothing                                     \
    }

static const struct gate_trigger suiddiff_triggers[] = {
    ENDED("suiddiff", "No longer evaluated."),
    ENDED("suidfileadd", "No longer evaluated."),
    ENDED("suidfiledel", "No longer evaluated."),
    ENDED("suidmodediff", "No longer evaluated."),
    {NULL},
};
const struct gate gate_suiddiff = {
    .name = "suiddiff",
    .description = "No longer evaluated.",
    .state = GATE_EOL,
    .triggers = suiddiff_triggers,
};

static const struct gate_trigger imagecheck_triggers[] = {
    ENDED("baseoutofdate", "No longer evaluated."),
    {NULL},
};
const struct gate gate_imagecheck = {
    .name = "imagecheck",
    .description = "No longer evaluated.",
    .state = GATE_EOL,
    .triggers = imagecheck_triggers,
};

static const struct gate_trigger pkgdiff_triggers[] = {
    ENDED("pkgversiondiff", "No longer evaluated."),
    ENDED("pkgadd", "No longer evaluated."),
    ENDED("pkgdel", "No longer evaluated."),
    ENDED("pkgdiff", "No longer evaluated."),
    {NULL},
};
const struct gate gate_pkgdiff = {
    .name = "pkgdiff",
    .description = "No longer evaluated.",
    .state = GATE_EOL,
    .triggers = pkgdiff_triggers,
};

static const struct gate_trigger anchoresec_triggers[] = {
    ENDED("vulnlow", "No longer evaluated; use vulnerabilities."),
    ENDED("vulnmedium", "No longer evaluated; use vulnerabilities."),
    ENDED("vulnhigh", "No longer evaluated; use vulnerabilities."),
    ENDED("vulncritical", "No longer evaluated; use vulnerabilities."),
    ENDED("vulnunknown", "No longer evaluated; use vulnerabilities."),
    ENDED("feedoutofdate", "No longer evaluated; use vulnerabilities."),
    ENDED("unsupporteddistro", "No longer evaluated; use vulnerabilities."),
    {NULL},
};
const struct gate gate_anchoresec = {
    .name = "anchoresec",
    .description = "No longer evaluated; use vulnerabilities.",
    .state = GATE_EOL,
    .superceded_by = "vulnerabilities",
    .triggers = anchoresec_triggers,
};

static const struct gate_trigger pkgcheck_triggers[] = {
    ENDED("pkgnotpresent", "No longer evaluated; use packages."),
    ENDED("verify", "No longer evaluated; use packages."),
    {NULL},
};
const struct gate gate_pkgcheck = {
    .name = "pkgcheck",
    .description = "No longer evaluated; use packages.",
    .state = GATE_EOL,
    .superceded_by = "packages",
    .triggers = pkgcheck_triggers,
};

static const struct gate_trigger dockerfilecheck_triggers[] = {
    ENDED("directivecheck", "No longer evaluated; use dockerfile."),
    ENDED("effectiveuser", "No longer evaluated; use dockerfile."),
    ENDED("expose", "No longer evaluated; use dockerfile."),
    ENDED("nofrom", "No longer evaluated; use dockerfile."),
    ENDED("fromscratch", "No longer evaluated; use dockerfile."),
    ENDED("notag", "No longer evaluated; use dockerfile."),
    ENDED("sudo", "No longer evaluated; use dockerfile."),
    ENDED("volumepresent", "No longer evaluated; use dockerfile."),
    ENDED("nohealthcheck", "No longer evaluated; use dockerfile."),
    ENDED("nodockerfile", "No longer evaluated; use dockerfile."),
    {NULL},
};
const struct gate gate_dockerfilecheck = {
    .name = "dockerfilecheck",
    .description = "No longer evaluated; use dockerfile.",
    .state = GATE_EOL,
    .superceded_by = "dockerfile",
    .triggers = dockerfilecheck_triggers,
};

static const struct gate_trigger filecheck_triggers[] = {
    ENDED("contentmatch", "No longer evaluated; use files."),
    ENDED("filenamematch", "No longer evaluated; use files."),
    ENDED("suidsgidcheck", "No longer evaluated; use files."),
    {NULL},
};
const struct gate gate_filecheck = {
    .name = "filecheck",
    .description = "No longer evaluated; use files.",
    .state = GATE_EOL,
    .superceded_by = "files",
    .triggers = filecheck_triggers,
};

static const struct gate_trigger fileparse_passwd_triggers[] = {
    ENDED("filenotstored", "No longer evaluated; use passwd_file."),
    ENDED("usernamematch", "No longer evaluated; use passwd_file."),
    ENDED("useridmatch", "No longer evaluated; use passwd_file."),
    ENDED("groupidmatch", "No longer evaluated; use passwd_file."),
    ENDED("shellmatch", "No longer evaluated; use passwd_file."),
    ENDED("pentrymatch", "No longer evaluated; use passwd_file."),
    {NULL},
};
const struct gate gate_fileparse_passwd = {
    .name = "fileparse_passwd",
    .description = "No longer evaluated; use passwd_file.",
    .state = GATE_EOL,
    .superceded_by = "passwd_file",
    .triggers = fileparse_passwd_triggers,
};

static const struct gate_trigger gemcheck_triggers[] = {
    ENDED("gemnotlatest", "No longer evaluated; use ruby_gems."),
    ENDED("gemnotofficial", "No longer evaluated; use ruby_gems."),
    ENDED("gembadversion", "No longer evaluated; use ruby_gems."),
    ENDED("gempkgfullmatch", "No longer evaluated; use ruby_gems."),
    ENDED("gempkgnamematch", "No longer evaluated; use ruby_gems."),
    ENDED("gemnofeed", "No longer evaluated; use ruby_gems."),
    {NULL},
};
const struct gate gate_gemcheck = {
    .name = "gemcheck",
    .description = "No longer evaluated; use ruby_gems.",
    .state = GATE_EOL,
    .superceded_by = "gems",
    .triggers = gemcheck_triggers,
};

static const struct gate_trigger metadatacheck_triggers[] = {
    ENDED("attributecheck", "No longer evaluated; use metadata."),
    {NULL},
};
const struct gate gate_metadatacheck = {
    .name = "metadatacheck",
    .description = "No longer evaluated; use metadata.",
    .state = GATE_EOL,
    .superceded_by = "metadata",
    .triggers = metadatacheck_triggers,
};

static const struct gate_trigger licblacklist_triggers[] = {
    ENDED("licfullmatch", "No longer evaluated; use licenses."),
    ENDED("licsubmatch", "No longer evaluated; use licenses."),
    {NULL},
};
const struct gate gate_licblacklist = {
    .name = "licblacklist",
    .description = "No longer evaluated; use licenses.",
    .state = GATE_EOL,
    .superceded_by = "licenses",
    .triggers = licblacklist_triggers,
};

static const struct gate_trigger npmcheck_triggers[] = {
    ENDED("npmnotlatest", "No longer evaluated; use npms."),
    ENDED("npmnotofficial", "No longer evaluated; use npms."),
    ENDED("npmbadversion", "No longer evaluated; use npms."),
    ENDED("npmpkgfullmatch", "No longer evaluated; use npms."),
    ENDED("npmpkgnamematch", "No longer evaluated; use npms."),
    ENDED("npmnofeed", "No longer evaluated; use npms."),
    {NULL},
};
const struct gate gate_npmcheck = {
    .name = "npmcheck",
    .description = "No longer evaluated; use npms.",
    .state = GATE_EOL,
    .superceded_by = "npms",
    .triggers = npmcheck_triggers,
};

static const struct gate_trigger pkgblacklist_triggers[] = {
    ENDED("pkgfullmatch", "No longer evaluated; use packages."),
    ENDED("pkgnamematch", "No longer evaluated; use packages."),
    {NULL},
};
const struct gate gate_pkgblacklist = {
    .name = "pkgblacklist",
    .description = "No longer evaluated; use packages.",
    .state = GATE_EOL,
    .superceded_by = "packages",
    .triggers = pkgblacklist_triggers,
};

static const struct gate_trigger secretcheck_triggers[] = {
    ENDED("contentmatch", "No longer evaluated; use secret_scans."),
    ENDED("filenamematch", "No longer evaluated; use secret_scans."),
    {NULL},
};
const struct gate gate_secretcheck = {
    .name = "secretcheck",
    .description = "No longer evaluated; use secret_scans.",
    .state = GATE_EOL,
    .superceded_by = "secret_scans",
    .triggers = secretcheck_triggers,
};
