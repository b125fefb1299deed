#![doc = include_str!("../README.md")]

pub mod assertion;
pub mod authenticate;
mod denial;
mod evidence;
pub mod identity;
pub mod inspect;
pub mod keystone;
pub mod token;

pub use denial::Denial;
pub use evidence::{ChainVerdict, PresentedCertificate};
