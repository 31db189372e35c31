"""Pairs with a tab on standard input; the order by libalpm's alpm_pkg_vercmp."""

import ctypes
import sys

vercmp = ctypes.CDLL("libalpm.so.13").alpm_pkg_vercmp
vercmp.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
for line in sys.stdin.buffer.read().split(b"\n")[:-1]:
    order = vercmp(*line.split(b"\t"))
    print("<" if order < 0 else ">" if order > 0 else "=")
