//! Detaches a process from the runtime's own executable. When to do so is left to the callers.
//!
//! `/proc/self/exe` of a process that is about to execute a container's program refers to the runtime's file on the
//! host. A hostile image can execute that link, keep a descriptor of the file and write to it later, and so modify the
//! host (CVE-2019-5736). Page cache bugs make even a read-only descriptor dangerous.
//!
//! Executing a copy of the program costs an execve(2) and the copy for every command. `detach_exe` needs neither: it
//! maps the same pages through another mount of the same file. The kernel then permits replacing `/proc/self/exe` by an
//! empty memfd (prctl(2), PR_SET_MM_MAP).

use super::mount::{self, Attributes};
use super::{Errno, Result, answer, done};
use std::ffi::{CStr, c_void};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

#[cfg(target_pointer_width = "32")]
use libc::{Elf32_Ehdr as ElfHeader, Elf32_Phdr as ProgramHeader};
#[cfg(target_pointer_width = "64")]
use libc::{Elf64_Ehdr as ElfHeader, Elf64_Phdr as ProgramHeader};

unsafe extern "C" {
    /// Defined by the linker at the ELF header of this program.
    static __ehdr_start: ElfHeader;
}

/// The first 20 bytes of this program's own ELF header: class, byte order and machine (elf(5)).
pub(crate) fn own_identity() -> [u8; 20] {
    let header = own_header();
    let mut bytes = [0; 20];
    bytes[..16].copy_from_slice(&header.e_ident);
    bytes[16..18].copy_from_slice(&header.e_type.to_ne_bytes());
    bytes[18..].copy_from_slice(&header.e_machine.to_ne_bytes());
    bytes
}

/// `struct prctl_mm_map` of linux/prctl.h.
#[repr(C)]
struct MemoryMap {
    start_code: u64,
    end_code: u64,
    start_data: u64,
    end_data: u64,
    start_brk: u64,
    brk: u64,
    start_stack: u64,
    arg_start: u64,
    arg_end: u64,
    env_start: u64,
    env_end: u64,
    auxv: *mut u64,
    auxv_size: u32,
    exe_fd: u32,
}

/// Creates an empty executable file in memory that nobody can write to: the new target of `/proc/self/exe`.
pub(crate) fn empty_executable() -> Result<OwnedFd> {
    executable_file()?.close_for_writing()
}

/// Creates a private, sealed copy of this program in memory, to be executed instead of it.
pub(crate) fn sealed_copy() -> Result<OwnedFd> {
    let copy = executable_file()?;
    let own = super::path::open_following_links(c"/proc/self/exe", libc::O_RDONLY)?;
    loop {
        // SAFETY: no memory is involved, because a null offset is allowed and selects the file's own.
        let sent = unsafe { libc::sendfile(copy.file.as_raw_fd(), own.as_raw_fd(), std::ptr::null_mut(), 0x7fff_f000) };
        match Errno::result(sent) {
            Ok(0) => break,
            Ok(_) | Err(Errno::EINTR) => (),
            Err(errno) => return Err(errno),
        }
    }
    if copy.is_memfd {
        let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
        // SAFETY: no memory is involved, because F_ADD_SEALS takes an int.
        done(unsafe { libc::fcntl(copy.file.as_raw_fd(), libc::F_ADD_SEALS, seals) })?;
    }
    copy.close_for_writing()
}

/// Whether this process already runs from a sealed copy.
pub(crate) fn is_sealed_copy() -> bool {
    let Ok(own) = super::path::open_following_links(c"/proc/self/exe", libc::O_RDONLY) else { return false };
    // SAFETY: no memory is involved, because F_GET_SEALS takes no argument. It fails on any file that is not a memfd.
    let seals = unsafe { libc::fcntl(own.as_raw_fd(), libc::F_GET_SEALS) };
    // If memfds may not be executed, the copy is an unlinked file of a tmpfs.
    let unlinked = |own: BorrowedFd<'_>| -> Result<bool> {
        let is_tmpfs = super::path::file_system(own)? == libc::TMPFS_MAGIC as u64;
        Ok(is_tmpfs && super::path::status(own)?.st_nlink == 0)
    };
    seals >= 0 && seals & libc::F_SEAL_WRITE != 0 || unlinked(own.as_fd()).unwrap_or(false)
}

/// Whether this kernel lets a process replace its `/proc/self/exe` (CONFIG_CHECKPOINT_RESTORE).
pub(crate) fn can_detach_exe() -> bool {
    let mut size = 0_u32;
    // SAFETY: the kernel writes within bounds, because PR_SET_MM_MAP_SIZE stores one unsigned int through the pointer.
    let raw = unsafe { libc::prctl(libc::PR_SET_MM, libc::PR_SET_MM_MAP_SIZE, &raw mut size, 0, 0) };
    raw == 0 && size as usize == size_of::<MemoryMap>()
}

