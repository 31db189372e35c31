"""Random images with real package databases, and what a policy sees of them: made together, from one description.

Versions are numbers with dots, so that all schemes agree on their order; what is matched with them stands in records of
the old feed service (`kellet feeds load anchore`).
"""
import hashlib
import json
import stat
import sys
import tarfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
import images  # noqa: E402
from policy_model import Facts, Finding, Package, version_key  # noqa: E402

CONTENT = {"PASSWORD_LINE": "(?i).*password *=.*", "TODO_MARK": ".*TODO.*"}
SECRETS = {"MY_KEY": "(?i).*my_key *= *[0-9a-f]{8}.*", "PRIV": ".*BEGIN PRIVATE.*"}
RETRIEVED = ["/etc/passwd", "/etc/app.conf", "/etc/motd"]
SETTINGS = json.dumps({
    "retrieve_files": {"max_file_size_kb": 1000, "file_list": RETRIEVED},
    "content_search": {"match_params": ["MAXFILESIZE=10000"], "regexp_match": [f"{k}={v}" for k, v in CONTENT.items()]},
    "secret_search": {"match_params": ["MAXFILESIZE=10000"], "regexp_match": [f"{k}={v}" for k, v in SECRETS.items()]}})

NAMES = ["musl", "zlib", "busybox", "openssl", "bash", "curl", "tar-x", "libc6", "gawk", "sed2"]
LANGUAGE = ["lodash", "rack", "django", "tar", "requests", "left-pad", "log4j-core", "commons-io"]
LICENCES = ["MIT", "GPL-2.0-only", "BSD-3-Clause", "Apache-2.0", "GPLv2+", "LGPL-2.1"]
SEVERITIES = ["Unknown", "Negligible", "Low", "Medium", "High", "Critical"]
# the parts of CVSS 3 as first.org's formulas give them: vector, base, exploitability, impact
SCORES = [("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8, 3.9, 5.9),
          ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 7.5, 3.9, 3.6),
          ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:N/A:N", 5.3, 3.9, 1.4),
          ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1, 2.8, 2.7),
          ("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:L/I:N/A:N", 3.3, 1.8, 1.4),
          ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0, 3.9, 0.0)]
DISTROS = {  # os-release, type, where its records are
    "alpine": ("ID=alpine\nVERSION_ID=3.18.4\n", "APKG", "alpine:3.18"),
    "alpine-old": ("ID=alpine\nVERSION_ID=3.2.1\n", "APKG", None),
    "debian": ("ID=debian\nVERSION_ID=\"12\"\n", "dpkg", "debian:12"),
    "centos": ("ID=\"centos\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"8\"\n", "rpm", "rhel:8"),
}


def random_version(r):
    return f"{r.randint(0, 3)}.{r.randint(0, 12)}.{r.randint(0, 3)}"


# ---- vulnerability data

def nvd_record(cve, severity, scores):
    vector, base, exploitability, impact = scores
    return {"cve": {"CVE_data_meta": {"ID": cve}, "description": {"description_data": []}}, "severity": severity,
            "vulnerable_cpes": [], "cvss_v2": None,
            "cvss_v3": {"version": "3.1", "vector_string": vector, "base_metrics": {
                "base_score": base, "exploitability_score": exploitability, "impact_score": impact}}}


