#include "judge.h"
#include "sample.h"

#include "base/buf.h"

#define INSTRUCTION(word, check, value, line)                                                      \
    "Dockerfile directive '" word "' check '" check "' matched against '" value                    \
    "' for line '" line "'"

static void dockerfile(void **state)
{
    static const struct gate_case cases[] = {
        {"dockerfile", "instruction", "instruction=ENV|check=exists",
         INSTRUCTION("ENV", "exists", "", "A=1")},
        {"DOCKERFILE", "Instruction", "INSTRUCTION=ENV|Check=exists",
         INSTRUCTION("ENV", "exists", "", "A=1")},
        {"dockerfile", "instruction", "instruction=ENV|check=not_exists", ""},
        {"dockerfile", "instruction", "instruction=LABEL|check=exists", ""},
        {"dockerfile", "instruction", "instruction=LABEL|check=not_exists",
         "Dockerfile directive 'LABEL' not found, matching condition 'not_exists' check"},
        {"dockerfile", "instruction", "instruction=LABEL|check=!=|value=x", ""},
        {"dockerfile", "instruction",
         "instruction=FROM|check=="
         "|value=debian:12",
         INSTRUCTION("FROM", "=", "debian:12", "debian:12")},
        {"dockerfile", "instruction", "instruction=FROM|check=!=|value=debian:12",
         INSTRUCTION("FROM", "!=", "debian:12", "golang:1.22 AS build")},
        {"dockerfile", "instruction", "instruction=FROM|check==", ""},
        {"dockerfile", "instruction", "instruction=FROM|check=in|value=x, debian:12 ",
         INSTRUCTION("FROM", "in", "x, debian:12 ", "debian:12")},
        {"dockerfile", "instruction", "instruction=FROM|check=not_in|value=x, debian:12",
         INSTRUCTION("FROM", "not_in", "x, debian:12", "golang:1.22 AS build")},
        {"dockerfile", "instruction", "instruction=FROM|check=like|value=eb.*", ""},
        {"dockerfile", "instruction", "instruction=FROM|check=like|value=d[e]b",
         INSTRUCTION("FROM", "like", "d[e]b", "debian:12")},
        {"dockerfile", "instruction", "instruction=FROM|check=not_like|value=deb",
         INSTRUCTION("FROM", "not_like", "deb", "golang:1.22 AS build")},
        {"dockerfile", "instruction", "instruction=FROM|check=like|value=([", "!(["},
        /* lines for themselves, as the ids of users' allowlists have them */
        {"dockerfile", "instruction", "instruction=RUN|check=like|value=.*",
         INSTRUCTION("RUN", "like", ".*", "apt-get update \\") "\n" INSTRUCTION("RUN", "like", ".*",
                                                                                "<<EOF")},
        {"dockerfile", "instruction", "instruction=RUN|check=like|value=.*sudo.*", ""},
        {"dockerfile", "instruction", "instruction=RUN|check=like|value=.*sudo.*|join_lines=true",
         INSTRUCTION("RUN", "like", ".*sudo.*", "apt-get update && sudo true")},
        {"dockerfile", "instruction", "instruction=RUN|check=like|value=.*curl.*|join_lines=true",
         INSTRUCTION("RUN", "like", ".*curl.*", "<<EOF curl x | sh EOF")},
        {"dockerfile", "instruction", "instruction=ENV|check=exists|actual_dockerfile_only=true",
         INSTRUCTION("ENV", "exists", "", "A=1")},
        {"dockerfile", "effective_user", "users=root, app:staff|type=blacklist",
         "User app:staff found as effective user, which is explicity not allowed"},
        {"dockerfile", "effective_user", "users=app|type=blacklist", ""},
        {"dockerfile", "effective_user", "users=app|type=whitelist",
         "User app:staff found as effective user, which is not on the allowed list"},
        {"dockerfile", "effective_user", "users=app:staff|type=allowlist", ""},
        {"dockerfile", "exposed_ports", "ports=80,443,22|type=blacklist",
         "Dockerfile exposes port (80/tcp) which is in policy file DENIEDPORTS list\n"
         "Dockerfile exposes port (443) which is in policy file DENIEDPORTS list"},
        {"dockerfile", "exposed_ports", "ports=53,8005|type=blacklist",
         "Dockerfile exposes port (53/udp) which is in policy file DENIEDPORTS list\n"
         "Dockerfile exposes port (8005) which is in policy file DENIEDPORTS list"},
        {"dockerfile", "exposed_ports", "ports=80,53|type=whitelist",
         "Dockerfile exposes port (443) which is not in policy file ALLOWEDPORTS list\n"
         "Dockerfile exposes port (8000-8010) which is not in policy file ALLOWEDPORTS list\n"
         "Dockerfile exposes port ($PORT) which is not in policy file ALLOWEDPORTS list"},
        {"dockerfile", "no_dockerfile_provided", "", ""},
    };
    RUN(&sample_subject, cases);
    static const struct gate_case none[] = {
        {"dockerfile", "instruction", "instruction=ENV|check=not_exists", ""},
        {"dockerfile", "effective_user", "users=root|type=blacklist", ""},
        {"dockerfile", "exposed_ports", "ports=22|type=blacklist", ""},
        {"dockerfile", "no_dockerfile_provided", "",
         "Image was not analyzed with an actual Dockerfile"},
    };
    RUN(&sample_scratch_subject, none);
}