/// Makes `/proc/self/exe` refer to `empty`, so that no path leads from this process to its own program.
///
/// `same_file` is this program's file, opened through a mount other than the one it was executed from: the kernel
/// refuses while anything is mapped through the old mount. Needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE in this user
/// namespace, so it runs before capabilities are dropped.
pub(crate) fn detach_exe(same_file: BorrowedFd<'_>, empty: BorrowedFd<'_>) -> Result<()> {
    for segment in segments() {
        segment.remap(same_file)?;
    }
    // These numbers only describe the process for ps(1), and execve replaces them. They must be ordered and within
    // bounds.
    let (low, high) = (0x1_0000, 0x2_0000);
    // The break must be real: the allocator continues from it and trusts the result of brk(2). With `start_brk` at the
    // same address, the kernel never releases memory that is already allocated.
    // SAFETY: nothing changes, because a break of zero is below every start: the kernel only returns the current break.
    let heap_end = unsafe { libc::syscall(libc::SYS_brk, 0) } as u64;
    let map = MemoryMap {
        start_code: low,
        end_code: high,
        start_data: low,
        end_data: high,
        start_brk: heap_end,
        brk: heap_end,
        start_stack: high,
        arg_start: low,
        arg_end: low,
        env_start: low,
        env_end: low,
        auxv: std::ptr::null_mut(),
        auxv_size: 0,
        exe_fd: empty.as_raw_fd() as u32,
    };
    protect_relocated()?;
    let size = size_of::<MemoryMap>();
    // SAFETY: the kernel reads within bounds, because `map` is a full structure whose size is passed. Nothing in this
    // process uses the described ranges.
    done(unsafe { libc::prctl(libc::PR_SET_MM, libc::PR_SET_MM_MAP, &raw const map, size, 0) })
}

/// One loaded segment of this program.
struct Segment {
    address: usize,
    length: usize,
    offset: libc::off_t,
    protection: i32,
}

impl Segment {
    /// Maps the same bytes at the same address through another file. Shared pages stay in the page cache; written pages
    /// are copied to anonymous memory.
    fn remap(&self, file: BorrowedFd<'_>) -> Result<()> {
        let at = self.address as *mut c_void;
        if self.protection & libc::PROT_WRITE == 0 {
            let flags = libc::MAP_PRIVATE | libc::MAP_FIXED;
            // SAFETY: the bytes in the range stay the same, this function's code included, because the file is this
            // program's own and the range is one of its read-only segments.
            let got = unsafe { libc::mmap(at, self.length, self.protection, flags, file.as_raw_fd(), self.offset) };
            return mapped(got).map(drop);
        }
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_POPULATE;
        // SAFETY: no memory of ours is touched, because the kernel chooses the address of the new mapping.
        let copy = mapped(unsafe { libc::mmap(std::ptr::null_mut(), self.length, self.protection, flags, -1, 0) })?;
        // SAFETY: the copy is valid, because both ranges are mapped, are `length` bytes long and cannot overlap: one is
        // a fresh mapping.
        unsafe { std::ptr::copy_nonoverlapping(at.cast_const().cast::<u8>(), copy.cast::<u8>(), self.length) };
        let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        // SAFETY: the contents stay the same, because the moved pages are a copy made one statement before, and this
        // process has only one thread that could write in between.
        mapped(unsafe { libc::mremap(copy, self.length, self.length, flags, at) }).map(drop)
    }
}

fn mapped(address: *mut c_void) -> Result<*mut c_void> {
    if address == libc::MAP_FAILED { Err(Errno::last()) } else { Ok(address) }
}

/// Makes data that only relocation writes read-only (PT_GNU_RELRO), as the C library's start code had done. Remapping
/// has lost that protection.
fn protect_relocated() -> Result<()> {
    let (base, table) = program_headers();
    let page = page_size();
    for entry in table.iter().filter(|entry| entry.p_type == libc::PT_GNU_RELRO) {
        let begin = (base + entry.p_vaddr as usize) & !(page - 1);
        let end = (base + entry.p_vaddr as usize + entry.p_memsz as usize) & !(page - 1);
        // SAFETY: nothing writes to this range, because the linker puts only data there that relocation alone changes.
        done(unsafe { libc::mprotect(begin as *mut c_void, end.saturating_sub(begin), libc::PROT_READ) })?;
    }
    Ok(())
}

/// The kernel's page size: 4, 16 or 64 KiB. On some architectures it is a choice of the kernel's configuration.
fn page_size() -> usize {
    // SAFETY: no memory is involved, because getauxval takes a number. The kernel passes AT_PAGESZ to every program.
    unsafe { libc::getauxval(libc::AT_PAGESZ) as usize }
}

