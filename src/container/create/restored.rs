//! Completes a restore: CRIU makes the processes in the place of a program that is executed.
//!
//! Everything else is as for `run`: the claim of the id, the cgroup, the rollback. Limits and devices are set when the
//! processes exist and before they run on, because CRIU itself works in the container's cgroup.

use crate::container::caller::console::Console;
use crate::container::caller::foreground::Foreground;
use crate::container::caller::{pid_file, pidfd_socket};
use crate::container::create::host_setup::HostSetup;
use crate::container::create::pending::PendingContainer;
use crate::container::{Process, Record};
use crate::criu::{self, Notice, Options};
use crate::launch::HostSide;
use crate::sys::pipe::Meanwhile;
use crate::sys::stat::Stat;
use crate::sys::{beneath, clone, process};
use anyhow::{Context, Result, bail};
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What CRIU is asked for.
pub(crate) struct Restoration {
    /// The socket for the request.
    pub(crate) socket: OwnedFd,
    /// The options, except those that depend on the cgroup.
    pub(crate) options: Options,
    /// The keys of mounts that show the container's cgroup.
    pub(crate) cgroup_mounts: Vec<String>,
}

/// A container that was restored and runs.
pub(crate) struct Restored {
    pub(crate) record: Record,
    pub(crate) pid: i32,
    pub(crate) pidfd: OwnedFd,
    pub(crate) console: Console,
}

impl PendingContainer<'_> {
    /// Has CRIU restore the processes. `explain` makes the error for an answer that reports a failure.
    pub(crate) fn finish_restored(
        mut self,
        restoration: Restoration,
        foreground: Option<&Foreground>,
        explain: impl FnOnce(&criu::Answer) -> anyhow::Error,
    ) -> Result<Restored> {
        let mut restored = None;
        let done = self.restore(restoration, explain, &mut restored);
        let done = done.and_then(|()| restored.context("criu restored no process"));
        let (pid, pidfd) = match done {
            Ok(restored) => restored,
            Err(error) => return Err(self.fail(error)),
        };
        let attend = || foreground.and_then(|foreground| foreground.forward(pidfd.as_fd()));
        let signals = foreground.map(|foreground| (foreground.as_fd(), &attend as &dyn Fn() -> Option<i32>));
        let meanwhile = Meanwhile { ended: None, signals };
        if let Err(error) = crate::container::hooks::poststart(&self.record, meanwhile, self.log) {
            end(pid, &pidfd);
            return Err(self.fail(error));
        }
        let PendingContainer { build, record, child, console, new, .. } = self;
        drop(child);
        std::mem::forget(build);
        new.keep();
        Ok(Restored { record, pid, pidfd, console })
    }

    fn restore(
        &mut self,
        restoration: Restoration,
        explain: impl FnOnce(&criu::Answer) -> anyhow::Error,
        restored: &mut Option<(i32, OwnedFd)>,
    ) -> Result<()> {
        let Restoration { socket, mut options, cgroup_mounts } = restoration;
        if let Some(cgroup) = &self.record.cgroup {
            for key in &cgroup_mounts {
                options.external_mount(key.as_bytes(), cgroup.path.as_os_str().as_bytes());
            }
            self.place(&cgroup.path, &mut options)?;
        } else if let Some(key) = cgroup_mounts.first() {
            bail!("{key}: the container gets no cgroup that could be mounted");
        }
        self.child.start(&self.build.plan)?;
        self.log.lap("execute CRIU");
        let answer = criu::restore(socket.as_fd(), &options, &mut |notice| self.attend(notice, restored));
        self.log.lap("restore the processes");
        match answer {
            Ok(answer) if answer.success => (),
            answer => {
                if let Some((pid, pidfd)) = restored.take() {
                    end(pid, &pidfd);
                }
                return match answer {
                    Ok(answer) => Err(explain(&answer)),
                    Err(error) => Err(error),
                };
            }
        }
        // CRIU lets the processes run on when it has answered.
        drop(socket);
        self.child.wait_for_end().map(drop)
    }

    /// Tells CRIU the container's cgroup. In every other hierarchy the processes stay where this process is.
    fn place(&self, cgroup: &Path, options: &mut Options) -> Result<()> {
        let layout = self.build.layout.as_ref().context("there is no cgroup hierarchy")?;
        let below = cgroup.strip_prefix(layout.mount_point()).unwrap_or(cgroup);
        options.cgroup_root("", Path::new("/").join(below).as_os_str().as_bytes());
        let own = beneath::read_pseudo_file("/proc/self/cgroup").map_err(std::io::Error::from)?;
        for (controllers, path) in own.lines().filter_map(|line| line.split_once(':')?.1.split_once(':')) {
            if !controllers.is_empty() {
                options.cgroup_root(controllers, path.as_bytes());
            }
        }
        Ok(())
    }

    /// Does the host's part at the stages of a restore.
    fn attend(&mut self, notice: Notice, restored: &mut Option<(i32, OwnedFd)>) -> Result<()> {
        match notice.stage.as_str() {
            "setup-namespaces" => self.host_setup().devices_and_hooks(notice.pid),
            "orphan-pts-master" => {
                let master = notice.fd.context("criu has sent no terminal")?;
                self.console.take(master)
            }
            "post-restore" => {
                let pid = notice.pid;
                let pidfd = process::open(pid).map_err(std::io::Error::from).context("open the restored process")?;
                let stat = Stat::read(Path::new("/proc"), pid).with_context(|| format!("read /proc/{pid}/stat"))?;
                let start_time = stat.with_context(|| format!("the restored process {pid} has ended"))?.start_time;
                *restored = Some((pid, pidfd));
                self.record.init = Some(Process { pid, start_time });
                // The processes do not run yet.
                let mut host = self.host_setup();
                host.limit()?;
                host.limit_inside(pid)?;
                host.while_it_works((pid, start_time))?;
                self.announce_restored(pid, restored)?;
                self.record.creator = None;
                self.new.settle()
            }
            _ => Ok(()),
        }
    }

    fn host_setup(&mut self) -> HostSetup<'_> {
        HostSetup {
            build: &self.build,
            record: &self.record,
            new: &self.new,
            cgroup: self.cgroup.as_deref(),
            console: &mut self.console,
            log: self.log,
            net_devices: std::rc::Rc::clone(&self.net_devices),
            resctrl: std::rc::Rc::clone(&self.resctrl),
        }
    }

    /// Writes the pid file, which to engines means that the container exists.
    fn announce_restored(&mut self, pid: i32, restored: &Option<(i32, OwnedFd)>) -> Result<()> {
        if let (Some(path), Some((_, pidfd))) = (&self.build.request.pidfd_socket, restored) {
            pidfd_socket::send(path, b"standard", pidfd.as_fd())?;
        }
        let Some(file) = self.build.request.pid_file.clone() else { return Ok(()) };
        if pid_file::write(&file, pid)? {
            self.new.on_failure("remove the pid file", move || remove(&file));
        }
        Ok(())
    }
}

fn remove(file: &PathBuf) -> Result<()> {
    fs::remove_file(file).with_context(|| format!("remove {}", file.display()))
}

/// Kills and reaps a restored process. CRIU made it a child of this process.
fn end(pid: i32, pidfd: &OwnedFd) {
    // It may have ended already, and CRIU may have reaped it.
    let _ = process::signal(pidfd.as_fd(), libc::SIGKILL);
    let _ = clone::wait(pid);
}