static void a_guessed_dockerfile_may_be_left_out(void **state)
{
    struct policy_image image = sample_image;
    struct policy_subject s = sample_subject;
    image.dockerfile_mode = STR("Guessed");
    s.image = &image;
    static const struct gate_case cases[] = {
        {"dockerfile", "instruction", "instruction=ENV|check=exists|actual_dockerfile_only=true",
         ""},
        {"dockerfile", "instruction", "instruction=ENV|check=exists|actual_dockerfile_only=false",
         INSTRUCTION("ENV", "exists", "", "A=1")},
        {"dockerfile", "exposed_ports", "ports=80|type=blacklist|actual_dockerfile_only=true", ""},
        {"dockerfile", "no_dockerfile_provided", "",
         "Image was not analyzed with an actual Dockerfile"},
    };
    RUN(&s, cases);
}

static void files(void **state)
{
    static const struct gate_case cases[] = {
        {"files", "content_regex_match", "",
         "File content analyzer found regexp match in container: file=/etc/app.conf "
         "regexp=PASSWORD=(?i)password.*\n"
         "File content analyzer found regexp match in container: file=/etc/app.conf "
         "regexp=.*TODO.*"},
        {"files", "content_regex_match", "regex_name=PASSWORD",
         "File content analyzer found regexp match in container: file=/etc/app.conf "
         "regexp=PASSWORD=(?i)password.*"},
        {"files", "content_regex_match", "regex_name=PASSWORD=(?i)password.*",
         "File content analyzer found regexp match in container: file=/etc/app.conf "
         "regexp=PASSWORD=(?i)password.*"},
        {"files", "content_regex_match", "regex_name=.*TODO.*",
         "File content analyzer found regexp match in container: file=/etc/app.conf "
         "regexp=.*TODO.*"},
        {"files", "content_regex_match", "regex_name=PASS", ""},
        {"files", "name_match", "regex=.*\\.conf",
         "Application of regex matched file found in container: file=/etc/app.conf "
         "regexp=.*\\.conf"},
        {"files", "name_match", "regex=conf", ""},
        {"files", "name_match", "regex=([", "!(["},
        {"files", "attribute_match", "filename=/etc/passwd", ""},
        {"files", "attribute_match", "filename=/etc/passwd|mode=00644",
         "filename=/etc/passwd and mode=0o644 op=equals specified_mode=0o644"},
        {"files", "attribute_match", "filename=/etc/passwd|mode=644|mode_op=not_equals", ""},
        {"files", "attribute_match", "filename=/bin/su|mode=0755|mode_op=not_equals",
         "filename=/bin/su and mode=0o4755 op=not_equals specified_mode=0o755"},
        {"files", "attribute_match", "filename=/etc/passwd|mode=8", "!octal"},
        {"files", "attribute_match", "filename=/etc/passwd|checksum=cc33",
         "filename=/etc/passwd and checksum=cc33 op=equals specified_checksum=cc33"},
        {"files", "attribute_match", "filename=/etc/passwd|checksum=dd", ""},
        {"files", "attribute_match",
         "filename=/etc/passwd|checksum=dd|checksum_match=not_equals|checksum_algorithm=sha256|"
         "mode=0644",
         "filename=/etc/passwd and checksum=cc33 op=not_equals specified_checksum=dd and "
         "mode=0o644 op=equals specified_mode=0o644"},
        {"files", "attribute_match", "filename=/etc/passwd|checksum=cc33|mode=0600", ""},
        {"files", "attribute_match", "filename=/none|mode=0600", ""},
        {"files", "attribute_match", "filename=/none|skip_missing=true", ""},
        {"files", "attribute_match", "filename=/none|skip_missing=false",
         "filename=/none and skip_missing=False"},
        {"files", "suid_or_guid_set", "",
         "SUID or SGID found set on file /bin/su. Mode: 0o104755\n"
         "SUID or SGID found set on file /var/mail. Mode: 0o42775"},
    };
    RUN(&sample_subject, cases);
}

