//! What `docs/extending.md` shows is in the files that it names.

use std::path::Path;

#[test]
fn every_line_of_the_document_is_in_its_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = std::fs::read_to_string(root.join("docs/extending.md")).unwrap();
    let (mut file, mut rest, mut inside, mut shown) = ("examples/own/src/lib.rs".to_owned(), String::new(), false, 0);
    for line in text.lines() {
        if let Some(named) = line.strip_prefix("File: `").and_then(|line| line.split('`').next()) {
            file = named.to_owned();
        }
        if line == "```rust" {
            (inside, rest) = (true, std::fs::read_to_string(root.join(&file)).unwrap());
        } else if line == "```" {
            inside = false;
        } else if inside && !line.is_empty() && line.trim() != "// …" {
            // In the order of the file; what stands between is left out.
            let at = rest.find(line).unwrap_or_else(|| panic!("{file} has no such line any more: {line}"));
            rest = rest.split_off(at + line.len());
            shown += 1;
        }
    }
    assert!(shown > 80, "{shown} lines are shown");
}
