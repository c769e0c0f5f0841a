//! The command line.
//!
//! Each command is one small file: its arguments, its `--help` text, the call of `container` and the output.
//! Deliberately does not know how a command is carried out, and never prints an error: `main` does.

mod argv;
mod checkpoint;
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
mod restore;
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
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{ArgMatches, Args, Command, FromArgMatches};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The program's name in every text.
const NAME: &str = "davit";

/// One command.
struct Verb {
    /// Its name.
    name: &'static str,
    /// What it does, on one line of the list of commands.
    about: &'static str,
    /// The text of `--help`: what happens, what is refused, exit codes, an example.
    help: &'static str,
    /// How many positional arguments it takes.
    takes: Takes,
    /// Whether flags end at the first positional argument.
    flags_end: bool,
    /// Defines its flags and arguments.
    define: fn(Command) -> Command,
    /// Runs it.
    perform: fn(&ArgMatches, &Scene<'_>) -> anyhow::Result<u8>,
}

/// How many positional arguments a command takes.
#[derive(Clone, Copy)]
enum Takes {
    /// Exactly this many.
    Exactly(usize),
    /// This many or more.
    AtLeast(usize),
    /// From the first number to the second.
    Between(usize, usize),
}

/// Every command, in the order of a container's life cycle.
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
    checkpoint::VERB,
    restore::VERB,
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
    /// Append errors and warnings to FILE; errors are printed on stderr as well
    #[arg(long, value_name = "FILE", value_parser = paths())]
    log: Option<PathBuf>,
    /// Format of the log: text or json
    #[arg(long, value_name = "FORMAT", default_value = "text", hide_default_value = true)]
    log_format: String,
    /// Log each step
    #[arg(long)]
    debug: bool,
    /// Report how long each step took: as a table, or as JSON with --log-format json
    #[arg(long)]
    timings: bool,
    /// Let systemd create the cgroups; the same as --cgroup-manager systemd
    #[arg(long)]
    systemd_cgroup: bool,
    /// How cgroups are created: cgroupfs, systemd or disabled [default: cgroupfs]
    #[arg(long, value_name = "MANAGER")]
    cgroup_manager: Option<String>,
    /// Ignore failures of operations that need root: true, false or auto
    #[arg(long, value_name = "WHEN", default_value = "auto", hide_default_value = true)]
    rootless: String,
    /// Accepted and ignored: criu is found in $PATH
    #[arg(long, value_name = "PATH", hide = true, value_parser = paths())]
    criu: Option<PathBuf>,
    /// Print the version, the commit and the specification's version
    #[arg(long, short = 'v')]
    version: bool,
}

// The arguments of a command that takes only a container. No doc comment, since clap would make it the command's help.
#[derive(Args)]
#[group(skip)]
struct Named {
    /// Name of the container
    #[arg(value_name = "ID")]
    id: OsString,
}

/// What every command has access to.
struct Scene<'a> {
    globals: &'a Globals,
    log: &'a Log,
}

impl Scene<'_> {
    /// The root directory.
    fn root(&self) -> anyhow::Result<Root> {
        Root::choose(self.globals.root.as_deref())
    }

    /// How cgroups are created. The older flag wins, because engines add it to whatever else a user has configured.
    fn cgroup_manager(&self) -> anyhow::Result<CgroupManager> {
        match (self.globals.systemd_cgroup, self.globals.cgroup_manager.as_deref()) {
            (true, _) | (_, Some("systemd")) => Ok(CgroupManager::Systemd),
            (_, Some("disabled")) => Ok(CgroupManager::Disabled),
            (_, Some("cgroupfs") | None) => Ok(CgroupManager::Cgroupfs),
            (_, Some(other)) => bail!("invalid cgroup-manager: {other} (cgroupfs, systemd or disabled)"),
        }
    }

    /// Whether failures of operations that need root are ignored.
    fn rootless(&self) -> anyhow::Result<Rootless> {
        match self.globals.rootless.as_str() {
            "auto" | "" => Ok(Rootless::Auto),
            "true" | "1" => Ok(Rootless::True),
            "false" | "0" => Ok(Rootless::False),
            other => bail!("invalid rootless: {other} (true, false or auto)"),
        }
    }
}

