//! Container ids. The id is also the name of the state directory.

use std::fmt;

/// A container id that is safe as a single path component: `[A-Za-z0-9_+.-]`, not `.` or `..`, at most 255 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id(String);

impl Id {
    /// Checks the id. The error texts are those of runc.
    pub(crate) fn new(text: &str) -> anyhow::Result<Self> {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || b"_+.-".contains(&c);
        if text.is_empty() || text == "." || text == ".." || !text.bytes().all(allowed) {
            anyhow::bail!("invalid container ID format: {text:?} (letters, digits and _ + . - are allowed)");
        }
        if text.len() > 255 {
            anyhow::bail!("invalid container ID format: {} bytes is longer than a file name may be (255)", text.len());
        }
        Ok(Id(text.to_owned()))
    }

    /// The id as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Id;

    #[test]
    fn an_id_is_one_harmless_path_component() {
        for good in ["web", "a", "A-1_b+c.d", ".hidden", "...", "-x", &"x".repeat(255)] {
            assert!(Id::new(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a b", "a\n", "é", "a\0", "a,b", &"x".repeat(256)] {
            let error = Id::new(bad).expect_err(bad).to_string();
            assert!(error.starts_with("invalid container ID format"), "{error}");
        }
    }
}
