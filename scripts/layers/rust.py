"""Just enough of Rust to tell which file uses what of which other file.

A crate is read as a tree of modules. Comments, strings and what is compiled for tests only are no
code. A path is followed through imports and re-exports to the file that defines what it names.
"""

import os
import re

TOKEN = re.compile(
    r"""
      (?P<space>\s+|//[^\n]*)
    | (?P<comment>/\*)
    | (?P<raw>b?c?r(?P<hashes>\#*)")
    | (?P<string>[bc]?"(?:[^"\\]|\\.)*")
    | (?P<char>b?'(?:[^'\\\n]|\\(?:[^u\n]|u\{[0-9a-fA-F_]*\}|x[0-9a-fA-F]{2}))')
    | (?P<lifetime>'\w+)
    | (?P<name>(?:r\#)?[^\W\d]\w*)
    | (?P<number>\d[\w.]*?(?=\.\.|[^\w.]|\.[^\d]|$))
    | (?P<mark>::|\#!?\[|=>|->|.)
    """,
    re.VERBOSE | re.DOTALL,
)
COMMENT_EDGE = re.compile(r"/\*|\*/")
ITEMS = {"fn", "struct", "enum", "union", "trait", "type", "const", "static", "mod", "macro_rules"}
OPENING, CLOSING = {"(": ")", "[": "]", "{": "}", "#[": "]", "#![": "]"}, {")", "]", "}"}


class Wrong(Exception):
    """The source is not what this reader knows of Rust."""


def tokens_of(text):
    """Names and marks, each with its line; no comments, no strings, no numbers."""
    tokens, at, line = [], 0, 1
    while at < len(text):
        match = TOKEN.match(text, at)
        kind, end = match.lastgroup, match.end()
        if kind == "hashes" or match.group("raw"):
            closing = '"' + match.group("hashes")
            end = text.find(closing, end) + len(closing)
            if end < len(closing):
                raise Wrong(f"line {line}: a raw string without an end")
        elif kind == "comment":
            depth = 1
            while depth:
                edge = COMMENT_EDGE.search(text, end)
                if not edge:
                    raise Wrong(f"line {line}: a comment without an end")
                depth += 1 if edge.group() == "/*" else -1
                end = edge.end()
        elif kind in ("name", "mark"):
            tokens.append((match.group().removeprefix("r#"), line))
        line += text.count("\n", at, end)
        at = end
    return tokens


def is_name(token):
    return re.match(r"\w", token) is not None


def closing_of(tokens, at):
    """The position of the bracket that closes the one at `at`."""
    depth = 0
    for position in range(at, len(tokens)):
        if tokens[position][0] in OPENING:
            depth += 1
        elif tokens[position][0] in CLOSING:
            depth -= 1
            if depth == 0:
                return position
    raise Wrong(f"line {tokens[at][1]}: a bracket without an end")


def is_for_tests(attribute):
    """Whether `#[cfg(…)]` or `#[test]` leaves what follows out of what users get."""
    words = [word for word, _ in attribute]
    if words == ["test"]:
        return True
    if words[:2] != ["cfg", "("] or "test" not in words:
        return False
    # `not(test)` is code for everybody, and so is `any(test, …)`.
    return not {"not", "any"} & set(words[: words.index("test")])


def end_of_item(tokens, at):
    """The end of the item, field, arm or statement that begins at `at`."""
    is_item = tokens[at][0] in ITEMS | {"pub", "impl", "use", "unsafe", "async", "extern", "let"}
    while at < len(tokens):
        word = tokens[at][0]
        if word in CLOSING:
            return at
        if word == ";" or (word == "," and not is_item):
            return at + 1
        if word in OPENING:
            at = closing_of(tokens, at)
            following = tokens[at + 1][0] if at + 1 < len(tokens) else ""
            if word == "{" and following not in (",", ";", ".", "=", "else"):
                return at + 1
        at += 1
    return at


def without_tests(tokens):
    kept, at = [], 0
    while at < len(tokens):
        if tokens[at][0] == "#![" and is_for_tests(tokens[at + 1 : closing_of(tokens, at)]):
            return []
        if tokens[at][0] != "#[":
            kept.append(tokens[at])
            at += 1
            continue
        end = closing_of(tokens, at)
        if not is_for_tests(tokens[at + 1 : end]):
            # What derives and other attributes name is no import; `path` is looked for elsewhere.
            at = end + 1
            continue
        at = end + 1
        while at < len(tokens) and tokens[at][0] == "#[":
            at = closing_of(tokens, at) + 1
        at = end_of_item(tokens, at)
    return kept


