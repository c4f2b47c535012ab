#!/usr/bin/env python3
"""Finds circles of imports among the source files of each crate of this workspace.

    scripts/circles.py                      # every crate; exit status 1 where there is a circle

A file imports another where its code names an item that the other defines: in a `use` declaration, or in a path such as
`crate::decode::Header`, `super::Affine` or `decode::Header`. A name is followed through every re-export to the file
that defines it, so a `mod.rs` that only hands on the names of its children is in no circle. What `#[cfg(test)]` stands
before does not count, and neither do `mod` declarations, methods (they are found by type) and other crates.
"""

import argparse
import re
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
      | (?P<comment>/\*)
      | (?P<string>b?"(?:[^"\\]|\\.)*")
      | (?P<raw>b?r(?P<hashes>\#*)".*?"(?P=hashes))
      | (?P<char>b?'(?:[^'\\]|\\[^u]|\\u\{[^}]*\}|\\x..)')
      | (?P<lifetime>'\w+)
      | (?P<word>(?:r\#)?[A-Za-z_]\w*)
      | (?P<number>\d\w*)
      | (?P<path>::)
      | (?P<mark>.)""",
    re.VERBOSE | re.DOTALL,
)
OPEN, CLOSE = {"(", "[", "{"}, {")", "]", "}"}
# Words before the name of an item; `const fn` and the like are passed over by themselves.
DEFINES = {"fn", "struct", "enum", "union", "trait", "type", "const", "static"}
ENDS_WITH_SEMICOLON = {"use", "static", "type", "let", "const"}


def tokens_of(text):
    """The tokens of Rust source that are not space or comment."""
    found, at = [], 0
    while at < len(text):
        match = TOKEN.match(text, at)
        at = match.end()
        if match.lastgroup == "comment":
            depth = 1
            while depth and at < len(text):
                step = {"/*": 1, "*/": -1}.get(text[at : at + 2], 0)
                depth, at = depth + step, at + (2 if step else 1)
        elif match["space"] is None and match["lifetime"] is None:
            found.append(match[0].removeprefix("r#") if match["word"] else match[0])
    return found


def is_word(token):
    return token[0].isalpha() or token[0] == "_"


class Module:
    """A module: what it defines, what it imports, and the paths in its code."""

    def __init__(self, path, parent=None):
        self.path, self.parent = path, parent
        self.root = parent.root if parent else self
        self.children, self.definitions, self.imports = {}, set(), {}
        self.globs, self.paths, self.words = [], [], set()

    def everything(self):
        yield self
        for child in self.children.values():
            yield from child.everything()


class Reader:
    """Reads the tokens of one file into a module."""

    def __init__(self, path):
        self.path, self.tokens, self.at = path, tokens_of(path.read_text()), 0

    def token(self, ahead=0):
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else ""

    def module(self, module, folder):
        """Reads up to the brace that closes the module, or to the end. `folder` holds the files of its children."""
        depth, path_of_next = 0, None
        while self.at < len(self.tokens):
            token = self.token()
            if token == "#" and self.token(1) in {"[", "!"}:
                attribute = self.attribute()
                if is_test(attribute):
                    self.skip_item()
                elif attribute[:2] == ["path", "="]:
                    path_of_next = attribute[2].strip('"')
                continue
            if token in {"{", "}"}:
                depth += 1 if token == "{" else -1
                self.at += 1
                if depth < 0:
                    return
            elif token == "use" and self.token(1) != "<":
                self.at += 1
                self.use(module, [])
            elif token == "mod" and is_word(self.token(1)) and self.token(2) in {";", "{"}:
                self.child(module, folder, path_of_next)
                path_of_next = None
            else:
                if depth == 0 and token in DEFINES and is_word(self.token(1)) and self.token(1) not in DEFINES:
                    name = self.token(2) if self.token(1) == "mut" else self.token(1)
                    module.definitions.add(name)
                if token == "macro_rules" and self.token(1) == "!":
                    module.definitions.add(self.token(2))
                self.path_or_word(module)

    def attribute(self):
        self.at += 2 if self.token(1) == "!" else 1
        return self.group()[1:-1]

    def group(self):
        """The tokens from an opening bracket to its closing one."""
        start, depth = self.at, 0
        while self.at < len(self.tokens):
            depth += (self.token() in OPEN) - (self.token() in CLOSE)
            self.at += 1
            if depth == 0:
                break
        return self.tokens[start : self.at]

    def skip_item(self):
        while self.token() == "#":
            self.attribute()
        while self.token() == "pub":
            self.at += 1
            if self.token() == "(":
                self.group()
        to_semicolon = self.token() in ENDS_WITH_SEMICOLON and self.token(1) != "fn"
        while self.at < len(self.tokens) and self.token() not in CLOSE:
            opened = self.token()
            if opened in OPEN:
                self.group()
                if opened == "{" and not to_semicolon:
                    return
            else:
                self.at += 1
                if opened == ";":
                    return

    def child(self, module, folder, path):
        name = self.token(1)
        declared = self.token(2) == ";"
        self.at += 3
        if not declared:
            inner = Module(module.path, module)
            module.children[name] = inner
            return self.module(inner, folder / name)
        files = [module.path.parent / path] if path else [folder / f"{name}.rs", folder / name / "mod.rs"]
        for file in files:
            if file.is_file():
                inner = Module(file, module)
                module.children[name] = inner
                Reader(file).module(inner, file.parent if file.name == "mod.rs" or path else folder / name)

    def use(self, module, before):
        """Reads a tree of imports that begins with the names `before`."""
        names = list(before)
        while self.at < len(self.tokens):
            token = self.token()
            self.at += 1
            if token == "{":
                while self.token() != "}":
                    self.use(module, names)
                    if self.token() == ",":
                        self.at += 1
                self.at += 1
                names = None
            elif token == "*":
                module.globs.append(names)
                names = None
            elif is_word(token) and token != "as":
                names.append(token)
            elif token == "as":
                self.end_of_import(module, names, self.token())
                self.at += 1
                names = None
            if self.token() in {",", "}", ";"}:
                break
        if names:
            self.end_of_import(module, names, None)

    @staticmethod
    def end_of_import(module, names, alias):
        if names[-1] == "self" and len(names) > 1:
            names = names[:-1]
        module.imports.setdefault(alias or names[-1], []).append(names)

    def path_or_word(self, module):
        names = [self.token()]
        self.at += 1
        if not is_word(names[0]):
            return
        while self.token() == "::" and self.token(1) and is_word(self.token(1)):
            names.append(self.token(1))
            self.at += 2
        module.words.add(names[0])
        if len(names) > 1:
            module.paths.append(names)


def is_test(attribute):
    """Whether `#[attribute]` leaves its item to test builds: `test`, or `cfg` of it but for `not(test)`."""
    if attribute == ["test"]:
        return True
    inside = [i for i, token in enumerate(attribute) if token == "test"]
    return attribute[:1] == ["cfg"] and any(attribute[i - 2 : i] != ["not", "("] for i in inside)


class Names:
    """Finds the definitions that names stand for, within one crate."""

    def __init__(self):
        self.under_way = set()

    def resolve(self, module, names):
        """What a path in the code of `module` names: a module, (file, item), or None where it is another crate's."""
        here, inside = module, False
        for place, name in enumerate(names):
            if name in {"crate", "self", "super"}:
                here, inside = {"crate": here.root, "self": here, "super": here.parent}[name], True
                continue
            last = place == len(names) - 1
            found = self.look_up(here, name, wants_module=not last)
            if found is None:
                # An item that a macro makes is taken to lie in the module's own file.
                return (here.path, name) if inside else None
            if not isinstance(found, Module):
                return found
            here, inside = found, True
        return here

    def look_up(self, module, name, wants_module):
        key = (module, name, wants_module)
        if key in self.under_way:
            return None
        self.under_way.add(key)
        try:
            found = list(self.candidates(module, name, wants_module))
        finally:
            self.under_way.remove(key)
        # A module and a function of it are often handed on by one name.
        return next((one for one in found if isinstance(one, Module) == wants_module), next(iter(found), None))

    def candidates(self, module, name, wants_module):
        if name in module.children:
            yield module.children[name]
        if name in module.definitions:
            yield module.path, name
        for path in module.imports.get(name, []):
            found = self.resolve(module, path)
            if found is not None:
                yield found
        for path in module.globs:
            target = self.resolve(module, path)
            if isinstance(target, Module):
                found = self.look_up(target, name, wants_module)
                if found is not None:
                    yield found


def imports_of(root):
    """The imports among the files below the module `root`: file -> file -> names."""
    names, imports = Names(), defaultdict(lambda: defaultdict(set))
    for module in root.everything():
        paths = [path for leaves in module.imports.values() for path in leaves] + module.paths
        if module.globs:
            paths += [[word] for word in module.words]
        for path in paths:
            found = names.resolve(module, path)
            if found is not None and not isinstance(found, Module) and found[0] != module.path:
                imports[module.path][found[0]].add(found[1])
    return imports


def circles_of(imports):
    """The sets of files that import each other, one after the other, from the largest on."""

    def reached(start):
        seen, next_ones = set(), [start]
        while next_ones:
            for file in imports.get(next_ones.pop(), ()):
                if file not in seen:
                    seen.add(file)
                    next_ones.append(file)
        return seen

    below = {file: reached(file) for file in list(imports)}
    circles = {frozenset(f for f in seen if file in below.get(f, ())) for file, seen in below.items() if file in seen}
    return sorted(circles, key=lambda circle: (-len(circle), sorted(circle)))


def crates_of(workspace):
    """The folders of the workspace's crates."""
    manifest = tomllib.loads((workspace / "Cargo.toml").read_text())
    return [folder for member in manifest["workspace"]["members"] for folder in sorted(workspace.glob(member))]


def report(crate, workspace):
    """The circles of a crate, in words."""
    lines = []
    for start in [crate / "src/lib.rs", crate / "src/main.rs"]:
        if not start.is_file():
            continue
        root = Module(start)
        Reader(start).module(root, start.parent)
        imports = imports_of(root)
        for circle in circles_of(imports):
            lines.append(f"{crate.name}: {len(circle)} files import each other")
            for file in sorted(circle):
                for other in sorted(circle & imports[file].keys()):
                    names = ", ".join(sorted(imports[file][other]))
                    lines.append(f"  {file.relative_to(workspace)} -> {other.relative_to(workspace)}: {names}")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workspace", type=Path, default=Path(__file__).resolve().parent.parent)
    arguments = parser.parse_args()
    crates = list(crates_of(arguments.workspace))
    lines = [line for crate in crates for line in report(crate, arguments.workspace)]
    print("\n".join(lines) if lines else f"no circles of imports in {', '.join(crate.name for crate in crates)}")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
