"""Random images with real package databases, and what a policy sees of them: made together, from one description.

Versions are numbers with dots, so that all schemes agree on their order; what is matched with them stands in records of
the old feed service (`kellet feeds load anchore`).
"""
import base64
import copy
import hashlib
import io
import json
import stat
import sys
import tarfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
import images  # noqa: E402
from policy_feeds import DISTROS, LANGUAGE, LICENCES, MODULES, NAMES, random_version  # noqa: E402
from policy_files import go_program, jar, rpm_package  # noqa: E402
from policy_base import Facts, Package  # noqa: E402

CONTENT = {"PASSWORD_LINE": "(?i).*password *=.*", "TODO_MARK": ".*TODO.*"}
SECRETS = {"MY_KEY": "(?i).*my_key *= *[0-9a-f]{8}.*", "PRIV": ".*BEGIN PRIVATE.*"}
RETRIEVED = ["/etc/passwd", "/etc/app.conf", "/etc/motd"]
SETTINGS = json.dumps({
    "retrieve_files": {"max_file_size_kb": 1000, "file_list": RETRIEVED},
    "content_search": {"match_params": ["MAXFILESIZE=10000"], "regexp_match": [f"{k}={v}" for k, v in CONTENT.items()]},
    "secret_search": {"match_params": ["MAXFILESIZE=10000"], "regexp_match": [f"{k}={v}" for k, v in SECRETS.items()]}})

EXPRESSIONS = ["MIT OR Apache-2.0", "(MIT OR GPL-2.0-only) AND BSD-3-Clause", "GPL-2.0", "LGPL-2.1+", "mit and ISC",
               "GPL-2.0-only WITH Classpath-exception-2.0", "Apache-2.0 OR (ISC AND GPL-2.0-or-later)"]


# ---- images

