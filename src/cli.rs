//! The command line: words in, words out.
//!
//! Each verb is one small file: what it takes, what it says of itself in `--help`, and how its words become a call of
//! `container` and the answer becomes text. Deliberately does not know how anything is done, and never prints an error:
//! `main` does.

mod argv;
mod create;
mod delete;
mod events;
mod exec;
mod features;
mod kill;
mod list;
mod output;
mod pause;
mod plan;
mod ps;
mod resume;
mod run;
mod spec;
mod start;
mod state;
mod stats;
#[cfg(test)]
mod tests;
mod update;
mod usage;

use crate::container::{CgroupManager, Id, Root, Rootless};
use crate::report::{Format, Log};
use crate::spec::state::OCI_VERSION;
use anyhow::bail;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The program's name in every text.
const NAME: &str = "davit";

/// One command.
struct Verb {
    /// The word for it.
    name: &'static str,
    /// What it does, on one line of the list of commands.
    about: &'static str,
    /// What it does, for who asks `--help` of it: what happens, what is refused, exit codes, an example.
    help: &'static str,
    /// How many positional arguments it takes.
    takes: Takes,
    /// Whether flags end at the first positional argument.
    flags_end: bool,
    /// Adds its flags and arguments.
    define: fn(Command) -> Command,
    /// Does it.
    perform: fn(&ArgMatches, &Scene<'_>) -> anyhow::Result<u8>,
}

/// How many positional arguments a command takes.
#[derive(Clone, Copy)]
enum Takes {
    /// So many.
    Exactly(usize),
    /// That many or more.
    AtLeast(usize),
    /// So many to so many.
    Between(usize, usize),
}

/// Every command, in the order in which a container meets them.
const VERBS: &[Verb] = &[
    create::VERB,
    start::VERB,
    run::VERB,
    exec::VERB,
    state::VERB,
    list::VERB,
    ps::VERB,
    stats::VERB,
    events::VERB,
    pause::VERB,
    resume::VERB,
    update::VERB,
    kill::VERB,
    delete::VERB,
    spec::VERB,
    plan::VERB,
    features::VERB,
];

/// The flags before the command.
#[derive(Args)]
struct Globals {
    /// Directory of the containers' state [default: /run/davit; $XDG_RUNTIME_DIR/davit if not root]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Append errors and warnings to FILE; errors are told on stderr as well
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Format of the log: text or json
    #[arg(long, value_name = "FORMAT", default_value = "text", hide_default_value = true)]
    log_format: String,
    /// Log what is done, step by step
    #[arg(long)]
    debug: bool,
    /// Tell at the end how long each step took: a table, or JSON with --log-format json
    #[arg(long)]
    timings: bool,
    /// Let systemd make the cgroups; the same as --cgroup-manager systemd
    #[arg(long)]
    systemd_cgroup: bool,
    /// Who makes the cgroups: cgroupfs, systemd or disabled [default: cgroupfs]
    #[arg(long, value_name = "MANAGER")]
    cgroup_manager: Option<String>,
    /// Forgive what only root may do: true, false or auto
    #[arg(long, value_name = "WHEN", default_value = "auto", hide_default_value = true)]
    rootless: String,
    /// Accepted and ignored: criu is found in $PATH
    #[arg(long, value_name = "PATH", hide = true)]
    criu: Option<PathBuf>,
    /// Print the version, the commit and the specification's version
    #[arg(long, short = 'v')]
    version: bool,
}

// The words of a command that takes nothing but a container. No doc comment, since clap would make it the command's help.
#[derive(Args)]
#[group(skip)]
struct Named {
    /// Name of the container
    #[arg(value_name = "ID")]
    id: OsString,
}

/// What a command finds around it when it is performed.
struct Scene<'a> {
    globals: &'a Globals,
    log: &'a Log,
}

impl Scene<'_> {
    /// The root directory.
    fn root(&self) -> anyhow::Result<Root> {
        Root::choose(self.globals.root.as_deref())
    }

    /// Who makes the cgroups. The older flag wins, because engines add it to whatever else a user has configured.
    fn cgroup_manager(&self) -> anyhow::Result<CgroupManager> {
        match (self.globals.systemd_cgroup, self.globals.cgroup_manager.as_deref()) {
            (true, _) | (_, Some("systemd")) => Ok(CgroupManager::Systemd),
            (_, Some("disabled")) => Ok(CgroupManager::Disabled),
            (_, Some("cgroupfs") | None) => Ok(CgroupManager::Cgroupfs),
            (_, Some(other)) => bail!("invalid cgroup-manager: {other} (cgroupfs, systemd or disabled)"),
        }
    }

    /// What is forgiven to callers that are not root.
    fn rootless(&self) -> anyhow::Result<Rootless> {
        match self.globals.rootless.as_str() {
            "auto" | "" => Ok(Rootless::Auto),
            "true" | "1" => Ok(Rootless::True),
            "false" | "0" => Ok(Rootless::False),
            other => bail!("invalid rootless: {other} (true, false or auto)"),
        }
    }
}

