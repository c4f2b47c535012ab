"""Tests of circles.py on small made-up crates: python3 scripts/test_circles.py"""

import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
import circles


class CirclesTest(unittest.TestCase):
    def report(self, **files):
        """The report on a crate of these files; in names, `__` stands for `/` and a missing ending for `.rs`."""
        with tempfile.TemporaryDirectory() as folder:
            workspace = Path(folder)
            for name, text in files.items():
                path = workspace / "small/src" / f"{name.replace('__', '/')}.rs"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return circles.report(workspace / "small", workspace)

    def test_two_files_that_name_each_other_are_a_circle(self):
        found = self.report(
            lib="mod a; mod b; mod c;",
            a="use crate::b::{Second, self as other};\npub struct First(Second);",
            b="pub struct Second;\nfn f(x: crate::a::First) -> super::c::Third { super::c::Third }",
            c="pub struct Third;",
        )
        self.assertEqual(
            found,
            [
                "small: 2 files import each other",
                "  small/src/a.rs -> small/src/b.rs: Second",
                "  small/src/b.rs -> small/src/a.rs: First",
            ],
        )

    def test_a_longer_circle_is_one(self):
        found = self.report(
            lib="mod a; mod b; mod c;",
            a="use crate::b; pub fn one() { b::two() }",
            b="use super::c::*; pub fn two() { three() }",
            c="pub fn three() { crate::a::one() }",
        )
        self.assertEqual(found[0], "small: 3 files import each other")
        self.assertIn("  small/src/b.rs -> small/src/c.rs: three", found)

    def test_names_are_followed_through_what_hands_them_on(self):
        files = {
            "lib": "pub mod shapes; pub use shapes::{Circle, Square};",
            "shapes__mod": "mod circle; mod square; pub use circle::Circle; pub use square::*;",
            "shapes__circle": "use super::Square; pub struct Circle(Square);",
            "shapes__square": "pub struct Square;",
        }
        self.assertEqual(self.report(**files), [])
        files["shapes__square"] = "use crate::Circle as Round; pub struct Square(Box<Round>);"
        self.assertEqual(self.report(**files)[0], "small: 2 files import each other")

    def test_a_parent_that_defines_what_its_child_needs_is_in_a_circle_with_it(self):
        found = self.report(
            lib="mod outer;",
            outer="mod inner; pub use inner::g; pub fn f() {}",
            outer__inner="pub fn g() { super::f() }",
        )
        self.assertEqual(found[1:], [
            "  small/src/outer/inner.rs -> small/src/outer.rs: f",
            "  small/src/outer.rs -> small/src/outer/inner.rs: g",
        ])

    def test_tests_comments_and_texts_do_not_count(self):
        found = self.report(
            lib="mod a; mod b;",
            a="use crate::b::B; pub struct A;",
            b="""
                // use crate::a::A;
                /* crate::a::A /* nested */ crate::a::A */
                /// [`crate::a::A`]
                pub struct B;
                pub const TEXT: &str = "crate::a::A \\" crate::a::A";
                pub const RAW: &str = r#"" crate::a::A"#;
                pub fn quote<'a>(c: &'a char) -> bool { *c == '"' || *c == '\\'' }
                #[cfg(test)]
                use crate::a::A;
                #[cfg(test)]
                mod tests { use crate::a::A; fn f() { let _ = A; } }
                #[cfg(all(test, feature = "x"))]
                pub(crate) const fn only_in_tests() -> crate::a::A { crate::a::A }
            """,
        )
        self.assertEqual(found, [])

    def test_files_of_tests_alone_are_not_read(self):
        found = self.report(
            lib="mod a; mod b;",
            a="pub struct A; #[cfg(test)] mod tests;",
            a__tests="use crate::b::B;",
            b="use crate::a::A; pub struct B; #[cfg(not(test))] fn f(_: A) {}",
        )
        self.assertEqual(found, [])

    def test_one_name_of_a_module_and_of_a_function_in_it(self):
        found = self.report(
            lib="mod ops;",
            ops__mod="mod add; mod relu; pub use add::add; pub use relu::relu;",
            ops__add="use super::relu; pub fn add() { relu() }",
            ops__relu="pub fn relu() { super::add() }",
        )
        self.assertEqual(found[1:], [
            "  small/src/ops/add.rs -> small/src/ops/relu.rs: relu",
            "  small/src/ops/relu.rs -> small/src/ops/add.rs: add",
        ])

    def test_inline_modules_belong_to_their_file_and_macros_name_paths_too(self):
        found = self.report(
            lib="mod a; mod b;",
            a="pub mod inner { use super::Own; pub struct Deep(Own); } pub struct Own; use crate::b::make;",
            b="macro_rules! make { () => { $crate::a::inner::Deep } } pub(crate) use make;",
        )
        self.assertEqual(found[1:], [
            "  small/src/a.rs -> small/src/b.rs: make",
            "  small/src/b.rs -> small/src/a.rs: Deep",
        ])

    def test_other_crates_and_captured_lifetimes_are_passed_over(self):
        found = self.report(
            lib="mod a; mod b;",
            a="use std::b::B; pub fn f<'a>(x: &'a str) -> impl Iterator<Item = &'a str> + use<'a> { x.lines() }",
            b="use crate::a::f; pub struct B;",
        )
        self.assertEqual(found, [])


if __name__ == "__main__":
    unittest.main()
