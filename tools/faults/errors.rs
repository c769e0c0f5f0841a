//! Lists, for each system call, the errors that no caller can rule out: exhausted resources, permissions denied by a
//! security module, a failing disk, an arriving signal.

use nix::errno::Errno;
use syscalls::Sysno;

/// The errors to inject. Empty for a call that never fails, or that fails only because of a bug in its caller.
pub(crate) fn of(call: Sysno) -> &'static [Errno] {
    use Errno::{EAGAIN, EBUSY, EINTR, EIO, EMFILE, ENOLCK, ENOMEM, ENOSPC, EPERM};
    match call {
        Sysno::open | Sysno::openat | Sysno::openat2 | Sysno::creat => &[EMFILE, ENOMEM, EPERM, EIO, EINTR],
        Sysno::open_tree | Sysno::fsopen | Sysno::fsmount | Sysno::fspick => &[EMFILE, ENOMEM, EPERM],
        Sysno::open_tree_attr | Sysno::mount_setattr | Sysno::move_mount | Sysno::fsconfig => &[ENOMEM, EPERM, ENOSPC],
        Sysno::mount | Sysno::umount2 | Sysno::pivot_root | Sysno::chroot => &[ENOMEM, EPERM, ENOSPC],
        Sysno::read | Sysno::pread64 | Sysno::readv | Sysno::getdents64 => &[EIO, EINTR],
        Sysno::write | Sysno::pwrite64 | Sysno::writev => &[ENOSPC, EIO, EINTR],
        Sysno::sendfile | Sysno::copy_file_range | Sysno::fsync | Sysno::ftruncate => &[EIO, ENOSPC],
        // EIO comes of what is still to be written, and not of a directory, as which Rust's library takes it for a
        // mistake.
        Sysno::close => &[EINTR],
        Sysno::clone | Sysno::clone3 | Sysno::fork | Sysno::vfork => &[EAGAIN, ENOMEM, EPERM],
        Sysno::execve | Sysno::execveat => &[ENOMEM, EAGAIN, EPERM, EIO],
        Sysno::mkdir | Sysno::mkdirat | Sysno::mknod | Sysno::mknodat | Sysno::symlink | Sysno::symlinkat => {
            &[ENOSPC, EPERM, EIO]
        }
        Sysno::rename | Sysno::renameat | Sysno::renameat2 | Sysno::link | Sysno::linkat => &[ENOSPC, EPERM, EIO],
        Sysno::unlink | Sysno::unlinkat | Sysno::rmdir => &[EPERM, EIO, EBUSY],
        Sysno::chmod | Sysno::fchmod | Sysno::fchmodat | Sysno::chown | Sysno::fchown | Sysno::fchownat => {
            &[EPERM, EIO]
        }
        Sysno::stat | Sysno::lstat | Sysno::fstat | Sysno::newfstatat | Sysno::statx => &[ENOMEM, EIO],
        Sysno::statfs | Sysno::fstatfs | Sysno::readlink | Sysno::readlinkat | Sysno::access | Sysno::faccessat => {
            &[ENOMEM, EIO]
        }
        Sysno::faccessat2 | Sysno::chdir | Sysno::fchdir | Sysno::getcwd => &[ENOMEM, EPERM],
        Sysno::socket | Sysno::socketpair | Sysno::pipe | Sysno::pipe2 => &[EMFILE, ENOMEM],
        Sysno::memfd_create | Sysno::inotify_init1 | Sysno::epoll_create1 | Sysno::eventfd2 => &[EMFILE, ENOMEM],
        Sysno::pidfd_open | Sysno::pidfd_getfd | Sysno::signalfd4 | Sysno::timerfd_create => &[EMFILE, ENOMEM],
        Sysno::accept | Sysno::accept4 => &[EMFILE, ENOMEM, EINTR],
        Sysno::inotify_add_watch | Sysno::bind => &[ENOMEM, ENOSPC],
        Sysno::connect => &[EAGAIN, EINTR, EPERM],
        Sysno::sendmsg | Sysno::sendto | Sysno::recvmsg | Sysno::recvfrom => &[ENOMEM, EINTR],
        Sysno::poll | Sysno::ppoll => &[EINTR, ENOMEM],
        Sysno::epoll_wait | Sysno::epoll_pwait | Sysno::wait4 | Sysno::waitid => &[EINTR],
        Sysno::dup | Sysno::dup2 | Sysno::dup3 => &[EMFILE],
        Sysno::fcntl => &[EMFILE, ENOMEM],
        Sysno::flock => &[EINTR, ENOLCK],
        Sysno::setns | Sysno::unshare | Sysno::setsid => &[EPERM, ENOMEM],
        Sysno::bpf | Sysno::seccomp => &[EPERM, ENOMEM, EAGAIN],
        Sysno::prctl | Sysno::capset | Sysno::setgroups | Sysno::setpriority => &[EPERM],
        Sysno::setuid | Sysno::setgid | Sysno::setresuid | Sysno::setresgid => &[EPERM, EAGAIN],
        Sysno::prlimit64 | Sysno::setrlimit | Sysno::sethostname | Sysno::setdomainname | Sysno::ioctl => &[EPERM],
        Sysno::kill | Sysno::tgkill | Sysno::pidfd_send_signal | Sysno::keyctl | Sysno::mprotect => &[EPERM, ENOMEM],
        Sysno::close_range => &[EMFILE, ENOMEM],
        Sysno::sched_setaffinity | Sysno::sched_setattr | Sysno::ioprio_set => &[EPERM],
        Sysno::brk | Sysno::mmap | Sysno::mremap => &[ENOMEM],
        Sysno::getxattr | Sysno::lgetxattr | Sysno::setxattr | Sysno::fsetxattr => &[EPERM, ENOSPC],
        _ => &[],
    }
}
