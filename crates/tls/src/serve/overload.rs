//! Those for whom there is no place: they are told so, a few at a time, and the rest wait in the system's queue.

use std::{convert::Infallible, future::poll_fn, pin::Pin, sync::Arc, time::Duration};

use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS},
};
use hyper::{
    body::{Body, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until},
};

use super::{ServeLimits, patience::Patience};

/// One each 20 ms: what somebody who opens connections for nothing can make of it is fifty handshakes a second, less than
/// a tenth of a core with the slowest of the keys that servers use.
const EACH: Duration = Duration::from_millis(20);
/// From the accepted connection to the end of the answer: whoever takes longer is not worth a turn.
pub(super) const TOLD_WITHIN: Duration = Duration::from_secs(5);
/// Octets of a request's body that are read before it is answered: an answer to a body that is not read is lost on its way,
/// since the system then resets the connection.
const MAX_BODY: u64 = 64 * 1024;
/// Places come free as idle connections end; and whoever is told does not come back at once, and all together.
const AGAIN: HeaderValue = HeaderValue::from_static("5");
const SAID: &str = r#"{"error":"temporarily_unavailable","error_description":"the server has as many connections as it takes: wait as long as Retry-After says"}"#;

/// Since when connections wait, and who may be told so next.
pub(super) struct Pressure {
    since: Option<Instant>,
    next: Instant,
    turns: Arc<Semaphore>,
}

/// Held by a connection that is told.
pub(super) struct Turn(#[expect(dead_code, reason = "given back when it is dropped")] OwnedSemaphorePermit);

impl Pressure {
    pub(super) fn new(limits: ServeLimits) -> Self {
        Self {
            since: None,
            next: Instant::now(),
            turns: Arc::new(Semaphore::new(limits.turned_away_at_once)),
        }
    }

    /// There is no place for the next one.
    pub(super) fn begins(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// There is a place, and nobody waits for it.
    pub(super) const fn ends(&mut self) {
        self.since = None;
    }

    /// Ready when the next that waits may be told.
    pub(super) async fn turn(&self, full_for: Duration) -> Turn {
        let Some(since) = self.since.and_then(|since| since.checked_add(full_for)) else {
            return std::future::pending().await;
        };
        sleep_until(since.max(self.next)).await;
        match Arc::clone(&self.turns).acquire_owned().await {
            Ok(permit) => Turn(permit),
            // Nobody closes it.
            Err(_closed) => std::future::pending().await,
        }
    }

    /// Somebody is told.
    pub(super) fn told(&mut self) {
        let now = Instant::now();
        self.next = now.checked_add(EACH).unwrap_or(now);
    }
}

/// Answers the connection's first request, whatever it asks, and closes.
pub(super) async fn tell<I>(io: I, limits: ServeLimits)
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(TOLD_WITHIN)
        .max_buf_size(limits.max_head_octets.max(8 * 1024))
        .max_headers(limits.max_headers)
        .keep_alive(false)
        .serve_connection(
            TokioIo::new(Patience::new(io, limits.write_timeout)),
            service_fn(answer),
        );
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection beyond the limit ended before it was told");
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
    let mut body = request.into_body();
    let mut read = 0_u64;
    while let Some(Ok(frame)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let octets = frame.data_ref().map_or(0, |data| data.len());
        read = read.saturating_add(u64::try_from(octets).unwrap_or(u64::MAX));
        if read > MAX_BODY {
            break;
        }
    }
    let mut response = Response::new(SAID.to_owned());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response.headers_mut().extend([
        (RETRY_AFTER, AGAIN),
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ]);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fifty a second, from a second after there is no place, however many turns are free.
    #[tokio::test(start_paused = true)]
    async fn turns_come_late_and_slowly() {
        let limits = ServeLimits::default();
        let mut pressure = Pressure::new(limits);
        let begun = Instant::now();
        let turn = async |pressure: &mut Pressure| {
            pressure.begins();
            drop(pressure.turn(limits.full_for).await);
            pressure.told();
        };
        turn(&mut pressure).await;
        assert!(begun.elapsed() >= limits.full_for);
        let first = Instant::now();
        for _ in 0..50 {
            turn(&mut pressure).await;
        }
        assert!(first.elapsed() >= Duration::from_secs(1), "{:?}", first.elapsed());
        // A place that nobody waited for: the crowd is over, and the next one waits again.
        pressure.ends();
        let again = Instant::now();
        turn(&mut pressure).await;
        assert!(again.elapsed() >= limits.full_for);
    }
}
