//! Wraps bpf(2) for a cgroup's device program: load, attach, replace. Writing the program's instructions is left to the
//! module `bpf`.
//!
//! RLIMIT_MEMLOCK is not changed, because since Linux 5.11 programs are charged to the memory cgroup instead.

use nix::errno::Errno;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_PROG_ATTACH: libc::c_long = 8;
const BPF_PROG_DETACH: libc::c_long = 9;
const BPF_PROG_GET_FD_BY_ID: libc::c_long = 13;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_long = 15;
const BPF_PROG_QUERY: libc::c_long = 16;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
const BPF_F_ALLOW_MULTI: u32 = 2;
const BPF_F_REPLACE: u32 = 4;

/// Maximum number of programs of one type in a cgroup (BPF_CGROUP_MAX_PROGS).
const MAX_PROGRAMS: usize = 64;

/// Size of the `union bpf_attr` passed for each command, larger than any kernel's own. Kernels 6.17 to 7.1 write the
/// answer of BPF_PROG_QUERY past a shorter one. Every kernel accepts a larger one if the rest is 0.
const ATTR: usize = 256;

#[repr(C)]
struct Load {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    rest: [u64; 24],
}

#[repr(C)]
struct Attach {
    target_fd: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
    replace_bpf_fd: u32,
    pad: u32,
    rest: [u64; 29],
}

#[repr(C)]
struct Query {
    target_fd: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    prog_ids: u64,
    prog_cnt: u32,
    pad: u32,
    rest: [u64; 28],
}

#[repr(C)]
struct ById {
    prog_id: u32,
    next_id: u32,
    open_flags: u32,
    pad: u32,
    rest: [u64; 30],
}

#[repr(C)]
struct InfoByFd {
    bpf_fd: u32,
    info_len: u32,
    info: u64,
    rest: [u64; 30],
}

/// The beginning of `struct bpf_prog_info`, which has the name.
#[repr(C)]
#[derive(Default)]
struct ProgramInfo {
    before: [u64; 8],
    name: [u8; 16],
}

/// The name of our programs.
const NAME: [u8; 16] = *b"davit_devices\0\0\0";

/// A variant of `union bpf_attr`.
///
/// # Safety
/// The type must be `repr(C)`, without padding, and valid for any bytes, because the kernel reads and writes all of it.
unsafe trait Attr: Sized {
    const FITS: () = assert!(size_of::<Self>() == ATTR, "a variant of bpf_attr must have the common size");
}
// SAFETY: sound because the struct is repr(C), made of integers only, and its fields leave no padding (FITS).
unsafe impl Attr for Load {}
// SAFETY: sound because the struct is repr(C), made of integers only, and its fields leave no padding (FITS).
unsafe impl Attr for Attach {}
// SAFETY: sound because the struct is repr(C), made of integers only, and its fields leave no padding (FITS).
unsafe impl Attr for Query {}
// SAFETY: sound because the struct is repr(C), made of integers only, and its fields leave no padding (FITS).
unsafe impl Attr for ById {}
// SAFETY: sound because the struct is repr(C), made of integers only, and its fields leave no padding (FITS).
unsafe impl Attr for InfoByFd {}

/// Loads a program of type BPF_PROG_TYPE_CGROUP_DEVICE. `instructions` are `struct bpf_insn` in their 8-byte form.
/// Errors are those of bpf(2); `EACCES` or `EINVAL` means that the verifier refused the program.
pub(crate) fn load_device_program(instructions: &[u64]) -> Result<OwnedFd, Errno> {
    // The program needs no GPL licence, because it calls no helper that requires the GPL.
    let license = c"Apache-2.0";
    let mut attr = Load {
        prog_type: BPF_PROG_TYPE_CGROUP_DEVICE,
        insn_cnt: u32::try_from(instructions.len()).map_err(|_| Errno::E2BIG)?,
        insns: instructions.as_ptr() as u64,
        license: license.as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log_buf: 0,
        kern_version: 0,
        prog_flags: 0,
        prog_name: NAME,
        rest: [0; 24],
    };
    // If a signal is pending, the verifier returns EAGAIN. The handler has run when the call returns, so the call is
    // repeated.
    for _ in 0..5 {
        // SAFETY: the kernel reads within bounds, because insns and license point to memory that is borrowed until
        // after the call.
        match unsafe { bpf(BPF_PROG_LOAD, &mut attr) } {
            Err(Errno::EAGAIN) => {}
            // SAFETY: nothing else owns the descriptor, because the kernel has just made it (close-on-exec).
            result => return result.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }),
        }
    }
    Err(Errno::EAGAIN)
}

/// Attaches `program` to a cgroup that has none of ours. Programs of ancestors stay in force: all of them must permit
/// an access.
pub(crate) fn attach_device_program(cgroup: BorrowedFd<'_>, program: BorrowedFd<'_>) -> Result<(), Errno> {
    attach(cgroup, program, None)
}