static void licences(void **state)
{
    static const struct gate_case cases[] = {
        {"licenses", "blacklist_exact_match", "licenses=ISC,MIT,ISC",
         "LICFULLMATCH Packages are installed that have blacklisted licenses: curl(ISC), "
         "lodash(MIT)"},
        {"licenses", "denylist_exact_match", "licenses=GPL", ""},
        {"licenses", "blacklist_partial_match", "licenses=GPL,BSD,BSD-3",
         "LICSUBMATCH Packages are installed that have blacklisted licenses: "
         "login(BSD-3-Clause), login(BSD-3-Clause), login(GPL-2+)"},
        {"licenses", "blacklist_partial_match", "licenses=gpl", ""},
    };
    RUN(&sample_subject, cases);
}

static void malware(void **state)
{
    static const struct gate_case cases[] = {
        {"malware", "scans", "",
         "Malware scan finding: scanner=clamav file=/tmp/eicar signature=Eicar-Test"},
        {"malware", "scan_not_run", "", ""},
    };
    RUN(&sample_subject, cases);
    struct judged j;
    judge(&sample_subject, rule_text("malware", "scans", ""), &j);
    assert_str(j.verdict->rows[0].trigger_id,
               STR("clamav+Eicar-Test+a6483251ee8286c79eef81929cd930d9"));
    judged_done(&j);
    static const struct gate_case none[] = {
        {"malware", "scans", "", ""},
        {"malware", "scan_not_run", "", "No malware scans found for image"},
    };
    RUN(&sample_scratch_subject, none);
}

#define ATTRIBUTE(name, check, value, found)                                                       \
    "Attribute check for attribute: '" name "' check: '" check "' check_value: '" value            \
    "' matched image value: '" found "'"

