use crate::Event;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// The event could not be kept.
#[derive(Debug)]
pub struct AuditError(Box<dyn std::error::Error + Send + Sync>);

impl AuditError {
    /// Wraps the cause.
    pub fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

impl fmt::Display for AuditError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the audit event could not be written")
    }
}

impl std::error::Error for AuditError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

/// Takes audit events.
///
/// # Security
/// `record` returns after the event would survive the death of this process: the request that it tells of is answered
/// only then, and is refused with `server_error` if the event can't be kept.
pub trait AuditSink: Send + Sync + fmt::Debug {
    /// Keeps one event.
    ///
    /// # Errors
    /// [`AuditError`] when it could not be kept.
    fn record(&self, event: &Event<'_>) -> Result<(), AuditError>;
}

/// Keeps nothing: for those who embed the provider and audit elsewhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct NullSink;

impl AuditSink for NullSink {
    fn record(&self, _event: &Event<'_>) -> Result<(), AuditError> {
        Ok(())
    }
}

/// Keeps every event in memory, without limit: for tests.
#[derive(Debug, Clone, Default)]
pub struct MemorySink(Arc<Mutex<Vec<Event<'static>>>>);

impl MemorySink {
    /// Every event so far.
    #[must_use]
    pub fn events(&self) -> Vec<Event<'static>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl AuditSink for MemorySink {
    fn record(&self, event: &Event<'_>) -> Result<(), AuditError> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(event.clone().into_owned());
        Ok(())
    }
}
