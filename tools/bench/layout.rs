//! Finds the functions of a static program that everyday commands execute, and prints them as input sections for the
//! linker.
//!
//! Runs the commands from a copy of the program with a breakpoint at the start of each function. The addresses come
//! from the linker's map (lld). This module does not know what the functions do.
#![expect(clippy::disallowed_methods, reason = "a command has to stand by until it is followed")]

use super::Options;
use super::runtime::Runtime;
use super::spawn::Spawner;
use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::sys::ptrace::{self, Options as Follow};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

/// `int3` of x86.
const BREAKPOINT: u8 = 0xcc;

/// The address range and name of an input section.
struct Section {
    start: u64,
    end: u64,
    file: String,
    name: String,
}

/// The sections that the linker places together: those that most commands execute first, then in order of execution.
pub(crate) fn hot_sections(options: &Options, map: &Path) -> Result<String> {
    let (name, path) = &options.runtimes[0];
    let spawner = Spawner::new(&options.work);
    let runtime = Runtime::new(&spawner, options, name, path)?;
    let text = fs::read_to_string(map).with_context(|| format!("reading {}", map.display()))?;
    let sections = sections(&text);
    let program = Instrumented::new(path, &functions(&text, &sections), &options.work)?;
    // For each section: how many commands execute it, and its position in the first of them.
    let mut used: BTreeMap<usize, (u32, usize)> = BTreeMap::new();
    runtime.turn_by(&mut |words| {
        let words = [&[program.copy.as_str()], &words[1..]].concat();
        let executed = program.execute_apart(&words)?;
        let mut met = BTreeSet::new();
        for index in executed.iter().filter_map(|address| section_at(&sections, *address)) {
            if met.insert(index) {
                let order = used.len();
                used.entry(index).or_insert((0, order)).0 += 1;
            }
        }
        Ok(Duration::ZERO)
    })?;
    ensure!(!used.is_empty(), "{} says nothing of what {path} has executed", map.display());
    let mut used: Vec<_> = used.into_iter().collect();
    used.sort_by_key(|(_, (commands, order))| (Reverse(*commands), *order));
    let (mut text, mut seen) = (String::new(), BTreeSet::new());
    for pattern in used.iter().filter_map(|(index, _)| pattern(&sections[*index])) {
        if seen.insert(pattern.clone()) {
            writeln!(text, "{pattern}")?;
        }
    }
    Ok(text)
}

/// The sections of code in a map of lld: address, address in memory, size, alignment, and `FILE:(SECTION)`.
fn sections(map: &str) -> Vec<Section> {
    let mut all: Vec<_> = map.lines().filter_map(section).collect();
    all.sort_by_key(|section| section.start);
    all
}

fn section(line: &str) -> Option<Section> {
    let (head, name) = line.strip_suffix(')')?.rsplit_once(":(")?;
    let (start, size, file) = row(head)?;
    (size > 0 && name.starts_with(".text")).then(|| Section { start, end: start + size, file, name: name.to_owned() })
}

/// Address, size and the rest of a row.
fn row(line: &str) -> Option<(u64, u64, String)> {
    let mut words = line.split_whitespace();
    let mut number = || u64::from_str_radix(words.next()?, 16).ok();
    let (address, _, size, _) = (number()?, number()?, number()?, number()?);
    Some((address, size, words.collect::<Vec<_>>().join(" ")))
}

/// The start addresses of functions: symbols with a size, in a code section.
fn functions(map: &str, sections: &[Section]) -> BTreeSet<u64> {
    let rows = map.lines().filter(|line| !line.ends_with(')')).filter_map(row);
    rows.filter(|(address, size, _)| *size > 0 && section_at(sections, *address).is_some())
        .map(|(address, _, _)| address)
        .collect()
}

fn section_at(sections: &[Section], address: u64) -> Option<usize> {
    let index = sections.partition_point(|section| section.end <= address);
    sections.get(index).is_some_and(|section| section.start <= address).then_some(index)
}

