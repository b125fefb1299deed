//! The pepper, by file; and how such files are made.

use anyhow::Context as _;
use sealstone_ca::files::{self, Access};
use sealstone_registry::Pepper;
use std::fmt::Write as _;
use std::path::Path;
use zeroize::Zeroizing;

/// Reads the pepper: 32 octets in hexadecimal.
pub(crate) fn read_pepper(path: &Path) -> anyhow::Result<Pepper> {
    let text = files::read_private(path).with_context(|| how("secrets.pepper_file"))?;
    Pepper::from_hex(text.trim()).with_context(|| {
        format!(
            "{} holds no pepper: write 64 hexadecimal digits into it, `openssl rand -hex 32`",
            path.display()
        )
    })
}

/// The key of the configuration, and where such a file comes from.
pub(crate) fn how(key: &str) -> String {
    format!("{key} (made once by `openssl rand -hex 32`, mode 0600)")
}

/// Makes a secret file, for its owner alone, unless it is there.
pub(crate) fn make_unless_there(path: &Path) -> anyhow::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let mut octets = Zeroizing::new([0_u8; 32]);
    aws_lc_rs::rand::fill(&mut *octets)
        .ok()
        .context("the system's random source failed")?;
    let mut text = Zeroizing::new(String::with_capacity(65));
    for octet in octets.iter() {
        write!(text, "{octet:02x}")?;
    }
    text.push('\n');
    Ok(files::write_new(path, text.as_bytes(), Access::Private)?)
}
