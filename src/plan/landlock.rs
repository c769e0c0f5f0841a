//! Compiles the annotation `io.davit.landlock` into Landlock steps: what is denied, the rules that allow some of it, and
//! the entry into the domain. docs/landlock.md has the schema.
//!
//! The ABI version of the kernel decides what can be restricted. In the mode `strict` a restriction that the kernel does
//! not know is a problem, in the mode `best-effort` a warning (kernel documentation, userspace-api/landlock).

use super::{Host, Notes, c_string};
use crate::spec::pointer::Pointer;
use crate::sys::landlock::Handled;
use oci_spec::runtime::Spec;
use serde::Deserialize;
use std::ffi::CString;
use std::fmt;

/// The annotation.
pub(crate) const ANNOTATION: &str = "io.davit.landlock";

/// A Landlock step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Landlock {
    /// Make the ruleset: everything in it is denied unless a rule allows it.
    Ruleset(Handled),
    /// Allow access to a path and everything below. A path that is `optional` may be missing.
    Path { path: CString, access: u64, optional: bool },
    /// Allow access to a TCP port.
    Port { port: u16, access: u64 },
    /// Enter the domain, for good.
    Restrict,
}

/// LANDLOCK_ACCESS_FS_* by bit: the kernel's name, and the first ABI version with it.
const RIGHTS: [(&str, u32); 16] = [
    ("execute", 1),
    ("write_file", 1),
    ("read_file", 1),
    ("read_dir", 1),
    ("remove_dir", 1),
    ("remove_file", 1),
    ("make_char", 1),
    ("make_dir", 1),
    ("make_reg", 1),
    ("make_sock", 1),
    ("make_fifo", 1),
    ("make_block", 1),
    ("make_sym", 1),
    ("refer", 2),
    ("truncate", 3),
    ("ioctl_dev", 5),
];
/// The rights that a rule for a file may have: execute, write_file, read_file, truncate, ioctl_dev.
pub(crate) const FILE_RIGHTS: u64 = 0b1100_0000_0000_0111;
/// `read`: read_file and read_dir.
const READ: u64 = 0b1100;
/// `write`: all that change files or directories.
const WRITE: u64 = 0b0111_1111_1111_0010;

/// LANDLOCK_ACCESS_NET_* by bit.
const NET: [&str; 2] = ["bind_tcp", "connect_tcp"];
const NET_ABI: u32 = 4;
/// LANDLOCK_SCOPE_* by bit.
const SCOPES: [&str; 2] = ["abstract_unix_socket", "signal"];
const SCOPE_ABI: u32 = 6;
/// The newest ABI version whose restrictions are known here.
pub(crate) const NEWEST_ABI: u32 = SCOPE_ABI;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    mode: Mode,
    files: Option<Vec<Files>>,
    tcp: Option<Tcp>,
    #[serde(default)]
    scope: Vec<String>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    #[default]
    Strict,
    BestEffort,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Files {
    paths: Vec<String>,
    access: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tcp {
    #[serde(default)]
    bind: Vec<u16>,
    #[serde(default)]
    connect: Vec<u16>,
}

/// The annotation's text, if the container has it.
pub(crate) fn requested(spec: &Spec) -> Option<&str> {
    spec.annotations().as_ref()?.get(ANNOTATION).map(String::as_str)
}

/// Where the annotation is.
pub(super) fn place() -> Pointer {
    Pointer::of("/annotations").key(ANNOTATION)
}

/// The steps, none without the annotation. Adds every problem of the annotation.
pub(super) fn compile(spec: &Spec, host: &Host, notes: &mut Notes) -> Vec<Landlock> {
    let Some(text) = requested(spec) else { return Vec::new() };
    let at = place();
    match serde_json::from_str::<Document>(text) {
        Ok(document) => Draft { at, abi: host.landlock, mode: document.mode, notes }.steps(&document),
        Err(error) => {
            notes.problems.add(at, format!("is not a Landlock document: {error}"));
            Vec::new()
        }
    }
}

/// A compilation in progress.
struct Draft<'a> {
    at: Pointer,
    /// The ABI version of the kernel.
    abi: u32,
    mode: Mode,
    notes: &'a mut Notes,
}

