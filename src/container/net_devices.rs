//! `linux.netDevices`: interfaces of the host move into the container's network namespace (config-linux.md, "Network
//! Devices"). Done before the first hook; what becomes of them afterwards is the container's and the kernel's affair.

use crate::plan::NetDevice;
use crate::sys::namespace;
use crate::sys::netlink::{Address, Link, Netlink};
use crate::sys::{Errno, path};
use anyhow::{Context, Result, anyhow, bail};
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

/// An interface that has been moved, with what it takes to move it back.
struct Moved<'a> {
    device: &'a NetDevice,
    before: Link,
    addresses: Vec<Address>,
    index: i32,
}

/// Both ends of the move.
struct Movers {
    host: (Netlink, OwnedFd),
    container: (Netlink, OwnedFd),
}

/// Moves the devices to the network namespace of the process `pid`. When one cannot be moved, all go back.
pub(super) fn hand_over(devices: &[NetDevice], pid: i32) -> Result<()> {
    if devices.is_empty() {
        return Ok(());
    }
    let movers = Movers::between(pid).context("/linux/netDevices")?;
    let mut moved = Vec::with_capacity(devices.len());
    for device in devices {
        if let Err(error) = movers.hand_over(device, &mut moved) {
            for one in moved.iter().rev() {
                movers.take_back(one).with_context(|| format!("{error:#}; and it cannot be moved back"))?;
            }
            return Err(error.context(format!("{}: move {} to the container", device.origin, device.name)));
        }
    }
    Ok(())
}

impl Movers {
    fn between(pid: i32) -> Result<Movers> {
        let open = |name: String| -> Result<OwnedFd> {
            let path = CString::new(name.as_str())?;
            path::open_following_links(&path, libc::O_RDONLY).map_err(std::io::Error::from).context(name)
        };
        let (own, its) = (open("/proc/self/ns/net".to_owned())?, open(format!("/proc/{pid}/ns/net"))?);
        let network = libc::CLONE_NEWNET as u64;
        let host = Netlink::open().context("open a netlink socket")?;
        namespace::setns(its.as_fd(), network).context("enter the container's network namespace")?;
        let container = Netlink::open();
        namespace::setns(own.as_fd(), network).context("return to the own network namespace")?;
        let container = container.context("open a netlink socket in the container's network namespace")?;
        Ok(Movers { host: (host, own), container: (container, its) })
    }

    fn hand_over<'a>(&self, device: &'a NetDevice, moved: &mut Vec<Moved<'a>>) -> Result<()> {
        let ((host, _), (container, namespace)) = (&self.host, &self.container);
        let before = host.link(&device.name).map_err(|errno| match errno {
            Errno::ENODEV => anyhow!("no such network interface"),
            errno => anyhow!(std::io::Error::from(errno)),
        })?;
        // The kernel moves first and renames then; found out afterwards this would leave the interface half moved.
        if !device.inside.contains('%') && container.link(&device.inside).is_ok() {
            bail!("{} exists there already", device.inside);
        }
        let addresses = host.permanent_addresses(before.index).context("read its addresses")?;
        let index = free_index(container, before.index)?;
        host.move_link(before.index, namespace.as_fd(), index, &device.inside).map_err(std::io::Error::from)?;
        moved.push(Moved { device, before, addresses, index });
        let renamed = device.inside != device.name;
        settle(container, index, moved.last().map_or(&[], |one| &one.addresses), renamed)?;
        container.set_up(index).context("bring it up")
    }

    fn take_back(&self, one: &Moved<'_>) -> Result<()> {
        let ((host, namespace), (container, _)) = (&self.host, &self.container);
        let index = free_index(host, one.before.index)?;
        container.move_link(one.index, namespace.as_fd(), index, &one.device.name).context("move")?;
        settle(host, index, &one.addresses, false)?;
        if one.before.up { host.set_up(index).context("bring it up") } else { Ok(()) }
    }
}

/// The number an interface keeps if it is free there, as the kernel has it; else the next one.
fn free_index(there: &Netlink, index: i32) -> Result<i32> {
    if there.has_index(index).context("look for its number")? {
        return Ok(there.highest_index().context("list the interfaces")? + 1);
    }
    Ok(index)
}

fn settle(there: &Netlink, index: i32, addresses: &[Address], renamed: bool) -> Result<()> {
    addresses.iter().try_for_each(|address| there.add_address(index, address, renamed)).context("give it its addresses")
}