/// Does what the argument vector says. The exit status and the log in which a failure is to be told.
pub(crate) fn run(mut words: Vec<OsString>) -> (anyhow::Result<u8>, Log) {
    let globals = Globals::augment_args(bare(NAME));
    let first = if argv::is_unusual(&words, 1) || words.len() > 1 { 1 } else { words.len() };
    let at = argv::rewrite(&mut words, first, &globals, false);
    let verb = words.get(at).and_then(|word| VERBS.iter().find(|verb| word == verb.name));
    if let Some(verb) = verb.filter(|_| argv::is_unusual(&words, at + 1)) {
        argv::rewrite(&mut words, at + 1, &(verb.define)(Command::new(verb.name)), !verb.flags_end);
    }
    // The log is opened before the line is judged, so that a wrong line can be told in it.
    let mut log = match open_log(&words[..at]) {
        Ok(log) => log,
        Err(error) => return (Err(error), Log::default()),
    };
    if words[..at].iter().any(|word| word == "--timings") {
        log.time();
    }
    let format = argv::peek(&words[..at], "log-format").unwrap_or(OsStr::new("text"));
    if format.to_str().and_then(Format::named).is_none() {
        return (Err(anyhow::anyhow!("invalid log-format: {}", format.display())), log);
    }
    let result = perform(globals, &words, at, verb, &log);
    log.tell_timings();
    (result, log)
}

/// The log that the flags before the command ask for.
fn open_log(words: &[OsString]) -> anyhow::Result<Log> {
    let format = argv::peek(words, "log-format").and_then(OsStr::to_str).and_then(Format::named);
    let debug = words.iter().any(|word| word == "--debug");
    let path = argv::peek(words, "log").filter(|path| !path.is_empty()).map(Path::new);
    Log::open(path, format.unwrap_or_default(), debug)
}

/// Parses the words, of which the command is at `at`, and performs the command.
fn perform(globals: Command, words: &[OsString], at: usize, verb: Option<&Verb>, log: &Log) -> anyhow::Result<u8> {
    // Of the commands only the one that is meant is described to clap. The whole tree tells what is wrong, and helps.
    let meant = tree(globals, verb.map_or(VERBS, std::slice::from_ref)).try_get_matches_from(words);
    let matches = match meant.or_else(|_| whole().try_get_matches_from(words)) {
        Ok(matches) => matches,
        Err(error) => {
            // What is wrong before the command is no mistake in the command's words.
            let before = usage::flag(&error).is_some_and(|flag| words[..at].iter().any(|word| starts_with(word, flag)));
            return usage::answer(&error, verb.filter(|_| !before));
        }
    };
    let globals = Globals::from_arg_matches(&matches).or_else(|error| usage::refuse(&error, verb))?;
    if globals.version {
        return output::print(&version(words.first())).map(|()| 0);
    }
    log.debug(|| format!("davit {}: {words:?}", env!("CARGO_PKG_VERSION")));
    log.lap("read the command line");
    let scene = Scene { globals: &globals, log };
    match (matches.subcommand(), verb) {
        (Some((_, matches)), Some(verb)) => (verb.perform)(matches, &scene),
        _ => output::print(&whole().render_long_help().to_string()).map(|()| 0),
    }
}

/// Whether a word is that flag, with or without a value.
fn starts_with(word: &OsStr, flag: &str) -> bool {
    word.as_bytes().split(|&byte| byte == b'=').next() == Some(flag.as_bytes())
}

/// The whole command line.
fn whole() -> Command {
    tree(Globals::augment_args(bare(NAME)), VERBS)
}

/// The command line as far as those commands go. What belongs to one command only is defined when that command is used.
fn tree(globals: Command, verbs: &[Verb]) -> Command {
    let top = globals
        .about("Runs containers as the OCI runtime specification describes them, on Linux with cgroup v2")
        .override_usage("davit [OPTIONS] COMMAND [ARGUMENTS]")
        .subcommand_help_heading("Commands")
        .after_help(
            "davit COMMAND --help explains a command.\n\n\
             Exit status: 0 when done; 1 on any error; 255 when a command could not be executed in a container;\n\
             run without --detach: the program's own, or 128 and the signal that killed it.",
        );
    verbs.iter().fold(top, |top, verb| {
        let command = bare(verb.name).about(verb.about).long_about(verb.help).defer(verb.define);
        top.subcommand(command)
    })
}

/// A command with the habits all have in common: a flag given twice counts as given last, as in Go.
fn bare(name: &'static str) -> Command {
    Command::new(name).args_override_self(true).disable_version_flag(true)
}

/// Three lines, only one of which has the word `version` in it: Docker takes the last line that has.
///
/// Under the name `runc` it says so: nerdctl and containerd want the first line to begin with the name they call.
fn version(program: Option<&OsString>) -> String {
    let called = program.and_then(|path| Path::new(path).file_name()).filter(|name| name.as_bytes() == b"runc");
    let name = if called.is_some() { "runc" } else { NAME };
    format!(
        "{name} version {}\ncommit: {}\nspec: {}\n",
        env!("CARGO_PKG_VERSION"),
        option_env!("DAVIT_COMMIT").unwrap_or("unknown"),
        OCI_VERSION
    )
}

/// The words of a command, from what clap found.
fn words<W: FromArgMatches>(matches: &ArgMatches) -> anyhow::Result<W> {
    W::from_arg_matches(matches).or_else(|error| usage::refuse(&error, None))
}

/// An id that can only be text, checked.
fn id(text: &OsStr) -> anyhow::Result<Id> {
    Id::new(&text.to_string_lossy())
}
