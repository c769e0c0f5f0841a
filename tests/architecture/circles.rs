//! Finds modules that use each other in a circle, by reading `use` declarations and written-out paths.
//!
//! The rule holds in every module of a program, for its direct parts: part A uses part B if any file below A names anything
//! below B. The file of a module itself is no part: it may name its parts, and its parts may name what it defines.

use std::collections::{BTreeMap, BTreeSet};

/// A module path below the root of its program, such as `container::state`.
type Module = Vec<String>;

/// The files of one program, with what each of them names.
pub(crate) struct Program {
    /// Source text without comments and strings, by module.
    modules: BTreeMap<Module, String>,
}

impl Program {
    /// `files` are module paths with the code of each file.
    pub(crate) fn new(files: impl IntoIterator<Item = (Module, String)>) -> Program {
        Program { modules: files.into_iter().collect() }
    }

    /// One line for each circle. Empty if there is none.
    pub(crate) fn circles(&self) -> Vec<String> {
        let mut uses: BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
        for (module, code) in &self.modules {
            for target in paths(code, module).iter().filter_map(|path| self.resolve(path, 0)) {
                let shared = module.iter().zip(&target).take_while(|(own, other)| own == other).count();
                if shared < module.len() && shared < target.len() {
                    let parts = uses.entry(module[..shared].to_vec()).or_default();
                    parts.entry(module[shared].clone()).or_default().insert(target[shared].clone());
                }
            }
        }
        let circle = |(parent, parts): (&Module, &BTreeMap<String, BTreeSet<String>>)| {
            let round = parts.keys().find_map(|start| circle_from(start, parts))?;
            Some(format!(
                "in {}: {}",
                if parent.is_empty() { "the root".to_owned() } else { parent.join("::") },
                round.join(" uses ")
            ))
        };
        uses.iter().filter_map(circle).collect()
    }

    /// The module that defines what a path names. Follows re-exports.
    fn resolve(&self, path: &[String], depth: usize) -> Option<Module> {
        let length = (0..=path.len()).rev().find(|length| self.modules.contains_key(&path[..*length]))?;
        let module = path[..length].to_vec();
        let (Some(item), true) = (path.get(length), depth < 4) else { return Some(module) };
        let reexported = paths(&self.modules[&module], &module).into_iter().find(|other| {
            other.last() == Some(item) && other[..other.len() - 1] != module[..] && other.starts_with(&module)
        });
        match reexported {
            Some(other) => self.resolve(&other, depth + 1),
            None => Some(module),
        }
    }
}

/// The way back to `start`, if there is one.
fn circle_from(start: &str, parts: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    let mut open = vec![vec![start.to_owned()]];
    let mut seen = BTreeSet::new();
    while let Some(way) = open.pop() {
        for next in way.last().and_then(|last| parts.get(last)).into_iter().flatten() {
            let longer = [&way[..], std::slice::from_ref(next)].concat();
            if next == start {
                return Some(longer);
            }
            if seen.insert(next.clone()) {
                open.push(longer);
            }
        }
    }
    None
}

/// The absolute paths that the code of `module` names.
fn paths(code: &str, module: &[String]) -> Vec<Module> {
    let mut found = Vec::new();
    let outside_tests = code.split("\nmod tests {").next().unwrap_or(code);
    for declaration in outside_tests.split("use ").skip(1) {
        if let Some((tree, _)) = declaration.split_once(';') {
            found.extend(flatten(tree, ""));
        }
    }
    for start in ["crate::", "super::"] {
        for (at, _) in outside_tests.match_indices(start) {
            let path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
            found.push(outside_tests[at..].chars().take_while(|c| path(*c)).collect());
        }
    }
    found.iter().filter_map(|path| absolute(path, module)).collect()
}

/// The paths of a `use` tree.
fn flatten(tree: &str, prefix: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((before, list)) = tree.split_once('{') else {
        return vec![format!("{prefix}{}", tree.split(" as ").next().unwrap_or(tree))];
    };
    let list = list.trim_end().strip_suffix('}').unwrap_or(list);
    let (mut depth, mut item, mut items) = (0, String::new(), Vec::new());
    for letter in list.chars() {
        match letter {
            ',' if depth == 0 => items.push(std::mem::take(&mut item)),
            letter => {
                depth += i32::from(letter == '{') - i32::from(letter == '}');
                item.push(letter);
            }
        }
    }
    items.push(item);
    let inside = format!("{prefix}{before}");
    items.iter().filter(|item| !item.trim().is_empty()).flat_map(|item| flatten(item, &inside)).collect()
}

fn absolute(path: &str, module: &[String]) -> Option<Module> {
    let mut words = path.split("::").map(str::trim).filter(|word| !word.is_empty()).peekable();
    let mut base = match words.peek()? {
        &"crate" => Vec::new(),
        &"super" | &"self" => module.to_vec(),
        // A part of this module, or another crate, which resolves to nothing of interest.
        _ => module.to_vec(),
    };
    while let Some(word) = words.next_if(|word| matches!(*word, "crate" | "super" | "self")) {
        if word == "super" {
            base.pop();
        }
    }
    base.extend(words.filter(|word| *word != "self").map(str::to_owned));
    Some(base)
}

#[test]
fn a_circle_is_found_through_files_below_and_through_a_re_export() {
    let file = |path: &str, code: &str| (path.split("::").map(str::to_owned).collect(), code.to_owned());
    let root = || (Vec::new(), "mod a; mod b; mod c;".to_owned());
    let sound = Program::new([root(), file("a", "pub use x::Y;"), file("a::x", ""), file("b", "use crate::a::Y;")]);
    assert_eq!(sound.circles(), Vec::<String>::new());
    let circle = Program::new([
        root(),
        file("a", "mod x;\npub use x::{Y};"),
        file("a::x", "use crate::{b::Z};"),
        file("b", "fn f() { crate::a::Y; }"),
    ]);
    assert_eq!(circle.circles(), ["in the root: a uses b uses a"]);
}