class Feeds:
    """A feed set: records to load, and the same for the model."""

    def __init__(self, r, packages=True):
        self.r, self.distro, self.github, self.nvd = r, {}, {}, {}
        self.count = 0
        for _, kind, group in sorted(d for d in DISTROS.values() if d[2]):
            self.distro[group] = [self.distro_vuln(group, kind) for _ in range(14)]
        for eco in ("npm", "gem", "python", "java"):
            self.github[f"github:{eco}"] = [self.advisory(eco) for _ in range(8)]
        self.packages = {k: self.upstream() for k in ("npm", "gem")} if packages else {"npm": None, "gem": None}

    def upstream(self):
        out = {}
        for name in self.r.sample(LANGUAGE, 6):
            versions = [random_version(self.r) for _ in range(4)]
            out[name] = {"versions": versions, "latest": self.r.choice(versions)}
        return out

    def cve(self):
        self.count += 1
        name = f"CVE-2099-{self.count:04}"
        if self.r.random() < .7:
            scores = self.r.choice(SCORES)
            self.nvd[name] = (next((s for least, s in ((9, "Critical"), (7, "High"), (4, "Medium"), (.1, "Low"))
                                    if scores[1] >= least), "Negligible"), scores)
        return name

    def distro_vuln(self, group, kind):
        form = {"APKG": "{}-r0", "dpkg": "{}-1", "rpm": "{}-1"}[kind]
        fix = "None" if self.r.random() < .3 else form.format(random_version(self.r))
        name, more = self.cve(), []
        if self.r.random() < .2:  # an advisory about several
            # (the original rates it by the NVD too; kellet by what it says itself)
            name, more = f"ALAS-2099-{self.count}", [name]
        return {"id": name, "severity": self.r.choice(SEVERITIES), "package": self.r.choice(NAMES), "fix": fix,
                "wont": fix == "None" and self.r.random() < .4, "kind": kind, "more": more}

    def advisory(self, eco):
        self.count += 1
        name = self.r.choice(LANGUAGE)
        low, fix = sorted((random_version(self.r) for _ in range(2)), key=version_key)
        return {"id": f"GHSA-aaaa-bbbb-{self.count:04}", "severity": self.r.choice(SEVERITIES), "cves": [self.cve()],
                "package": f"org.x:{name}" if eco == "java" else name, "name": name, "low": low, "fix": fix,
                "range": self.r.choice([f">= {low} < {fix}", f">= {low}, < {fix}", f"< {fix}", f"= {low}"])}

    def records(self):
        out = {"vulnerabilities": {}, "github": {}, "nvdv2": {"nvdv2:cves": [nvd_record(c, *v) for c, v in self.nvd.items()]}}
        for group, list_ in self.distro.items():
            out["vulnerabilities"][group] = [{"Vulnerability": {
                "Name": v["id"], "NamespaceName": group, "Severity": v["severity"], "Link": f"http://v.example/{v['id']}",
                "Description": "", "Metadata": {"CVE": [{"Name": c, "Link": "x"} for c in v["more"] or [v["id"]]]},
                "FixedIn": [{"Name": v["package"], "NamespaceName": group, "Version": v["fix"],
                             "VersionFormat": {"APKG": "apk"}.get(v["kind"], v["kind"]),
                             "VendorAdvisory": {"NoAdvisory": v["wont"], "AdvisorySummary": []}}]}} for v in list_]
        for group, list_ in self.github.items():
            out["github"][group] = [{"Advisory": {
                "ghsaId": v["id"], "namespace": group, "Summary": "", "Severity": v["severity"], "withdrawn": None,
                "url": f"http://g.example/{v['id']}", "CVE": v["cves"], "Metadata": {"CVE": v["cves"]},
                "FixedIn": [{"ecosystem": group.split(":")[1], "name": v["package"], "namespace": group,
                             "range": v["range"], "identifier": v["fix"]}]}, "Vulnerability": {}} for v in list_]
        if self.packages["npm"] is not None:
            out["packages"] = {k: [{n: v} for n, v in self.packages[k].items()] for k in ("npm", "gem")}
        return out

    def scores(self, ids):
        """The highest of each part over the NVD's records."""
        out = {"base": -1.0, "exploitability": -1.0, "impact": -1.0}
        for cve in ids:
            if cve in self.nvd:
                for part, value in zip(out, self.nvd[cve][1][1:]):
                    out[part] = max(out[part], value)
        return out

    def severity(self, v, cves):
        """Our own: what an advisory does not rate has the NVD's severity."""
        return next((s.lower() for s in [v["severity"], *(self.nvd[c][0] for c in cves if c in self.nvd)] if s != "Unknown"),
                    "unknown")

    def find(self, packages, group):
        found = []
        for k in packages:
            for v in self.distro.get(group, []) if k.os else []:
                hit = v["package"] in (k.name, k.source)
                if hit and (v["fix"] == "None" or version_key(k.full) < version_key(v["fix"])):
                    found.append(Finding(v["id"], k, self.severity(v, [v["id"]]), f"http://v.example/{v['id']}",
                                         [] if v["fix"] == "None" else [v["fix"]], v["wont"],
                                         self.scores([v["id"]])))
            for v in [] if k.os else self.github[f"github:{k.type}"]:
                a, low, fix = (version_key(x) for x in (k.version, v["low"], v["fix"]))
                inside = a == low if v["range"].startswith("=") else a < fix and (v["range"].startswith("<") or a >= low)
                if v["name"] == k.name and inside:
                    found.append(Finding(v["id"], k, self.severity(v, v["cves"]), f"http://g.example/{v['id']}", [v["fix"]], False,
                                         self.scores(v["cves"])))
        return found


