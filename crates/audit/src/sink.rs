use crate::Event;
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
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

    /// Begins to keep one event: it has its place after those before it, and is kept once its receipt is
    /// [settled](Self::settle). Who lets others have their turn in between has one write for the events of all.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    fn begin(&self, event: &Event<'_>) -> Result<Receipt, AuditError> {
        self.record(event).map(|()| Receipt(None))
    }

    /// Returns after the event of this receipt would survive the death of this process: what it tells of is answered
    /// only then. A receipt that is dropped instead leaves its event to be kept with the next one.
    ///
    /// # Errors
    /// [`AuditError`] when it could not be kept.
    fn settle(&self, receipt: Receipt) -> Result<(), AuditError> {
        drop(receipt);
        Ok(())
    }
}

/// For an event that has its place, and is kept once this is [settled](AuditSink::settle).
#[derive(Debug)]
#[must_use = "nothing is answered before its event is kept"]
pub struct Receipt(Option<Arc<Batch>>);

impl Receipt {
    /// For one event of this batch.
    pub const fn of(batch: Arc<Batch>) -> Self {
        Self(Some(batch))
    }

    /// The batch, unless the event is kept already.
    #[must_use]
    pub fn batch(&self) -> Option<&Batch> {
        self.0.as_deref()
    }
}

/// Events that are kept together, or not at all.
#[derive(Debug, Default)]
pub struct Batch(AtomicU8);

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no fourth")]
pub enum BatchEnd {
    /// Nothing yet.
    Open,
    /// All is kept.
    Kept,
    /// Some of it may not be.
    Lost,
}

impl Batch {
    /// Tells all who hold a receipt.
    pub fn end(&self, kept: bool) {
        self.0.store(if kept { 1 } else { 2 }, Ordering::Release);
    }

    /// What became of it.
    #[must_use]
    pub fn outcome(&self) -> BatchEnd {
        match self.0.load(Ordering::Acquire) {
            0 => BatchEnd::Open,
            1 => BatchEnd::Kept,
            _ => BatchEnd::Lost,
        }
    }
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
