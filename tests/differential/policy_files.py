"""Files of packages, made by hand: jars, Go programs, rpm headers with lists of files."""
import io
import struct
import zipfile

GO_START, GO_END = (bytes.fromhex(x) for x in ("3077af0c9274080241e1c107e6d618e6", "f932433186182072008242104116d8f2"))
# of rpm's headers: kind of a value, alignment, form of one
RPM_KINDS = {3: (2, "H"), 4: (4, "I")}
NAME, VERSION, RELEASE, SIZES, MODES, DIGESTS, FLAGS = 1000, 1001, 1002, 1028, 1030, 1035, 1037
LICENSE, ARCH, SOURCE, DIR_INDEXES, BASE_NAMES, DIR_NAMES, DIGEST_KIND = 1014, 1022, 1044, 1116, 1117, 1118, 5011


def jar(group, name, version, *more):
    """A jar that says what it is; more: (path, content)."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as z:
        for path, content in (("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\n\r\n"),
                              (f"META-INF/maven/{group}/{name}/pom.properties",
                               f"groupId={group}\nartifactId={name}\nversion={version}\n"), *more):
            z.writestr(zipfile.ZipInfo(path), content)
    return raw.getvalue()


def varint(n):
    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)


def go_program(main, modules, go="1.20.3"):
    """An ELF file with one writable segment, which is Go's build information (1.18 and later) and nothing else."""
    text = f"path\t{main}\nmod\t{main}\t(devel)\t\n" + "".join(f"dep\t{n}\t{v}\th1:x=\n" for n, v in modules)
    strings = [f"go{go}".encode(), GO_START + text.encode() + GO_END]
    info = b"\xff Go buildinf:\x08\x02".ljust(32, b"\0") + b"".join(varint(len(s)) + s for s in strings)
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 2, 62, 1, 0x401000, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 6, 0x1000, 0x401000, 0x401000, len(info), len(info), 0x1000)
    return (head + segment).ljust(0x1000, b"\0") + info


def rpm_header(values):
    """{tag: text, list of texts, or (kind, numbers)} as rpm keeps it in its database."""
    index, store = b"", b""
    for tag, value in values.items():
        if isinstance(value, str):
            kind, n, raw, align = 6, 1, value.encode() + b"\0", 1
        elif isinstance(value, list):
            kind, n, raw, align = 8, len(value), b"".join(x.encode() + b"\0" for x in value), 1
        else:
            kind, n, align = value[0], len(value[1]), RPM_KINDS[value[0]][0]
            raw = struct.pack(f">{n}{RPM_KINDS[kind][1]}", *value[1])
        store += b"\0" * (-len(store) % align)
        index += struct.pack(">IIII", tag, kind, len(store), n)
        store += raw
    return struct.pack(">II", len(values), len(store)) + index + store


def rpm_package(k):
    """The header of a package of the model; its files with their digests, modes, sizes and flags."""
    head = {NAME: k.name, VERSION: k.version, RELEASE: k.full[len(k.version) + 1:], LICENSE: k.license, ARCH: "x86_64",
            SOURCE: f"{k.source}-{k.full}.src.rpm"}
    if k.manifest:
        folders = sorted({e["path"].rpartition("/")[0] + "/" for e in k.manifest})
        head.update({
            SIZES: (4, [e["size"] for e in k.manifest]), MODES: (3, [0o100000 | e["mode"] for e in k.manifest]),
            DIGESTS: [e["digest"] for e in k.manifest], FLAGS: (4, [int(e["config"]) for e in k.manifest]),
            DIR_INDEXES: (4, [folders.index(e["path"].rpartition("/")[0] + "/") for e in k.manifest]),
            BASE_NAMES: [e["path"].rpartition("/")[2] for e in k.manifest], DIR_NAMES: folders, DIGEST_KIND: (4, [8])})
    return rpm_header(dict(sorted(head.items())))
