//! New certificates, and where their files go.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use sealstone_ca::{
    AltName, CaError, CaFolder, CertificateInfo, CertificateRequest, Issued, RenewKey, Subject,
    files::{self, Access},
    self_signed_client,
};
use serde_json::json;

use super::{KeyType, days, parse_days, parse_subject};
use crate::{
    clock,
    failure::{Failure, Outcome},
    input,
    output::{self, Form, OutputArguments},
};

/// What for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum For {
    /// To prove who a client is
    #[default]
    Client,
    /// To prove who a server is
    Server,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sealstone ca issue --dir ca --subject 'CN=ci,O=Example' --out ci\n  \
    sealstone ca issue --dir ca --usage server --san dns:id.example.org --out server\n  \
    sealstone ca issue --self-signed --subject CN=probe --out probe"
)]
pub(crate) struct IssueArguments {
    /// The CA's folder
    #[arg(
        long,
        value_name = "DIR",
        required_unless_present = "self_signed",
        conflicts_with = "self_signed"
    )]
    dir: Option<PathBuf>,
    /// A client certificate signed by its own key, without a CA (RFC 8705 §2.2)
    #[arg(long)]
    self_signed: bool,
    /// What the certificate is for
    #[arg(long, value_enum, default_value_t, value_name = "USAGE")]
    usage: For,
    /// Its subject, like "CN=ci,O=Example"
    #[arg(long, value_name = "DN", default_value = "", value_parser = parse_subject)]
    subject: Subject,
    /// An alternative name: dns:NAME, uri:URI, ip:ADDRESS or email:ADDRESS; may be given several times
    #[arg(long, value_name = "FORM:NAME", value_parser = parse_name)]
    san: Vec<AltName>,
    /// For how many days; never longer than the CA
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = parse_days)]
    days: u32,
    /// The kind of its key
    #[arg(long, value_enum, default_value_t, value_name = "KIND")]
    key_type: KeyType,
    /// Where the CA's revocation list is published
    #[arg(long, value_name = "URL")]
    crl_url: Option<String>,
    /// Write PREFIX.pem and PREFIX.key; files that exist are not overwritten
    #[arg(long, value_name = "PREFIX")]
    out: PathBuf,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sealstone ca renew --dir ca --cert ci.pem --key ci.key --replace\n  \
    sealstone ca renew --dir ca --cert ci.pem --out ci-2027"
)]
pub(crate) struct RenewArguments {
    /// The CA's folder
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The certificate to renew
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,
    /// Its private key
    #[arg(long, value_name = "FILE", required_if_eq_any([("same_key", "true"), ("replace", "true")]))]
    key: Option<PathBuf>,
    /// Keep the key: for clients registered by their key
    #[arg(long)]
    same_key: bool,
    /// For how many days; never longer than the CA
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = parse_days)]
    days: u32,
    /// The kind of a new key
    #[arg(long, value_enum, default_value_t, value_name = "KIND")]
    key_type: KeyType,
    /// Write PREFIX.pem and PREFIX.key; files that exist are not overwritten
    #[arg(
        long,
        value_name = "PREFIX",
        required_unless_present = "replace",
        conflicts_with = "replace"
    )]
    out: Option<PathBuf>,
    /// Replace --cert and --key
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    output: OutputArguments,
}

fn parse_name(text: &str) -> Result<AltName, String> {
    AltName::parse(text).map_err(|error| error.to_string())
}

/// A pair of files.
struct Pair {
    certificate: PathBuf,
    key: PathBuf,
}

impl Pair {
    /// Both names must be free, and their folder writable, before anything is made: the CA keeps a record of what it
    /// issues, and a certificate whose key was never written would stand there for ever.
    fn free(prefix: &Path) -> Outcome<Self> {
        let with = |ending: &str| {
            let mut name = prefix.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        };
        let pair = Self {
            certificate: with(".pem"),
            key: with(".key"),
        };
        for path in [&pair.certificate, &pair.key] {
            if fs::symlink_metadata(path).is_ok() {
                return Err(CaError::Exists(path.clone()).into());
            }
        }
        pair.try_out()?;
        Ok(pair)
    }