# ---- images

class Builder:
    """The files of an image, layer by layer, and its packages."""

    def __init__(self, r, feeds):
        self.r, self.feeds = r, feeds
        self.layers, self.files, self.texts, self.links, self.packages = [], {}, {}, {}, []
        self.entries, self.folders = [], set()

    def folder(self, path):
        parts = path.strip("/").split("/")
        for i in range(1, len(parts)):
            name = "/".join(parts[:i])
            if name not in self.folders:
                self.folders.add(name)
                info, content = images.directory(name)
                info.mode = 0o755
                self.entries.append((info, content))
                self.files["/" + name] = (stat.S_IFDIR | 0o755, None)

    def put(self, path, content, mode=0o644):
        self.folder(path)
        raw = content.encode() if isinstance(content, str) else content
        self.entries.append(images.file(path.strip("/"), raw, mode=mode))
        self.files[path] = (stat.S_IFREG | mode, hashlib.sha256(raw).hexdigest())
        self.texts[path] = raw.decode() if isinstance(content, str) else ""

    def link(self, path, target):
        self.folder(path)
        info, content = images.symlink(path.strip("/"), target)
        info.mode = 0o777
        self.entries.append((info, content))
        self.files[path] = (stat.S_IFLNK | 0o777, None)
        self.links[path] = target

    def hide(self, path):
        self.entries.append(images.whiteout(path.strip("/")))
        self.files.pop(path, None)
        self.texts.pop(path, None)

    def end_layer(self):
        self.layers.append(images.layer(*self.entries))
        self.entries = []

    # -- package databases

    def apk(self, k):
        lines = [f"P:{k.name}", f"V:{k.full}", "A:x86_64", f"L:{k.license}", f"o:{k.source}", "S:1", "I:1"]
        for entry in k.manifest:
            head, _, name = entry["path"][1:].rpartition("/")
            lines += [f"F:{head}", f"R:{name}", f"a:0:0:{entry['mode']:o}", "Z:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA="]
        return "\n".join(lines) + "\n\n"

    def dpkg(self, k):
        self.put(f"/var/lib/dpkg/info/{k.name}.list", "".join(e["path"] + "\n" for e in k.manifest))
        self.put(f"/var/lib/dpkg/info/{k.name}.md5sums", "".join(f"{'0' * 32}  {e['path'][1:]}\n" for e in k.manifest))
        source = f"Source: {k.source}\n" if k.source != k.name else ""
        return (f"Package: {k.name}\nStatus: install ok installed\nArchitecture: amd64\n{source}"
                f"Version: {k.full}\nDescription: x\n\n")

    def os_packages(self, kind):
        r, form = self.r, {"APKG": "{}-r0", "dpkg": "{}-1", "rpm": "{}-1"}[kind]
        found = []
        for name in r.sample(NAMES, r.randint(1, 6)):
            version = random_version(r)
            k = Package(name, version, kind, form.format(version))
            if kind == "APKG":
                k.license = " ".join(r.sample(LICENCES, r.randint(1, 2)))
            if kind != "rpm" and r.random() < .3:
                k.source = r.choice(NAMES)
            if kind != "rpm":
                self.owned(k, kind)
            found.append(k)
        self.packages += found
        if kind == "APKG":
            self.put("/lib/apk/db/installed", "".join(map(self.apk, found)))
        elif kind == "dpkg":
            self.put("/var/lib/dpkg/status", "".join(map(self.dpkg, found)))
        else:
            for k in found:
                k.location, k.source = "", k.name
            self.put("/var/lib/rpm/rpmdb.sqlite", images.rpmdb(*(f"{k.name}={k.version}" for k in found)))

    def owned(self, k, kind):
        for n in range(self.r.randint(0, 3)):
            path = f"/usr/{self.r.choice(['bin', 'lib', 'share'])}/{k.name}-{n}"
            mode = self.r.choice([0o644, 0o755, 0o600])
            k.manifest.append({"path": path, "mode": mode if kind == "APKG" else None, "config": False})
            chance = self.r.random()
            if chance < .8:
                self.put(path, f"file {n} of {k.name}\n", mode if chance < .6 else self.r.choice([0o644, 0o755, 0o4755]))

    def npm(self, name, version, licence):
        path = f"/usr/lib/node_modules/{name}/package.json"
        self.put(path, json.dumps({"name": name, "version": version, "license": licence}))
        self.packages.append(Package(name, version, "npm", location=path, license=licence))

    def gem(self, name, version, licence):
        path = f"/usr/lib/ruby/gems/3.0.0/specifications/{name}-{version}.gemspec"
        self.put(path, f"""# stub: {name} {version} ruby lib
Gem::Specification.new do |s|
  s.name = "{name}".freeze
  s.version = "{version}"
  s.authors = ["A B".freeze]
  s.licenses = ["{licence}".freeze]
  s.summary = "x".freeze
end
""")
        self.packages.append(Package(name, version, "gem", location=path, license=licence))

    def python(self, name, version, licence):
        where = "/usr/lib/python3.11/site-packages"
        self.put(f"{where}/{name}-{version}.dist-info/METADATA",
                 f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nLicense: {licence}\n\n")
        self.put(f"{where}/{name}-{version}.dist-info/top_level.txt", f"{name}\n")
        self.put(f"{where}/{name}-{version}.dist-info/RECORD", f"{name}/__init__.py,,\n")
        self.packages.append(Package(name, version, "python", location=f"{where}/{name}", license=licence))

    def language_packages(self):
        makers = (self.npm, self.gem, self.python)
        for n, name in enumerate(self.r.sample(LANGUAGE, self.r.randint(0, 6))):
            makers[n % 3](name, random_version(self.r), self.r.choice(LICENCES))

    # -- other files

    def passwd(self):
        users = [("root", 0, 0, "/bin/ash"), ("bin", 1, 1, "/sbin/nologin"), ("ftp", 14, 50, "/sbin/nologin"),
                 ("app", 1000, 1000, "/bin/bash"), ("root", 0, 7, "/bin/zsh"), ("x", 14, 999, "")]
        lines = [f"{n}:x:{u}:{g}:{n} user:/home/{n}:{s}" for n, u, g, s in self.r.sample(users, self.r.randint(1, 6))]
        if self.r.random() < .2:
            lines.insert(self.r.randint(0, len(lines)), self.r.choice(["", "short", "two:x:3"]))
        self.put("/etc/passwd", "\n".join(lines) + "\n")

    def plain_files(self):
        r = self.r
        if r.random() < .8:
            self.passwd()
        if r.random() < .7:
            self.put("/etc/app.conf", r.choice(["SSLEnabled=on\nListen 22\n", "password = x\nTODO later\n", "a b c\n"]))
        for n in range(r.randint(1, 6)):
            path = f"/{r.choice(['opt/app', 'etc', 'srv/data x', 'usr/local/bin'])}/{r.choice('abcdef')}{r.choice(['', '.pem', '.jar.txt', 'é'])}"
            text = r.choice(["nothing\n", "my_key = 0123abcd\n", "TODO: more\nx\nTODO again\n", "Password=1\n",
                             "-----BEGIN PRIVATE KEY-----\nmy_key=deadbeef\n", ""])
            self.put(path, text, r.choice([0o644, 0o600, 0o755, 0o4755, 0o2755, 0o6711, 0o1777, 0o400]))
        if r.random() < .3:
            self.link("/opt/app/link", "/etc/app.conf")

    def found(self, rules):
        """Files of which a line matches, as the analyser looks for them."""
        import re
        texts = {**self.texts, **{p: self.texts.get(t, "") for p, t in self.links.items()}}  # links lead to what they name
        return [(path, f"{name}={regex}") for path, text in texts.items() for name, regex in rules.items()
                if len(text.encode()) <= 10000 and any(re.match(regex, line) for line in text.splitlines())]


HISTORY = ["/bin/sh -c #(nop) ADD file:0 in / ", "/bin/sh -c #(nop)  ENV A=1", "/bin/sh -c #(nop)  EXPOSE 22/tcp 8080/tcp",
           "/bin/sh -c apk add x && echo y", "/bin/sh -c #(nop)  USER app", "/bin/sh -c #(nop)  HEALTHCHECK NONE"]


def guessed(history):
    lines = ["FROM scratch"]
    for text in history:
        nop = "/bin/sh -c #(nop) "
        lines.append(text[len(nop):].strip() if text.startswith(nop) else f"RUN {text}")
    return "\n".join(lines) + "\n"


def make(r, feeds, where):
    """An image below `where`: (SOURCE, Facts)."""
    b = Builder(r, feeds)
    name = r.choice([*DISTROS, *DISTROS, None])
    release, kind, group = DISTROS.get(name, ("", "", None))
    if name:
        b.put("/etc/os-release", release)
    if r.random() < .5:
        b.plain_files()
        b.end_layer()
    if name:
        b.os_packages(kind)
        b.end_layer()
    b.language_packages()
    b.plain_files()
    if b.texts.get("/etc/app.conf") is not None and len(b.layers) and r.random() < .2 and not any(
            i.name == "etc/app.conf" for i, _ in b.entries):
        b.hide("/etc/app.conf")
    b.end_layer()
    history = [r.choice(HISTORY) for _ in b.layers] + r.sample(HISTORY, r.randint(0, 3))
    layout = images.Layout(*b.layers, history=[
        {"created_by": h, **({} if i < len(b.layers) else {"empty_layer": True})} for i, h in enumerate(history)])
    fields = dict(line.split("=", 1) for line in release.splitlines())
    fields = {k: v.strip('"') for k, v in fields.items()}
    document = images.config(b.layers, history=[
        {"created_by": h, **({} if i < len(b.layers) else {"empty_layer": True})} for i, h in enumerate(history)])
    return layout.write(where), Facts(
        id=images.sha(document)[7:], digest=layout.manifests[0]["digest"], files=b.files, packages=b.packages,
        findings=feeds.find(b.packages, group), content=b.found(CONTENT), secrets=b.found(SECRETS),
        retrieved={p: b.texts[p] for p in RETRIEVED if p in b.texts}, dockerfile=guessed(history), dockerfile_mode="Guessed",
        size=None, layers=len(b.layers), architecture="amd64", os_type="linux",
        distro=fields.get("ID"), distro_version=fields.get("VERSION_ID"),
        like_distro=",".join(fields.get("ID_LIKE", fields.get("ID", "")).split()) or None,
        feeds={**feeds.packages, "covered": group is not None, "age_days": 1e-5 if group else None})
