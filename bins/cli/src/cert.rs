//! `sealstone cert ...`: what a certificate says, and by what it is known.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use sealstone_ca::Serial;
use sealstone_jose::Jwk;
use sealstone_mtls::{ClientCertificate, Confirmation};
use serde_json::{Value, json};

use crate::{
    clock,
    failure::{Failure, Outcome},
    input,
    output::{self, Form, OutputArguments},
};

#[derive(Debug, Subcommand)]
pub(crate) enum CertCommand {
    /// Show a certificate: subject, names, dates, key, thumbprints and the `cnf` of tokens bound to it
    #[command(after_help = "Examples:\n  sealstone cert inspect ci.pem\n  \
        openssl s_client -connect HOST:443 </dev/null | sealstone cert inspect")]
    Inspect(InspectArguments),
    /// Show both thumbprints: RFC 8705's x5t#S256, and Keystone's own older one
    #[command(after_help = "Example:\n  sealstone cert thumbprint --only x5t-s256 ci.pem")]
    Thumbprint(ThumbprintArguments),
}

#[derive(Debug, Args)]
pub(crate) struct InspectArguments {
    /// PEM, DER or url-encoded PEM (- for standard input)
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    output: OutputArguments,
}

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Thumbprint {
    /// base64url of SHA-256 over the DER (RFC 8705 §3.1)
    #[value(name = "x5t-s256")]
    X5tS256,
    /// base64url with padding of SHA-256 over the PEM text, as Keystone stores it
    Keystone,
}

#[derive(Debug, Args)]
pub(crate) struct ThumbprintArguments {
    /// PEM, DER or url-encoded PEM (- for standard input)
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// Print this one alone
    #[arg(long, value_enum, value_name = "WHICH")]
    only: Option<Thumbprint>,
    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) fn run(command: CertCommand) -> Outcome {
    match command {
        CertCommand::Inspect(arguments) => inspect(&arguments),
        CertCommand::Thumbprint(arguments) => thumbprint(&arguments),
    }
}

/// Reads the first certificate of a file in any form that we know.
pub(crate) fn read(path: &Path) -> Outcome<ClientCertificate> {
    let bytes = input::bytes(path)?;
    let advice = || {
        format!(
            "{} holds no certificate: give PEM, DER or url-encoded PEM",
            path.display()
        )
    };
    if bytes.first() == Some(&0x30) {
        return Ok(ClientCertificate::from_der(&bytes).with_context(advice)?);
    }
    let text = std::str::from_utf8(&bytes).ok().with_context(advice)?;
    if !text.contains("CERTIFICATE") && text.contains("PRIVATE KEY-----") {
        return Err(Failure::failed(format!(
            "{} is a private key: give the certificate that belongs to it",
            path.display()
        )));
    }
    if text.trim_start().starts_with("-----BEGIN%20") {
        return Ok(ClientCertificate::from_escaped_pem(text.trim()).with_context(advice)?);
    }
    Ok(ClientCertificate::from_pem(first_block(text).with_context(advice)?).with_context(advice)?)
}

/// A chain begins with the certificate that is meant; what other tools print around it is left out.
fn first_block(text: &str) -> Option<&str> {
    const END: &str = "-----END CERTIFICATE-----";
    let text = text.get(text.find("-----BEGIN CERTIFICATE-----")?..)?;
    text.get(..text.find(END)?.saturating_add(END.len()))
}

