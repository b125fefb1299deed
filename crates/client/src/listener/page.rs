//! What a person sees in the browser at the end: no script, nothing from elsewhere, nothing kept.

use aws_lc_rs::digest;

use crate::RefusedRequest;

const STYLE: &str = "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:18vh auto 0;padding:0 1rem}\
                     h1{font-size:1.5rem}";

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    status: u16,
    title: String,
    text: String,
    allow: Option<&'static str>,
}

impl Page {
    pub(crate) fn new(status: u16, title: &str, text: &str) -> Self {
        Self {
            status,
            title: title.to_owned(),
            text: text.to_owned(),
            allow: None,
        }
    }

    /// What a request gets that is not the one waited for.
    pub(crate) fn refused(refused: RefusedRequest) -> Self {
        let text =
            format!("{refused}. The login goes on waiting: go back to the page where you were signing in.");
        let page = Self::new(refused.status(), "This is not the answer to the login", &text);
        Self {
            allow: refused.allow(),
            ..page
        }
    }

    /// The whole answer.
    pub(crate) fn to_http(&self) -> Vec<u8> {
        let (title, text) = (escaped(&self.title), escaped(&self.text));
        let body = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
             <link rel=\"icon\" href=\"data:,\"><meta name=\"viewport\" content=\"width=device-width\">\
             <meta name=\"color-scheme\" content=\"light dark\"><style>{STYLE}</style></head>\
             <body><h1>{title}</h1><p>{text}</p></body></html>\n"
        );
        let hash = digest::digest(&digest::SHA256, STYLE.as_bytes());
        let hash = base64_simd::STANDARD.encode_to_string(hash.as_ref());
        let allow = self
            .allow
            .map(|allow| format!("allow: {allow}\r\n"))
            .unwrap_or_default();
        format!(
            "HTTP/1.1 {} {}\r\n{allow}content-type: text/html; charset=utf-8\r\ncontent-length: {}\r\n\
             cache-control: no-store\r\ncontent-security-policy: default-src 'none'; img-src data:; \
             style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
             referrer-policy: no-referrer\r\nx-content-type-options: nosniff\r\n\
             cross-origin-opener-policy: same-origin\r\ncross-origin-resource-policy: same-origin\r\n\
             connection: close\r\n\r\n{body}",
            self.status,
            reason(self.status),
            body.len(),
        )
        .into_bytes()
    }
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        421 => "Misdirected Request",
        _ => "Bad Request",
    }
}

/// Text between tags and in attributes.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}
