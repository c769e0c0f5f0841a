//! Applies a plan's limits, device rules and owner to a cgroup. `plan::resources` decides the values.

use super::Cgroup;
use crate::cgroup::error::Refusal;
use crate::plan::resources::{MemoryGuard, Refused, Write};
use crate::sys::{beneath, bpf};
use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// The files to chown for delegation if the kernel does not list them (before Linux 4.15).
const DELEGATE: [&str; 3] = ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"];

impl Cgroup {
    /// Performs the writes in order and stops at the first failure. The error is
    /// `<origin>: write "<value>" to <file>: <the kernel's error>`.
    pub(crate) fn limit(&self, writes: &[Write]) -> Result<()> {
        let mut again: Option<&Write> = None;
        for write in writes {
            let tried = self.perform(write).with_context(|| write.origin.to_string());
            let postponed = again.take();
            match tried {
                Err(error)
                    if write.when_refused == Refused::AgainAfterNext
                        && Refusal::errno_of(&error) == Some(Errno::EINVAL) =>
                {
                    again = Some(write);
                }
                result => result?,
            }
            if let Some(write) = postponed {
                self.perform(write).with_context(|| write.origin.to_string())?;
            }
        }
        match again {
            Some(write) => self.perform(write).with_context(|| write.origin.to_string()),
            None => Ok(()),
        }
    }

    fn perform(&self, write: &Write) -> Result<()> {
        let Err(error) = self.write(&write.file, &write.value) else { return Ok(()) };
        let errno = Refusal::errno_of(&error);
        match &write.when_refused {
            Refused::UnlessMissing if errno == Some(Errno::ENOENT) => Ok(()),
            // EOPNOTSUPP: the file exists, but this device does not use the I/O scheduler that the file belongs to.
            Refused::Instead { file, value } if matches!(errno, Some(Errno::ENOENT | Errno::EOPNOTSUPP)) => {
                self.write(file, value)
            }
            _ => Err(error),
        }
    }

    /// Refuses new memory limits that are not above the current usage. Skips the check if the usage cannot be read.
    pub(crate) fn check_memory(&self, guard: &MemoryGuard) -> Result<()> {
        let number = |file: &str| self.read(file).ok().and_then(|text| text.trim().parse::<u64>().ok());
        let Some(memory) = number("memory.current") else { return Ok(()) };
        let origin = &guard.origin;
        if let Some(limit) = guard.limit.filter(|limit| *limit <= memory) {
            bail!("{origin}: rejecting memory limit {limit} <= usage {memory}");
        }
        let both = memory.saturating_add(number("memory.swap.current").unwrap_or(0));
        if let Some(total) = guard.total.filter(|total| *total <= both) {
            bail!("{origin}: rejecting memory+swap limit {total} <= usage {both}");
        }
        Ok(())
    }

    /// Loads a device program (`struct bpf_insn`, 8 bytes each) and attaches it. On a cgroup that is not fresh it
    /// replaces the previous program.
    pub(crate) fn attach_devices(&self, program: &[u64]) -> Result<()> {
        let program = self.load_devices(program)?;
        let attached = match self.fresh.replace(false) {
            true => bpf::attach_device_program(self.fd(), program.as_fd()),
            false => bpf::replace_device_program(self.fd(), program.as_fd()),
        };
        attached.map_err(|errno| Refusal::of(format!("attach the device program to {}", self.path().display()), errno))
    }

    /// Loads a device program without attaching it, so that the kernel can refuse it before anything changes.
    pub(crate) fn load_devices(&self, program: &[u64]) -> Result<OwnedFd> {
        bpf::load_device_program(program)
            .map_err(|errno| Refusal::of(format!("load the device program of {}", self.path().display()), errno))
    }

    /// Replaces davit's device program of this cgroup, atomically. Programs of others, such as systemd's, stay attached.
    pub(crate) fn replace_devices(&self, program: &OwnedFd) -> Result<()> {
        bpf::replace_own_device_program(self.fd(), program.as_fd())
            .map_err(|errno| Refusal::of(format!("replace the device program of {}", self.path().display()), errno))
    }

    /// Changes the cgroup's owner to a host user, so that the container can create cgroups below it. Affects the
    /// directory and the files listed in /sys/kernel/cgroup/delegate, none of which sets a limit. A listed file that
    /// does not exist is skipped (config-linux.md, "Cgroup ownership").
    pub(crate) fn delegate(&self, uid: u32, gid: Option<u32>) -> Result<()> {
        let listed = std::fs::read_to_string(Path::new("/sys/kernel/cgroup/delegate")).unwrap_or_default();
        let mut files: Vec<&str> = listed.split_ascii_whitespace().filter(|name| !name.contains('/')).collect();
        if files.is_empty() {
            files.extend(DELEGATE);
        }
        for name in std::iter::once(".").chain(files) {
            match beneath::give(self.fd(), name, Some(uid), gid) {
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(errno) => return Err(Refusal::of(format!("chown {} to {uid}", self.named(name)), errno)),
            }
        }
        Ok(())
    }
}
