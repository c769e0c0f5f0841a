//! Finds the program and executes it.
//!
//! The text of its errors is written in `launch::explain`; this module only reports which case it is.

use super::{Init, StepError, step_error};
use crate::channel::{Cause, OUTPUT, Part};
use crate::sys::{Errno, executable, path, program};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};

/// Number of bytes that the kernel reads from a file to execute (BINPRM_BUF_SIZE).
const HEAD_SIZE: usize = 256;

impl Init<'_> {
    /// Resolves `args[0]` as execvp(3) does, with the program's own PATH and rights. Distinguishes the reasons of a
    /// failure, because engines map them to the exit codes 126 and 127.
    pub(super) fn find_program(&mut self) -> Result<(), StepError> {
        let name = self.plan.program.arguments.first().map_or(c"", CString::as_c_str);
        if name.is_empty() {
            return Err(step_error(Part::NotInPath, Errno::ENOENT));
        }
        if name.to_bytes().contains(&b'/') {
            may_execute(name).map_err(|(part, errno)| step_error(part, errno))?;
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
        Err(forbidden.map_or(step_error(Part::NotInPath, Errno::ENOENT), |errno| step_error(Part::NotPermitted, errno)))
    }

    pub(super) fn execute(&mut self) -> Result<(), StepError> {
        let path = self.program.as_deref().unwrap_or(c"");
        self.inputs.channel.executing()?;
        let errno = program::execute(path, &self.inputs.arguments, &self.inputs.environment);
        Err(match errno {
            Errno::ENOENT | Errno::ENOEXEC | Errno::EACCES => {
                explain_exec_error(path, errno).unwrap_or_else(|| errno.into())
            }
            errno => errno.into(),
        })
    }
}

/// Explains an execve(2) error: which file was missing, or why the format was not recognised. `None` if the file gives
/// no explanation or cannot be read.
fn explain_exec_error(path: &CStr, errno: Errno) -> Option<StepError> {
    let file = path::open_following_links(path, libc::O_RDONLY | libc::O_NONBLOCK).ok()?;
    let mut head = [0; HEAD_SIZE];
    let length = program::read_at(file.as_fd(), &mut head, 0).ok()?;
    let head = &head[..length];
    if let Some(line) = head.strip_prefix(b"#!") {
        let line = line.split(|byte| *byte == b'\n').next()?;
        let word = line.trim_ascii_start().split(|byte| matches!(byte, b' ' | b'\t' | 0)).next()?;
        return missing_file(Part::Interpreter, word, errno);
    }
    match Elf::new(head) {
        None if errno == Errno::ENOEXEC => Some(step_error(Part::Format, errno)),
        None => None,
        Some(elf) if errno == Errno::ENOEXEC && Some(elf) != Elf::new(&executable::own_identity()) => {
            Some(StepError { part: Part::Whole, cause: Cause::Machine(elf.machine), output: Vec::new() })
        }
        Some(elf) => elf.loader(&file, head).and_then(|name| missing_file(Part::Loader, &name, errno)),
    }
}

/// An error that names the file that execve needed. `None` if that file exists and may be executed.
fn missing_file(part: Part, name: &[u8], errno: Errno) -> Option<StepError> {
    let path = CString::new(name).ok()?;
    match may_execute(&path) {
        Ok(()) => None,
        Err(_) => Some(StepError { part, cause: errno.into(), output: name[..name.len().min(OUTPUT)].to_vec() }),
    }
}

/// The fields of an ELF file that tell how to read it (elf(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Elf {
    /// 64-bit offsets and addresses.
    wide: bool,
    big_endian: bool,
    machine: u16,
}

impl Elf {
    /// `None` if it is not an ELF file.
    fn new(head: &[u8]) -> Option<Elf> {
        let (wide, big_endian) = (*head.get(4)? == 2, *head.get(5)? == 2);
        let elf = Elf { wide, big_endian, machine: 0 };
        let machine = elf.number(head, 18, 2)? as u16;
        head.starts_with(b"\x7fELF").then_some(Elf { machine, ..elf })
    }