/// The linker script pattern for a section. The hashes in Rust's symbol names depend on the compilation, so they are
/// wildcards.
fn pattern(section: &Section) -> Option<String> {
    let symbol = section.name.strip_prefix(".text.").unwrap_or_default();
    let symbol = symbol.strip_prefix("unlikely.").unwrap_or(symbol);
    if symbol.starts_with("_ZN") {
        let (name, _) = section.name.rsplit_once("17h")?;
        return Some(format!("*({name}17h*)"));
    }
    if symbol.starts_with("_R") {
        return Some(format!("*({})", without_crate_hashes(&section.name)));
    }
    // For other languages, select whole object files.
    let (archive, object) = match section.file.strip_suffix(')').and_then(|file| file.rsplit_once('(')) {
        Some((archive, object)) => (format!("{}:", base(archive)), object),
        None => (String::new(), base(&section.file)),
    };
    Some(format!("*{archive}{object}(.text .text.*)"))
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Replaces `Cs…_`, the crate hash, in a v0-mangled name by a wildcard.
fn without_crate_hashes(name: &str) -> String {
    let mut parts = name.split("Cs");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('_') {
            Some((hash, rest)) if hash.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                text = text + "Cs*_" + rest;
            }
            _ => text = text + "Cs" + part,
        }
    }
    text
}

/// A copy of a program with a breakpoint at each function.
struct Instrumented {
    copy: String,
    /// The original first byte of each function, by address in the file.
    first: BTreeMap<u64, u8>,
}

impl Instrumented {
    fn new(program: &str, functions: &BTreeSet<u64>, work: &Path) -> Result<Self> {
        let mut image = fs::read(program).with_context(|| format!("reading {program}"))?;
        let segments = segments(&image).with_context(|| format!("{program} is no ELF program of 64 bits"))?;
        let mut first = BTreeMap::new();
        for address in functions {
            let Some(segment) = segments.iter().find(|one| (one.start..one.end).contains(address)) else { continue };
            let place = usize::try_from(address - segment.start + segment.offset)?;
            let byte = image.get_mut(place).context("a segment beyond the end of the file")?;
            first.insert(*address, std::mem::replace(byte, BREAKPOINT));
        }
        let copy = work.join("instrumented");
        fs::write(&copy, image)?;
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755))?;
        Ok(Self { copy: copy.display().to_string(), first })
    }

    /// Executes in a thread of its own, which waits only for its tracees. The process waits for containers that outlive
    /// their command.
    fn execute_apart(&self, words: &[&str]) -> Result<Vec<u64>> {
        let done = thread::scope(|scope| scope.spawn(|| self.execute(words)).join());
        done.unwrap_or_else(|_| bail!("following `{}` went wrong", words.join(" ")))
    }

    /// The file addresses of all functions that the command and its children entered, in order. Detaches from processes
    /// that execute another program, and at the end from those that outlive the command.
    fn execute(&self, words: &[&str]) -> Result<Vec<u64>> {
        // The process waits until it is traced.
        let mut child = Command::new("sh")
            .args(["-c", "read _; exec \"$@\"", "sh"])
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        let main = Pid::from_raw(i32::try_from(child.id())?);
        let events = Follow::PTRACE_O_TRACECLONE | Follow::PTRACE_O_TRACEFORK | Follow::PTRACE_O_TRACEVFORK;
        ptrace::seize(main, events | Follow::PTRACE_O_TRACEEXEC | Follow::PTRACE_O_EXITKILL)
            .context("seize the command")?;
        drop(child.stdin.take());
        let (mut base, mut entered) = (None, Vec::new());
        let mut followed = BTreeSet::from([main]);
        let status = loop {
            let status = waitpid(None, Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD))?;
            let Some(pid) = status.pid() else { continue };
            followed.insert(pid);
            let signal = match status {
                WaitStatus::Exited(..) | WaitStatus::Signaled(..) => {
                    followed.remove(&pid);
                    if pid == main {
                        break status;
                    }
                    continue;
                }
                WaitStatus::PtraceEvent(_, _, libc::PTRACE_EVENT_EXEC) => match (base, start_of(pid, words[0])?) {
                    (None, start) => {
                        base = start;
                        None
                    }
                    (Some(_), _) => {
                        followed.remove(&pid);
                        go(ptrace::detach(pid, None))?;
                        continue;
                    }
                },
                WaitStatus::Stopped(_, Signal::SIGTRAP) => {
                    entered.extend(self.pass(pid, base.context("a breakpoint of the shell's")?)?);
                    None
                }
                WaitStatus::Stopped(_, signal) => Some(signal),
                _ => None,
            };
            go(ptrace::cont(pid, signal))?;
        };
        for pid in followed {
            self.detach(pid, base.unwrap_or_default())?;
        }
        match status {
            WaitStatus::Exited(_, 0) => Ok(entered),
            status => bail!("`{}` ended with {status:?}", words.join(" ")),
        }
    }

    /// Resets the process to the function whose breakpoint it hit, and returns that function.
    fn pass(&self, pid: Pid, base: u64) -> Result<Option<u64>> {
        let Some(at) = step_back(pid)? else { return Ok(None) };
        let function = at.wrapping_sub(base);
        let first = self.first.get(&function).context("a breakpoint of somebody else's")?;
        memory_of(pid)?.write_all_at(&[*first], at)?;
        Ok(Some(function))
    }

    /// Removes the remaining breakpoints and detaches from the process.
    fn detach(&self, pid: Pid, base: u64) -> Result<()> {
        go(ptrace::interrupt(pid))?;
        match waitpid(pid, Some(WaitPidFlag::__WALL)) {
            Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) | Err(Errno::ECHILD) => return Ok(()),
            // The process may have hit a breakpoint before it was stopped.
            Ok(WaitStatus::Stopped(_, Signal::SIGTRAP)) => self.pass(pid, base).map(drop)?,
            _ => (),
        }
        let memory = memory_of(pid)?;
        for (address, first) in &self.first {
            memory.write_all_at(&[*first], base + address)?;
        }
        go(ptrace::detach(pid, None))
    }
}

