"""The check against small trees: what it must find, and what it must let pass."""

import os
import tempfile

import check
import rust

# Each: what it is about, the files of a crate, and what is found, each a part of a line, in order.
CASES = [
    (
        "an import up",
        {
            "lib.rs": "mod host; mod network;",
            "host.rs": "pub(crate) struct Mac;",
            "network.rs": "\nuse crate::host::Mac;",
        },
        ["network.rs:2: crate::host::Mac (host.rs): network may not use host"],
    ),
    (
        "an import down",
        {
            "lib.rs": "mod host; mod network;",
            "host.rs": "use crate::network::Link;",
            "network.rs": "pub(crate) struct Link;",
        },
        [],
    ),
    (
        "a path up in the code, without an import",
        {
            "lib.rs": "mod host; mod wire;",
            "host.rs": "pub(crate) fn mac() {}",
            "wire.rs": "fn f() {\n    crate::host::mac()\n}",
        },
        ["wire.rs:2: crate::host::mac (host.rs): wire may not use host"],
    ),
    (
        "a path up through `super`, in a group and over several lines",
        {
            "lib.rs": "mod net; mod wire;",
            "net/mod.rs": "pub(crate) mod tcp;",
            "net/tcp.rs": "pub(crate) struct Stream; pub(crate) const N: u8 = 0;",
            "wire/mod.rs": "mod arp;",
            "wire/arp.rs": "use super::super::{\n    net::{\n        tcp::{self, Stream as S}\n    }\n};\nconst M: u8 = tcp::N;",
        },
        [
            "wire/arp.rs:3: super::super::net::tcp::Stream (net/tcp.rs): wire may not use net",
            "wire/arp.rs:6: tcp::N (net/tcp.rs): wire may not use net",
        ],
    ),
    (
        "an import up through a name that the root hands on",
        {
            "lib.rs": "mod net; mod world; pub use world::Sim;",
            "world/mod.rs": "mod sim; pub use sim::Sim;",
            "world/sim.rs": "pub struct Sim;",
            "net.rs": "use crate::Sim;",
        },
        ["net.rs:1: crate::Sim (world/sim.rs): net may not use world"],
    ),
    (
        "comments, documentation, strings and characters are no code",
        {
            "lib.rs": "mod net; mod wire;",
            "net.rs": "pub fn f() {}",
            "wire.rs": """//! use crate::net::f;
/// [`crate::net::f`] and ```use crate::net::f;```
/* crate::net::f(); /* nested */ crate::net::f() */
#[doc = "crate::net::f"]
fn g<'a>(s: &'a str) -> char {
    let _ = ("crate::net::f", r#"" crate::net::f() "#, b"\\"crate::net::f", '"', '\\'', '{');
    'x' // crate::net::f()
}
""",
        },
        [],
    ),
    (
        "an import behind a lifetime, a quote, a range and a raw string",
        {
            "lib.rs": "mod net; mod wire;",
            "net.rs": "pub fn f() {}",
            "wire.rs": """fn g<'a>(s: &'a str) { ('"', r##"a "# b"##, 0..9, 1.5e3); }
fn h() { crate::net::f() }
""",
        },
        ["wire.rs:2: crate::net::f (net.rs): wire may not use net"],
    ),
    (
        "an import between characters that would begin strings or end bodies elsewhere",
        {
            "lib.rs": "mod net; mod wire;",
            "net.rs": "pub fn f() {} pub fn g() {}",
            "wire.rs": """fn a(c: char) -> bool { c == '"' }
fn b() { crate::net::f() }
fn c(c: char) -> bool { c == '}' || c == '\\'' || c == '\\u{7d}' }
mod d { use super::super::net::g; }
""",
        },
        [
            "wire.rs:2: crate::net::f (net.rs): wire may not use net",
            "wire.rs:4: super::super::net::g (net.rs): wire may not use net",
        ],
    ),
    (
        "what is compiled for tests only, beside what is not",
        {
            "lib.rs": "mod net; mod wire;",
            "net.rs": "pub fn f() {}",
            "wire/mod.rs": """#[cfg(test)]
mod tests;
#[cfg(test)]
use crate::net::f;
#[cfg(all(test, unix))]
#[allow(dead_code)]
fn only_then() { if f() { return } else { crate::net::f() } }
struct S { #[cfg(test)] a: crate::net::A, #[cfg(test)] b: [crate::net::B; 2], c: u8 }
#[cfg(test)]
mod more { use crate::net::f; }
#[cfg(not(test))]
fn for_all() { crate::net::f() }
""",
            "wire/tests.rs": "use crate::net::f; mod below;",
            "wire/tests/below.rs": "use crate::net::f;",
        },
        ["wire/mod.rs:12: crate::net::f (net.rs): wire may not use net"],
    ),
    (
        "a circle of three files, with the circle that is shortest",
        {
            "lib.rs": "mod host;",
            "host/mod.rs": "mod a; mod b; mod c; mod d;",
            "host/a.rs": "use super::b::B; pub(super) struct A;",
            "host/b.rs": "use super::c::C; use super::d::D; pub(super) struct B;",
            "host/c.rs": "use super::a::A; pub(super) struct C;",
            "host/d.rs": "pub(super) struct D;",
        },
        ["3 files use each other in a circle: host/a.rs, host/b.rs, host/c.rs"],
    ),
    (
        "a child that uses its parent's type, and a parent that only declares and hands on",
        {
            "lib.rs": "mod host;",
            "host/mod.rs": "mod child; pub(crate) use child::{Child, more as less}; pub(crate) struct Id;",
            "host/child.rs": "use super::Id; pub(crate) struct Child; pub(crate) fn more(_: Id) {}",
        },
        [],
    ),
    (
        "a child that uses its parent's type, and a parent that uses the child's function",
        {
            "lib.rs": "mod host;",
            "host/mod.rs": "mod child; pub(crate) struct Id; fn f() { child::more(Id) }",
            "host/child.rs": "use super::Id; pub(crate) fn more(_: Id) {}",
        },
        ["2 files use each other in a circle: host/child.rs, host/mod.rs"],
    ),
    (
        "a parent that hands on a name and uses it, too",
        {
            "lib.rs": "mod host;",
            "host/mod.rs": "mod child; pub use child::Child; pub struct Id; struct Host { child: Child }",
            "host/child.rs": "use super::Id; pub struct Child(Id);",
        },
        ["2 files use each other in a circle: host/child.rs, host/mod.rs"],
    ),
    (
        "children of one parent that meet through the parent's names",
        {
            "lib.rs": "mod host;",
            "host/mod.rs": "mod a; mod b; use a::A; use b::B; struct Host(A, B);",
            "host/a.rs": "use super::B; pub(super) struct A;",
            "host/b.rs": "use super::*; pub(super) struct B(Option<A>);",
        },
        ["2 files use each other in a circle: host/a.rs, host/b.rs"],
    ),
    (
        "all of a module: only what is named is used",
        {
            "lib.rs": "mod host; mod wire;",
            "host.rs": "use crate::wire::*; fn f(_: Mac) {}",
            "wire/mod.rs": "mod mac; pub(crate) use mac::Mac; pub(crate) struct Other;",
            "wire/mac.rs": "pub(crate) struct Mac;",
        },
        [],
    ),
    (
        "all of a module that hands on all of another",
        {
            "lib.rs": "mod net; mod wire;",
            "net/mod.rs": "mod tcp; pub(crate) use tcp::*; pub(crate) struct Own;",
            "net/tcp.rs": "pub(crate) struct Stream;",
            "wire/mod.rs": "mod a; mod b;",
            "wire/a.rs": "use crate::net::Stream;",
            "wire/b.rs": "use crate::net::*; struct B(Own);",
        },
        [
            "wire/a.rs:1: crate::net::Stream (net/tcp.rs): wire may not use net",
            "wire/b.rs:1: crate::net::Own (net/mod.rs): wire may not use net",
        ],
    ),
    (
        "rooms of one layer: down is one way",
        {
            "lib.rs": "mod task; mod time;",
            "task/mod.rs": "mod context; mod wait;",
            "task/context.rs": "use crate::time::Clock;",
            "task/wait.rs": "pub(crate) struct Wait;",
            "time/mod.rs": "mod clock; mod sleep; pub(crate) use clock::Clock;",
            "time/clock.rs": "pub(crate) struct Clock;",
            "time/sleep.rs": "use crate::task::wait::Wait;",
        },
        ["2 rooms of a layer use each other: task, time"],
    ),
    (
        "a macro's paths, and modules in one file",
        {
            "lib.rs": "mod net; mod wire;",
            "net.rs": "pub(crate) fn f() {} pub(crate) mod inner { pub(crate) fn g() {} }",
            "wire.rs": "macro_rules! m { () => { $crate::net::f() } }\nmod a { mod b { use super::super::super::net::inner::g; } }",
        },
        [
            "wire.rs:1: crate::net::f (net.rs): wire may not use net",
            "wire.rs:2: super::super::super::net::inner::g (net.rs): wire may not use net",
        ],
    ),
    (
        "a program over the library, and libraries of others",
        {
            "lib.rs": "mod net; pub use net::f;",
            "net.rs": "use std::net::TcpStream; use smoltcp::wire as w; pub fn f(_: w::Ipv4Address) {}",
            "main.rs": "mod cli; use glassnet::f; fn main() { cli::run(); }",
            "cli.rs": "pub fn run() { glassnet::f() }",
        },
        [],
    ),
    (
        "a room that is in no layer",
        {"lib.rs": "mod attic;", "attic.rs": ""},
        ["attic: no layer has this room"],
    ),
]

# What is no Rust that the reader knows is an error, and no tree without faults.
WRONG = [
    ("a module without a file", {"lib.rs": "mod host;"}),
    ("a comment without an end", {"lib.rs": "/* /* */"}),
    ("a bracket without an end", {"lib.rs": "mod a { fn f() {"}),
]


def found_in(files):
    with tempfile.TemporaryDirectory() as directory:
        for name, text in files.items():
            path = os.path.join(directory, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return check.judge(*check.arrows_of(directory))


def run():
    failed = 0
    for about, files, expected in CASES:
        found = [line for line in found_in(files) if not line.startswith("  ")]
        if len(found) != len(expected) or not all(part in line for part, line in zip(expected, found)):
            failed += 1
            print(f"self-test: {about}: want {expected}, found {found}")
    for about, files in WRONG:
        try:
            print(f"self-test: {about}: want an error, found {found_in(files)}")
            failed += 1
        except rust.Wrong:
            pass
    print(f"check-layers: self-test: {len(CASES) + len(WRONG)} cases, {failed} failed")
    return 1 if failed else 0
