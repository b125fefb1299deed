//! What `dev` says when it serves: commands that can be pasted as they are.

use super::DevFile;
use anyhow::Context as _;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

pub(super) fn print(file: &DevFile, data: &Path) -> anyhow::Result<()> {
    let machine = client(file, "machine")?;
    let other = client(file, "machine-san")?;
    let gateway = client(file, "gateway")?;
    let (ca, dir) = (quoted(&file.ca), quoted(data));
    let (cert, key) = (pair(machine.cert.as_deref()), pair(machine.key.as_deref()));
    let (other_cert, other_key) = (pair(other.cert.as_deref()), pair(other.key.as_deref()));
    let token_url = format!("{}/v4/oauth2/demo/token", file.mtls_base);
    let secret = gateway.client_secret.as_deref().unwrap_or_default();
    let text = format!(
        "\
Sealstone is serving. Everything lies in {dir}; a second start with it keeps everything.

  issuer   {issuer}
  clients  {dir}/dev.json

A token that only the holder of the machine's key can use:

  sealstone token --dev {dir} --client machine

The same with curl:

  curl --cacert {ca} --cert {cert} --key {key} \\
    -d grant_type=client_credentials -d client_id=machine -d scope=openstack:api {token_url}

Refused with another client's certificate:

  curl --cacert {ca} --cert {other_cert} --key {other_key} \\
    -d grant_type=client_credentials -d client_id=machine -d scope=openstack:api {token_url}

What the gateway is told about it (paste the token for TOKEN):

  curl --cacert {ca} -u gateway:{secret} -d token=TOKEN {issuer}/introspect

Sign in as a person, in a browser (it will not know the demo's authority {ca}):

  {party}

{people}
Stop with Ctrl-C.
",
        issuer = file.issuer,
        party = file.relying_party,
        people = people(file),
    );
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("standard output")
}

fn people(file: &DevFile) -> String {
    let mut text = String::new();
    for user in &file.users {
        let totp = user.totp_secret.as_deref();
        let totp = totp.map_or_else(String::new, |secret| format!("  authenticator app: {secret}"));
        // Writing into memory does not fail.
        let _written = writeln!(text, "  {:<9} password: {}{totp}", user.name, user.password);
    }
    text
}

fn client<'a>(file: &'a DevFile, name: &str) -> anyhow::Result<&'a super::DevClient> {
    file.clients
        .iter()
        .find(|client| client.name == name)
        .context("a demo client is missing")
}

fn pair(path: Option<&Path>) -> String {
    path.map(quoted).unwrap_or_default()
}

/// A path as a shell reads it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '+');
    if text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