static void metadata(void **state)
{
    static const struct gate_case cases[] = {
        {"metadata", "attribute", "attribute=size|check=>|value=1kb",
         ATTRIBUTE("size", ">", "1024", "2048")},
        {"metadata", "attribute", "attribute=size|check=>|value=2kb", ""},
        {"metadata", "attribute", "attribute=size|check=>=|value=2kb",
         ATTRIBUTE("size", ">=", "2048", "2048")},
        {"metadata", "attribute", "attribute=size|check=<|value=1tb",
         ATTRIBUTE("size", "<", "1099511627776", "2048")},
        {"metadata", "attribute", "attribute=size|check=<=|value=1mb",
         ATTRIBUTE("size", "<=", "1048576", "2048")},
        {"metadata", "attribute", "attribute=size|check=!=|value=2048", ""},
        {"metadata", "attribute", "attribute=size|check=>", ""},
        {"metadata", "attribute", "attribute=size|check=exists",
         ATTRIBUTE("size", "exists", "None", "2048")},
        {"metadata", "attribute", "attribute=size|check=exists|value=7",
         ATTRIBUTE("size", "exists", "7", "2048")},
        {"metadata", "attribute", "attribute=size|check=not_exists|value=7", ""},
        /* failures of the original */
        {"metadata", "attribute", "attribute=layer_count|check=in|value=3",
         ATTRIBUTE("layer_count", "in", "3", "3")},
        {"metadata", "attribute", "attribute=layer_count|check=like|value=3",
         ATTRIBUTE("layer_count", "like", "3", "3")},
        {"metadata", "attribute", "attribute=layer_count|check=like|value=[1-3]",
         "!Detail='[1-3]' does not match"},
        {"metadata", "attribute", "attribute=architecture|check==|value=amd64",
         ATTRIBUTE("architecture", "=", "amd64", "amd64")},
        {"metadata", "attribute", "attribute=os_type|check=!=|value=linux", ""},
        {"metadata", "attribute", "attribute=distro|check=in|value=alpine, debian",
         ATTRIBUTE("distro", "in", "alpine, debian", "debian")},
        {"metadata", "attribute", "attribute=distro|check=not_in|value=alpine, debian", ""},
        {"metadata", "attribute", "attribute=distro|check=like|value=deb",
         ATTRIBUTE("distro", "like", "deb", "debian")},
        {"metadata", "attribute", "attribute=distro|check=not_like|value=deb", ""},
        {"metadata", "attribute", "attribute=distro|check=like|value=(", "!("},
        {"metadata", "attribute", "attribute=distro_version|check=<|value=9",
         ATTRIBUTE("distro_version", "<", "9", "12")}, /* texts */
        {"metadata", "attribute", "attribute=like_distro|check==|value=debian",
         ATTRIBUTE("like_distro", "=", "debian", "debian")},
        {"metadata", "label", "name=maintainer|check=exists",
         "The image's label 'maintainer' exists '': 'ops@example.org'"},
        {"metadata", "label",
         "name=empty|check=="
         "|value=",
         "The image's label 'empty' = '': ''"},
        {"metadata", "label", "name=vendor|check=not_exists",
         "The image's label 'vendor' not_exists '': there is none"},
        {"metadata", "label", "name=vendor|check=exists", ""},
        {"metadata", "label", "name=vendor|check=!=|value=Example",
         "The image's label 'vendor' != 'Example': there is none"},
        {"metadata", "label", "name=maintainer|check=not_like|value=.*@example\\.org", ""},
        {"metadata", "label", "name=maintainer|check=like|value=(", "!("},
        {"metadata", "annotation", "name=team|check=in|value=a,b",
         "The image's annotation 'team' in 'a,b': 'a'"},
        {"metadata", "annotation", "name=team|check=!=|value=a", ""},
        {"metadata", "annotation", "name=x|check=not_in|value=a",
         "The image's annotation 'x' not_in 'a': there is none"},
    };
    RUN(&sample_subject, cases);
    static const struct gate_case none[] = {
        {"metadata", "attribute", "attribute=distro|check==|value=debian", "!distro is not known"},
        {"metadata", "attribute", "attribute=size|check=>|value=1", "!size is not known"},
        {"metadata", "attribute", "attribute=distro|check=exists", ""},
        {"metadata", "attribute", "attribute=distro|check=not_exists",
         ATTRIBUTE("distro", "not_exists", "None", "None")},
    };
    RUN(&sample_scratch_subject, none);
    /* a list is one of its items, not itself */
    static const struct gate_case listed[] = {
        {"metadata", "attribute", "attribute=like_distro|check=in|value=rhel,fedora", ""},
        {"metadata", "attribute", "attribute=like_distro|check=not_in|value=rhel,fedora",
         ATTRIBUTE("like_distro", "not_in", "rhel,fedora", "rhel,fedora")},
    };
    struct policy_image image = *sample_subject.image;
    struct policy_subject subject = sample_subject;
    image.distro_like = STR("rhel,fedora");
    subject.image = &image;
    RUN(&subject, listed);
}

