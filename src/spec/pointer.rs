//! JSON pointers (RFC 6901) into `config.json`. Every problem and every step of a plan names its place with one.

use std::borrow::Cow;
use std::fmt;

/// A place in a JSON document, such as `/linux/namespaces/4/path`. The empty pointer is the whole document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Pointer(Cow<'static, str>);

impl Pointer {
    /// A constant pointer. Does not allocate.
    pub(crate) const fn of(text: &'static str) -> Self {
        Pointer(Cow::Borrowed(text))
    }

    /// A pointer from text that is already escaped.
    pub(crate) fn from_text(text: String) -> Self {
        Pointer(Cow::Owned(text))
    }

    /// The member `name` of the object at this place. Escapes `~` and `/` in the name as RFC 6901 requires.
    pub(crate) fn key(&self, name: &str) -> Self {
        let mut text = String::with_capacity(self.0.len() + name.len() + 1);
        text.push_str(&self.0);
        text.push('/');
        for part in name.split_inclusive(['~', '/']) {
            match part.as_bytes().last() {
                Some(b'~') => text.extend([part, "0"]),
                Some(b'/') => text.extend([&part[..part.len() - 1], "~1"]),
                _ => text.push_str(part),
            }
        }
        Pointer(Cow::Owned(text))
    }

    /// The element `index` of the array at this place.
    pub(crate) fn index(&self, index: usize) -> Self {
        Pointer(Cow::Owned(format!("{}/{index}", self.0)))
    }

    /// The pointer as RFC 6901 text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Pointer;

    #[test]
    fn names_are_escaped_as_rfc_6901_requires() {
        let place = Pointer::of("/linux").key("sysctl").key("net/ipv4~x").index(3);
        assert_eq!(place.as_str(), "/linux/sysctl/net~1ipv4~0x/3");
    }
}
