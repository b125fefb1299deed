//! Envoy's `x-forwarded-client-cert`: `Key=value` pairs between semicolons, elements between commas.

use crate::{BindingError, CertificateThumbprint, ClientCertificate};

pub(super) fn parse(text: &str) -> Result<Option<ClientCertificate>, BindingError> {
    let mut certificate: Option<String> = None;
    let mut hash: Option<String> = None;
    let mut rest = text;
    while !rest.is_empty() {
        let (pair, after) = pair(rest)?;
        let slot = match () {
            () if pair.key.eq_ignore_ascii_case("Cert") => &mut certificate,
            () if pair.key.eq_ignore_ascii_case("Hash") => &mut hash,
            () => {
                rest = after;
                continue;
            }
        };
        if slot.replace(pair.value).is_some() {
            return Err(BindingError::Header("Cert or Hash stands twice"));
        }
        rest = after;
    }
    // A hash or a subject alone proves nothing that this crate could look at.
    let Some(escaped) = certificate.filter(|escaped| !escaped.is_empty()) else {
        return Ok(None);
    };
    let certificate = ClientCertificate::from_escaped_pem(&escaped)?;
    match hash {
        Some(hash) if !is_hash_of(&hash, certificate.thumbprint()) => {
            Err(BindingError::Header("Hash is of another certificate"))
        }
        _ => Ok(Some(certificate)),
    }
}

struct Pair<'a> {
    key: &'a str,
    value: String,
}

/// One pair, and what follows the semicolon after it.
fn pair(text: &str) -> Result<(Pair<'_>, &str), BindingError> {
    let malformed = BindingError::Header("Key=value pairs between semicolons are due");
    let (key, rest) = text.split_once('=').ok_or(malformed)?;
    let key = key.trim_matches(' ');
    if key.contains(',') {
        return Err(BindingError::Repeated);
    }
    if key.is_empty() || !key.bytes().all(|octet| octet.is_ascii_alphanumeric()) {
        return Err(malformed);
    }
    let (value, rest) = match rest.strip_prefix('"') {
        Some(quoted) => unquote(quoted).ok_or(BindingError::Header("a double quote is not closed"))?,
        None => {
            let end = rest.find([';', ',']).unwrap_or(rest.len());
            let (value, rest) = rest.split_at_checked(end).ok_or(malformed)?;
            if value.contains('"') {
                return Err(malformed);
            }
            (value.to_owned(), rest)
        }
    };
    let rest = rest.trim_start_matches(' ');
    match rest.chars().next() {
        None => Ok((Pair { key, value }, rest)),
        Some(';') => Ok((Pair { key, value }, rest.trim_start_matches(';'))),
        Some(',') => Err(BindingError::Repeated),
        Some(_) => Err(malformed),
    }
}

/// The text up to the closing quote, its `\"` and `\\` undone, and what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.chars();
    loop {
        match characters.next()? {
            '"' => return Some((value, characters.as_str())),
            '\\' => value.push(characters.next()?),
            plain => value.push(plain),
        }
    }
}

/// Envoy prints SHA-256 over the DER in lower-case hexadecimal.
fn is_hash_of(hash: &str, thumbprint: CertificateThumbprint) -> bool {
    hash.eq_ignore_ascii_case(&crate::name::hex(thumbprint.as_bytes()))
}
