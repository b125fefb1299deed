use std::{error::Error, fmt, io};

use rustls::CertificateError;

/// Why no connection came about; its text says what helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nobody listens at the address.
    Refused,
    /// The name has no address.
    UnknownName,
    /// Nothing came back.
    Silent,
    /// No trusted CA vouches for the server's certificate.
    Untrusted,
    /// The server's certificate is for other names.
    OtherName,
    /// The server's certificate is past its end.
    OutOfDate,
    /// The server's certificate is before its beginning.
    Early,
    /// The server's certificate can't be used for another reason.
    BadCertificate,
    /// The server ended the handshake.
    Alert,
    /// It does not speak TLS, or not as we do.
    NoTls,
    /// Anything else.
    Other,
}

impl Fault {
    /// By the innermost cause that says something.
    pub(crate) fn of(error: &(dyn Error + 'static)) -> Self {
        let mut found = Self::Other;
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(tls) = error.downcast_ref::<rustls::Error>() {
                return Self::of_tls(tls);
            }
            // The connector's own type is private: its text is all that tells a name from an address.
            if error.to_string().starts_with("dns error") {
                return Self::UnknownName;
            }
            let io = error.downcast_ref::<io::Error>();
            match io.map(io::Error::kind) {
                Some(io::ErrorKind::ConnectionRefused) => found = Self::Refused,
                Some(io::ErrorKind::TimedOut) => found = Self::Silent,
                Some(_) | None => {}
            }
            // An I/O error's `source` skips what it was made of.
            cause = match io.and_then(io::Error::get_ref) {
                Some(inner) => Some(inner),
                None => error.source(),
            };
        }
        found
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "rustls adds variants; all end the handshake"
    )]
    const fn of_tls(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(error) => match error {
                CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::Untrusted,
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    Self::OtherName
                }
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::OutOfDate,
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::Early,
                _ => Self::BadCertificate,
            },
            rustls::Error::AlertReceived(_) => Self::Alert,
            _ => Self::NoTls,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => {
                "nothing listens there: is sealstoned running? Start it with `sealstoned serve --config FILE` or \
                 `sealstoned dev --data DIR`, or check the address"
            }
            Self::UnknownName => "the name is not known: check the address, and this machine's name service",
            Self::Silent => "nothing came back: check the address, and firewalls on the way",
            Self::Untrusted => "the server's certificate is by no trusted CA: name its CA by --ca FILE",
            Self::OtherName => "the server's certificate is for other names: use the name that it is for",
            Self::OutOfDate => {
                "the server's certificate has ended by this machine's clock: set the clock if it is ahead (`date`), else renew \
                 the certificate there"
            }
            Self::Early => {
                "the server's certificate begins only later by this machine's clock: set the clock, it is behind (`date`)"
            }
            Self::BadCertificate => "the server's certificate cannot be used: the server needs another",
            Self::Alert => "the server ended the handshake: check the certificate and key",
            Self::NoTls => "no TLS connection came about: check address and port",
            Self::Other => "check the address, and that the server runs",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_cause_decides() {
        let io = |kind, inner: Box<dyn Error + Send + Sync>| io::Error::new(kind, inner);
        let timeout = io(io::ErrorKind::TimedOut, "tcp connect timeout".into());
        assert_eq!(Fault::of(&timeout), Fault::Silent);
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(
            Fault::of(&io(io::ErrorKind::Other, refused.into())),
            Fault::Refused
        );
        for (certificate, want) in [
            (CertificateError::UnknownIssuer, Fault::Untrusted),
            (CertificateError::NotValidForName, Fault::OtherName),
            (CertificateError::Expired, Fault::OutOfDate),
            (CertificateError::NotValidYet, Fault::Early),
            (CertificateError::BadEncoding, Fault::BadCertificate),
        ] {
            let tls = rustls::Error::InvalidCertificate(certificate);
            assert_eq!(Fault::of(&io(io::ErrorKind::InvalidData, tls.into())), want);
        }
        assert_eq!(Fault::of(&fmt::Error), Fault::Other);
    }
}
