//! The archives of a release are where `cargo binstall` looks for them.

use toml::{Table, Value};

const MANIFEST: &str = include_str!("../../Cargo.toml");
const WORKFLOW: &str = include_str!("../../../.github/workflows/release.yml");

#[test]
fn binstall_asks_for_the_archives_that_the_release_makes() {
    let manifest: Table = MANIFEST.parse().unwrap();
    let text = |key: &str| manifest["package"]["metadata"]["binstall"][key].as_str().unwrap().to_owned();
    let filled = |text: String| {
        text.replace("v{ version }", "${{ github.ref_name }}").replace("{ target }", "${{ matrix.target }}")
    };
    let name = WORKFLOW.lines().find_map(|line| line.trim().strip_prefix("NAME: ")).unwrap();
    assert!(WORKFLOW.contains("tar -czf \"$NAME.tar.gz\" \"$NAME\"") && text("pkg-fmt") == "tgz");
    let url = filled(text("pkg-url"));
    assert_eq!(url, format!("{{ repo }}/releases/download/${{{{ github.ref_name }}}}/{name}.tar.gz"));
    assert_eq!(filled(text("bin-dir")), format!("{name}/{{ bin }}{{ binary-ext }}"));
    let binary = &manifest["bin"].as_array().unwrap()[0]["name"];
    assert_eq!(binary, &Value::from("mga"));
    assert!(
        WORKFLOW.contains("cp target/release/mga \"$NAME/\"")
            && WORKFLOW.contains("cp target/release/mga.exe \"$NAME/\"")
    );
}
