//! One request to a `criu swrk` process: sends it, answers the notifications, returns the answer.
//!
//! Leaves the meaning of notifications to the caller. Each message is one packet of the socket.

use super::Options;
use super::wire::{Message, Value, fields};
use crate::sys::{Errno, socket};
use anyhow::{Context, Result, anyhow, bail};
use std::os::fd::{BorrowedFd, OwnedFd};

/// Types of requests and answers (`criu_req_type`).
const DUMP: u64 = 1;
const RESTORE: u64 = 2;
const PRE_DUMP: u64 = 4;
const NOTIFY: u64 = 6;
const FEATURE_CHECK: u64 = 9;

/// The largest answer: CRIU sends a few numbers and one line of text.
const LARGEST_ANSWER: usize = 64 << 10;

/// A stage that CRIU has reached. CRIU waits until it is handled.
#[derive(Debug)]
pub(crate) struct Notice {
    /// Its name: `setup-namespaces`, `post-restore` and others (criu(8), "ACTION SCRIPTS").
    pub(crate) stage: String,
    /// The pid of the first process; 0 if it does not exist.
    pub(crate) pid: i32,
    /// The descriptor that came with it.
    pub(crate) fd: Option<OwnedFd>,
}

/// What CRIU has answered.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// Whether it has done what was requested.
    pub(crate) success: bool,
    /// The error number.
    pub(crate) errno: i32,
    /// The error text.
    pub(crate) message: String,
    /// The pid of the first restored process.
    pub(crate) pid: i32,
    /// See [`Features`].
    pub(crate) features: Features,
}

/// What CRIU and the kernel can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Features {
    /// Record which pages change, for pre-dumps.
    pub(crate) memory_tracking: bool,
    /// Transfer pages when they are needed.
    pub(crate) lazy_pages: bool,
}

/// Handles notifications. An error ends CRIU's work.
pub(crate) type Handle<'a> = &'a mut dyn FnMut(Notice) -> Result<()>;

/// Asks which of the features this CRIU and this kernel have.
pub(crate) fn ask_features(criu: BorrowedFd<'_>) -> Result<Features> {
    let mut wanted = Message::default();
    wanted.number(1, 1);
    wanted.number(2, 1);
    let mut request = Message::default();
    request.number(1, FEATURE_CHECK);
    request.nested(5, &wanted);
    // So that the same process can be sent the next request.
    request.number(4, 1);
    let answer = converse(criu, &request, &mut |_| Ok(()))?;
    if !answer.success {
        bail!("criu cannot check the features of the kernel");
    }
    Ok(answer.features)
}

/// Dumps processes. They end, unless [`super::Flag::LeaveRunning`] is set.
pub(crate) fn dump(criu: BorrowedFd<'_>, options: &Options, handle: Handle<'_>) -> Result<Answer> {
    converse(criu, &request(DUMP, options), handle)
}

/// Dumps the memory of processes, which run on.
pub(crate) fn pre_dump(criu: BorrowedFd<'_>, options: &Options) -> Result<Answer> {
    converse(criu, &request(PRE_DUMP, options), &mut |_| Ok(()))
}

/// Restores processes.
pub(crate) fn restore(criu: BorrowedFd<'_>, options: &Options, handle: Handle<'_>) -> Result<Answer> {
    converse(criu, &request(RESTORE, options), handle)
}

fn request(kind: u64, options: &Options) -> Message {
    let mut request = Message::default();
    request.number(1, kind);
    request.nested(2, options.message());
    request
}

/// Sends the request and serves CRIU until its answer. The caller's own error explains more than CRIU's answer to it.
fn converse(criu: BorrowedFd<'_>, request: &Message, handle: Handle<'_>) -> Result<Answer> {
    const ENDED: &str = "criu ended without an answer";
    match socket::send(criu, request.encoded(), None) {
        Err(Errno::EPIPE) => bail!(ENDED),
        sent => sent.context("send to criu")?,
    }
    let mut bytes = vec![0; LARGEST_ANSWER];
    let mut refused = None;
    loop {
        let (length, fd) = match socket::receive(criu, &mut bytes) {
            Ok((0, _)) | Err(Errno::ECONNRESET) => return Err(refused.unwrap_or_else(|| anyhow!(ENDED))),
            received => received.context("receive from criu")?,
        };
        let (kind, answer, notice) = parse(&bytes[..length]).context("read the answer of criu")?;
        let Some(notice) = notice.filter(|_| kind == NOTIFY) else {
            return refused.map_or(Ok(answer), Err);
        };
        let handled = match refused {
            None => handle(Notice { fd, ..notice }),
            Some(_) => Ok(()),
        };
        let mut reply = Message::default();
        reply.number(1, NOTIFY);
        reply.number(3, u64::from(handled.is_ok() && refused.is_none()));
        refused = refused.or(handled.err());
        socket::send(criu, reply.encoded(), None).context("send to criu")?;
    }
}

