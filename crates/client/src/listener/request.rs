//! One request of HTTP/1.1 (RFC 9112), read strictly and bounded: what two readers could take in two ways is refused.

use crate::RefusedRequest;

/// The largest head: cookies of this machine's other programs come along, since they know no ports.
const MAX_HEAD: usize = 32 * 1024;
/// The largest body: eight times a Keystone token of the longest kind.
const MAX_BODY: usize = 64 * 1024;
/// Three times what browsers send.
const MAX_HEADERS: usize = 64;

/// A whole request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// How far the octets reach.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Read on.
    More,
    Whole(Request),
}

/// Reads a request from the octets that came until now.
pub(crate) fn read(seen: &[u8]) -> Result<Step, RefusedRequest> {
    let Some(end) = seen
        .windows(4)
        .take(MAX_HEAD)
        .position(|four| four == b"\r\n\r\n")
    else {
        return if seen.len() >= MAX_HEAD {
            Err(RefusedRequest::TooLarge)
        } else {
            Ok(Step::More)
        };
    };
    let (head, rest) = seen.split_at_checked(end).ok_or(RefusedRequest::Malformed)?;
    let mut request = head_of(head)?;
    let length = request.content_length()?;
    let body = rest.get(4..).unwrap_or_default();
    if body.len() < length {
        return Ok(Step::More);
    }
    // What follows is another request, which nobody asked for.
    request.body = body.get(..length).unwrap_or_default().to_vec();
    Ok(Step::Whole(request))
}

fn head_of(head: &[u8]) -> Result<Request, RefusedRequest> {
    let malformed = RefusedRequest::Malformed;
    let text = std::str::from_utf8(head).map_err(|_not_text| malformed)?;
    let mut lines = text.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (first.next(), first.next(), first.next(), first.next())
    else {
        return Err(malformed);
    };
    let graphic = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_token(method) || !graphic(target) || !target.starts_with('/') || target.contains('#') {
        return Err(malformed);
    }
    if !matches!(version, "HTTP/1.1" | "HTTP/1.0") {
        return Err(malformed);
    }
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(malformed)?;
        let value = value.trim_matches([' ', '\t']);
        if !is_token(name)
            || value
                .chars()
                .any(|character| character.is_control() && character != '\t')
        {
            return Err(malformed);
        }
        if headers.len() >= MAX_HEADERS {
            return Err(RefusedRequest::TooLarge);
        }
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (target, None),
    };
    Ok(Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query,
        headers,
        body: Vec::new(),
    })
}

/// RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    let of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(of_token)
}

impl Request {
    /// The header of this name (in lower case).
    ///
    /// # Errors
    /// [`RefusedRequest::Malformed`] if there are several: readers differ in which one counts.
    pub(crate) fn header(&self, name: &str) -> Result<Option<&str>, RefusedRequest> {
        let mut values = self
            .headers
            .iter()
            .filter(|(own, _)| own == name)
            .map(|(_, value)| value);
        match (values.next(), values.next()) {
            (first, None) => Ok(first.map(String::as_str)),
            (_, Some(_)) => Err(RefusedRequest::Malformed),
        }
    }

    fn content_length(&self) -> Result<usize, RefusedRequest> {
        if self.header("transfer-encoding")?.is_some() {
            return Err(RefusedRequest::Malformed);
        }
        let Some(text) = self.header("content-length")? else {
            return Ok(0);
        };
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(RefusedRequest::Malformed);
        }
        match text.parse() {
            Ok(length) if length <= MAX_BODY => Ok(length),
            _ => Err(RefusedRequest::TooLarge),
        }
    }
}
