//! The house rules that no compiler knows: floors, purity, sizes, what may not be written. Every rule is a function
//! of a file's path and text, and has a test that shows it failing.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/source.rs"]
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use imports::{File, cycles, paths, resolve};
use source::{code, product, without_comments};

const LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// From the ground up; the floors of one row do not import each other.
const FLOORS: [&[&str]; 7] =
    [&["base"], &["log"], &["group"], &["client", "collect"], &["node"], &["platform"], &["wasm"]];
/// What stands at or above this floor may touch time, chance and JavaScript.
const SHELL: usize = 5;

const AMBIENT: [&str; 18] = [
    "async",
    "await",
    "Future",
    "std::time",
    "SystemTime",
    "sleep",
    "spawn",
    "thread",
    "rand",
    "getrandom",
    "RandomState",
    "HashMap",
    "HashSet",
    "js_sys",
    "web_sys",
    "wasm_bindgen",
    "JsValue",
    "gloo_timers",
];
const PANICS: [&str; 8] =
    [".unwrap()", ".expect(", "panic!", "todo!", "unimplemented!", "unreachable!", "dbg!", ".unwrap_err()"];
const MARKERS: [&str; 4] = ["TODO", "FIXME", "XXX", "HACK"];

type Rule = fn(&str, &str) -> Vec<String>;

/// No import goes up, and neighbours on one floor do not know each other.
fn floors(path: &str, text: &str) -> Vec<String> {
    let Some((own, folder)) = floor_of(path) else { return Vec::new() };
    let mut found = Vec::new();
    for import in paths(&product(text)) {
        let resolved = resolve(path, &import);
        let Some(name) = resolved.first() else { continue };
        let Some(other) = FLOORS.iter().position(|row| row.contains(&name.as_str())) else { continue };
        if other > own || (other == own && name != folder) {
            found.push(format!("{path}: {folder} imports {}", import.join("::")));
        }
    }
    found
}

/// Below `platform` there is no waiting, no clock, no chance and no JavaScript.
fn purity(path: &str, text: &str) -> Vec<String> {
    if floor_of(path).is_none_or(|(floor, _)| floor >= SHELL) {
        return Vec::new();
    }
    let text = product(text);
    words(&text, &AMBIENT).map(|word| format!("{path}: {word} below platform")).collect()
}

/// Printing a float costs a page ten kilobytes, so the floors below `platform` have none to print.
fn floats(path: &str, text: &str) -> Vec<String> {
    if floor_of(path).is_none_or(|(floor, _)| floor >= SHELL) {
        return Vec::new();
    }
    let text = product(text);
    words(&text, &["f32", "f64"]).map(|word| format!("{path}: {word} below platform")).collect()
}

/// A file is read in one sitting.
fn file_length(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    if lines < LINES_MAX {
        Vec::new()
    } else {
        vec![format!("{path}: {lines} lines, {LINES_MAX} are too many")]
    }
}

/// A function is seen at a glance.
fn function_length(path: &str, text: &str) -> Vec<String> {
    source::functions(&code(text))
        .into_iter()
        .filter(|(_, lines)| *lines >= FUNCTION_LINES_MAX)
        .map(|(name, lines)| {
            format!("{path}: fn {name} has {lines} lines, {FUNCTION_LINES_MAX} are too many")
        })
        .collect()
}

/// A page belongs to someone else: the product does not panic in it.
fn panics(path: &str, text: &str) -> Vec<String> {
    if !path.starts_with("src/") {
        return Vec::new();
    }
    let text = product(text);
    PANICS.iter().filter(|panic| text.contains(**panic)).map(|panic| format!("{path}: {panic}")).collect()
}

/// `{:?}`, and a precision, pull in machinery that a page would pay for.
fn formatting(path: &str, text: &str) -> Vec<String> {
    if !path.starts_with("src/") {
        return Vec::new();
    }
    let text = without_comments(&source::without_tests(text));
    ["?}", "{:."]
        .iter()
        .filter(|mark| text.contains(**mark))
        .map(|mark| format!("{path}: {mark} in a format"))
        .collect()
}