fn inspect(arguments: &InspectArguments) -> Outcome {
    let certificate = read(&arguments.file)?;
    let names = alt_names(&certificate);
    let cnf = Confirmation::bind(&certificate);
    if arguments.output.output == Form::Json {
        return output::json(&json!({
            "subject": certificate.subject().to_string(),
            "issuer": certificate.issuer().to_string(),
            "serial": serial(&certificate),
            "not_before": clock::date(certificate.not_before()),
            "not_after": clock::date(certificate.not_after()),
            "key": key(&certificate),
            "subject_alt_names": names,
            "x5t#S256": certificate.thumbprint().to_string(),
            "keystone_thumbprint": certificate.keystone_thumbprint().to_string(),
            "cnf": cnf,
        }));
    }
    let now = clock::now();
    let mut pairs = vec![
        ("subject", certificate.subject().to_string()),
        ("issuer", certificate.issuer().to_string()),
        ("serial", serial(&certificate)),
        (
            "not before",
            clock::date_and_relative(certificate.not_before(), now),
        ),
        (
            "not after",
            clock::date_and_relative(certificate.not_after(), now),
        ),
        ("key", key(&certificate)),
    ];
    pairs.extend(names.into_iter().map(|name| ("alternative name", name)));
    pairs.push(("x5t#S256", certificate.thumbprint().to_string()));
    pairs.push((
        "Keystone thumbprint",
        certificate.keystone_thumbprint().to_string(),
    ));
    pairs.push(("cnf", serde_json::to_string(&cnf)?));
    output::pairs(&pairs)?;
    if !certificate.is_in_date(now) {
        output::note("note: this certificate is not valid now");
    }
    Ok(())
}

fn thumbprint(arguments: &ThumbprintArguments) -> Outcome {
    let certificate = read(&arguments.file)?;
    let (x5t, keystone) = (
        certificate.thumbprint().to_string(),
        certificate.keystone_thumbprint().to_string(),
    );
    match (arguments.only, arguments.output.output) {
        (Some(Thumbprint::X5tS256), Form::Table) => output::line(&x5t),
        (Some(Thumbprint::Keystone), Form::Table) => output::line(&keystone),
        (None, Form::Table) => output::pairs(&[("x5t#S256", x5t), ("Keystone thumbprint", keystone)]),
        (Some(Thumbprint::X5tS256), Form::Json) => output::json(&json!({"x5t#S256": x5t})),
        (Some(Thumbprint::Keystone), Form::Json) => output::json(&json!({"keystone_thumbprint": keystone})),
        (None, Form::Json) => output::json(&json!({"x5t#S256": x5t, "keystone_thumbprint": keystone})),
    }
}

/// The number, without the zero octet that DER puts before a high bit.
fn serial(certificate: &ClientCertificate) -> String {
    let octets = certificate.serial_hex();
    Serial::parse(&octets).map_or(octets, |serial| serial.to_string())
}

fn alt_names(certificate: &ClientCertificate) -> Vec<String> {
    let names = certificate.subject_alt_names();
    let dns = names.dns().iter().map(|name| format!("dns:{name}"));
    let uri = names.uri().iter().map(|name| format!("uri:{name}"));
    let ip = names.ip().iter().map(|name| format!("ip:{name}"));
    let email = names.email().iter().map(|name| format!("email:{name}"));
    dns.chain(uri).chain(ip).chain(email).collect()
}

/// Its kind, by the JWK that it is.
fn key(certificate: &ClientCertificate) -> String {
    let jwk = Jwk::from_spki_der(certificate.spki_der()).ok();
    let members: Option<Value> = jwk.and_then(|jwk| serde_json::from_str(&jwk.to_json()).ok());
    let member = |name: &str| {
        members
            .as_ref()
            .and_then(|members| members.get(name))
            .and_then(Value::as_str)
    };
    match (member("kty"), member("crv"), member("n")) {
        (_, Some(curve), _) => curve.to_owned(),
        (Some(kind), None, Some(modulus)) => {
            let bits = modulus.len().saturating_mul(6) & !7;
            format!("{kind} {bits}")
        }
        _ => "of a kind that tokens are not bound by".to_owned(),
    }
}

/// The certificate that a token may be bound to, for `jwt verify`.
pub(crate) fn read_for_binding(path: &Path) -> Outcome<ClientCertificate> {
    let certificate = read(path)?;
    if certificate.is_in_date(clock::now()) {
        return Ok(certificate);
    }
    Err(Failure::failed(format!(
        "the certificate in {} is not valid now: no TLS connection takes it, so no token is bound to it; renew it",
        path.display()
    )))
}
