//! Checks the project rules that the compiler does not: module layers, sizes, names, reasons. Reads the source as text.

#[path = "architecture/circles.rs"]
mod circles;

use circles::Program;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Module names that do not describe the contents.
const BANNED: [&str; 10] =
    ["util", "utils", "common", "helper", "helpers", "misc", "manager", "shared", "stuff", "mod"];
const CEILING: usize = 400;

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files below a directory of the checkout with this name suffix, as paths relative to the top.
fn files(directory: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![top().join(directory)];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display())) {
            let path = entry.expect("an entry").path();
            // Skip symbolic links: their targets are checked at their own path.
            if path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path.strip_prefix(top()).expect("below the top").to_owned());
            }
        }
    }
    found.sort();
    found
}

fn rust() -> Vec<PathBuf> {
    ["src", "tests", "integration", "tools"].iter().flat_map(|directory| files(directory, ".rs")).collect()
}

/// The modules of the program, lowest first.
fn floors() -> Vec<String> {
    let main = read(&top().join("src/lib.rs"));
    let name = |line: &str| Some(line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';')?.to_owned());
    main.lines().filter_map(name).collect()
}

/// The module a file of `src` belongs to.
fn floor_of(path: &Path) -> String {
    let below = path.strip_prefix("src").expect("in src").iter().next().expect("a name").to_string_lossy();
    below.trim_end_matches(".rs").to_owned()
}

/// The lines that are code: no comments, and nothing between quotation marks.
fn code(text: &str) -> String {
    let mut code = String::new();
    for line in text.lines() {
        let mut inside = false;
        let mut previous = ' ';
        for (at, letter) in line.char_indices() {
            match letter {
                '"' if previous != '\\' && previous != '\'' => inside = !inside,
                '/' if !inside && line[at..].starts_with("//") => break,
                letter if !inside => code.push(letter),
                _ => (),
            }
            previous = if previous == '\\' { ' ' } else { letter };
        }
        code.push('\n');
    }
    code
}