fn memory_of(pid: Pid) -> Result<fs::File> {
    let path = format!("/proc/{pid}/mem");
    fs::File::options().write(true).open(&path).with_context(|| format!("open {path}"))
}

/// The position of a program segment in memory and in the file.
struct Segment {
    start: u64,
    end: u64,
    offset: u64,
}

/// The program headers of an ELF file of 64 bits (elf(5)).
fn segments(image: &[u8]) -> Option<Vec<Segment>> {
    let number = |at: usize, size: usize| {
        let bytes = image.get(at..at + size)?;
        Some(bytes.iter().rev().fold(0, |number: u64, byte| number << 8 | u64::from(*byte)))
    };
    if !image.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let (table, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    let segment = |index: u64| {
        let at = usize::try_from(table + index * size).ok()?;
        let (offset, start, length) = (number(at + 8, 8)?, number(at + 16, 8)?, number(at + 32, 8)?);
        Some(Segment { start, end: start + length, offset })
    };
    (0..count).map(segment).collect()
}

/// Moves a process back to the breakpoint that it has executed. `None` if the process has exited.
#[cfg(target_arch = "x86_64")]
fn step_back(pid: Pid) -> Result<Option<u64>> {
    let Ok(mut registers) = ptrace::getregs(pid) else { return Ok(None) };
    registers.rip -= 1;
    go(ptrace::setregs(pid, registers))?;
    Ok(Some(registers.rip))
}

/// Not supported: the layout is generated only on the architecture that releases are built on.
#[cfg(not(target_arch = "x86_64"))]
fn step_back(_: Pid) -> Result<Option<u64>> {
    bail!("breakpoints are those of x86-64")
}

/// Ignores ESRCH: the process was killed, and the next wait reports its exit.
fn go(done: nix::Result<()>) -> Result<()> {
    match done {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// The load address of the program, if the process executes it.
fn start_of(pid: Pid, program: &str) -> Result<Option<u64>> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let Some(line) = maps.lines().find(|line| line.ends_with(program)) else { return Ok(None) };
    let (start, _) = line.split_once('-').context("a line of /proc/PID/maps")?;
    Ok(Some(u64::from_str_radix(start, 16)?))
}