static void npms(void **state)
{
    static const struct gate_case cases[] = {
        {"npms", "newer_version_in_feed", "",
         "NPMNOTLATEST Package (lodash) version (4.17.4) installed but is not the latest version "
         "(4.17.21)"},
        {"npms", "unknown_in_feeds", "",
         "NPMNOTOFFICIAL Package (left-pad) in container but not in official NPM feed."},
        {"npms", "version_not_in_feeds", "",
         "NPMBADVERSION Package (lodash) version (4.17.4) installed but version is not in the "
         "official feed for this package (['4.17.20', '4.17.21'])"},
        {"npms", "blacklisted_name_version", "name=lodash", "NPM Package is blacklisted: lodash"},
        {"npms", "blacklisted_name_version", "name=lodash|version=4.17.4",
         "NPM Package is blacklisted: lodash-4.17.4"},
        {"npms", "blacklisted_name_version", "name=lodash|version=4", ""},
        {"npms", "blacklisted_name_version", "name=rack", ""},
        {"npms", "feed_data_unavailable", "", ""},
        {"ruby_gems", "newer_version_found_in_feed", "", "!cannot be read"},
        {"ruby_gems", "not_found_in_feed", "", "!cannot be read"},
        {"ruby_gems", "version_not_found_in_feed", "", "!cannot be read"},
        {"ruby_gems", "blacklist", "name=rack", "Gem Package is blacklisted: rack"},
        {"ruby_gems", "denylist", "name=rack|version=2.0.1",
         "Gem Package is blacklisted: rack-2.0.1"},
        {"ruby_gems", "blacklist", "name=lodash", ""},
    };
    RUN(&sample_subject, cases);
    static const struct gate_case none[] = {
        {"npms", "newer_version_in_feed", "", ""},
        {"npms", "unknown_in_feeds", "", ""},
        {"npms", "version_not_in_feeds", "", ""},
        {"npms", "feed_data_unavailable", "",
         "NPM packages are present but the anchore npm feed is not available - will be unable to "
         "perform checks that require feed data"},
        {"ruby_gems", "feed_data_unavailable", "",
         "Gem packages are present but the anchore gem feed is not available - will be unable to "
         "perform checks that require feed data"},
    };
    RUN(&sample_scratch_subject, none);
}

#define VERIFY(package, path, status)                                                              \
    "VERIFY check against package db for package '" package "' failed on entry '" path             \
    "' with status: '" status "'"

static void packages(void **state)
{
    static const struct gate_case cases[] = {
        {"packages", "required_package", "name=curl", ""},
        {"packages", "required_package", "name=wget",
         "Required input package (wget) is not present in container image"},
        {"packages", "required_package", "name=wget|version=1",
         "Required input package (wget,1) is not present in container image"},
        {"packages", "required_package", "name=curl|version=7.88.1-10+deb12u5", ""},
        {"packages", "required_package", "name=curl|version=7.88.1",
         "Required input package (curl) is present (7.88.1-10+deb12u5), but not at the version "
         "specified in policy (curl)"},
        {"packages", "required_package", "name=curl|version=7.9.0|version_match_type=minimum", ""},
        {"packages", "required_package", "name=curl|version=7.88.1|version_match_type=minimum", ""},
        {"packages", "required_package",
         "name=curl|version=7.88.1-10+deb12u6|version_match_type=minimum",
         "Required min-version input package (curl) is present (7.88.1-10+deb12u5), but is lower "
         "version than what is specified in policy (7.88.1-10+deb12u6)"},
        {"packages", "required_package",
         "name=curl|version=7.88.1-10+deb12u4|version_match_type=minimum", ""},
        /* the epoch counts */
        {"packages", "required_package", "name=login|version=9|version_match_type=minimum", ""},
        {"packages", "required_package", "name=login|version=2:1|version_match_type=minimum",
         "Required min-version input package (login) is present (1:4.13-2), but is lower version "
         "than what is specified in policy (2:1)"},
        {"packages", "required_package", "name=lodash|version=4.17.21|version_match_type=minimum",
         "Required min-version input package (lodash) is present (4.17.4), but is lower version "
         "than what is specified in policy (4.17.21)"},
        {"packages", "required_package", "name=lodash|version=latest|version_match_type=minimum",
         "!no order"},
        {"packages", "required_package", "name=app|version=2|version_match_type=minimum",
         "!not known"},
        {"packages", "verify", "",
         VERIFY("curl", "/etc/passwd", "changed") "\n" VERIFY(
             "curl", "/usr/lib/libz.so",
             "changed") "\n" VERIFY("login", "/bin/su",
                                    "changed") "\n" VERIFY("login", "/var/mail",
                                                           "changed") "\n" VERIFY("zlib1g",
                                                                                  "/etc/gone",
                                                                                  "missing")},
        {"packages", "verify", "only_packages=login, zlib1g|check=missing",
         VERIFY("zlib1g", "/etc/gone", "missing")},
        {"packages", "verify", "only_directories=/bin, /etc|check=changed",
         VERIFY("curl", "/etc/passwd", "changed") "\n" VERIFY("login", "/bin/su", "changed")},
        {"packages", "verify", "only_packages=none", ""},
        {"packages", "verify", "only_packages=curl|digests=false",
         VERIFY("curl", "/etc/passwd", "changed") "\n" VERIFY("curl", "/usr/lib/libz.so",
                                                              "changed")},
        {"packages", "verify", "only_directories=/usr/lib|only_packages=login|digests=true",
         "!did not compute md5"},
        {"packages", "blacklist", "name=curl", "Package is blacklisted: curl"},
        {"packages", "blacklist", "name=curl|version=7.88.1",
         "Package is blacklisted: curl-7.88.1"},
        {"packages", "blacklist", "name=curl|version=7.88.1-10+deb12u5", ""},
        {"packages", "denylist", "name=lodash", "Package is blacklisted: lodash"},
    };
    RUN(&sample_subject, cases);
    static const struct gate_case none[] = {
        {"packages", "verify", "", "!no list of files"},
        {"packages", "blacklist", "name=curl", ""},
    };
    RUN(&sample_scratch_subject, none);
}

