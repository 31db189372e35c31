"""The history of feeds' repositories, a step each week, for `script/bench history` (tests/bench/history.c).

    history.py KELLET DIR WEEKS REPOSITORY[:FOLDER]...

A REPOSITORY is a git directory (or a work tree) of OSV records; FOLDER is where they lie in it (looked for when it is not
given). The histories end together: a step is so many weeks before the last commit of each, and its time is that of the
newest commit that it has, counted from the end of the first one's. Written: DIR/steps.tsv (number, time), DIR/step/N/vulndb
(loaded by `kellet feeds load osv`), DIR/packages.tsv: names and versions that any record of the two years speaks of
(type, name, version), with neighbours of the versions where a range begins or ends.
"""
import io, json, pathlib, re, subprocess, sys, tarfile, time

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
FOLDERS = ("data/osv", "vulns", "advisories", "osv")
TYPES = {"Go": "go-module", "PyPI": "python"}
WEEK = 7 * 86400
SOURCE = re.compile(r"[^a-z0-9]+")


class Repository:
    def __init__(self, text):
        path, _, folder = text.partition(":")
        self.git = ["git", "-C", path]
        self.folder = folder or next((f for f in FOLDERS if self.tree("HEAD", f)), None)
        if not self.folder:
            sys.exit(f"{path}: none of the folders {', '.join(FOLDERS)} is there: REPOSITORY:FOLDER names one")
        parts = [p for p in pathlib.Path(path).parts if p not in ("repo", ".git")]
        self.name = SOURCE.sub("-", parts[-1].lower())
        self.end = int(self.run("log", "-1", "--format=%ct").split()[0])
        self.blobs = {}

    def run(self, *args):
        return subprocess.run([*self.git, *args], check=True, stdout=subprocess.PIPE).stdout.decode()

    def tree(self, commit, folder):
        """{path: blob}"""
        lines = self.run("ls-tree", "-r", "-z", commit, "--", folder).split("\0")
        return {line.split("\t", 1)[1]: line.split()[2] for line in lines if "\t" in line and line.endswith((".json", ".yaml", ".yml"))}

    def commit_at(self, when):
        """(commit, its time): the newest that is not later."""
        found = self.run("log", "-1", f"--until={when}", "--format=%H %ct").split()
        return (found[0], int(found[1])) if found else (None, 0)

    def read(self, ids):
        wanted = sorted(set(ids) - set(self.blobs))
        answer = subprocess.run([*self.git, "cat-file", "--batch"], input="\n".join(wanted).encode() + b"\n", check=True,
                                stdout=subprocess.PIPE).stdout if wanted else b""
        at = 0
        for blob in wanted:
            end = answer.index(b"\n", at)
            head = answer[at:end].split()
            if head[1] != b"blob":
                sys.exit(f"{self.name}: {blob} is {head[1].decode()} in this copy of the repository")
            at = end + 1 + int(head[2]) + 1
            self.blobs[blob] = answer[end + 1:at - 1]

    def write(self, tree, path):
        self.read(tree.values())
        with tarfile.open(path, "w") as tar:
            for name, blob in sorted(tree.items()):
                info = tarfile.TarInfo(name)
                info.size = len(self.blobs[blob])
                tar.addfile(info, io.BytesIO(self.blobs[blob]))


def neighbours(version):
    """The versions beside one: its last number more and less."""
    found = list(re.finditer(r"\d+", version))
    if not found or len(found[-1].group()) > 6:
        return
    last, number = found[-1], int(found[-1].group())
    for n in (number - 1, number + 1):
        if n >= 0:
            yield version[:last.start()] + str(n) + version[last.end():]


def packages_of(record, out):
    for affected in record.get("affected") or []:
        package = affected.get("package") or {}
        kind = TYPES.get(package.get("ecosystem"))
        if not kind or not package.get("name"):
            continue
        versions = set(affected.get("versions") or [])
        for span in affected.get("ranges") or []:
            for event in span.get("events") or []:
                for what, version in event.items():
                    if span.get("type") == "GIT" or what == "limit" or version == "0":
                        continue
                    versions.update((version, *neighbours(version)))
        prefix = "v" if kind == "go-module" and package["name"] not in ("stdlib", "toolchain") else ""
        out.update((kind, package["name"], prefix + str(v)) for v in versions if not re.search(r"\s", str(v)))


def write_packages(repositories, path):
    packages = set()
    for repository in repositories:
        for blob in repository.blobs.values():
            record = json.loads(blob) if blob.lstrip()[:1] == b"{" else yaml.load(blob, LOADER)
            packages_of(record, packages)
    path.write_text("".join("\t".join(p) + "\n" for p in sorted(packages)))
    return len(packages)


def main():
    kellet, work, weeks = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
    begun, steps, last = time.monotonic(), [], None
    repositories = [Repository(a) for a in sys.argv[4:]]
    for back in range(weeks, -1, -1):
        found = [(r, *r.commit_at(r.end - back * WEEK)) for r in repositories]
        if last == [f[1] for f in found] or not all(f[1] for f in found):
            continue
        last = [f[1] for f in found]
        at = max(when + repositories[0].end - r.end for r, _, when in found)
        data = work / f"step/{len(steps)}"
        data.mkdir(parents=True, exist_ok=True)
        for repository, commit, _ in found:
            archive = work / f"{repository.name}.tar"
            repository.write(repository.tree(commit, repository.folder), archive)
            subprocess.run([kellet, "feeds", "load", "-q", "--data", data, "osv", "--as", repository.name, archive], check=True)
            archive.unlink()
        steps.append(at)
    (work / "steps.tsv").write_text("".join(f"{i}\t{at}\n" for i, at in enumerate(steps)))
    n = write_packages(repositories, work / "packages.tsv")
    for r in repositories:
        print(f"{r.name}: {len(r.blobs)} versions of records in {r.folder}, to {time.strftime('%Y-%m-%d', time.gmtime(r.end))}")
    print(f"{len(steps)} steps, {n} names and versions: {time.monotonic() - begun:.0f} s")


main()