/// The modules that a text names by `crate::`.
fn named(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        let word = |text: &str| -> String { text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
        match rest.strip_prefix('{') {
            None => _ = names.insert(word(rest)),
            Some(list) => {
                let mut depth = 0;
                let mut item = String::new();
                for letter in list.chars() {
                    match letter {
                        '}' if depth == 0 => break,
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        ',' if depth == 0 => {
                            names.insert(word(item.trim()));
                            item.clear();
                            continue;
                        }
                        _ => (),
                    }
                    item.push(letter);
                }
                names.insert(word(item.trim()));
            }
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// Fails with all complaints at once.
fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn a_module_uses_only_those_above_it_in_lib() {
    let floors = floors();
    assert!(floors.len() > 10, "only {floors:?} were found in src/lib.rs");
    let height = |name: &str| floors.iter().position(|floor| floor == name);
    let mut complaints = Vec::new();
    let mut uses = 0;
    for path in files("src", ".rs") {
        let own = floor_of(&path);
        if own == "main" || own == "lib" {
            continue;
        }
        let Some(height_of_own) = height(&own) else {
            complaints.push(format!("{}: not a module of src/lib.rs", path.display()));
            continue;
        };
        let code = code(&read(&top().join(&path)));
        for used in named(&code) {
            uses += 1;
            match height(&used) {
                Some(other) if other <= height_of_own => (),
                Some(_) => complaints.push(format!("{}: {own} is below {used} and must not use it", path.display())),
                None => complaints.push(format!("{}: crate::{used} goes round the list of modules", path.display())),
            }
        }
        // In a layer's own file `super` is the crate root, which would hide any use.
        if path.iter().count() == 2 && code.lines().any(|line| line.starts_with("use super::")) {
            complaints.push(format!("{}: says super:: where it means crate::", path.display()));
        }
    }
    assert!(uses > 100, "only {uses} uses were seen: this test has gone blind");
    none(&complaints);
}

#[test]
fn no_modules_use_each_other_in_a_circle() {
    let mut complaints = Vec::new();
    for root in ["src", "integration", "tools/bench", "tools/faults"] {
        let module = |path: &PathBuf| {
            let below = path.strip_prefix(root).expect("below the root").with_extension("");
            let names: Vec<_> = below.iter().map(|name| name.to_string_lossy().into_owned()).collect();
            if names == ["lib"] || names == ["main"] { Vec::new() } else { names }
        };
        let files = files(root, ".rs").into_iter().filter(|path| path != Path::new("src/main.rs"));
        let program = Program::new(files.map(|path| (module(&path), code(&read(&top().join(&path))))));
        complaints.extend(program.circles().into_iter().map(|circle| format!("{root}: {circle}")));
    }
    none(&complaints);
}

#[test]
fn modules_are_in_the_order_of_the_documentation() {
    let text = read(&top().join("docs/architecture.md"));
    let rows: Vec<_> =
        text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(n, _)| n).collect();
    assert_eq!(rows, floors(), "the table of docs/architecture.md, and src/lib.rs");
}

#[test]
fn only_sys_is_unsafe() {
    let mut complaints = Vec::new();
    for path in rust() {
        // src/main.rs exports `main` to the C library. The suite has one file for calls that neither std nor nix
        // offers.
        let calls_the_kernel = ["src/sys", "src/sys.rs", "src/main.rs", "integration/harness/kernel.rs"];
        if calls_the_kernel.iter().any(|allowed| path.starts_with(allowed)) {
            continue;
        }
        let code = code(&read(&top().join(&path)));
        let mut words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
        if words.any(|word| word == "unsafe" || word == "unsafe_code") {
            complaints.push(format!("{}: unsafe, or leave to be", path.display()));
        }
    }
    let manifest = read(&top().join("Cargo.toml"));
    assert!(manifest.contains("\nunsafe_code = \"deny\""), "Cargo.toml denies unsafe code");
    assert!(read(&top().join("src/sys.rs")).contains("#![allow(unsafe_code, reason"), "sys allows it, with a reason");
    none(&complaints);
}

#[test]
fn each_file_says_what_it_owns() {
    let silent = |path: &PathBuf| !read(&top().join(path)).starts_with("//! ");
    let complaints: Vec<_> =
        rust().into_iter().filter(silent).map(|path| format!("{}: no //!", path.display())).collect();
    none(&complaints);
}

/// Lines up to the tests at the end of the file.
fn lines_without_tests(text: &str) -> usize {
    let lines: Vec<_> = text.lines().collect();
    let tests = lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && pair[1].ends_with('{'));
    tests.unwrap_or(lines.len())
}

#[test]
fn no_file_is_longer_than_can_be_read() {
    let mut complaints = Vec::new();
    for path in files("src", ".rs") {
        let text = read(&top().join(&path));
        let is_test = path.iter().any(|part| part == "tests" || part == "tests.rs");
        let is_generated = text.lines().take(5).any(|line| line.starts_with("//! Written by `hack/"));
        let lines = lines_without_tests(&text);
        if lines > CEILING && !is_test && !is_generated {
            complaints.push(format!("{}: {lines} lines without tests, {CEILING} at most", path.display()));
        }
    }
    none(&complaints);
}

#[test]
fn names_say_what_a_thing_is() {
    let mut complaints = Vec::new();
    for path in rust() {
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy().trim_end_matches(".rs").to_owned()).collect();
        if let Some(banned) = parts.iter().find(|part| BANNED.contains(&part.as_str())) {
            complaints.push(format!("{}: {banned} says nothing", path.display()));
        }
        if parts.windows(2).any(|pair| pair[0] == pair[1]) {
            complaints.push(format!("{}: repeats its parent's name", path.display()));
        }
        // A module's directory is beside its file.
        if let Some(directory) = path.parent().filter(|directory| directory.iter().count() > 1) {
            let file = top().join(directory).with_extension("rs");
            let program = top().join(directory).join("main.rs");
            if !file.exists() && !program.exists() {
                complaints.push(format!("{}: there is no {}.rs", path.display(), directory.display()));
            }
        }
        let text = code(&read(&top().join(&path)));
        let words: Vec<_> =
            text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2).filter(|pair| pair[0] == "mod" && BANNED.contains(&pair[1])) {
            complaints.push(format!("{}: mod {} says nothing", path.display(), pair[1]));
        }
    }
    none(&complaints);
}

