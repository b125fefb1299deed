use sha2::{Digest, Sha256};

/// A file that pages load.
#[derive(Clone, PartialEq, Eq)]
pub struct Asset {
    name: &'static str,
    content_type: &'static str,
    content: Vec<u8>,
    version: String,
}

impl Asset {
    pub(crate) fn new(name: &'static str, content_type: &'static str, content: Vec<u8>) -> Self {
        let digest = Sha256::digest(&content);
        let version = digest
            .iter()
            .take(8)
            .map(|octet| format!("{octet:02x}"))
            .collect();
        Self {
            name,
            content_type,
            content,
            version,
        }
    }

    /// What it is called in an address.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it is.
    #[must_use]
    pub const fn content_type(&self) -> &'static str {
        self.content_type
    }

    /// The file.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// Another content has another: 16 hexadecimal digits, which pages put into the address.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }
}

impl std::fmt::Debug for Asset {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Asset")
            .field("name", &self.name)
            .field("octets", &self.content.len())
            .finish()
    }
}