impl Draft<'_> {
    fn steps(&mut self, document: &Document) -> Vec<Landlock> {
        if document.files.is_none() && document.tcp.is_none() && document.scope.is_empty() {
            self.problem("restricts nothing: it has neither files nor tcp nor scope");
        }
        if self.abi == 0 {
            match self.mode {
                Mode::Strict => self.problem("this kernel has no Landlock (mode best-effort runs without it)"),
                Mode::BestEffort => {
                    self.notes
                        .warnings
                        .push(format!("{}: nothing is restricted: this kernel has no Landlock", self.at));
                }
            }
        }
        let mut handled = Handled::default();
        let mut rules = Vec::new();
        if let Some(files) = &document.files {
            for (bit, (name, since)) in RIGHTS.iter().enumerate() {
                handled.files |= u64::from(self.has(*since, name)) << bit;
            }
            for rule in files {
                let access = self.access(&rule.access) & handled.files;
                rules.extend(rule.paths.iter().filter_map(|path| self.path(path, access)));
            }
        }
        if let Some(tcp) = &document.tcp {
            for (bit, (name, ports)) in NET.iter().zip([&tcp.bind, &tcp.connect]).enumerate() {
                let access = u64::from(self.has(NET_ABI, name)) << bit;
                handled.net |= access;
                rules.extend(ports.iter().filter(|_| access != 0).map(|port| Landlock::Port { port: *port, access }));
            }
        }
        for name in &document.scope {
            match SCOPES.iter().position(|known| known == name) {
                Some(bit) => handled.scope |= u64::from(self.has(SCOPE_ABI, name)) << bit,
                None => self.problem(format!("scope: {name:?} is unknown; expected {}", SCOPES.join(" or "))),
            }
        }
        if handled == Handled::default() {
            return Vec::new();
        }
        let mut steps = vec![Landlock::Ruleset(handled)];
        steps.append(&mut rules);
        steps.push(Landlock::Restrict);
        steps
    }

    fn problem(&mut self, what: impl Into<String>) {
        self.notes.problems.add(self.at.clone(), what);
    }

    /// Whether the kernel can restrict something that came with an ABI version. If not, that is reported.
    fn has(&mut self, since: u32, name: &str) -> bool {
        // A kernel without Landlock is reported once.
        if self.abi >= since || self.abi == 0 {
            return self.abi >= since;
        }
        let has = format!("this kernel has Landlock ABI {}, and {name} needs {since}", self.abi);
        match self.mode {
            Mode::Strict => self.problem(format!("cannot restrict {name}: {has} (mode best-effort runs without it)")),
            Mode::BestEffort => self.notes.warnings.push(format!("{}: {name} is not restricted: {has}", self.at)),
        }
        false
    }

    fn access(&mut self, names: &[String]) -> u64 {
        let mut access = 0;
        for name in names {
            access |= match (name.as_str(), RIGHTS.iter().position(|(known, _)| known == name)) {
                ("read", _) => READ,
                ("write", _) => WRITE,
                (_, Some(bit)) => 1 << bit,
                (_, None) => {
                    let known: Vec<_> = RIGHTS.iter().map(|(name, _)| *name).collect();
                    self.problem(format!("access: {name:?} is unknown; expected read, write or {}", known.join(", ")));
                    0
                }
            };
        }
        access
    }

    /// The rule for a path, if it allows anything on this kernel.
    fn path(&mut self, path: &str, access: u64) -> Option<Landlock> {
        if !path.starts_with('/') {
            self.problem(format!("paths: {path:?} is relative; it must be absolute"));
        }
        let path = c_string(path, &self.at, &mut self.notes.problems);
        (access != 0).then_some(Landlock::Path { path, access, optional: self.mode == Mode::BestEffort })
    }
}

/// The names of the bits.
fn names<'a>(mask: u64, all: impl Iterator<Item = &'a str>) -> String {
    let has = all.enumerate().filter(|(bit, _)| mask >> bit & 1 == 1).map(|(_, name)| name);
    has.collect::<Vec<_>>().join(" ")
}

