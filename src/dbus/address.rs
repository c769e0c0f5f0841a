//! Parses the address of a bus, such as `unix:path=/run/dbus/system_bus_socket`; several addresses are separated by
//! semicolons (D-Bus Specification, "Server Addresses"). Connecting is left to `connection`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// The Unix sockets of an address, in order: a path, or `@` and a name in the abstract namespace. Other transports are
/// skipped.
pub(super) fn sockets(address: &str) -> Vec<OsString> {
    address.split(';').filter_map(socket).collect()
}

fn socket(address: &str) -> Option<OsString> {
    let pairs = address.strip_prefix("unix:")?;
    pairs.split(',').filter_map(|pair| pair.split_once('=')).find_map(|(key, value)| match key {
        "path" => Some(OsString::from_vec(unescape(value)?)),
        "abstract" => Some(OsString::from_vec([vec![b'@'], unescape(value)?].concat())),
        _ => None,
    })
}

/// Decodes percent escapes: `%2f` is `/`.
fn unescape(value: &str) -> Option<Vec<u8>> {
    let mut bytes = value.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
        out.push((high * 16 + low) as u8);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::sockets;

    #[test]
    fn unix_sockets_are_found_among_addresses() {
        for (address, found) in [
            ("unix:path=/run/user/1000/bus", &["/run/user/1000/bus"][..]),
            ("unix:guid=12,path=/a%20b%2fc", &["/a b/c"]),
            ("tcp:host=localhost,port=1;unix:abstract=/tmp/x,guid=1;unix:path=/y", &["@/tmp/x", "/y"]),
            ("unix:path=/a%2", &[]),
            ("unix:path=/a%zz", &[]),
            ("unix:tmpdir=/tmp", &[]),
            ("/run/bus", &[]),
            ("", &[]),
        ] {
            assert_eq!(sockets(address), found, "{address}");
        }
    }
}
