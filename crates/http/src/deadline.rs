//! Work that may not take for ever, and whose panics stay its own.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

/// The deadline passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Elapsed;

/// Runs `work` for at most `deadline` from when it first has to wait. Work that never waits pays for no
/// timer.
///
/// # Errors
/// [`Elapsed`]; the work is not run on.
pub(crate) async fn within<F: Future + Unpin>(deadline: Duration, mut work: F) -> Result<F::Output, Elapsed> {
    let first = poll_fn(|context| Poll::Ready(Pin::new(&mut work).poll(context))).await;
    match first {
        Poll::Ready(output) => Ok(output),
        // The timer has room of its own, for those who need one.
        Poll::Pending => Box::pin(tokio::time::timeout(deadline, work))
            .await
            .map_err(|_elapsed| Elapsed),
    }
}

/// Runs `work` where it lies; a panic in it is an error and goes no further.
///
/// # Errors
/// What the panic said.
pub(crate) async fn caught<F: Future>(mut work: Pin<&mut F>) -> Result<F::Output, Box<dyn Any + Send>> {
    poll_fn(
        |context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(panic) => Poll::Ready(Err(panic)),
        },
    )
    .await
}

#[cfg(test)]
mod tests {
    use super::{Elapsed, caught, within};
    use std::future::{pending, ready};
    use std::pin::pin;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn only_work_that_waits_too_long_is_dropped() {
        let second = Duration::from_secs(1);
        assert_eq!(within(Duration::ZERO, pin!(ready(7))).await, Ok(7));
        assert_eq!(within(second * 2, pin!(tokio::time::sleep(second))).await, Ok(()));
        assert_eq!(within(second, pin!(pending::<()>())).await, Err(Elapsed));
    }

    #[tokio::test]
    async fn a_panic_is_an_error() {
        assert_eq!(caught(pin!(ready(7))).await.unwrap(), 7);
        assert!(caught(pin!(async { panic!("inside") })).await.is_err());
    }
}