/// Replaces the programs attached to the cgroup by `program`. A single program, the normal case, is replaced
/// atomically: every access is decided by exactly one. With several, the new program is in force before the first old
/// one is detached.
pub(crate) fn replace_device_program(cgroup: BorrowedFd<'_>, program: BorrowedFd<'_>) -> Result<(), Errno> {
    replace(cgroup, program, &attached(cgroup)?)
}

/// As [`replace_device_program`], but only replaces programs that davit has loaded.
pub(crate) fn replace_own_device_program(cgroup: BorrowedFd<'_>, program: BorrowedFd<'_>) -> Result<(), Errno> {
    let mut own = Vec::new();
    for old in attached(cgroup)? {
        if name(&old)? == NAME {
            own.push(old);
        }
    }
    replace(cgroup, program, &own)
}

fn replace(cgroup: BorrowedFd<'_>, program: BorrowedFd<'_>, old: &[OwnedFd]) -> Result<(), Errno> {
    if let [one] = old {
        return attach(cgroup, program, Some(one));
    }
    attach(cgroup, program, None)?;
    old.iter().try_for_each(|old| detach(cgroup, old))
}

/// The name that a program was loaded with.
fn name(program: &OwnedFd) -> Result<[u8; 16], Errno> {
    let mut info = ProgramInfo::default();
    let mut attr = InfoByFd {
        bpf_fd: number(program),
        info_len: size_of::<ProgramInfo>() as u32,
        info: (&raw mut info) as u64,
        rest: [0; 30],
    };
    // SAFETY: the kernel writes within bounds, because info points to info_len bytes that outlive the call.
    unsafe { bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attr) }?;
    Ok(info.name)
}

fn attach(cgroup: BorrowedFd<'_>, program: BorrowedFd<'_>, replace: Option<&OwnedFd>) -> Result<(), Errno> {
    let mut attr = Attach {
        target_fd: number(&cgroup),
        attach_bpf_fd: number(&program),
        attach_type: BPF_CGROUP_DEVICE,
        attach_flags: BPF_F_ALLOW_MULTI | if replace.is_some() { BPF_F_REPLACE } else { 0 },
        replace_bpf_fd: replace.map_or(0, number),
        pad: 0,
        rest: [0; 29],
    };
    // SAFETY: no memory is involved, because this command has no pointers.
    unsafe { bpf(BPF_PROG_ATTACH, &mut attr) }.map(drop)
}

fn detach(cgroup: BorrowedFd<'_>, program: &OwnedFd) -> Result<(), Errno> {
    let mut attr = Attach {
        target_fd: number(&cgroup),
        attach_bpf_fd: number(program),
        attach_type: BPF_CGROUP_DEVICE,
        attach_flags: 0,
        replace_bpf_fd: 0,
        pad: 0,
        rest: [0; 29],
    };
    // SAFETY: no memory is involved, because this command has no pointers.
    unsafe { bpf(BPF_PROG_DETACH, &mut attr) }.map(drop)
}

/// Returns the device programs attached to this cgroup itself, not to its ancestors.
fn attached(cgroup: BorrowedFd<'_>) -> Result<Vec<OwnedFd>, Errno> {
    let mut ids = [0u32; MAX_PROGRAMS];
    let mut attr = Query {
        target_fd: number(&cgroup),
        attach_type: BPF_CGROUP_DEVICE,
        query_flags: 0,
        attach_flags: 0,
        prog_ids: ids.as_mut_ptr() as u64,
        prog_cnt: MAX_PROGRAMS as u32,
        pad: 0,
        rest: [0; 28],
    };
    // SAFETY: the kernel writes within bounds, because prog_ids points to MAX_PROGRAMS numbers that outlive the call,
    // and prog_cnt is their number.
    unsafe { bpf(BPF_PROG_QUERY, &mut attr) }?;
    let count = (attr.prog_cnt as usize).min(MAX_PROGRAMS);
    ids[..count].iter().map(|id| by_id(*id)).collect()
}

fn by_id(id: u32) -> Result<OwnedFd, Errno> {
    let mut attr = ById { prog_id: id, next_id: 0, open_flags: 0, pad: 0, rest: [0; 30] };
    // SAFETY: no memory is involved, because this command has no pointers.
    let fd = unsafe { bpf(BPF_PROG_GET_FD_BY_ID, &mut attr) }?;
    // SAFETY: nothing else owns the descriptor, because the kernel has just made it (close-on-exec).
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn number(fd: &impl AsRawFd) -> u32 {
    // An open descriptor is never negative.
    fd.as_raw_fd().unsigned_abs()
}

/// # Safety
/// Every pointer that `command` finds in `attr` must be valid for what the command does with it.
unsafe fn bpf<T: Attr>(command: libc::c_long, attr: &mut T) -> Result<i32, Errno> {
    let () = T::FITS;
    // SAFETY: the kernel stays within bounds, because attr is ATTR initialised bytes that may hold any value (the
    // trait's contract). Its pointers are valid, because the caller guarantees it.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attr), ATTR) };
    match Errno::result(result) {
        Ok(fd) => i32::try_from(fd).map_err(|_| Errno::EOVERFLOW),
        Err(errno) => Err(errno),
    }
}
