//! The only source of random octets.

use crate::failure::{Failure, Outcome};

pub(crate) fn octets<const N: usize>() -> Outcome<[u8; N]> {
    let mut octets = [0; N];
    aws_lc_rs::rand::fill(&mut octets)
        .map_err(|_| Failure::failed("the system has no randomness: try again"))?;
    Ok(octets)
}