    /// The unsigned number of `length` bytes at an offset.
    fn number(self, bytes: &[u8], at: usize, length: usize) -> Option<u64> {
        let mut number = [0; 8];
        let field = bytes.get(at..at.checked_add(length)?)?;
        Some(if self.big_endian {
            number[8 - length..].copy_from_slice(field);
            u64::from_be_bytes(number)
        } else {
            number[..length].copy_from_slice(field);
            u64::from_le_bytes(number)
        })
    }

    /// The path in the PT_INTERP segment.
    fn loader(self, file: &OwnedFd, head: &[u8]) -> Option<Vec<u8>> {
        // Offset, size and number of program headers; in one of them, offset and size of the segment in the file.
        let (table, at_size, segment, width) = if self.wide { (32, 54, (8, 32), 8) } else { (28, 42, (4, 16), 4) };
        let (offset, size) = (self.number(head, table, width)?, self.number(head, at_size, 2)?);
        for index in 0..self.number(head, at_size + 2, 2)?.min(64) {
            let mut entry = [0; 56];
            let entry = &mut entry[..if self.wide { 56 } else { 32 }];
            let at = offset.checked_add(index * size)?;
            if program::read_at(file.as_fd(), entry, at).ok()? < entry.len() {
                return None;
            }
            if self.number(entry, 0, 4)? != u64::from(libc::PT_INTERP) {
                continue;
            }
            let mut name = [0; HEAD_SIZE];
            let length = (self.number(entry, segment.1, width)? as usize).min(HEAD_SIZE);
            let begin = self.number(entry, segment.0, width)?;
            let read = program::read_at(file.as_fd(), &mut name[..length], begin).ok()?;
            return name[..read].split(|byte| *byte == 0).next().map(<[u8]>::to_vec);
        }
        None
    }
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

/// Joins a PATH entry and a name. An empty entry means the working directory.
fn join(directory: &CStr, name: &CStr) -> CString {
    let mut path = directory.to_bytes().to_vec();
    if path.is_empty() {
        path.push(b'.');
    }
    path.push(b'/');
    path.extend_from_slice(name.to_bytes());
    CString::new(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF file with one PT_INTERP segment that names `/lib/ld`, as a loader file would begin.
    fn file(wide: bool, big_endian: bool, machine: u16) -> Vec<u8> {
        let mut bytes = vec![0; 160];
        bytes[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 1 + u8::from(wide), 1 + u8::from(big_endian)]);
        let mut put = |at: usize, length: usize, number: u64| {
            let number = number.to_le_bytes();
            let field = &mut bytes[at..at + length];
            field.copy_from_slice(&number[..length]);
            if big_endian {
                field.reverse();
            }
        };
        let (width, table, sizes, segment) = if wide { (8, 32, 54, [64, 72, 96]) } else { (4, 28, 42, [64, 68, 80]) };
        put(18, 2, machine.into());
        put(table, width, 64);
        put(sizes, 2, if wide { 56 } else { 32 });
        put(sizes + 2, 2, 1);
        put(segment[0], 4, libc::PT_INTERP.into());
        put(segment[1], width, 150);
        put(segment[2], width, 8);
        bytes[150..158].copy_from_slice(b"/lib/ld\0");
        bytes
    }

    #[test]
    fn a_loader_is_found_in_either_byte_order_and_width() {
        for (wide, big_endian) in [(false, false), (false, true), (true, false), (true, true)] {
            let bytes = file(wide, big_endian, 22);
            let elf = Elf::new(&bytes).expect("an ELF file");
            assert_eq!(elf, Elf { wide, big_endian, machine: 22 });
            let program = crate::sys::pipe::file_with(&bytes).expect("a file");
            assert_eq!(elf.loader(&program, &bytes[..HEAD_SIZE.min(bytes.len())]).as_deref(), Some(&b"/lib/ld"[..]));
        }
    }

    #[test]
    fn this_program_is_of_this_machine() {
        let own = Elf::new(&executable::own_identity()).expect("an ELF file");
        assert_eq!(own.wide, cfg!(target_pointer_width = "64"));
        assert_eq!(own.big_endian, cfg!(target_endian = "big"));
        let file = std::fs::read("/proc/self/exe").expect("this program");
        assert_eq!(Elf::new(&file), Some(own));
        assert_eq!(Elf::new(b"#!/bin/sh\necho an ELF file is longer"), None);
    }
}
