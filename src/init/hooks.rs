//! Runs createContainer and startContainer hooks in the container's process. Running a single hook is left to `hook`.

use super::{Broken, Init};
use crate::channel::{Channel, Part};
use crate::hook::{self, Prepared, Rights};
use crate::plan::act::Act;
use crate::sys::pipe::Meanwhile;
use crate::sys::{Errno, path};
use std::os::fd::AsFd;

/// Hooks that the child runs.
#[derive(Default)]
pub(crate) struct ContainerHooks {
    /// `hooks.createContainer`.
    pub(crate) create_container: Vec<Prepared>,
    /// `hooks.startContainer`.
    pub(crate) start_container: Vec<Prepared>,
    /// The state documents for both, with status `creating` and `created`, and ten blanks in place of the pid.
    pub(crate) states: [StateDocument; 2],
}

/// A state document without a pid, which is filled in by the process that knows it.
#[derive(Default, Clone)]
pub(crate) struct StateDocument {
    /// The JSON text.
    pub(crate) text: Vec<u8>,
    /// Offset of the ten blanks that the pid replaces.
    pub(crate) pid_at: usize,
}

impl Init<'_> {
    pub(super) fn create_container_hook(&mut self, number: usize) -> Result<(), Broken> {
        let hooks = &self.inputs.hooks;
        // NVIDIA's hooks and others expect the root file system as their working directory.
        path::change_directory(self.root()?)?;
        run_hook(hooks.create_container.get(number), &hooks.states[0], Rights::default(), &self.inputs.channel)
    }

    pub(super) fn start_container_hook(&mut self, number: usize) -> Result<(), Broken> {
        let hooks = &self.inputs.hooks;
        // A filter that blocks calls the runtime needs is installed after the hooks. Each hook still gets it, because
        // hooks are files of the image.
        let mut from_hooks = self.plan.init.iter().skip_while(|step| !matches!(step.act, Act::StartContainerHook(_)));
        let filter = from_hooks.find_map(|step| match &step.act {
            Act::InstallFilter(filter) => Some(filter),
            _ => None,
        });
        let rights = Rights { sets: self.sets, filter };
        run_hook(hooks.start_container.get(number), &hooks.states[1], rights, &self.inputs.channel)
    }
}

/// Stops the hook when the other side closes the channel, because then nobody waits for the result.
fn run_hook(
    hook: Option<&Prepared>,
    state: &StateDocument,
    rights: Rights<'_>,
    channel: &Channel,
) -> Result<(), Broken> {
    let Some(hook) = hook else { return Err(Errno::EINVAL.into()) };
    let mut text = state.text.clone();
    let mut pid = std::process::id();
    // Writes the digits right-aligned into the blanks; JSON allows white space before a number.
    for place in (state.pid_at..state.pid_at + 10).rev() {
        text[place] = b'0' + (pid % 10) as u8;
        pid /= 10;
        if pid == 0 {
            break;
        }
    }
    let meanwhile = Meanwhile { ended: Some(channel.as_fd()), signals: None };
    hook::run(hook, &text, rights, meanwhile).map_err(|failure| Broken {
        part: Part::Whole,
        cause: failure.cause,
        output: failure.output,
    })
}
