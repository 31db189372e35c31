"""Pairs with a tab on standard input; the order by rpm.labelCompare. Argument: evr or part."""

import sys

import rpm


def split(text):
    epoch, colon, rest = text.partition(":")
    if not colon or not (epoch == "" or (epoch.isascii() and epoch.isdigit())):
        epoch, rest = "0", text
    version, dash, release = rest.rpartition("-")
    return (epoch or "0", version, release) if dash else (epoch or "0", rest, None)


for line in sys.stdin.buffer.read().decode().split("\n")[:-1]:
    a, b = line.split("\t")
    try:
        if sys.argv[1] == "evr":
            order = rpm.labelCompare(split(a), split(b))
        else:
            order = rpm.labelCompare(("0", a, None), ("0", b, None))
        print("<=>"[order + 1])
    except ValueError:
        print("?")
