//! Which file imports which.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::product;

/// A source file of the repository.
pub struct File {
    pub path: String,
    pub text: String,
}

/// Every path in the code that begins with `crate`, `self` or `super`, groups in braces spread out.
pub fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for root in ["crate", "self", "super"] {
        let start = format!("{root}::");
        for (at, _) in code.match_indices(&start) {
            let before = &code[..at];
            if !before.ends_with(|character: char| {
                character.is_alphanumeric() || character == '_' || character == ':'
            }) {
                spread(&code[at..], &mut Vec::new(), &mut found);
            }
        }
    }
    found
}

/// The path of a module or of what is in it, from the root of the crate.
pub fn resolve(path: &str, import: &[String]) -> Vec<String> {
    let mut resolved = module_of(path);
    for segment in import {
        match segment.as_str() {
            "crate" => resolved.clear(),
            "self" => {}
            "super" => {
                resolved.pop();
            }
            name => resolved.push(name.to_owned()),
        }
    }
    resolved
}

/// The cycles among files, each told once. A folder's `mod.rs` and the files of that folder are one module.
pub fn cycles(files: &[File]) -> Vec<String> {
    let modules: BTreeMap<Vec<String>, &File> =
        files.iter().map(|file| (module_of(&file.path), file)).collect();
    let mut edges: BTreeMap<Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
    for (own, file) in &modules {
        for import in paths(&product(&file.text)) {
            let Some(target) = home(&modules, resolve(&file.path, &import)) else { continue };
            if !own.starts_with(&target) && !target.starts_with(own) {
                edges.entry(own.clone()).or_default().insert(target);
            }
        }
    }
    let mut found = BTreeSet::new();
    let mut done = BTreeSet::new();
    for start in edges.keys() {
        visit(start, &edges, &mut Vec::new(), &mut done, &mut found);
    }
    found.into_iter().collect()
}

type Edges = BTreeMap<Vec<String>, BTreeSet<Vec<String>>>;

fn visit(
    at: &Vec<String>,
    edges: &Edges,
    trail: &mut Vec<Vec<String>>,
    done: &mut BTreeSet<Vec<String>>,
    found: &mut BTreeSet<String>,
) {
    if let Some(from) = trail.iter().position(|step| step == at) {
        let names: Vec<String> = trail[from..].iter().chain([at]).map(|step| step.join("::")).collect();
        found.insert(names.join(" -> "));
        return;
    }
    if done.contains(at) {
        return;
    }
    trail.push(at.clone());
    for next in edges.get(at).into_iter().flatten() {
        visit(next, edges, trail, done, found);
    }
    trail.pop();
    done.insert(at.clone());
}

/// The module where the thing at a path is written: the deepest file that the path names, or, where a `mod.rs`
/// passes a name on, the file that it has it from.
fn home(modules: &BTreeMap<Vec<String>, &File>, path: Vec<String>) -> Option<Vec<String>> {
    let mut module = path.clone();
    while !modules.contains_key(&module) {
        module.pop()?;
    }
    if module.is_empty() {
        return None;
    }
    let name = path.get(module.len())?;
    let code = product(&modules[&module].text);
    for (at, _) in code.match_indices("pub use ") {
        let mut exports = Vec::new();
        spread(&code[at + "pub use ".len()..], &mut Vec::new(), &mut exports);
        let exported = exports.into_iter().find(|export| export.last() == Some(name));
        if let Some(export) = exported {
            let relative = if export.first().is_some_and(|first| first == "crate") {
                export[1..].to_vec()
            } else {
                module.iter().cloned().chain(export.into_iter().filter(|segment| segment != "self")).collect()
            };
            return if relative == path { Some(module) } else { home(modules, relative) };
        }
    }
    Some(module)
}

fn module_of(path: &str) -> Vec<String> {
    let inner = path.strip_prefix("src/").unwrap_or(path).trim_end_matches(".rs");
    let inner = inner.strip_suffix("/mod").unwrap_or(inner);
    if inner == "lib" { Vec::new() } else { inner.split('/').map(str::to_owned).collect() }
}

/// Follows one path, and every branch where it branches; answers how much of the text it took.
fn spread(text: &str, prefix: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> usize {
    let depth = prefix.len();
    let mut at = 0;
    loop {
        at += text[at..].len() - text[at..].trim_start().len();
        if text[at..].starts_with('{') {
            at += 1;
            loop {
                at += spread(&text[at..], prefix, found);
                at += text[at..].find([',', '}']).map_or(text[at..].len(), |end| end);
                let Some(separator) = text[at..].chars().next() else { break };
                at += 1;
                if separator == '}' || text[at..].trim_start().starts_with('}') {
                    at += text[at..].find('}').map_or(0, |end| if separator == '}' { 0 } else { end + 1 });
                    break;
                }
            }
            break;
        }
        let name: String = text[at..]
            .chars()
            .take_while(|character| character.is_alphanumeric() || *character == '_')
            .collect();
        at += name.len();
        if !name.is_empty() {
            prefix.push(name);
        }
        if !text[at..].starts_with("::") || text[at..].starts_with("::<") {
            found.push(prefix.clone());
            break;
        }
        at += 2;
    }
    prefix.truncate(depth);
    at
}

#[test]
fn paths_are_spread() {
    let text = "use crate::{base::{Error, Now}, log};\nfn f() { super::g::<u8>(); mycrate::x() }";
    let found: Vec<String> = paths(text).iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["crate::base::Error", "crate::base::Now", "crate::log", "super::g"]);
}

#[test]
fn paths_are_resolved() {
    let resolved = |path, import: &str| {
        resolve(path, &import.split("::").map(str::to_owned).collect::<Vec<_>>()).join("::")
    };
    assert_eq!(resolved("src/log/ops/trim.rs", "super::super::key::Key"), "log::key::Key");
    assert_eq!(resolved("src/log/mod.rs", "self::op::Op"), "log::op::Op");
    assert_eq!(resolved("src/log/op.rs", "crate::base::Error"), "base::Error");
}