#[test]
fn each_dependency_has_its_reason() {
    let manifest = read(&top().join("Cargo.toml"));
    let mut section = "";
    let (mut complaints, mut seen) = (Vec::new(), 0);
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line.split('#').next().unwrap_or(line).trim();
        } else if section.ends_with("dependencies]") && line.contains('=') {
            seen += 1;
            let reason = line.rsplit_once(" # ").map_or("", |(_, reason)| reason);
            if reason.len() < 10 {
                complaints.push(format!("Cargo.toml: {line}: no reason"));
            }
        }
    }
    assert!(seen > 5, "only {seen} dependencies were seen");
    none(&complaints);
}

#[test]
fn nothing_is_left_for_later_and_nothing_is_passed_over() {
    // Concatenated, so that this file does not match.
    let words = [
        ["TO", "DO"],
        ["FIX", "ME"],
        ["XX", "X:"],
        ["#[ig", "nore"],
        ["todo", "!("],
        ["unimple", "mented!("],
        ["#[al", "low("],
    ];
    let mut complaints = Vec::new();
    let scripts = files("hack", "").into_iter().chain(files("docs", ".md"));
    for path in rust().into_iter().chain(scripts) {
        let text = read(&top().join(&path));
        for (number, line) in text.lines().enumerate() {
            for word in words.iter().map(|parts| parts.concat()).filter(|word| line.contains(word.as_str())) {
                complaints.push(format!("{}:{}: {word}", path.display(), number + 1));
            }
        }
    }
    none(&complaints);
}

#[test]
fn each_script_says_how_it_is_used_on_its_second_line() {
    let mut complaints = Vec::new();
    // Files in subdirectories or with an extension are not scripts, but used by a script or the build.
    for path in
        files("hack", "").into_iter().filter(|path| path.components().count() == 2 && path.extension().is_none())
    {
        let text = read(&top().join(&path));
        let second = text.lines().nth(1).unwrap_or_default();
        let name = path.display().to_string();
        if !second.starts_with("# ") || !second.contains(&name) {
            complaints.push(format!("{name}: {second:?}"));
        }
    }
    none(&complaints);
}

/// The picture of one `create` names functions in their files.
#[test]
fn the_picture_of_create_names_functions_that_exist() {
    let text = read(&top().join("docs/architecture.md"));
    let mut complaints = Vec::new();
    let mut seen = 0;
    for (file, function) in text.split_whitespace().filter_map(|word| word.split_once(".rs#")) {
        let file = format!("{file}.rs");
        let source = fs::read_to_string(top().join(&file)).unwrap_or_default();
        let start = format!("fn {function}");
        seen += 1;
        if !source.match_indices(&start).any(|(at, _)| source[at + start.len()..].starts_with(['(', '<'])) {
            complaints.push(format!("docs/architecture.md: there is no function {function} in {file}"));
        }
    }
    assert!(seen > 10, "only {seen} functions were seen");
    none(&complaints);
}

/// Links between documents, and files they name in backticks, exist.
#[test]
fn documents_name_files_that_exist() {
    let mut complaints = Vec::new();
    let mut seen = 0;
    for path in files("docs", ".md").into_iter().chain(["README.md".into(), "CONTRIBUTING.md".into()]) {
        let text = read(&top().join(&path));
        let here = top().join(path.parent().unwrap_or(Path::new("")));
        let links = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link);
        for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
            seen += 1;
            if !here.join(link.split('#').next().unwrap_or(link)).exists() {
                complaints.push(format!("{}: the link {link} leads nowhere", path.display()));
            }
        }
        let quoted = text.split('`').skip(1).step_by(2).filter_map(|text| text.split_whitespace().next());
        for name in quoted.map(|name| name.trim_start_matches("./")) {
            let ours =
                ["src/", "hack/", "docs/", "tests/", "integration/", "tools/"].iter().any(|top| name.starts_with(top));
            if ours && name.chars().all(|c| c.is_alphanumeric() || "/._-".contains(c)) {
                seen += 1;
                if !top().join(name).exists() {
                    complaints.push(format!("{}: there is no {name}", path.display()));
                }
            }
        }
    }
    assert!(seen > 20, "only {seen} names were seen");
    none(&complaints);
}
