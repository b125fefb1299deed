//! Session tickets with a lifetime that is capped.

use std::{sync::Arc, time::Duration};

use rustls::{
    Error,
    crypto::{GetRandomFailed, aws_lc_rs::Ticketer},
    server::ProducesTickets,
    ticketer::TicketRotator,
};

/// Tickets that no longer open after `lifetime`. Each call has keys of its own, so that a ticket of one listener or
/// of an earlier configuration resumes nothing at another.
pub(crate) fn ticketer(lifetime: Duration) -> Result<Arc<dyn ProducesTickets>, Error> {
    // A key makes tickets for one period and opens them for one more: two periods are the longest life.
    let period = u32::try_from(lifetime.as_secs() / 2).unwrap_or(u32::MAX).max(1);
    Ok(Arc::new(TicketRotator::new(period, fresh_keys)?))
}

fn fresh_keys() -> Result<Box<dyn ProducesTickets>, GetRandomFailed> {
    Ok(Box::new(Keys(Ticketer::new().map_err(|_| GetRandomFailed)?)))
}

#[derive(Debug)]
struct Keys(Arc<dyn ProducesTickets>);

impl ProducesTickets for Keys {
    fn enabled(&self) -> bool {
        self.0.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.0.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.0.encrypt(plain)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.0.decrypt(cipher)
    }
}