class Builder:
    """The files of an image, layer by layer, and its packages."""

    def __init__(self, r, feeds):
        self.r, self.feeds = r, feeds
        self.layers, self.files, self.texts, self.links, self.packages = [], {}, {}, {}, []
        self.entries, self.folders, self.contents, self.unsupported, self.taken = [], set(), {}, set(), set()

    def copy(self):
        other = Builder(self.r, self.feeds)
        for name, value in vars(self).items():
            if name not in ("r", "feeds"):
                setattr(other, name, copy.copy(value))
        return other

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
        self.contents[path] = raw

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
        self.contents.pop(path, None)

    def end_layer(self):
        self.layers.append(images.layer(*self.entries))
        self.entries = []

    # -- package databases

    def apk(self, k):
        lines = [f"P:{k.name}", f"V:{k.full}", "A:x86_64", f"L:{k.license}", f"o:{k.source}", "S:1", "I:1"]
        for entry in k.manifest:
            head, _, name = entry["path"][1:].rpartition("/")
            checksum = base64.b64encode(bytes.fromhex(entry["digest"])).decode()
            lines += [f"F:{head}", f"R:{name}", f"a:0:0:{entry['mode']:o}", f"Z:Q1{checksum}"]
        return "\n".join(lines) + "\n\n"

    def dpkg(self, k):
        conffiles = "".join(f" {e['path']} {e['digest']}\n" for e in k.manifest if e["config"])
        self.put(f"/var/lib/dpkg/info/{k.name}.list", "".join(e["path"] + "\n" for e in k.manifest))
        self.put(f"/var/lib/dpkg/info/{k.name}.md5sums",
                 "".join(f"{e['digest']}  {e['path'][1:]}\n" for e in k.manifest if not e["config"]))
        source = f"Source: {k.source}\n" if k.source != k.name else ""
        return (f"Package: {k.name}\nStatus: install ok installed\nArchitecture: amd64\n{source}"
                f"Version: {k.full}\nDescription: x\n{'Conffiles:' + chr(10) + conffiles if conffiles else ''}\n")

    def os_packages(self, kind):
        r, form = self.r, {"APKG": "{}-r0", "dpkg": "{}-1", "rpm": "{}-1"}[kind]
        found = []
        for name in r.sample(NAMES, r.randint(1, 6)):
            version = random_version(r)
            k = Package(name, version, kind, form.format(version))
            if kind != "dpkg":
                k.license = r.choice([" ".join(r.sample(LICENCES, r.randint(1, 2))), r.choice(EXPRESSIONS)])
            if r.random() < .3:
                k.source = r.choice(NAMES)
            self.owned(k, kind)
            place = {"APKG": "apk/alpine", "dpkg": "deb/debian", "rpm": "rpm/centos"}[kind]
            k.purl = f"pkg:{place}/{name}@{k.full}"
            found.append(k)
        self.packages += found
        if kind == "APKG":
            self.put("/lib/apk/db/installed", "".join(map(self.apk, found)))
        elif kind == "dpkg":
            self.put("/var/lib/dpkg/status", "".join(map(self.dpkg, found)))
        else:
            self.put("/var/lib/rpm/rpmdb.sqlite", images.rpmdb(*map(rpm_package, found)))

    def owned(self, k, kind):
        """Files that the package says it installed: there as it says, changed, or gone."""
        algorithm = {"APKG": "sha1", "dpkg": "md5", "rpm": "sha256"}[kind]
        for n in range(self.r.randint(0, 3)):
            path = f"/usr/{self.r.choice(['bin', 'lib', 'share'])}/{k.name}-{n}"
            mode, text = self.r.choice([0o644, 0o755, 0o600]), f"file {n} of {k.name}\n"
            k.manifest.append({
                "path": path, "mode": None if kind == "dpkg" else mode, "algorithm": algorithm,
                "digest": hashlib.new(algorithm, text.encode()).hexdigest(), "size": len(text) if kind == "rpm" else 0,
                "config": kind != "APKG" and self.r.random() < .2})
            chance = self.r.random()
            if chance < .8:
                text = text if chance < .6 else self.r.choice([text, text.replace("f", "F"), text + "more\n"])
                self.put(path, text, mode if chance < .5 else self.r.choice([0o644, 0o755, 0o4755]))
        k.manifest.sort(key=lambda e: e["path"])

    def places(self, *choices):
        """Where a package stands: mostly at one place, in no order."""
        return self.r.sample(choices, self.r.choice([1, 1, 1, 2, 2, len(choices)]))

    def language(self, kind, name, version, group="org.x", **more):
        """A row for each place where the package stands."""
        place = {"python": "pypi", "java": f"maven/{group}", "go": "golang"}.get(kind, kind)
        self.packages.append(Package(name, version, kind, purl=f"pkg:{place}/{name}@{version}".replace("(", "%28").replace(
            ")", "%29"), **more))

    def npm(self, name, version, licence):
        for folder in self.places("/usr/lib", "/opt/app", "/usr/lib/node_modules/other"):
            path = f"{folder}/node_modules/{name}/package.json"
            self.put(path, json.dumps({"name": name, "version": version, "license": licence}))
            self.language("npm", name, version, location=path, license=licence)

    def gem(self, name, version, licence):
        for folder in self.places("/usr/lib/ruby/gems/3.0.0", "/opt/bundle"):
            path = f"{folder}/specifications/{name}-{version}.gemspec"
            self.put(path, f"""# stub: {name} {version} ruby lib
Gem::Specification.new do |s|
  s.name = "{name}".freeze
  s.version = "{version}"
  s.authors = ["A B".freeze]
  s.licenses = ["{licence}".freeze]
  s.summary = "x".freeze
end
""")
            self.language("gem", name, version, location=path, license=licence)

    def python(self, name, version, licence):
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nLicense: {licence}\n\n"
        for where in self.places("/usr/lib/python3.11/site-packages", "/opt/venv/lib/python3.11/site-packages"):
            self.put(f"{where}/{name}-{version}.dist-info/METADATA", text)
            self.put(f"{where}/{name}-{version}.dist-info/top_level.txt", f"{name}\n")
            self.put(f"{where}/{name}-{version}.dist-info/RECORD", f"{name}/__init__.py,,\n")
            if self.r.random() < .3:  # described once more: still one installation
                self.put(f"{where}/{name}-{version}.egg-info/PKG-INFO", text)
            self.language("python", name, version, location=f"{where}/{name}", license=licence)

    def java(self, name, version, licence):
        inner = jar("org.x", name, version)
        for path in self.places(f"/opt/app/{name}-{version}.jar", f"/opt/app/{name}.war", f"/srv/lib/{name}.jar"):
            if path.endswith(".war"):  # in another archive
                self.put(path, jar("org.y", f"{name}-web", "9.9.0", (f"WEB-INF/lib/{name}.jar", inner)))
                self.language("java", f"{name}-web", "9.9.0", location=path, group="org.y")
                path += f":WEB-INF/lib/{name}.jar"
            else:
                self.put(path, inner)
            self.language("java", name, version, location=path)
        if self.r.random() < .3:  # another one's of that name and version
            path = f"/opt/app/lib/{name}.jar"
            self.put(path, jar("org.z", name, version))
            self.language("java", name, version, location=path, group="org.z")

    def go(self, name, version, licence):
        modules, go = [(MODULES + n, f"v{v}") for n, v in ((name, version), (name + "-2", "0.0.1"))], f"1.20.{LANGUAGE.index(name)}"
        for path in self.places(f"/usr/local/bin/{name}", f"/usr/bin/{name}-tool"):  # programs with the same modules
            main = f"x.example/{path.rpartition('/')[2]}"
            self.put(path, go_program(main, modules, go), 0o755)
            for n, v in [(main, "(devel)"), ("stdlib", go), *modules]:
                self.language("go", n, v, location=path)

    def language_packages(self):
        makers = [self.npm, self.npm, self.gem, self.gem, self.python, self.java, self.go]
        names = [n for n in LANGUAGE if n not in self.taken]
        for name in self.r.sample(names, min(len(names), self.r.choice([0, 3, 6, 8]))):
            self.taken.add(name)
            licence = self.r.choice([self.r.choice(LICENCES), self.r.choice(EXPRESSIONS)])
            self.r.choice(makers)(name, random_version(self.r), licence)

    def unseen(self):
        """What the analysis cannot read."""
        for path in ("/opt/app/broken.jar", "/srv/data x/broken.jar"):
            if self.r.random() < .25:
                self.put(path, b"PK\3\4 and nothing more")
        for path, name in (("/var/db/pkg/x/y/CONTENTS", "portage"), ("/snap/z/1/meta/snap.yaml", "snap")):
            if self.r.random() < .2:
                self.put(path, "x\n")
                self.unsupported.add(name)

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


