//! What packages ship beside the program: `completions/` and `man/`, made from the definitions that `--help` is made
//! from.
//!
//! They are kept with the source, so that a package needs nothing but the checkout and the program does not have to
//! carry what writes them. `DAVIT_BLESS=1 cargo test --bin davit shipped` writes what the definitions say now.

use super::{NAME, VERBS, whole};
use clap::Command;
use clap_complete::Shell;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The whole command line, as it is shown: `help` and what is hidden are for who knows them already.
fn definitions() -> Command {
    let mut all = whole().disable_help_subcommand(true);
    all.build();
    all
}

/// The verbs whose positional argument is a container that exists. `create` and `run` take a new name.
fn takes_container(verb: &str) -> bool {
    let takes_id = |command: Command| command.get_positionals().any(|arg| arg.get_id() != "bundle");
    let verb = VERBS.iter().find(|known| known.name == verb && !matches!(known.name, "create" | "run"));
    verb.is_some_and(|verb| takes_id((verb.define)(Command::new(verb.name))))
}

/// A script as clap_complete writes it, without hidden flags.
fn script(shell: Shell) -> String {
    let mut definitions = definitions();
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut definitions, NAME, &mut text);
    let text = String::from_utf8(text).expect("a script is text");
    let hidden = |command: &Command| -> Vec<String> {
        command
            .get_arguments()
            .filter(|arg| arg.is_hide_set())
            .filter_map(|arg| arg.get_long())
            .map(str::to_owned)
            .collect()
    };
    let hidden: Vec<_> =
        hidden(&definitions).into_iter().chain(definitions.get_subcommands().flat_map(hidden)).collect();
    let line = |line: &str| -> Option<String> {
        let is = |form: &str| hidden.iter().any(|flag| line.contains(&form.replace("FLAG", flag)));
        match shell {
            Shell::Bash if line.trim_start().starts_with("opts=") => {
                let shown = |word: &&str| !hidden.iter().any(|flag| word.trim_matches('"') == format!("--{flag}"));
                let indent = &line[..line.len() - line.trim_start().len()];
                Some(format!("{indent}{}", line.trim_start().split(' ').filter(shown).collect::<Vec<_>>().join(" ")))
            }
            Shell::Zsh if is("'--FLAG=") || is("'--FLAG[") => None,
            Shell::Fish if line.starts_with("complete ") && is(" -l FLAG ") => None,
            _ => Some(line.to_owned()),
        }
    };
    text.lines().filter_map(line).map(|line| line + "\n").collect()
}

/// Asks the program for its containers, in the root directory that the line names.
const BASH: &str = r#"
_davit_containers() {
    local at root=()
    for ((at = 1; at < COMP_CWORD; at++)); do
        if [[ ${COMP_WORDS[at]} == --root ]]; then
            # Bash makes a word of its own of the equals sign.
            [[ ${COMP_WORDS[at + 1]} == "=" ]] && ((at++))
            root=(--root "${COMP_WORDS[at + 1]}")
        fi
    done
    "${COMP_WORDS[0]}" "${root[@]}" list --quiet 2>/dev/null
}
"#;

fn bash() -> String {
    let text = script(Shell::Bash);
    let mut verb = "";
    let mut with_ids = String::new();
    for line in text.lines() {
        with_ids += &format!("{line}\n");
        if let Some(label) = line.strip_prefix("        davit__subcmd__").and_then(|line| line.strip_suffix(')')) {
            verb = label;
        }
        if line.starts_with("            opts=") && takes_container(verb) {
            with_ids += "            [[ ${cur} == -* ]] || opts=$(_davit_containers)\n";
        }
    }
    with_ids + BASH
}

