//! Runs the createContainer and startContainer hooks in the container's process.
//!
//! Leaves to `hook` how one hook is executed.

use super::{Init, StepError};
use crate::channel::{Channel, Part};
use crate::hook::{self, Prepared, Rights};
use crate::plan::act::Act;
use crate::sys::pipe::Meanwhile;
use crate::sys::{Errno, path};
use std::os::fd::AsFd;

/// The hooks that the child runs.
#[derive(Default)]
pub(crate) struct ContainerHooks {
    /// `hooks.createContainer`.
    pub(crate) create_container: Vec<Prepared>,
    /// `hooks.startContainer`.
    pub(crate) start_container: Vec<Prepared>,
    /// The state document for each of the two: status `creating` and `created`, with ten blanks in place of the pid.
    pub(crate) states: [StateDocument; 2],
}

/// A state document. The child fills in its pid, which the parent does not know yet.
#[derive(Default, Clone)]
pub(crate) struct StateDocument {
    /// The JSON text.
    pub(crate) text: Vec<u8>,
    /// Offset of the ten blanks that the pid replaces.
    pub(crate) pid_at: usize,
}

impl Init<'_> {
    pub(super) fn create_container_hook(&mut self, number: usize) -> Result<(), StepError> {
        let hooks = &self.inputs.hooks;
        // Hooks such as nvidia's find the root file system through their working directory.
        path::change_directory(self.root()?)?;
        let rights = Rights { open_files: self.inputs.open_files, ..Rights::default() };
        run_hook(hooks.create_container.get(number), &hooks.states[0], rights, &self.inputs.channel)
    }

    pub(super) fn start_container_hook(&mut self, number: usize) -> Result<(), StepError> {
        let hooks = &self.inputs.hooks;
        // A filter that permits too little for hooks is installed after them. Each hook then installs it itself,
        // because hooks are files of the image.
        let mut from_hooks = self.plan.init.iter().skip_while(|step| !matches!(step.act, Act::StartContainerHook(_)));
        let filter = from_hooks.find_map(|step| match &step.act {
            Act::InstallFilter(filter) => Some(filter),
            _ => None,
        });
        let rights = Rights { open_files: None, sets: self.sets, filter };
        run_hook(hooks.start_container.get(number), &hooks.states[1], rights, &self.inputs.channel)
    }
}

/// Stops the hook when the other end of the channel is closed, because then no parent is left to receive the result.
fn run_hook(
    hook: Option<&Prepared>,
    state: &StateDocument,
    rights: Rights<'_>,
    channel: &Channel,
) -> Result<(), StepError> {
    let Some(hook) = hook else { return Err(Errno::EINVAL.into()) };
    let mut text = state.text.clone();
    let mut pid = std::process::id();
    // Right-aligned into the blanks; JSON allows white space before a number.
    for place in (state.pid_at..state.pid_at + 10).rev() {
        text[place] = b'0' + (pid % 10) as u8;
        pid /= 10;
        if pid == 0 {
            break;
        }
    }
    let meanwhile = Meanwhile { ended: Some(channel.as_fd()), signals: None };
    hook::run(hook, &text, rights, meanwhile).map_err(|failure| StepError {
        part: Part::Whole,
        cause: failure.cause,
        output: failure.output,
    })
}
