"""Lets a CUDA build of PyTorch be imported on a machine without CUDA, for measurements on the CPU.

The package index carries torch for Linux only as a CUDA build. Its libraries name others of CUDA, which the
dynamic linker wants to see although no code on the CPU calls them. For each one that is missing, this builds
a library of that name in torch/lib (where torch's RPATH looks) with the symbols that torch leaves
undefined, at the versions it asks for; a call of any of them traps.
"""

import re
import subprocess
import sysconfig
import tempfile
from collections import defaultdict
from pathlib import Path

site = Path(sysconfig.get_path("purelib"))
torch_libraries = site / "torch" / "lib"
SYSTEM = re.compile(r"lib(c|m|dl|pthread|rt|stdc\+\+|gcc_s|gomp)\.so|ld-linux")
CUDA_SYMBOL = re.compile(r"(cu|nv|nccl|_{0,2}cuda)")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def survey(libraries):
    """What the libraries need (names), define and leave undefined, and which file each symbol version is of."""
    needed, defined, undefined, file_of = set(), set(), set(), {}
    for library in libraries:
        needed.update(re.findall(r"\(NEEDED\).*\[(.+?)\]", output("readelf", "-dW", library)))
        file = None
        for line in output("readelf", "-VW", library).splitlines():
            if found := re.search(r"\bFile: (\S+)", line):
                file = found[1]
            elif file and (found := re.search(r"\bName: (\S+) +Flags", line)):
                file_of[found[1]] = file
        for line in output("nm", "-D", "--with-symbol-versions", library).splitlines():
            *_, kind, symbol = line.split()
            (undefined if kind == "U" else defined).add(symbol)
    return needed, {symbol.partition("@")[0] for symbol in defined}, undefined, file_of


def build(name, symbols, versions, folder):
    """A shared library `name` with `symbols` (all unversioned) or with the symbols of each version."""
    code, script = folder / "stand_in.c", folder / "stand_in.map"
    arguments = [f"-Wl,-soname,{name}"]
    if versions:
        script.write_text("".join(f"{version} {{ global: {'; '.join(sorted(names))}; }};\n" for version, names in versions.items()))
        arguments.append(f"-Wl,--version-script={script}")
        symbols = set().union(*versions.values())
    code.write_text("".join(f"void {symbol}(void) {{ __builtin_trap(); }}\n" for symbol in sorted(symbols)))
    subprocess.run(["gcc", "-w", "-fno-builtin", "-shared", "-fPIC", "-o", torch_libraries / name, code, *arguments], check=True)


libraries = list(torch_libraries.glob("*.so"))
present = {path.name for path in [*libraries, *site.glob("nvidia/*/lib/*.so*")]}
needed, defined, undefined, file_of = survey(libraries)
versions, unversioned = defaultdict(dict), {"stand_in"}
for version, file in file_of.items():
    # A version must exist even where none of its symbols is asked for.
    versions[file][version] = {"stand_in_" + re.sub(r"\W", "_", version)}
for entry in undefined:
    symbol, _, version = entry.partition("@")
    if version in file_of:
        versions[file_of[version]][version].add(symbol)
    elif not version and symbol not in defined and CUDA_SYMBOL.match(symbol):
        unversioned.add(symbol)  # of which library is unknown, so each gets it
with tempfile.TemporaryDirectory() as folder:
    for name in sorted(needed - present):
        if not SYSTEM.match(name):
            build(name, unversioned, versions.get(name), Path(folder))