class Module:
    """A module: what it defines, what it imports, and the code in it."""

    def __init__(self, name, file, parent):
        self.name, self.file, self.parent = name, file, parent
        self.children = {}  # name: Module
        self.defined = set()
        self.imports = []  # Import
        self.code = []  # tokens that are in no `use` and in no module below
        self.words = set()

    def path(self):
        return self.parent.path() + [self.name] if self.parent else []

    def root(self):
        return self.parent.root() if self.parent else self


class Import:
    """A leaf of a `use`: a path, and the name that it has here (`*` for all, `_` for none)."""

    def __init__(self, path, alias, line, is_public):
        self.path, self.alias, self.line, self.is_public = path, alias, line, is_public


def imports_of(tokens, line, is_public):
    """The leaves of a tree like `a::{self, b::{c as d, *}}`."""

    def branch(at, prefix):
        path = list(prefix)
        while at < len(tokens):
            word = tokens[at][0]
            if word == "{":
                end = closing_of(tokens, at)
                at += 1
                while at < end:
                    at = branch(at, path)
                    if at < end and tokens[at][0] == ",":
                        at += 1
                return end + 1
            if word in (",", "}"):
                break
            if word == "as":
                leaves.append(Import(path, tokens[at + 1][0], tokens[at][1], is_public))
                return at + 2
            if word == "*":
                leaves.append(Import(path, "*", tokens[at][1], is_public))
                return at + 1
            if word not in ("::", "$"):
                path.append(word)
                where = tokens[at][1]
            at += 1
        if path[-1:] == ["self"] and len(path) > 1:
            path.pop()
        if path:
            leaves.append(Import(path, path[-1], where, is_public))
        return at

    leaves, where = [], line
    branch(0, [])
    return leaves


