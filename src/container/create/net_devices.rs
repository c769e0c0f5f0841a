//! `linux.netDevices`: moves interfaces of the host into the container's network namespace (config-linux.md, "Network
//! Devices"), before the first hook. A failed creation moves them back, unless the namespace was joined. What happens to
//! them when a container ends is left to the kernel.

use crate::plan::NetDevice;
use crate::sys::namespace;
use crate::sys::netlink::{Address, Link, Netlink};
use crate::sys::{Errno, path};
use anyhow::{Context, Result, anyhow, bail};
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

/// The devices moved to a container, with what is needed to move them back.
#[derive(Debug, Default)]
pub(crate) struct HandedOver {
    ends: Option<Ends>,
    moved: Vec<Moved>,
    /// The container joined its network namespace: others may be root there.
    is_joined: bool,
}

/// An interface that has been moved.
#[derive(Debug)]
struct Moved {
    device: NetDevice,
    /// Its state on the host.
    before: Link,
    addresses: Vec<Address>,
    /// Its index in the container.
    index: i32,
}

/// Both ends of the move: a socket in each namespace, and the namespace.
#[derive(Debug)]
struct Ends {
    host: (Netlink, OwnedFd),
    container: (Netlink, OwnedFd),
}

impl HandedOver {
    /// Moves the devices to the network namespace of the process `pid`. `is_joined`: that namespace is older than the
    /// container.
    pub(crate) fn hand_over(&mut self, devices: &[NetDevice], pid: i32, is_joined: bool) -> Result<()> {
        if devices.is_empty() {
            return Ok(());
        }
        self.is_joined = is_joined;
        let ends = self.ends.insert(Ends::of(pid).context("/linux/netDevices")?);
        devices.iter().try_for_each(|device| {
            ends.hand_over(device, &mut self.moved)
                .with_context(|| format!("{}: move {} to the container", device.origin, device.name))
        })
    }

    /// Moves them back, the last one first. From a joined namespace nothing is moved: whoever is root there can have
    /// put another interface in the place of one of them, and index, name and address do not distinguish them.
    pub(crate) fn take_back(&mut self) -> Result<()> {
        let Some(ends) = &self.ends else { return Ok(()) };
        if self.is_joined && !self.moved.is_empty() {
            let names: Vec<_> = self.moved.drain(..).map(|one| one.device.name).collect();
            bail!("{} stayed in the joined network namespace, where it may have been replaced", names.join(", "));
        }
        while let Some(one) = self.moved.pop() {
            ends.take_back(&one).with_context(|| format!("move {} back", one.device.name))?;
        }
        Ok(())
    }
}

impl Ends {
    fn of(pid: i32) -> Result<Ends> {
        let open = |name: String| -> Result<OwnedFd> {
            let path = CString::new(name.as_str())?;
            path::open_following_links(&path, libc::O_RDONLY).map_err(std::io::Error::from).context(name)
        };
        let (own, its) = (open("/proc/self/ns/net".to_owned())?, open(format!("/proc/{pid}/ns/net"))?);
        let network = libc::CLONE_NEWNET as u64;
        let host = Netlink::open().context("open a netlink socket")?;
        namespace::setns(its.as_fd(), network).context("enter the container's network namespace")?;
        let container = Netlink::open();
        namespace::setns(own.as_fd(), network).context("return to the caller's network namespace")?;
        let container = container.context("open a netlink socket in the container's network namespace")?;
        Ok(Ends { host: (host, own), container: (container, its) })
    }

    fn hand_over(&self, device: &NetDevice, moved: &mut Vec<Moved>) -> Result<()> {
        let ((host, _), (container, namespace)) = (&self.host, &self.container);
        let before = host.link(&device.name).map_err(|errno| match errno {
            Errno::ENODEV => anyhow!("no such network interface"),
            errno => anyhow!(std::io::Error::from(errno)),
        })?;
        // The kernel moves before it renames. Without this check a bad name would leave the interface moved but not
        // renamed.
        if !device.inside.contains('%') && container.link(&device.inside).is_ok() {
            bail!("{} exists there already", device.inside);
        }
        let addresses = host.permanent_addresses(before.index).context("read its addresses")?;
        let index = free_index(container, before.index)?;
        host.move_link(before.index, namespace.as_fd(), index, &device.inside).map_err(std::io::Error::from)?;
        let global = addresses.iter().filter(|address| address.is_global()).cloned().collect::<Vec<_>>();
        moved.push(Moved { device: device.clone(), before, addresses, index });
        settle(container, index, &global, device.inside != device.name)?;
        container.set_up(index).context("bring it up")
    }

    fn take_back(&self, one: &Moved) -> Result<()> {
        let ((host, namespace), (container, _)) = (&self.host, &self.container);
        let index = free_index(host, one.before.index)?;
        container.move_link(one.index, namespace.as_fd(), index, &one.device.name).map_err(std::io::Error::from)?;
        settle(host, index, &one.addresses, false)?;
        if one.before.up { host.set_up(index).context("bring it up") } else { Ok(()) }
    }
}

/// The index that the interface keeps if it is free there, as the kernel chooses it; otherwise one after the highest.
fn free_index(there: &Netlink, index: i32) -> Result<i32> {
    if there.has_index(index).context("look for its number")? {
        return Ok(there.highest_index().context("list the interfaces")? + 1);
    }
    Ok(index)
}

fn settle(there: &Netlink, index: i32, addresses: &[Address], renamed: bool) -> Result<()> {
    addresses.iter().try_for_each(|address| there.add_address(index, address, renamed)).context("give it its addresses")
}