static void passwd_file(void **state)
{
    static const struct gate_case cases[] = {
        {"passwd_file", "content_not_available", "", ""},
        {"passwd_file", "blacklist_usernames", "user_names=root,ftp,short",
         "Blacklisted user 'root' found in image's /etc/passwd: pentry=root:x:0:0:root:/root:/bin/"
         "sh\n"
         "Blacklisted user 'short' found in image's /etc/passwd: pentry=short\n"
         "Blacklisted user 'ftp' found in image's /etc/passwd: pentry=ftp:x:14:50::/:/sbin/"
         "nologin"},
        {"passwd_file", "denylist_usernames", "usernameblacklist=ftp",
         "Blacklisted user 'ftp' found in image's /etc/passwd: pentry=ftp:x:14:50::/:/sbin/"
         "nologin"},
        {"passwd_file", "blacklist_userids", "user_ids=14, 1",
         "Blacklisted uid '14' found in image's /etc/passwd: pentry=ftp:x:14:50::/:/sbin/nologin"},
        {"passwd_file", "blacklist_userids", "useridblacklist=0",
         "Blacklisted uid '0' found in image's /etc/passwd: pentry=root:x:0:0:root:/root:/bin/sh"},
        {"passwd_file", "blacklist_groupids", "group_ids=50",
         "Blacklisted gid '50' found in image's /etc/passwd: pentry=ftp:x:14:50::/:/sbin/nologin"},
        {"passwd_file", "blacklist_shells", "shells=/bin/bash", ""},
        {"passwd_file", "blacklist_shells", "shells=/bin/bash,/sbin/nologin",
         "Blacklisted shell '/sbin/nologin' found in image's /etc/passwd: "
         "pentry=ftp:x:14:50::/:/sbin/nologin"},
        {"passwd_file", "blacklist_full_entry", "entry=ftp:x:14:50::/:/sbin/nologin",
         "Blacklisted pentry 'ftp:x:14:50::/:/sbin/nologin' found in image's /etc/passwd: "
         "pentry=ftp:x:14:50::/:/sbin/nologin"},
        {"passwd_file", "blacklist_full_entry", "entry=ftp:x:14:50", ""},
    };
    RUN(&sample_subject, cases);
    static const struct gate_case none[] = {
        {"passwd_file", "content_not_available", "",
         "Cannot locate /etc/passwd in image stored files archive: check analyzer settings."},
        {"passwd_file", "blacklist_userids", "user_ids=0", ""},
    };
    RUN(&sample_scratch_subject, none);
}

#define CONTENT(regex, check)                                                                      \
    "Content regex '" regex "' check '" check "' found in retrieved file '/etc/app.conf'"