class Crate:
    """The tree of modules below a `lib.rs` or `main.rs`."""

    def __init__(self, root_file, others=None):
        self.others = others or {}  # crates by their names
        self.root = Module("crate", root_file, None)
        self.modules = []
        self._read_file(self.root, os.path.dirname(root_file))

    def _read_file(self, module, directory):
        try:
            with open(module.file, encoding="utf-8") as source:
                text = source.read()
            self._read(module, without_tests(tokens_of(text)), directory)
        except Wrong as wrong:
            raise Wrong(f"{module.file}: {wrong}") from None

    def _read(self, module, tokens, directory):
        """`directory` is where the modules that are declared here have their files."""
        self.modules.append(module)
        at, depth, is_public = 0, 0, False
        while at < len(tokens):
            word, line = tokens[at]
            following = tokens[at + 1][0] if at + 1 < len(tokens) else ""
            if word == "use" and following != "<":
                end = at
                while tokens[end][0] != ";":
                    end += 1
                module.imports += imports_of(tokens[at + 1 : end], line, is_public)
                at = end + 1
                is_public = False
                continue
            if word == "mod" and depth == 0 and is_name(following):
                child = Module(following, module.file, module)
                module.children[following] = child
                if tokens[at + 2][0] == "{":
                    end = closing_of(tokens, at + 2)
                    self._read(child, tokens[at + 3 : end], os.path.join(directory, following))
                else:
                    end = at + 2
                    self._read_child(child, directory, line)
                at = end + 1
                is_public = False
                continue
            if depth == 0 and word in ITEMS:
                self._define(module, tokens, at)
            if word == "pub":
                is_public = True
                if following == "(":
                    at = closing_of(tokens, at + 1)
            elif word in OPENING:
                depth += 1
            elif word in CLOSING:
                depth -= 1
            if word in (";", "{", "}"):
                is_public = False
            module.code.append((word, line))
            at += 1
        module.words = {word for word, _ in module.code}

    def _read_child(self, child, directory, line):
        for file, below in (
            (os.path.join(directory, child.name + ".rs"), os.path.join(directory, child.name)),
            (os.path.join(directory, child.name, "mod.rs"), os.path.join(directory, child.name)),
        ):
            if os.path.exists(file):
                child.file = file
                return self._read_file(child, below)
        raise Wrong(f"line {line}: no file for `mod {child.name}`")

    @staticmethod
    def _define(module, tokens, at):
        for word, _ in tokens[at + 1 : at + 5]:
            if word == "macro_rules" or word in ("!", "fn", "mut", "unsafe", "async", "extern"):
                continue
            if is_name(word):
                module.defined.add(word)
            return

    # Where paths lead.

    def find(self, module, path):
        """The module that defines what the path names, as far as this and its known crates go, and
        whether the path ends at a module; None for what is of other crates."""
        return self._find(module, path, frozenset())

    def _find(self, module, path, seen):
        head, rest = path[0], path[1:]
        if head in ("crate", "$crate"):
            return self._below(module.root(), rest, seen)
        if head == "self":
            return self._below(module, rest, seen)
        if head == "super":
            while head == "super":
                if module.parent is None:
                    raise Wrong(f"{module.file}: `super` of the root")
                module = module.parent
                head, rest = (rest[0], rest[1:]) if rest and rest[0] == "super" else ("", rest)
            return self._below(module, rest, seen)
        if head in module.children:
            return self._below(module.children[head], rest, seen)
        if head in module.defined:
            return module, False
        by_name = self._by_import(module, head, rest, seen)
        if by_name:
            return by_name
        if head in self.others:
            other = self.others[head]
            return other._below(other.root, rest, seen)
        return None

    def _below(self, module, path, seen):
        if not path:
            return module, True
        head, rest = path[0], path[1:]
        if head in module.children:
            return self._below(module.children[head], rest, seen)
        if head in module.defined:
            return module, False
        # A name that a macro makes is of the module that it is looked for in.
        return self._by_import(module, head, rest, seen) or (module, False)

    def _by_import(self, module, name, rest, seen):
        if (module, name) in seen:
            return None
        seen = seen | {(module, name)}
        for known in module.imports:
            if known.alias == name:
                if known.path == [name]:
                    continue
                return self._find(module, known.path + rest, seen)
        for known in module.imports:
            if known.alias == "*":
                found = self._find(module, known.path, seen)
                if found and found[1] and self._has(found[0], name, seen):
                    return self._below(found[0], [name] + rest, seen)
        return None

    def _has(self, module, name, seen):
        return (
            name in module.children
            or name in module.defined
            or any(known.alias == name for known in module.imports)
            or self._by_import(module, name, [], seen) is not None
        )

    # What a module uses.

    def uses_of(self, module):
        """Yields (line, path as written, module that defines what is used)."""
        for known in module.imports:
            if known.alias == "*":
                yield from self._uses_of_all(module, known)
                continue
            # A name that is only handed on is not used here.
            if known.is_public and known.alias not in module.words:
                continue
            found = self.find(module, known.path)
            # A module that is imported is used where something in it is named.
            if found and not found[1]:
                yield known.line, "::".join(known.path), found[0]
        yield from self._paths_in_code(module)

    def _uses_of_all(self, module, known):
        found = self.find(module, known.path)
        if not found:
            return
        source, is_module = found
        if not is_module:  # the variants of an enum
            yield known.line, "::".join(known.path), source
            return
        names = set(source.defined) | {it.alias for it in source.imports} - {"*", "_"}
        for name in sorted(names & module.words - module.defined):
            at = self._below(source, [name], frozenset())
            if not at[1]:
                yield known.line, "::".join(known.path + [name]), at[0]

    def _paths_in_code(self, module):
        code, at = module.code, 0

        def goes_on(at):
            return at + 2 < len(code) and code[at + 1][0] == "::" and is_name(code[at + 2][0])

        while at < len(code):
            word, line = code[at]
            if not (is_name(word) and goes_on(at)) or (at and code[at - 1][0] in ("::", ".")):
                at += 1
                continue
            path = [word]
            while goes_on(at):
                at += 2
                path.append(code[at][0])
            at += 1
            # `Type::method` of a type that was imported was counted there.
            if word not in ("crate", "self", "super", *self.others):
                if not self._names_a_module(module, word):
                    continue
            found = self.find(module, path)
            if found and not found[1]:
                yield line, "::".join(path), found[0]

    def _names_a_module(self, module, name):
        found = self.find(module, [name])
        return bool(found and found[1])