/// The type of an answer, the answer, and its notification.
fn parse(bytes: &[u8]) -> Result<(u64, Answer, Option<Notice>)> {
    let (mut kind, mut answer, mut notice) = (0, Answer::default(), None);
    let text = |value: Value<'_>| String::from_utf8_lossy(value.bytes()).into_owned();
    for (field, value) in fields(bytes)? {
        match field {
            1 => kind = value.number(),
            2 => answer.success = value.number() != 0,
            4 => answer.pid = nested_number(value, 1)? as i32,
            5 => {
                let mut found = Notice { stage: String::new(), pid: 0, fd: None };
                for (field, value) in fields(value.bytes())? {
                    match field {
                        1 => found.stage = text(value),
                        2 => found.pid = value.number() as i32,
                        _ => (),
                    }
                }
                notice = Some(found);
            }
            7 => answer.errno = value.number() as i32,
            8 => {
                answer.features = Features {
                    memory_tracking: nested_number(value, 1)? != 0,
                    lazy_pages: nested_number(value, 2)? != 0,
                };
            }
            9 => answer.message = text(value),
            _ => (),
        }
    }
    Ok((kind, answer, notice))
}

/// A number in a nested message; 0 if it is missing.
fn nested_number(value: Value<'_>, wanted: u32) -> Result<u64> {
    let found = fields(value.bytes())?.into_iter().find(|(field, _)| *field == wanted);
    Ok(found.map_or(0, |(_, value)| value.number()))
}

#[cfg(test)]
mod tests {
    use super::super::wire::Message;
    use super::{Answer, NOTIFY, converse, parse};
    use crate::sys::socket;
    use std::os::fd::AsFd;

    fn notice(stage: &str) -> Message {
        let mut inner = Message::default();
        inner.bytes(1, stage.as_bytes());
        inner.number(2, 42);
        let mut message = Message::default();
        message.number(1, NOTIFY);
        message.number(2, 1);
        message.nested(5, &inner);
        message
    }

    fn restored(success: bool) -> Message {
        let mut inner = Message::default();
        inner.number(1, 42);
        let mut message = Message::default();
        message.number(1, super::RESTORE);
        message.number(2, u64::from(success));
        message.nested(4, &inner);
        message.bytes(9, b"no");
        message
    }

    #[test]
    fn an_answer_has_the_pid_and_the_error() {
        let (kind, answer, notice) = parse(restored(true).encoded()).expect("reads");
        assert_eq!((kind, answer.success, answer.pid, answer.message.as_str()), (super::RESTORE, true, 42, "no"));
        assert!(notice.is_none());
        assert!(parse(b"\xff").is_err());
    }

    #[test]
    fn notifications_are_handled_in_order_and_an_error_is_returned_instead_of_the_answer() {
        for fails in [false, true] {
            let (ours, theirs) = socket::pair().expect("a socket pair");
            for message in [notice("setup-namespaces"), notice("post-restore"), restored(!fails)] {
                socket::send(theirs.as_fd(), message.encoded(), None).expect("sends");
            }
            let mut stages = Vec::new();
            let answer: anyhow::Result<Answer> = converse(ours.as_fd(), &Message::default(), &mut |notice| {
                stages.push((notice.stage, notice.pid));
                if fails { anyhow::bail!("hook failed") } else { Ok(()) }
            });
            let seen = if fails { 1 } else { 2 };
            let all = [("setup-namespaces".to_owned(), 42), ("post-restore".to_owned(), 42)];
            assert_eq!(stages, all[..seen]);
            match answer {
                Ok(answer) => assert!(!fails && answer.success),
                Err(error) => assert_eq!((fails, error.to_string().as_str()), (true, "hook failed")),
            }
        }
    }

    #[test]
    fn a_criu_that_ends_is_an_error() {
        let (ours, theirs) = socket::pair().expect("a socket pair");
        drop(theirs);
        let error = converse(ours.as_fd(), &Message::default(), &mut |_| Ok(())).expect_err("it has ended");
        assert_eq!(error.to_string(), "criu ended without an answer");
    }
}
