//! The whole program: `sealstoned` as a process of its own, over real TLS on the loopback interface.

mod attacks_d;
mod harness;
mod wire;
