//! The client and the source against a Keystone that answers as the test says.

mod attacks_q;
mod attacks_q_identity;
mod identity;
mod people;
mod session;
mod support;