impl fmt::Display for Landlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rights = || RIGHTS.iter().map(|(name, _)| *name);
        match self {
            Landlock::Ruleset(handled) => {
                f.write_str("make a Landlock ruleset that denies")?;
                for (mask, text) in [
                    (handled.files, names(handled.files, rights())),
                    (handled.net, names(handled.net, NET.into_iter())),
                    (handled.scope, names(handled.scope, SCOPES.into_iter())),
                ] {
                    if mask != 0 {
                        write!(f, " {text}")?;
                    }
                }
                Ok(())
            }
            Landlock::Path { path, access, .. } => {
                write!(f, "allow {} below {}", names(*access, rights()), path.to_string_lossy())
            }
            Landlock::Port { port, access } => write!(f, "allow {} to port {port}", names(*access, NET.into_iter())),
            Landlock::Restrict => f.write_str("enter the Landlock domain"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::compile;
    use crate::plan::{Host, Notes};
    use oci_spec::runtime::Spec;

    /// Steps, problems and warnings, one per line.
    fn compiled(text: &str, landlock: u32) -> (String, String, String) {
        let mut spec = Spec::default();
        spec.set_annotations(Some([(super::ANNOTATION.to_owned(), text.to_owned())].into()));
        let mut notes = Notes::default();
        let steps = compile(&spec, &Host { landlock, ..Host::default() }, &mut notes);
        let steps: Vec<_> = steps.iter().map(ToString::to_string).collect();
        let problems: Vec<_> = notes.problems.iter().map(|problem| problem.what.clone()).collect();
        (steps.join("\n"), problems.join("\n"), notes.warnings.join("\n"))
    }

    #[test]
    fn rules_become_steps() {
        let text = r#"{"files": [{"paths": ["/usr", "/etc/x"], "access": ["read", "execute"]}],
                       "tcp": {"connect": [443]}, "scope": ["signal"]}"#;
        let (steps, problems, warnings) = compiled(text, 6);
        let wanted =
            "make a Landlock ruleset that denies execute write_file read_file read_dir remove_dir remove_file \
             make_char make_dir make_reg make_sock make_fifo make_block make_sym refer truncate ioctl_dev bind_tcp \
             connect_tcp signal
allow execute read_file read_dir below /usr
allow execute read_file read_dir below /etc/x
allow connect_tcp to port 443
enter the Landlock domain";
        assert_eq!((steps.as_str(), problems.as_str(), warnings.as_str()), (wanted, "", ""));
    }

    #[test]
    fn an_older_kernel_is_a_problem_or_a_warning() {
        let text = |mode: &str| format!(r#"{{"mode": "{mode}", "files": [], "tcp": {{"bind": [80]}}}}"#);
        let (steps, problems, warnings) = compiled(&text("strict"), 4);
        assert!(steps.contains("allow bind_tcp to port 80") && warnings.is_empty(), "{warnings}");
        let wanted = "cannot restrict ioctl_dev: this kernel has Landlock ABI 4, and ioctl_dev needs 5 (mode \
                      best-effort runs without it)";
        assert_eq!(problems, wanted);
        let (steps, problems, warnings) = compiled(&text("best-effort"), 2);
        assert!(!steps.contains("truncate") && !steps.contains("port"), "{steps}");
        assert_eq!((problems.as_str(), warnings.lines().count()), ("", 4), "{warnings}");
        let (steps, problems, warnings) = compiled(&text("best-effort"), 0);
        assert_eq!((steps.as_str(), problems.as_str()), ("", ""));
        assert!(warnings.ends_with(": nothing is restricted: this kernel has no Landlock"), "{warnings}");
        assert_eq!(compiled(&text("strict"), 0).1, "this kernel has no Landlock (mode best-effort runs without it)");
    }

    #[test]
    fn what_cannot_be_honoured_is_a_problem() {
        for (text, wanted) in [
            ("", "is not a Landlock document: EOF while parsing a value at line 1 column 0"),
            ("{}", "restricts nothing: it has neither files nor tcp nor scope"),
            (r#"{"files": [], "paths": []}"#, "unknown field `paths`"),
            (r#"{"files": [{"paths": ["usr"], "access": []}]}"#, "paths: \"usr\" is relative; it must be absolute"),
            (
                r#"{"files": [{"paths": [], "access": ["rw"]}]}"#,
                "access: \"rw\" is unknown; expected read, write or execute",
            ),
            (r#"{"tcp": {"bind": [65536]}}"#, "invalid value: integer `65536`"),
            (r#"{"scope": ["pid"]}"#, "scope: \"pid\" is unknown; expected abstract_unix_socket or signal"),
            (r#"{"mode": "lax", "files": []}"#, "unknown variant `lax`"),
        ] {
            // The host changes nothing about a mistake.
            for landlock in [0, 6] {
                let (_, problems, _) = compiled(text, landlock);
                assert!(problems.contains(wanted), "{text}: {problems}");
            }
        }
    }
}