const ZSH: &str = r#"
_davit_containers() {
    local -a line root ids
    line=("${(Q)${(z)LBUFFER}[@]}")
    local at=${line[(i)--root]}
    (( at < $#line )) && root=(--root "${line[at+1]}")
    root+=("${(M)line[@]:#--root=*}")
    ids=("${(f)$(_call_program containers ${(q)line[1]} ${(q)root[@]} list --quiet 2>/dev/null)}")
    compadd -a ids
}
"#;

fn zsh() -> String {
    let text = script(Shell::Zsh);
    let mut verb = "";
    let mut with_ids = String::new();
    for line in text.lines() {
        if let Some(label) = line.trim_start().strip_prefix('(').and_then(|line| line.strip_suffix(')')) {
            verb = label;
        }
        if takes_container(verb) && (line.contains(":id -- ") || line.contains("*::ids -- ")) {
            with_ids += &line.replace(":_default'", ":_davit_containers'");
        } else if let Some(rest) = line.strip_prefix("'*::words -- ") {
            // The container, then words that are not davit's.
            let id = rest.replace(":_default'", ":_davit_containers'");
            with_ids += &format!("':id -- {id}\n'*::words:_default' \\");
        } else {
            with_ids += line;
        }
        with_ids += "\n";
    }
    // Its last lines call the function when the file is the function.
    let (body, last) = with_ids.split_once("\nif [ \"$funcstack[1]\"").expect("the last lines");
    format!("{body}{ZSH}\nif [ \"$funcstack[1]\"{last}")
}

fn fish() -> String {
    let verbs: Vec<_> = VERBS.iter().map(|verb| verb.name).filter(|verb| takes_container(verb)).collect();
    let ids = r#"
function __fish_davit_containers
    set -l cmd (commandline -opc)
    set -l davit $cmd[1]
    set -e cmd[1]
    argparse -s (__fish_davit_global_optspecs) -- $cmd 2>/dev/null
    set -q _flag_root; and set davit $davit --root $_flag_root
    $davit list --quiet 2>/dev/null
end
"#;
    let condition = format!("__fish_davit_using_subcommand {}", verbs.join(" "));
    script(Shell::Fish) + ids + &format!("complete -c davit -n \"{condition}\" -f -a \"(__fish_davit_containers)\"\n")
}

/// The page of a command, by its file's name.
fn page(command: &Command) -> (String, String) {
    let name = command.get_display_name().unwrap_or(NAME).to_owned();
    let man = clap_mangen::Man::new(command.clone()).title(name.to_uppercase()).section("8").source(NAME).date("");
    let mut text = Vec::new();
    man.render(&mut text).expect("a page is rendered");
    let text = String::from_utf8(text).expect("a page is text").replace("\n.SH EXTRA\n", "\n.SH NOTES\n");
    (format!("man/{name}.8"), text)
}

/// Every file, by its name below the checkout.
fn files() -> BTreeMap<String, String> {
    let all = definitions();
    let mut files: BTreeMap<_, _> = [page(&all)].into_iter().chain(all.get_subcommands().map(page)).collect();
    for (name, text) in [("davit.bash", bash()), ("_davit", zsh()), ("davit.fish", fish())] {
        files.insert(format!("completions/{name}"), text);
    }
    files
}

#[test]
fn what_is_shipped_is_what_the_definitions_say() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let wanted = files();
    if std::env::var_os("DAVIT_BLESS").is_some_and(|value| value == "1") {
        for (name, text) in &wanted {
            fs::write(top.join(name), text).expect("the file can be written");
        }
    }
    let entries = ["completions", "man"].map(|directory| {
        let entries = fs::read_dir(top.join(directory)).expect("the directory is there");
        entries.map(move |entry| format!("{directory}/{}", entry.expect("an entry").file_name().display()))
    });
    let found: BTreeMap<String, String> = entries
        .into_iter()
        .flatten()
        .map(|name| (name.clone(), fs::read_to_string(top.join(name)).expect("the file can be read")))
        .collect();
    let differing: Vec<_> =
        wanted.keys().chain(found.keys()).filter(|name| wanted.get(*name) != found.get(*name)).collect();
    assert!(
        differing.is_empty(),
        "{differing:?} (DAVIT_BLESS=1 cargo test --bin davit shipped writes what the definitions say)"
    );
}

#[test]
fn every_shipped_text_names_every_verb_and_nothing_hidden() {
    let files = files();
    let verbs = VERBS.iter().map(|verb| verb.name);
    for name in ["man/davit.8", "completions/davit.bash", "completions/_davit", "completions/davit.fish"] {
        let missing: Vec<_> = verbs.clone().filter(|verb| !files[name].contains(*verb)).collect();
        assert!(missing.is_empty(), "{name} lacks {missing:?}");
    }
    for (name, text) in &files {
        let offered = text.lines().filter(|line| !line.trim_start().starts_with("--") && !line.contains("string join"));
        assert!(!offered.clone().any(|line| line.contains("criu") || line.contains("kernel-memory")), "{name}");
    }
    assert_eq!(VERBS.iter().filter(|verb| takes_container(verb.name)).count(), 13);
}
