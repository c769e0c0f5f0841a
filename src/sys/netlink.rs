//! Reads and changes network interfaces and their addresses over rtnetlink(7), with sockets of any namespace.
//!
//! It covers only what moving an interface needs; which interfaces move is left to the caller. Every length is checked
//! on reading and on writing, because attributes store their length in 16 bits (CVE-2021-43784).

use super::{Errno, Result};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send, socket,
};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// Lengths of nlmsghdr, ifinfomsg and ifaddrmsg.
const HEADER: usize = 16;
const LINK: usize = 16;
const ADDRESS: usize = 8;

/// An attribute: its type, and its content.
type Attribute = (u16, Vec<u8>);

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// Its index in its namespace.
    pub(crate) index: i32,
    /// Whether it is up.
    pub(crate) up: bool,
}

/// An address of an interface, in the form the kernel reports and accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    index: i32,
    family: u8,
    prefix: u8,
    scope: u8,
    attributes: Vec<Attribute>,
}

impl Address {
    /// Returns IFA_FLAGS (IFA_F_*); the header's own field holds only 8 bits of them.
    fn flags(&self) -> u32 {
        let flags = self.attributes.iter().find(|(kind, _)| *kind == libc::IFA_FLAGS);
        flags.and_then(|(_, value)| value.first_chunk()).map_or(0, |bytes| u32::from_ne_bytes(*bytes))
    }

    /// Whether the address is permanent.
    fn is_permanent(&self) -> bool {
        self.flags() & libc::IFA_F_PERMANENT != 0
    }

    /// Whether the address is valid beyond the interface's own network.
    pub(crate) fn is_global(&self) -> bool {
        self.scope == libc::RT_SCOPE_UNIVERSE
    }
}

/// A netlink socket. It keeps acting on the namespace in which it was opened, even if its process joins another one.
#[derive(Debug)]
pub(crate) struct Netlink {
    socket: OwnedFd,
}

impl Netlink {
    /// Opens a socket in this process's network namespace.
    pub(crate) fn open() -> Result<Netlink> {
        let protocol = SockProtocol::NetlinkRoute;
        let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        Ok(Netlink { socket })
    }

    /// Returns the interface of this name; ENODEV if there is none.
    pub(crate) fn link(&self, name: &str) -> Result<Link> {
        let mut request = Request::new(libc::RTM_GETLINK, 0, &link_header(0, 0, 0));
        request.attribute(libc::IFLA_IFNAME, &terminated(name))?;
        let answer = self.query(request)?;
        answer.first().and_then(|(kind, body)| parse_link(*kind, body)).ok_or(Errno::ENODEV)
    }

