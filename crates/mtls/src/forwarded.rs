//! Certificates that a TLS-terminating proxy hands over in a header field.

mod envoy;
mod rfc9440;
mod traefik;

use crate::{BindingError, ClientCertificate, pem::Lines};

/// The longest header value that is read: 64 KiB, a certificate of the largest size in the widest encoding that
/// proxies use (base64, with its `+`, `/`, `=` and line ends escaped).
pub const MAX_FORWARDED_OCTETS: usize = 64 * 1024;

/// The form in which a proxy writes the client's certificate.
///
/// # Security
/// None of these can be told from a forgery: read the header only on connections of a proxy that is configured to
/// be believed **and** that removes the header from what its clients send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "configuration and documentation list every form"
)]
pub enum ForwardedHeader {
    /// `Client-Cert: :base64 of the DER:` (RFC 9440 §2.2). Parameters and lists are refused.
    Rfc9440,
    /// nginx's `$ssl_client_escaped_cert`: PEM, percent-encoded once. HAProxy and load balancers that leave `+` and
    /// `/` alone write it too.
    NginxEscapedPem,
    /// Apache's `%{SSL_CLIENT_CERT}s`: PEM whose line ends became spaces or tabs; `(null)` without a certificate.
    ApachePem,
    /// Envoy's `x-forwarded-client-cert` with `Cert="…"`. A `Hash` beside it must agree; several elements, as a
    /// chain of proxies makes them, are refused. `Subject`, `URI`, `DNS`, `By` and `Chain` are not believed.
    EnvoyXfcc,
    /// Traefik's `X-Forwarded-Tls-Client-Cert` (`passTLSClientCert.pem`): base64 of the DER without labels, escaped or
    /// not. A comma-separated list is the chain as the client sent it: the first is its certificate (TLS puts it
    /// there), and each of the rest must be a certificate too.
    Traefik,
}

impl ForwardedHeader {
    /// The usual name of the header field, in lower case.
    #[must_use]
    pub const fn default_name(self) -> &'static str {
        match self {
            Self::Rfc9440 => "client-cert",
            Self::NginxEscapedPem | Self::ApachePem => "x-ssl-client-cert",
            Self::EnvoyXfcc => "x-forwarded-client-cert",
            Self::Traefik => "x-forwarded-tls-client-cert",
        }
    }

    /// Reads the values of all header fields of that name. `None` without a field, or with an empty one.
    ///
    /// # Errors
    /// [`BindingError::Repeated`] for several fields or a list; [`BindingError::TooLarge`] above
    /// [`MAX_FORWARDED_OCTETS`]; [`BindingError::Header`] when the form is not kept; else what is wrong with the
    /// certificate.
    ///
    /// # Examples
    /// ```
    /// use sealstone_mtls::{BindingError, ForwardedHeader};
    ///
    /// let none: [&[u8]; 0] = [];
    /// assert_eq!(ForwardedHeader::Rfc9440.parse(&none), Ok(None));
    /// assert_eq!(ForwardedHeader::Rfc9440.parse(&[":AAA=:", ":AAA=:"]), Err(BindingError::Repeated));
    /// ```
    pub fn parse<V: AsRef<[u8]>>(self, values: &[V]) -> Result<Option<ClientCertificate>, BindingError> {
        let value = match values {
            [] => return Ok(None),
            [value] => value.as_ref(),
            _ => return Err(BindingError::Repeated),
        };
        if value.len() > MAX_FORWARDED_OCTETS {
            return Err(BindingError::TooLarge(MAX_FORWARDED_OCTETS));
        }
        let text = str::from_utf8(value).map_err(|_| BindingError::Header("not UTF-8"))?;
        let text = text.trim_matches([' ', '\t']);
        if text.is_empty() {
            return Ok(None);
        }
        match self {
            Self::Rfc9440 => rfc9440::parse(text).map(Some),
            Self::NginxEscapedPem => ClientCertificate::from_escaped_pem(text).map(Some),
            Self::ApachePem if text == "(null)" => Ok(None),
            Self::ApachePem => ClientCertificate::from_pem_lines(text, Lines::Blanks).map(Some),
            Self::EnvoyXfcc => envoy::parse(text),
            Self::Traefik => traefik::parse(text).map(Some),
        }
    }
}

/// Where and how one proxy hands over certificates: a form, a header name, and a header that must say it verified.
///
/// # Examples
/// ```
/// use sealstone_mtls::{ForwardedCertificate, ForwardedHeader};
///
/// let proxy = ForwardedCertificate::new(ForwardedHeader::NginxEscapedPem)
///     .with_name("X-Client-Certificate")?
///     .with_verify_header("X-SSL-Client-Verify")?;
/// assert_eq!(proxy.name(), "x-client-certificate");
/// # Ok::<(), sealstone_mtls::BindingError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardedCertificate {
    form: ForwardedHeader,
    name: String,
    verify_name: Option<String>,
}

impl ForwardedCertificate {
    /// The form's usual header name, and no verification header.
    #[must_use]
    pub fn new(form: ForwardedHeader) -> Self {
        Self {
            form,
            name: form.default_name().to_owned(),
            verify_name: None,
        }
    }

    /// Another header name; letters, digits and hyphens.
    ///
    /// # Errors
    /// [`BindingError::HeaderName`], also for an underscore: gateways cannot tell `client_cert` from `client-cert`,
    /// so that a client could write the name that the proxy does not remove.
    pub fn with_name(mut self, name: &str) -> Result<Self, BindingError> {
        self.name = header_name(name)?;
        Ok(self)
    }

    /// The header in which the proxy says how it judged the certificate; anything but `SUCCESS` there, or nothing,
    /// makes the certificate count as none. Leave it out for self-signed clients, which no proxy can verify.
    ///
    /// # Errors
    /// [`BindingError::HeaderName`], as [`with_name`](Self::with_name).
    pub fn with_verify_header(mut self, name: &str) -> Result<Self, BindingError> {
        self.verify_name = Some(header_name(name)?);
        Ok(self)
    }

    /// The form.
    #[must_use]
    pub const fn form(&self) -> ForwardedHeader {
        self.form
    }

    /// The header name, in lower case.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The verification header, in lower case.
    #[must_use]
    pub fn verify_name(&self) -> Option<&str> {
        self.verify_name.as_deref()
    }

    /// Reads the values of the header fields [`name`](Self::name) and [`verify_name`](Self::verify_name).
    ///
    /// # Errors
    /// As [`ForwardedHeader::parse`], and [`BindingError::Repeated`] for several verification headers.
    pub fn parse<V: AsRef<[u8]>>(
        &self,
        certificate: &[V],
        verify: &[V],
    ) -> Result<Option<ClientCertificate>, BindingError> {
        let certificate = self.form.parse(certificate)?;
        match (&self.verify_name, verify) {
            (None, _) => Ok(certificate),
            (Some(_), [verdict]) if verdict.as_ref() == b"SUCCESS" => Ok(certificate),
            (Some(_), [] | [_]) => Ok(None),
            (Some(_), _) => Err(BindingError::Repeated),
        }
    }
}

fn header_name(name: &str) -> Result<String, BindingError> {
    if name.is_empty() || name.len() > 64 {
        return Err(BindingError::HeaderName("1 to 64 characters are due"));
    }
    if !name
        .bytes()
        .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
    {
        return Err(BindingError::HeaderName(
            "letters, digits and hyphens only; never an underscore",
        ));
    }
    Ok(name.to_ascii_lowercase())
}