/// What is not done is in an issue, not in the source.
fn markers(path: &str, text: &str) -> Vec<String> {
    let own = path.contains("tidy");
    words(text, &MARKERS).filter(|_| !own).map(|word| format!("{path}: {word}")).collect()
}

/// A module is `foo/mod.rs` or `foo.rs`, never both beside each other.
fn one_home(files: &[File]) -> Vec<String> {
    let has = |path: &str| files.iter().any(|file| file.path == path);
    files
        .iter()
        .filter_map(|file| file.path.strip_suffix("/mod.rs"))
        .filter(|folder| has(&format!("{folder}.rs")))
        .map(|folder| format!("{folder}.rs stands beside {folder}/mod.rs"))
        .collect()
}

fn floor_of(path: &str) -> Option<(usize, &str)> {
    let folder = path.strip_prefix("src/")?.split(['/', '.']).next()?;
    Some((FLOORS.iter().position(|row| row.contains(&folder))?, folder))
}

/// The words of `list` that occur in the text as whole words.
fn words<'a>(text: &'a str, list: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    let part = |character: char| character.is_alphanumeric() || character == '_';
    list.iter().copied().filter(move |word| {
        text.match_indices(word)
            .any(|(at, _)| !text[..at].ends_with(part) && !text[at + word.len()..].starts_with(part))
    })
}

fn collect(folder: &Path, root: &Path, files: &mut Vec<File>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, root, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            files.push(File { path: name, text: fs::read_to_string(&path).unwrap() });
        }
    }
}

fn files(folders: &[&str]) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in folders {
        collect(&root.join(folder), root, &mut files);
    }
    files
}

