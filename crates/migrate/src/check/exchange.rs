//! One request and its answer.

/// What is asked of a node.
#[expect(clippy::exhaustive_structs, reason = "implementations of the port read it")]
pub struct ProbeRequest<'a> {
    /// `GET`, `POST` or `DELETE`.
    pub method: &'static str,
    /// Where.
    pub url: String,
    /// Names and values; tokens are among them.
    pub headers: Vec<(&'a str, &'a str)>,
    /// JSON, or nothing; passwords are in it.
    pub body: &'a str,
}

impl std::fmt::Debug for ProbeRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProbeRequest")
            .field("method", &self.method)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// What came back.
#[derive(Clone, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "implementations of the port fill it")]
pub struct ProbeAnswer {
    /// The status.
    pub status: u16,
    /// `Date`, as it was sent.
    pub date: Option<String>,
    /// `X-Subject-Token`.
    pub token: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for ProbeAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProbeAnswer")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// Sends requests to nodes.
pub trait Exchange {
    /// Sends one, once.
    ///
    /// # Errors
    /// Why there was no answer, on one line and without what was sent.
    fn exchange(&mut self, request: &ProbeRequest<'_>) -> Result<ProbeAnswer, String>;

    /// The clock of this machine: milliseconds since 1970.
    fn now_ms(&mut self) -> i64;
}
