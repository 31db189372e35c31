"""What the model of policies (policy_model.py, policy_own.py) rests on: facts of an image, and Python's own ways, which are
those of the original.

Facts are plain data; policy_images.py makes them together with the image.
"""
import datetime
import re
from dataclasses import dataclass, field

ORDER = {"stop": -1, "warn": 0, "go": 1}
SEVERITIES = ["unknown", "negligible", "low", "medium", "high", "critical"]
NON_OS = {"java", "python", "npm", "gem", "maven", "js", "composer", "nuget", "binary", "go"}
ENDED = {
    "suiddiff": ["suiddiff", "suidfileadd", "suidfiledel", "suidmodediff"], "imagecheck": ["baseoutofdate"],
    "pkgdiff": ["pkgversiondiff", "pkgadd", "pkgdel", "pkgdiff"],
    "anchoresec": ["vulnlow", "vulnmedium", "vulnhigh", "vulncritical", "vulnunknown", "feedoutofdate",
                   "unsupporteddistro"],
    "pkgcheck": ["pkgnotpresent", "verify"],
    "dockerfilecheck": ["directivecheck", "effectiveuser", "expose", "nofrom", "fromscratch", "notag", "sudo",
                        "volumepresent", "nohealthcheck", "nodockerfile"],
    "filecheck": ["contentmatch", "filenamematch", "suidsgidcheck"],
    "fileparse_passwd": ["filenotstored", "usernamematch", "useridmatch", "groupidmatch", "shellmatch", "pentrymatch"],
    "gemcheck": ["gemnotlatest", "gemnotofficial", "gembadversion", "gempkgfullmatch", "gempkgnamematch", "gemnofeed"],
    "metadatacheck": ["attributecheck"], "licblacklist": ["licfullmatch", "licsubmatch"],
    "npmcheck": ["npmnotlatest", "npmnotofficial", "npmbadversion", "npmpkgfullmatch", "npmpkgnamematch", "npmnofeed"],
    "pkgblacklist": ["pkgfullmatch", "pkgnamematch"], "secretcheck": ["contentmatch", "filenamematch"]}


class Failed(Exception):
    """The rule cannot be judged."""


@dataclass
class Package:
    name: str
    version: str  # without release
    type: str  # as shown: APKG, dpkg, rpm, npm, gem, python, java
    full: str = ""  # with release
    location: str = ""
    license: str = ""  # as the API shows it
    expression: str = ""  # as stated, where that is another
    source: str = ""
    purl: str = ""  # without qualifiers
    # of the package database: {path, mode (or None), algorithm, digest, size (0: not stated), config}
    manifest: list = field(default_factory=list)

    def __post_init__(self):
        self.full = self.full or self.version
        self.source = self.source or self.name
        self.location = self.location or "pkgdb"

    @property
    def os(self):
        return self.type.lower() not in NON_OS


@dataclass
class Finding:
    id: str
    package: Package
    severity: str
    link: str
    fixes: list
    will_not_fix: bool = False
    nvd: dict = field(default_factory=lambda: {"base": -1.0, "exploitability": -1.0, "impact": -1.0})
    vendor: dict = field(default_factory=lambda: {"base": -1.0, "exploitability": -1.0, "impact": -1.0})
    aliases: list = field(default_factory=list)
    kev: bool = False
    epss: float = -1.0
    percentile: float = -1.0
    vex: str = ""  # OpenVEX's word


@dataclass
class Said:
    """A row: its text, its id (None: the MD5), and what it is about, which items of allowlists may name."""
    message: str
    id: str = None
    finding: Finding = None
    package: Package = None
    path: str = None


def about(k, message):
    return Said(message, None, None, k, k.location)


def at(path, message, id=None):
    return Said(message, id, path=path)


@dataclass
class Facts:
    id: str
    digest: str
    files: dict  # path -> st_mode, sha256 (None where it is no regular file)
    packages: list
    findings: list
    content: list  # (path, "NAME=regex") found by content search
    secrets: list
    retrieved: dict  # path -> text
    dockerfile: str
    dockerfile_mode: str
    size: int
    layers: int
    architecture: str
    os_type: str
    distro: str
    distro_version: str
    like_distro: str
    feeds: dict  # "npm": {name: {latest, versions}} or None, "gem", "covered": bool, "age_days": float or None
    contents: dict = field(default_factory=dict)  # path -> bytes of regular files
    labels: dict = field(default_factory=dict)
    annotations: dict = field(default_factory=dict)
    gaps: list = field(default_factory=list)  # (what, path, detail): what the analysis could not read
    unsupported: list = field(default_factory=list)
    uncovered: list = field(default_factory=list)
    digests_known: bool = True  # the analysis computed MD5 and SHA-1 of files
    malware: list = None  # (scanner, path, signature); None: no scanner ran
    ancestors: list = field(default_factory=list)  # (digest, [tag]), nearest first
    before: list = None  # packages of the image that the tag named before; None: there was none


# ---- Python's own ways

def match(pattern, text):
    try:
        return re.match(pattern, text) is not None
    except re.error as e:
        raise Failed(str(e)) from e


def wildcard(pattern, text):
    if pattern.strip().startswith("regexp:"):
        return match(pattern.strip()[len("regexp:"):], text)
    return re.match("^" + "(.*)".join(map(re.escape, pattern.split("*"))) + "$", text) is not None


def csv(value):
    return [x.strip() for x in value.strip().split(",")]


def number(value):
    try:
        return float(value)
    except ValueError as e:
        raise Failed(str(e)) from e


def compare(op, a, b):
    return {"=": a == b, "!=": a != b, "<": a < b, ">": a > b, "<=": a <= b, ">=": a >= b}[op]


def version_key(text):
    return [int(x) for x in re.findall(r"\d+", text)]


def expired(item):
    text = item.get("expires_on")
    if not text:
        return False
    when = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return datetime.datetime.now(datetime.timezone.utc) >= when