def archive_size(where):
    """The bytes of an image: of the archive in pax format of what its layers leave, each member with three blocks of headers."""
    def blob(digest):
        return (where / "blobs/sha256" / digest[7:]).read_bytes()
    manifest, left = json.loads(blob(json.loads((where / "index.json").read_text())["manifests"][0]["digest"])), {}
    for layer in manifest["layers"]:
        with tarfile.open(fileobj=io.BytesIO(blob(layer["digest"]))) as tar:
            members = tar.getmembers()
        for m in members:
            head, _, name = m.name.rpartition("/")
            if name.startswith(".wh."):
                left.pop(f"{head}/{name[4:]}", None)
            else:
                left[m.name] = m.size if m.isreg() else 0
    blocks = 2 + sum(3 + -(-size // 512) for size in left.values())
    return -(-blocks * 512 // 10240) * 10240


LABELS = {"org.opencontainers.image.vendor": ["Example", "Other & Co", ""], "stage": ["prod", "test", "12"]}
KINDS = ["npm", "gem", "python", "java", "go"]
ECOSYSTEMS = {"npm": "npm", "gem": "RubyGems", "python": "PyPI", "java": "Maven", "go": "Go"}


def platform(fields):
    """As reports name it: Alpine's releases have two numbers, the others here one."""
    return fields["ID"] + ":" + ".".join(fields["VERSION_ID"].split(".")[:2 if fields["ID"] == "alpine" else 1])


def uncovered(b, feeds, group, fields):
    types = {k.type for k in b.packages if not k.os}
    out = [ECOSYSTEMS[t] for t in types if t not in feeds.languages]
    if any(k.os for k in b.packages) and group is None:
        out.append(platform(fields))
    return sorted(out)


def begin(r, feeds, number=-1):
    """The layers of an image. The first has no packages, the second each name as npm package and as gem."""
    b = Builder(r, feeds)
    b.distro = None if number == 0 else [*DISTROS][number % 4] if number < 9 else r.choice([*DISTROS, *DISTROS, None])
    release, kind, _ = DISTROS.get(b.distro, ("", "", None))
    if b.distro:
        b.put("/etc/os-release", release)
    if r.random() < .5:
        b.plain_files()
        b.end_layer()
    if b.distro:
        b.os_packages(kind)
        b.end_layer()
    if number == 1:
        for n in LANGUAGE:
            b.npm(n, random_version(r), "MIT")
            b.gem(n, random_version(r), "MIT")
            b.taken.add(n)
    elif number:
        b.language_packages()
    b.unseen()
    b.plain_files()
    if b.texts.get("/etc/app.conf") is not None and len(b.layers) and r.random() < .2 and not any(
            i.name == "etc/app.conf" for i, _ in b.entries):
        b.hide("/etc/app.conf")
    b.end_layer()
    return b


def derive(base):
    """One more layer: other packages of the distribution, more of languages, other files."""
    b = base.copy()
    if b.distro and b.r.random() < .6:
        b.packages = [k for k in b.packages if not k.os]
        b.os_packages(DISTROS[b.distro][1])
    if b.r.random() < .6:
        b.language_packages()
    b.plain_files()
    b.end_layer()
    return b


def finish(b, where):
    """The image below `where`: (SOURCE, Facts)."""
    r, (release, _, group) = b.r, DISTROS.get(b.distro, ("", "", None))
    history = [r.choice(HISTORY) for _ in b.layers] + r.sample(HISTORY, r.randint(0, 3))
    members = {"history": [{"created_by": h, **({} if i < len(b.layers) else {"empty_layer": True})}
                           for i, h in enumerate(history)]}
    labels = {n: r.choice(LABELS[n]) for n in LABELS if r.random() < .6}
    if labels:
        members["config"] = {"Labels": labels}
    layout, document = images.Layout(*b.layers, **members), images.config(b.layers, **members)
    fields = dict(line.split("=", 1) for line in release.splitlines())
    fields = {k: v.strip('"') for k, v in fields.items()}
    # as the original loads them: the distribution's by name, then kind by kind, by place
    b.packages.sort(key=lambda k: (0, k.name, k.full) if k.os else (1 + KINDS.index(k.type), k.location, k.full))
    source = layout.write(where)
    return source, Facts(
        id=images.sha(document)[7:], digest=layout.manifests[0]["digest"], files=b.files, packages=b.packages,
        findings=b.feeds.find(b.packages, group), content=b.found(CONTENT), secrets=b.found(SECRETS),
        retrieved={p: b.texts[p] for p in RETRIEVED if p in b.texts}, dockerfile=guessed(history), dockerfile_mode="Guessed",
        size=archive_size(where), layers=len(b.layers), architecture="amd64", os_type="linux",
        distro=fields.get("ID"), distro_version=fields.get("VERSION_ID"),
        like_distro=",".join(fields.get("ID_LIKE", fields.get("ID", "")).split()) or None,
        feeds={**b.feeds.packages, "covered": group is not None, "age_days": 1e-5 if group else None,
               "database_age_days": 1e-5},
        contents=b.contents, labels=labels, unsupported=sorted(b.unsupported), uncovered=uncovered(b, b.feeds, group, fields))


def make(r, feeds, where, number=-1):
    return finish(begin(r, feeds, number), where)