    /// Whether an interface has this index.
    pub(crate) fn has_index(&self, index: i32) -> Result<bool> {
        match self.query(Request::new(libc::RTM_GETLINK, 0, &link_header(index, 0, 0))) {
            Ok(_) => Ok(true),
            Err(Errno::ENODEV) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    /// Returns the highest index of any interface.
    pub(crate) fn highest_index(&self) -> Result<i32> {
        let request = Request::new(libc::RTM_GETLINK, libc::NLM_F_DUMP, &link_header(0, 0, 0));
        let links = self.query(request)?;
        Ok(links.iter().filter_map(|(kind, body)| parse_link(*kind, body)).map(|link| link.index).max().unwrap_or(0))
    }

    /// Returns the permanent addresses of an interface, of all families.
    pub(crate) fn permanent_addresses(&self, index: i32) -> Result<Vec<Address>> {
        let any = [libc::AF_UNSPEC as u8, 0, 0, 0, 0, 0, 0, 0];
        let answers = self.query(Request::new(libc::RTM_GETADDR, libc::NLM_F_DUMP, &any))?;
        let addresses = answers.iter().filter_map(|(kind, body)| parse_address(*kind, body));
        Ok(addresses.filter(|address| address.index == index && address.is_permanent()).collect())
    }

    /// Moves an interface to the namespace behind `target`, with the index `new_index` (Linux 5.13) and the name
    /// `name`. From a template such as `eth%d` the kernel makes a name. Moving removes the addresses and takes the
    /// interface down.
    pub(crate) fn move_link(&self, index: i32, target: BorrowedFd<'_>, new_index: i32, name: &str) -> Result<()> {
        let mut request = Request::new(libc::RTM_NEWLINK, libc::NLM_F_ACK, &link_header(index, 0, 0));
        request.attribute(libc::IFLA_NET_NS_FD, &target.as_raw_fd().to_ne_bytes())?;
        request.attribute(libc::IFLA_NEW_IFINDEX, &new_index.to_ne_bytes())?;
        request.attribute(libc::IFLA_IFNAME, &terminated(name))?;
        self.query(request).map(drop)
    }

    /// Brings an interface up.
    pub(crate) fn set_up(&self, index: i32) -> Result<()> {
        let up = libc::IFF_UP as u32;
        self.query(Request::new(libc::RTM_NEWLINK, libc::NLM_F_ACK, &link_header(index, up, up))).map(drop)
    }

    /// Adds an address that an interface had before; `renamed` if the interface now has another name.
    pub(crate) fn add_address(&self, index: i32, address: &Address, renamed: bool) -> Result<()> {
        let [a, b, c, d] = index.to_ne_bytes();
        let header = [address.family, address.prefix, 0, address.scope, a, b, c, d];
        let flags = libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
        let mut request = Request::new(libc::RTM_NEWADDR, flags, &header);
        for (kind, value) in &address.attributes {
            match *kind {
                // Holds the creation time and the lifetime. Without this attribute the lifetime is infinite.
                libc::IFA_CACHEINFO => (),
                // An address's label begins with its interface's name.
                libc::IFA_LABEL if renamed => (),
                // Flags that the kernel determines itself are not copied.
                libc::IFA_FLAGS => {
                    let requested = libc::IFA_F_NODAD
                        | libc::IFA_F_OPTIMISTIC
                        | libc::IFA_F_HOMEADDRESS
                        | libc::IFA_F_MANAGETEMPADDR
                        | libc::IFA_F_NOPREFIXROUTE
                        | libc::IFA_F_MCAUTOJOIN;
                    request.attribute(*kind, &(address.flags() & requested).to_ne_bytes())?;
                }
                _ => request.attribute(*kind, value)?,
            }
        }
        self.query(request).map(drop)
    }

    /// Sends a request and returns the messages of the answer as type and body. An error in the answer is returned as
    /// an error.
    fn query(&self, mut request: Request) -> Result<Vec<(u16, Vec<u8>)>> {
        let length = u32::try_from(request.bytes.len()).map_err(|_| Errno::EMSGSIZE)?;
        request.bytes[..4].copy_from_slice(&length.to_ne_bytes());
        send(self.raw(), &request.bytes, MsgFlags::empty())?;
        let mut answers = Vec::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = match recv(self.raw(), &mut buffer, MsgFlags::empty()) {
                Err(Errno::EINTR) => continue,
                other => other?,
            };
            if read_answers(&buffer[..length], request.dump, &mut answers)? {
                return Ok(answers);
            }
        }
    }

    fn raw(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// Reads one datagram of answers; returns whether it contains the last one.
fn read_answers(mut bytes: &[u8], dump: bool, answers: &mut Vec<(u16, Vec<u8>)>) -> Result<bool> {
    while let Some(header) = bytes.first_chunk::<HEADER>() {
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        let body = bytes.get(HEADER..length).ok_or(Errno::EPROTO)?;
        if kind == libc::NLMSG_ERROR as u16 {
            let errno = body.first_chunk().map(|code| i32::from_ne_bytes(*code)).ok_or(Errno::EPROTO)?;
            return if errno == 0 { Ok(true) } else { Err(Errno::from_raw(errno.wrapping_neg())) };
        }
        if kind == libc::NLMSG_DONE as u16 {
            return Ok(true);
        }
        answers.push((kind, body.to_vec()));
        if !dump {
            return Ok(true);
        }
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
    }
    Ok(false)
}

/// A request under construction: nlmsghdr, the family's header, attributes.
struct Request {
    bytes: Vec<u8>,
    dump: bool,
}

impl Request {
    fn new(kind: u16, flags: i32, header: &[u8]) -> Request {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&((flags | libc::NLM_F_REQUEST) as u16).to_ne_bytes());
        bytes.extend_from_slice(header);
        Request { bytes, dump: flags & libc::NLM_F_DUMP == libc::NLM_F_DUMP }
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) -> Result<()> {
        let length = u16::try_from(value.len() + 4).map_err(|_| Errno::EMSGSIZE)?;
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.resize(aligned(self.bytes.len()), 0);
        Ok(())
    }
}

fn link_header(index: i32, flags: u32, change: u32) -> [u8; LINK] {
    let mut header = [0; LINK];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header[8..12].copy_from_slice(&flags.to_ne_bytes());
    header[12..16].copy_from_slice(&change.to_ne_bytes());
    header
}

fn parse_link(kind: u16, body: &[u8]) -> Option<Link> {
    let header = body.first_chunk::<LINK>().filter(|_| kind == libc::RTM_NEWLINK)?;
    let flags = u32::from_ne_bytes([header[8], header[9], header[10], header[11]]);
    let index = i32::from_ne_bytes([header[4], header[5], header[6], header[7]]);
    Some(Link { index, up: flags & libc::IFF_UP as u32 != 0 })
}

fn parse_address(kind: u16, body: &[u8]) -> Option<Address> {
    let header = body.first_chunk::<ADDRESS>().filter(|_| kind == libc::RTM_NEWADDR)?;
    let index = i32::from_ne_bytes([header[4], header[5], header[6], header[7]]);
    let attributes = attributes(&body[ADDRESS..]);
    Some(Address { index, family: header[0], prefix: header[1], scope: header[3], attributes })
}

/// Returns the attributes after a header. Parsing stops at an attribute that claims more bytes than there are.
fn attributes(mut bytes: &[u8]) -> Vec<Attribute> {
    let mut found = Vec::new();
    while let Some(header) = bytes.first_chunk::<4>() {
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let Some(value) = bytes.get(4..length) else { break };
        found.push((u16::from_ne_bytes([header[2], header[3]]), value.to_vec()));
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
    }
    found
}

fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

fn terminated(name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::{Errno, HEADER, Request, attributes, parse_address, read_answers};

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut request = Request::new(kind, 0, body);
        let length = request.bytes.len() as u32;
        request.bytes[..4].copy_from_slice(&length.to_ne_bytes());
        request.bytes
    }

    #[test]
    fn attributes_are_padded_to_four_bytes_and_their_length_has_sixteen_bits() {
        let mut request = Request::new(libc::RTM_NEWLINK, 0, &[]);
        request.attribute(3, b"eth0\0").expect("fits");
        request.attribute(28, &7_i32.to_ne_bytes()).expect("fits");
        assert_eq!(request.bytes.len(), HEADER + 12 + 8);
        assert_eq!(attributes(&request.bytes[HEADER..]), [(3, b"eth0\0".to_vec()), (28, 7_i32.to_ne_bytes().to_vec())]);
        assert_eq!(request.attribute(3, &vec![0; 65_532]), Err(Errno::EMSGSIZE));
    }

    #[test]
    fn an_attribute_longer_than_the_message_is_not_read() {
        assert_eq!(attributes(&[200, 0, 1, 0, 9, 9]), []);
        assert_eq!(attributes(&[3, 0, 1, 0, 9, 9]), []);
        assert_eq!(attributes(&[4, 0, 1, 0, 9]), [(1, vec![])]);
    }

    #[test]
    fn an_answer_ends_with_done_an_error_or_the_only_message() {
        let mut answers = Vec::new();
        let done = message(libc::NLMSG_DONE as u16, &[0; 4]);
        let one = message(libc::RTM_NEWLINK, &[1; 16]);
        assert_eq!(read_answers(&[one.clone(), one.clone()].concat(), true, &mut answers), Ok(false));
        assert_eq!((read_answers(&done, true, &mut answers), answers.len()), (Ok(true), 2));
        assert_eq!(read_answers(&one, false, &mut answers), Ok(true));
        let refused = message(libc::NLMSG_ERROR as u16, &(-libc::EEXIST).to_ne_bytes());
        assert_eq!(read_answers(&refused, false, &mut answers), Err(Errno::EEXIST));
        assert_eq!(read_answers(&message(libc::NLMSG_ERROR as u16, &[0; 4]), false, &mut answers), Ok(true));
        assert_eq!(read_answers(&[255; 16], false, &mut answers), Err(Errno::EPROTO));
    }

    #[test]
    fn permanent_and_global_addresses_are_recognised() {
        let address = |scope: u8, flags: u32| {
            let mut request = Request::new(libc::RTM_NEWADDR, 0, &[2, 24, 0, scope, 5, 0, 0, 0]);
            request.attribute(libc::IFA_FLAGS, &flags.to_ne_bytes()).expect("fits");
            parse_address(libc::RTM_NEWADDR, &request.bytes[HEADER..]).expect("is one")
        };
        let found = address(libc::RT_SCOPE_UNIVERSE, libc::IFA_F_PERMANENT);
        assert!(found.is_permanent() && found.is_global());
        assert!(!address(libc::RT_SCOPE_LINK, libc::IFA_F_PERMANENT).is_global());
        assert!(!address(libc::RT_SCOPE_UNIVERSE, libc::IFA_F_TENTATIVE).is_permanent());
    }
}