fn own_header() -> &'static ElfHeader {
    // SAFETY: the reference is valid, because the linker puts this symbol at the ELF header, which is part of the first
    // loaded segment.
    unsafe { &__ehdr_start }
}

/// Returns the load address of this program and its program headers.
fn program_headers() -> (usize, &'static [ProgramHeader]) {
    let header = own_header();
    let start = std::ptr::from_ref(header) as usize;
    let base = if header.e_type == libc::ET_DYN { start } else { 0 };
    let table = (start + header.e_phoff as usize) as *const ProgramHeader;
    // SAFETY: the slice is valid, because every linker places the table, with `e_phnum` entries, in the segment of the
    // header.
    (base, unsafe { std::slice::from_raw_parts(table, usize::from(header.e_phnum)) })
}

/// Returns the loaded segments of this program, from its program headers.
fn segments() -> impl Iterator<Item = Segment> {
    let (base, table) = program_headers();
    let page = page_size();
    table.iter().filter_map(move |entry| {
        if entry.p_type != libc::PT_LOAD || entry.p_filesz == 0 {
            return None;
        }
        let begin = base + entry.p_vaddr as usize;
        let address = begin & !(page - 1);
        let end = (begin + entry.p_filesz as usize).next_multiple_of(page);
        let bit = |flag: u32, protection: i32| if entry.p_flags & flag != 0 { protection } else { 0 };
        let protection =
            bit(libc::PF_R, libc::PROT_READ) | bit(libc::PF_W, libc::PROT_WRITE) | bit(libc::PF_X, libc::PROT_EXEC);
        let offset = (entry.p_offset as usize & !(page - 1)) as libc::off_t;
        Some(Segment { address, length: end - address, offset, protection })
    })
}

/// An executable file, still empty and open for writing.
struct ExecutableFile {
    file: OwnedFd,
    is_memfd: bool,
    /// The file system created for the file, if there is one.
    mount: Option<OwnedFd>,
}

impl ExecutableFile {
    /// Returns a read-only descriptor of the file, because a file open for writing cannot be executed.
    fn close_for_writing(self) -> Result<OwnedFd> {
        let read_only = reopen_read_only(&self.file)?;
        drop(self.file);
        if let Some(mount) = &self.mount {
            let readonly = Attributes { set: libc::MOUNT_ATTR_RDONLY, ..Attributes::default() };
            mount::set_attributes(mount.as_fd(), false, readonly)?;
        }
        Ok(read_only)
    }
}

/// Creates a memfd. If memfds may not be executed (sysctl vm.memfd_noexec = 2), creates an unlinked file on a private
/// tmpfs, or if this process may not mount one, on /dev/shm or /tmp.
fn executable_file() -> Result<ExecutableFile> {
    match memfd(c"davit") {
        Err(refused @ Errno::EACCES) => {
            if let Ok(mount) = mount::detached(c"tmpfs", [], libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOSUID) {
                let file = super::path::make_unlinked_file(mount.as_fd(), 0o700)?;
                return Ok(ExecutableFile { file, is_memfd: false, mount: Some(mount) });
            }
            let shared = [c"/dev/shm", c"/tmp"].into_iter().find_map(|directory| {
                let flags = libc::O_PATH | libc::O_DIRECTORY;
                let directory = super::path::open_following_links(directory, flags).ok()?;
                super::path::make_unlinked_file(directory.as_fd(), 0o700).ok()
            });
            shared.map(|file| ExecutableFile { file, is_memfd: false, mount: None }).ok_or(refused)
        }
        memfd => memfd.map(|file| ExecutableFile { file, is_memfd: true, mount: None }),
    }
}

fn memfd(name: &CStr) -> Result<OwnedFd> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    let create = |flags: libc::c_uint| {
        // SAFETY: the kernel reads within bounds, because `name` is a terminated string.
        answer(unsafe { libc::syscall(libc::SYS_memfd_create, name.as_ptr(), flags) })
    };
    // MFD_EXEC exists since Linux 6.3, where a host may require it (vm.memfd_noexec). Older kernels refuse unknown
    // flags.
    let raw = match create(flags | libc::MFD_EXEC) {
        Err(Errno::EINVAL) => create(flags)?,
        other => other?,
    };
    // SAFETY: nothing else owns the descriptor, because the kernel has just made it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw as RawFd) })
}

/// Returns a read-only descriptor of the same file, because a file open for writing cannot be executed.
fn reopen_read_only(fd: &OwnedFd) -> Result<OwnedFd> {
    let path = std::ffi::CString::new(format!("/proc/self/fd/{}", fd.as_raw_fd())).map_err(|_| Errno::EINVAL)?;
    super::path::open_following_links(&path, libc::O_RDONLY)
}
