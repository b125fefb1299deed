//! The time, waiting and chance of this machine.

use std::time::Duration;

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_agent::Surroundings;

use crate::clock;

#[derive(Debug, Clone, Copy)]
pub(super) struct ThisMachine;

#[async_trait]
impl Surroundings for ThisMachine {
    fn now(&self) -> UnixTime {
        clock::now()
    }

    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }

    fn random(&self) -> u64 {
        let mut octets = [0; 8];
        // Without chance, machines come at the same moment: no reason not to come.
        let _ = aws_lc_rs::rand::fill(&mut octets);
        u64::from_be_bytes(octets)
    }
}