/// Runs the command of the argument vector. Returns the exit status and the log that a failure is written to.
pub(crate) fn run(mut words: Vec<OsString>) -> (anyhow::Result<u8>, Log) {
    let globals = Globals::augment_args(bare(NAME));
    let first = if argv::is_unusual(&words, 1) || words.len() > 1 { 1 } else { words.len() };
    let at = argv::rewrite(&mut words, first, &globals, false);
    let verb = words.get(at).and_then(|word| VERBS.iter().find(|verb| word == verb.name));
    if let Some(verb) = verb.filter(|_| argv::is_unusual(&words, at + 1)) {
        argv::rewrite(&mut words, at + 1, &(verb.define)(Command::new(verb.name)), !verb.flags_end);
    }
    // The log is opened before the line is parsed, so that an error in the line can be logged.
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
    if let Ok(code) = &result {
        log.debug(|| format!("end: exit status {code}"));
    }
    log.write_timings();
    (result, log)
}

/// Opens the log that the flags before the command configure.
fn open_log(words: &[OsString]) -> anyhow::Result<Log> {
    let format = argv::peek(words, "log-format").and_then(OsStr::to_str).and_then(Format::named);
    let debug = words.iter().any(|word| word == "--debug");
    let path = argv::peek(words, "log").filter(|path| !path.is_empty()).map(Path::new);
    Log::open(path, format.unwrap_or_default(), debug)
}

/// Parses the words, with the command at index `at`, and runs the command.
fn perform(globals: Command, words: &[OsString], at: usize, verb: Option<&Verb>, log: &Log) -> anyhow::Result<u8> {
    // clap first gets only the command in use, which is faster. Errors and help need the whole tree.
    let meant = tree(globals, verb.map_or(VERBS, std::slice::from_ref)).try_get_matches_from(words);
    let matches = match meant.or_else(|_| whole().try_get_matches_from(words)) {
        Ok(matches) => matches,
        Err(error) => {
            // An error in the flags before the command does not concern the command.
            let before = usage::flag(&error).is_some_and(|flag| words[..at].iter().any(|word| starts_with(word, flag)));
            return usage::answer(&error, verb.filter(|_| !before));
        }
    };
    let globals = Globals::from_arg_matches(&matches).or_else(|error| usage::refuse(&error, verb))?;
    if globals.version {
        return output::print(&version(words.first())).map(|()| 0);
    }
    log.debug(|| match crate::container::runs_from_copy() {
        true => "continue in a copy of the executable in memory".to_owned(),
        false => format!("davit {}: {:?}", env!("CARGO_PKG_VERSION"), argv::without_values(words)),
    });
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

/// The command line with only those commands. A command's own arguments are defined when it is used.
fn tree(globals: Command, verbs: &[Verb]) -> Command {
    let top = globals
        .about("Runs containers as the OCI runtime specification describes them, on Linux with cgroup v2")
        .override_usage("davit [OPTIONS] COMMAND [ARGUMENTS]")
        .subcommand_help_heading("Commands")
        .after_help(
            "davit COMMAND --help explains a command.\n\n\
             Exit status: 0 on success; 1 on any error; 255 when a command could not be executed in a container;\n\
             run without --detach: the program's own, or 128 and the signal that killed it.",
        );
    verbs.iter().fold(top, |top, verb| {
        let command = bare(verb.name).about(verb.about).long_about(verb.help).defer(verb.define);
        top.subcommand(command)
    })
}

/// A command with the settings all have in common: of a flag given twice the last counts, as in Go.
fn bare(name: &'static str) -> Command {
    Command::new(name).args_override_self(true).disable_version_flag(true)
}

/// Three lines, only one of which contains the word `version`: Docker uses the last line that does.
///
/// When called as `runc`, the first line begins with `runc`: nerdctl and containerd expect the name they called.
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

/// Parses a path. Accepts the empty one, which clap refuses: to runc, which scripts are written for, it means that the
/// flag is not given.
fn paths() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// A command's arguments as parsed by clap.
fn words<W: FromArgMatches>(matches: &ArgMatches) -> anyhow::Result<W> {
    W::from_arg_matches(matches).or_else(|error| usage::refuse(&error, None))
}

/// Validates an id.
fn id(text: &OsStr) -> anyhow::Result<Id> {
    Id::new(&text.to_string_lossy())
}
