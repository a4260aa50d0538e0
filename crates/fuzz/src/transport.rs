//! A gateway that answers as the input says.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use billfold_core::transport::{Reached, Transport, TransportError};
use bytes::Bytes;
use http::{Request, Response};

/// Gives one answer after another. When none is left, the answer is lost.
#[derive(Debug, Default)]
pub(crate) struct Scripted {
    answers: Mutex<VecDeque<Response<Bytes>>>,
    seen: Mutex<Vec<(Request<Bytes>, Option<u16>)>>,
}

impl Scripted {
    pub(crate) fn new(answers: impl IntoIterator<Item = Response<Bytes>>) -> Self {
        Self { answers: Mutex::new(answers.into_iter().collect()), seen: Mutex::default() }
    }

    /// What was sent, and the status with which it was answered.
    pub(crate) fn seen(&self) -> Vec<(Request<Bytes>, Option<u16>)> {
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Transport for Scripted {
    async fn send(&self, request: Request<Bytes>, _: Duration) -> Result<Response<Bytes>, TransportError> {
        let answer = self.answers.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let status = answer.as_ref().map(|answer| answer.status().as_u16());
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push((request, status));
        answer.ok_or_else(|| TransportError { reached: Reached::OutcomeUnknown, message: "lost".to_owned() })
    }
}
