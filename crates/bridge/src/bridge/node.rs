//! The node's answer.

use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::time::timeout;

use std::sync::atomic::Ordering;

use super::Inner;
use crate::answer;
use crate::body::{AnswerBody, RequestBody};
use crate::counts::Event;
use crate::echo::Swaps;
use crate::fields::{self, SUBJECT};
use crate::translate::TokenForm;

impl Inner {
    pub(super) async fn passed_on(
        &self,
        request: Request<RequestBody>,
        swaps: &Swaps,
    ) -> Response<AnswerBody> {
        let is_head = *request.method() == Method::HEAD;
        let answer = match timeout(self.limits.answer, self.upstream.send(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                self.counts.count(Event::Unanswered);
                tracing::warn!("{error}");
                return answer::bad_gateway();
            }
            Err(_elapsed) => {
                self.counts.count(Event::Unanswered);
                tracing::warn!("the node did not answer within {:?}", self.limits.answer);
                return answer::gateway_timeout();
            }
        };
        self.settled(answer, swaps, is_head).await
    }

    /// The answer as the client is to have it.
    async fn settled(
        &self,
        mut answer: Response<Incoming>,
        swaps: &Swaps,
        is_head: bool,
    ) -> Response<AnswerBody> {
        fields::strip_answer(answer.headers_mut());
        if answer.status() == StatusCode::CREATED {
            self.learn(answer.headers());
        }
        let mut is_echo = swaps.restore_field(answer.headers_mut());
        let answer = if !is_head && swaps.may_be_in_body(&answer) {
            match timeout(self.limits.pause, swaps.restore_body(answer)).await {
                Ok(Ok((answer, is_restored))) => {
                    is_echo |= is_restored;
                    answer.map(AnswerBody::whole)
                }
                Ok(Err(_)) | Err(_) => {
                    self.counts.count(Event::Unanswered);
                    tracing::warn!("the node's answer ended early");
                    answer::bad_gateway()
                }
            }
        } else {
            let pause = self.limits.pause;
            answer.map(|body| AnswerBody::node(body, pause))
        };
        if is_echo {
            self.counts.count(Event::Echo);
        }
        answer
    }

    /// A node takes what it issues.
    fn learn(&self, headers: &HeaderMap) {
        let issued = headers.get(SUBJECT).and_then(|value| value.to_str().ok());
        let Some(form) = issued.and_then(TokenForm::of) else {
            return;
        };
        let known = self.target();
        if form == known {
            return;
        }
        self.counts.count(Event::Surprise);
        if self.is_learning.load(Ordering::Relaxed) {
            self.is_jws.store(form == TokenForm::Jws, Ordering::Relaxed);
            tracing::warn!(
                "the node issues {form} tokens, not {known}: tokens are translated to {form} from now on"
            );
        } else {
            tracing::warn!(
                "the node issues {form} tokens, and takes no {known} tokens, to which this bridge is told to translate: \
                 correct the target"
            );
        }
    }
}
