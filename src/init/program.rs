//! Finds the program and executes it. Error texts are left to `launch::explain`.

use super::{Broken, Init, broken};
use crate::channel::{Cause, OUTPUT, Part};
use crate::sys::{Errno, path, program};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};

/// How much of an executable file the kernel reads to recognise its format (BINPRM_BUF_SIZE).
const HEAD: usize = 256;

impl Init<'_> {
    /// Resolves `args[0]` as execvp(3) does, with the program's own PATH and rights. Each reason has its own `Part`,
    /// because engines map the texts to the exit codes 126 and 127.
    pub(super) fn find_program(&mut self) -> Result<(), Broken> {
        let name = self.plan.program.arguments.first().map_or(c"", CString::as_c_str);
        if name.is_empty() {
            return Err(broken(Part::NotInPath, Errno::ENOENT));
        }
        if name.to_bytes().contains(&b'/') {
            may_execute(name).map_err(|(part, errno)| broken(part, errno))?;
            self.program = Some(name.to_owned());
            return Ok(());
        }
        let mut forbidden = None;
        for directory in &self.plan.program.search {
            let candidate = join(directory, name);
            match may_execute(&candidate) {
                Ok(()) => {
                    self.program = Some(candidate);
                    return Ok(());
                }
                Err((Part::NotPermitted, errno)) => forbidden = Some(errno),
                Err(_) => (),
            }
        }
        Err(forbidden.map_or(broken(Part::NotInPath, Errno::ENOENT), |errno| broken(Part::NotPermitted, errno)))
    }

    pub(super) fn execute(&mut self) -> Result<(), Broken> {
        let path = self.program.as_deref().unwrap_or(c"");
        self.inputs.channel.executing()?;
        let errno = program::execute(path, &self.inputs.arguments, &self.inputs.environment);
        Err(match errno {
            Errno::ENOENT | Errno::ENOEXEC | Errno::EACCES => reason(path, errno).unwrap_or_else(|| errno.into()),
            errno => errno.into(),
        })
    }
}

/// Finds what execve(2) does not report: the missing file, or why the format is unknown. `None` if the file does not
/// show it or cannot be read.
fn reason(path: &CStr, errno: Errno) -> Option<Broken> {
    let file = path::open_following_links(path, libc::O_RDONLY | libc::O_NONBLOCK).ok()?;
    let mut head = [0; HEAD];
    let length = program::read_at(file.as_fd(), &mut head, 0).ok()?;
    let head = &head[..length];
    if let Some(line) = head.strip_prefix(b"#!") {
        let line = line.split(|byte| *byte == b'\n').next()?;
        let word = line.trim_ascii_start().split(|byte| matches!(byte, b' ' | b'\t' | 0)).next()?;
        return named(Part::Interpreter, word, errno);
    }
    match elf(head) {
        None if errno == Errno::ENOEXEC => Some(broken(Part::Format, errno)),
        None => None,
        Some(machine) if machine != elf_of_this_machine() => (errno == Errno::ENOEXEC).then(|| Broken {
            part: Part::Whole,
            cause: Cause::Machine(machine),
            output: Vec::new(),
        }),
        Some(_) => loader(&file, head).and_then(|name| named(Part::Loader, &name, errno)),
    }
}

/// A failure that names this file, which execve could not use; `None` if the file exists and may be executed.
fn named(part: Part, name: &[u8], errno: Errno) -> Option<Broken> {
    let path = CString::new(name).ok()?;
    match may_execute(&path) {
        Ok(()) => None,
        Err(_) => Some(Broken { part, cause: errno.into(), output: name[..name.len().min(OUTPUT)].to_vec() }),
    }
}

/// `e_machine` of an ELF file in this machine's byte order and word size.
fn elf(head: &[u8]) -> Option<u16> {
    let machine = [*head.get(18)?, *head.get(19)?];
    head.starts_with(b"\x7fELF").then(|| match head[5] {
        2 => u16::from_be_bytes(machine),
        _ => u16::from_le_bytes(machine),
    })
}

fn elf_of_this_machine() -> u16 {
    if cfg!(target_arch = "x86_64") { libc::EM_X86_64 } else { libc::EM_AARCH64 }
}

/// The path in the PT_INTERP segment of a 64-bit ELF file.
fn loader(file: &OwnedFd, head: &[u8]) -> Option<Vec<u8>> {
    let number = |bytes: &[u8], at: usize, length: usize| -> Option<u64> {
        let mut number = [0; 8];
        number[..length].copy_from_slice(bytes.get(at..at + length)?);
        Some(u64::from_le_bytes(number))
    };
    let (offset, size, count) = (number(head, 32, 8)?, number(head, 54, 2)?, number(head, 56, 2)?);
    for index in 0..count.min(64) {
        let mut entry = [0; 56];
        let at = offset.checked_add(index * size)?;
        if program::read_at(file.as_fd(), &mut entry, at).ok()? < entry.len() {
            return None;
        }
        if number(&entry, 0, 4)? != u64::from(libc::PT_INTERP) {
            continue;
        }
        let mut name = [0; HEAD];
        let length = (number(&entry, 32, 8)? as usize).min(HEAD);
        let read = program::read_at(file.as_fd(), &mut name[..length], number(&entry, 8, 8)?).ok()?;
        return name[..read].split(|byte| *byte == 0).next().map(<[u8]>::to_vec);
    }
    None
}

fn may_execute(path: &CStr) -> Result<(), (Part, Errno)> {
    let status = program::status(path).map_err(|errno| match errno {
        Errno::EACCES => (Part::NotPermitted, errno),
        _ => (Part::NoSuchFile, errno),
    })?;
    if status.st_mode & libc::S_IFMT == libc::S_IFDIR {
        return Err((Part::IsDirectory, Errno::EACCES));
    }
    program::may_execute(path).map_err(|errno| (Part::NotPermitted, errno))
}

/// Joins a PATH directory and a name; an empty directory means the working directory.
fn join(directory: &CStr, name: &CStr) -> CString {
    let mut path = directory.to_bytes().to_vec();
    if path.is_empty() {
        path.push(b'.');
    }
    path.push(b'/');
    path.extend_from_slice(name.to_bytes());
    CString::new(path).unwrap_or_default()
}
