//! Bodies in both directions, passed on as they come.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep};

pub(crate) type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// To the node: what the client sends, or a login that was read whole.
#[derive(Debug)]
pub(crate) enum RequestBody {
    Stream(Incoming),
    Whole(Full<Bytes>),
}

impl RequestBody {
    pub(crate) fn whole(octets: impl Into<Bytes>) -> Self {
        Self::Whole(Full::new(octets.into()))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Stream(body) => Pin::new(body).poll_frame(cx),
            Self::Whole(body) => match Pin::new(body).poll_frame(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(frame) => Poll::Ready(frame.and_then(|frame| frame.ok().map(Ok))),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Stream(body) => body.is_end_stream(),
            Self::Whole(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Stream(body) => body.size_hint(),
            Self::Whole(body) => body.size_hint(),
        }
    }
}

/// To the client: what the node sends, or an answer of the bridge's own.
#[derive(Debug)]
pub struct AnswerBody(Kind);

#[derive(Debug)]
enum Kind {
    Node {
        body: Incoming,
        pause: Duration,
        /// Running while the node is waited for.
        waiting: Option<Pin<Box<Sleep>>>,
    },
    Whole(Full<Bytes>),
}

impl AnswerBody {
    pub(crate) const fn node(body: Incoming, pause: Duration) -> Self {
        Self(Kind::Node {
            body,
            pause,
            waiting: None,
        })
    }

    pub(crate) fn whole(octets: impl Into<Bytes>) -> Self {
        Self(Kind::Whole(Full::new(octets.into())))
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = AnyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnyError>>> {
        match &mut self.get_mut().0 {
            Kind::Node { body, pause, waiting } => {
                if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
                    *waiting = None;
                    return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
                }
                let limit = *pause;
                let waiting = waiting.get_or_insert_with(|| Box::pin(sleep(limit)));
                match waiting.as_mut().poll(cx) {
                    Poll::Ready(()) => Poll::Ready(Some(Err("the node paused too long".into()))),
                    Poll::Pending => Poll::Pending,
                }
            }
            Kind::Whole(body) => match Pin::new(body).poll_frame(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(frame) => Poll::Ready(frame.map(|frame| frame.map_err(Into::into))),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Node { body, .. } => body.is_end_stream(),
            Kind::Whole(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Node { body, .. } => body.size_hint(),
            Kind::Whole(body) => body.size_hint(),
        }
    }
}