    /// Writes where the key shall be, and takes it away again.
    fn try_out(&self) -> Outcome {
        files::write_new(&self.key, b"", Access::Private)
            .and_then(|()| {
                fs::remove_file(&self.key).map_err(|source| CaError::Io {
                    path: self.key.clone(),
                    action: "written",
                    source,
                })
            })
            .context("nothing was issued: give --out a folder that exists and that you may write in")?;
        Ok(())
    }

    fn write_new(&self, issued: &Issued) -> Outcome {
        files::write_new(&self.key, issued.private_key_pem.as_bytes(), Access::Private)?;
        let written = files::write_new(
            &self.certificate,
            issued.certificate_pem.as_bytes(),
            Access::Public,
        );
        if written.is_err() {
            // A key without its certificate is of no use, and stands in the way of the next try.
            let _ = fs::remove_file(&self.key);
        }
        Ok(written?)
    }

    fn show(&self, issued: &Issued, form: Form) -> Outcome {
        let (certificate, key) = (
            self.certificate.display().to_string(),
            self.key.display().to_string(),
        );
        let (serial, end) = (issued.serial.to_string(), issued.not_after);
        match form {
            Form::Json => output::json(
                &json!({"certificate": certificate, "key": key, "serial": serial, "not_after": clock::date(end)}),
            ),
            Form::Table => output::pairs(&[
                ("certificate", certificate),
                ("key", key),
                ("serial", serial),
                ("not after", clock::date_and_relative(end, clock::now())),
            ]),
        }
    }
}

pub(super) fn issue(arguments: &IssueArguments) -> Outcome {
    let pair = Pair::free(&arguments.out)?;
    let mut request = match arguments.usage {
        For::Client => {
            CertificateRequest::client(arguments.subject.clone()).with_alt_names(arguments.san.clone())
        }
        For::Server if arguments.self_signed => {
            return Err(Failure::usage(
                "--self-signed is for clients: issue server certificates by a CA, --dir DIR",
            ));
        }
        For::Server => CertificateRequest::server(arguments.subject.clone(), arguments.san.clone()),
    }
    .with_lifetime(days(arguments.days))
    .with_key(arguments.key_type.kind());
    request.crl_url.clone_from(&arguments.crl_url);
    let issued = match &arguments.dir {
        Some(dir) => CaFolder::open(dir)?.issue(&request, clock::now())?,
        None => self_signed_client(&request, clock::now())?,
    };
    pair.write_new(&issued)?;
    pair.show(&issued, arguments.output.output)
}

pub(super) fn renew(arguments: &RenewArguments) -> Outcome {
    let ca = CaFolder::open(&arguments.dir)?;
    let target = match (&arguments.out, &arguments.key) {
        (Some(prefix), _) => Pair::free(prefix)?,
        (None, Some(key)) => Pair {
            certificate: arguments.cert.clone(),
            key: key.clone(),
        },
        (None, None) => {
            return Err(Failure::usage(
                "--replace needs to know the key's file: --key FILE",
            ));
        }
    };
    let certificate = CertificateInfo::parse(&input::bytes(&arguments.cert)?)
        .with_context(|| arguments.cert.display().to_string())?;
    let kept = match &arguments.key {
        Some(key) if arguments.same_key => Some(input::secret(key)?),
        _ => None,
    };
    let key = match &kept {
        Some(pem) => RenewKey::Same(pem),
        None => RenewKey::New(arguments.key_type.kind()),
    };
    let issued = ca.renew(&certificate, key, days(arguments.days), clock::now())?;
    if arguments.replace {
        files::replace(&target.key, issued.private_key_pem.as_bytes(), Access::Private)?;
        files::replace(
            &target.certificate,
            issued.certificate_pem.as_bytes(),
            Access::Public,
        )?;
    } else {
        target.write_new(&issued)?;
    }
    target.show(&issued, arguments.output.output)
}