fn check(rule: Rule) {
    let found: Vec<String> =
        files(&["src", "tests", "benches"]).iter().flat_map(|file| rule(&file.path, &file.text)).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

fn sample(path: &str, text: &str) -> File {
    File { path: path.into(), text: text.into() }
}

#[test]
fn no_import_goes_up() {
    check(floors);
    assert!(!files(&["src"]).is_empty());
}

#[test]
fn an_import_that_goes_up_is_found() {
    assert_eq!(floors("src/log/op.rs", "use crate::base::Error;\nuse crate::node::Node;").len(), 1);
    assert_eq!(floors("src/client/mod.rs", "use crate::{base::{Error, Now}, collect::Answer};").len(), 1);
    assert_eq!(floors("src/collect/mod.rs", "fn f() { crate::client::producer::new() }").len(), 1);
    assert_eq!(floors("src/log/ops/trim.rs", "use super::super::super::platform::Storage;").len(), 1);
    assert_eq!(floors("src/node.rs", "use crate::platform::Storage;").len(), 1);
    assert_eq!(
        floors(
            "src/log/op.rs",
            "use crate::base::Error; // crate::node\n#[cfg(test)] mod tests { use crate::wasm; }"
        ),
        [""; 0]
    );
}

#[test]
fn the_core_is_pure() {
    check(purity);
}

#[test]
fn an_impure_core_is_found() {
    assert_eq!(purity("src/log/op.rs", "async fn read() {}").len(), 1);
    assert_eq!(purity("src/base/time.rs", "fn now() { std::time::Instant::now() }").len(), 1);
    assert_eq!(purity("src/node/mod.rs", "use js_sys::Date; use std::collections::HashMap;").len(), 2);
    assert_eq!(purity("src/platform/driver.rs", "async fn read() {}"), [""; 0]);
    assert_eq!(purity("src/log/op.rs", "/// Not async.\nfn asynchronous() { let _ = \"async\"; }"), [""; 0]);
}

#[test]
fn no_float_below_platform() {
    check(floats);
}

#[test]
fn a_float_below_platform_is_found() {
    assert_eq!(floats("src/base/time.rs", "fn ratio() -> f64 { 0.5 }").len(), 1);
    assert_eq!(floats("src/wasm/records.rs", "fn ratio() -> f64 { 0.5 }"), [""; 0]);
}

#[test]
fn files_are_short() {
    check(file_length);
}

#[test]
fn a_long_file_is_found() {
    assert_eq!(file_length("src/a.rs", &"\n".repeat(LINES_MAX)).len(), 1);
    assert_eq!(file_length("src/a.rs", &"\n".repeat(LINES_MAX - 1)), [""; 0]);
}

#[test]
fn functions_are_short() {
    check(function_length);
}

#[test]
fn a_long_function_is_found() {
    let body = "    let _ = '}';\n".repeat(FUNCTION_LINES_MAX);
    assert_eq!(function_length("src/a.rs", &format!("fn long() {{\n{body}}}\nfn short() {{}}")).len(), 1);
    assert_eq!(
        function_length("src/a.rs", &format!("fn f();\nconst A: &[u8] = &[{}];", "0,\n".repeat(99))),
        [""; 0]
    );
}

#[test]
fn the_product_does_not_panic() {
    check(panics);
}

#[test]
fn a_panic_is_found() {
    for panic in PANICS {
        assert!(!panics("src/a.rs", &format!("fn f() {{ x{panic} }}")).is_empty(), "{panic}");
    }
    assert_eq!(
        panics(
            "src/a.rs",
            "/// Like `x.unwrap()`.\nfn f() { x.unwrap_or(0) }\n#[cfg(test)]\nmod tests { fn f() { x.unwrap() } }"
        ),
        [""; 0]
    );
}

#[test]
fn formats_are_cheap() {
    check(formatting);
}

#[test]
fn a_dear_format_is_found() {
    assert_eq!(formatting("src/a.rs", "fn f() { format!(\"{:?}\", x) }").len(), 1);
    assert_eq!(formatting("src/a.rs", "fn f() { format!(\"{x:#?}\") }").len(), 1);
    assert_eq!(formatting("src/a.rs", "fn f() { format!(\"{:.2}\", x) }").len(), 1);
    assert_eq!(formatting("src/a.rs", "fn f() { format!(\"{x} is {}\", y) } // {:?}"), [""; 0]);
}

#[test]
fn nothing_is_left_to_do() {
    check(markers);
}

#[test]
fn something_left_to_do_is_found() {
    assert_eq!(markers("src/a.rs", "// TODO: the rest").len(), 1);
    assert_eq!(markers("src/a.rs", "// METHODOLOGY"), [""; 0]);
}

#[test]
fn a_module_has_one_home() {
    assert_eq!(one_home(&files(&["src"])), [""; 0]);
}

#[test]
fn a_module_with_two_homes_is_found() {
    assert_eq!(one_home(&[sample("src/log.rs", ""), sample("src/log/mod.rs", "")]).len(), 1);
}

#[test]
fn imports_have_no_cycle() {
    assert_eq!(cycles(&files(&["src"])), [""; 0]);
}

#[test]
fn an_import_cycle_is_found() {
    let a = sample("src/log/a.rs", "use crate::log::b::B;");
    let b = sample("src/log/b.rs", "use super::C;");
    let c = sample("src/log/c.rs", "fn f() -> crate::log::a::A {}");
    let hub = sample("src/log/mod.rs", "mod a;\nmod b;\nmod c;\npub use c::{C, D};");
    assert_eq!(cycles(&[a, b, c, hub]).len(), 1);
    let parent = sample("src/node/mod.rs", "mod part;\nuse part::Part;\npub struct Node;");
    let child = sample("src/node/part.rs", "use super::Node;");
    assert_eq!(cycles(&[parent, child]), [""; 0], "a folder and what is in it are one module");
}