static void retrieved_files(void **state)
{
    static const struct gate_case cases[] = {
        {"retrieved_files", "content_not_available", "path=/etc/app.conf", ""},
        {"retrieved_files", "content_not_available", "path=/etc/none",
         "Cannot locate file in the image analysis"},
        {"retrieved_files", "content_regex", "path=/etc/app.conf|check=match|regex=.*Enabled",
         CONTENT(".*Enabled", "match")},
        {"retrieved_files", "content_regex", "path=/etc/app.conf|check=match|regex=Listen 22", ""},
        {"retrieved_files", "content_regex",
         "path=/etc/app.conf|check=match|regex=Listen 22|unit=lines",
         CONTENT("Listen 22", "match")},
        {"retrieved_files", "content_regex",
         "path=/etc/app.conf|check=match|regex=(?s)SSL.*Listen|unit=file",
         CONTENT("(?s)SSL.*Listen", "match")},
        {"retrieved_files", "content_regex",
         "path=/etc/app.conf|check=match|regex=(?s)SSL.*Listen|unit=lines", ""},
        {"retrieved_files", "content_regex", "path=/etc/app.conf|check=no_match|regex=Enabled",
         CONTENT("Enabled", "no_match")},
        {"retrieved_files", "content_regex", "path=/etc/app.conf|check=no_match|regex=.*Enabled",
         ""},
        {"retrieved_files", "content_regex", "path=/none|check=no_match|regex=x", ""},
        {"retrieved_files", "content_regex", "path=/etc/app.conf|check=match|regex=(", "!("},
    };
    RUN(&sample_subject, cases);
    struct judged j;
    judge(&sample_subject,
          rule_text("retrieved_files", "content_regex", "path=/etc/app.conf|check=match|regex=on"),
          &j);
    assert_int_equal(j.n, 1);
    assert_str(j.verdict->rows[0].trigger_id, STR("r1+file:///etc/app.conf"));
    judged_done(&j);
}

#define SECRET(path, expression)                                                                   \
    "Secret content search analyzer found regexp match in container: file=" path                   \
    " regexp=" expression
#define NO_SECRET(files, name)                                                                     \
    "Secret content search analyzer did not find regexp match in container: filename_regex=" files \
    " content_regex_name=" name

static void secret_scans(void **state)
{
    static const struct gate_case cases[] = {
        {"secret_scans", "content_regex_checks", "",
         SECRET("/etc/app.conf", "API_KEY=api.*") "\n" SECRET("/root/id_rsa", "PRIV_KEY=BEGIN.*")},
        {"secret_scans", "content_regex_checks", "content_regex_name=PRIV_KEY",
         SECRET("/root/id_rsa", "PRIV_KEY=BEGIN.*")},
        {"secret_scans", "content_regex_checks", "content_regex_name=AWS, API_KEY",
         SECRET("/etc/app.conf", "API_KEY=api.*")},
        {"secret_scans", "content_regex_checks", "content_regex_name=MY_API_KEY", ""},
        {"secret_scans", "content_regex_checks", "content_regex_name=api.*",
         SECRET("/etc/app.conf", "API_KEY=api.*")},
        {"secret_scans", "content_regex_checks", "filename_regex=/root/.*|match_type=found",
         SECRET("/root/id_rsa", "PRIV_KEY=BEGIN.*")},
        {"secret_scans", "content_regex_checks", "filename_regex=root", ""},
        {"secret_scans", "content_regex_checks", "filename_regex=(", "!("},
        {"secret_scans", "content_regex_checks", "match_type=notfound", ""},
        {"secret_scans", "content_regex_checks", "filename_regex=/opt/.*|match_type=notfound",
         NO_SECRET("/opt/.*", "all")},
        {"secret_scans", "content_regex_checks", "content_regex_name=AWS|match_type=notfound",
         NO_SECRET("*", "AWS")},
    };
    RUN(&sample_subject, cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dockerfile),   cmocka_unit_test(a_guessed_dockerfile_may_be_left_out),
        cmocka_unit_test(files),        cmocka_unit_test(licences),
        cmocka_unit_test(malware),      cmocka_unit_test(metadata),
        cmocka_unit_test(npms),         cmocka_unit_test(packages),
        cmocka_unit_test(passwd_file),  cmocka_unit_test(retrieved_files),
        cmocka_unit_test(secret_scans),
    };
    return cmocka_run_group_tests_name("gates", tests, NULL, NULL);
}
